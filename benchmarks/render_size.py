"""At which size should the network look at a photo, and how should its border be continued? Scores the shipped model at
several render sizes and paddings, and how much colors change when the same photo comes at half its size."""
from functools import partial
from pathlib import Path
from types import SimpleNamespace
import numpy as np, rich
from fastcore.script import call_parse
from PIL import Image
from colorfast.colorize import analysis
from colorfast.colorize.colorizer import Colorizer
from colorfast.colorize.render import pad_to
from colorfast.evaluate.measure import load_photos, to_lab, true_colors, with_baselines
from colorfast.evaluate.report import evaluate, rich_tables
from colorfast.train.metrics import delta_e

def half(a): return np.array(Image.fromarray(a).reduce(2))

def lottery(model, gray): # what predicts, uint8 `(H,W,3)`
    "Mean dE2000 between the colors of `gray` and those of `gray` at half its size, both at half size."
    return delta_e(to_lab(half(model.predict(gray))), to_lab(model.predict(half(gray)))).item()

def at_sizes(model, sizes, quality): # `Colorizer`
    "What predicts like `model` at each of `sizes`, by name."
    return {f'{s} px':SimpleNamespace(config=model.config, predict=partial(model.predict, size=s, quality=quality)) for s in sizes}

def gray_photos(photos, out, limit):
    "Every eighth of the photos, turned gray by its own lightness."
    files,tint,*_ = load_photos(photos, out, limit)
    return [with_baselines(true_colors(f), tint, {})['grey'] for f in [*files.values()][::8]]

@call_parse
def main(photos:str, # folder of color photos
         out:Path=Path('runs/render_size'), # folder for the reports
         sizes:str='160,192,224,256,320,384', # long sides in px
         pads:str='reflect', # modes of `np.pad`, such as reflect,edge
         limit:int=None, # only so many photos, spread over the folder
         quality:str='fast', # or 'best'
         model:str='default'): # built-in name, model folder, or hub id
    "Score a model at several render sizes and paddings."
    models = at_sizes(Colorizer.from_pretrained(model), [int(s) for s in sizes.split(',')], quality)
    grays = gray_photos(photos, out, limit)
    for pad in pads.split(','):
        analysis.pad_to = partial(pad_to, mode=pad)
        r = evaluate(models, photos, out/pad, limit, overwrite=True)
        rich.print(f'border: {pad}', *rich_tables(r))
        for k,m in models.items(): print(f'{k}, {pad}: dE00 to half size {np.mean([lottery(m, g) for g in grays]):.2f}', flush=True)
