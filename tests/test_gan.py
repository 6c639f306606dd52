"NoGAN as a process, killed and resumed: the same game, bit for bit."
import subprocess, sys, time
import pandas as pd, pytest, torch
from PIL import Image
from skimage import data

GAME = '''
import sys, random, numpy as np, torch
from fastai.vision.all import *
from colorfast.train.data import ColorizeDataLoaders
from colorfast.nets.critic import PatchCritic
from colorfast.train.select import Judge
from colorfast.train.learner import colorize_learner
from colorfast.nets.encoder import rgb_encoder
from colorfast.train.run import nogan
album,folder,resume = sys.argv[1:]
random.seed(1); np.random.seed(1); torch.manual_seed(1); torch.set_num_threads(1)
dls = ColorizeDataLoaders.from_folder(album, valid_pct=.25, size=32, bs=4, num_workers=0)
learn = colorize_learner(dls, 'tf_efficientnet_lite0', decoder='chroma', pretrained=False)
judge = Judge(dls, rgb_encoder('tf_efficientnet_lite0', pretrained=False), k=3)
with learn.no_bar(), learn.no_logging(): nogan(learn, judge, folder, PatchCritic(8, 2), cycles=4, steps=3, lr=1e-2, guards={}, resume=resume=='1')
'''

@pytest.fixture(scope='module')
def album(tmp_path_factory):
    d = tmp_path_factory.mktemp('gan'); (d/'album').mkdir(); (d/'game.py').write_text(GAME)
    for i in range(20): Image.fromarray(data.astronaut()[9*i:9*i+64, 5*i:5*i+64]).save(d/f'album/{i:02}.png')
    return d

def play(d, folder, resume): return [sys.executable, str(d/'game.py'), str(d/'album'), str(d/folder), resume]

def test_killed_and_resumed_is_the_same_game(album):
    whole = subprocess.run(play(album, 'whole', '0'), capture_output=True, text=True); assert whole.returncode == 0, whole.stderr
    p = subprocess.Popen(play(album, 'parts', '0'), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (album/'parts/gan.pth').exists() and p.poll() is None: time.sleep(.01)
    p.kill(); p.wait(); assert torch.load(album/'parts/gan.pth', weights_only=True)['epoch'] < 4
    rest = subprocess.run(play(album, 'parts', '1'), capture_output=True, text=True); assert rest.returncode == 0, rest.stderr
    a,b = (torch.load(album/o/'gan.pth', weights_only=True) for o in ('whole','parts'))
    assert all(torch.equal(v, b['model'][k]) for k,v in a['model'].items()) and a['random'] == b['random']
    for s,t in zip(a['opt']['state'], b['opt']['state']): assert s.keys() == t.keys() and all(torch.equal(torch.as_tensor(v), torch.as_tensor(t[k])) for k,v in s.items())
    rows = [pd.read_csv(album/o/'judged.csv') for o in ('whole','parts')]
    assert len(rows[0]) == 5 and rows[0].equals(rows[1])
    assert (album/'whole/chosen.safetensors').read_bytes() == (album/'parts/chosen.safetensors').read_bytes()
