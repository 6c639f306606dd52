"What is built holds all it needs, and an installation without extras colors, and says what it lacks."
import os, re, subprocess, sys, tarfile, venv, zipfile
from importlib.metadata import distribution
from pathlib import Path

import numpy as np, pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image

from project import ROOT, TORCH_FREE, copy_project, modules_of, numbers, run

CARD = 'fastai torch timm scikit-image pandas matplotlib typer'.split()
posix = pytest.mark.skipif(os.name != 'posix', reason='needs POSIX')

@pytest.fixture(scope='module')
def dist(tmp_path_factory):
    "Folder with an sdist and the wheel that is built from it."
    folder = copy_project(tmp_path_factory.mktemp('build'))
    run(sys.executable, '-m', 'build', '--no-isolation', cwd=folder)
    return folder/'dist'

@pytest.fixture(scope='module')
def wheel(dist): return next(dist.glob('*.whl'))

def requirements(wheel, extra=''):
    "Requirements of the wheel without extras, or with one."
    with zipfile.ZipFile(wheel) as z:
        metadata = next(n for n in z.namelist() if n.endswith('/METADATA'))
        found = re.findall(r'^Requires-Dist: (.*)$', z.read(metadata).decode(), re.M)
    return [r for r in map(Requirement, found) if not r.marker or r.marker.evaluate({'extra': extra})]

def names(requirements): return {canonicalize_name(r.name) for r in requirements}

def test_wheel_built_from_sdist_is_complete(dist, wheel):
    sdist = next(dist.glob('*.tar.gz'))
    with tarfile.open(sdist) as t: packed = {n.split('/', 1)[-1] for n in t.getnames()}
    assert {'settings.ini','LICENSE','README.md'} <= packed
    needed = [*(ROOT/'colorfast').rglob('*.py'), *(ROOT/'colorfast').glob('models/*/*')]
    held = zipfile.ZipFile(wheel).namelist()
    assert {f.relative_to(ROOT).as_posix() for f in needed} <= set(held)

def test_extras_complete_what_predicting_needs(wheel):
    base,train,cluster,docs,dev = (names(requirements(wheel, extra)) for extra in ('','train','cluster','docs','dev'))
    assert {'onnxruntime','av','pi-heif','typer'} <= base
    assert not base & {'torch','fastai','pandas','matplotlib'}
    assert set(CARD) <= train
    assert train | cluster | docs | {'nbdev','pytest'} <= dev

def installed(requirements, extras=('',), found=None):
    "`{(name, extras): distribution}` of what `requirements` name and what that needs in turn, as it is installed here."
    found = {} if found is None else found
    for r in requirements:
        key = canonicalize_name(r.name),frozenset(r.extras)
        unwanted = r.marker and not any(r.marker.evaluate({'extra':e}) for e in extras)
        if unwanted or key in found: continue
        found[key] = distribution(r.name)
        installed(map(Requirement, found[key].requires or []), ('', *r.extras), found)
    return found

def alone(*args, **kwargs):
    "Run with no packages but those of an environment."
    env = {k:v for k,v in os.environ.items() if k != 'PYTHONPATH'}
    return subprocess.run(args, capture_output=True, text=True, env=env, **kwargs)

@pytest.fixture(scope='module')
def base(wheel, tmp_path_factory):
    "Folder of the scripts of an environment that holds the wheel and what it requires, all else missing. Nothing is downloaded."
    folder = tmp_path_factory.mktemp('base')
    venv.create(folder, symlinks=True)
    r = alone(sys.executable, '-m', 'pip', '--python', folder/'bin/python', 'install', '-q', '--no-deps', '--no-index', wheel)
    assert r.returncode == 0, r.stderr
    packages = next(folder.glob('lib/python*/site-packages'))
    for found in installed(requirements(wheel)).values():
        for top in {f.parts[0] for f in found.files} - {'..','bin','__pycache__'}:
            if not (packages/top).exists(): (packages/top).symlink_to(found.locate_file(top))
    return folder/'bin'

def python_files(folder): return {f.relative_to(folder) for f in folder.rglob('*.py')}

@posix
def test_base_installation_holds_every_package(base, tmp_path):
    r = alone(base/'python', '-c', 'import colorfast; print(colorfast.__file__)', cwd=tmp_path)
    folder = Path(r.stdout.strip()).parent
    assert folder.is_relative_to(base.parent) and python_files(folder) == python_files(ROOT/'colorfast')

@posix
def test_base_installation_imports_what_needs_no_torch(base, tmp_path):
    light = [m for package in TORCH_FREE for m in modules_of(package)]
    code = ''.join(f'import colorfast.{m}\n' for m in light)
    r = alone(base/'python', '-c', code+"from importlib.util import find_spec\nprint(find_spec('torch'))", cwd=tmp_path)
    assert r.stdout == 'None\n', r.stderr

@posix
def test_base_installation_colors(base, tmp_path):
    stripes = np.tile(np.arange(96, dtype=np.uint8), (64,1))
    first,*rest = [Image.fromarray(np.roll(stripes, i)) for i in range(3)]
    first.save(tmp_path/'a.png')
    first.save(tmp_path/'b.gif', save_all=True, append_images=rest)
    r = alone(base/'colorfast', 'predict', 'a.png', 'b.gif', cwd=tmp_path)
    assert r.returncode == 0 and 'colored 1 photo and 1 film' in r.stderr, r.stderr

NEED_TRAIN = {
    'finetune': 'finetune album -o out',
    'train': 'train album -o out',
    'evaluate': 'evaluate default album -o out',
    'explain': 'explain album/a.png -o out.png',
    'prepare': 'prepare album -o out',
    'export': 'export learner.pkl -o out --trust-pickle',
    'pickle': 'predict album --model learner.pkl --trust-pickle',
    'device': 'predict album --device torch'}

@posix
@pytest.mark.parametrize('name', NEED_TRAIN)
def test_command_that_needs_an_extra_says_so(base, tmp_path, name):
    (tmp_path/'album').mkdir()
    Image.fromarray(np.zeros((64,64,3), np.uint8)).save(tmp_path/'album/a.png')
    (tmp_path/'learner.pkl').touch()
    r = alone(base/'colorfast', *NEED_TRAIN[name].split(), cwd=tmp_path)
    assert r.returncode == 2 and len(r.stderr.splitlines()) == 1, r.stderr
    assert "pip install 'colorfast[train]'" in r.stderr
    assert sorted(f.name for f in tmp_path.iterdir()) == ['album','learner.pkl']

@posix
@pytest.mark.parametrize('package', sorted({m.split('.')[0] for m in numbers()} - set(TORCH_FREE)))
def test_importing_what_needs_an_extra_says_so(base, tmp_path, package):
    r = alone(base/'python', '-c', f'import colorfast.{modules_of(package)[0]}', cwd=tmp_path)
    assert r.returncode == 1 and r.stderr.splitlines()[-1].endswith("pip install 'colorfast[train]'"), r.stderr
