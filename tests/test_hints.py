"Hints: where they land, how they are written in a file, and what is wrong with one."
import json
import numpy as np, pytest
from PIL import Image
from skimage import color as skcolor

from colorfast.basics import HintError
from colorfast.color import AB_SCALE
from colorfast.colorize.colorizer import Colorizer
from colorfast.colorize.hints import Hint, Stroke, hint_mask, hint_planes, point_hints, read_hints

lab = skcolor.rgb2lab

@pytest.fixture(scope='module')
def c(tiny): return Colorizer.from_pretrained(tiny, device='cpu')

def lab_of(rgb): return lab(np.array([[rgb]], dtype=np.uint8))[0,0]

# ---- on the photo

@pytest.mark.parametrize('quality', ('fast','best'))
def test_hint_is_where_it_was_put(c, quality):
    gray = np.full((300,600), 210, np.uint8)
    gray[20:140,460:590] = 120
    red = [{'x':550,'y':40,'color':'#a03030'}]
    plain = c.predict(gray, quality=quality)
    out = c.predict(gray, hints=red, quality=quality)
    want = lab_of((0xa0,0x30,0x30))[1:]
    assert np.abs(lab(out)[40,550,1:]-want).max() < 4
    assert np.abs(lab(out)[130,470,1:]-want).max() < 8, 'the whole box is red'
    moved = np.abs(lab(out)-lab(plain)).max(-1)
    assert max(moved[:,:430].max(), moved[180:].max()) < 3

def test_hints_count_in_the_upright_photo(c, tmp_path):
    ex = Image.Exif()
    ex[274] = 6
    gray = np.full((200,400), 210, np.uint8)
    gray[:,200:] = 120
    Image.fromarray(gray).save(tmp_path/'side.png', exif=ex)
    out = np.asarray(c.predict(tmp_path/'side.png', hints=[{'x':20,'y':380,'color':'blue'}])).astype(int)
    assert out.shape == (400,200,3)
    assert out[380,20,2]-out[380,20,0] > 60 > out[20,20,2]-out[20,20,0]
    with pytest.raises(HintError, match='200 x 400'): c.predict(tmp_path/'side.png', hints=[{'x':380,'y':20,'color':'blue'}])

def test_hint_color_survives_calibration(c):
    strong = Colorizer(c.net, {**c.config, 'calibration':{'saturation':1.5}})
    gray = np.full((128,128), 120, np.uint8)
    hints = [{'x':60,'y':60,'color':'#a03030'}]
    a,b = (lab(o.predict(gray, hints=hints))[60,60] for o in (strong,c))
    assert np.abs(a-b).max() < 1

@pytest.mark.parametrize('shape,points', [((1,1),[(0,0)]), ((1,5000),[(4999,0),(4999.9,.9)]), ((700,500),[(0,0),(499,699)])])
def test_hint_at_the_edge(shape, points):
    h,w = (min(n,64) for n in shape)
    for x,y in points:
        mask = hint_planes(read_hints([{'x':x,'y':y,'color':'red'}]), shape, (h,w))[2]
        rows,columns = (np.flatnonzero(mask.any(i)) for i in (1,0))
        assert 1 <= len(rows) <= 4 and 1 <= len(columns) <= 4
        assert (0 if y < shape[0]/2 else h-1) in rows
        assert (0 if x < shape[1]/2 else w-1) in columns

@pytest.mark.parametrize('shape', ((1,1), (1,5000), (48,48), (333,500), (1000,700)))
def test_last_half_pixel(c, shape):
    "The right and lower edge of the last pixel, where a click can land, and the first point beyond."
    H,W = shape
    gray = np.full(shape, 120, np.uint8)
    for x,y in ((W-.4,0), (0,H-.4), (np.nextafter(W,0),np.nextafter(H,0))):
        assert c.predict(gray, hints=[{'x':x,'y':y,'color':'red'}]).shape == (*shape,3)
    for x,y in ((W,0), (0,H), (-.01,0), (1e300,0)):
        with pytest.raises(HintError, match='outside the picture'): c.predict(gray, hints=[{'x':x,'y':y,'color':'red'}])

# ---- lines and polygons

SIDES = [(60,40),(200,40),(200,160),(60,160)] # of a rectangle

@pytest.mark.parametrize('quality', ('fast','best'))
def test_all_of_a_polygon_is_told(c, quality):
    "Whatever lies in it, and a point beside it cannot take its color; lightness is the photo's."
    gray = np.random.default_rng(0).integers(90, 150, (300,400), np.uint8)
    hints = [{'polygon':SIDES,'color':'#a03030'}, {'x':210,'y':100,'color':'green'}]
    out = lab(c.predict(gray, hints=hints, quality=quality))
    want = lab_of((0xa0,0x30,0x30))[1:]
    inside = out[48:152,68:192]
    assert np.abs(inside[...,1:]-want).max() < 6 and np.abs(inside[...,1:]-want).mean() < 1
    assert np.abs(out[...,0]-lab(np.stack([gray]*3, -1))[...,0]).mean() < 1

def test_line_tells_its_thing(c):
    "Two boxes, one crossed by a line."
    gray = np.full((300,600), 210, np.uint8)
    gray[40:260,40:260] = gray[40:260,340:560] = 120
    out = lab(c.predict(gray, hints=[{'line':[[60,60],[150,200],[240,60]],'color':'#a03030'}]))
    want = lab_of((0xa0,0x30,0x30))[1:]
    for y,x in ((60,60),(130,105),(200,150),(240,240)): assert np.abs(out[y,x,1:]-want).max() < 8
    plain = lab(c.predict(gray))
    assert np.abs(out[:,340:]-plain[:,340:]).max() < 4

@pytest.mark.parametrize('color', ('gray','grey','Gray','#808080','black','white','rgb(7,7,7)'))
def test_gray_is_no_color_and_no_lightness(c, color):
    hint, = read_hints([{'x':60,'y':60,'color':color}])
    assert (hint.ab == 0).all()
    gray = np.full((128,128), 120, np.uint8)
    assert np.abs(c.predict(gray, hints=[hint])[60,60].astype(int)-120).max() <= 1

def test_later_hint_on_the_same_pixels_counts(c):
    gray = np.full((128,128), 120, np.uint8)
    box = [[30,30],[100,30],[100,100],[30,100]]
    for colors in (('red','blue'),('blue','red')):
        out = c.predict(gray, hints=[{'polygon':box,'color':o} for o in colors])
        r,_,b = out[65,65].astype(int)
        assert (r > b) == (colors[1] == 'red')

def test_hints_share_a_thing_by_nearness(c):
    gray = np.full((100,300), 120, np.uint8)
    out = lab(c.predict(gray, hints=[{'x':40,'y':50,'color':'#a03030'}, {'x':260,'y':50,'color':'#3030a0'}]))
    b = out[50,:,2]
    assert b[40] > 20 and b[260] < -40 and b[40] > b[100] > b[200] > b[260]

@pytest.mark.parametrize('points,closed,size', [
    ([(0,0),(9,0)], False, 10), ([(0,0),(9,9)], False, 10), ([(0,0),(9,0),(9,9)], False, 19), ([(3,3),(3,3)], False, 1),
    ([(0,0),(9,0),(9,9),(0,9)], True, 100), ([(2,2),(5,2),(5,5),(2,5),(2,2)], True, 16)])
def test_pixels_of_a_stroke(points, closed, size):
    assert hint_mask(Stroke(tuple(points), closed, np.zeros(2)), (10,10), (10,10)).sum() == size

def test_strokes_of_one_pixel(c):
    "A photo so small that all is one pixel."
    for hint in ({'line':[[0,0],[.4,.4]],'color':'red'}, {'polygon':[[0,0],[.5,0],[.5,.5]],'color':'red'}):
        assert c.predict(np.full((1,1), 120, np.uint8), hints=[hint]).shape == (1,1,3)

def test_strokes_as_points():
    "Films follow points: on the line, in the polygon."
    corner = [[0,0],[90,0],[90,9],[9,9],[9,90],[0,90]]
    line,bent = read_hints([{'line':[[0,0],[100,0]],'color':'red','time':3}, {'polygon':corner,'color':'blue'}])
    points = point_hints([line,bent])
    assert [(o.x,o.y,o.time) for o in points[:5]] == [(x,0,3) for x in (0,25,50,75,100)]
    assert max(points[5][:2]) < 90 and min(points[5][:2]) < 9

@pytest.mark.parametrize('key', ('line','polygon'))
def test_strokes_beyond_the_photo(c, key):
    gray = np.full((60,80), 120, np.uint8)
    for x,y in ((80,10),(10,60),(-1,10),(1e4,10)):
        with pytest.raises(HintError, match='outside the picture, which is 80 x 60'):
            c.predict(gray, hints=[{key:[[5,5],[70,5],[x,y]],'color':'red'}])
    edge = [[5,5],[np.nextafter(80, 0),5],[5,np.nextafter(60, 0)]]
    assert c.predict(gray, hints=[{key:edge,'color':'red'}]).shape == (60,80,3)

def test_strokes_that_were_read_can_be_given_again(c):
    gray = np.full((64,64), 120, np.uint8)
    hints = read_hints([{'polygon':[[5,5],[20,5],[9,30]],'color':'red'}])
    assert (c.predict(gray, hints=hints) == c.predict(gray, hints=[{'polygon':[[5,5],[20,5],[9,30]],'color':'red'}])).all()

# ---- files, as version 0.1 took them

def ab_of(rgb): return lab_of(rgb)[1:]/AB_SCALE

@pytest.mark.parametrize('text,rgb', [
    ('"#7a1f2b"', (0x7a,0x1f,0x2b)), ('"#7A1F2B"', (0x7a,0x1f,0x2b)), ('"#abc"', (0xaa,0xbb,0xcc)),
    ('"navy"', (0,0,128)), ('"Navy"', (0,0,128)), ('"rgb(10,20,200)"', (10,20,200)), ('"rgb(0%,50%,100%)"', (0,128,255)),
    ('"hsl(120,100%,50%)"', (0,255,0)), ('"#7a1f2bff"', (0x7a,0x1f,0x2b))])
def test_colors_in_a_hints_file(tmp_path, text, rgb):
    fn = tmp_path/'h.json'
    fn.write_text(f'[{{"x": 3, "y": 4.5, "color": {text}}}]', encoding='utf-8')
    hint, = read_hints(fn)
    assert (hint.x, hint.y, hint.time) == (3, 4.5, None)
    assert np.abs(hint.ab-ab_of(rgb)).max() < 2e-3

@pytest.mark.parametrize('text,times', [
    ('[]', []),
    ('null', []),
    ('\n [ {"color":"red", "y":1, "x":2} ]\n', [None]),
    ('[{"x":1,"y":1,"color":"red","time":2.5}, {"x":1,"y":1,"color":"red","time":0}]', [2.5,0]),
    ('[{"x":1,"y":1,"color":"red","time":null}]', [None])])
def test_hints_files_of_version_0_1(tmp_path, monkeypatch, text, times):
    "By name, by path, and in the home folder; the content itself says the same."
    fn = tmp_path/'Großmutter.json'
    fn.write_text(text, encoding='utf-8')
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.setenv('USERPROFILE', str(tmp_path))
    for hints in (fn, str(fn), '~/Großmutter.json', json.loads(text)):
        got = read_hints(hints)
        assert [h.time for h in got] == times
        assert all(isinstance(h, Hint) for h in got)

def test_hints_that_were_read_can_be_given_again(c):
    "Read once, used for many photos, as lists or as plain tuples."
    gray = np.full((64,64), 120, np.uint8)
    hints = read_hints([{'x':5,'y':5,'color':'red'}])
    want = c.predict(gray, hints=[{'x':5,'y':5,'color':'red'}])
    for o in (hints, tuple(hints), [tuple(h) for h in hints]): assert (c.predict(gray, hints=o) == want).all()

@pytest.mark.parametrize('text,says', [
    ('[', 'not JSON'),
    ('\udcff', 'not JSON'),
    ('['*10**5, 'not JSON'),
    ('{"x":1}', 'list'),
    ('5', 'list'),
    ('"a"', 'list'),
    ('[1]', 'Hint 1'),
    ('[{"x":1,"y":1}]', 'Hint 1'),
    ('[{"x":1,"y":1,"color":"red"},{"x":1,"y":1,"color":"blurple"}]', "Hint 2 has the unknown color 'blurple'"),
    ('[{"x":1,"y":1,"color":7}]', 'unknown color'),
    ('[{"x":"1","y":1,"color":"red"}]', 'numbers'),
    ('[{"x":NaN,"y":1,"color":"red"}]', 'numbers'),
    ('[{"x":true,"y":1,"color":"red"}]', 'numbers'),
    ('[{"x":1'+'0'*400+',"y":1,"color":"red"}]', 'numbers'),
    ('[{"x":1,"y":1,"color":"red","time":1'+'0'*400+'}]', 'the time'),
    ('[{"x":1,"y":1,"color":"red","tiem":2}]', 'also with "time"'),
    ('[{"x":1,"y":1,"color":"red","time":1e308}]', 'the time 1e'),
    ('[{"x":1,"y":1,"color":"red","time":-1}]', 'the time -1'),
    ('[{"x":1,"y":1,"color":"' + 'r'*10**5 + '"}]', 'unknown color .{1,40}: write'),
    ('[{"x":' + '['*500 + ']'*500 + ',"y":1,"color":"red"}]', 'numbers'),
    ('[{"x":1,"y":1,"line":[[1,1],[2,2]],"color":"red"}]', 'Hint 1 is'),
    ('[{"line":[[1,1],[2,2]]}]', 'Hint 1 is'),
    ('[{"line":[[1,1]],"color":"red"}]', '2 to 500 points'),
    ('[{"line":5,"color":"red"}]', '2 to 500 points'),
    ('[{"line":[[1,1],[2]],"color":"red"}]', '2 to 500 points'),
    ('[{"line":[[1,1],[2,"x"]],"color":"red"}]', 'numbers'),
    ('[{"line":' + str([[1,1]]*501) + ',"color":"red"}]', '2 to 500 points'),
    ('[{"polygon":[[1,1],[2,2]],"color":"red"}]', '3 to 500 points'),
    ('[{"polygon":[[1,1],[2,2],[3,3]],"color":"red"}]', 'nothing inside'),
    ('[{"polygon":[[1,1],[1,1],[1,1]],"color":"red"}]', 'nothing inside'),
    ('[{"polygon":[[0,0],[9,9],[9,0],[0,9]],"color":"red"}]', 'sides of the polygon of hint 1 cross'),
    ('[{"polygon":[[0,0],[1e308,1e308],[-1e308,1e308],[1e308,0]],"color":"red"}]', 'sides of the polygon'),
    ('[' + ','.join(['{"x":1,"y":1,"color":"red"}']*201) + ']', 'There are 201 hints: give at most 200')])
def test_bad_hint_files(tmp_path, text, says):
    fn = tmp_path/'h.json'
    fn.write_text(text, encoding='utf-8', errors='surrogateescape')
    with pytest.raises(HintError, match=says) as e: read_hints(fn)
    assert len(str(e.value)) < 400
