"The generators of other systems: their sizes, in training, saved and back."
import json
from types import SimpleNamespace
import numpy as np, pytest, torch
from torch import nn
from torchvision.models import vgg16_bn
from colorfast.nets.encoder import stages
from colorfast.nets.unet import color_splitter, create_color_unet
from colorfast.nets.baselines import autoencoder, fusion, pix2pix
from colorfast.nets.build import create_generator

def without_hints(L):
    "`(N,4,H,W)` of lightness `(N,1,H,W)`."
    return torch.cat([L, torch.zeros_like(L).expand(-1,3,-1,-1)], 1)

def n_params(m): return sum(p.numel() for p in m.parameters())

@torch.no_grad()
def shapes(net, x, *kinds):
    "What the layers of these `kinds` put out, in the order of execution."
    seen = []
    for m in net.modules():
        if isinstance(m, kinds): m.register_forward_hook(lambda m,i,o: seen.append(tuple(o.shape[1:])))
    net.eval()(x)
    return seen

def test_vgg16_attention():
    "Skips at all five sizes; attention where the picture is a quarter as large."
    m = create_color_unet(vgg16_bn, self_attention=True, pretrained=False)
    assert stages(m.encoder)[1]==[64,128,256,512,512,512]
    assert n_params(m.encoder)==14_714_688 + 2*4224 + 64*9  # VGG16's convolutions, BatchNorm, a fourth channel in
    blocks = shapes(m, torch.rand(1,4,128,128), type(m.net[4]))
    assert blocks==[(768,8,8), (896,16,16), (704,32,32), (480,64,64), (152,128,128)]
    assert n_params(m)==68_758_531
    assert n_params(m.net[6].conv2[2])==2*704*88 + 704*704 + 1  # query, key, value and gamma, after the block of 32x32

def test_pix2pix_is_the_unet_256_of_the_paper():
    m = pix2pix()
    sizes = shapes(m, torch.rand(1,4,256,256), nn.Conv2d, nn.ConvTranspose2d)
    assert sizes[:8]==[(64,128,128), (128,64,64), (256,32,32), (512,16,16), (512,8,8), (512,4,4), (512,2,2), (512,1,1)]
    assert sizes[8:]==[(512,2,2), (512,4,4), (512,8,8), (512,16,16), (256,32,32), (128,64,64), (64,128,128), (3,256,256)]
    down = 3*64 + 64*128 + 128*256 + 256*512 + 4*512*512
    up = 512*512 + 3*1024*512 + 1024*256 + 512*128 + 256*64 + 128*3
    norm = (128+256+4*512) + (4*512+256+128+64)
    assert n_params(m)==16*(down+up) + 2*norm + (64+512+3)==54_414_531  # 4x4 weights, scales and shifts, biases where no norm follows
    kinds = [type(o) for o in m.modules() if isinstance(o, (nn.ConvTranspose2d,nn.Dropout))]
    assert [i for i,o in enumerate(kinds) if o is nn.Dropout]==[1,3,5], 'dropout after the first three of the decoder'
    assert m.multiple==256

def test_pix2pix_sees_gray_rgb_and_paints_rgb():
    from skimage.color import lab2rgb, rgb2lab
    m = pix2pix(depth=3, nf=4).eval()
    seen = []
    m.net.register_forward_hook(lambda m,i,o: seen.extend([i[0],o]))
    x = torch.rand(1,4,16,16)
    with torch.no_grad(): y = m(x)[0]
    i,o = (t[0].permute(1,2,0).numpy()/2+.5 for t in seen)
    L = 100*x[0,0].numpy()
    assert np.abs(i-lab2rgb(np.dstack([L, 0*L, 0*L]))).max() < 1e-3
    assert np.abs(y.permute(1,2,0).numpy()*[100,110,110]-rgb2lab(o)).max() < .05

def test_fusion_as_in_deep_koalarization():
    m = fusion(pretrained=False)
    convs = shapes(m.net.encoder, torch.rand(1,4,256,256), nn.Conv2d)
    assert convs==[(64,128,128), (128,128,128), (128,64,64), (256,64,64), (256,32,32), (512,32,32), (256,32,32)]
    assert shapes(m.net.decoder, torch.rand(1,256+1536,32,32), nn.Conv2d)[-2:]==[(16,128,128), (2,128,128)]
    assert n_params(m)==5_675_250, 'without the embedding, which does not learn'
    frozen = sum(b.numel() for n,b in m.net.embed.named_buffers() if n.endswith(('weight','bias')))
    assert frozen==55_843_464 - 1537*1000  # all but its classifier

SEEDS = [dict(arch='pix2pix', depth=5, nf=8), dict(arch='pix2pix', space='lab', depth=6, nf=8),
         dict(arch='autoencoder'), dict(arch='autoencoder', variant='beta'),
         dict(arch='fusion', embed='resnet10t'), dict(arch='fusion', embed='tf_efficientnet_lite0'),
         dict(arch='mobilenetv3_small_050', self_attention=True)]
def name_of(kw): return '-'.join(map(str, kw.values()))

@pytest.mark.parametrize('kw', SEEDS, ids=name_of)
def test_saved_and_back_in_both_runtimes(kw, tmp_path):
    from colorfast.colorize.colorizer import Colorizer
    torch.manual_seed(0)
    m = create_generator(**kw, pretrained=False)
    with torch.no_grad(): m(torch.rand(2,4,64,64))  # statistics for BatchNorm
    nn.init.normal_(list(m.parameters())[-2], std=.3)  # the last layer: strong colors
    c = Colorizer.from_learner(SimpleNamespace(model=m))
    c.save(tmp_path/'m')
    assert json.loads((tmp_path/'m'/'config.json').read_text()).get('multiple', 32)==m.multiple
    runtimes = [Colorizer.from_pretrained(tmp_path/'m', device=d) for d in ('cpu','torch')]
    strongest = 0
    for shape in ((1,1), (64,64), (101,77), (3,200)):
        L = np.random.default_rng(0).random(shape, dtype=np.float32)
        trained,onnx,back = (o.predict_ab(L) for o in (c,*runtimes))
        assert trained.shape[1:]==shape
        assert np.abs(onnx-back).max() < .5/110 and np.abs(trained-onnx).max() < 2/110, 'weights in half precision'
        strongest = max(strongest, np.abs(trained).max())
    assert strongest > .1, 'there was something to compare'

@pytest.mark.parametrize('kw', SEEDS[:-1], ids=name_of)
def test_fastai_trains_it(kw):
    "Frozen, unfrozen, at discriminative rates: all that can learn moves, the embedding does not, hints are not read."
    from fastai.vision.all import DataLoaders, Learner
    from colorfast.train.losses import mse
    torch.manual_seed(0)
    m = create_generator(**kw, pretrained=False)
    x = torch.rand(2,4,64,64)
    y = torch.rand(2,3,64,64)
    old = {k:v.clone() for k,v in m.state_dict().items()}
    learn = Learner(DataLoaders([(x,y)]*2, [(x,y)]), m, loss_func=mse, splitter=color_splitter)
    with learn.no_bar(), learn.no_logging():
        learn.freeze()
        learn.fit(1)
        learn.unfreeze()
        learn.fit(1, slice(1e-4,1e-3))
    for k,v in m.state_dict().items():
        if v.is_floating_point(): assert torch.equal(v, old[k])==('embed' in k), k
    with torch.no_grad(): assert torch.equal(m.eval()(x), m(without_hints(x[:,:1])))

def test_alpha_memorizes_a_photo():
    "As in the first seed: one photo, RMSprop, squared error, until its colors are back."
    from skimage import data
    from colorfast.color import rgb2lab
    from colorfast.train.metrics import delta_e
    torch.manual_seed(0)
    photo = torch.tensor(data.coffee()[20:340:5,120:440:5]/255).float()
    y = rgb2lab(photo.permute(2,0,1)[None])
    ab = y[:,1:]
    x = without_hints(y[:,:1])
    m = autoencoder('alpha')
    opt = torch.optim.RMSprop(m.parameters(), 1e-3)
    for _ in range(300):
        loss = nn.functional.mse_loss(m(x)[:,1:], ab)
        opt.zero_grad()
        loss.backward()
        opt.step()
    def error(ab): return float(delta_e(torch.cat([y[:,:1], ab], 1), y))
    with torch.no_grad(): ours = error(m(x)[:,1:])
    gray = error(0*ab)
    tint = error(0*ab+ab.mean((2,3), keepdim=True))
    assert ours < gray/4 and ours < tint/2, (ours, gray, tint)
