"Reference photos, from files to colors: what is lent, what is kept in the cache, and what is refused in a sentence."
import os, subprocess, sys, warnings
from types import SimpleNamespace

import numpy as np, pytest
from conftest import env
from PIL import Image
from skimage import data as skdata

from colorfast.basics import ModelError, Note, PhotoError
from colorfast.colorize.analysis import Analysis
from colorfast.colorize.cells import cells_of, true_ab
from colorfast.colorize.colorizer import Colorizer
from colorfast.colorize.lend import lend
from colorfast.colorize.match import best_matches, borrow_from, firm_share
from colorfast.colorize.reference import References, show_matches
from colorfast.photo.core import Photo
from colorfast.photo.read import open_photo

ASTRONAUT = np.ascontiguousarray(skdata.astronaut()[::2,::2])
CAT = np.ascontiguousarray(skdata.cat()[::2,::2])

@pytest.fixture(scope='module')
def colorizer(): return Colorizer.from_pretrained('default')

@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    "The user's cache folder, for one test."
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path/'cache'))
    return tmp_path/'cache'/'colorfast'

def save(a, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(a).save(path)
    return path

def gray(rgb): return open_photo(Image.fromarray(rgb).convert('L'))

def said(f, *args):
    "What `f` returns, and the notes it leaves."
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter('always')
        result = f(*args)
    return result, [str(o.message) for o in notes if o.category is Note]

def moved(rgb, dx): return np.ascontiguousarray(rgb[:,dx:])

# ---- matches

def test_a_cell_finds_itself_where_it_was_moved_to(colorizer):
    "32 px are four cells: the parts of the picture that both have match at exactly that distance."
    whole,part = (cells_of(colorizer.analyse(gray(o))) for o in (ASTRONAUT,moved(ASTRONAUT, 32)))
    found = best_matches(part, whole)
    row,column = np.divmod(np.arange(len(part)), part.shape[1])
    found_row,found_column = np.divmod(found.index, whole.shape[1])
    exact = (found_row == row) & (found_column == column+4)
    assert exact.mean() > .9 and found.coherent.mean() > .9 and firm_share(found) > .85

def test_matches_are_those_of_plain_loops():
    "The smoothed similarity of three cells by two against a sum written out, with chunks of one row."
    from colorfast.colorize import match
    from colorfast.colorize.cells import Cells
    rng = np.random.default_rng(0)
    def cells(shape):
        v = rng.normal(size=(shape[0]*shape[1],7)).astype(np.float32)
        return Cells(v/np.linalg.norm(v, axis=1, keepdims=True), rng.random(len(v), dtype=np.float32), shape)
    a,b = (cells(o) for o in ((4,3),(3,5)))
    plain = (a.vectors@b.vectors.T - 2*(a.L[:,None]-b.L)**2).reshape(4,3,3,5)
    wanted = np.zeros_like(plain)
    for y,x,v,u in np.ndindex(plain.shape):
        steps = [(i,j) for i in (-1,0,1) for j in (-1,0,1)]
        inside = [(i,j) for i,j in steps if 0 <= y+i < 4 and 0 <= x+j < 3 and 0 <= v+i < 3 and 0 <= u+j < 5]
        wanted[y,x,v,u] = np.mean([plain[y+i,x+j,v+i,u+j] for i,j in inside])
    wanted = wanted.reshape(12,15)
    with pytest.MonkeyPatch.context() as m:
        for rows in (1,3,16):
            m.setattr(match, 'CHUNK_ROWS', rows)
            found = best_matches(a, b)
            assert (found.index == wanted.argmax(1)).all()
            np.testing.assert_allclose(found.similarity, wanted.max(1), atol=1e-5)
            home = wanted.argmax(0)[found.index]
            way = [np.hypot(h//3-i//3, h%3-i%3) for i,h in enumerate(home)]
            np.testing.assert_allclose(found.round_trip, way)

def test_one_color_is_lent_as_it_is_and_stays_within_its_thing(colorizer):
    "A reference that is red on the left and blue on the right lends these two, and the border stays where it was."
    analysis = colorizer.analyse(gray(ASTRONAUT))
    shape = analysis.renders[-1].L.shape
    ab = np.zeros((2,*shape), np.float32)
    ab[0,:,:128] = .5
    ab[1,:,128:] = -.4
    lent = borrow_from(analysis, {'two colors':cells_of(analysis, ab)})
    assert lent.share == 1 and lent.source == 'two colors'
    np.testing.assert_allclose(lent.ab[:,:,:110], ab[:,:,:110], atol=.02)
    np.testing.assert_allclose(lent.ab[:,:,146:], ab[:,:,146:], atol=.02)

def test_each_cell_borrows_from_the_reference_that_knows_it(colorizer):
    "Left half from one photo, right half from another: together they know the whole."
    photo = Photo(ASTRONAUT)
    analysis = colorizer.analyse(gray(ASTRONAUT))
    truth = true_ab(photo, analysis.renders[-1].L.shape)
    halves = {'left':ASTRONAUT[:,:144], 'right':ASTRONAUT[:,112:]}
    seen = {k:(Photo(np.ascontiguousarray(o)), colorizer.analyse(gray(np.ascontiguousarray(o)))) for k,o in halves.items()}
    cells = {k:cells_of(a, true_ab(p, a.renders[-1].L.shape)) for k,(p,a) in seen.items()}
    auto = colorizer.auto_ab(analysis)
    def error(references): return np.abs(lend(auto, borrow_from(analysis, references))-truth).mean()
    alone = [error({k:cells[k]}) for k in cells]
    assert error(cells) < .75*min(alone), alone

# ---- references

def test_the_photo_says_where_its_colors_are_from(colorizer, tmp_path):
    right = save(ASTRONAUT, tmp_path/'right.png')
    wrong = save(CAT, tmp_path/'wrong.png')
    analysis = colorizer.analyse(gray(ASTRONAUT))
    lent,notes = said(References.from_files(colorizer, [wrong,right]).borrow, analysis)
    assert lent.source == str(right) and notes == [f'100% of the picture was found in a reference, most of it in {right}.']
    nothing,notes = said(References.from_files(colorizer, wrong).borrow, analysis)
    assert nothing is None and notes == [f'The reference {wrong} does not show what is in the picture, so it is colored as without.']

def test_a_reference_that_does_not_fit_changes_no_byte(colorizer, tmp_path):
    references = References.from_files(colorizer, save(CAT, tmp_path/'cat.png'))
    photo = gray(ASTRONAUT)
    assert (said(lambda: colorizer.color(photo, lenders=[references]))[0] == colorizer.color(photo)).all()

def test_the_map_shows_photo_and_reference(colorizer, tmp_path):
    references = References.from_files(colorizer, save(moved(ASTRONAUT, 64), tmp_path/'a.png'))
    analysis = colorizer.analyse(gray(ASTRONAUT))
    shown = show_matches(analysis, *references.find(analysis))
    assert shown.shape == (256,256+6+192,3) and shown.dtype == np.uint8
    shift = shown[64:192,64+16:240].astype(int) - shown[64:192,256+6+16:256+6+176]
    assert np.abs(shift).mean() < 12  # the same thing has the same color
    nothing = show_matches(analysis, {}, None)
    assert (nothing[...,0] == nothing[...,1]).all()

def blind(colorizer):
    "The model, but it must not look at anything."
    def analyse(*_): raise AssertionError('looked at a photo')
    return SimpleNamespace(folder=colorizer.folder, config=colorizer.config, analyse=analyse)

def test_a_folder_is_looked_at_once(colorizer, tmp_path, cache):
    "And again where a photo has changed, where an entry is damaged, and for another model; entries of lost photos go."
    folder = tmp_path/'family'
    a = save(ASTRONAUT, folder/'a.png')
    b = save(CAT, folder/'deep'/'b.png')
    save(np.asarray(Image.fromarray(CAT).convert('L')), folder/'gray.png')
    references,notes = said(References.from_files, colorizer, folder)
    assert [o.path for o in references.references] == [a,b] and '1 of 3 photos lend no colors' in notes[0]
    again,_ = said(References.from_files, blind(colorizer), folder)
    for x,y in zip(references.references, again.references): assert (x.cells.ab == y.cells.ab).all()
    other = SimpleNamespace(**{**vars(blind(colorizer)), 'config':{**colorizer.config, 'size':256}})
    for change in (lambda: os.utime(a, ns=(1,1)), lambda: again.references[1].file.write_bytes(b'damaged')):
        change()
        with pytest.raises(AssertionError, match='looked at a photo'): References.from_files(blind(colorizer), folder)
        said(References.from_files, colorizer, folder)
    with pytest.raises(AssertionError, match='looked at a photo'): References.from_files(other, folder)
    b.unlink()
    said(References.from_files, colorizer, folder)
    assert len([*cache.rglob('*.safetensors')]) == 2  # of a, and that gray.png has nothing to lend

def test_a_cache_that_cannot_be_written_is_done_without(colorizer, tmp_path, cache):
    folder = save(ASTRONAUT, tmp_path/'one'/'a.png').parent
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text('a file where the folder would be')
    references = References.from_files(colorizer, folder)
    assert references.borrow(colorizer.analyse(gray(ASTRONAUT))).share == 1

@pytest.mark.filterwarnings('ignore::colorfast.basics.Note')
def test_of_many_references_those_that_come_into_question_are_compared(colorizer, tmp_path):
    pictures = {n:getattr(skdata, n)() for n in ('astronaut','cat','coffee','rocket','retina')}
    for name,a in pictures.items():
        for k in (4,5): save(np.ascontiguousarray(a[::k,::k][:128,:128]), tmp_path/'all'/f'{name}{k}.png')
    references = References.from_files(colorizer, tmp_path/'all')
    analysis = colorizer.analyse(gray(np.ascontiguousarray(skdata.astronaut()[::4,::4][:,8:])))
    near = references.nearest(analysis)
    assert len(near) == 5 < len(references.references) and str(tmp_path/'all'/'astronaut4.png') in near

# ---- refused in a sentence

def bad_files(tmp):
    red = np.full((64,64,3), (150,30,40), np.uint8)
    sepia = (np.asarray(Image.fromarray(CAT).convert('L'))[...,None]*np.array([1,.85,.65])).astype(np.uint8)
    files = {'red.png':red, 'gray.png':CAT[...,0], 'sepia.png':sepia}
    for name,a in files.items(): save(a, tmp/name)
    (tmp/'broken.jpg').write_bytes(b'\xff\xd8\xff\xe0 no picture')
    (tmp/'empty').mkdir()
    (tmp/'only gray').mkdir()
    save(CAT[...,0], tmp/'only gray'/'gray.png')

BAD = {'red.png':'one color', 'gray.png':'gray or toned', 'sepia.png':'gray or toned', 'broken.jpg':'damaged', 'film.mp4':'a film',
    'empty':'no photos in this folder', 'only gray':'none of its 1 photos', 'nothing.jpg':'no such file'}

def test_what_cannot_be_a_reference_says_why(colorizer, tmp_path):
    bad_files(tmp_path)
    for name,words in BAD.items():
        with pytest.raises(PhotoError, match=words) as e: References.from_files(colorizer, tmp_path/name)
        assert str(e.value).startswith(str(tmp_path/name)) and '\n' not in str(e.value)

def test_a_model_without_features_says_so(colorizer):
    analysis = colorizer.analyse(gray(CAT))
    render = analysis.renders[-1]
    old = Analysis(analysis.L, [type(render)(render.L, render.ab, None, render.inner)])
    with pytest.raises(ModelError, match='exported without the features'): cells_of(old)

def test_photos_of_a_few_pixels_are_matched(colorizer):
    "From one pixel on, and narrow ones."
    for shape in ((1,1),(1,300),(300,3),(9,7)):
        analysis = colorizer.analyse(np.full(shape, .5, np.float32))
        cells = cells_of(analysis, np.zeros((2,*analysis.renders[-1].L.shape), np.float32))
        lent = borrow_from(analysis, {'itself':cells})
        assert lent is None or lent.ab.shape[1:] == analysis.renders[-1].L.shape

def test_a_reference_loads_no_torch():
    code = 'import sys, colorfast.colorize.reference; assert not {"torch","cv2","safetensors"} & {*sys.modules}'
    subprocess.run([sys.executable, '-c', code], env=env(), check=True)
