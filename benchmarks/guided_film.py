"""Films with one key frame in color: how true, how steady, how fast, beside the automatic film; all in one run on two CPU threads.

    python benchmarks/guided_film.py FILM_OR_GIF... [--model default] [--limit 93] [--shortest 40] [--out runs/guided]

The films are in color: their own colors are the truth, the network gets their lightness. Each shot of at least --shortest frames is
colored by itself and with its middle frame in color as the reference: CIEDE2000 to the truth (every fifth frame) and the warping
error of `benchmarks/video.py`. Then, for the first shot of each film: with a key frame of another shot, which should change nothing;
as a film in which the shot comes back after half a second of that other one, with five hints in true colors in its first frame:
CIEDE2000 after the second cut, at the places whose color is like those that were hinted (within 12 of a*b*), without the hints and
with them; and speed, which is CPU time, without a reference and with one. Sheets of every tenth frame (by itself, with the key
frame, truth) go to --out."""
import tempfile, warnings
from itertools import islice
from pathlib import Path
from time import process_time

import numpy as np
from fastcore.script import call_parse
from PIL import Image
from speed import keep_to_two_cores
from video import chroma, de2000, flows, warping_error, write_sheet

from colorfast.colorize.colorizer import Colorizer
from colorfast.colorize.reference import References
from colorfast.video.colorizer import VideoColorizer
from colorfast.video.process import open_reader

class Seen(Colorizer):
    "A `Colorizer` that looks at each frame once: what is compared here differs in what comes after."
    def __init__(self, colorizer):
        super().__init__(colorizer.net, colorizer.config, colorizer.folder)
        self.seen = {}

    def analyse(self, photo, size=None, quality='fast'):
        key = photo.pixels.tobytes()
        if key not in self.seen: self.seen[key] = super().analyse(photo, size, quality)
        return self.seen[key]

def key_frame(colorizer, frame, folder):
    "The `References` of one frame in color."
    path = Path(folder)/'key.png'
    Image.fromarray(frame).save(path)
    return References.from_files(colorizer, path)

def colored(colorizer, frames, *references, **options):
    "The frames in color."
    return [*VideoColorizer(colorizer, lenders=references, **options).frames(frames)]

def to_truth(done, frames): return np.mean([de2000(a, b) for a,b in zip(done[::5], frames[::5])])

def steadiness(done, motions): return warping_error([chroma(o) for o in done], motions, 1)

def row(*cells): print('| ' + ' | '.join(o if isinstance(o, str) else f'{o:.2f}' for o in cells) + ' |', flush=True)

def header(*columns):
    print()
    row(*columns)
    print('|' + '---|'*len(columns))

# ---- a key frame

def shots(name, frames, shortest, limit):
    "(name, frames) of each shot of a film that is long enough."
    cuts = [0, *(i+1 for i,o in enumerate(flows(frames, 1)) if not o), len(frames)]
    for a,b in zip(cuts, cuts[1:]):
        if b-a >= shortest: yield f'{name} {a}', frames[a:min(b, a+limit)]

def measure_key_frame(colorizer, name, frames, out):
    "Print a shot's row and write its sheet."
    motions = [*flows(frames, 1)]
    with tempfile.TemporaryDirectory() as d: key = key_frame(colorizer, frames[len(frames)//2], d)
    auto,done = (colored(colorizer, frames, *o) for o in ((),(key,)))
    before,after = (to_truth(o, frames) for o in (auto,done))
    rough,steady = (steadiness(o, motions) for o in (auto,done))
    row(name, f'{len(frames)}', before, after, after/before, '0.5', rough, steady, steady/rough, '1')
    write_sheet([o[::10] for o in (auto,done,frames)], out/f'{name.replace(" ","-")}.png', n=len(frames[::10]))

# ---- a key frame of another film

def measure_wrong_key(colorizer, name, frames, other):
    "Print the row of a shot with a key frame of `other`."
    with tempfile.TemporaryDirectory() as d: key = key_frame(colorizer, other[len(other)//2], d)
    frames = frames[:20]
    before,after = (to_truth(colored(colorizer, frames, *o), frames) for o in ((),(key,)))
    row(name, before, after, after/before, '1.02')

# ---- a shot that comes back

def spots(frame, n=5):
    "Places `(n,2)`, row and column, in the middle of even color."
    import cv2
    ab = cv2.GaussianBlur(chroma(frame), (0,0), 4)
    uneven = np.hypot(*(np.abs(cv2.Laplacian(o, cv2.CV_32F)) for o in np.moveaxis(ab, -1, 0)))
    colorful = np.linalg.norm(ab, axis=-1)-50*uneven
    places = []
    for _ in range(n):
        y,x = np.unravel_index(colorful.argmax(), colorful.shape)
        places.append((y,x))
        colorful[max(0, y-30):y+30,max(0, x-30):x+30] = -np.inf
    return places

def like(frame, colors):
    "Where a frame has one of the `colors` `(n,2)`, within 12 of a*b*."
    return (np.linalg.norm(chroma(frame)[:,:,None]-colors, axis=-1) < 12).any(-1)

def measure_return(colorizer, name, frames, other):
    "Print the row of a shot that goes away and comes back."
    from skimage.color import deltaE_ciede2000, rgb2lab
    n = len(frames)//2
    film = [*frames[:10], *other[:12], *frames[n:n+10]]
    places = spots(frames[0])
    hints = [dict(x=int(x), y=int(y), color='#%02x%02x%02x' % tuple(frames[0][y,x])) for y,x in places]
    colors = np.stack([chroma(frames[0])[y,x] for y,x in places])
    def error(done): return np.mean([deltaE_ciede2000(rgb2lab(a), rgb2lab(b))[like(b, colors)].mean() for a,b in zip(done, film[22:])])
    before,after = (error(colored(colorizer, film, hints=o)[22:]) for o in (None,hints))
    row(name, before, after, after/before)

# ---- speed

def measure_speed(colorizer, name, frames):
    "Print the row: CPU ms a frame, without and with a reference."
    with tempfile.TemporaryDirectory() as d: key = key_frame(colorizer, frames[0], d)
    def ms(*references):
        began = process_time()
        colored(colorizer, frames, *references)
        return (process_time()-began)/len(frames)*1e3
    ms()  # once, to be warm
    without,with_key = (min(ms(*o) for _ in range(2)) for o in ((),(key,)))
    row(name, without, with_key, without/with_key, '0.8')

@call_parse
def main(*films:str, # films and GIFs in color, at least two
         model:str='default', # as of `colorfast predict`
         out:str='runs/guided', # folder for the contact sheets
         limit:int=93, # frames of each shot
         shortest:int=40): # frames of a shot
    "Films beside a key frame: how true, how steady, how fast."
    keep_to_two_cores()
    warnings.simplefilter('ignore')
    Path(out).mkdir(parents=True, exist_ok=True)
    colorizer = Colorizer.from_pretrained(model)
    pieces,firsts = [],[]
    for path in films:
        with open_reader(path) as film: found = [*shots(Path(path).stem, [o.rgb for o in film.frames()], shortest, limit)]
        pieces += found
        firsts += found[:1]
    others = [frames for _,frames in (firsts[1:]+pieces[-1:])]
    header('shot, its middle frame as the key', 'frames', 'dE00 by itself', 'with the key', 'ratio', 'target',
           'warping error by itself', 'with the key', 'ratio', 'target')
    for name,frames in pieces: measure_key_frame(Seen(colorizer), name, frames, Path(out))
    header('shot, a key frame of another', 'dE00 by itself', 'with the key', 'ratio', 'target')
    for (name,frames),other in zip(firsts, others): measure_wrong_key(Seen(colorizer), name, frames, other)
    header('shot that comes back, five hints before', 'dE00 at such colors, without', 'with', 'ratio')
    for (name,frames),other in zip(firsts, others): measure_return(Seen(colorizer), name, frames, other)
    header('shot', 'CPU ms a frame', 'with a key frame', 'speed', 'target')
    for name,frames in firsts: measure_speed(colorizer, name, frames[:12])
