"""At which size should the network look at a photo, and how should its border be continued? Scores the shipped model at
several render sizes and paddings, and how much colours change when the same photo comes at half its size.

    python benchmarks/render_size.py PHOTOS [--sizes 160 192 256] [--pads reflect edge] [--limit N] [--model default]"""
from argparse import ArgumentParser
from functools import partial
from pathlib import Path
import numpy as np, pandas as pd, torch
from PIL import Image
import colorfast.inference as inference
from quality import DIRECTIONS, Encoder, frechet_distance, lab, photos, rgb, score, spread, tinted

pad32 = inference.pad32

def half(a): return np.asarray(Image.fromarray(a).reduce(2))

def lottery(color, g):
    "Mean dE00 between the colours of `g` and those of `g` at half its size, both at half size."
    return score(lab(half(color.predict(g))), lab(color.predict(half(g))))['dE00']

def main():
    p = ArgumentParser(description='Render size and padding')
    p.add_argument('photos', type=Path, help='folder of colour photos'); p.add_argument('--limit', type=int, help='only so many, spread over the folder')
    p.add_argument('--sizes', type=int, nargs='+', default=[160,192,224,256,320,384]); p.add_argument('--pads', nargs='+', default=['reflect'])
    p.add_argument('--quality', default='fast'); p.add_argument('--model', default='default')
    o = p.parse_args()
    files = photos(o.photos); files = spread(files, o.limit or len(files))
    truth = [np.array(Image.open(f).convert('RGB')) for f in files]
    greys = [rgb(tinted(lab(t), torch.zeros(2))) for t in truth]
    color,enc = inference.Colorizer.from_pretrained(o.model),Encoder(); y = enc(truth); k = min(DIRECTIONS, len(y)-1)
    grey = frechet_distance(enc(greys), y, k=k)
    for size in o.sizes:
        for pad in o.pads:
            inference.pad32,color.config['size'] = partial(pad32, mode=pad),size
            pics = [color.predict(g, quality=o.quality) for g in greys]
            mean = pd.DataFrame([score(lab(a), lab(t)) for a,t in zip(pics, truth)]).mean()
            moved = np.mean([lottery(color, g) for g in greys[::8]])
            print(f'size {size:4} {pad:8} {o.quality}: dE00 {mean["dE00"]:.2f}  CF {mean["CF"]:.1f}  cast {mean["cast"]:.2f}  '
                  f'FD/grey {frechet_distance(enc(pics), y, k=k)/grey:.3f}  dE00 to half size {moved:.2f}', flush=True)

if __name__=='__main__': main()
