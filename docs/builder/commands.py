"The command reference, made from the Typer app."
from typing import Literal, get_args, get_origin, get_type_hints
import typer
from builder.api import plain, table

def commands(app):
    "`{name: command}`."
    return typer.main.get_command(app).commands

def names(option):
    "How an option is typed, such as `-o`, `--out`."
    return ', '.join(f'`{o}`' for o in sorted([*option.opts, *option.secondary_opts], key=lambda o: o.startswith('--')))

def is_argument(p): return p.param_type_name == 'argument'

def default(p):
    "What holds where an option is not given; often its help text says it."
    if p.required: return 'needed'
    if isinstance(p.default, bool) or callable(p.default) or p.default in (None, ()): return ''
    return f'`{p.default:g}`' if isinstance(p.default, float) else f'`{p.default}`'

def choices(command):
    "`{parameter: its choices}` of those that have some."
    hints = get_type_hints(command.callback)
    return {k:get_args(t) for k,t in hints.items() if get_origin(t) is Literal}

def meaning(p, command):
    "The help text, after what there is to choose from."
    listed = ' or '.join(f'`{o}`' for o in choices(command).get(p.name, ()))
    return '; '.join(filter(None, [listed, plain(p.help or '')]))

def placeholder(p): return (p.metavar or p.name.upper()) + ('...' if p.nargs == -1 else '')

def usage(name, command):
    "The line to type: what is needed stands in it."
    args = [placeholder(p) for p in command.params if is_argument(p)]
    needed = [f'{p.opts[-1]} {p.name.upper()}' for p in command.params if p.required and not is_argument(p)]
    return ' '.join(['colorfast', name, *args, *needed, '[OPTIONS]'])

def section(name, command):
    "A command: its help, the line to type, a table of its arguments and one of its options."
    params = [p for p in command.params if p.name != 'help']
    args = [[f'`{placeholder(p)}`', default(p), meaning(p, command)] for p in params if is_argument(p)]
    options = [[names(p), default(p), meaning(p, command)] for p in params if not is_argument(p)]
    parts = [f'## `colorfast {name}` {{ #{name} data-toc-label="{name}" }}', plain(command.help or ''),
             f'```\n{usage(name, command)}\n```',
             table(['argument', 'default', 'meaning'], args), table(['option', 'default', 'meaning'], options)]
    return '\n\n'.join(p for p in parts if p)

def reference(app):
    "Every command and every option, as Markdown."
    return '\n\n'.join(section(*o) for o in commands(app).items())
