"Notebooks and modules agree, modules import downwards and only what they need, names are where they are said to be, code keeps its grain."
import ast, re, shutil, sys
from pathlib import Path

import pytest

from grain import faults, find_sources
from project import ROOT, TORCH_FREE, copy_project, modules_of, numbers, path, run

ON_REQUEST = 'runtime colorize process command'.split()  # with torch only where a user asks for it
HEAVY = 'torch fastai timm pandas matplotlib cv2 PIL av onnxruntime skimage scipy'.split()

def script(name): return shutil.which(name, path=Path(sys.executable).parent)

@pytest.fixture
def copy(tmp_path): return copy_project(tmp_path)

# ---- notebooks

def contents(folder, glob): return {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob(glob)}

def test_modules_are_the_notebooks(copy):
    for f in (copy/'colorfast').rglob('*.py'):
        if f.name != '__init__.py': f.unlink()
    run(script('nbdev-export'), cwd=copy)
    exported = contents(copy/'colorfast', '*.py')
    here = contents(ROOT/'colorfast', '*.py')
    differ = [f for f in {**here, **exported} if here.get(f) != exported.get(f)]
    assert not differ, 'run nbdev-export, or nbdev-update if you edited a module'

def test_notebooks_are_clean(copy):
    run(script('nbdev-clean'), cwd=copy)
    dirty = [n for n,s in contents(copy/'nbs', '*.ipynb').items() if s != (ROOT/'nbs'/n).read_bytes()]
    assert not dirty, 'run nbdev-clean'

# ---- imports

def absolute(node, module):
    "What `from ... import` in `module` imports from, as an absolute name."
    if not node.level: return node.module
    package = ['colorfast', *module.split('.')][:-node.level]
    return '.'.join([*package, *filter(None, [node.module])])

def imports(module):
    "(line number, absolute module, imported name or None) of each import, at load time or later."
    for node in ast.walk(ast.parse(path(module).read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import): yield from ((node.lineno, alias.name, None) for alias in node.names)
        if isinstance(node, ast.ImportFrom): yield from ((node.lineno, absolute(node, module), alias.name) for alias in node.names)

def imported(module):
    "(line number, module of colorfast) of each import from the package."
    for line,source,name in imports(module):
        for full in (source, f'{source}.{name}'):
            if (short := full.removeprefix('colorfast.')) in numbers(): yield line,short

@pytest.mark.parametrize('module', numbers())
def test_imports_only_lower_numbers(module):
    found = [(module, line, other) for line,other in imported(module) if numbers()[other] >= numbers()[module]]
    assert not found, places(found)

def places(found):
    "A failure's text: `file:line: name` of each `(module, line number, name)`."
    return '\n'.join(f'{path(module)}:{line}: {name}' for module,line,name in found)

def from_colorfast():
    "(module, line number, imported from, name) of each name that a module takes from another."
    for module in numbers():
        for line,source,name in imports(module):
            if name and source.split('.')[0] == 'colorfast': yield module,line,source,name

def test_imports_are_public():
    found = [(m, line, name) for m,line,_,name in from_colorfast() if re.match('_[^_]', name)]
    assert not found, places(found)

def test_packages_import_modules_and_not_the_bare_package():
    "nbdev-update would bring `from colorfast import x` back to the notebook as something else."
    found = [(m, line, name) for m,line,source,name in from_colorfast() if source == 'colorfast' and '.' in m]
    assert not found, places(found)

def loaded_by(code):
    "Which of `HEAVY` are loaded when `code` has run."
    return run(sys.executable, '-c', f'{code}\nimport sys\nprint(*(m for m in {HEAVY} if m in sys.modules))', cwd=ROOT).split()

@pytest.mark.parametrize('package', TORCH_FREE)
def test_loads_nothing_heavy(package):
    assert not loaded_by(''.join(f'import colorfast.{m}\n' for m in modules_of(package)))

@pytest.mark.parametrize('package', [p for p in TORCH_FREE if p not in ON_REQUEST])
def test_never_imports_torch(package):
    "Not within a function either."
    taken = [(m, line, source) for m in modules_of(package) for line,source,_ in imports(m)]
    found = [o for o in taken if re.match(r'(torch|fastai|timm|safetensors\.torch)\b', o[2])]
    assert not found, places(found)

def test_front_doors_cost_nothing_before_they_are_used():
    assert not loaded_by('from colorfast import Colorizer, VideoColorizer')
    assert run(sys.executable, '-c', "import sys, colorfast; print('numpy' in sys.modules)", cwd=ROOT).strip() == 'False'

# ---- names

def new_names():
    "`(module, name)` of all that the migration table in CHANGELOG.md leads to."
    text = (ROOT/'CHANGELOG.md').read_text(encoding='utf-8')
    for old,new in re.findall(r'^\| (`.+) \| `([\w.]+)` \|$', text, re.M):
        kept = re.findall(r'`(\w+)`', old.partition(':')[2])
        if kept: yield from ((new, name) for name in kept)
        else:
            module = max((m for m in numbers() if new.startswith(m+'.')), key=len, default='')
            yield module,new.removeprefix(module+'.').split('.')[0]

def is_defined(name, module):
    "True if there is the module, and a line of it begins with a definition of the name."
    return module in numbers() and re.search(rf'^(def |class |[^=#\s]*)\b{name}\b', path(module).read_text(encoding='utf-8'), re.M)

def test_migration_table_leads_to_what_there_is():
    named = [*new_names()]
    missing = [f'{module}.{name}' for module,name in named if not is_defined(name, module)]
    assert not missing and len(named) > 200, missing

def test_layout_names_every_module():
    text = (ROOT/'CONTRIBUTING.md').read_text(encoding='utf-8')
    rows = [set(re.findall(r'`(\w+)`', row)) for row in re.findall(r'^\| [\dx, to]+ \|.*$', text, re.M)]
    missing = [m for m in numbers() if not any(set(m.split('.')) <= row for row in rows)]
    assert not missing

# ---- grain

SOURCES = find_sources(*(ROOT/o for o in ('colorfast','tests','benchmarks','docs','.ci')))

@pytest.mark.parametrize('source', SOURCES, ids=lambda s: s.path.relative_to(ROOT).as_posix())
def test_grain(source):
    found = faults(source)
    assert not found, '\n'+'\n'.join(found)
