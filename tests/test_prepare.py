"`colorfast prepare`: messy folders in, tidy trees and a report out."
import csv, os, subprocess, sys, time
from pathlib import Path

import cv2, numpy as np, pytest
from PIL import Image
from skimage import color as skcolor, data as skdata
from typer.testing import CliRunner

from colorfast.command.app import app
from colorfast.photo.read import open_photo
from colorfast.prepare import prepare

ROOT = Path(__file__).parents[1]
CAT,SPACE,GREY = skdata.cat(),skdata.astronaut(),skdata.camera()
ENV = {**os.environ, 'PYTHONPATH':str(ROOT), 'OMP_NUM_THREADS':'1'}
CMD = [sys.executable, '-m', 'colorfast.cli']

def run(cwd, code, *args):
    "What the command says on stderr; it ends with `code` and without a traceback."
    p = subprocess.run([*CMD, *map(str, args)], cwd=cwd, capture_output=True, text=True, env=ENV)
    assert p.returncode == code and 'Traceback' not in p.stderr, p.stderr
    return p.stderr

def put(path, a, **kw): path.parent.mkdir(parents=True, exist_ok=True); Image.fromarray(a).save(path, **kw)
def tree(folder): return {o.relative_to(folder).as_posix():o.read_bytes() for o in folder.rglob('*') if o.is_file()}
def table(path):
    with open(path, newline='') as f: return list(csv.DictReader(f))

@pytest.fixture
def album(tmp_path):
    d = tmp_path/'album'
    put(d/'cat/a.png', CAT); put(d/'cat/B.JPEG', CAT[:,:150]); put(d/'space/walk/c.webp', SPACE); put(d/'top.bmp', SPACE[:64,:48])
    turned = Image.Exif(); turned[274] = 6
    put(d/'cat/turned.jpg', CAT, exif=turned)
    cv2.imwrite(str(d/'space/deep.png'), SPACE[...,::-1].astype(np.uint16)*257)
    put(d/'cat/old.png', GREY); put(d/'.hidden/x.jpg', CAT)
    (d/'space/text.jpg').write_text('hello'); (d/'space/cut.jpg').write_bytes((d/'cat/turned.jpg').read_bytes()[:4000]); (d/'notes.txt').write_text('hello')
    return d

NAMES = ['cat/B.jpg','cat/a.jpg','cat/turned.jpg','space/deep.jpg','space/walk/c.jpg','top.jpg']

def test_messy_folder(tmp_path, album):
    said = run(tmp_path, 1, 'prepare', 'album', '-o', 'out', '--size', 96)
    assert [o in said for o in ('text.jpg: not a picture','cut.jpg: damaged','old.png: left out, not in color','prepared 6 photos in out, left out 1 not in color, 2 failed')] == [True]*4
    assert sorted(tree(tmp_path/'out')) == sorted([f'{k}/{n}' for k in ('color','gray') for n in NAMES] + ['photos.csv','report.csv','report.png'])
    for n in NAMES:
        c,g = open_photo(tmp_path/'out/color'/n),open_photo(tmp_path/'out/gray'/n)
        assert c.size == g.size == (96,96) and c.is_color and g.pixels.ndim == 2
        assert np.abs(skcolor.rgb2lab(c.pixels)[...,0]-skcolor.rgb2lab(np.dstack([g.pixels]*3))[...,0]).mean() < .6  # JPEG included
    high = open_photo(tmp_path/'out/color/cat/turned.jpg').pixels.max(2) > 40
    assert high[:,48].all() and high[48].sum() == pytest.approx(96*300/451, abs=3)  # a standing picture with borders at its sides

def test_report_is_right(tmp_path, album):
    run(tmp_path, 1, 'prepare', 'album', '-o', 'out')
    rows = {Path(r['file']).relative_to('album').as_posix():r for r in table(tmp_path/'out/photos.csv')}
    assert len(rows) == 9
    assert [rows['cat/turned.jpg'][k] for k in ('class','width','height','aspect','result')] == ['cat','300','451','0.6652','kept']
    assert rows['space/walk/c.webp']['class'] == 'space/walk' and rows['top.bmp']['class'] == '.'
    assert rows['cat/old.png']['result'] == 'grey' and rows['space/text.jpg']['result'] == 'failed' and 'not a picture' in rows['space/text.jpg']['error']
    classes = {r['class']:r for r in table(tmp_path/'out/report.csv')}
    assert list(classes)[0] == 'cat' and list(classes)[-1] == 'all'
    assert [classes['cat'][k] for k in ('photos','kept','grey','failed','share','smallest','largest')] == ['4','3','1','0','0.5','300','451']
    assert float(classes['cat']['aspect']) == pytest.approx((451/300 + 150/300 + 300/451)/3, abs=1e-3)
    assert [classes['all'][k] for k in ('photos','kept','grey','failed')] == ['9','6','1','2']
    assert open_photo(tmp_path/'out/report.png').is_color

def test_goes_on_after_a_kill(tmp_path):
    "What a killed run leaves is whole, is kept, and is completed to what an uninterrupted run writes."
    for i in range(60): put(tmp_path/f'album/{i%3}/{i:02}.png', SPACE[i*4:i*4+250,i*4:i*4+200])
    p = subprocess.Popen([*CMD, 'prepare', 'album', '-o', 'out'], cwd=tmp_path, stderr=subprocess.DEVNULL, env=ENV)
    while p.poll() is None and len(list((tmp_path/'out').rglob('*.jpg'))) < 7: time.sleep(.01)
    p.kill(); p.wait()
    there = {o:(o.read_bytes(),o.stat().st_mtime_ns) for o in (tmp_path/'out').rglob('*.jpg')}
    run(tmp_path, 0, 'prepare', 'album', '-o', 'out'); run(tmp_path, 0, 'prepare', 'album', '-o', 'fresh')
    assert len(there) >= 7 and {o:(o.read_bytes(),o.stat().st_mtime_ns) for o in there} == there
    assert {k:v for k,v in tree(tmp_path/'out').items() if not k.endswith('.tmp')} == tree(tmp_path/'fresh')

def test_missing_half_is_made_again(tmp_path):
    put(tmp_path/'album/a.png', CAT); put(tmp_path/'album/b.png', SPACE)
    prepare(tmp_path/'album', tmp_path/'out'); before = tree(tmp_path/'out')
    (tmp_path/'out/color/a.jpg').unlink(); times = (tmp_path/'out/gray/a.jpg').stat().st_mtime_ns
    prepare(tmp_path/'album', tmp_path/'out')
    assert tree(tmp_path/'out') == before and (tmp_path/'out/gray/a.jpg').stat().st_mtime_ns == times

def test_prepared_greys_are_colored_by_predict(tmp_path, tiny):
    put(tmp_path/'album/cat/a.png', CAT); put(tmp_path/'album/b.png', SPACE)
    run(tmp_path, 0, 'prepare', 'album', '-o', 'out'); run(tmp_path, 0, 'predict', 'out/gray', '-o', 'again', '--model', tiny)
    assert sorted(tree(tmp_path/'again')) == ['b.jpg','cat/a.jpg']

def test_same_name_twice(tmp_path):
    put(tmp_path/'album/cat/a.jpg', CAT); put(tmp_path/'album/cat/a.png', SPACE)
    assert 'a.png: its copy would take the place of that of album' in run(tmp_path, 1, 'prepare', 'album', '-o', 'out').replace(os.sep, '/')
    assert list(tree(tmp_path/'out/color')) == ['cat/a.jpg'] and [(r['class'],r['result']) for r in table(tmp_path/'out/photos.csv')] == [('cat','kept'),('cat','failed')]

def test_output_inside_the_photos(tmp_path):
    put(tmp_path/'album/a.png', CAT)
    for _ in range(2): run(tmp_path, 0, 'prepare', 'album', '-o', 'album/out')
    assert len(table(tmp_path/'album/out/photos.csv')) == 1

@pytest.mark.parametrize('args,says', [
    (('nothing','-o','out'), 'nothing is not a folder'), (('album/a.png','-o','out'), 'is not a folder'), (('empty','-o','out'), 'no photos'),
    (('album','-o','out','--size',5), 'size is 5'), (('album','-o','album'), 'its own place'), (('album','-o','notes'), 'notes is a file'),
    (('album','-o','mine'), 'mine/photos.csv is not from an earlier run'), (('album','-o','done','--size',64), '32 x 32 pixels, not 64')])
def test_wrong_use(tmp_path, monkeypatch, args, says):
    monkeypatch.chdir(tmp_path)
    put(tmp_path/'album/a.png', CAT); put(tmp_path/'done/color/a.jpg', CAT[:32,:32])
    (tmp_path/'empty').mkdir(); (tmp_path/'mine').mkdir(); (tmp_path/'mine/photos.csv').write_text('mine'); (tmp_path/'notes').touch()
    before = tree(tmp_path)
    r = CliRunner().invoke(app, ['prepare', *map(str, args)])
    assert r.exit_code == 2 and says in r.stderr.replace(os.sep, '/')
    assert tree(tmp_path) == before

def test_runs_without_torch(tmp_path):
    put(tmp_path/'album/a.png', CAT)
    code = "import sys, colorfast.prepare as p; p.prepare('album', 'out'); print([m for m in ('torch','fastai') if m in sys.modules])"
    assert subprocess.run([sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True, env=ENV).stdout.strip() == '[]'
