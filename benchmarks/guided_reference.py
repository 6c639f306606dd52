"A reference photo: how much closer to the truth the colors are with it, whether one that does not fit is refused, and how long it takes."
import os, subprocess, sys, time
from pathlib import Path

import cv2, numpy as np, torch
from fastcore.script import call_parse, store_true
from PIL import Image
from colorfast.colorize.cells import cells_of, true_ab
from colorfast.colorize.colorizer import Colorizer
from colorfast.colorize.lend import lend
from colorfast.colorize.match import borrow_from
from colorfast.colorize.render import upsample_rgb
from colorfast.evaluate.measure import evenly_spaced, to_lab, true_colors
from colorfast.photo.core import Photo
from colorfast.train.metrics import delta_e
from colorfast.video.gif import GifReader, is_gif
from colorfast.video.read import VideoReader

CUT = 40  # mean difference of two frames' values, of 255, between which there is a cut
COMPARED_SIDE = 256  # px, short side of a frame, as `evaluate` has it
MIN_GAP,MAX_GAP = 10,75  # frames between the two of a pair
KINDS = 'cloned','cropped','relit','warped'
TARGETS = {'clips':.45, 'copies':.4, 'unrelated':1.02, 'refused':.9}

# ---- pictures

def at_compared_size(rgb): # uint8 `(H,W,3)`
    "`rgb` as `true_colors` reduces it."
    h,w = rgb.shape[:2]
    scale = COMPARED_SIDE/min(h, w)
    if scale >= 1: return rgb
    return np.array(Image.fromarray(rgb).resize((round(w*scale), round(h*scale)), Image.Resampling.LANCZOS))

def frames_of(fn):
    "All frames of a film or GIF."
    with (GifReader if is_gif(fn) else VideoReader)(fn) as film: return [at_compared_size(o.rgb) for o in film.frames()]

def shots(frames):
    "(first, last + 1) of each shot."
    small = [cv2.resize(o, (32,32), interpolation=cv2.INTER_AREA).astype(np.float32) for o in frames]
    cuts = [i for i in range(1, len(small)) if np.abs(small[i]-small[i-1]).mean() > CUT]
    return list(zip([0,*cuts], [*cuts,len(frames)]))

def frame_pairs(frames, n, rng):
    "`n` pairs of frames of one shot, `MIN_GAP` to `MAX_GAP` apart, in both directions."
    pairs = []
    for start,end in shots(frames):
        pairs += [(i, i+gap) for gap in range(MIN_GAP, MAX_GAP+1) for i in range(start, end-gap)]
    chosen = [pairs[i] for i in rng.choice(len(pairs), min(n, len(pairs)), replace=False)]
    return [pair[::rng.choice([1,-1])] for pair in chosen]

def cloned(rgb, rng):
    "The picture at another size, as a strongly compressed JPEG."
    h,w = rgb.shape[:2]
    scale = rng.uniform(.7, 1.3)
    small = cv2.resize(rgb, (round(w*scale),round(h*scale)), interpolation=cv2.INTER_AREA)
    return cv2.imdecode(cv2.imencode('.jpg', small, [cv2.IMWRITE_JPEG_QUALITY,60])[1], cv2.IMREAD_COLOR)

def cropped(rgb, rng):
    "A part of 55 to 80 % of each side."
    h,w = rgb.shape[:2]
    share = rng.uniform(.55, .8)
    rows,columns = (int(n*share) for n in (h,w))
    y,x = (rng.integers(n+1) for n in (h-rows,w-columns))
    return np.ascontiguousarray(rgb[y:y+rows, x:x+columns])

def relit(rgb, rng):
    "With another exposure curve, and light that falls off to one side."
    h,w = rgb.shape[:2]
    y,x = np.meshgrid(np.linspace(-1, 1, h), np.linspace(-1, 1, w), indexing='ij')
    angle = rng.uniform(0, 2*np.pi)
    gamma = rng.uniform(.65, 1.5)
    light = 1 + rng.uniform(.1, .35)*(x*np.cos(angle)+y*np.sin(angle))
    linear = ((rgb/255)**2.2*light[...,None]).clip(0, 1)
    return (255*linear**(gamma/2.2)).round().astype(np.uint8)

def warped(rgb, rng):
    "Turned by up to 12 degrees, scaled, and bent as by a wave."
    h,w = rgb.shape[:2]
    turn = cv2.getRotationMatrix2D((w/2,h/2), rng.uniform(-12, 12), rng.uniform(.9, 1.15)).astype(np.float32)
    y,x = np.mgrid[:h,:w].astype(np.float32)
    bends = [cv2.resize(rng.normal(0, .035*min(h, w), (4,4)).astype(np.float32), (w,h), interpolation=cv2.INTER_CUBIC) for _ in range(2)]
    source_x,source_y = (m[0]*x+m[1]*y+m[2]+bend for m,bend in zip(turn, bends))
    return cv2.remap(rgb, source_x, source_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)

COPIES = dict(zip(KINDS, (cloned,cropped,relit,warped)))

# ---- measuring

class Seen:
    "A picture in color, and what the network makes of it in gray."
    def __init__(self, colorizer, rgb):
        self.rgb = rgb
        self.lab = to_lab(rgb)
        self.analysis = colorizer.analyse(self.lab[0,0].numpy())
        self.auto = colorizer.auto_ab(self.analysis)
        self.cells = cells_of(self.analysis, true_ab(Photo(rgb), self.analysis.renders[-1].L.shape))

    def error(self, ab):
        "Mean CIEDE2000 to the truth of the picture with the colors `ab`."
        return delta_e(to_lab(upsample_rgb(self.analysis.L, ab)), self.lab).item()

def compare(photo, reference): # `Seen`
    "CIEDE2000 without and with the reference, and the share of the picture that was matched; 0 if the reference was refused."
    borrowed = borrow_from(photo.analysis, {'reference':reference.cells})
    without = photo.error(photo.auto)
    if borrowed is None: return without,without,0.
    return without, photo.error(lend(photo.auto, borrowed)), borrowed.share

def table_row(name, results, target=None):
    "A row of the table; `results` as from `compare`."
    without,with_,share = np.array(results).T
    mean_ratio = with_.mean()/without.mean()
    goal = '' if target is None else f'{target}'
    print(f'| {name} | {len(results)} | {without.mean():.2f} | {with_.mean():.2f} | **{mean_ratio:.3f}** | {goal} '
          f'| {share.mean():.0%} | {(share == 0).mean():.0%} |', flush=True)
    return mean_ratio

def table_head():
    print('| reference | pairs | dE00 without | with | ratio of the means | target | matched | refused |')
    print('|---|---|---|---|---|---|---|---|')

def measure_clips(colorizer, clips, n, rng):
    "A row for each clip, and one for all, each clip counting alike."
    results = {}
    for fn in clips:
        frames = frames_of(fn)
        pairs = frame_pairs(frames, n, rng)
        seen = {i:Seen(colorizer, frames[i]) for i in sorted({i for pair in pairs for i in pair})}
        results[fn] = [compare(seen[i], seen[j]) for i,j in pairs]
        table_row(Path(fn).stem, results[fn])
    if results: table_row('**all clips**', [o for rows in results.values() for o in rows], TARGETS['clips'])

def measure_photos(colorizer, files, rng):
    "A row for each kind of copy, one for all copies, and one for references that have nothing to do with the photo."
    seen = [Seen(colorizer, true_colors(fn)) for fn in files]
    results = {kind:[] for kind in KINDS}
    for kind in KINDS:
        for photo in seen: results[kind].append(compare(photo, Seen(colorizer, COPIES[kind](photo.rgb, rng))))
        table_row(f'{kind} copy', results[kind])
    table_row('**all copies**', [o for rows in results.values() for o in rows], TARGETS['copies'])
    steps = rng.choice(np.arange(1, len(seen)), min(4, len(seen)-1), replace=False)
    unrelated = [compare(photo, seen[(i+step)%len(seen)]) for step in steps for i,photo in enumerate(seen)]
    table_row('**unrelated**', unrelated, f'{TARGETS["unrelated"]}, refused {TARGETS["refused"]:.0%}')

# ---- time

def borrowing_times(photo, references, repeats=7):
    "Seconds of `repeats` times."
    times = []
    for _ in range(repeats):
        photo.analysis.known.clear()
        start = time.perf_counter()
        lend(photo.auto, borrow_from(photo.analysis, references))
        times.append(time.perf_counter()-start)
    return times

def measure_time(colorizer, files):
    "A row for one reference, and one for as many as there are files; all fit."
    cv2.setNumThreads(int(os.environ['OMP_NUM_THREADS']))
    photo = Seen(colorizer, true_colors(files[0]))
    references = {str(i):photo.cells for i in range(len(files))}
    for n in (1,len(files)):
        times = borrowing_times(photo, dict([*references.items()][:n]))
        print(f'| {os.environ["OMP_NUM_THREADS"]} | {n} | {min(times):.3f} | {np.median(times):.3f} |', flush=True)

def time_table(photos):
    "The time with one thread and with two, each in a process of its own."
    print('\nTime of a photo beyond the network; target: at most 0.3 s on two cores.\n')
    print('| threads | references | least, s | median, s |\n|---|---|---|---|', flush=True)
    for threads in ('1','2'):
        subprocess.run([sys.executable, __file__, photos, '--only-time'], env={**os.environ, 'OMP_NUM_THREADS':threads}, check=True)

def photos_in(folder, parity):
    "Every second photo of a folder: what the numbers were chosen on was the odd ones."
    found = sorted(p for p in Path(folder).rglob('*') if p.suffix in ('.webp','.jpg','.png'))
    return found[parity::2]

@call_parse
@torch.inference_mode()
def main(photos:str, # folder of color photos
         clips:str='', # films and GIFs, comma between
         limit:int=60, # photos
         pairs:int=12, # of frames, a clip
         model:str='default', # built-in name or model folder
         only_time:store_true=False): # measure nothing else
    "The colors of a reference photo: related, copied, unrelated; and the time."
    colorizer = Colorizer.from_pretrained(model)
    files = evenly_spaced(photos_in(photos, 0), limit)
    if only_time: return measure_time(colorizer, files[:5])
    rng = np.random.default_rng(0)
    table_head()
    measure_clips(colorizer, [o for o in clips.split(',') if o], pairs, rng)
    measure_photos(colorizer, files, rng)
    time_table(photos)
