"Films colored beside key frames and other photos, and hints whose shot comes back."
import numpy as np, pytest
from PIL import Image
from skimage import data as skdata

from colorfast.basics import VideoError
from colorfast.colorize.colorizer import Colorizer
from colorfast.colorize.match import Matches, MIN_FIRM_SHARE
from colorfast.colorize.reference import References
from colorfast.video.anchors import Anchor, AnchorLender
from colorfast.video.lent import SteadyLender
from colorfast.video.colorizer import VideoColorizer
from films import files, lab, make, make_film, pictures

SIZE = 96  # px, of frames and renders

def frames_of(photo, xs, y=0):
    "Square frames in color of a camera that passes over `photo`."
    small = photo[y::2,::2]
    return [np.ascontiguousarray(small[:SIZE,x:x+SIZE]) for x in xs]

SHOT = frames_of(skdata.astronaut(), range(40, 80, 4))
OTHER = frames_of(skdata.coffee(), range(0, 12, 3))
BACK = frames_of(skdata.astronaut(), range(100, 70, -6))
FILM = [*SHOT, *OTHER, *BACK]
GRAY = [np.ascontiguousarray(np.asarray(Image.fromarray(o).convert('L'))) for o in FILM]
AGAIN = slice(len(SHOT)+len(OTHER), None)  # where the shot comes back

@pytest.fixture(scope='module')
def colorizer(): return Colorizer.from_pretrained('default')

@pytest.fixture(scope='module')
def references(colorizer, tmp_path_factory):
    "A frame of the shot and a picture that has nothing to do with it."
    folder = tmp_path_factory.mktemp('references')
    for name,o in (('key',SHOT[5]),('rocket',skdata.rocket()[::3,::3])): Image.fromarray(o).save(folder/f'{name}.png')
    return {name:References.from_files(colorizer, folder/f'{name}.png') for name in ('key','rocket')}

def video(colorizer, *references, **kw): return VideoColorizer(colorizer, lenders=references, size=SIZE, **kw)

@pytest.fixture(scope='module')
def plain(colorizer): return [*video(colorizer).frames(GRAY)]

def error(done, truth=FILM): return np.array([np.abs(lab(a)-lab(b))[1:].mean() for a,b in zip(done, truth, strict=True)])

# ---- references

def test_a_key_frame_colors_its_shot_in_both_directions_and_when_it_comes_back(colorizer, references, plain):
    "The first frame, the last, and after two cuts; the shot between is as it was, to the last bit."
    done = [*video(colorizer, references['key']).frames(GRAY)]
    better = error(done)/error(plain)
    assert better[:len(SHOT)].max() < .8 and better[AGAIN].max() < .8 and better.mean() < .6
    for i in range(len(SHOT), AGAIN.start): assert (done[i] == plain[i]).all()

def test_films_share_references_but_nothing_else(colorizer, references):
    v = video(colorizer, references['rocket'], references['key'])
    first = [*v.frames(GRAY[3:6])]
    assert all((a != b).any() for a,b in zip(first, video(colorizer).frames(GRAY[3:6])))
    for a,b in zip(first, v.frames(GRAY[3:6])): assert (a == b).all()

SAID = [('key','.mp4','references lent colors to 3 of 5 frames'), ('rocket','.gif','show nothing that is in the film')]

@pytest.mark.parametrize('name,suffix,says', SAID)
def test_the_command(predict, tmp_path, references, name, suffix, says):
    "A film gets colors, a GIF keeps its own."
    make(tmp_path/f'a{suffix}', [*GRAY[:3], *GRAY[len(SHOT):len(SHOT)+2]])
    reference = references[name].references[0].path
    predict(f'a{suffix}', '-o', 'out', '--reference', reference, '--size', SIZE, model='default', says=[f'a{suffix}: ', says])
    predict(f'a{suffix}', '-o', 'plain', '--size', SIZE, model='default')
    done,plain = (pictures(tmp_path/o/f'a{suffix}') for o in ('out','plain'))
    assert len(done) == 5 and (done[0] == plain[0]).all() == (name == 'rocket')

# ---- one at a time

def matches(similarity, firm):
    "`Matches` of 100 cells with this similarity, of which `firm` come home."
    return Matches(np.zeros(100, int), np.full(100, similarity), np.where(np.arange(100) < firm, 0., 9.), np.ones(100, bool))

def test_an_anchor_lends_until_it_fits_clearly_worse():
    "So many cells must be firm to begin, half as many to go on; nothing is held after a cut."
    lender = AnchorLender()
    def best(cut=False, **found):
        name = lender.best(found, cut)
        lender.anchor = Anchor(name, None) if name else None
        return name
    n = round(100*MIN_FIRM_SHARE)
    assert [best(a=matches(.4, firm)) for firm in (n-2, n+2, n-2, n//2+1, n//2-1, n-2)] == [None,'a','a','a',None,None]
    a = matches(.60, 90)
    assert best(a=a, b=matches(.59, 90)) == 'a'
    assert best(a=a, b=matches(.64, 90)) == 'a'
    assert best(a=a, b=matches(.66, 90)) == 'b'
    assert best(a=matches(.70, 90), b=matches(.66, 90)) == 'b'
    assert best(a=matches(.70, 90), b=matches(.66, 90), cut=True) == 'a'

class Blinking:
    "A lender that lends in every other frame."
    n = 0
    def borrow(self, analysis, motion):
        from colorfast.colorize.lend import Borrowed
        self.n += 1
        return Borrowed(np.full((2,4,4), .4, np.float32), np.ones((4,4), np.float32), 1.) if self.n%2 else None

def test_lending_that_comes_and_goes_does_not_flicker():
    "Half of the color is there in the end, and what it changes by from frame to frame is one in 17 of it."
    steady = SteadyLender(Blinking())
    ab = np.zeros((2,4,4), np.float32)
    still = np.stack(np.meshgrid(np.arange(4), np.arange(4)), -1).astype(np.float32), np.ones((4,4), np.float32)
    shown = [steady(ab, None, still if i else None)[0,1,1] for i in range(60)]
    assert np.allclose(shown[:4], [.4, .2, .8/3, .2]) and abs(np.mean(shown[40:])-.2) < .01
    assert np.abs(np.diff(shown[20:])).max() < .4/17

# ---- hints

RED = {'x':60, 'y':70, 'color':'#a02020', 'time':2/25}  # on the suit

def test_a_hint_reaches_the_shot_that_comes_back_later(colorizer, plain):
    "Not the shot between, and not one before."
    red = [(lab(a)-lab(b))[1] for a,b in zip(video(colorizer, hints=[RED]).frames(GRAY), plain)]
    in_shot = [i for i in range(2, len(SHOT)) if np.abs(red[i]).max() > 15]
    assert len(in_shot) == len(SHOT)-2
    assert all(np.abs(o).max() == 0 for o in red[len(SHOT):AGAIN.start])
    assert min(np.percentile(o, 98) for o in red[AGAIN]) > 8
    later = [*video(colorizer, hints=[{**RED, 'time':AGAIN.start/25}]).frames(GRAY)]
    for a,b in zip(later[:AGAIN.start], plain): assert (a == b).all()

# ---- resumed

def stop_after(n):
    "Progress of a film whose computer is switched off after `n` frames."
    def progress(frames, name, total, unit):
        for i,o in enumerate(frames):
            if i == n and total: raise RuntimeError
            yield o
    return progress

def test_a_resumed_film_is_the_same_to_the_byte(tmp_path, colorizer, references, monkeypatch):
    "In the shot between, when all that the shot which comes back needs is in the state."
    monkeypatch.setattr('colorfast.video.resume.SEGMENT_FRAMES', 4)
    src = make_film(tmp_path/'a.mp4', GRAY)
    v = video(colorizer, references['key'], hints=[RED])
    whole = v.predict_file(src, tmp_path/'whole.mp4')
    with pytest.raises(RuntimeError): v.predict_file(src, tmp_path/'b.mp4', progress=stop_after(13))
    with pytest.raises(VideoError, match='begun with other settings'):
        video(colorizer, references['rocket'], hints=[RED]).predict_file(src, tmp_path/'b.mp4', resume=True)
    assert v.predict_file(src, tmp_path/'b.mp4', resume=True).read_bytes() == whole.read_bytes()
    assert files(tmp_path) == ['a.mp4','b.mp4','whole.mp4']
