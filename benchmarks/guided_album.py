"""The album as a memory, and one coat, one color: how much closer to the truth, and how much more alike, colors are that photos share.

    python benchmarks/guided_album.py PHOTOS [--clips A.mp4,B.gif] [--kinds FOLDER] [--minutes 1] [--limit 20]

PHOTOS are color photos; every second one is used, the numbers were chosen on the others. Events are the frames of clips, one a
second, and seeded variants of photos: cropped, turned, mirrored, relit. In clips places are followed by optical flow from frame to
frame, where it is sure both ways; in variants they are known. --kinds has a folder for each kind of photo: albums of one kind,
where little comes again. With --minutes of CPU time the weights are tuned as well: on an album of variants, and on the kinds."""
import json, tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2, numpy as np, torch
from fastcore.script import call_parse
from PIL import Image
from skimage.color import deltaE_ciede2000

from colorfast.color import AB_SCALE, rgb2lab
from colorfast.colorize.colorizer import Colorizer
from colorfast.colorize.memory import create_memory
from colorfast.colorize.together import Together
from colorfast.evaluate.measure import evenly_spaced, to_lab, to_rgb, true_colors
from colorfast.photo.core import Photo
from colorfast.photo.read import open_photo
from colorfast.train.metrics import delta_e
from colorfast.video.flow import motion_between, warp
from colorfast.video.process import open_reader
from finetune import files_in, split_kind, tuned_on

SURE = .5 # of a place that was followed from one frame to the next
VARIANTS = 4 # of a photo

# ---- pictures

def at_most(rgb, side=256):
    "uint8 `(H,W,3)`, its short side at most `side`."
    scale = min(1, side/min(rgb.shape[:2]))
    size = round(rgb.shape[1]*scale), round(rgb.shape[0]*scale)
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)

def clip_frames(fn):
    "All frames of a film or GIF, and how many there are in a second."
    with open_reader(fn) as film: frames = [*film.frames()]
    span = float(frames[-1].time-frames[0].time)
    return [at_most(o.rgb) for o in frames], max(1, round((len(frames)-1)/span))

def variant_matrix(h, w, rng):
    "`(3,3)` from the photo's pixels to the variant's: 60 to 95 % of it, turned by up to 8 degrees, in perspective, mirrored or not."
    scale = 1/rng.uniform(.6, .95)
    angle = np.deg2rad(rng.uniform(-8, 8))
    turn = scale*np.array([[np.cos(angle),-np.sin(angle)], [np.sin(angle),np.cos(angle)]])
    if rng.random() < .5: turn[0] *= -1
    middle = np.array([w, h])*(.5 + rng.uniform(-.5, .5, 2)*(1-1/scale))
    m = np.eye(3)
    m[:2,:2] = turn
    m[:2,2] = np.array([w/2,h/2])-turn@middle
    m[2,:2] = rng.uniform(-2e-4, 2e-4, 2)
    return m

def relit(rgb, rng):
    gamma = np.exp(rng.uniform(-.35, .35))
    light = rng.uniform(.85, 1.1)
    return (255*((rgb/255)**gamma*light).clip(0, 1)).round().astype(np.uint8)

def variants(rgb, n, rng):
    "(pictures, matrices)"
    h,w = rgb.shape[:2]
    matrices = [variant_matrix(h, w, rng) for _ in range(n)]
    def picture(m): return cv2.warpPerspective(rgb, m, (w,h), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return [relit(picture(m), rng) for m in matrices], matrices

# ---- events: photos, and where the places of one are in another

@dataclass
class Event:
    "Photos of one thing."
    name:str
    photos:list # of uint8 `(H,W,3)`
    places:dict # by (i,j): x and y in j of the pixels of i `(H,W,2)` float32, and whether they are sure `(H,W)`

def grid_of(rgb):
    "x and y of each pixel, `(H,W,2)`."
    h,w = rgb.shape[:2]
    return np.stack(np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32)), -1)

def known_places(rgb, before, after):
    "Places of a variant's pixels in another one."
    xy = cv2.perspectiveTransform(grid_of(rgb).reshape(1,-1,2).astype(np.float64), after@np.linalg.inv(before))
    xy = xy.reshape(*rgb.shape[:2],2).astype(np.float32)
    h,w = rgb.shape[:2]
    own = cv2.perspectiveTransform(grid_of(rgb).reshape(1,-1,2).astype(np.float64), np.linalg.inv(before)).reshape(h,w,2)
    inside = [((o >= 0) & (o <= (w-1,h-1))).all(-1) for o in (xy,own)]
    return xy, inside[0] & inside[1]

def variant_event(name, rgb, rng):
    photos,matrices = variants(rgb, VARIANTS, rng)
    pairs = [(i,j) for i in range(VARIANTS) for j in range(VARIANTS) if i != j]
    return Event(name, photos, {(i,j):known_places(rgb, matrices[i], matrices[j]) for i,j in pairs})

def followed(frames, first, last):
    "Places of the pixels of frame `last` in frame `first`, step by step; nothing is sure after a cut."
    xy = grid_of(frames[0])
    sure = np.ones(xy.shape[:2], np.float32)
    L = [rgb2lab(o.transpose(2,0,1).astype(np.float32)/255)[0] for o in frames[first:last+1]]
    for n in range(len(L)-1, 0, -1):
        motion = motion_between(L[n-1], L[n])
        if motion is None: return xy, np.zeros_like(sure)
        sure = np.minimum(sure, warp(motion[1][None], xy)[0])
        xy = warp(np.moveaxis(motion[0], -1, 0), xy).transpose(1,2,0)
    return xy, sure

def clip_event(fn):
    "Frames of a clip, one a second, each place followed to the frame before."
    frames,rate = clip_frames(fn)
    numbers = [*range(0, len(frames), rate)]
    places = {}
    for i in range(1, len(numbers)):
        xy,sure = followed(frames, numbers[i-1], numbers[i])
        places[i,i-1] = xy, sure >= SURE
    return Event(Path(fn).stem, [frames[i] for i in numbers], places)

# ---- measuring

def difference(a, b):
    "Mean CIEDE2000 of colors `(n,2)` in ab/110 at middle lightness."
    def lab(ab): return np.concatenate([np.full((len(ab),1), 50.), AB_SCALE*ab], 1)
    return deltaE_ciede2000(lab(a), lab(b)).mean()

def ab_of(rgb): return rgb2lab(rgb.transpose(2,0,1).astype(np.float32)/255)[1:]

def unlikeness(event, pictures):
    "Mean color difference of the same places in different photos of an event; nan if none was followed."
    abs_ = [ab_of(o) for o in pictures]
    each = [difference(abs_[i][:,ok].T, warp(abs_[j], xy)[:,ok].T) for (i,j),(xy,ok) in event.places.items() if ok.mean() > .02]
    return np.mean(each) if each else np.nan

def error(picture, truth): return delta_e(to_lab(picture), to_lab(truth)).item()

def gray_file(rgb, fn):
    "The photo in gray, as a file."
    lab = to_lab(rgb)
    Image.fromarray(to_rgb(lab*torch.tensor([1.,0,0])[:,None,None])).save(fn)
    return fn

def colored_together(colorizer, photos, folder):
    "The photos colored each alone, and together."
    files = [gray_file(rgb, Path(folder)/f'{i}.png') for i,rgb in enumerate(photos)]
    together = Together.from_files(colorizer, files, all_=True)
    alone,shared = [],[]
    for fn in files:
        photo = open_photo(fn)
        alone.append(colorizer.color(photo))
        shared.append(colorizer.color(photo, lenders=[together.lender(fn)]))
    return alone, shared

def together_row(colorizer, event):
    "Differences alone, together, of the originals; errors alone, together; and the pictures."
    with tempfile.TemporaryDirectory() as folder: alone,shared = colored_together(colorizer, event.photos, folder)
    unlike = [unlikeness(event, o) for o in (alone,shared,event.photos)]
    errors = [np.mean([error(a, b) for a,b in zip(o, event.photos)]) for o in (alone,shared)]
    return np.array([*unlike,*errors]), [event.photos,alone,shared]

def print_together(name, n, row):
    "A row of the table; nothing for an event in which no place could be followed."
    if np.isnan(row).any(): return
    alone,shared,true,before,after = row
    print(f'| {name} | {n} | {alone:.2f} | {shared:.2f} | **{shared/alone:.2f}** | 0.5 | {true:.2f} | {before:.2f} | {after:.2f} '
          f'| **{after/before:.3f}** | 1 |', flush=True)

def measure_together(colorizer, clips, files, rng, out):
    "A row for each clip, and one for the variants of photos."
    print('\n| event | photos | difference alone | together | ratio | target | originals | dE00 alone | together | ratio | target |')
    print('|---|---|---|---|---|---|---|---|---|---|---|')
    for event in map(clip_event, clips):
        row,pictures = together_row(colorizer, event)
        print_together(event.name, len(event.photos), row)
        write_sheet(pictures, out/f'together-{event.name}.png')
    rows = []
    for fn in files:
        row,pictures = together_row(colorizer, variant_event(fn.stem, true_colors(fn), rng))
        rows.append(row)
        write_sheet(pictures, out/f'together-{fn.stem}.png')
    if rows: print_together(f'variants of {len(files)} photos', VARIANTS*len(files), np.nanmean(rows, 0))

def write_sheet(rows, fn, width=200):
    "Rows of pictures, eight at most in each."
    fn.parent.mkdir(parents=True, exist_ok=True)
    h,w = rows[0][0].shape[:2]
    size = width, round(width*h/w)
    Image.fromarray(np.vstack([np.hstack([cv2.resize(o, size, interpolation=cv2.INTER_AREA) for o in row[:8]]) for row in rows])).save(fn)

# ---- the memory

def memory_row(colorizer, memory, name, photos, target):
    "Errors of photos without and with the memory."
    errors = []
    for rgb in photos:
        gray = to_rgb(to_lab(rgb)*torch.tensor([1.,0,0])[:,None,None])
        analysis = colorizer.analyse(Photo(gray))
        borrowed = memory.borrow(analysis)
        without = colorizer.predict(gray)
        with_ = colorizer.color(Photo(gray), lenders=[memory]) if borrowed else without
        errors.append((error(without, rgb), error(with_, rgb), borrowed.share if borrowed else 0.))
    without,with_,share = np.array(errors).mean(0)
    print(f'| {name} | {len(photos)} | {without:.2f} | {with_:.2f} | **{with_/without:.3f}** | {target} | {share:.0%} |', flush=True)

def measure_memory(colorizer, clips, files, rng):
    "One album of all clips and of variants, remembered; frames between, one more variant, and other photos are asked for."
    asked,album = {},{}
    for fn in clips:
        frames,rate = clip_frames(fn)
        album |= {f'{Path(fn).stem}-{i}':Photo(o) for i,o in enumerate(frames[::rate])}
        asked[Path(fn).stem] = frames[rate//2::rate]
    scenes,strangers = files[::2],files[1::2]
    asked['variants'] = []
    for fn in scenes:
        photos,_ = variants(true_colors(fn), VARIANTS, rng)
        album |= {f'{fn.stem}-{i}':Photo(o) for i,o in enumerate(photos[1:])}
        asked['variants'].append(photos[0])
    memory = create_memory(colorizer, album)
    print(f'\n{len(memory)} photos in {memory.nbytes/1e6:.1f} MB, so 500 in {500*memory.nbytes/len(memory)/1e6:.0f} MB; target: 50\n')
    print('| photos | asked | dE00 without | with memory | ratio | target | matched |\n|---|---|---|---|---|---|---|')
    for name,photos in asked.items(): memory_row(colorizer, memory, name, photos, '')
    memory_row(colorizer, memory, 'not in the album', [true_colors(fn) for fn in strangers], '1.02')

def memory_alone(folder, colorizer):
    "What `finetune` would decide on an album for a memory beside the weights as they are: errors without and with it, and the verdict."
    from colorfast.finetune.album import builtin_photos, curate, train_valid_split
    from colorfast.finetune.choose import measure_models, select_memory
    from colorfast.finetune.remember import named_copies, remembering
    with tempfile.TemporaryDirectory() as d:
        photos = train_valid_split(curate(folder, Path(d)/'small'))
        train,held = (named_copies(photos, part) for part in ('train','held out'))
        memory = create_memory(colorizer, {k:Path(o) for k,o in train.items()})
        models = {'base':colorizer, 'memory':remembering(colorizer, memory)}
        values,general = measure_models(models, [*held.values()], builtin_photos()[::2])
    groups = photos.group[photos.part == 'held out'].set_axis([Path(o).name for o in held.values()])
    choice = select_memory(values, groups, general, 'base', ['memory'])
    return values.dE2000.groupby(level='model').mean(), choice

def tuned_row(name, files, base, minutes, out):
    "Errors on the held-out photos: weights, memory and both, as `finetune` measured them, and what it kept."
    import pandas as pd
    folder,told = tuned_on(files, name, base, minutes, out)
    error = pd.read_csv(folder/'measured.csv').groupby('model').dE2000.mean()
    both = [k for k in error.index if k.endswith('+ memory')]
    kept = json.loads((folder/'config.json').read_text())['finetuned']['kept']
    cells = [error['base'], error[told['kept']], error.get('memory', np.nan), error[both[0]] if both else np.nan, error[kept]]
    print(f'| {name} | {kept} | {" | ".join(f"{o:.2f}" for o in cells)} | {told["CPU min"]} |', flush=True)

def variant_album(files, rng, folder):
    "Files of variants of photos."
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for fn in files:
        for i,rgb in enumerate(variants(true_colors(fn), VARIANTS, rng)[0]):
            written.append(folder/f'{fn.stem}-{i}.png')
            Image.fromarray(rgb).save(written[-1])
    return written

def measure_albums(colorizer, kinds, names, n):
    "Albums of one kind: what a memory alone would do."
    print('\n| album of one kind | dE00 without | with memory | change, 95 % | kept |\n|---|---|---|---|---|')
    for kind in names:
        with tempfile.TemporaryDirectory() as d:
            for fn in split_kind(kinds/kind, n)[0]: (Path(d)/fn.name).symlink_to(fn.resolve())
            error,c = memory_alone(d, colorizer)
        change = f'{c["mean"]:+.2f} [{c["low"]:+.2f}, {c["high"]:+.2f}]'
        print(f'| {kind} | {error["base"]:.2f} | {error["memory"]:.2f} | {change} | {c["kept"] or "no memory"} |', flush=True)

def measure_tuned(colorizer, files, kinds, names, n, base, minutes, rng, out):
    "Weights alone, memory alone, both."
    print('\n| album | kept | base | weights | memory | both | kept | CPU min |\n|---|---|---|---|---|---|---|---|')
    tuned_row(f'variants-{len(files)}', variant_album(files, rng, out/'variants'), base, minutes, out)
    for kind in names: tuned_row(f'{kind}-{n}', split_kind(kinds/kind, n)[0], base, minutes, out)

@call_parse
@torch.inference_mode()
def main(photos:Path, # folder of color photos
         clips:str='', # films and GIFs, comma between
         kinds:Path=None, # folder with a folder for each kind of photo
         names:str='flowers,food,street,faces,nature', # folders in `kinds`
         n:int=60, # photos in an album of one kind
         minutes:float=0., # of CPU time to tune each album; 0 tunes none
         limit:int=20, # photos
         model:str='default', # built-in name or model folder
         out:Path=Path('runs/guided-album')): # folder for albums, models and sheets
    "The album as a memory, and the photos of an event together."
    colorizer = Colorizer.from_pretrained(model)
    files = evenly_spaced(files_in(photos)[::2], limit)
    clips,names = [[o for o in text.split(',') if o] for text in (clips,names)]
    measure_together(colorizer, clips, files[:limit//2], np.random.default_rng(0), out)
    measure_memory(colorizer, clips, files, np.random.default_rng(1))
    if kinds: measure_albums(colorizer, kinds, names, n)
    with torch.inference_mode(False):
        if minutes: measure_tuned(colorizer, files, kinds, names if kinds else [], n, model, minutes, np.random.default_rng(2), out)
