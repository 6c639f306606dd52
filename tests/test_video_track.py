"Steady colors, and hints that go with their things."
import cv2, numpy as np, pytest
from skimage import data as skdata

from colorfast.basics import HintError
from colorfast.colorize.colorizer import Colorizer
from colorfast.video.colorizer import VideoColorizer
from colorfast.video.smooth import MAX_AVERAGED_FRAMES
from films import CAT, GRAY, files, lab, make, make_film, make_gif, pictures, squares

# ---- steady colors

def test_still_frames_stay_still():
    still = skdata.camera()[100:196,150:246]
    video = VideoColorizer(Colorizer.from_pretrained())
    out = [*video.frames([still]*3)]
    assert all((o == out[0]).all() for o in out)
    rng = np.random.default_rng(0)
    noisy = [(still+rng.normal(0, 2, still.shape)).clip(0, 255).astype(np.uint8) for _ in range(MAX_AVERAGED_FRAMES+6)]
    ab = np.stack([lab(o)[1:] for o in video.frames(noisy)])
    assert np.abs(np.diff(ab, axis=0)[MAX_AVERAGED_FRAMES:].mean((2,3))).max() < .1

def test_nothing_crosses_a_cut():
    "Colors of the first frame after it are those of that frame alone, to the last bit."
    colorizer = Colorizer.from_pretrained()
    a = skdata.camera()[:180:2,:320:2]
    b = cv2.cvtColor(CAT, cv2.COLOR_RGB2GRAY)[:180:2,:320:2]
    out = [*VideoColorizer(colorizer).frames([a,a,b,b,a])]
    for i,px in ((0,a),(2,b),(4,a)): assert (out[i] == colorizer.predict(px)).all()

def test_frames_of_other_sizes_and_tiny_ones(brown):
    video = VideoColorizer(brown)
    for h,w in ((1,1),(3,40),(11,11)): assert [o.shape for o in video.frames([GRAY[:h,:w]]*3)] == [(h,w,3)]*3
    assert [o.shape for o in video.frames([GRAY, GRAY[:20], GRAY[:20]])] == [(128,128,3),(20,128,3),(20,128,3)]

# ---- hints

STEP = 4 # of the square, in pixels a frame
N = 10 # frames of the square
LEFT = [10+STEP*i for i in range(N)] # of the square, in each frame
OTHER = [skdata.camera()[200:296,i:i+160] for i in range(6)] # another shot
RED = '#a02020'

def on_square(i, time, left=LEFT, **kw):
    "A hint on the square as it is in its frame `i`."
    return {'x':left[i]+15, 'y':45, 'color':RED, 'time':time, **kw}

def colored(brown, src, name, hints, **kw):
    "The frames of `src` with `hints`."
    dst = src.with_name(f'{name}{src.suffix}')
    return pictures(VideoColorizer(brown, hints=hints).predict_file(src, dst, **kw))

def reddened(a, b, lefts):
    "By how much a* differs on the square, whose left side is at `lefts`."
    return [(lab(p)[1]-lab(q)[1])[36:54,x+4:x+24].mean() for p,q,x in zip(a, b, lefts)]

def test_hint_goes_with_the_thing(brown):
    "Red on the square, wherever it moves, not on the ground; gone after the cut."
    film = [*squares(25)]
    cut = skdata.camera()[::2,::2][:96,:160]
    hint = {'x':25,'y':45,'color':RED}
    out,plain = ([lab(o)[1:] for o in VideoColorizer(brown, hints=h).frames([*film, cut])] for h in ([hint],None))
    for i in range(0, 25, 3):
        red = (out[i]-plain[i])[0]
        x = 10+2*i
        assert red[34:56,x+4:x+26].mean() > 15, i
        assert np.abs(red[:24]).mean() < 2 and np.abs(red[:,x+40:]).mean() < 2, i
    assert (out[25] == plain[25]).all()

@pytest.mark.parametrize('suffix', ['.mp4','.gif'])
def test_hint_holds_in_its_whole_shot(tmp_path, brown, suffix, monkeypatch):
    "Back to the cut before it and on to the one after, also where the shot is looked at in pieces or begins the film, and of a part."
    film = [*OTHER, *squares(N, STEP), *[np.ascontiguousarray(o[::-1]) for o in OTHER[:2]]]
    src = make(tmp_path/f'a{suffix}', film)
    hint = on_square(6, (6+6)/25)
    plain = colored(brown, src, 'plain', None)
    out = colored(brown, src, 'hint', [hint])
    assert min(reddened(out[6:], plain[6:], LEFT)) > 12
    for i in (0,5,16,17): assert np.abs(lab(out[i])-lab(plain[i]))[1:].max() < 1
    part = colored(brown, src, 'part', [hint], start=.4)
    assert min(reddened(part, plain[10:], LEFT[4:])) > 12
    begins = make(tmp_path/f'begins{suffix}', film[6:16])
    out_begins = colored(brown, begins, 'b', [{**hint, 'time':6/25}])
    assert len(out_begins) == N and min(reddened(out_begins, plain[6:], LEFT)) > 12
    monkeypatch.setattr('colorfast.video.track.TRACK_CHUNK', 3)
    assert np.abs(np.float32(colored(brown, src, 'pieces', [hint]))-np.float32(out)).mean() < .5

def test_hint_in_a_part_that_begins_between_two_frames(tmp_path, brown):
    src = make_film(tmp_path/'a.avi', [*squares(20)], codec='mpeg4')
    video = [VideoColorizer(brown, hints=h) for h in ([{'x':10+2*11+15,'y':45,'color':RED}],None)]
    out,plain = (pictures(v.predict_file(src, tmp_path/f'{i}.mp4', start=.41)) for i,v in enumerate(video))
    assert len(out) == 9 and min(reddened(out, plain, [10+2*i for i in range(11, 20)])) > 12  # the frame at 0.40 is none of the part

def test_hint_on_what_comes_later(tmp_path, brown):
    "Before the square comes into the picture nothing is red."
    film = [*squares(N, STEP)]
    ground = film[0].copy()
    ground[:,:60] = ground[:,80:140]
    src = make_film(tmp_path/'a.mp4', [*[ground]*5, *film])
    out = colored(brown, src, 'hint', [on_square(6, 11/25)])
    plain = colored(brown, src, 'plain', None)
    assert min(reddened(out[8:], plain[8:], LEFT[3:])) > 12
    assert all(np.abs((lab(p)-lab(q))[1]).mean() < 3 for p,q in zip(out[:5], plain))

def test_hints_of_several_times(tmp_path, brown):
    "One on the first frame after a cut, one given twice, one between two frames and one on the last: each in its own shot."
    n = 6
    left = [10+2*i for i in range(n)]
    src = make_gif(tmp_path/'a.gif', [*squares(n), *OTHER, *squares(n)], duration=100)
    plain = colored(brown, src, 'plain', None)
    cut = colored(brown, src, 'cut', [on_square(0, 1.2, left)])
    same = on_square(3, .35, left)
    twice = colored(brown, src, 'twice', [same, same, on_square(5, 1.7, left, color='#1060c0')])
    assert min(reddened(cut[12:], plain[12:], left)) > 12
    assert min(reddened(twice, plain, left)) > 12
    for i in range(12):
        assert np.abs(lab(cut[i])-lab(plain[i])).max() < 2
        assert i < n or np.abs(lab(twice[i])-lab(plain[i])).max() < 2
    assert max((lab(a)-lab(b))[2,36:54,x+4:x+24].mean() for a,b,x in zip(twice[12:], plain[12:], left)) < -12

def test_hint_after_a_gap(tmp_path, brown):
    "Of 20 seconds, in which nothing moved."
    pts = [*range(4), *range(504, 510)]
    src = make_film(tmp_path/'a.mp4', [*squares(N, STEP)], pts)
    out = colored(brown, src, 'hint', [on_square(4, 504.5/25)])
    plain = colored(brown, src, 'plain', None)
    assert min(reddened(out, plain, LEFT)) > 12

def test_hint_does_not_stay_on_what_hid_its_thing(tmp_path, brown):
    "A square comes out from behind another one, which is like it: that one is not meant."
    film = [*squares(25, 4)]
    for o in film[1:]: o[30:60,10:40] = film[0][30:60,10:40]
    src = make_film(tmp_path/'a.mp4', [film[0]]*5 + film)
    out = colored(brown, src, 'hint', [{'x':10+4*20+15, 'y':45, 'color':RED, 'time':25/25}])
    plain = colored(brown, src, 'plain', None)
    assert max(reddened(out, plain, [10]*5)) < 2
    assert min(reddened(out[15:], plain[15:], [10+4*i for i in range(10, 25)])) > 12

class Brown:
    "A network that paints everything brown."
    def __call__(self, x): return np.concatenate([x[:,:1], np.full_like(x[:,:2], .15)], 1)

def test_hint_on_a_small_thing_far_away(tmp_path):
    "It does not slide off onto the ground, forward or back, in a film with grain."
    n = 45
    rng = np.random.default_rng(0)
    colorizer = Colorizer(Brown(), {'size':96})
    film = [(o+rng.normal(0, 1, o.shape)).clip(0, 255).astype(np.uint8) for o in squares(n, 1, 20)]
    src = make_film(tmp_path/'a.mp4', film)
    plain = colored(colorizer, src, 'plain', None)
    for i in (0,n-5):
        out = colored(colorizer, src, f'{i}', [{'x':20+i, 'y':40, 'color':RED, 'time':i/25}])
        for k in range(0, n, 10):
            red = (lab(out[k])-lab(plain[k]))[1]
            assert red[34:46,14+k:26+k].mean() > 10, (i,k)
            red[26:54,6+k:34+k] = 0
            assert np.abs(red).mean() < 1, (i,k)

def test_hints_that_cannot_be(tmp_path, brown):
    src = make_film(tmp_path/'a.mp4', [*squares(N, STEP)])
    hint = on_square(6, .24)
    for hint,kw,says in ((hint,{'end':.2},'0.24 s is outside the part'), ({**hint, 'x':500},{},'outside the picture'),
                         ({**hint, 'time':99},{},'99 s is after the end of the film')):
        with pytest.raises(HintError, match=says): VideoColorizer(brown, hints=[hint]).predict_file(src, tmp_path/'x.mp4', **kw)
    assert files(tmp_path) == ['a.mp4']
