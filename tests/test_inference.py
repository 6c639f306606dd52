"`Colorizer`: files in, files out, two runtimes, model folders good and bad."
import json, shutil, subprocess, sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np, pytest
from PIL import Image
from skimage import color as skcolor, data as skdata

from colorfast.basics import HintError, ModelError
from colorfast.runtime.folder import MODEL_FILES, model_card
from colorfast.colorize.hints import hint_planes, read_hints
from colorfast.colorize.colorizer import Colorizer
from colorfast.basics import PhotoError
from colorfast.photo.read import open_photo
from conftest import TINT

CAMERA = skdata.camera()

@pytest.fixture(scope='module')
def c(tiny): return Colorizer.from_pretrained(tiny, device='cpu')

def lab(rgb): return skcolor.rgb2lab(rgb)

# ---- pictures

def test_tint_and_lightness(c):
    "The tint comes out as scikit-image measures it, and lightness as it went in."
    out = lab(c.predict(CAMERA)); src = lab(np.dstack([CAMERA]*3))
    mid = (src[...,0]>40) & (src[...,0]<80)
    assert np.allclose(out[mid][:,1:].mean(0), np.array(TINT)*110, atol=.1)
    assert np.abs(out[...,0]-src[...,0]).mean() < .3

@pytest.mark.parametrize('vividness', (1, 3, 10))
def test_lightness_of_16_bits(c, vividness):
    "Also where sRGB cannot hold the color: chroma gives way, lightness does not."
    grey = np.linspace(0, 65535, 300*200).astype(np.uint16).reshape(300,200)
    out = c.predict(grey, vividness=vividness)
    assert out.dtype == np.uint16
    assert np.abs(lab(out)[...,0]-lab(np.dstack([grey]*3))[...,0]).mean() < .02

@pytest.mark.parametrize('quality', ('fast','best'))
@pytest.mark.parametrize('shape', ((1,1), (1,5000), (5000,1), (2,3), (31,33), (129,128), (200,1000)))
def test_any_size(c, shape, quality):
    for dtype in (np.uint8,np.uint16):
        for grey in (np.full(shape, 99, dtype), np.full((*shape,3), 99, dtype)):
            out = c.predict(grey, quality=quality)
            assert out.shape == (*shape,3) and out.dtype == dtype
            assert (out == out[0,0]).all(), 'a flat picture under a flat tint is flat to its edges'

def test_kinds_of_input(c, tmp_path):
    im = Image.fromarray(CAMERA); im.save(tmp_path/'a.png')
    outs = c.predict_batch([tmp_path/'a.png', str(tmp_path/'a.png'), im, im.convert('RGB')])
    assert all(isinstance(o, Image.Image) and o.mode == 'RGB' for o in outs)
    assert all((np.asarray(o) == c.predict(CAMERA)).all() for o in outs)
    alpha = Image.fromarray(np.dstack([CAMERA]*3+[CAMERA//2]))
    assert (np.asarray(c.predict(alpha))[...,3] == CAMERA//2).all()
    with pytest.raises(PhotoError): c.predict(CAMERA/255.)

def test_file(c, tmp_path):
    "16 bits stay 16 bits, an upright result from a photo lying on its side."
    import tifffile
    deep = CAMERA.astype(np.uint16)*257
    tifffile.imwrite(tmp_path/'a.tif', deep)
    c.predict_file(tmp_path/'a.tif', tmp_path/'out.tif')
    assert (tifffile.imread(tmp_path/'out.tif') == c.predict(deep)).all()
    with pytest.raises(PhotoError, match='already'): c.predict_file(tmp_path/'a.tif', tmp_path/'out.tif')
    ex = Image.Exif(); ex[274] = 6
    Image.fromarray(CAMERA[:300]).save(tmp_path/'b.jpg', exif=ex)
    c.predict_file(tmp_path/'b.jpg', tmp_path/'b.png')
    assert Image.open(tmp_path/'b.png').size == (300,512)

def test_vividness_scales_chroma(c):
    chroma = lambda v: np.hypot(*lab(c.predict(np.full((64,64), 128, np.uint8), vividness=v))[32,32,1:])
    assert chroma(0) < .5
    assert abs(chroma(1.5)/chroma(1)-1.5) < .03

# ---- hints

@pytest.mark.parametrize('quality', ('fast','best'))
def test_hint_is_where_it_was_put(c, quality):
    grey = np.full((300,600), 210, np.uint8); grey[20:140,460:590] = 120; red = [{'x':550,'y':40,'color':'#a03030'}]
    plain,out = c.predict(grey, quality=quality), c.predict(grey, hints=red, quality=quality)
    want = lab(np.array([[[0xa0,0x30,0x30]]], dtype=np.uint8))[0,0,1:]
    assert np.abs(lab(out)[40,550,1:]-want).max() < 4
    assert np.abs(lab(out)[130,470,1:]-want).max() < 8, 'the whole box is red'
    moved = np.abs(lab(out)-lab(plain)).max(-1); assert max(moved[:,:430].max(), moved[180:].max()) < 3

def test_hints_count_in_the_upright_photo(c, tmp_path):
    ex = Image.Exif(); ex[274] = 6
    grey = np.full((200,400), 210, np.uint8); grey[:,200:] = 120
    Image.fromarray(grey).save(tmp_path/'side.png', exif=ex)
    out = np.asarray(c.predict(tmp_path/'side.png', hints=[{'x':20,'y':380,'color':'blue'}])).astype(int)
    assert out.shape == (400,200,3)
    assert out[380,20,2]-out[380,20,0] > 60 > out[20,20,2]-out[20,20,0]
    with pytest.raises(HintError, match='200 x 400'): c.predict(tmp_path/'side.png', hints=[{'x':380,'y':20,'color':'blue'}])

def test_hint_color_survives_calibration(c):
    strong = Colorizer(c.net, {**c.config, 'calibration':{'saturation':1.5}})
    grey,h = np.full((128,128), 120, np.uint8), [{'x':60,'y':60,'color':'#a03030'}]
    assert np.abs(lab(strong.predict(grey, hints=h))[60,60]-lab(c.predict(grey, hints=h))[60,60]).max() < 1

@pytest.mark.parametrize('shape,points', [((1,1),[(0,0)]), ((1,5000),[(4999,0),(4999.9,.9)]), ((700,500),[(0,0),(499,699)])])
def test_hint_at_the_edge(shape, points):
    h,w = min(shape[0],64),min(shape[1],64)
    for x,y in points:
        m = hint_planes(read_hints([{'x':x,'y':y,'color':'red'}]), shape, (h,w))[2]
        r,q = (np.flatnonzero(m.any(i)) for i in (1,0))
        assert 1 <= len(r) <= 4 and 1 <= len(q) <= 4
        assert (0 if y < shape[0]/2 else h-1) in r and (0 if x < shape[1]/2 else w-1) in q

@pytest.mark.parametrize('text,says', [('[', 'not JSON'), ('{"x":1}', 'list'), ('[1]', 'Hint 1'), ('[{"x":1,"y":1}]', 'Hint 1'), ('5', 'list'), ('"a"', 'list'),
    ('[{"x":1,"y":1,"color":"red"},{"x":1,"y":1,"color":"blurple"}]', "Hint 2 has the unknown color 'blurple'"), ('[{"x":1,"y":1,"color":7}]', 'unknown color'),
    ('[{"x":"1","y":1,"color":"red"}]', 'numbers'), ('[{"x":NaN,"y":1,"color":"red"}]', 'numbers'), ('[{"x":true,"y":1,"color":"red"}]', 'numbers'),
    ('[{"x":1,"y":1,"color":"red","tiem":2}]', 'also with "time"'), ('\udcff', 'not JSON')])
def test_bad_hint_files(tmp_path, text, says):
    fn = tmp_path/'h.json'; fn.write_text(text, encoding='utf-8', errors='surrogateescape')
    with pytest.raises(HintError, match=says): read_hints(fn)

# ---- models

@pytest.mark.parametrize('name,says', [('no-such-model', 'There is no model'), ('a/b/c', 'There is no model'), ('.', 'no config.json')])
def test_unknown_model(tmp_path, monkeypatch, name, says):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=says): Colorizer.from_pretrained(name)

def test_hub_model_without_a_network(monkeypatch, tmp_path):
    import huggingface_hub.constants as k
    monkeypatch.setattr(k, 'HF_HUB_OFFLINE', True); monkeypatch.setattr(k, 'HF_HUB_CACHE', str(tmp_path))
    with pytest.raises(ModelError, match='no folder somebody/some-model, and no model of that name could be fetched'): Colorizer.from_pretrained('somebody/some-model')

HTML = b'\n<!DOCTYPE html><html><body>404</body></html>'
@pytest.mark.parametrize('file,data,says', [
    ('model.onnx', HTML, 'web page'), ('model.onnx', b'', 'empty'), ('model.onnx', None, 'no model.onnx'), ('model.onnx', b'\x08\x0a\x12\x99junk', 'damaged'),
    ('model.safetensors', HTML, 'web page'), ('model.safetensors', b'\x40\0\0\0\0\0\0\0{"a":', 'damaged'), ('model.safetensors', b'version https://git-lfs...', 'placeholder'),
    ('config.json', b'{"size":', 'not JSON'), ('config.json', b'[]', 'not a model config'), ('config.json', HTML, 'not JSON'), ('config.json', b'\xff\xfe', 'not JSON'), ('config.json', None, 'no config.json')])
def test_damaged_model(tiny, tmp_path, file, data, says):
    shutil.copytree(tiny, tmp_path/'m')
    (tmp_path/'m'/file).unlink(missing_ok=True)
    if data is not None: (tmp_path/'m'/file).write_bytes(data)
    with pytest.raises(ModelError, match=says): Colorizer.from_pretrained(tmp_path/'m')

@pytest.mark.parametrize('keep', (.3, .9))
def test_cut_off_onnx(tiny, tmp_path, keep):
    shutil.copytree(tiny, tmp_path/'m')
    data = (tiny/'model.onnx').read_bytes(); (tmp_path/'m'/'model.onnx').write_bytes(data[:int(keep*len(data))])
    with pytest.raises(ModelError, match='damaged'): Colorizer.from_pretrained(tmp_path/'m')

def test_other_onnx_model(tiny, tmp_path):
    import onnx
    shutil.copytree(tiny, tmp_path/'m')
    m = onnx.load(tiny/'model.onnx'); m.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 3
    onnx.save(m, tmp_path/'m'/'model.onnx')
    with pytest.raises(ModelError): Colorizer.from_pretrained(tmp_path/'m')

def test_devices(tiny):
    with pytest.raises(ModelError, match="Unknown device 'tpu'"): Colorizer.from_pretrained(tiny, device='tpu')
    with pytest.raises(ModelError, match='no model.safetensors'): Colorizer.from_pretrained(tiny, device='torch')
    import torch
    if not torch.cuda.is_available():
        with pytest.raises(ModelError, match='no cuda device'): Colorizer.from_pretrained(tiny, device='cuda')

def test_save_again(tiny, tmp_path):
    "A model from a folder, with another calibration, into another folder."
    c = Colorizer.from_pretrained(tiny); c.config['calibration'] = {'saturation':2.}
    with pytest.raises(ModelError): c.save(tmp_path/'m')  # no weights for torch to copy
    assert not list(tmp_path.iterdir())
    from safetensors.numpy import save_file
    src = tmp_path/'src'; shutil.copytree(tiny, src); save_file({'a':np.zeros(3)}, src/'model.safetensors')
    c = Colorizer.from_pretrained(src); c.config['calibration'] = {'saturation':2.}
    (tmp_path/'m').mkdir(); (tmp_path/'m'/'notes.txt').write_text('mine')
    assert c.save(tmp_path/'m') == tmp_path/'m'
    assert sorted(o.name for o in (tmp_path/'m').iterdir()) == sorted([*MODEL_FILES, 'notes.txt'])
    grey = np.full((64,64), 128, np.uint8)
    assert (Colorizer.from_pretrained(tmp_path/'m').predict(grey) == c.predict(grey)).all()
    before = (tmp_path/'m'/'config.json').read_text()
    with pytest.raises(ModelError, match='already has config.json'): c.save(tmp_path/'m')
    c.config['size'] = 96; c.save(tmp_path/'m', overwrite=True)
    assert json.loads((tmp_path/'m'/'config.json').read_text())['size'] == 96 != json.loads(before)['size']
    assert sorted(o.name for o in tmp_path.iterdir()) == ['m','src']

def test_card_says_what_the_config_says():
    card = model_card({'size':320, 'data':'family album', 'metrics':{'psnr':23.4567}, 'recipe':{'epochs':3}})
    for word in ('320 pixels', 'family album', '| psnr | 23.46 |', '| epochs | 3 |', 'library_name: colorfast'): assert word in card

# ---- two runtimes

SIZES = (1,1), (32,32), (101,77), (256,171), (3,300)

@pytest.fixture(scope='module')
def light():
    "The light U-Net with random weights that give strong colors, in torch; its exports."
    import torch
    from colorfast.nets.unet import create_color_unet
    torch.manual_seed(0)
    kw = dict(arch='tf_efficientnet_lite0', decoder='chroma', dims=(32,16,16,16), pretrained=False)
    m = create_color_unet(**kw).eval()
    for o in m.modules():
        if isinstance(o, torch.nn.BatchNorm2d): o.running_mean.normal_(0, .1); o.running_var.uniform_(.5, 2)
    torch.nn.init.normal_(m.net.head.weight, std=.1)
    return Colorizer.from_learner(SimpleNamespace(model=m), model=kw, size=256, calibration={'saturation':1.1})

@pytest.fixture(scope='module')
def saved(light, tmp_path_factory): return light.save(tmp_path_factory.mktemp('saved')/'light')

def worst(a, b):
    "Largest difference of ab, in units of a* and b*, over five sizes; they must have some color."
    Ls = [np.random.default_rng(0).random(s, dtype=np.float32) for s in SIZES]
    outs = [(a.predict_ab(L),b.predict_ab(L)) for L in Ls]
    assert [o.shape[1:] for o,_ in outs] == [(1,1),(32,32),(101,77),(256,171),(3,256)] and max(np.abs(o).max() for o,_ in outs) > .1
    return 110*max(np.abs(o-p).max() for o,p in outs)

def test_parity_in_fp32(light, tmp_path, tiny):
    import onnx
    from colorfast.runtime.net import OnnxNet
    from colorfast.runtime.export import to_onnx
    onnx.save(to_onnx(light.net.model), tmp_path/'model.onnx')
    assert worst(light, Colorizer(OnnxNet(tmp_path), light.config)) < 110*1e-3

def test_parity_as_stored(light, saved):
    files = Colorizer.from_pretrained(saved), Colorizer.from_pretrained(saved, device='torch')
    assert worst(light, files[0]) < .5 and worst(*files) < .5
    n = sum(p.numel() for p in light.net.model.parameters())
    for f in MODEL_FILES[1:3]: assert (saved/f).stat().st_size < 2.3*n

def test_dynamic_unet(tmp_path):
    "fastai's own U-Net exports too, and keeps the lightness it is given."
    import onnx, torch
    from fastai.vision.all import resnet18
    from colorfast.runtime.net import OnnxNet, TorchNet
    from colorfast.runtime.export import to_onnx
    from colorfast.nets.unet import create_color_unet
    torch.manual_seed(0)
    m = create_color_unet(resnet18, pretrained=False).eval()
    onnx.save(to_onnx(m), tmp_path/'model.onnx')
    x = np.random.default_rng(0).random((2,4,96,160), dtype=np.float32)
    a,b = TorchNet(m)(x), OnnxNet(tmp_path)(x)
    assert np.abs(a-b).max() < 1e-3 and (b[:,0] == x[:,0]).all() and np.abs(b[:,1:]).max() > .01

def test_other_weights(saved, tmp_path):
    "Weights that are sound but of another architecture."
    shutil.copytree(saved, tmp_path/'m')
    config = json.loads((saved/'config.json').read_text()); config['model']['dims'] = [8,8,8,8]
    (tmp_path/'m'/'config.json').write_text(json.dumps(config))
    with pytest.raises(ModelError, match='does not fit'): Colorizer.from_pretrained(tmp_path/'m', device='torch')

    config['model'] = {}; (tmp_path/'m'/'config.json').write_text(json.dumps(config))
    with pytest.raises(ModelError, match='no network'): Colorizer.from_pretrained(tmp_path/'m', device='torch')

def test_same_colors_at_other_sizes(saved):
    c = Colorizer.from_pretrained(saved)
    big = Image.fromarray(CAMERA).resize((1536,1536), Image.BICUBIC)
    outs = [np.asarray(c.predict(big.resize((n,n), Image.BOX)).resize((256,256), Image.BOX)) for n in (512,1024,1536)]
    ab = [lab(o)[...,1:] for o in outs]
    assert np.abs(ab[0]).max() > 5
    for o in ab[1:]: assert np.abs(o-ab[0]).mean() < 1

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
    assert seen['repo'] == 'me/album' and sorted(seen['files']) == sorted(MODEL_FILES)
    assert seen['files']['model.onnx'] == (saved/'model.onnx').read_bytes()

def test_torch_stays_out(saved):
    "A whole prediction in a fresh process, without torch or fastai."
    code = f'''import sys, numpy as np
from colorfast.colorize.colorizer import Colorizer
Colorizer.from_pretrained({str(saved)!r}).predict(np.zeros((40,50), np.uint8), quality="best")
print([o for o in ("torch","fastai","onnx","huggingface_hub","matplotlib") if o in sys.modules])'''
    assert subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout == '[]\n'
