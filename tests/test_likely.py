"What is likely, what is doubtful, and versions to choose from: with the model of the package, real files and the command."
import json
from pathlib import Path

import numpy as np, pytest
from skimage import data as skdata
from skimage.color import deltaE_ciede2000, rgb2lab

from colorfast.basics import ModelError
from colorfast.colorize.colorizer import Colorizer
from colorfast.colorize.doubt import doubt, doubt_picture, doubtful_spots, is_sure, surest
from colorfast.colorize.hints import Hint
from colorfast.colorize.options import ColorOptions
from colorfast.colorize.palette import Palette
from colorfast.colorize.suggest import suggest
from colorfast.colorize.versions import Version, alternatives, contact_sheet, versions
from conftest import png, put

CAMERA = skdata.camera()[::2,::2]

@pytest.fixture(scope='module')
def colorizer(): return Colorizer.from_pretrained(device='cpu')

@pytest.fixture(scope='module')
def camera(colorizer): return colorizer.analyse(lightness(CAMERA))

def lightness(gray):
    "Lightness in [0,1] of a gray picture, by scikit-image."
    return (rgb2lab(np.dstack([gray]*3))[...,0]/100).astype(np.float32)

def lab_of(color):
    "L* a* b* of `#rrggbb`, by scikit-image."
    rgb = [int(color[i:i+2], 16) for i in (1,3,5)]
    return rgb2lab(np.array(rgb, np.uint8).reshape(1,1,3))[0,0]

# ---- suggestions

def test_the_command_suggests(run, tmp_path, colorizer, camera):
    "Colors as from the library, at the lightness of the spot, apart from each other as the books measure it."
    put(tmp_path/'a.png', png(CAMERA))
    r = run('suggest', 'a.png', '--at', '190,40', '--json').says(0)
    told = json.loads(r.out)
    assert (told['photo'], told['at']) == ('a.png', [190,40])
    colors = [o['color'] for o in told['suggestions']]
    assert colors == [o.color for o in suggest(colorizer, camera, 190, 40)]
    lab = np.stack([lab_of(o) for o in colors])
    assert np.ptp(lab[:,0]) < 1.5
    here = lightness(CAMERA)[38:43,188:193].mean()*100
    assert abs(lab[:,0].mean()-here) < 3
    apart = deltaE_ciede2000(lab[:,None], lab[None])
    assert apart[~np.eye(len(lab), dtype=bool)].min() > 9.3  # 10 but for the rounding of a grid and of bytes
    assert 0 < sum(o['probability'] for o in told['suggestions']) <= 1.001

def test_the_sky_may_be_blue_and_the_lawn_green(colorizer, camera):
    sky,lawn = (suggest(colorizer, camera, *at)[0].ab for at in ((190,40),(190,165)))
    assert sky[1] < -.08
    assert lawn[0] < 0 < lawn[1]

def test_a_suggestion_is_a_hint(colorizer, camera):
    "What was picked is what is seen there afterwards."
    picked = suggest(colorizer, camera, 190, 165, n=3)[-1]
    shown = colorizer.color_analysis(camera, ColorOptions(hints=[Hint(190, 165, picked.ab)]))
    seen = rgb2lab(shown[163:168,188:193]).mean((0,1))
    assert deltaE_ciede2000(np.r_[seen[0],picked.ab*110], seen) < 4

def test_the_palette_is_asked_once(colorizer, monkeypatch):
    asked = []
    whole = Palette.__call__
    monkeypatch.setattr(Palette, '__call__', lambda self, features: asked.append(1) or whole(self, features))
    analysis = colorizer.analyse(lightness(CAMERA))
    for at in ((20,30),(200,90),(20,30)): suggest(colorizer, analysis, *at)
    doubt(colorizer, analysis)
    assert len(asked) == 1

@pytest.mark.parametrize('args, words', [
    (('a.png', '--at', '256,3'), 'outside the picture, which is 256 x 256 pixels'),
    (('a.png', '--at', '12'), 'give the spot as X,Y'),
    (('a.png', '--at', '3,3', '--n', '0'), 'ask for 1 to 12'),
    (('a.png', '--at', '3,3', '--quality', 'fast', '--size', '7'), 'size is 7'),
    (('b.png', '--at', '3,3'), 'b.png')])
def test_what_cannot_be_suggested(run, tmp_path, args, words):
    put(tmp_path/'a.png', png(CAMERA))
    run('suggest', *args).says(2, words)

def test_a_model_without_a_palette_says_so(run, tmp_path, tiny):
    put(tmp_path/'a.png', png(CAMERA))
    run('suggest', 'a.png', '--at', '3,3', '--model', tiny).says(2, 'take the model default')
    colorizer = Colorizer.from_pretrained(tiny)
    with pytest.raises(ModelError, match='take the model default'): doubt(colorizer, colorizer.analyse(lightness(CAMERA)))

@pytest.mark.parametrize('shape', [(1,1), (3,300), (97,31), (400,9)])
def test_any_shape(colorizer, shape):
    "Also a pixel and strips: something is suggested, and the map of doubt is of the render's size."
    analysis = colorizer.analyse(np.random.default_rng(0).random(shape, np.float32))
    assert suggest(colorizer, analysis, shape[1]-1, shape[0]-1)
    d = doubt(colorizer, analysis)
    assert d.shape == analysis.renders[-1].L.shape
    for o in doubtful_spots(colorizer, analysis, d): assert 0 <= o.x < shape[1] and 0 <= o.y < shape[0]
    assert doubt_picture(colorizer, analysis, d).shape == (*shape,3)

# ---- doubt

def test_black_and_white_are_sure_and_gray_is_not(colorizer):
    "Three bands, as in a test chart; a plain gray band could be anything."
    bands = np.repeat(np.float32([[0],[.45],[1]]), 60, 0) + np.zeros((1,160), np.float32)
    sure = is_sure(colorizer, doubt(colorizer, colorizer.analyse(bands)))
    assert sure[:45].all() and sure[-45:].mean() > .9
    assert sure[75:105].mean() < .3

def test_doubt_is_about_the_color_that_is_shown(colorizer, camera):
    "A violet lawn is doubted more than a green one."
    ab = colorizer.auto_ab(camera).copy()
    lawn = np.s_[180:240,170:240]
    before = doubt(colorizer, camera)[lawn].mean()
    ab[:,*lawn] = np.float32([.4,-.4])[:,None,None]
    assert doubt(colorizer, camera, ab)[lawn].mean() > before+.1

def test_the_line_keeps_its_promise():
    "Over many draws, the share of wrong among what is called sure is what was allowed, on pixels that were not used."
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(40):
        d = rng.random(2000)
        wrong = rng.random(2000) < d
        line = surest(d[:1000], wrong[:1000], .1)
        shares.append(wrong[1000:][d[1000:] <= line].mean())
    assert abs(np.mean(shares)-.1) < .015

def test_spots_are_worth_a_click(colorizer, camera):
    "The spots are doubtful, and a hint at the first one, of the color that is there already, would settle the most."
    d = doubt(colorizer, camera)
    spots = doubtful_spots(colorizer, camera, d)
    assert 1 <= len(spots) <= 5
    assert all(d[int(o.y),int(o.x)] > np.median(d)*.8 for o in spots)
    assert doubtful_spots(colorizer, camera, np.zeros_like(d)) == []

def test_the_picture_of_doubt_stays_readable(colorizer, camera):
    "Gray where it is sure, tinted where it is not, as light and dark as the photo."
    d = doubt(colorizer, camera)
    picture = doubt_picture(colorizer, camera, d)
    colored = np.ptp(picture.astype(int), axis=2)
    assert colored[is_sure(colorizer, d)].max() <= 2
    assert colored[d > np.quantile(d, .9)].mean() > 25
    assert np.corrcoef(picture.mean(2).ravel(), CAMERA.ravel())[0,1] > .97

# ---- versions

@pytest.fixture(scope='module')
def six(colorizer, camera): return versions(colorizer, camera, 6)

def test_versions_have_names_and_differ(colorizer, camera, six):
    assert [o.name for o in six] == list('abcdef')[:len(six)]
    assert [o.label for o in six[:3]] == ['careful','normal','vivid']
    assert all(isinstance(o, Version) for o in six)
    careful,normal,vivid,*others = (colorizer.color_analysis(camera, o.options) for o in six)
    assert (normal == colorizer.color_analysis(camera, ColorOptions())).all()
    def chroma(px): return np.hypot(*rgb2lab(px)[...,1:].transpose(2,0,1)).mean()
    assert chroma(careful) < chroma(normal) < chroma(vivid)
    for o in others:
        moved = deltaE_ciede2000(rgb2lab(o), rgb2lab(normal)) > 5
        assert .005 < moved.mean() < .6  # a thing, not the picture

def test_other_worlds_are_clearly_other(colorizer, camera):
    shown = colorizer.auto_ab(camera)
    for color,hints in alternatives(colorizer, camera, 3):
        at = hints[0]
        there = shown[:,int(at.y),int(at.x)]
        assert deltaE_ciede2000(np.r_[50,at.ab*110], np.r_[50,there*110]) >= 14.9
        assert all((h.ab == at.ab).all() for h in hints)
        assert color.startswith('#')

def test_versions_keep_what_was_said(colorizer, camera):
    "Hints and vividness of the options are those of the normal version; the others build on them."
    said = ColorOptions(hints=[{'x':20, 'y':30, 'color':'navy'}], vividness=9)
    a,b,c,*others = versions(colorizer, camera, 4, said)
    assert b.options is said
    assert c.options.vividness == 10
    for o in (a,c,*others): assert o.options.hints[0] == said.hints[0]

def test_contact_sheet():
    "Rows of three, each picture over its label; tall and wide ones fit."
    tall = [np.full((300,100,3), v, np.uint8) for v in (10,90,200,250,30)]
    sheet = contact_sheet(tall, ['a: one','b: two','c','d','e'], 90)
    assert sheet.shape == (2*(90+22), 3*30, 3)
    assert (sheet[40,15], sheet[40,45], sheet[90+22+40,15])[0][0] == 10
    assert sheet[90+22+40,15,0] == 250
    assert (sheet[-40:,-30:] == 255).all()

def test_the_calibration_is_of_this_model():
    "The numbers in config.json have the names that the program needs."
    from colorfast.colorize.doubt import EVIDENCE
    from colorfast.runtime.folder import MODELS
    saved = json.loads((Path(MODELS)/'default/config.json').read_text())['doubt']
    assert set(saved) == {'weights','sure'} and 0 < saved['sure'] < 1
    assert list(saved['weights']) == ['constant',*EVIDENCE]
