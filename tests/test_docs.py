"The documentation names what there is, leads where it says, and is built from the repository alone."
import ast, configparser, importlib.util, json, re, subprocess, sys
from importlib import metadata
from pathlib import Path
import pytest
from colorfast.cli import app

ROOT = Path(__file__).parents[1]
DOCS = ROOT/'docs'
PAGES = [ROOT/'README.md', *sorted(DOCS.glob('*.md'))]
sys.path.insert(0, str(DOCS))
from builder.commands import commands, reference  # noqa: E402

COMMANDS = commands(app)
TEXT = reference(app)

def read(file): return file.read_text(encoding='utf-8')

# what the pages say

@pytest.mark.parametrize('name', COMMANDS)
def test_reference_names_the_command_and_its_options(name):
    section = re.search(rf'^## `colorfast {name}`.*?(?=^## |\Z)', TEXT, re.M|re.S)[0]
    words = {*re.findall(r'`(--?[a-z][a-z-]*)`', section)}
    for p in COMMANDS[name].params:
        if p.name == 'help': continue
        if p.param_type_name == 'argument': assert f'`{p.name.upper()}' in section
        else: assert {*p.opts, *p.secondary_opts} <= words

def test_every_option_has_a_help_text():
    for name,c in COMMANDS.items():
        assert c.help, name
        for p in c.params: assert p.name == 'help' or p.help, (name, p.name)

def test_reference_says_what_there_is_to_choose_from():
    assert '`fast` or `best`' in TEXT

def test_readme_is_short(): assert len(read(ROOT/'README.md').split()) <= 900

@pytest.mark.parametrize('file', PAGES, ids=lambda f: f.name)
def test_color_is_spelled_one_way(file): assert not re.findall(r'\w*colour\w*', read(file), re.I)

def imports(file):
    "`(module, names)` of what the Python on a page imports from colorfast."
    blocks = re.findall(r'^```python\n(.*?)^```', read(file), re.M|re.S)
    nodes = [o for b in blocks for o in ast.walk(ast.parse(b)) if isinstance(o, ast.ImportFrom)]
    return [(o.module, [n.name for n in o.names]) for o in nodes if o.module.startswith('colorfast')]

def source(module):
    "The text of a module, found without importing it."
    path = ROOT.joinpath(*module.split('.'))
    return read(path/'__init__.py' if path.is_dir() else path.with_suffix('.py'))

@pytest.mark.parametrize('file', PAGES, ids=lambda f: f.name)
def test_what_a_page_imports_is_there(file):
    for module,names in imports(file):
        text = source(module)
        for name in names: assert name == '*' or re.search(rf'\b{name}\b', text), f'{module} has no {name}'

def requirements():
    "Names of the packages that pip installs with colorfast."
    config = configparser.ConfigParser()
    config.read(ROOT/'settings.ini', encoding='utf-8')
    return [re.match(r'[\w-]+', o)[0] for o in config['DEFAULT']['requirements'].split()]

def licences():
    "`{package: licence}` as the page says."
    rows = re.findall(r'^\| ([\w-]+) \| (\S[^|]*?) \|', read(DOCS/'licences.md'), re.M)
    return {name.lower():licence for name,licence in rows if name != 'package'}

def test_every_requirement_has_its_licence(): assert not {o.lower() for o in requirements()} - {*licences()}

def test_licences_are_what_the_packages_say():
    for name,licence in licences().items():
        try: about = metadata.metadata(name)
        except metadata.PackageNotFoundError: continue
        fields = [about.get('License-Expression'), about.get('License'), *about.get_all('Classifier', [])]
        said = ' '.join(filter(None, fields))
        family = re.match('[A-Za-z]+', licence)[0]
        long = {'PSF':'Python Software Foundation'}.get(family, family)
        assert not said.strip() or long in said, (name, licence)

# how the site is built

@pytest.fixture(scope='module')
def build():
    pytest.importorskip('material')
    spec = importlib.util.spec_from_file_location('build_docs', DOCS/'build.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.build

CODE = '''#| export
def tint(x): # a picture
    "The picture, tinted."
    return x

STRONG = 3  # times
'''

class Project:
    "A tiny project with a page, a notebook and its module."
    def __init__(self, root):
        self.root = root
        for folder in ('docs','nbs','paint'): (root/folder).mkdir()
        (root/'pyproject.toml').write_text('[tool.nbdev]\nlib_path = "paint"\nnbs_path = "nbs"\n')
        self.page('# Paint\n[tint](nbs/00_brush.tint.ipynb#tint)')
        self.code(CODE)

    def page(self, text): (self.root/'README.md').write_text(text)

    def code(self, code, prose='# tint\n> What tints'):
        shown = [dict(output_type='execute_result', data={'text/plain':'tinted 1'})]
        cells = [dict(cell_type='markdown', source=prose),
                 dict(cell_type='code', source='#| default_exp brush.tint', outputs=[]),
                 dict(cell_type='code', source=code, outputs=[]),
                 dict(cell_type='code', source='tint(1)', outputs=shown)]
        (self.root/'nbs'/'00_brush.tint.ipynb').write_text(json.dumps(dict(cells=cells)))
        (self.root/'paint'/'brush').mkdir(exist_ok=True)
        (self.root/'paint'/'brush'/'tint.py').write_text(f"__all__ = ['tint', 'STRONG']\n{code}")

    def build(self, build): return build(self.root, self.root/'site', nav=[{'Home':'README.md'}])

@pytest.fixture
def project(tmp_path): return Project(tmp_path)

def test_a_sound_project_builds(project, build):
    assert project.build(build)
    page = read(project.root/'site'/'nbs'/'00_brush.tint.html')
    for part in ('id="tint"', 'id="STRONG"', 'a picture', 'The picture, tinted.', 'tinted 1'): assert part in page
    assert 'paint/brush/tint.py, line 3' in page

@pytest.mark.parametrize('page', ['[gone](gone.md)', '[gone](nbs/00_brush.tint.ipynb#gone)', '![gone](gone.jpg)',
                                  '<a href="gone.html">gone</a>', '<img src="https://example.org/x.png">'])
def test_a_broken_link_fails_the_build(project, build, page):
    project.page(page)
    assert not project.build(build)


@pytest.mark.parametrize('words', ['    "The picture, tinted."\n', '  # times'])
def test_an_undocumented_public_name_fails_the_build(project, build, words):
    project.code(CODE.replace(words, ''))
    assert not project.build(build)

def test_a_constant_may_be_explained_in_prose(project, build):
    project.code(CODE.replace('  # times', ''), prose='# tint\n> What tints\n\n`STRONG` is how often.')
    assert project.build(build)

@pytest.mark.slow
def test_the_whole_site_builds(tmp_path):
    pytest.importorskip('material')
    command = [sys.executable, str(DOCS/'build.py'), '-o', str(tmp_path/'site')]
    r = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert r.returncode == 0, r.stderr
    assert (tmp_path/'site'/'index.html').is_file()
