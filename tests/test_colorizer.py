"`Colorizer`: pictures and files in, pictures and files out; an analysis that hints are tried on."
import numpy as np, pytest
from PIL import Image
from skimage import color as skcolor, data as skdata

from colorfast.basics import ModelError, OptionError, PhotoError
from colorfast.colorize.colorizer import Colorizer
from colorfast.colorize.options import ColorOptions
from colorfast.photo.read import open_photo
from conftest import TINT, onnx_file, png, put, tiny_onnx

CAMERA = skdata.camera()
lab = skcolor.rgb2lab

def gray_rgb(gray): return np.dstack([gray]*3)

@pytest.fixture(scope='module')
def c(tiny): return Colorizer.from_pretrained(tiny, device='cpu')

# ---- pictures

def test_tint_and_lightness(c):
    "The tint comes out as scikit-image measures it, and lightness as it went in."
    out = lab(c.predict(CAMERA))
    src = lab(gray_rgb(CAMERA))
    mid = (src[...,0] > 40) & (src[...,0] < 80)
    assert np.allclose(out[mid][:,1:].mean(0), np.array(TINT)*110, atol=.1)
    assert np.abs(out[...,0]-src[...,0]).mean() < .3

@pytest.mark.parametrize('vividness', (1, 3, 10))
def test_lightness_of_16_bits(c, vividness):
    "Also where sRGB cannot hold the color: chroma gives way, lightness does not."
    gray = np.linspace(0, 65535, 300*200).astype(np.uint16).reshape(300,200)
    out = c.predict(gray, vividness=vividness)
    assert out.dtype == np.uint16
    assert np.abs(lab(out)[...,0]-lab(gray_rgb(gray))[...,0]).mean() < .02

@pytest.mark.parametrize('quality', ('fast','best'))
@pytest.mark.parametrize('shape', ((1,1), (1,5000), (5000,1), (2,3), (31,33), (129,128), (200,1000)))
def test_any_size(c, shape, quality):
    for dtype in (np.uint8,np.uint16):
        for gray in (np.full(shape, 99, dtype), np.full((*shape,3), 99, dtype)):
            out = c.predict(gray, quality=quality)
            assert out.shape == (*shape,3) and out.dtype == dtype
            assert (out == out[0,0]).all(), 'a flat picture under a flat tint is flat to its edges'

def test_kinds_of_input(c, tmp_path):
    im = Image.fromarray(CAMERA)
    im.save(tmp_path/'a.png')
    want = c.predict(CAMERA)
    for o in (tmp_path/'a.png', str(tmp_path/'a.png'), im, im.convert('RGB')):
        out = c.predict(o)
        assert isinstance(out, Image.Image) and out.mode == 'RGB'
        assert (np.asarray(out) == want).all()
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
    ex = Image.Exif()
    ex[274] = 6
    Image.fromarray(CAMERA[:300]).save(tmp_path/'b.jpg', exif=ex)
    c.predict_file(tmp_path/'b.jpg', tmp_path/'b.png')
    assert Image.open(tmp_path/'b.png').size == (300,512)

def test_vividness_scales_chroma(c):
    flat = np.full((64,64), 128, np.uint8)
    def chroma(v): return np.hypot(*lab(c.predict(flat, vividness=v))[32,32,1:])
    assert chroma(0) < .5
    assert abs(chroma(1.5)/chroma(1)-1.5) < .03

@pytest.mark.parametrize('options,says', [
    (dict(vividness=-1), 'vividness is -1'),
    (dict(vividness=float('nan')), 'vividness is nan'),
    (dict(size=5), '32 to 2048'),
    (dict(size=4000), '32 to 2048'),
    (dict(quality='great'), 'fast or best')])
def test_options_are_checked_when_they_are_made(options, says):
    with pytest.raises(OptionError, match=says): ColorOptions(**options)
    assert issubclass(OptionError, ValueError)

# ---- an analysis, and hints on it

RED,BLUE = {'x':100, 'y':300, 'color':'#7a1f2b'}, {'x':400, 'y':60, 'color':'#3a5f8a'}

@pytest.fixture(scope='module')
def counted():
    "The model inside the package, and a list of what its network was asked."
    c = Colorizer.from_pretrained()
    asked = []
    net = c.net
    def counting(x):
        asked.append(x.shape)
        return net(x)
    return Colorizer(counting, c.config),asked

@pytest.mark.parametrize('quality,sizes', [('fast',1), ('best',3)])
def test_a_second_hint_costs_one_look(counted, quality, sizes):
    "The automatic pass is made once; each hint after it asks the network once for each size."
    c,asked = counted
    photo = open_photo(CAMERA)
    asked.clear()
    analysis = c.analyse(photo, size=96, quality=quality)
    assert len(asked) == sizes
    for n,hints in enumerate(([RED],[RED,BLUE],[BLUE]), 2):
        c.color_analysis(analysis, ColorOptions(hints))
        assert len(asked) == n*sizes
    c.color_analysis(analysis, ColorOptions(vividness=2))
    assert len(asked) == 4*sizes, 'without hints there is nothing to ask'
    assert len(analysis.renders[-1].reaches) == 2, 'how far a hint reaches is computed once'

@pytest.mark.parametrize('quality', ('fast','best'))
def test_one_hint_after_the_other_is_both_at_once(counted, quality):
    "To the last bit, whatever was tried before."
    c,_ = counted
    photo = open_photo(CAMERA)
    both = ColorOptions([RED,BLUE], vividness=1.2, size=96, quality=quality)
    analysis = c.analyse(photo, both.size, both.quality)
    for hints in ([RED],[],[BLUE,RED]): c.color_analysis(analysis, ColorOptions(hints))
    out = c.color_analysis(analysis, both)
    assert (out == c.color(photo, both)).all()
    assert (out != c.color_analysis(analysis, ColorOptions([RED], vividness=1.2))).any()
    assert (c.color_analysis(analysis, ColorOptions()) == c.color(photo, size=96, quality=quality)).all()

# ---- a network that paints what is no color

NO_COLORS = float('nan'),float('inf'),-float('inf')

@pytest.fixture(params=NO_COLORS, ids=str)
def broken(request, tiny, tmp_path):
    "A folder whose network paints NaN or infinity."
    folder = tmp_path/'broken'
    folder.mkdir()
    (folder/'config.json').write_bytes((tiny/'config.json').read_bytes())
    tiny_onnx(folder/'model.onnx', (.1,request.param))
    return folder

HINTED = [{'x':5,'y':5,'color':'red'}]
SENTENCE = 'The model paints NaN or infinity, so its weights are damaged: get it again, or choose another.'

@pytest.mark.parametrize('hints', ((),HINTED), ids=('automatic','hints'))
@pytest.mark.parametrize('quality', ('fast','best'))
def test_no_picture_of_nan(broken, hints, quality):
    c = Colorizer.from_pretrained(broken)
    with pytest.raises(ModelError, match=SENTENCE): c.predict(CAMERA[:64,:64], hints=hints, quality=quality)

@pytest.mark.parametrize('hints', ((),HINTED), ids=('automatic','hints'))
def test_the_command_says_so(broken, run, tmp_path, hints):
    "One sentence for each photo, one about hints that all of them share, exit status 1, and nothing is written."
    import json
    for n in 'ab': put(tmp_path/f'{n}.png', png(CAMERA[:64,:64]))
    put(tmp_path/'h.json', json.dumps(hints).encode())
    r = run('predict', 'a.png', 'b.png', '--hints', 'h.json', model=broken).says(1, f'a.png: {SENTENCE}', f'b.png: {SENTENCE}', '2 failed')
    assert len(r.err.splitlines()) == 3 + bool(hints)
    assert not (tmp_path/'colorized').exists()
    r = run('predict', '-', '--hints', 'h.json', input=png(CAMERA[:64,:64]), model=broken).says(1, SENTENCE)
    assert not r.out

def test_only_the_hinted_pass_is_broken(tiny):
    "What is painted automatically is sound: the picture with hints is refused, the one without is made."
    c = Colorizer.from_pretrained(tiny)
    net = c.net
    def breaks_on_hints(x):
        from colorfast.runtime.net import check_finite
        return check_finite(np.where(x[:,3:].any(), np.float32('nan'), net(x)))
    c.net = breaks_on_hints
    assert c.predict(CAMERA).shape == (512,512,3)
    with pytest.raises(ModelError, match='NaN'): c.predict(CAMERA, hints=HINTED)

def test_a_network_that_paints_another_size(run, tmp_path, tiny):
    "Its colors would be in the wrong places."
    from onnx.helper import make_node
    put(tmp_path/'m/config.json', (tiny/'config.json').read_bytes())
    put(tmp_path/'a.png', png(CAMERA[:64,:64]))
    nodes = [make_node('AveragePool', ['x'], ['half'], kernel_shape=[2,2], strides=[2,2]), make_node('Conv', ['half','w'], ['lab'])]
    onnx_file(tmp_path/'m/model.onnx', nodes, {'w':np.ones((3,4,1,1), np.float32)})
    run('predict', 'a.png', model='m').says(1, 'a.png: The model paints (32, 32) pixels for (64, 64)')
    assert not (tmp_path/'colorized').exists()

def test_gif_of_nan(broken, run, tmp_path):
    pytest.importorskip('av')
    Image.fromarray(CAMERA[:48,:64]).save(tmp_path/'a.gif')
    run('predict', 'a.gif', model=broken).says(1, f'a.gif: {SENTENCE}')
    assert not list(tmp_path.glob('colorized/*'))
