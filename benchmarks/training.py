"""Images per second of `learn.fit` with the whole data pipeline against the same model fed with ready batches.

    python benchmarks/training.py PHOTOS [--size 128] [--bs 32] [--limit 1280]"""
from argparse import ArgumentParser
from statistics import median
from time import perf_counter
from fastai.vision.all import Callback, DataLoader, DataLoaders, get_image_files
from colorfast.train.data import ColorizeDataLoaders
from colorfast.train.learner import colorize_learner

SKIP = 8  # batches at the start of an epoch, some of which the workers had prepared while they started

class Clock(Callback):
    "Training images per second of the epoch, from the end of batch `SKIP` on."
    order = 90
    def before_train(self): self.n = 0
    def after_batch(self):
        if not self.training: return
        if self.iter==SKIP: self.start,self.n = perf_counter(),0
        elif self.iter>SKIP: self.n += len(self.xb[0])
    def after_train(self): self.rate = self.n/(perf_counter()-self.start)

def rate(learn, dls):
    "Images per second of one epoch on `dls`."
    learn.dls,clock = dls,Clock()
    with learn.no_bar(), learn.no_logging(): learn.fit(1, cbs=clock)
    return clock.rate

def ready(dls, n):
    "The first `n` batches of `dls`, computed once."
    it = iter(dls.train)
    batches = [next(it) for _ in range(min(n, len(dls.train)))]
    train = DataLoader((batches*len(dls.train))[:len(dls.train)], bs=None, num_workers=0)
    return DataLoaders(train, DataLoader(batches[:1], bs=None, num_workers=0), device=dls.device)

def main():
    p = ArgumentParser(description='Does the data pipeline keep up?')
    p.add_argument('photos', help='folder of colour photos'); p.add_argument('--limit', type=int, default=1280, help='photos of an epoch')
    p.add_argument('--size', type=int, default=128); p.add_argument('--bs', type=int, default=32); p.add_argument('--workers', type=int)
    p.add_argument('--arch', default='tf_efficientnet_lite0'); p.add_argument('--decoder', default='chroma'); p.add_argument('--epochs', type=int, default=3)
    o = p.parse_args()
    kw = {} if o.workers is None else {'num_workers':o.workers}
    files = get_image_files(o.photos).sorted()[:o.limit]
    real = ColorizeDataLoaders.from_files(files, valid_pct=o.bs/len(files), size=o.size, bs=o.bs, **kw)
    if len(real.train)<2*SKIP: raise SystemExit(f'{len(files)} photos are too few for batches of {o.bs}: at least {2*SKIP+1} batches are needed.')
    tensors = ready(real, 8)
    learn = colorize_learner(real, o.arch, decoder=o.decoder, pretrained=False)
    rates = [(rate(learn, real),rate(learn, tensors)) for _ in range(o.epochs)]
    a,b = (median(r) for r in zip(*rates))
    print(f'{o.arch}, {o.decoder} decoder, {o.size} px, batches of {o.bs}: whole pipeline {a:.1f} images/s, ready tensors {b:.1f}, ratio {a/b:.2f}')

if __name__=='__main__': main()
