"""Every recipe trained on the same photos for the same time, then measured by `colorfast evaluate`.

    python benchmarks/leaderboard.py PHOTOS VALID [--minutes 15] [--recipes NAME,NAME] [--limit N] [--out runs/leaderboard]

The minutes are CPU time of one thread, validation left out. Pictures are as the networks paint them: no calibration for
anyone. What cannot be had of ImageNet weights starts from scratch, and the table says so. Models that are there are
not trained again; `--train_only` stops before the evaluation."""
import json, os
os.environ.setdefault('OMP_NUM_THREADS', '1')
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
import pandas as pd, torch
from fastcore.script import call_parse
from fastai.vision.all import Callback, defaults
from colorfast.basics import ModelError
from colorfast.colorize.colorizer import Colorizer
from colorfast.evaluate.report import evaluate, format_metric
from colorfast.nets.build import create_generator
from colorfast.train.recipes import RECIPES, get_recipe
from colorfast.train.run import fit_recipe

VALID = .003 # share of the photos to validate on, for which the slow ones take minutes
FROM_SCRATCH = 'pix2pix','autoencoder' # networks without anything of ImageNet

class Clock(Callback):
    "Pictures and CPU seconds of all training epochs, data included."
    run_valid,pictures,seconds = False,0,0.
    def before_train(self): self.start = process_time()
    def after_batch(self): Clock.pictures += len(self.x)
    def after_train(self): Clock.seconds += process_time()-self.start

defaults.callbacks.append(Clock)

def has_weights(model):
    "Are the ImageNet weights of this generator at hand? Nothing is looked for that it does not use."
    try: create_generator(**model)
    except (ModelError,OSError) as e:
        print(f'{model["arch"]} starts from scratch: {e}', flush=True)
        return False
    return True

def forward_ms(net, n=5):
    "Milliseconds of one forward of a 256 px picture, one thread; the median of `n`."
    x = torch.rand(1,4,256,256)
    times = []
    with torch.inference_mode():
        for _ in range(n+1):
            start = perf_counter()
            net.eval()(x)
            times.append(1000*(perf_counter()-start))
    return median(times[1:])

def described(learn, recipe, pretrained, minutes):
    "What the table says of a training beside its metrics."
    imagenet = 'yes' if pretrained else 'no'
    if recipe.model['arch'] in FROM_SCRATCH: imagenet = ''
    parameters = sum(p.numel() for p in learn.model.state_dict().values())
    return {'ImageNet':imagenet, 'minutes':minutes, 'parameters, M':round(parameters/1e6, 1),
            'pictures/s':round(Clock.pictures/Clock.seconds, 2), 'ms per 256 px':round(forward_ms(learn.model))}

def train(name, photos, out, minutes, scans):
    "A model folder `out/name`, whose config tells what its training was."
    recipe = get_recipe(name)
    run = out/'runs'/name
    pretrained = has_weights(recipe.model)
    Clock.pictures = Clock.seconds = 0
    learn = fit_recipe(name, photos, run, resume=run.exists(), minutes=minutes, pretrained=pretrained, scans=scans,
                       valid_pct=VALID, num_workers=0)
    told = described(learn, recipe, pretrained, minutes)
    return Colorizer.from_learner(learn, size=recipe.render, calibration={}, leaderboard=told).save(out/name)

def board(r, # `Evaluation`
          told): # frame of recipes x what their training was
    "Means of all metrics and the trainings, the lowest Frechet distance first, as text."
    t = pd.DataFrame({c:r.table[c].map(lambda v: format_metric(c, v)) for c in r.columns if c != 'FD'})
    return t.join(told).fillna('').loc[r.table['FD'].sort_values(kind='stable').index]

def markdown(t):
    "The frame `t` as a table in Markdown."
    rows = [('', *t.columns), ('---',)*(1+len(t.columns)), *t.itertuples()]
    return '\n'.join(f'| {" | ".join(map(str, row))} |' for row in rows)

def told_by(folder): return json.loads((folder/'config.json').read_text())['leaderboard']

@call_parse
def main(photos:Path, # folder to train on
         valid:Path, # folder to measure on
         minutes:float=15., # of CPU time for each
         recipes:str=','.join(RECIPES), # names, between commas
         limit:int=None, # photos to measure on [all]
         scans:str=None, # old photos for the judge of the adversarial stage
         out:Path=Path('runs/leaderboard'), # folder for models and tables
         train_only:bool=False): # stop before the evaluation
    "Who colors best after the same time?"
    torch.set_num_threads(1)
    folders = {name:out/name for name in recipes.split(',')}
    for name,folder in folders.items():
        if not folder.exists(): train(name, photos, out, minutes, scans)
    if train_only: return
    r = evaluate(folders, valid, out/'report', limit=limit, overwrite=True)
    table = board(r, pd.DataFrame({name:told_by(folder) for name,folder in folders.items()}).T)
    table.to_csv(out/'leaderboard.csv')
    print(markdown(table), f'\n{r.caption}. {len(r.photos.index.unique("photo"))} photos.')
