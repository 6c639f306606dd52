"MkDocs calls these: the site is the repository's own Markdown and notebooks, at the addresses they have there."
import importlib, logging, posixpath, re, sys, tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parents[1]))
from builder import api, commands, links  # noqa: E402
from builder.notebook import Notebook     # noqa: E402

log = logging.getLogger('mkdocs.colorfast')
LINK = re.compile(r'(?<=\]\()([^)\s#:]+)((?:#[^)\s]*)?)(?=\))')
FENCE = re.compile(r'^([ >]*)(`{3,})[^\n]*\n.*?^\1\2[ ]*$', re.M|re.S)
CURE = 'give it a docstring, or a comment if it is a constant'
SPAN = re.compile(r'(?<!^\| )(?<![\[`>])`([A-Za-z_][\w.]*)(\(\))?`(?![`\]])')

def root_of(config): return Path(config.docs_dir).resolve().parent

@cache
def notebooks(root):
    "The project's notebooks, by number."
    nbdev = tomllib.loads((root/'pyproject.toml').read_text(encoding='utf-8'))['tool']['nbdev']
    return [Notebook(f, root, nbdev['lib_path']) for f in sorted((root/nbdev['nbs_path']).glob('*.ipynb'))]

def tutorials(root): return [o for o in notebooks(root) if not o.module]
def modules(root): return [o for o in notebooks(root) if o.module]

def library(root):
    "The modules for the menu: those of a package together, in the order of their numbers."
    menu = {}
    for nb in modules(root):
        package,_,name = nb.module.rpartition('.')
        if package: menu.setdefault(package, []).append({name:nb.uri})
        else: menu[nb.module] = nb.uri
    return [{k:v} for k,v in menu.items()]

def on_config(config):
    "Add tutorials and modules to the menu."
    root = root_of(config)
    notebooks.cache_clear()
    for title,items in (('Tutorials', [{short(o.title):o.uri} for o in tutorials(root)]), ('Library', library(root))):
        section = next((o[title] for o in config.nav if title in o), None)
        if section is not None: section += items
        elif items: config.nav.append({title:items})
    return config

def short(title): return re.sub(r'^Tutorial: *', '', title).capitalize()

def leaves(nav):
    "The files that a menu names."
    for item in nav if isinstance(nav, list) else nav.values():
        if isinstance(item, str): yield item
        else: yield from leaves(item)

def on_files(files, config):
    "Take the pages from where they lie in the repository, with all they link to."
    root = root_of(config)
    names.cache_clear()
    pages = [File.generated(config, o.uri, content=o.markdown()) for o in notebooks(root)]
    pictures = [File.generated(config, uri, content=data) for o in notebooks(root) for uri,data in o.pictures.items()]
    written = [copied(f, config) for f in leaves(config.nav) if (root/f).is_file()]
    theme = [f for f in files if f.src_dir != config.docs_dir]
    known = Files([*theme, *pages, *pictures, *written])
    for f in sorted(linked([*pages, *written], root) - set(known.src_uris)): known.append(copied(f, config))
    warn_of_names(root)
    return known

def copied(uri, config): return File(uri, str(root_of(config)), config.site_dir, config.use_directory_urls)

def linked(pages, root):
    "The repository's files other than pages that pages link to."
    targets = [(posixpath.dirname(f.src_uri), m[1]) for f in pages for m in LINK.finditer(f.content_string)]
    found = {posixpath.normpath(posixpath.join(*o)) for o in targets}
    return {o for o in found if (root/o).is_file() and not o.endswith(('.md', '.ipynb'))}

def warn_of_names(root):
    "A public name that nothing explains is a fault of the documentation."
    for nb in modules(root):
        for name in nb.undocumented(): log.warning(f'{nb.path.name}: {name} is public and undocumented: {CURE}')

@cache
def names(root):
    "`{name: page#place}` of the public names that only one module has."
    count = Counter(n for o in modules(root) for n in o.public)
    return {n:f'{o.uri}#{n}' for o in modules(root) for n in o.public if count[n] == 1}

def table_of_modules(root):
    rows = [[f'[`{o.module}`](../{o.uri})', o.summary] for o in modules(root)]
    return api.table(['module', 'what lives there'], rows)

def reference(root):
    sys.path.insert(0, str(root))
    return commands.reference(importlib.import_module('colorfast.cli').app)

MADE = {'commands':reference, 'modules':table_of_modules}  # what `<!-- name -->` stands for in a page

def outside_code(text, change):
    "`text` with its parts outside of fenced code changed."
    parts,at = [],0
    for m in FENCE.finditer(text):
        parts += [change(text[at:m.start()]), m[0]]
        at = m.end()
    return ''.join(parts) + change(text[at:])

def filled(text, root):
    "A page with what is made for it."
    for name,make in MADE.items():
        marker = f'<!-- {name} -->'
        if marker in text: text = text.replace(marker, make(root))
    return text

def named(text, uri, known):
    "The text of the page `uri` with public names that lead to their explanation."
    def link(m):
        page,_,place = known.get(m[1], '').partition('#')
        if page == uri: return f'[{m[0]}](#{place})'
        if not page or m[1].isalpha() and m[1].islower(): return m[0]  # a plain word means something else elsewhere
        return f'[{m[0]}]({posixpath.relpath(page, posixpath.dirname(uri) or ".")}#{place})'
    return '\n'.join(o if o.startswith('#') else SPAN.sub(link, o) for o in text.split('\n'))

def to_pages(text):
    "The text with links to notebooks that lead to their pages."
    return LINK.sub(lambda m: re.sub(r'\.ipynb$', '.md', m[1]) + m[2], text)

def on_page_markdown(markdown, page, config, files):
    "Put in what is made, and let links lead to pages and names to their explanation."
    root = root_of(config)
    if not page.parent: page.meta['hide'] = ['navigation']  # it would be a menu of one
    text = filled(markdown, root)
    return outside_code(text, lambda o: to_pages(named(o, page.file.src_uri, names(root))))

def on_post_build(config):
    "Warn of each broken link; in a strict build a warning is a failure."
    (Path(config.site_dir)/'404.html').unlink(missing_ok=True)  # for servers; this site has none
    for said in links.problems(config.site_dir): log.warning(said)
