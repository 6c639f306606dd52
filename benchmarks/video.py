"""How steady, how true, how fast films are coloured, by four methods and two of them in a GIF; all in one run on two CPU threads.

    python benchmarks/video.py [FILM_OR_GIF...] [--model default] [--frames 60] [--minutes 10] [-o runs/video]

The films are in colour: their own colours are the truth, the network gets their lightness. Three clips are made here from scikit-image's
photographs: two slow pans with a little shake and grain, and a cut. For each method: warping error (how far chroma moves along the motion of
the original frames, occlusions left out) over one and over ten frames, mean and as a share of per-frame colouring; CIEDE2000 to the truth; chroma;
colours left of the shot before a cut; how much a frame changes if the film begins 30 frames later; CPU time. Then the command: frames a second
and peak memory on a film of ten minutes. Contact sheets (per method a row, the truth last) go to -o."""
import resource, tempfile
from argparse import ArgumentParser
from fractions import Fraction
from pathlib import Path
from time import process_time
import cv2, numpy as np
from speed import process, two_cores
from colorfast.color import AB_SCALE, rgb2lab
from colorfast.color import calibrate
from colorfast.colorize.render import upsample_rgb, render_shape, shrink
from colorfast.colorize.colorizer import Colorizer
from colorfast.photo.core import Photo, photo_L
from colorfast.video.flow import warp, is_cut, optical_flow, smooth_colors
from colorfast.video.read import VideoReader, frame_to_rgb
from colorfast.video.gif import StablePalette
from colorfast.video.colorizer import VideoColorizer

# ---- clips

def pan(im, n=60, size=(640,360), seed=0):
    "A camera that passes slowly over the photo `im`, held by hand, with grain."
    rng,(w,h) = np.random.default_rng(seed),size
    s = 4/3*max(w/im.shape[1], h/im.shape[0]); W,H = im.shape[1]*s,im.shape[0]*s
    for t in np.linspace(0, 1, n):
        dx,dy = (W-w)*t+rng.normal(0, .3), (H-h)*(.5+.3*np.sin(3*t))+rng.normal(0, .3)
        f = cv2.warpAffine(im, np.float32([[s,0,-dx],[0,s,-dy]]), size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        yield (f+rng.normal(0, 1.5, (h,w,1))).clip(0, 255).astype(np.uint8)

def clips(paths, n):
    "(name, RGB frames) of the films given and of those made here."
    from skimage import data
    from PIL import Image, ImageSequence
    for p in paths:
        if Path(p).suffix == '.gif': yield Path(p).name, [np.asarray(f.convert('RGB')) for f in ImageSequence.Iterator(Image.open(p))][:n]
        else:
            with VideoReader(p) as film: yield Path(p).name, [frame_to_rgb(f) for (f,_),_ in zip(film.frames(), range(n))]
    yield 'pan: coffee', [*pan(data.coffee(), n)]
    yield 'pan: astronaut', [*pan(data.astronaut(), n, seed=1)]
    yield 'cut: cat, rocket', [*pan(data.chelsea(), n//2, seed=2), *pan(data.rocket(), n//2, seed=3)]

# ---- methods: generators of colored frames

def per_frame(c, frames):
    for f in frames: yield c.color(Photo(f))

def flow_blend(c, frames): yield from VideoColorizer(c).frames(frames)

def pillow_gif(c, frames):
    "Frame by frame, with the 256 colors that Pillow gives a GIF's frame."
    from PIL import Image
    for f in per_frame(c, frames): yield np.asarray(Image.fromarray(f).quantize(256, dither=Image.Dither.NONE).convert('RGB'))

def in_a_gif(c, frames):
    "Ours, with the 256 colors that a GIF's frame has."
    v,state,colors = VideoColorizer(c),None,StablePalette()
    for f in frames:
        out,state,move = v._next(state, f)
        i = colors(out, np.ones(out.shape[:2], bool), move)
        yield colors.colors[i]

def hinted(c, frames, blend, every=24):
    "The colors of the frame before, where the motion is sure, as hints at points of a grid, a random half of them; averaged along the motion too if `blend`."
    rng,state = np.random.default_rng(0),None
    for f in frames:
        L = photo_L(Photo(f)); l = shrink(L, render_shape(*L.shape, c.config['size']))
        x = np.concatenate([l[None], np.zeros((3,*l.shape), np.float32)])
        if state:
            at,sure = optical_flow(state['L'], l)
            if is_cut(l, sure): state = None
        if state:
            was = warp(state['raw'], at)
            for r in range(every//2, l.shape[0], every):
                for k in range(every//2, l.shape[1], every):
                    if sure[r,k] > .5 and rng.random() < .5: x[1:,r-1:r+2,k-1:k+2] = np.array([*was[:,r,k],1])[:,None,None]
        raw = c._ab(x); ab = calibrate(raw, **c.calibration)
        new = smooth_colors(state, l, ab)[0] if blend else {'L':l, 'ab':ab}
        state = {**new, 'raw':raw}
        yield upsample_rgb(L, new['ab'])

METHODS = {'per frame':per_frame, 'flow blend (ours)':flow_blend, 'per frame, in a GIF':pillow_gif, 'ours, in a GIF':in_a_gif,
           'flow hints':lambda c,f: hinted(c, f, False), 'hints and blend':lambda c,f: hinted(c, f, True)}

# ---- figures

def chroma(px): return (rgb2lab(px.transpose(2,0,1)/np.float32(255))[1:]*AB_SCALE).transpose(1,2,0)

def flows(frames, step):
    "Motion of the originals at full size: for each frame the flow to the one `step` before, and where it can be believed."
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    g = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in frames]; h,w = g[0].shape
    grid = np.stack(np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32)), -1)
    for a,b in zip(g, g[step:]):
        back,forth = dis.calc(b, a, None),dis.calc(a, b, None); at = grid+back
        look = lambda o: cv2.remap(o, at, None, cv2.INTER_LINEAR)
        ok = (((back+look(forth))**2).sum(-1) < 1) & ((at >= 0) & (at <= (w-1,h-1))).all(-1) & (np.abs(look(a.astype(np.float32))-b) < 15)
        yield (at,ok) if ok.mean() > .2 else None  # a cut

def warping_error(abs_, moves, step):
    "Mean distance in a*b* along the motion."
    e = [np.linalg.norm(b-cv2.remap(a, m[0], None, cv2.INTER_LINEAR), axis=-1)[m[1]].mean() for a,b,m in zip(abs_, abs_[step:], moves) if m]
    return np.mean(e) if e else np.nan

def de2000(a, b):
    from skimage.color import deltaE_ciede2000, rgb2lab
    return deltaE_ciede2000(rgb2lab(a), rgb2lab(b)).mean()

def sheet(rows, path, n=5):
    rows = [[r[i] for i in np.linspace(0, len(r)-1, n).astype(int)] for r in rows]
    cv2.imwrite(str(path), np.vstack([np.hstack([cv2.resize(o, (400, round(400*o.shape[0]/o.shape[1])), interpolation=cv2.INTER_AREA) for o in r]) for r in rows])[...,::-1])

def measure(c, name, frames, out):
    moves = {s:[*flows(frames, s)] for s in (1,10)}
    truth,rows,base = [chroma(f) for f in frames],[],None
    cut = next((i+1 for i,m in enumerate(moves[1]) if not m), None)
    print(f'\n**{name}** ({len(frames)} frames, {frames[0].shape[1]}x{frames[0].shape[0]}; warping error of its own colors {warping_error(truth, moves[1], 1):.2f}, {warping_error(truth, moves[10], 10):.2f})\n')
    print('| method | warping error | of per frame | over 10 | of per frame | dE00 | chroma | left after a cut | dE00 if begun later | CPU ms a frame | of per frame |\n|'+'---|'*11)
    for method,f in METHODS.items():
        t = process_time(); done = [*f(c, frames)]; t = (process_time()-t)/len(frames)*1e3
        abs_ = [chroma(o) for o in done]; e = [warping_error(abs_, moves[s], s) for s in moves]; base = base or (*e,t)
        left = f'{np.abs(done[cut].astype(int)-c.color(Photo(frames[cut]))).max()}' if cut else ''
        late = f'{de2000(done[45], [*f(c, frames[30:46])][-1]):.2f}' if not cut and len(frames) > 45 else ''
        dE = np.mean([de2000(a, b) for a,b in zip(done[::5], frames[::5])]); C = np.mean([np.linalg.norm(o, axis=-1).mean() for o in abs_])
        print(f'| {method} | {e[0]:.2f} | {e[0]/base[0]:.2f} | {e[1]:.2f} | {e[1]/base[1]:.2f} | {dE:.2f} | {C:.1f} | {left} | {late} | {t:.0f} | {t/base[2]:.2f} |', flush=True)
        rows.append(done)
    out.mkdir(parents=True, exist_ok=True); sheet([*rows, frames], out/f'{name.replace(": ", "-").replace(", ", "-")}.png')

# ---- the command

def grey_film(path, seconds, rate):
    "A grey film of 640x360 with sound."
    import av
    from skimage import data
    frames = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in pan(data.astronaut(), 100)]
    with av.open(str(path), 'w') as box:
        v = box.add_stream('libx264', rate=rate, options={'preset':'ultrafast'}); v.width,v.height,v.pix_fmt = 640,360,'yuv420p'
        s = box.add_stream('aac', rate=16000); s.layout = 'mono'
        for i in range(round(seconds*rate)):
            f = av.VideoFrame.from_ndarray(np.dstack([frames[i%100 if i//100%2 == 0 else 99-i%100]]*3), format='rgb24'); f.pts,f.time_base = i,1/Fraction(rate); box.mux(v.encode(f))
            if i%rate == 0:
                a = av.AudioFrame.from_ndarray(np.zeros((1,16000), np.int16), format='s16', layout='mono'); a.rate,a.pts = 16000,i//rate*16000; box.mux(s.encode(a))
        box.mux(v.encode()); box.mux(s.encode())

def cpu(): u = resource.getrusage(resource.RUSAGE_CHILDREN); return u.ru_utime+u.ru_stime

def command(model, minutes):
    with tempfile.TemporaryDirectory() as d:
        for seconds,rate in ((4,25),(60*minutes,1)):
            grey_film(f'{d}/{seconds}.mp4', seconds, rate)
            before = cpu(); s,mb = process(['predict', f'{d}/{seconds}.mp4', '-o', f'{d}/out', '--model', model, '--quiet'])
            print(f'colorfast predict, 640x360, {seconds} s at {rate} frames/s: {seconds*rate/s:.1f} frames a second, {(cpu()-before)/seconds/rate*1e3:.0f} CPU ms a frame, peak {mb:.0f} MB', flush=True)

def main():
    p = ArgumentParser(description='Films: how steady, how true, how fast')
    p.add_argument('films', nargs='*'); p.add_argument('--model', default='default'); p.add_argument('-o', '--out', default='runs/video', type=Path)
    p.add_argument('--frames', type=int, default=60, help='of each film'); p.add_argument('--minutes', type=int, default=10, help='of the long film')
    o = p.parse_args()
    two_cores()
    command(o.model, o.minutes)  # first: Linux counts the memory of the process that starts another as that one's
    c = Colorizer.from_pretrained(o.model)
    for name,frames in clips(o.films, o.frames): measure(c, name, frames, o.out)

if __name__=='__main__': main()
