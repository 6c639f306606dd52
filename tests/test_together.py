"`Together`: the same thing in several photos of a folder."
import json, warnings
from pathlib import Path
import numpy as np, pytest
from PIL import Image
from skimage import data as skdata
from colorfast.basics import HintError, Note, UsageError
from colorfast.color import rgb2lab
from colorfast.colorize.colorizer import Colorizer
from colorfast.colorize.hints import hints_beside
from colorfast.colorize.options import ColorOptions
from colorfast.colorize.together import Together
from colorfast.photo.read import open_photo

BLUE = '#3050a0'

def gray(a): return np.array(Image.fromarray(a).convert('L'))

def ab(a): return rgb2lab(a.transpose(2,0,1).astype(np.float32)/255)[1:]

@pytest.fixture(scope='module')
def default(): return Colorizer.from_pretrained('default')

CUP = np.ascontiguousarray(skdata.coffee()[::2,::2])
# the second one is darker, and shows less on the left and more on the right
FIRST,SECOND = CUP[:,:230], CUP[10:190,30:290]//5*4

@pytest.fixture
def folder(tmp_path):
    "Two gray photos of a cup, a cat, and what real folders hold besides."
    tmp_path = tmp_path/'photos'
    tmp_path.mkdir()
    for name,a in (('cup',FIRST),('again',SECOND),('cat',skdata.chelsea()[::2,::2])): Image.fromarray(gray(a)).save(tmp_path/f'{name}.png')
    (tmp_path/'broken.jpg').write_bytes(b'\xff\xd8\xff')
    (tmp_path/'film.mp4').write_bytes(b'\0\0\0\x18ftypmp42')
    return tmp_path

def files(folder): return sorted(o for o in folder.iterdir() if o.suffix != '.json')

def colored(c, together, fn): return c.color(open_photo(fn), ColorOptions(hints_beside(fn)), lenders=[together.lender(fn)])

def test_who_takes_from_whom(default, folder):
    "One cup leads, the other follows; what fits nothing is as it would be alone, to the last bit."
    together = Together.from_files(default, files(folder))
    takes = {fn.stem:together.lender(fn).source for fn in files(folder)}
    assert sorted([takes['cup'],takes['again']]) in (['','again.png'],['','cup.png'])
    assert takes['cat'] == takes['broken'] == takes['film'] == ''
    leader = 'cup' if not takes['cup'] else 'again'
    for name in ('cat',leader):
        fn = folder/f'{name}.png'
        assert (colored(default, together, fn) == default.color(open_photo(fn))).all()

def apart(a, b):
    "Mean distance of the colors of what both pictures of the cup show."
    return np.hypot(*(ab(a)[:,10:190,30:230]-ab(b)[:,:,:200])).mean()

def test_more_alike(default, folder):
    "What both photos show has colors that are closer together than alone."
    together = Together.from_files(default, files(folder))
    cups = [folder/'cup.png', folder/'again.png']
    alone = [default.color(open_photo(fn)) for fn in cups]
    shared = [colored(default, together, fn) for fn in cups]
    assert apart(*shared) < .7*apart(*alone)

def test_a_hint_reaches_the_others(default, folder):
    "Told beside one photo, seen in the other one, whatever agrees; and not in the cat."
    (folder/'cup.hints.json').write_text(json.dumps([{'x':150, 'y':165, 'color':BLUE}]))
    together = Together.from_files(default, files(folder))
    assert together.lender(folder/'again.png').source == 'cup.png' and together.lender(folder/'cat.png').source == ''
    before = default.color(open_photo(folder/'again.png'))
    after = colored(default, together, folder/'again.png')
    change = ab(after)-ab(before)
    assert change[1].min() < -.15  # bluer somewhere
    assert ab(colored(default, together, folder/'cup.png'))[1,165,150] < -.15

def test_a_photo_in_color_lends_its_own(default, folder):
    Image.fromarray(FIRST).save(folder/'cup.png')
    together = Together.from_files(default, files(folder))
    assert together.lender(folder/'again.png').source == 'cup.png' and together.lender(folder/'cup.png').source == ''
    alone = default.color(open_photo(folder/'again.png'))
    shared = colored(default, together, folder/'again.png')
    assert np.abs(ab(shared)-ab(SECOND)).mean() < .75*np.abs(ab(alone)-ab(SECOND)).mean()

def test_other_sizes(default, folder):
    "What was seen at the model's own size serves each size and quality."
    together = Together.from_files(default, files(folder), size=2000)
    follower = next(fn for fn in files(folder) if together.lender(fn).source)
    for kw in ({'size':96}, {'quality':'best'}):
        out = default.color(open_photo(follower), lenders=[together.lender(follower)], **kw)
        assert out.shape[:2] == open_photo(follower).pixels.shape[:2]

def test_one_photo_alone(default, folder):
    with pytest.warns(Note, match='One photo alone'): together = Together.from_files(default, [folder/'cat.png', folder/'broken.jpg'])
    assert together.lender(folder/'cat.png').borrow(None) is None

def test_nothing_in_common(default, folder):
    with pytest.warns(Note, match='None of the 2 photos'): Together.from_files(default, [folder/'cat.png', folder/'cup.png'])

BAD_HINTS = [('{}','cup.hints.json: Hints are a list'), ('[{"x":9999,"y":1,"color":"red"}]','cup.png: The hint at x=9999')]

@pytest.mark.parametrize('text,said', BAD_HINTS)
def test_wrong_hints(default, folder, text, said):
    (folder/'cup.hints.json').write_text(text)
    with pytest.raises(HintError, match=said): Together.from_files(default, files(folder))

def test_too_many(default):
    with pytest.raises(UsageError, match='1001 photos are too many'): Together.from_files(default, map('{}.png'.format, range(1001)))

def test_by_the_command(folder, run):
    "With the hint of the one photo the other one is another picture than alone; the cat's file is the same, to the last byte."
    (folder/'broken.jpg').unlink()
    (folder/'film.mp4').unlink()
    (folder/'cup.hints.json').write_text(json.dumps([{'x':150, 'y':165, 'color':BLUE}]))
    for out,more in (('alone',[]), ('out',['--together'])): run('predict', folder, '-o', out, *more, model='default').says(0)
    def same(name): return Path('out',name).read_bytes() == Path('alone',name).read_bytes()
    assert same('cat.png') and not same('again.png')

@pytest.mark.slow
def test_memory_of_five_hundred(tmp_path):
    "What 100 photos take beyond the model, five times, and the model stay under 1.5 GB; in a process of its own."
    import subprocess, sys
    from conftest import env
    rng = np.random.default_rng(0)
    pictures = [getattr(skdata, name)() for name in ('astronaut','coffee','chelsea','rocket')]
    for i in range(100):
        a = pictures[i%4]
        y,x = (rng.integers(0, n//4+1) for n in a.shape[:2])
        Image.fromarray(gray(a)[y:y+a.shape[0]*3//4, x:x+a.shape[1]*3//4]).resize((320,320)).save(tmp_path/f'{i}.png')
    code = f'''from pathlib import Path
from colorfast.colorize.colorizer import Colorizer
from colorfast.colorize.together import Together
def peak(): return next(int(l.split()[1])/1024 for l in open('/proc/self/status') if l.startswith('VmHWM'))
files = sorted(Path({str(tmp_path)!r}).iterdir())
colorizer = Colorizer.from_pretrained('default')
Together.from_files(colorizer, files[:4])
few = peak()
Together.from_files(colorizer, files)
print(few, peak())'''
    p = subprocess.run([sys.executable, '-c', code], env=env(), capture_output=True, text=True, check=True)
    few,many = map(float, p.stdout.split())
    assert few + 5*(many-few) < 1500, p.stdout
