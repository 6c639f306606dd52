"""Every recipe trained on the same photos for the same time, then measured by `colorfast evaluate`.

    python benchmarks/leaderboard.py PHOTOS VALID [--minutes 15] [--recipes NAME ...] [--limit N] [-o runs/leaderboard]

The minutes are CPU time of one thread, validation left out. Pictures are as the networks paint them: no calibration for
anyone. What cannot be had of ImageNet weights starts from scratch, and the table says so. Models that are there are
not trained again; `--train` stops before the evaluation."""
import json, os
os.environ.setdefault('OMP_NUM_THREADS', '1')
from argparse import ArgumentParser
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
import pandas as pd, torch
from fastai.vision.all import Callback, defaults
from colorfast import recipes
from colorfast.evaluate.report import evaluate, format_metric
from colorfast.colorize.colorizer import Colorizer
from colorfast.nets.build import create_generator

VALID = .003 # share of the photos to validate on, for which the slow ones take minutes

class Clock(Callback):
    "Pictures and CPU seconds of all training epochs, data included."
    run_valid,pictures,seconds = False,0,0.
    def before_train(self): self.start = process_time()
    def after_batch(self): Clock.pictures += len(self.x)
    def after_train(self): Clock.seconds += process_time()-self.start

defaults.callbacks.append(Clock)

def pretrained(model):
    "Are the ImageNet weights of this generator at hand? Nothing is looked for that it does not use."
    try: create_generator(**model); return True
    except Exception as e: print(f'{model["arch"]} starts from scratch: {e}', flush=True); return False

def forward_ms(net, n=5):
    "Milliseconds of one forward of a 256 px picture, one thread."
    x = torch.rand(1,4,256,256)
    def once(): start = perf_counter(); net(x); return 1000*(perf_counter()-start)
    with torch.inference_mode(): net.eval(); once(); return median(once() for _ in range(n))

def train(name, photos, out, minutes, scans):
    "A model folder `out/name`, whose config tells what its training was."
    known = pretrained(recipes.get_recipe(name).model)
    Clock.pictures = Clock.seconds = 0
    learn = recipes.fit_recipe(name, photos, out/'runs'/name, resume=(out/'runs'/name).exists(), minutes=minutes, pretrained=known, scans=scans, valid_pct=VALID, num_workers=0)
    uses = recipes.get_recipe(name).model['arch'] not in ('pix2pix','autoencoder')
    c = Colorizer.from_learner(learn, size=recipes.get_recipe(name).render, calibration={}, leaderboard={'ImageNet': 'yes' if known and uses else 'no' if uses else '', 'minutes':minutes,
        'parameters, M': round(sum(p.numel() for p in learn.model.state_dict().values())/1e6, 1), 'pictures/s':round(Clock.pictures/Clock.seconds, 2), 'ms per 256 px':round(forward_ms(learn.model))})
    return c.save(out/name)

def board(r, # `Evaluation`
          told # frame of recipes x what their training was
         ):
    "Means of all metrics and the trainings, the lowest Frechet distance first, as text."
    t = pd.DataFrame({c:r.table[c].map(lambda v: format_metric(c, v)) for c in r.columns if c != 'FD'})
    return t.join(told).fillna('').loc[r.table['FD'].sort_values(kind='stable').index]

def markdown(t): return '\n'.join(f'| {" | ".join(map(str, row))} |' for row in [('', *t.columns), ('---',)*(1+len(t.columns)), *t.itertuples()])

def main():
    p = ArgumentParser(description='Who colours best after the same time?')
    p.add_argument('photos', type=Path, help='folder to train on'); p.add_argument('valid', type=Path, help='folder to measure on')
    p.add_argument('--minutes', type=float, default=15); p.add_argument('--recipes', nargs='*', default=list(recipes.RECIPES)); p.add_argument('--limit', type=int)
    p.add_argument('--scans', help='old photos for the judge of the adversarial stage'); p.add_argument('-o', '--out', type=Path, default=Path('runs/leaderboard'))
    p.add_argument('--train', action='store_true', help='only train')
    o = p.parse_args(); torch.set_num_threads(1)
    for name in o.recipes:
        if not (o.out/name).exists(): train(name, o.photos, o.out, o.minutes, o.scans)
    if o.train: return
    folders = {n:o.out/n for n in o.recipes}
    r = evaluate(folders, o.valid, o.out/'report', limit=o.limit, overwrite=True)
    told = pd.DataFrame({n:json.loads((f/'config.json').read_text())['leaderboard'] for n,f in folders.items()}).T
    board(r, told).to_csv(o.out/'leaderboard.csv')
    print(markdown(board(r, told)), f'\n{r.caption}. {len(r.photos.index.unique("photo"))} photos.')

if __name__=='__main__': main()
