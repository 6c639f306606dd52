"Saliency maps against numerical derivatives and real networks, and the command that draws them."
import os, subprocess, sys
from pathlib import Path
import numpy as np, pytest, torch
from PIL import Image
from skimage import data as skdata
from torch import nn
from torchvision.models import resnet18
from typer.testing import CliRunner
from colorfast.cli import app
from colorfast.explain import critic_saliency, photo_maps, saliency
from colorfast.nets.critic import PatchCritic, save_critic
from colorfast.colorize.colorizer import Colorizer
from colorfast.nets.unet import create_color_unet
from colorfast.photo.core import Photo
from colorfast.photo.read import open_photo

ROOT = Path(__file__).parents[1]
ENV = {**os.environ, 'PYTHONPATH':str(ROOT), 'OMP_NUM_THREADS':'1'}

# ---- maps

class Small(nn.Module):
    "Two 3x3 convolutions: a pixel's color depends on the 5x5 pixels around it."
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.a = nn.Conv2d(4, 6, 3, padding=1)
        self.b = nn.Conv2d(6, 2, 3, padding=1)
    def forward(self, x): return torch.cat([x[:,:1], self.b(self.a(x).tanh()).tanh()], 1)

def picture(n=1, h=9, w=12):
    torch.manual_seed(1)
    return torch.cat([torch.rand(n,1,h,w), torch.zeros(n,3,h,w)], 1).double()

def derivative(f, x, c, eps=1e-6):
    "Numerical derivative of `f(x)` `(K,)` with respect to channel `c` of the one picture `x`, as `(K,H,W)`."
    out = []
    for i in np.ndindex(*x.shape[2:]):
        bump = torch.zeros_like(x)
        bump[0,c][i] = eps
        out.append((f(x+bump)-f(x-bump))/(2*eps))
    return torch.stack(out, 1).detach().view(-1, *x.shape[2:])

@pytest.mark.parametrize('at', [(4,7), (0,11), None])
def test_generator_map_is_the_derivative(at):
    net = Small().double()
    x = picture()
    def asked_for(x): return net(x)[0,1:,at[0],at[1]] if at else net(x)[0,1:].abs().sum((1,2))
    want = derivative(asked_for, x, 0).norm(dim=0)
    torch.testing.assert_close(saliency(net, x, at)[0,0], want, rtol=1e-4, atol=1e-7)

@pytest.mark.parametrize('smooth', [0,6])
def test_far_pixels_do_not_count(smooth):
    m = saliency(Small().double(), picture(), at=(4,7), smooth=smooth)[0,0]
    inside = torch.zeros(9, 12, dtype=bool)
    inside[2:7,5:10] = True
    assert (m[inside] > 0).all() and (m[~inside] == 0).all()

def test_critic_map_is_the_derivative():
    torch.manual_seed(0)
    critic = PatchCritic(4, depth=1).double().eval()
    x = picture(h=16, w=20)
    lab = torch.cat([x[:,:1], torch.rand(1,2,16,20).double()-.5], 1)
    def mean_logit(lab): return critic(lab, torch.cat([lab[:,:1], x[:,1:]], 1)).mean().view(1)
    want = torch.cat([derivative(mean_logit, lab, c) for c in range(3)]).abs().amax(0)
    torch.testing.assert_close(critic_saliency(critic, lab)[0,0], want, rtol=1e-4, atol=1e-8)

def test_a_batch_is_its_pictures():
    net = Small().double()
    x = picture(3)
    torch.testing.assert_close(saliency(net, x), torch.cat([saliency(net, o[None]) for o in x]))

def test_asking_leaves_the_network_as_it_was():
    "fastai's U-Net, in training mode, with BatchNorm: weights, statistics and gradients stay."
    net = create_color_unet(resnet18, pretrained=False).train()
    before = {k:v.clone() for k,v in net.state_dict().items()}
    x = picture(h=64, w=96).float()
    first = saliency(net, x, smooth=2)
    assert first.shape == (1,1,64,96) and first.max() > 0 and torch.equal(first, saliency(net, x, smooth=2))
    assert all(torch.equal(v, before[k]) for k,v in net.state_dict().items()) and all(p.grad is None for p in net.parameters())
    assert not x.requires_grad

@pytest.fixture(scope='module')
def default_in_torch(): return Colorizer.from_pretrained(device='torch')

@pytest.mark.parametrize('at', [(30,20), (180,20), (100,110)])
def test_the_color_of_a_point_is_decided_around_it(default_in_torch, at):
    "In the photo's own directions: x to the right, y down, padding aside."
    photo = Photo(skdata.camera()[100:230,150:350])
    m, = photo_maps(default_in_torch, photo, at=at, smooth=0).values()
    assert m.shape == (130,200)
    near = m[max(0, at[1]-16):at[1]+17,max(0, at[0]-16):at[0]+17]
    assert near.mean() > 2*m.mean()

# ---- the command

@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(skdata.camera()[::4,::3]).save('a.png')
    return tmp_path

def said(code, *args):
    "What the command says in this process; it ends with `code`, without a traceback."
    r = CliRunner().invoke(app, ['explain', *map(str, args)])
    assert r.exit_code == code and (r.exception is None or isinstance(r.exception, SystemExit)), r.exception
    return r.stderr

def test_command(here):
    save_critic(PatchCritic(8), 'critic.safetensors')
    args = 'a.png', '-o', 'new/map.png', '--at', '100,30', '--critic', 'critic.safetensors', '--smooth', '2'
    p = subprocess.run([sys.executable, '-m', 'colorfast.cli', 'explain', *args], capture_output=True, text=True, env=ENV)
    assert (p.returncode,p.stdout,p.stderr.strip()) == (0, '', 'colorfast: wrote new/map.png.')
    w,h = open_photo('new/map.png').size
    assert 4*384 <= w < 4*400 and 384*.7 < h < 384
    before = Path('new/map.png').read_bytes()
    assert 'new/map.png: there is a file of this name already' in said(2, *args)
    assert Path('new/map.png').read_bytes() == before

def test_without_captum(here):
    code = "import sys; sys.modules['captum'] = None; from colorfast.cli import main; main()"
    p = subprocess.run([sys.executable, '-c', code, 'explain', 'a.png', '-o', 'map.png'], capture_output=True, text=True, env=ENV)
    assert p.returncode == 2 and "pip install 'colorfast[train]'" in p.stderr and 'Traceback' not in p.stderr

@pytest.mark.parametrize('args,says', [
    (['--at','171,5'], 'The point 171,5 is outside the photo, which is 171 x 128 pixels'),
    (['--at','middle'], "the point is 'middle'"), (['--at','1'], "the point is '1'"),
    (['--critic','a.png'], 'a.png holds no critic'), (['--critic','none.safetensors'], 'none.safetensors holds no critic'),
    (['--smooth','-1'], 'smooth is -1'), (['--model','tiny'], 'has no model.safetensors'),
    (['--model','none'], "There is no model 'none'")])
def test_wrong_use(here, tiny, args, says):
    args = [tiny if o == 'tiny' else o for o in args]
    assert says in said(2, 'a.png', '-o', 'map.png', *args) and not Path('map.png').exists()

@pytest.mark.parametrize('photo', ['none.png','text.png'])
def test_wrong_photo(here, photo):
    Path('text.png').write_text('hello')
    assert said(2, photo, '-o', 'map.png').startswith(f'colorfast: {photo}: ')
