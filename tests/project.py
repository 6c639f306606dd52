"The project's files and modules, for the tests of the project itself."
import json, re, shutil, subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
TORCH_FREE = 'color basics photo runtime colorize video process prepare command cli'.split()
FILES = 'pyproject.toml settings.ini setup.py MANIFEST.in README.md LICENSE colorfast nbs'.split()

def run(*args, **kwargs):
    r = subprocess.run(args, capture_output=True, text=True, **kwargs)
    assert r.returncode == 0, r.stderr
    return r.stdout

def copy_project(folder):
    "The project without what git or an installation left beside it."
    for f in FILES:
        if (ROOT/f).is_file(): shutil.copy(ROOT/f, folder/f)
        else: shutil.copytree(ROOT/f, folder/f, ignore=shutil.ignore_patterns('__pycache__', '.ipynb_checkpoints'))
    return folder

def code_of(nb):
    "All code of a notebook."
    cells = json.loads(nb.read_text(encoding='utf-8'))['cells']
    return '\n'.join(''.join(c['source']) for c in cells if c['cell_type'] == 'code')

@cache
def numbers():
    "`{module: number}` of every notebook that exports one."
    exported = {nb: re.search(r'^#\| *default_exp ([\w.]+)', code_of(nb), re.M) for nb in sorted((ROOT/'nbs').glob('*.ipynb'))}
    return {found[1]: int(nb.name[:2]) for nb,found in exported.items() if found}

def path(module): return ROOT/'colorfast'/f'{module.replace(".", "/")}.py'

def modules_of(package): return [m for m in numbers() if m.split('.')[0] == package]
