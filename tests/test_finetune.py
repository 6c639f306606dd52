"`colorfast finetune`: an album in, a model folder and a report out, and the base untouched."
import json, os, signal, subprocess, sys, time
from pathlib import Path
import numpy as np, pandas as pd, pytest
from PIL import Image
from skimage import data

ROOT = Path(__file__).parents[1]
DEFAULT = ROOT/'colorfast/models/default'
ENV = {**os.environ, 'PYTHONPATH':str(ROOT), 'PYTHONDONTWRITEBYTECODE':'1'}
CMD = [sys.executable, '-m', 'colorfast.cli', 'finetune']

def run(cwd, code, *args, **kw):
    "What the command says on stderr; it ends with `code` and without a traceback."
    p = subprocess.run([*CMD, *map(str, args)], cwd=cwd, capture_output=True, text=True, **{'env':ENV, **kw})
    assert p.returncode == code and 'Traceback' not in p.stderr and not p.stdout, p.stderr
    return p.stderr

def quarters():
    "Different color pictures of at least 150 px."
    from colorfast.finetune.album import builtin_photos
    for f in builtin_photos():
        a = np.asarray(Image.open(f).convert('RGB')); h,w = (n//2 for n in a.shape[:2])
        for y in (0,1):
            for x in (0,1): yield a[y*h:(y+1)*h, x*w:(x+1)*w]

@pytest.fixture(scope='module')
def album(tmp_path_factory):
    d = tmp_path_factory.mktemp('finetune')/'album'; d.mkdir()
    for i,a in enumerate([*quarters()][::2]): Image.fromarray(a).save(d/f'{i:02}.jpg', quality=92)
    Image.fromarray(data.camera()).save(d/'scan.png'); (d/'00 copy.jpg').write_bytes((d/'00.jpg').read_bytes())
    (d/'cut.jpg').write_bytes((d/'01.jpg').read_bytes()[:5000]); (d/'IMG_1.HEIC').write_bytes(b'\0\0\0\x18ftypheic'+bytes(100))
    return d

def files(folder): return {o.name:o.read_bytes() for o in folder.iterdir() if o.is_file()}

def test_album_to_model_and_report(album):
    before,home = files(DEFAULT),album.parent
    said = run(home, 0, 'album', '-o', 'family', '--minutes', .03, '--scans', ROOT/'samples')
    out = home/'family'
    assert files(DEFAULT) == before and not (out/'.finetune').exists()
    assert {o.name for o in out.iterdir()} == {'config.json','model.safetensors','model.onnx','README.md','report.html','report.png','photos.csv','measured.csv'}
    t = pd.read_csv(out/'photos.csv', keep_default_na=False); result = {Path(f).name:r for f,r in zip(t.file, t.result)}
    assert {k:v for k,v in result.items() if v != 'kept'} == {'scan.png':'grey', '06.jpg':'grey', 'cut.jpg':'unreadable', 'IMG_1.HEIC':'unreadable', '00.jpg':'copy'}
    assert 'HEIC' in t.why[t.file.str.endswith('HEIC')].item() and '1 copy' in said
    told = json.loads((out/'config.json').read_text())['finetuned']; page = (out/'report.html').read_text()
    assert told['result'] in said and told['result'] in page and 'held-out photos' in told['result'] and page.count('data:image/png') >= 3
    if told['kept'] == 'base': assert (out/'model.safetensors').read_bytes() == before['model.safetensors'] and 'base model stays' in said
    colors = subprocess.run([sys.executable, '-m', 'colorfast.cli', 'predict', ROOT/'samples/portrait.jpg', '-o', 'colorized', '--model', 'family'], cwd=home, env=ENV)
    assert colors.returncode == 0 and np.ptp(np.asarray(Image.open(home/'colorized/portrait.jpg')).astype(int), axis=2).max() > 20
    assert 'already has' in run(home, 2, 'album', '-o', 'family')

def test_game_and_other_photos(album, tmp_path):
    "A judge who knows nothing (random weights) lets the game pass; nothing of it is printed. Photos of the album are no others."
    import timm, torch
    home = album.parent; torch.save(timm.create_model('tf_efficientnet_lite0').state_dict(), tmp_path/'judge.pth')
    (tmp_path/'others').mkdir()
    for i,a in enumerate([*quarters()][1::4]): Image.fromarray(a).save(tmp_path/f'others/{i}.png')
    assert 'weights of tf_efficientnet_lite0 are not on this computer' in run(home, 2, 'album', '-o', 'game', '--gan', env={**ENV, 'HF_HUB_OFFLINE':'1', 'HF_HOME':str(tmp_path)})
    args = 'album', '-o', 'game', '--minutes', .03, '--gan', '--judge', tmp_path/'judge.pth', '--rehearse'
    assert 'album is in the album: give' in run(home, 2, *args, 'album')
    (home/'2').mkdir(); Image.fromarray(data.cat()).save(home/'2/cat.png')
    assert 'holds 1 color photos that are not of the album: give at least 4' in run(home, 2, *args, '2') and not any((home/'game').iterdir())
    said = run(home, 0, *args, tmp_path/'others')
    assert all(o.startswith('colorfast:') for o in said.splitlines()) and (home/'game/model.onnx').exists(), said

def test_killed_and_resumed(album):
    home = album.parent; work = home/'killed/.finetune'
    p = subprocess.Popen([*CMD, 'album', '-o', 'killed', '--minutes', '.03', '-q'], cwd=home, env=ENV, stderr=subprocess.DEVNULL)
    while not (work/'part-0.pth').exists() and p.poll() is None: time.sleep(.02)
    p.kill(); p.wait(); assert not (home/'killed/config.json').exists()
    assert 'unfinished' in run(home, 2, 'album', '-o', 'killed')
    run(home, 0, 'album', '-o', 'killed', '--resume')
    assert (home/'killed/model.onnx').exists() and not work.exists()
    assert 'no unfinished' in run(home, 2, 'album', '-o', 'killed', '--resume', '--overwrite')

def test_ctrl_c_ends_with_what_was_best(album):
    home = album.parent; work = home/'stopped/.finetune'
    p = subprocess.Popen([*CMD, 'album', '-o', 'stopped', '--minutes', '60', '-q'], cwd=home, env=ENV, stderr=subprocess.PIPE, text=True)
    while not (work/'steps.txt').exists() and p.poll() is None: time.sleep(.02)
    time.sleep(1); p.send_signal(signal.SIGINT); said = p.communicate()[1]
    assert p.returncode == 0 and 'Stopped' in said and (home/'stopped/model.onnx').exists(), said

def test_full_disk(album):
    import resource
    limit = 30*10**6  # enough for the weights, not for a checkpoint
    said = run(album.parent, 2, 'album', '-o', 'full', '--minutes', .03, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit,limit)))
    assert 'cannot be read or written (' in said and not (album.parent/'full/config.json').exists()

@pytest.mark.parametrize('name,say', [('empty','no photos'), ('grey','holds 0 color photos to learn from (left out: 12 grey)'),
                                      ('same','holds 1 color photo to learn from (left out: 399 copy)'), ('burst','show only 1 different moments')])
def test_albums_that_teach_nothing(tmp_path, name, say):
    from colorfast.basics import PhotoError
    from colorfast.finetune.run import finetune
    d = tmp_path/name; d.mkdir()
    if name == 'grey':
        for i in range(12): Image.fromarray(data.camera()[9*i:,5*i:]).save(d/f'{i}.png')
    if name == 'same':
        Image.fromarray(data.cat()).save(d/'0.jpg')
        for i in range(1, 400): (d/f'{i}.jpg').write_bytes((d/'0.jpg').read_bytes())
    if name == 'burst':
        for i in range(12): ex = Image.Exif(); ex[306] = f'2020:01:01 10:00:{3*i:02}'; Image.fromarray(np.ascontiguousarray(data.astronaut()[20*i:20*i+200, 25*i:25*i+200])).save(d/f'{i}.jpg', exif=ex)
    with pytest.raises(PhotoError, match=say.replace('(', r'\(').replace(')', r'\)')): finetune(d, tmp_path/'out')
    assert not any((tmp_path/'out').iterdir())

def test_no_folder(tmp_path):
    assert 'nothing is not a folder' in run(tmp_path, 2, 'nothing', '-o', 'out')
    assert 'minutes is 0' in run(tmp_path, 2, '.', '-o', 'out', '--minutes', 0)

def test_no_write_permission(album):
    from colorfast.basics import ModelError
    from colorfast.finetune.run import finetune
    with pytest.raises(ModelError, match='/proc/family.* cannot be read or written'): finetune(album, '/proc/family') # not even root can
