"The `colorfast` command as its users meet it: real files, good and bad, and real processes where the process is the point."
import io, json, os, shutil, signal, struct, subprocess, sys, time, zlib
from pathlib import Path

import numpy as np, pytest
from PIL import Image
from skimage import color as skcolor, data as skdata

from colorfast.colorize.colorizer import Colorizer
from conftest import CMD, env, pixels, png, posix, put, run_on_terminal, tree

GRAY = skdata.camera()[::2,::2]
CAT = skdata.cat()

def colored(model, gray=GRAY, **kw): return Colorizer.from_pretrained(model).predict(gray, **kw)

# ---- what it is for

def test_nothing_is_written_behind_ones_back(run_process, tmp_path):
    "Not even by the libraries below: ONNX Runtime's telemetry would leave a device's number in the home folder and send it."
    home,temp = (tmp_path/n for n in ('home','temp'))
    for folder in (home,temp): folder.mkdir()
    put(tmp_path/'a.png', png(GRAY))
    quiet_about_tests = {'CI':'', 'GITHUB_ACTIONS':'', 'PYTEST_CURRENT_TEST':'', 'PYTEST_VERSION':''}
    places = {'HOME':str(home), 'XDG_CACHE_HOME':str(home/'.cache'), 'TMPDIR':str(temp)}
    run_process('predict', 'a.png', variables={**quiet_about_tests, **places}).says(0, 'colored 1 photo')
    assert tree(home) == tree(temp) == []

def test_files_and_folders(run_process, tmp_path, tiny):
    "Files, folders with their tree, hidden files and other files left alone; the same pixels as from the library."
    for n in ('scans/a.png','scans/1931/b.png','scans/1931/c.PNG','scans/.hidden.png'): put(tmp_path/n, png(GRAY))
    put(tmp_path/'scans/notes.txt', b'hello')
    put(tmp_path/'d.jpg', png(GRAY, 'JPEG'))
    run_process('predict', 'scans', 'd.jpg').says(0, 'colored 4 photos into colorized')
    assert tree(tmp_path/'colorized') == ['1931/b.png','1931/c.PNG','a.png','d.jpg']
    assert (pixels(tmp_path/'colorized/1931/b.png') == colored(tiny)).all()

def test_second_run_goes_on(run, tmp_path):
    for n in 'abc': put(tmp_path/f'{n}.png', png(GRAY))
    a = tmp_path/'out/a.png'
    def when_and_where(): return a.stat().st_mtime_ns, a.stat().st_ino
    run('predict', 'a.png', 'b.png', '-o', 'out').says(0)
    before = when_and_where()
    (tmp_path/'out/b.png').unlink()
    r = run('predict', 'a.png', 'b.png', 'c.png', '-o', 'out')
    r.says(0, 'colored 2 photos', 'skipped 1 (1 already there, --overwrite does them again)')
    assert before == when_and_where()
    run('predict', 'a.png', '-o', 'out', '--overwrite', '--vividness', '0').says(0, 'colored 1 photo into')
    assert (pixels(a) == np.dstack([GRAY]*3)).all()

def test_photos_in_color_are_skipped(run, tmp_path):
    put(tmp_path/'cat.png', png(CAT))
    put(tmp_path/'a.png', png(GRAY))
    run('predict', 'cat.png', 'a.png').says(0, 'cat.png: skipped, already in color', 'colored 1 photo', '1 already in color')
    assert tree(tmp_path/'colorized') == ['a.png']
    run('predict', 'cat.png', '--all').says(0, 'colored 1 photo')
    assert tree(tmp_path/'colorized') == ['a.png','cat.png']

def test_options_reach_the_model(run, tmp_path, tiny):
    put(tmp_path/'a.png', png(GRAY))
    run('predict', 'a.png', '--vividness', '1.5', '--size', '64', '--quality', 'best').says(0)
    assert (pixels(tmp_path/'colorized/a.png') == colored(tiny, vividness=1.5, size=64, quality='best')).all()

def test_json_and_quiet(run, tmp_path):
    put(tmp_path/'a.png', png(GRAY))
    put(tmp_path/'b.png', b'')
    put(tmp_path/'cat.png', png(CAT))
    r = run('predict', 'a.png', 'b.png', 'cat.png', '--json', '--quiet').says(1)
    d = json.loads(r.out)
    assert d['colored'] == [{'src':'a.png', 'dst':str(Path('colorized/a.png'))}]
    assert d['skipped'][0]['why'] == 'already in color'
    assert d['failed'][0]['src'] == 'b.png'
    assert r.err.strip() == 'colorfast: '+d['failed'][0]['error']
    r = run('predict', 'a.png', '-q').says(0)
    assert not r.err and not r.out

# ---- pipes

def test_pipe(run_process, tmp_path, tiny):
    r = run_process('predict', '-', input=png(GRAY)).says(0)
    assert (pixels(r.out) == colored(tiny)).all()
    assert Image.open(io.BytesIO(r.out)).format == 'PNG' and not r.err

def test_pipe_keeps_the_format(run, tiny):
    r = run('predict', '-', '-o', '-', input=png(GRAY, 'WEBP', lossless=True)).says(0)
    assert Image.open(io.BytesIO(r.out)).format == 'WEBP'
    assert (pixels(r.out) == colored(tiny)).all()

def test_pipe_and_file(run, tmp_path, tiny):
    want = colored(tiny)
    run('predict', '-', '-o', 'new/out.bmp', input=png(GRAY)).says(0)
    assert (pixels(tmp_path/'new/out.bmp') == want).all()
    assert pixels(run('predict', tmp_path/'new/out.bmp', '-o', '-', '--all').says(0).out).shape == want.shape
    run('predict', '-', '-o', 'new/out.bmp', input=png(GRAY)).says(0, 'already there')
    d = json.loads(run('predict', '-', '-o', 'b.png', '--json', input=png(GRAY)).says(0).out)
    assert d['colored'] == [{'src':'-', 'dst':'b.png'}]

def test_color_passes_through_a_pipe(run):
    r = run('predict', '-', input=png(CAT)).says(0, 'already in color')
    assert (pixels(r.out) == CAT).all()
    assert not (pixels(run('predict', '-', '--all', input=png(CAT)).says(0).out) == CAT).all()

@pytest.mark.parametrize('data', (b'', b'hello', png(GRAY, 'JPEG')[:3000]), ids=('empty','text','cut'))
def test_bad_pipe(run, data):
    r = run('predict', '-', input=data).says(1)
    assert not r.out and len(r.err.splitlines()) == 1

@pytest.mark.parametrize('args,says', [
    (('-','a.png'), 'one photo'),
    (('-','-o','folder'), 'is a folder'),
    (('-','--json'), '--json'),
    (('a.png','b.png','-o','-'), 'one photo'),
    (('-','-','-o','out'), 'one photo'),
    (('folder','-o','-'), 'is a folder')])
def test_wrong_pipes(run, tmp_path, args, says):
    (tmp_path/'folder').mkdir()
    put(tmp_path/'a.png', png(GRAY))
    assert not run('predict', *args, input=png(GRAY)).says(2, says).out

@posix
def test_pipe_that_is_closed(tiny):
    pipe = subprocess.PIPE
    p = subprocess.Popen([*CMD, 'predict', '-', '--model', str(tiny)], stdin=pipe, stdout=pipe, stderr=pipe, env=env())
    p.stdout.close()
    p.stdin.write(png(GRAY))
    p.stdin.close()
    err = p.stderr.read()
    p.stderr.close()
    assert p.wait() == 1 and b'Traceback' not in err

@pytest.mark.skipif(not Path('/dev/full').exists(), reason='needs /dev/full')
def test_pipe_that_is_full(run_process):
    with open('/dev/full', 'wb') as full:
        run_process('predict', '-', input=png(GRAY), stdout=full).says(1, 'stdout: No space left', 'write to a file')

# ---- bad photos

def png_chunk(kind, data): return struct.pack('>I', len(data)) + kind+data + struct.pack('>I', zlib.crc32(kind+data))

def bomb():
    "A PNG of 10 kilobytes that says it holds 2.5 gigapixels."
    header = struct.pack('>IIBBBBB', 50000, 50000, 8, 0, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + png_chunk(b'IHDR', header) + png_chunk(b'IDAT', zlib.compress(b'\0'*10**7)) + png_chunk(b'IEND', b'')

BAD = {'cut.jpg': png(GRAY, 'JPEG')[:4000],
       'cut.png': png(GRAY)[:4000],
       'empty.jpg': b'',
       'text.jpg': b'My grandmother in 1931',
       'page.jpg': b'<!DOCTYPE html><html></html>',
       'bomb.png': bomb(),
       'heic.jpg': b'\0\0\0\x18ftypheic\0\0\0\0'+b'\0'*99,
       'head.tif': b'II*\0\x08\0\0\0'}

def test_bad_photos_are_named_and_the_rest_is_done(run, tmp_path):
    good = {'a.png':png(GRAY), 'z.jpg':png(GRAY, 'JPEG')}
    for n,data in {**BAD, **good}.items(): put(tmp_path/'in'/n, data)
    r = run('predict', 'in').says(1, 'colored 2 photos', f'{len(BAD)} failed')
    for n in BAD: assert sum(n in line for line in r.err.splitlines()) == 1, r.err
    assert len(r.err.splitlines()) == len(BAD)+1
    assert tree(tmp_path/'colorized') == ['a.png','z.jpg']

@pytest.mark.parametrize('name', BAD)
def test_one_bad_photo(run, tmp_path, name):
    put(tmp_path/name, BAD[name])
    assert name in run('predict', name, '-q').says(1).err
    assert not tree(tmp_path/'colorized')

def test_exit_status_of_one_bad_photo(run_process, tmp_path):
    "In a process, where C libraries could print as well."
    put(tmp_path/'cut.jpg', BAD['cut.jpg'])
    r = run_process('predict', 'cut.jpg', '-q').says(1, 'cut.jpg')
    assert len(r.err.splitlines()) == 1 and not r.out

def test_odd_sizes(run, tmp_path):
    shapes = (1,1),(1,5000),(5000,1),(3,2)
    names = [f'{i}.png' for i in range(len(shapes))]
    for n,s in zip(names, shapes): put(tmp_path/n, png(np.full(s, 128, np.uint8)))
    run('predict', *names).says(0, 'colored 4')
    for n,s in zip(names, shapes): assert pixels(tmp_path/'colorized'/n).shape == (*s,3)

def test_names_that_collide(run, tmp_path):
    for n in ('x/a.jpg','y/a.jpg'): put(tmp_path/n, png(GRAY, 'JPEG'))
    put(tmp_path/'x/a.png', png(GRAY))
    run('predict', 'x', 'y').says(1, str(Path('x/a.jpg')), str(Path('y/a.jpg')), 'colored 2 photos')
    assert tree(tmp_path/'colorized') == ['a.jpg','a.png']

def test_not_over_the_photos_themselves(run, tmp_path):
    before = put(tmp_path/'in/a.png', png(GRAY)).read_bytes()
    run('predict', 'in', '-o', 'in', '--overwrite').says(2, 'own place')
    assert (tmp_path/'in/a.png').read_bytes() == before
    assert tree(tmp_path) == ['in/a.png']

def test_nothing_to_do(run, tmp_path):
    (tmp_path/'empty').mkdir()
    put(tmp_path/'a.png', png(GRAY))
    run('predict', 'empty').says(2, 'empty: no photos in this folder')
    run('predict', 'nope.jpg').says(2, 'nope.jpg: no such file')
    run('predict', 'nope.jpg', 'a.png').says(1, 'nope.jpg: no such file', 'colored 1 photo')

def test_output_that_cannot_be(run, tmp_path):
    put(tmp_path/'a.png', png(GRAY))
    put(tmp_path/'file', b'mine')
    for out in ('file','file/below'): run('predict', 'a.png', '-o', out).says(2, 'is a file')
    assert (tmp_path/'file').read_bytes() == b'mine'

@pytest.mark.skipif(os.name != 'posix' or os.geteuid() == 0, reason='needs an ordinary user')
def test_output_without_permission(run, tmp_path):
    put(tmp_path/'a.png', png(GRAY))
    (tmp_path/'locked').mkdir(mode=0o500)
    for out in ('locked','locked/below'): run('predict', 'a.png', '-o', out).says(2, 'cannot be written')

@posix
def test_disk_full(run_process, tmp_path):
    "Simulated by the largest size of file that the system lets the process write."
    import resource
    def limit(): resource.setrlimit(resource.RLIMIT_FSIZE, (20000,20000))
    noise = np.random.default_rng(0).integers(0, 255, (300,300), dtype=np.uint8)
    put(tmp_path/'big.png', png(noise))
    put(tmp_path/'small.png', png(np.full((30,30), 99, np.uint8)))
    r = run_process('predict', 'big.png', 'small.png', preexec_fn=limit, variables={'PYTHONDONTWRITEBYTECODE':'1'})
    r.says(1, 'big.png', 'disk is full', 'colored 1 photo')
    assert [p.name for p in (tmp_path/'colorized').iterdir()] == ['small.png']

# ---- hints

def test_hint_moves_the_color_where_it_is(run, tmp_path):
    two = np.full((200,400), 210, np.uint8)
    two[:,300:] = 120
    put(tmp_path/'a.png', png(two))
    put(tmp_path/'h.json', b'[{"x":350,"y":30,"color":"#7a1f2b"}]')
    run('predict', 'a.png').says(0)
    run('predict', 'a.png', '-o', 'hinted', '--hints', 'h.json').says(0)
    plain,hinted = (skcolor.rgb2lab(pixels(tmp_path/o/'a.png'))[...,1:] for o in ('colorized','hinted'))
    red = skcolor.rgb2lab(np.array([[[0x7a,0x1f,0x2b]]], dtype=np.uint8))[0,0,1:]
    assert np.abs(hinted[30,350]-red).max() < 3 < np.abs(plain[30,350]-red).max()
    assert np.abs(plain-hinted)[:,:250].max() < 3

def test_hints_outside_the_picture(run, tmp_path):
    small = png(GRAY[:50,:50])
    put(tmp_path/'small.png', small)
    put(tmp_path/'big.png', png(GRAY))
    put(tmp_path/'h.json', b'[{"x":200,"y":80,"color":"navy"}]')
    says = 'small.png: The hint at x=200, y=80 is outside the picture, which is 50 x 50 pixels'
    run('predict', 'small.png', 'big.png', '--hints', 'h.json').says(1, says, 'colored 1')
    assert tree(tmp_path/'colorized') == ['big.png']
    assert not run('predict', '-', '--hints', 'h.json', input=small).says(1, 'outside the picture').out

@pytest.mark.parametrize('data,says', [
    (b'[{"x":1,"y":2,"color":"blurple"}]', "unknown color 'blurple'"),
    (b'[{"x":1', 'not JSON'),
    (b'\xff\xfe\0', 'not JSON'),
    (b'[{"x":1}]', 'Hint 1'),
    (None, 'cannot be read')])
def test_bad_hints(run, tmp_path, data, says):
    put(tmp_path/'a.png', png(GRAY))
    if data is not None: put(tmp_path/'h.json', data)
    run('predict', 'a.png', '--hints', 'h.json').says(2, says)
    assert not (tmp_path/'colorized').exists()

# ---- wrong usage

def check_wrong_usage(run, folder, args):
    put(folder/'a.png', png(GRAY))
    r = run(*args, model=None).says(2)
    assert r.err.strip() and not r.out and tree(folder) == ['a.png']

@pytest.mark.parametrize('args', [
    ('predict',),
    ('predict','a.png','--quality','great'),
    ('predict','a.png','--size','5'),
    ('predict','a.png','--size','big'),
    ('predict','a.png','--vividness','-1'),
    ('predict','a.png','--vividness','nan'),
    ('predict','a.png','--device','tpu'),
    ('predict','a.png','--colour'),
    ('colour','a.png'),
    ('export','x.pkl'),
    ('train','nope','-o','m')])
def test_wrong_usage(run, tmp_path, args): check_wrong_usage(run, tmp_path, args)

def test_exit_status_of_wrong_usage(run_process, tmp_path): check_wrong_usage(run_process, tmp_path, ('predict','a.png','--vividness','-1'))

HTML = b'<!DOCTYPE html><html><body>404</body></html>'

@pytest.mark.parametrize('file,data,says', [
    ('config.json', None, 'no config.json'),
    ('config.json', HTML, 'not JSON'),
    ('model.safetensors', HTML, 'web page'),
    ('model.onnx', HTML, 'web page'),
    ('model.onnx', b'\x08\x0a\x12\x99', 'damaged')])
def test_damaged_model(run, tmp_path, tiny, file, data, says):
    put(tmp_path/'a.png', png(GRAY))
    shutil.copytree(tiny, tmp_path/'m')
    (tmp_path/'m'/file).unlink(missing_ok=True)
    if data is not None: put(tmp_path/'m'/file, data)
    run('predict', 'a.png', model='m').says(2, says)
    assert not (tmp_path/'colorized').exists()

def test_unknown_models(run, tmp_path):
    put(tmp_path/'a.png', png(GRAY))
    put(tmp_path/'family.pkl', b'cos\nsystem\n(S"touch owned"\ntR.')
    run('predict', 'a.png', model='defualt').says(2, "no model 'defualt'", 'built-in')
    run('predict', 'a.png', model='family.pkl').says(2, '--trust-pickle')
    run('export', 'family.pkl', '-o', 'm').says(2, '--trust-pickle')
    run('export', 'nope.pkl', '-o', 'm', '--trust-pickle').says(2, 'no file nope.pkl')
    assert tree(tmp_path) == ['a.png','family.pkl']

def test_info(run, tiny):
    text = run('info', tiny).says(0).out.decode()
    for word in ('size: 128','psnr: 21.5','model.safetensors: missing'): assert word in text
    assert json.loads(run('info', tiny, '--json').says(0).out) == json.loads((tiny/'config.json').read_text())
    run('info', 'no-such-model').says(2, 'There is no model')

def test_version_and_help(run):
    from colorfast import __version__
    assert run('--version').says(0).out.decode().strip() == f'colorfast {__version__}'
    text = run('--help').says(0).out.decode()
    for c in ('predict','export','info','train'): assert c in text

# ---- processes

HEAVY = {'torch','fastai','timm','matplotlib','pandas','huggingface_hub','scipy','skimage'}

def test_only_what_is_needed_is_imported(tmp_path, tiny):
    "A prediction without torch, a help text without even numpy."
    put(tmp_path/'a.png', png(GRAY))
    def loaded(*args):
        timed = [sys.executable, '-X', 'importtime', *CMD[1:], *args]
        p = subprocess.run(timed, cwd=tmp_path, capture_output=True, text=True, env=env(), check=True)
        return {line.rsplit('|', 1)[-1].strip().split('.')[0] for line in p.stderr.splitlines() if line.startswith('import time')}
    assert not loaded('predict', 'a.png', '--model', str(tiny)) & HEAVY
    assert not loaded('--help') & {'torch','fastai','numpy','cv2','PIL','onnxruntime'}

def test_a_mistake_of_ours_is_shown(run, tmp_path, tiny):
    "A model that breaks on one photo: traceback, and the other photo is done."
    import onnx
    shutil.copytree(tiny, tmp_path/'m')
    m = onnx.load(tiny/'model.onnx')
    for i in (2,3): m.graph.input[0].type.tensor_type.shape.dim[i].dim_value = 32
    onnx.save(m, tmp_path/'m/model.onnx')
    put(tmp_path/'a.png', png(GRAY))
    put(tmp_path/'b.png', png(GRAY[:32,:32]))
    r = run('predict', 'a.png', 'b.png', model='m')
    assert r.code == 1
    for words in ('Traceback','a.png: a mistake in colorfast itself','colored 1 photo'): assert words in r.err
    assert tree(tmp_path/'colorized') == ['b.png']

def test_names_outside_ascii(run_process, tmp_path):
    for n in ('Großmutter 1931.png','祖母.png'):
        put(tmp_path/n, png(GRAY))
        put(tmp_path/('x'+n), b'')
    ascii_only = {'PYTHONIOENCODING':'ascii', 'LC_ALL':'C', 'PYTHONUTF8':'1'}
    r = run_process('predict', *[o.name for o in tmp_path.iterdir()], '--json', variables=ascii_only).says(1)
    assert len(json.loads(r.out)['colored']) == 2
    assert len(tree(tmp_path/'colorized')) == 2

def wait_for(path, seconds=60):
    end = time.time()+seconds
    while time.time() < end and not path.exists(): time.sleep(.02)

@posix
@pytest.mark.parametrize('sig,code', [(signal.SIGINT,130), (signal.SIGTERM,143)])
def test_stopped_half_way(run, tmp_path, tiny, sig, code):
    "What is there is whole, nothing else is there, and the next run does the rest."
    big = np.kron(GRAY, np.ones((6,6), np.uint8))
    data = png(big, compress_level=1)
    for i in range(12): put(tmp_path/f'in/{i:02}.png', data)
    pipe = subprocess.PIPE
    args = [*CMD, 'predict', 'in', '--model', str(tiny)]
    p = subprocess.Popen(args, cwd=tmp_path, stdout=pipe, stderr=pipe, env=env(), start_new_session=True)
    wait_for(tmp_path/'colorized/00.png')
    p.send_signal(sig)
    out,err = p.communicate(timeout=60)
    assert p.returncode == code and b'Traceback' not in err, err
    if sig == signal.SIGINT: assert b'stopped' in err
    done = [o.name for o in (tmp_path/'colorized').iterdir()]
    assert 0 < len(done) < 12 and all(n.endswith('.png') and n[0] != '.' for n in done)
    for n in done: assert pixels(tmp_path/'colorized'/n).shape == (*big.shape,3)
    for o in (tmp_path/'in').iterdir(): o.write_bytes(png(GRAY))  # the rest need not be large
    run('predict', 'in').says(0, f'colored {12-len(done)} photos', f'{len(done)} already there')

@posix
def test_progress_on_a_terminal(tmp_path, tiny):
    "A bar on a terminal that goes to stderr; results as ever."
    for n in 'ab': put(tmp_path/f'{n}.png', png(GRAY))
    code,out,seen = run_on_terminal(['predict', 'a.png', 'b.png', '--model', tiny], tmp_path)
    assert code == 0 and out == b''
    assert b'Coloring' in seen and b'colored 2 photos' in seen

# ---- learners

@pytest.fixture(scope='module')
def pickled(tmp_path_factory):
    "An exported `colorize_learner` with a small generator."
    import torch
    from colorfast.train.data import ColorizeDataLoaders
    from colorfast.train.learner import colorize_learner
    path = tmp_path_factory.mktemp('learner')
    for i in range(4): put(path/f'photos/{i}.png', png(np.roll(CAT, 50*i, 1)))
    dls = ColorizeDataLoaders.from_folder(path/'photos', size=64, bs=2, valid_pct=.5, num_workers=0)
    torch.manual_seed(0)
    learn = colorize_learner(dls, 'tf_efficientnet_lite0', decoder='chroma', dims=(16,8,8,8), pretrained=False)
    torch.nn.init.normal_(learn.model.net.head.weight, std=.1)
    learn.path = path
    learn.export('learn.pkl')
    return path/'learn.pkl'

def test_export(run, tmp_path, pickled):
    "The learner and the folder made from it give the same colors."
    put(tmp_path/'a.png', png(GRAY))
    run('export', pickled, '-o', 'm', '--trust-pickle', '--size', '128').says(0, 'wrote m')
    assert tree(tmp_path/'m') == ['README.md','config.json','model.onnx','model.safetensors']
    run('export', pickled, '-o', 'm', '--trust-pickle').says(2, 'already has')
    run('predict', 'a.png', model='m').says(0)
    run('predict', 'a.png', '-o', 'b', '--trust-pickle', '--size', '128', model=pickled).says(0)
    a,b = (pixels(tmp_path/o/'a.png').astype(int) for o in ('colorized','b'))
    assert np.abs(a-b).max() <= 2 and np.ptp(a, axis=2).max() > 10

def test_not_a_learner(run, tmp_path):
    put(tmp_path/'a.png', png(GRAY))
    put(tmp_path/'x.pkl', HTML)
    run('predict', 'a.png', '--trust-pickle', model='x.pkl').says(2, 'x.pkl cannot be loaded')
