"A training that is killed with SIGKILL and resumed in a new process ends with the same bits as one that was left alone."
import subprocess, sys
import pytest, torch
from PIL import Image
from skimage import data

RUN = '''
import multiprocessing, os, signal, sys, torch
from fastai.vision.all import Callback, set_seed
from colorfast.train.callbacks import Checkpoint, EMACallback, LossCurve, SamplePictures
from colorfast.train.data import ColorizeDataLoaders
from colorfast.train.learner import colorize_learner
d,workers = sys.argv[1],int(sys.argv[2])

class Kill(Callback):
    def __init__(self, step): self.step = step
    def after_batch(self):
        if self.train_iter == self.step: os.kill(os.getpid(), signal.SIGKILL)

def run(name, seed, step):
    torch.set_num_threads(1); set_seed(seed); ck = Checkpoint(f'{d}/{name}.pth')
    dls = ColorizeDataLoaders.from_folder(f'{d}/photos', valid_pct=.25, size=32, bs=4, num_workers=workers)
    learn = colorize_learner(dls, 'tf_efficientnet_lite0', decoder='chroma', pretrained=False); rec = learn.recorder
    cbs = [EMACallback(.9), ck, LossCurve(f'{d}/{name}.png'), SamplePictures(f'{d}/{name}', n=2), Kill(step)]
    with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(3, 1e-2, cbs=cbs, start_epoch=ck.resume(learn))
    end = dict(model=learn.model.state_dict(), opt=learn.opt.state_dict()['state'], iters=rec.iters, lrs=[*map(float, rec.lrs)], losses=[*map(float, rec.losses)],
               values=[[*map(float, v)] for v in rec.values])
    torch.save(end, f'{d}/{name}-end.pth')

for args in (('whole',1,None), ('cut',1,8), ('cut',9,None)):
    p = multiprocessing.get_context('fork').Process(target=run, args=args); p.start(); p.join(); print(p.exitcode)
'''

@pytest.mark.parametrize('workers', [0, 1])
def test_killed_and_resumed_bit_for_bit(tmp_path, workers):
    (tmp_path/'photos').mkdir()
    for i in range(16): Image.fromarray(data.astronaut()[10*i:10*i+96, 5*i:5*i+96]).save(tmp_path/f'photos/{i:02}.png')
    p = subprocess.run([sys.executable, '-c', RUN, str(tmp_path), str(workers)], capture_output=True, text=True)
    assert p.stdout.split() == ['0','-9','0'], p.stderr
    whole,cut = (torch.load(tmp_path/f'{o}-end.pth', weights_only=True) for o in ('whole','cut'))
    assert whole['iters'] == [3,6,9] and len(whole['lrs']) == 9
    assert all(cut[k] == whole[k] for k in ('iters','lrs','losses','values'))
    assert all(torch.equal(v, cut['model'][k]) for k,v in whole['model'].items())
    assert all(torch.equal(a['sqr_avg'], b['sqr_avg']) for a,b in zip(whole['opt'], cut['opt']))
    for o in ('epoch-002.png', '../{}.png'): assert (tmp_path/'whole'/o.format('whole')).read_bytes() == (tmp_path/'cut'/o.format('cut')).read_bytes()
