"Every notebook's cells run, with nbdev's own test function and without the flags that pyproject.toml leaves out."
import signal
from pathlib import Path

import pytest
from nbdev.config import get_config
from nbdev.test import test_nb as run_nb

ROOT = Path(__file__).parents[1]
SKIPPED = get_config(ROOT).tst_flags

@pytest.fixture
def ctrl_c():
    "Ctrl-C ends the tests as it did before: nbdev takes it for itself."
    old = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, old)

NOTEBOOKS = sorted((ROOT/'nbs').glob('*.ipynb'), reverse=True)  # the longest first, so that no worker waits for them in the end

def check_cells(nb, skipped):
    ok,_ = run_nb(nb, skip_flags=skipped, basepath=ROOT)
    assert ok, f'{nb.name} failed: its traceback is in the captured stderr'

@pytest.mark.parametrize('nb', NOTEBOOKS, ids=lambda nb: nb.stem)
def test_cells(nb, ctrl_c):
    "In this process, so that fastai is loaded once; each notebook by itself, so that workers can share them out."
    check_cells(nb, SKIPPED)

SLOW = [nb for nb in NOTEBOOKS if '"#| slow' in nb.read_text(encoding='utf-8')]

@pytest.mark.slow
@pytest.mark.parametrize('nb', SLOW, ids=lambda nb: nb.stem)
def test_slow_cells(nb, ctrl_c):
    "With the cells that train for a minute."
    check_cells(nb, [flag for flag in SKIPPED if flag != 'slow'])
