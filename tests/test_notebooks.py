"Every notebook's cells run, with nbdev's own test function and without the flags that pyproject.toml leaves out."
from pathlib import Path
import pytest
from nbdev.config import get_config
from nbdev.test import test_nb as run_nb

ROOT = Path(__file__).parents[1]
CFG = get_config(ROOT)

@pytest.mark.parametrize('nb', sorted((ROOT/'nbs').glob('*.ipynb')), ids=lambda p: p.stem)
def test_cells(nb):
    ok,_ = run_nb(nb, skip_flags=CFG.tst_flags, basepath=ROOT)
    assert ok, f'{nb.name} failed: its traceback is in the captured stderr'
