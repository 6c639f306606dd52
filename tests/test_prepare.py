"`colorfast prepare`: messy folders in, tidy trees and a report out."
import csv, os, subprocess, sys, time
from pathlib import Path
import cv2, numpy as np, pytest
from PIL import Image
from skimage import color as skcolor, data as skdata
from typer.testing import CliRunner
from colorfast.cli import app
from colorfast.photo.read import open_photo
from colorfast.prepare import prepare

ROOT = Path(__file__).parents[1]
CAT = skdata.cat()
SPACE = skdata.astronaut()
GRAY = skdata.camera()
ENV = {**os.environ, 'PYTHONPATH':str(ROOT), 'OMP_NUM_THREADS':'1'}
CMD = [sys.executable, '-m', 'colorfast.cli']

def run(cwd, code, *args):
    "What the command says on stderr in a process of its own; it ends with `code` and without a traceback."
    p = subprocess.run([*CMD, *map(str, args)], cwd=cwd, capture_output=True, text=True, env=ENV)
    assert p.returncode == code and 'Traceback' not in p.stderr, p.stderr
    return p.stderr

def said(code, *args):
    "The same in this process, in the working folder."
    r = CliRunner().invoke(app, [*map(str, args)])
    assert r.exit_code == code and (r.exception is None or isinstance(r.exception, SystemExit)), r.exception
    return r.stderr.replace(os.sep, '/')

def put(path, a, **kw):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(a).save(path, **kw)

def tree(folder): return {o.relative_to(folder).as_posix():o.read_bytes() for o in folder.rglob('*') if o.is_file()}

def table(path):
    with open(path, newline='') as f: return list(csv.DictReader(f))

@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path

@pytest.fixture
def album(here):
    d = here/'album'
    put(d/'cat/a.png', CAT)
    put(d/'cat/B.JPEG', CAT[:,:150])
    put(d/'space/walk/c.webp', SPACE)
    put(d/'top.bmp', SPACE[:64,:48])
    turned = Image.Exif()
    turned[274] = 6
    put(d/'cat/turned.jpg', CAT, exif=turned)
    cv2.imwrite(str(d/'space/deep.png'), SPACE[...,::-1].astype(np.uint16)*257)
    put(d/'cat/old.png', GRAY)
    put(d/'.hidden/x.jpg', CAT)
    (d/'space/text.jpg').write_text('hello')
    (d/'space/cut.jpg').write_bytes((d/'cat/turned.jpg').read_bytes()[:4000])
    (d/'notes.txt').write_text('hello')
    return d

NAMES = ['cat/B.jpg','cat/a.jpg','cat/turned.jpg','space/deep.jpg','space/walk/c.jpg','top.jpg']

def lightness(rgb): return skcolor.rgb2lab(rgb)[...,0]

def test_messy_folder(here, album):
    text = run(here, 1, 'prepare', 'album', '-o', 'out', '--size', 96)
    for words in ('text.jpg: not a picture', 'cut.jpg: damaged', 'old.png: left out, not in color',
                  'prepared 6 photos in out, left out 1 not in color, 2 failed'): assert words in text
    want = [f'{k}/{n}' for k in ('color','gray') for n in NAMES] + ['photos.csv','report.csv','report.png']
    assert sorted(tree(here/'out')) == sorted(want)
    for n in NAMES:
        color,gray = (open_photo(here/'out'/k/n) for k in ('color','gray'))
        assert color.size == gray.size == (96,96) and color.is_color and gray.pixels.ndim == 2
        assert np.abs(lightness(color.pixels)-lightness(np.dstack([gray.pixels]*3))).mean() < .6  # JPEG included
    bright = open_photo(here/'out/color/cat/turned.jpg').pixels.max(2) > 40
    assert bright[:,48].all() and bright[48].sum() == pytest.approx(96*300/451, abs=3)  # a standing picture with borders at its sides

def test_report_is_right(here, album):
    said(1, 'prepare', 'album', '-o', 'out')
    rows = {Path(r['file']).relative_to('album').as_posix():r for r in table(here/'out/photos.csv')}
    assert len(rows) == 9
    turned = [rows['cat/turned.jpg'][k] for k in ('class','width','height','aspect','result')]
    assert turned == ['cat','300','451','0.6652','kept']
    assert rows['space/walk/c.webp']['class'] == 'space/walk' and rows['top.bmp']['class'] == '.'
    assert rows['cat/old.png']['result'] == 'grey'
    assert rows['space/text.jpg']['result'] == 'failed' and 'not a picture' in rows['space/text.jpg']['error']
    classes = {r['class']:r for r in table(here/'out/report.csv')}
    assert list(classes)[0] == 'cat' and list(classes)[-1] == 'all'
    cat = [classes['cat'][k] for k in ('photos','kept','grey','failed','share','smallest','largest')]
    assert cat == ['4','3','1','0','0.5','300','451']
    assert float(classes['cat']['aspect']) == pytest.approx((451/300 + 150/300 + 300/451)/3, abs=1e-3)
    assert [classes['all'][k] for k in ('photos','kept','grey','failed')] == ['9','6','1','2']
    assert open_photo(here/'out/report.png').is_color

def test_goes_on_after_a_kill(here):
    "What a killed run leaves is whole, is kept, and is completed to what an uninterrupted run writes."
    for i in range(60): put(here/f'album/{i%3}/{i:02}.png', SPACE[i*4:i*4+250,i*4:i*4+200])
    p = subprocess.Popen([*CMD, 'prepare', 'album', '-o', 'out'], cwd=here, stderr=subprocess.DEVNULL, env=ENV)
    while p.poll() is None and len(list((here/'out').rglob('*.jpg'))) < 7: time.sleep(.01)
    p.kill()
    p.wait()
    def state(o): return o.read_bytes(), o.stat().st_mtime_ns
    there = {o:state(o) for o in (here/'out').rglob('*.jpg')}
    said(0, 'prepare', 'album', '-o', 'out')
    said(0, 'prepare', 'album', '-o', 'fresh')
    assert len(there) >= 7 and {o:state(o) for o in there} == there
    assert {k:v for k,v in tree(here/'out').items() if not k.endswith('.tmp')} == tree(here/'fresh')

def test_missing_half_is_made_again(here):
    put(here/'album/a.png', CAT)
    put(here/'album/b.png', SPACE)
    prepare(here/'album', here/'out')
    before = tree(here/'out')
    (here/'out/color/a.jpg').unlink()
    time_of_gray = (here/'out/gray/a.jpg').stat().st_mtime_ns
    prepare(here/'album', here/'out')
    assert tree(here/'out') == before and (here/'out/gray/a.jpg').stat().st_mtime_ns == time_of_gray

def test_prepared_grays_are_colored_by_predict(here, tiny):
    put(here/'album/cat/a.png', CAT)
    put(here/'album/b.png', SPACE)
    said(0, 'prepare', 'album', '-o', 'out')
    said(0, 'predict', 'out/gray', '-o', 'again', '--model', tiny)
    assert sorted(tree(here/'again')) == ['b.jpg','cat/a.jpg']

def test_same_name_twice(here):
    put(here/'album/cat/a.jpg', CAT)
    put(here/'album/cat/a.png', SPACE)
    assert 'a.png: its copy would take the place of that of album' in said(1, 'prepare', 'album', '-o', 'out')
    assert list(tree(here/'out/color')) == ['cat/a.jpg']
    assert [(r['class'],r['result']) for r in table(here/'out/photos.csv')] == [('cat','kept'),('cat','failed')]

def test_output_inside_the_photos(here):
    put(here/'album/a.png', CAT)
    for _ in range(2): said(0, 'prepare', 'album', '-o', 'album/out')
    assert len(table(here/'album/out/photos.csv')) == 1

@pytest.mark.parametrize('args,says', [
    (('nothing','-o','out'), 'nothing is not a folder'), (('album/a.png','-o','out'), 'is not a folder'),
    (('empty','-o','out'), 'no photos'),
    (('album','-o','out','--size',5), 'size is 5'), (('album','-o','album'), 'its own place'), (('album','-o','notes'), 'notes is a file'),
    (('album','-o','mine'), 'mine/photos.csv is not from an earlier run'), (('album','-o','done','--size',64), '32 x 32 pixels, not 64')])
def test_wrong_use(here, args, says):
    put(here/'album/a.png', CAT)
    put(here/'done/color/a.jpg', CAT[:32,:32])
    for folder in ('empty','mine'): (here/folder).mkdir()
    (here/'mine/photos.csv').write_text('mine')
    (here/'notes').touch()
    before = tree(here)
    assert says in said(2, 'prepare', *args)
    assert tree(here) == before

def test_runs_without_torch(here):
    put(here/'album/a.png', CAT)
    code = "import sys, colorfast.prepare as p; p.prepare('album', 'out'); print([m for m in ('torch','fastai') if m in sys.modules])"
    p = subprocess.run([sys.executable, '-c', code], cwd=here, capture_output=True, text=True, env=ENV)
    assert p.stdout.strip() == '[]'

@pytest.mark.parametrize('missing', ['pandas','matplotlib'])
def test_without_the_training_extra(here, monkeypatch, missing):
    "The module loads; what its report needs is said before any work."
    put(here/'album/a.png', CAT)
    monkeypatch.setitem(sys.modules, missing, None)
    assert f"needs {missing}: pip install 'colorfast[train]'" in said(2, 'prepare', 'album', '-o', 'out')
    assert not (here/'out').exists()
