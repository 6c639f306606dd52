"One network in torch, in ONNX Runtime and as it is stored: the same colors from each."
import json, shutil, subprocess, sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np, pytest
from PIL import Image
from skimage import color as skcolor, data as skdata

from colorfast.basics import ModelError
from colorfast.colorize.colorizer import Colorizer
from colorfast.runtime.folder import MODEL_FILES

SIZES = (1,1), (32,32), (101,77), (256,171), (3,300)

def with_random_statistics(model, head):
    "`model` with weights that give strong colors."
    import torch
    for o in model.modules():
        if not isinstance(o, torch.nn.BatchNorm2d): continue
        o.running_mean.normal_(0, .1)
        o.running_var.uniform_(.5, 2)
    torch.nn.init.normal_(head.weight, std=.1)
    return model.eval()

@pytest.fixture(scope='module')
def light():
    "The light U-Net with random weights, in torch."
    import torch
    from colorfast.nets.unet import create_color_unet
    torch.manual_seed(0)
    config = dict(arch='tf_efficientnet_lite0', decoder='chroma', dims=(32,16,16,16), pretrained=False)
    m = create_color_unet(**config)
    m = with_random_statistics(m, m.net.head)
    return Colorizer.from_learner(SimpleNamespace(model=m), model=config, size=256, calibration={'saturation':1.1})

@pytest.fixture(scope='module')
def saved(light, tmp_path_factory): return light.save(tmp_path_factory.mktemp('saved')/'light')

def worst(a, b):
    "Largest difference of ab, in units of a* and b*, over five sizes; they must have some color."
    Ls = [np.random.default_rng(0).random(s, dtype=np.float32) for s in SIZES]
    outs = [(a.predict_ab(L),b.predict_ab(L)) for L in Ls]
    assert [o.shape[1:] for o,_ in outs] == [(1,1),(32,32),(101,77),(256,171),(3,256)]
    assert max(np.abs(o).max() for o,_ in outs) > .1
    return 110*max(np.abs(o-p).max() for o,p in outs)

def test_parity_in_fp32(light, tmp_path):
    import onnx
    from colorfast.runtime.export import to_onnx
    from colorfast.runtime.net import OnnxNet
    onnx.save(to_onnx(light.net.model), tmp_path/'model.onnx')
    assert worst(light, Colorizer(OnnxNet(tmp_path), light.config)) < 110*1e-3

def test_parity_as_stored(light, saved):
    stored = Colorizer.from_pretrained(saved)
    in_torch = Colorizer.from_pretrained(saved, device='torch')
    assert worst(light, stored) < .5
    assert worst(stored, in_torch) < .5
    n = sum(p.numel() for p in light.net.model.parameters())
    for f in MODEL_FILES[1:3]: assert (saved/f).stat().st_size < 2.3*n

def test_dynamic_unet(tmp_path):
    "fastai's own U-Net exports too, and keeps the lightness it is given."
    import onnx, torch
    from fastai.vision.all import resnet18
    from colorfast.nets.unet import create_color_unet
    from colorfast.runtime.export import to_onnx
    from colorfast.runtime.net import OnnxNet, TorchNet
    torch.manual_seed(0)
    m = create_color_unet(resnet18, pretrained=False).eval()
    onnx.save(to_onnx(m), tmp_path/'model.onnx')
    x = np.random.default_rng(0).random((2,4,96,160), dtype=np.float32)
    a = TorchNet(m)(x)
    b = OnnxNet(tmp_path)(x)
    assert np.abs(a-b).max() < 1e-3
    assert (b[:,0] == x[:,0]).all() and np.abs(b[:,1:]).max() > .01

def test_other_weights(saved, tmp_path):
    "Weights that are sound but of another architecture."
    shutil.copytree(saved, tmp_path/'m')
    config = json.loads((saved/'config.json').read_text())
    for model,says in (({**config['model'], 'dims':[8,8,8,8]}, 'does not fit'), ({}, 'no network')):
        (tmp_path/'m'/'config.json').write_text(json.dumps({**config, 'model':model}))
        with pytest.raises(ModelError, match=says): Colorizer.from_pretrained(tmp_path/'m', device='torch')

def test_same_colors_at_other_sizes(saved):
    c = Colorizer.from_pretrained(saved)
    big = Image.fromarray(skdata.camera()).resize((1536,1536), Image.BICUBIC)
    def small_ab(n):
        out = c.predict(big.resize((n,n), Image.BOX))
        return skcolor.rgb2lab(np.asarray(out.resize((256,256), Image.BOX)))[...,1:]
    first,*others = (small_ab(n) for n in (512,1024,1536))
    assert np.abs(first).max() > 5
    for o in others: assert np.abs(o-first).mean() < 1

@pytest.mark.parametrize('value', (float('nan'),float('inf')), ids=str)
def test_weights_that_are_not_finite_are_refused(light, tmp_path, value):
    "At export, with the weight's name; nothing is written."
    import copy, torch
    model = copy.deepcopy(light.net.model)
    with torch.no_grad(): model.net.head.weight[0,0] = value
    broken = Colorizer.from_learner(SimpleNamespace(model=model), **light.config)
    with pytest.raises(ModelError, match='The weight net.head.weight is not finite'): broken.save(tmp_path/'m')
    assert not list(tmp_path.iterdir())

def test_weights_too_large_for_half_precision(tmp_path):
    "They stay in full precision, in both files, and the colors with them."
    import torch
    from torch import nn
    class Wide(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Conv2d(4, 8, 3, padding=1)
            self.b = nn.Conv2d(8, 64, 3, padding=1)
            nn.init.constant_(self.a.weight, 1e-6)
            nn.init.constant_(self.b.weight, 1e5)
        def forward(self, x):
            ab = self.b(self.a(x)).mean(1, keepdim=True).tanh()
            return torch.cat([x[:,:1], ab, ab], 1)
    c = Colorizer.from_learner(SimpleNamespace(model=Wide()), size=64)
    folder = c.save(tmp_path/'m')
    x = np.random.default_rng(0).random((1,4,64,64), dtype=np.float32)
    assert np.abs(Colorizer.from_pretrained(folder).net(x)-c.net(x)).max() < 1e-3
    from safetensors.numpy import load_file
    assert load_file(folder/'model.safetensors')['b.weight'].dtype == np.float32

def test_upload(saved, monkeypatch):
    "What goes to the hub is the folder's four files. (The hub itself is out of reach here.)"
    import huggingface_hub
    seen = {}
    class Api:
        def __init__(self, token=None): pass
        def create_repo(self, repo_id, private, exist_ok): seen['repo'] = repo_id
        def upload_folder(self, repo_id, folder_path): seen['files'] = {o.name:o.read_bytes() for o in Path(folder_path).iterdir()}
    monkeypatch.setattr(huggingface_hub, 'HfApi', Api)
    Colorizer.from_pretrained(saved).push_to_hub('me/album')
    assert seen['repo'] == 'me/album'
    assert sorted(seen['files']) == sorted(MODEL_FILES)
    assert seen['files']['model.onnx'] == (saved/'model.onnx').read_bytes()

def test_torch_stays_out(saved):
    "A whole prediction in a fresh process, without torch or fastai."
    code = f'''import sys, numpy as np
from colorfast.colorize.colorizer import Colorizer
Colorizer.from_pretrained({str(saved)!r}).predict(np.zeros((40,50), np.uint8), quality="best")
print([o for o in ("torch","fastai","onnx","huggingface_hub","matplotlib") if o in sys.modules])'''
    assert subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout == '[]\n'
