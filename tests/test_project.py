"Notebooks and modules agree, modules import downwards and only what they need, and what is built holds all it needs."
import ast, json, re, shutil, subprocess, sys, tarfile, zipfile
from functools import cache
from pathlib import Path
import pytest

ROOT = Path(__file__).parents[1]
LIGHT = 'color basics photo runtime colorize video prepare command cli'.split()
FILES = 'pyproject.toml settings.ini setup.py MANIFEST.in README.md LICENSE colorfast nbs'.split()

@pytest.fixture
def copy(tmp_path):
    "The project without what git or an installation left beside it."
    for f in FILES:
        if (ROOT/f).is_dir(): shutil.copytree(ROOT/f, tmp_path/f, ignore=shutil.ignore_patterns('__pycache__', '.ipynb_checkpoints'))
        else: shutil.copy(ROOT/f, tmp_path/f)
    return tmp_path

def run(*args, cwd):
    r = subprocess.run(args, cwd=cwd, capture_output=True, text=True)
    assert r.returncode==0, r.stderr
    return r.stdout
def script(name): return shutil.which(name, path=Path(sys.executable).parent)
def contents(folder, glob): return {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob(glob)}

@cache
def numbers():
    "`{module: number}` of every notebook that exports one."
    src = {p.name: ''.join(''.join(c['source'])+'\n' for c in json.loads(p.read_text(encoding='utf-8'))['cells'] if c['cell_type']=='code')
           for p in (ROOT/'nbs').glob('*.ipynb')}
    return {m[1]: int(n[:2]) for n,s in src.items() if (m:=re.search(r'^#\| *default_exp ([\w.]+)', s, re.M))}

def path(module): return ROOT/'colorfast'/f'{module.replace(".", "/")}.py'

def full_name(node, module):
    "What an import statement in `module` imports from, as an absolute name."
    if not node.level: return node.module or ''
    package = ['colorfast', *module.split('.')][:-node.level]
    return '.'.join([*package, *filter(None, [node.module])])

def imported(module):
    "Modules of the package that a module imports, at load time or later."
    for node in ast.walk(ast.parse(path(module).read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import): names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = full_name(node, module)
            names = [base] + [f'{base}.{a.name}' for a in node.names]
        else: continue
        yield from (n for name in names if (n := name.removeprefix('colorfast.')) in numbers())

def test_modules_are_the_notebooks(copy):
    for f in (copy/'colorfast').rglob('*.py'):
        if f.name!='__init__.py': f.unlink()
    run(script('nbdev-export'), cwd=copy)
    assert contents(copy/'colorfast', '*.py')==contents(ROOT/'colorfast', '*.py'), 'run nbdev-export, or nbdev-update if you edited a module'

def test_notebooks_are_clean(copy):
    run(script('nbdev-clean'), cwd=copy)
    dirty = [n for n,s in contents(copy/'nbs', '*.ipynb').items() if s!=(ROOT/'nbs'/n).read_bytes()]
    assert not dirty, 'run nbdev-clean'

@pytest.mark.parametrize('module', numbers())
def test_imports_only_lower_numbers(module):
    assert not [m for m in imported(module) if numbers()[m]>=numbers()[module]]

@pytest.mark.parametrize('module', [m for m in numbers() if m.split('.')[0] in LIGHT])
def test_loads_without_torch(module):
    code = f"import sys, colorfast.{module}; print([m for m in ('torch','fastai') if m in sys.modules])"
    assert run(sys.executable, '-c', code, cwd=ROOT).strip()=='[]'

def test_wheel_built_from_sdist_is_complete(copy):
    run(sys.executable, '-m', 'build', '--no-isolation', cwd=copy)
    sdist,wheel = next(copy.glob('dist/*.tar.gz')),next(copy.glob('dist/*.whl'))
    with tarfile.open(sdist) as t: assert {'settings.ini','LICENSE','README.md'} <= {n.split('/', 1)[-1] for n in t.getnames()}
    names = zipfile.ZipFile(wheel).namelist()
    needed = [*(ROOT/'colorfast').rglob('*.py'), *(ROOT/'colorfast').glob('models/*/*')]
    assert {f.relative_to(ROOT).as_posix() for f in needed} <= set(names)
    meta = zipfile.ZipFile(wheel).read(next(n for n in names if n.endswith('METADATA'))).decode()
    assert re.search(r'^Requires-Dist: fastai', meta, re.M) and re.search(r'^Requires-Dist: nbdev.*extra == .dev.', meta, re.M)
