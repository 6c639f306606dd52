"""At which size should the network look at a photo, and how should its border be continued? Scores the shipped model at
several render sizes and paddings, and how much colours change when the same photo comes at half its size.

    python benchmarks/render_size.py PHOTOS [--sizes 160 192 256] [--pads reflect edge] [--limit N] [-o DIR] [--model default]"""
from argparse import ArgumentParser
from functools import partial
from pathlib import Path
from types import SimpleNamespace
import numpy as np, rich
from PIL import Image
import colorfast.inference as inference
from colorfast.evaluate.measure import load_photos, to_lab, true_colors, with_baselines
from colorfast.evaluate.report import evaluate, rich_tables
from colorfast.train.metrics import delta_e

pad_to = inference.pad_to

def half(a): return np.array(Image.fromarray(a).reduce(2))

def lottery(model, g):
    "Mean dE00 between the colours of `g` and those of `g` at half its size, both at half size."
    return delta_e(to_lab(half(model.predict(g))), to_lab(model.predict(half(g)))).item()

def main():
    p = ArgumentParser(description='Render size and padding')
    p.add_argument('photos', help='folder of colour photos'); p.add_argument('--limit', type=int, help='only so many, spread over the folder')
    p.add_argument('--sizes', type=int, nargs='+', default=[160,192,224,256,320,384]); p.add_argument('--pads', nargs='+', default=['reflect'])
    p.add_argument('--quality', default='fast'); p.add_argument('--model', default='default'); p.add_argument('-o', '--out', type=Path, default='runs/render_size')
    o = p.parse_args()
    color = inference.Colorizer.from_pretrained(o.model)
    models = {f'{s} px': SimpleNamespace(config=color.config, predict=partial(color.predict, size=s, quality=o.quality)) for s in o.sizes}
    files,tint,*_ = load_photos(o.photos, o.out, o.limit)
    greys = [with_baselines(true_colors(f), tint, {})['grey'] for f in [*files.values()][::8]]
    for pad in o.pads:
        inference.pad_to = partial(pad_to, mode=pad)
        r = evaluate(models, o.photos, o.out/pad, o.limit, overwrite=True)
        rich.print(f'border: {pad}', *rich_tables(r))
        for k,m in models.items(): print(f'{k}, {pad}: dE00 to half size {np.mean([lottery(m, g) for g in greys]):.2f}', flush=True)

if __name__=='__main__': main()
