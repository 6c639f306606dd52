"""Images per second of `learn.fit` with the whole data pipeline against the same model fed with ready batches.

    python benchmarks/training.py PHOTOS [--size 128] [--bs 32] [--limit 1280]"""
from statistics import median
from time import perf_counter
from fastcore.script import call_parse
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
        if self.iter==SKIP: self.start = perf_counter()
        elif self.iter>SKIP: self.n += len(self.xb[0])
    def after_train(self): self.rate = self.n/(perf_counter()-self.start)

def rate(learn, dls):
    "Images per second of one epoch on `dls`."
    clock = Clock()
    learn.dls = dls
    with learn.no_bar(), learn.no_logging(): learn.fit(1, cbs=clock)
    return clock.rate

def ready(dls, n):
    "The first `n` batches of `dls`, computed once."
    it = iter(dls.train)
    batches = [next(it) for _ in range(min(n, len(dls.train)))]
    train = DataLoader((batches*len(dls.train))[:len(dls.train)], bs=None, num_workers=0)
    return DataLoaders(train, DataLoader(batches[:1], bs=None, num_workers=0), device=dls.device)

@call_parse
def main(photos:str, # folder of color photos
         limit:int=1280, # photos of an epoch
         size:int=128, # of the crops, px
         bs:int=32, # photos of a batch
         workers:int=None, # processes that decode [fastai's default]
         arch:str='tf_efficientnet_lite0', # encoder
         decoder:str='chroma', # or 'dynamic'
         epochs:int=3): # of each kind, in turn; the median counts
    "Does the data pipeline keep up?"
    given = {} if workers is None else {'num_workers':workers}
    files = get_image_files(photos).sorted()[:limit]
    real = ColorizeDataLoaders.from_files(files, valid_pct=bs/len(files), size=size, bs=bs, **given)
    if len(real.train)<2*SKIP:
        raise SystemExit(f'{len(files)} photos are too few for batches of {bs}: at least {2*SKIP+1} batches are needed.')
    tensors = ready(real, 8)
    learn = colorize_learner(real, arch, decoder=decoder, pretrained=False)
    rates = [(rate(learn, real),rate(learn, tensors)) for _ in range(epochs)]
    whole,fed = (median(r) for r in zip(*rates))
    print(f'{arch}, {decoder} decoder, {size} px, batches of {bs}: '
          f'whole pipeline {whole:.1f} images/s, ready tensors {fed:.1f}, ratio {whole/fed:.2f}')
