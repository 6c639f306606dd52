"A model that remembers an album: its folder, what it colors, and what leaves the computer."
import json, shutil
from pathlib import Path
import numpy as np, pytest
from PIL import Image
from skimage import data as skdata
from colorfast.basics import ModelError
from colorfast.color import rgb2lab
from colorfast.colorize.colorizer import Colorizer
from colorfast.colorize.memory import BYTES_PER_PHOTO, Memory, create_memory, load_memory, save_memory
from colorfast.photo.core import Photo
from colorfast.photo.read import open_photo
from colorfast.runtime.folder import MEMORY_FILE
from conftest import call_command, pixels

NAMES = 'astronaut','coffee','chelsea'

def small(name): return np.ascontiguousarray(getattr(skdata, name)()[::3,::3])

def gray(a): return np.array(Image.fromarray(a).convert('L'))

def ab(a): return rgb2lab(a.transpose(2,0,1).astype(np.float32)/255)[1:]

def error(a, true): return np.abs(ab(a)-ab(true)).mean()

def folder_with(colorizer, memory, folder):
    "A model folder with a memory, written as `finetune` does it."
    c = Colorizer(colorizer.net, {**colorizer.config, 'memory':{'photos':len(memory)}}, colorizer.folder)
    c.save(folder)
    save_memory(memory, folder/MEMORY_FILE)
    return folder

@pytest.fixture(scope='module')
def default(): return Colorizer.from_pretrained('default')

@pytest.fixture(scope='module')
def memory(default): return create_memory(default, {f'{name}.jpg':Photo(small(name)) for name in NAMES})

@pytest.fixture(scope='module')
def family(default, memory, tmp_path_factory): return folder_with(default, memory, tmp_path_factory.mktemp('models')/'family')

@pytest.fixture
def cup(): return small('coffee')[20:,40:]

def test_what_it_remembers_has_its_colors(default, family, cup):
    "A part of a photo of the album, in gray, by the library and by the command; what is not in the album is as without."
    c = Colorizer.from_pretrained(family)
    assert error(c.predict(gray(cup)), cup) < .6*error(default.predict(gray(cup)), cup)
    rocket = gray(small('rocket'))
    assert (c.predict(rocket) == default.predict(rocket)).all()

def test_the_command_remembers(family, cup, run):
    Image.fromarray(gray(cup)).save('cup.png')
    run('predict', 'cup.png', '-o', 'out', '-q', model=family).says(0)
    assert (pixels(Path('out/cup.png')) == Colorizer.from_pretrained(family).predict(gray(cup))).all()

def test_without_the_file_it_has_forgotten(default, family, cup, tmp_path):
    "Whoever passes the folder on may delete the file: then it is the model that it was."
    shutil.copytree(family, tmp_path/'given')
    (tmp_path/'given'/MEMORY_FILE).unlink()
    assert (Colorizer.from_pretrained(tmp_path/'given').predict(gray(cup)) == default.predict(gray(cup))).all()

def test_card_and_configuration_say_so(family):
    card = (family/'README.md').read_text()
    assert 'colors of 3 photos of an album' in card and 'could be rebuilt from it' in card
    assert json.loads((family/'config.json').read_text())['memory'] == {'photos':3}

def test_what_goes_to_the_hub(family, monkeypatch):
    "Nothing of the album, unless asked."
    import huggingface_hub
    sent = {}
    class Api:
        def __init__(self, token=None): pass
        def create_repo(self, repo_id, private, exist_ok): pass
        def upload_folder(self, repo_id, folder_path): sent[repo_id] = {o.name:o.read_bytes() for o in Path(folder_path).iterdir()}
    monkeypatch.setattr(huggingface_hub, 'HfApi', Api)
    model = Colorizer.from_pretrained(family)
    model.push_to_hub('me/ours')
    model.push_to_hub('me/all', memory=True)
    assert MEMORY_FILE not in sent['me/ours'] and not any(b'astronaut' in o or b'album' in o for o in sent['me/ours'].values())
    assert sent['me/all'][MEMORY_FILE] == (family/MEMORY_FILE).read_bytes() and b'"memory"' in sent['me/all']['config.json']

def test_saved_again_and_replaced(default, family, tmp_path):
    "The memory goes with the model, and leaves with it."
    Colorizer.from_pretrained(family).save(tmp_path/'copy')
    assert (tmp_path/'copy'/MEMORY_FILE).read_bytes() == (family/MEMORY_FILE).read_bytes()
    default.save(tmp_path/'copy', overwrite=True)
    assert not (tmp_path/'copy'/MEMORY_FILE).exists()

@pytest.mark.parametrize('spoil', [lambda fn: fn.write_bytes(fn.read_bytes()[:1000]), lambda fn: fn.write_text('<!doctype html>'),
                                   lambda fn: save_memory(Memory({**load_memory(fn).arrays}, ['one name']), fn)])
def test_damaged(family, tmp_path, run, spoil):
    shutil.copytree(family, tmp_path/'m')
    spoil(tmp_path/'m'/MEMORY_FILE)
    Image.fromarray(gray(small('coffee'))).save('a.png')
    run('predict', 'a.png', '-o', 'out', model=tmp_path/'m').says(2, MEMORY_FILE)

def test_of_other_weights(default, memory, family):
    cut = {**memory.arrays, 'basis':memory.arrays['basis'][:100]}
    with pytest.raises(ModelError, match='belongs to other weights'):
        Memory(cut, memory.names).borrow(default.analyse(open_photo(small('coffee'))))

@pytest.mark.slow
def test_torch_and_onnx_see_the_same(family, memory, cup):
    "A memory made with torch, as `finetune` makes it, serves the exported network."
    torch_model = Colorizer.from_pretrained(family, 'torch')
    made = create_memory(torch_model, {f'{name}.jpg':Photo(small(name)) for name in NAMES})
    analysis = Colorizer.from_pretrained(family).analyse(open_photo(gray(cup)))
    ours = made.borrow(analysis)
    theirs = memory.borrow(analysis)
    assert ours.source == theirs.source == 'coffee.jpg' and abs(ours.share-theirs.share) < .01
    assert np.abs(ours.ab-theirs.ab).mean() < .01

def test_size_of_an_album(memory):
    "At most 50 MB for 500 photos, of whatever shape: 1600 cells are those of a square photo at 320 px."
    cells = memory.arrays['shapes'].prod(1)
    n = 20
    arrays = {k:np.resize(v, (n*1600,*v.shape[1:])) for k,v in memory.arrays.items() if len(v) == cells.sum()}
    from colorfast.colorize.memory import _stacked
    packed = [{k:v[i*1600:(i+1)*1600] for k,v in arrays.items()} for i in range(n)]
    stacked = _stacked(packed, [np.zeros(232)]*n, np.zeros((232,64), np.float32))
    per_photo = sum(stacked[k].nbytes for k in ('codes','lengths','L','ab','looks'))/n
    assert per_photo < BYTES_PER_PHOTO+1000 <= 50e6/500 and stacked['codes'].shape == (n*1600,51)
