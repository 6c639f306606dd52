"A notebook as a Markdown page: its prose, what it exports with the source folded away, its other cells and outputs."
import ast, base64, json, re
from functools import cached_property
from pathlib import PurePosixPath
from builder import api

PICTURES = {'image/png':'png', 'image/jpeg':'jpg', 'image/gif':'gif'}

def joined(text): return text if isinstance(text, str) else ''.join(text)

class Notebook:
    "A notebook of the project at `root`."
    def __init__(self, path, root, lib):
        self.path,self.root,self.lib = path,root,lib
        self.cells = json.loads(path.read_text(encoding='utf-8'))['cells']
        self.prose = '\n\n'.join(joined(c['source']) for c in self.cells if c['cell_type'] == 'markdown')
        self.uri = path.relative_to(root).with_suffix('.md').as_posix()
        self.pictures = {}

    @cached_property
    def module(self):
        "Dotted name of the module that it exports, or ''."
        code = '\n'.join(joined(c['source']) for c in self.cells if c['cell_type'] == 'code')
        found = re.search(r'^#\| *default_exp +([\w.]+)', code, re.M)
        return found[1] if found else ''

    @property
    def file(self):
        "The module's file."
        return self.root/self.lib/(self.module.replace('.', '/') + '.py')

    @property
    def title(self):
        found = re.search(r'^# +(.+)', self.prose, re.M)
        return found[1] if found else self.path.stem

    @property
    def summary(self):
        "What the notebook says of itself below its title."
        found = re.search(r'^> *(.+)', self.prose, re.M)
        return found[1] if found else ''

    @cached_property
    def source(self): return self.file.read_text(encoding='utf-8') if self.module else ''

    @cached_property
    def tree(self): return ast.parse(self.source)

    @cached_property
    def public(self): return {*api.exported(self.tree)}

    def undocumented(self): return api.undocumented(self.source, self.prose)

    def markdown(self):
        "The page; `pictures` then holds the pictures that it shows."
        parts = [self.cell(c, i) for i,c in enumerate(self.cells)]
        if self.module: parts.insert(1, f'```python\nfrom {self.lib}.{self.module} import *\n```')
        return '\n\n'.join(p for p in parts if p) + '\n'

    def cell(self, cell, i):
        src = joined(cell['source']).strip()
        if cell['cell_type'] == 'markdown': return src
        flags,code = directives(src)
        if cell['cell_type'] != 'code' or not code or flags & {'hide', 'default_exp'}: return ''
        if flags & {'export', 'exporti', 'exports'}: return self.definition(code)
        return '\n\n'.join([fenced(code, 'python'), *self.outputs(cell, i)])

    def definition(self, code):
        "The public names of an exported cell, and its source, folded."
        names = [n for o in ast.parse(code).body for n in api.defined(o)]
        if not names: return ''
        where = f'{self.file.relative_to(self.root).as_posix()}, line {self.line(names[0])}'
        source = f'??? source "Source: {where}"\n\n' + indented(fenced(code, 'python'))
        return '\n\n'.join(filter(None, [api.entries(code, self.public), source]))

    def line(self, name):
        "Where the module defines a name."
        return next((o.lineno for o in self.tree.body if name in api.defined(o)), 1)

    def outputs(self, cell, i):
        "What a cell printed and drew; its pictures in a row."
        pictures = []
        for j,output in enumerate(cell.get('outputs', [])):
            if output['output_type'] == 'stream' and output['name'] == 'stdout': yield shown(joined(output['text']))
            data = output.get('data', {})
            kind = next((o for o in PICTURES if o in data), None)
            if kind: pictures.append(self.picture(base64.b64decode(joined(data[kind])), f'{i}-{j}.{PICTURES[kind]}'))
            elif data: yield displayed(data)
        if pictures: yield f'<div class="pictures" markdown>\n{" ".join(pictures)}\n</div>'

    def picture(self, content, name):
        folder = PurePosixPath(self.uri).with_suffix('')
        self.pictures[f'{folder}/{name}'] = content
        return f'![Output of the cell above]({folder.name}/{name})'

def directives(src):
    "Names of a cell's `#|` lines, and the code without them."
    lines = src.split('\n')
    flags = {re.match(r'#\| *([\w-]+)', o)[1] for o in lines if re.match(r'#\| *[\w-]+', o)}
    return flags, '\n'.join(o for o in lines if not o.startswith('#|')).strip()

def fenced(code, language):
    ticks = '`'*max([3, *(len(o)+1 for o in re.findall('`{3,}', code))])
    return f'{ticks}{language}\n{code}\n{ticks}'

def shown(text):
    "What a cell printed."
    text = re.sub(r'\x1b\[[\d;]*m', '', text).strip('\n')
    return fenced(text, '{ .text .output }') if text else ''

def displayed(data):
    "A table or text: the best there is of an output."
    if 'text/html' in data: return f'<div class="output">\n{unstyled(joined(data["text/html"]))}\n</div>'
    return shown(joined(data.get('text/plain', '')))

def unstyled(html):
    "A table without the style that pandas puts before it, and without blank lines, which would end it."
    html = re.sub(r'<style.*?</style>', '', html, flags=re.S)
    return '\n'.join(o for o in html.split('\n') if o.strip())

def indented(text): return '\n'.join(f'    {o}' if o else '' for o in text.split('\n'))
