"""Trainings and a game, each once whole and once killed with SIGKILL and resumed: `python killed_runs.py FOLDER`.

Every run is a process of its own, forked before torch has started any thread, so that fastai is imported once.
The chains are independent and run beside each other. What each run ends with is written to FOLDER."""
import os, signal, sys
from multiprocessing import get_context
from pathlib import Path
import torch
from PIL import Image
from skimage import data
from fastai.vision.all import Callback, set_seed
from colorfast.nets.critic import PatchCritic
from colorfast.nets.encoder import rgb_encoder
from colorfast.train.callbacks import EMACallback, LossCurve, SamplePictures
from colorfast.train.checkpoint import Checkpoint
from colorfast.train.data import ColorizeDataLoaders
from colorfast.train.learner import colorize_learner
from colorfast.train.nogan import nogan
from colorfast.train.select import Judge

ARCH = 'resnet10t' # few layers
CHAINS = { # name: (function, [(name of the run, seed, step at which it is killed)])
    'workers-0': ('train', [('whole', 1, None), ('cut', 1, 8), ('cut', 9, None)]),
    'workers-1': ('train', [('whole', 1, None), ('cut', 1, 8), ('cut', 9, None)]),
    'game': ('play', [('whole', 1, None), ('cut', 1, 8), ('cut', 1, None)])}

class Kill(Callback):
    "SIGKILL after a batch."
    def __init__(self, step): self.step = step
    def after_batch(self):
        if self.train_iter==self.step: os.kill(os.getpid(), signal.SIGKILL)

def start(folder, chain, seed, bs=4):
    "A learner on the photos in `folder`."
    torch.set_num_threads(1)
    set_seed(seed)
    dls = ColorizeDataLoaders.from_folder(folder/'photos', valid_pct=.25, size=32, bs=bs, num_workers=int(chain=='workers-1'))
    return colorize_learner(dls, ARCH, decoder='chroma', pretrained=False)

def train(folder, chain, name, seed, step):
    "Three epochs of one cycle, resumed if there is a checkpoint."
    learn = start(folder, chain, seed)
    out = folder/chain
    checkpoint = Checkpoint(out/f'{name}.pth')
    cbs = [EMACallback(.9), checkpoint, LossCurve(out/f'{name}.png'), SamplePictures(out/name, n=2), Kill(step)]
    with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(3, 1e-2, cbs=cbs, start_epoch=checkpoint.resume(learn))
    rec = learn.recorder
    end = dict(model=learn.model.state_dict(), opt=learn.opt.state_dict()['state'], iters=rec.iters)
    end |= dict(lrs=[*map(float, rec.lrs)], losses=[*map(float, rec.losses)], values=[[*map(float, v)] for v in rec.values])
    torch.save(end, out/f'{name}-end.pth')

def play(folder, chain, name, seed, step):
    "Four cycles of NoGAN, resumed if there is a checkpoint."
    learn = start(folder, chain, seed)
    judge = Judge(learn.dls, rgb_encoder(ARCH, pretrained=False), k=3)
    out = folder/chain/name
    resume = (out/'gan.pth').exists()
    with learn.no_bar(), learn.no_logging():
        nogan(learn, judge, out, PatchCritic(8, 2), cycles=4, steps=3, lr=1e-2, limits={}, resume=resume, cbs=Kill(step))

def run_chain(folder, chain):
    "The runs of a chain, one after the other; their exit codes go to a file."
    run,runs = CHAINS[chain]
    (folder/chain).mkdir()
    codes = []
    for args in runs:
        p = get_context('fork').Process(target=globals()[run], args=(folder, chain, *args))
        p.start()
        p.join()
        codes.append(str(p.exitcode))
        if p.exitcode<0 and run=='play': (folder/chain/'killed.pth').write_bytes((folder/chain/'cut/gan.pth').read_bytes())
    (folder/chain/'codes').write_text(' '.join(codes))

def main(folder):
    folder = Path(folder)
    (folder/'photos').mkdir()
    for i in range(16): Image.fromarray(data.astronaut()[10*i:10*i+96, 5*i:5*i+96]).save(folder/f'photos/{i:02}.png')
    processes = [get_context('fork').Process(target=run_chain, args=(folder, chain)) for chain in CHAINS]
    for p in processes: p.start()
    for p in processes: p.join()

if __name__=='__main__': main(sys.argv[1])
