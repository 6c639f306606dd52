"What a module offers, read from its source without importing it: names, docstrings, comments on parameters."
import ast, io, re, tokenize

DEFS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
SHOWN = {'classmethod', 'staticmethod', 'property', 'dataclass'}  # decorators that a reader must know of

def comments(src):
    "`{line: text}` of the comments in `src`; one that has a line to itself belongs to the next."
    tokens = [t for t in tokenize.generate_tokens(io.StringIO(src).readline) if t.type == tokenize.COMMENT]
    return {t.start[0] + t.line.lstrip().startswith('#'):t.string.lstrip('# ') for t in tokens}

def exported(tree):
    "The names in a module's `__all__`."
    values = [o.value for o in tree.body if isinstance(o, ast.Assign) and ast.unparse(o.targets[0]) == '__all__']
    return ast.literal_eval(values[0]) if values else []

def assigned(node):
    "The names that a statement gives values to."
    if not isinstance(node, (ast.Assign, ast.AnnAssign)): return []
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [o.id for t in targets for o in ast.walk(t) if isinstance(o, ast.Name)]

def defined(node):
    "The names that a statement of a module brings into being."
    return [node.name] if isinstance(node, DEFS) else assigned(node)

def remark(node, notes):
    "The comment beside a statement, or on the line above it."
    return next((notes[i] for i in range(node.lineno, node.end_lineno+1) if i in notes), '')

def mentioned(name, prose):
    "Whether the prose has `name` in code type."
    return any(re.search(rf'\b{name}\b', span) for span in re.findall(r'`([^`\n]+)`', prose))

def undocumented(src, prose):
    "Public names without a docstring; constants with neither a comment nor a mention in the notebook's prose."
    tree = ast.parse(src)
    notes = comments(src)
    documented = {o.name for o in tree.body if isinstance(o, DEFS) and ast.get_docstring(o)}
    documented |= {n for o in tree.body if remark(o, notes) for n in assigned(o)}
    callables = {o.name for o in tree.body if isinstance(o, DEFS)}
    return [n for n in exported(tree) if n not in documented and (n in callables or not mentioned(n, prose))]

def plain(text):
    "Text of a comment or docstring as Markdown, where only code type has a meaning."
    parts = re.split(r'(`[^`]*`)', text)
    return ''.join(p if p.startswith('`') else re.sub(r'([*_<>|\[\]\\])', r'\\\1', p) for p in parts)

def decorators(node): return [ast.unparse(o).split('(')[0] for o in node.decorator_list]

def owner(node):
    "The class that a `@patch` adds to, or ''."
    if 'patch' not in decorators(node) or not node.args.args: return ''
    annotation = node.args.args[0].annotation
    return ast.unparse(annotation) if annotation else ''

def arguments(f):
    "The arguments of a function that a caller gives."
    a = f.args
    args = [a.kwarg, *a.posonlyargs, *a.args, a.vararg, *a.kwonlyargs]  # of a line's, the last gets the comment
    return [o for o in args if o and o.arg not in ('self', 'cls')]

def docments(f, notes):
    "`{parameter: comment}` of a function; what it returns is under `returns`."
    lines = {o.lineno:o.arg for o in arguments(f)}
    if f.returns: lines[f.returns.lineno] = 'returns'
    return {name:notes[i] for i,name in lines.items() if i in notes and i < f.body[0].lineno}

def fields(c, notes):
    "`{field: comment}` of a dataclass."
    annotated = [o for o in c.body if isinstance(o, ast.AnnAssign)]
    return {o.target.id:notes[o.lineno] for o in annotated if o.lineno in notes}

def initializer(c): return next((o for o in c.body if isinstance(o, ast.FunctionDef) and o.name == '__init__'), None)

def parameters(node, notes):
    "`{parameter: comment}` of a function, a dataclass or a class's `__init__`."
    if not isinstance(node, ast.ClassDef): return docments(node, notes)
    f = initializer(node)
    return docments(f, notes) if f else fields(node, notes)

def signature(node):
    "A definition as one writes it, without body and `self`."
    lines = [f'@{o}' for o in decorators(node) if o in SHOWN]
    if isinstance(node, ast.ClassDef):
        f = initializer(node)
        bases = ', '.join(map(ast.unparse, node.bases))
        lines.append(f'class {node.name}({bases})' if bases else f'class {node.name}')
        if f: lines.append(f'{node.name}({called(f)})')
        return '\n'.join(lines)
    returns = f' -> {ast.unparse(node.returns)}' if node.returns else ''
    return '\n'.join([*lines, f'{node.name}({called(node)}){returns}'])

def called(f): return re.sub(r'^(self|cls)(: [\w.]+)?(, |$)', '', ast.unparse(f.args))

def table(head, rows):
    "A Markdown table, or nothing without rows."
    if not rows: return ''
    lines = [head, ['---']*len(head), *rows]
    return '\n'.join('| ' + ' | '.join(o) + ' |' for o in lines) + '\n'

def methods(c): return [o for o in c.body if isinstance(o, DEFS) and not o.name.startswith('_')]

def entry(node, notes, prefix='', level=3):
    "Heading, signature, docstring and parameters of a function or class; a class's public methods below it."
    prefix = prefix or owner(node)
    name = f'{prefix}.{node.name}' if prefix else node.name
    rows = [[f'`{k}`', plain(v)] for k,v in parameters(node, notes).items()]
    parts = [f'{"#"*level} `{name}` {{ #{name} data-toc-label="{name}" }}',
             f'```{{ .python .signature }}\n{signature(node)}\n```',
             plain(ast.get_docstring(node) or ''),
             table(['parameter', 'meaning'], rows)]
    if isinstance(node, ast.ClassDef): parts += [entry(o, notes, name, level+1) for o in methods(node)]
    return '\n\n'.join(p for p in parts if p)

def values(node):
    "`(name, value)` of what a statement assigns, as it is written; one value each where that can be told."
    names = assigned(node)
    value = node.value
    parts = value.elts if isinstance(value, ast.Tuple) and len(value.elts) == len(names) > 1 else [value]*len(names)
    return [(n, ast.unparse(v) if v else '') for n,v in zip(names, parts)]

def coded(value, n=60):
    "A value in code type, cut where it is long."
    value = value if len(value) <= n else value[:n] + ' …'
    return f'`` {value} ``'.replace('|', '\\|')

def constants(nodes, notes):
    "A table of the constants that some statements set."
    found = [(*pair, plain(remark(o, notes))) for o in nodes for pair in values(o) if not pair[0].startswith('_')]
    rows = [[f'<span id="{name}">`{name}`</span>', coded(value), note] for name,value,note in found]
    used = 3 if any(note for *_,note in found) else 2
    return table(['constant', 'value', 'meaning'][:used], [o[:used] for o in rows])

def entries(src, public):
    "Markdown of the public names that a cell defines."
    notes = comments(src)
    body = ast.parse(src).body
    defs = [o for o in body if isinstance(o, DEFS)]
    named = [o for o in defs if o.name in public or owner(o) and not o.name.startswith('_')]
    settings = constants([o for o in body if public & {*assigned(o)}], notes)
    return '\n\n'.join(filter(None, [settings, *(entry(o, notes) for o in named)]))
