"""How steady, how true, how fast films are colored, by four methods and two of them in a GIF; all in one run on two CPU threads.

    python benchmarks/video.py [FILM_OR_GIF...] [--model default] [--n 60] [--minutes 10] [--out runs/video]

The films are in color: their own colors are the truth, the network gets their lightness. Three clips are made here from scikit-
image's photographs: two slow pans with a little shake and grain, and a cut. For each method: warping error (how far chroma moves
along the motion of the original frames, occlusions left out) over one and over ten frames, mean and as a share of per-frame
coloring; CIEDE2000 to the truth; chroma; colors left of the shot before a cut; how much a frame changes if the film begins 30
frames later; CPU time. Then the command: frames a second and peak memory on a film of ten minutes. Contact sheets (per method a
row, the truth last) go to --out."""
import resource, tempfile
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from time import process_time

import cv2, numpy as np
from fastcore.script import call_parse
from speed import keep_to_two_cores, run_process

from colorfast.color import AB_SCALE, calibrate, rgb2lab
from colorfast.colorize.analysis import look
from colorfast.colorize.colorizer import Colorizer
from colorfast.colorize.render import render_shape, shrink, upsample_rgb
from colorfast.photo.core import Photo, photo_L
from colorfast.video.colorizer import VideoColorizer
from colorfast.video.flow import motion_between, warp
from colorfast.video.gif import StablePalette
from colorfast.video.process import open_reader
from colorfast.video.smooth import TemporalState, smooth_colors

# ---- clips

def pan(photo, n=60, size=(640,360), seed=0):
    "A camera that passes slowly over the photo, held by hand, with grain."
    rng = np.random.default_rng(seed)
    w,h = size
    scale = 4/3*max(w/photo.shape[1], h/photo.shape[0])
    too_wide = photo.shape[1]*scale - w
    too_high = photo.shape[0]*scale - h
    for t in np.linspace(0, 1, n):
        dx = too_wide*t + rng.normal(0, .3)
        dy = too_high*(.5+.3*np.sin(3*t)) + rng.normal(0, .3)
        move = np.float32([[scale,0,-dx],[0,scale,-dy]])
        frame = cv2.warpAffine(photo, move, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        yield (frame+rng.normal(0, 1.5, (h,w,1))).clip(0, 255).astype(np.uint8)

def clips(paths, n):
    "(name, RGB frames) of the films given and of those made here."
    from skimage import data
    for path in paths:
        with open_reader(path) as film: yield Path(path).name, [o.rgb for o in islice(film.frames(), n)]
    yield 'pan: coffee', [*pan(data.coffee(), n)]
    yield 'pan: astronaut', [*pan(data.astronaut(), n, seed=1)]
    yield 'cut: cat, rocket', [*pan(data.chelsea(), n//2, seed=2), *pan(data.rocket(), n//2, seed=3)]

# ---- methods: generators of colored frames

def per_frame(colorizer, frames):
    for o in frames: yield colorizer.color(Photo(o))

def flow_blend(colorizer, frames): yield from VideoColorizer(colorizer).frames(frames)

def pillow_gif(colorizer, frames):
    "Frame by frame, with the 256 colors that Pillow gives a GIF's frame."
    from PIL import Image
    for o in per_frame(colorizer, frames): yield np.asarray(Image.fromarray(o).quantize(256, dither=Image.Dither.NONE).convert('RGB'))

def in_a_gif(colorizer, frames):
    "Ours, with the 256 colors that a GIF's frame has."
    stable = StablePalette()
    for o in flow_blend(colorizer, frames):
        number = stable(o, np.ones(o.shape[:2], bool))
        yield stable.palette.colors[number]

def with_old_colors(x, old_colors, confidence, rng, every=24):
    "The network's input with hints of the frame before at points of a grid, a random half of them, where the motion is sure."
    for row in range(every//2, x.shape[1], every):
        for column in range(every//2, x.shape[2], every):
            if confidence[row,column] < .5 or rng.random() > .5: continue
            x[1:,row-1:row+2,column-1:column+2] = np.array([*old_colors[:,row,column],1])[:,None,None]
    return x

def flow_hints(colorizer, frames, blend=False):
    "The colors of the frame before as hints; averaged along the motion too if `blend`."
    rng = np.random.default_rng(0)
    state = painted = None
    for o in frames:
        L = photo_L(Photo(o))
        small = shrink(L, render_shape(*L.shape, colorizer.config['size']))
        x = np.concatenate([small[None], np.zeros((3,*small.shape), np.float32)])
        motion = motion_between(state.L if state else None, small)
        if motion: x = with_old_colors(x, warp(painted, motion[0]), motion[1], rng)
        painted = look(colorizer.net, x, colorizer.multiple).ab
        ab = calibrate(painted, **colorizer.calibration)
        state = smooth_colors(state, small, ab)[0] if blend else TemporalState(small, ab, np.ones_like(small))
        yield upsample_rgb(L, state.ab)

def hints_and_blend(colorizer, frames): yield from flow_hints(colorizer, frames, blend=True)

METHODS = {'per frame':per_frame, 'flow blend (ours)':flow_blend, 'per frame, in a GIF':pillow_gif, 'ours, in a GIF':in_a_gif,
           'flow hints':flow_hints, 'hints and blend':hints_and_blend}

# ---- figures

def chroma(pixels): return (rgb2lab(pixels.transpose(2,0,1)/np.float32(255))[1:]*AB_SCALE).transpose(1,2,0)

def flows(frames, step):
    "Motion of the originals at full size: for each frame the flow to the one `step` before, and where it can be believed; None at a cut."
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    gray = [cv2.cvtColor(o, cv2.COLOR_RGB2GRAY) for o in frames]
    h,w = gray[0].shape
    grid = np.stack(np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32)), -1)
    for a,b in zip(gray, gray[step:]):
        back = dis.calc(b, a, None)
        source = grid+back
        def along(o): return cv2.remap(o, source, None, cv2.INTER_LINEAR)
        round_trip = ((back+along(dis.calc(a, b, None)))**2).sum(-1)
        inside = ((source >= 0) & (source <= (w-1,h-1))).all(-1)
        sure = (round_trip < 1) & inside & (np.abs(along(a.astype(np.float32))-b) < 15)
        yield (source,sure) if sure.mean() > .2 else None

def warping_error(chromas, motions, step):
    "Mean distance in a*b* along the motion."
    errors = []
    for a,b,motion in zip(chromas, chromas[step:], motions):
        if not motion: continue
        source,sure = motion
        errors.append(np.linalg.norm(b-cv2.remap(a, source, None, cv2.INTER_LINEAR), axis=-1)[sure].mean())
    return np.mean(errors) if errors else np.nan

def de2000(a, b):
    from skimage.color import deltaE_ciede2000, rgb2lab
    return deltaE_ciede2000(rgb2lab(a), rgb2lab(b)).mean()

def write_sheet(rows, path, n=5):
    "A picture of `n` frames of each row."
    def small(o): return cv2.resize(o, (400, round(400*o.shape[0]/o.shape[1])), interpolation=cv2.INTER_AREA)
    def line(row): return np.hstack([small(row[i]) for i in np.linspace(0, len(row)-1, n).astype(int)])
    cv2.imwrite(str(path), np.vstack([line(o) for o in rows])[...,::-1])

STEPS = 1,10 # frames over which the warping error is measured
COLUMNS = ['method','warping error','of per frame','over 10','of per frame','dE00','chroma','left after a cut','dE00 if begun later',
           'CPU ms a frame','of per frame']

@dataclass
class Clip:
    "The frames of a clip and what is known of them."
    name:str
    frames:list

    def __post_init__(self):
        self.motions = {step:[*flows(self.frames, step)] for step in STEPS}
        self.cut = next((i+1 for i,o in enumerate(self.motions[1]) if not o), None)

    def errors(self, frames):
        "Warping error of `frames` over each of `STEPS`."
        chromas = [chroma(o) for o in frames]
        return [warping_error(chromas, self.motions[step], step) for step in STEPS]

def left_after_cut(colorizer, clip, done):
    "How far the first frame after the cut is from that frame colored alone, in levels."
    if not clip.cut: return ''
    return f'{np.abs(done[clip.cut].astype(int)-colorizer.color(Photo(clip.frames[clip.cut]))).max()}'

def change_if_begun_later(colorizer, clip, done, method):
    "CIEDE2000 of frame 45 to itself in a film that begins with frame 30."
    if clip.cut or len(clip.frames) <= 45: return ''
    return f'{de2000(done[45], [*method(colorizer, clip.frames[30:46])][-1]):.2f}'

def measure_method(colorizer, clip, method):
    "Colored frames, warping errors and CPU ms a frame."
    began = process_time()
    done = [*method(colorizer, clip.frames)]
    ms = (process_time()-began)/len(done)*1e3
    return done, clip.errors(done), ms

def measure_clip(colorizer, clip, out):
    "Print the table of a clip and write its contact sheet."
    h,w = clip.frames[0].shape[:2]
    own = clip.errors(clip.frames)
    print(f'\n**{clip.name}** ({len(clip.frames)} frames, {w}x{h}; warping error of its own colors {own[0]:.2f}, {own[1]:.2f})\n')
    print(f'| {" | ".join(COLUMNS)} |\n|' + '---|'*len(COLUMNS))
    rows,base = [],None
    for name,method in METHODS.items():
        done,errors,ms = measure_method(colorizer, clip, method)
        base = base or (*errors,ms)
        left = left_after_cut(colorizer, clip, done)
        later = change_if_begun_later(colorizer, clip, done, method)
        to_truth = np.mean([de2000(a, b) for a,b in zip(done[::5], clip.frames[::5])])
        mean_chroma = np.mean([np.linalg.norm(chroma(o), axis=-1).mean() for o in done])
        cells = [name, f'{errors[0]:.2f}', f'{errors[0]/base[0]:.2f}', f'{errors[1]:.2f}', f'{errors[1]/base[1]:.2f}', f'{to_truth:.2f}',
                 f'{mean_chroma:.1f}', left, later, f'{ms:.0f}', f'{ms/base[2]:.2f}']
        print(f'| {" | ".join(cells)} |', flush=True)
        rows.append(done)
    out.mkdir(parents=True, exist_ok=True)
    write_sheet([*rows, clip.frames], out/f'{clip.name.replace(": ", "-").replace(", ", "-")}.png')

# ---- the command

def silence(i, rate=16000):
    "Second `i` of a sound without a sound."
    import av
    frame = av.AudioFrame.from_ndarray(np.zeros((1,rate), np.int16), format='s16', layout='mono')
    frame.rate,frame.pts = rate,i*rate
    return frame

def write_gray_film(path, seconds, rate):
    "A gray film of 640x360 with sound, there and back over a photo."
    import av
    from skimage import data
    there = [cv2.cvtColor(o, cv2.COLOR_RGB2GRAY) for o in pan(data.astronaut(), 100)]
    frames = there + there[::-1]
    with av.open(str(path), 'w') as container:
        picture = container.add_stream('libx264', rate=rate, options={'preset':'ultrafast'})
        picture.width,picture.height,picture.pix_fmt = 640,360,'yuv420p'
        sound = container.add_stream('aac', rate=16000)
        sound.layout = 'mono'
        for i in range(round(seconds*rate)):
            frame = av.VideoFrame.from_ndarray(np.dstack([frames[i%200]]*3), format='rgb24')
            frame.pts,frame.time_base = i,1/Fraction(rate)
            container.mux(picture.encode(frame))
            if i%rate == 0: container.mux(sound.encode(silence(i//rate)))
        for stream in (picture,sound): container.mux(stream.encode())

def children_cpu():
    "CPU seconds of all processes that were started and have ended."
    use = resource.getrusage(resource.RUSAGE_CHILDREN)
    return use.ru_utime+use.ru_stime

def measure_command(model, minutes):
    "Print frames a second, CPU time and memory of the command on a short film and a long one."
    with tempfile.TemporaryDirectory() as d:
        for seconds,rate in ((4,25),(60*minutes,1)):
            film = f'{d}/{seconds}.mp4'
            write_gray_film(film, seconds, rate)
            before = children_cpu()
            took,mb = run_process('predict', film, '-o', f'{d}/out', '--model', model, '--quiet')
            n = seconds*rate
            print(f'colorfast predict, 640x360, {seconds} s at {rate} frames/s: {n/took:.1f} frames a second, '
                  f'{(children_cpu()-before)/n*1e3:.0f} CPU ms a frame, peak {mb:.0f} MB', flush=True)

@call_parse
def main(*films:str, # films and GIFs in color
         model:str='default', # as of `colorfast predict`
         out:str='runs/video', # folder for the contact sheets
         n:int=60, # frames of each film
         minutes:int=10): # of the long film
    "Films: how steady, how true, how fast."
    keep_to_two_cores()
    measure_command(model, minutes)  # first: Linux counts the memory of the process that starts another as that one's
    colorizer = Colorizer.from_pretrained(model)
    for name,frames in clips(films, n): measure_clip(colorizer, Clip(name, frames), Path(out))
