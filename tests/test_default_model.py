"The model inside the package, at its shipped settings, on the sample photographs."
import json
import numpy as np, pytest
from PIL import Image
from skimage.color import rgb2lab
from colorfast.basics import ModelError
from colorfast.colorize.colorizer import Colorizer
from colorfast.runtime.folder import MODELS
from conftest import ROOT

SAMPLES = ROOT/'samples'
FOLDER = MODELS/'default'

@pytest.fixture(scope='module')
def c(): return Colorizer.from_pretrained()

def lab(im): return rgb2lab(np.asarray(im))

def ab(im, x, y, r=12):
    "Mean a*, b* around a point."
    return lab(np.asarray(im)[y-r:y+r, x-r:x+r])[...,1:].mean((0,1))

def test_small_and_documented():
    assert sum((FOLDER/f).stat().st_size for f in ('model.onnx','model.safetensors')) < 30e6
    config = json.loads((FOLDER/'config.json').read_text(encoding='utf-8'))
    card = (FOLDER/'README.md').read_text(encoding='utf-8')
    for k in ('data','licence','recipe','limits','metrics','calibration','versions'): assert config[k], k
    for words in (str(config['recipe']['hours']), 'Flickr8k', 'Apache-2.0'): assert words in card

def test_what_everybody_knows_the_color_of(c):
    "Sky is blue, grass green, skin warm."
    man = c.predict(SAMPLES/'photographer.jpg')
    assert ab(man, 560, 120)[1] < -5, 'the sky is blue'
    grass = ab(man, 560, 500)
    assert grass[0] < -5 and grass[1] > 10, 'grass is green'
    face = ab(c.predict(SAMPLES/'portrait.jpg'), 280, 130)
    assert face[0] > 3 and face[1] > 5, 'skin is warm'

def test_lightness_stays(c):
    for f in ('portrait.jpg','launch.jpg'):
        old = lab(Image.open(SAMPLES/f).convert('RGB'))[...,0]
        new = lab(c.predict(SAMPLES/f))[...,0]
        assert np.abs(new-old).mean() <= .3

def test_no_size_lottery(c):
    "The same photo at half and at double size: the same colors."
    im = Image.open(SAMPLES/'portrait.jpg')
    w,h = im.size
    first = lab(c.predict(im))[...,1:]
    for k in (.5, 2):
        other = im.resize((int(w*k),int(h*k)), Image.Resampling.LANCZOS)
        out = c.predict(other).resize((w,h), Image.Resampling.LANCZOS)
        assert np.abs(lab(out)[...,1:]-first).mean() < 1.5

def test_the_coat_becomes_that_red(c):
    "One click on the dark coat: wine-red there, sky and grass as they were."
    src = SAMPLES/'photographer.jpg'
    old = c.predict(src)
    new = c.predict(src, hints=[{'x':230,'y':400,'color':'#7a1f2b'}])
    def moved(x, y): return ab(new, x, y)-ab(old, x, y)
    assert np.hypot(*moved(230, 400)) > 5 and moved(230, 400)[0] > 5
    for x,y in ((560,120),(560,500)): assert np.abs(moved(x, y)).max() < 4

def test_torch_and_onnx_agree(c):
    t = Colorizer.from_pretrained(device='torch')
    for shape in ((64,64),(97,131),(256,200),(333,217),(31,400)):
        L = np.random.default_rng(0).random(shape, dtype=np.float32)
        assert np.abs(c.predict_ab(L)-t.predict_ab(L)).max() < .5/110

def test_features_and_palette_are_those_of_torch():
    from safetensors.torch import load_file
    import torch
    from colorfast.colorize.palette import Palette
    from colorfast.nets.palette import PaletteHead
    onnx = Colorizer.from_pretrained('default')
    other = Colorizer.from_pretrained('default', device='torch')
    x = np.random.default_rng(0).random((2,4,64,96), dtype=np.float32)
    ours = onnx.net.features(x)
    theirs = other.net.features(x)
    assert list(ours) == list(theirs) == onnx.config['outputs']
    for name in ours: assert np.abs(ours[name]-theirs[name]).max() < 1e-3, name
    head = PaletteHead()
    head.load_state_dict({k:v.float() for k,v in load_file(MODELS/'default'/'palette.safetensors').items()})
    wanted = head.eval()(torch.from_numpy(ours['dec8'])).softmax(1).detach().numpy()
    palette = Palette.from_colorizer(onnx)
    assert np.abs(palette(ours)-wanted).max() < 1e-4
    assert np.allclose(palette.bins*110, head.bins)

def test_a_model_without_features_or_palette_says_so(tiny):
    from colorfast.colorize.palette import Palette
    c = Colorizer.from_pretrained(tiny)
    with pytest.raises(ModelError, match='export it anew'): c.net.features(np.zeros((1,4,32,32), np.float32))
    with pytest.raises(ModelError, match='no palette'): Palette.from_colorizer(c)

def test_a_copied_model_keeps_its_palette(tmp_path):
    folder = Colorizer.from_pretrained('default').save(tmp_path/'copy')
    assert (folder/'palette.onnx').read_bytes() == (MODELS/'default'/'palette.onnx').read_bytes()
