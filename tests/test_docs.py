"README.md names every command and every option."
from pathlib import Path
import re
import pytest, typer
from colorfast.command.app import app

README = Path(__file__).parents[1]/'README.md'
COMMANDS = typer.main.get_command(app).commands

@pytest.mark.parametrize('name', COMMANDS)
def test_readme_names_the_command_and_its_options(name):
    text = README.read_text(encoding='utf-8')
    assert f'colorfast {name}' in text
    words = set(re.findall(r'(?<![\w-])--?[a-z][a-z-]*', text))
    missing = {o for p in COMMANDS[name].params for o in p.opts if o.startswith('--')} - {'--help'} - words
    assert not missing, f'colorfast {name}: README.md does not name {missing}'

def test_every_option_has_a_help_text():
    for name,c in COMMANDS.items():
        assert c.help, name
        for p in c.params: assert p.name == 'help' or p.help, (name, p.name)
