"GIFs: what they were stays, in colors that do not shimmer."
import numpy as np, pytest
from PIL import Image
from skimage import data as skdata

from colorfast.basics import VideoError
from colorfast.colorize.colorizer import Colorizer
from colorfast.video.colorizer import VideoColorizer
from films import Fickle, files, gif_frames, lab, make_gif, passing, pictures, rgb

def assert_like(src, dst):
    "The same durations, disposal, transparency, and lightness where it is seen."
    for (x,*of_x),(y,*of_y) in zip(gif_frames(src), gif_frames(dst), strict=True):
        assert of_x == of_y and (x[...,3] == y[...,3]).all()
        off = np.abs(lab(x[...,:3])[0]-lab(y[...,:3])[0])
        assert off[x[...,3] > 0].mean() < 1

def test_gif(tmp_path, video):
    "Durations, rounds, size, lightness; the same colors where nothing moves."
    comment = b'Grandmother'*40
    src = make_gif(tmp_path/'a.gif', passing(5), duration=[40,100,70,0,500], loop=3, disposal=1, comment=comment)
    dst = video.predict_file(src, tmp_path/'out/b.gif')
    assert_like(src, dst)
    assert all(lab(o)[2].mean() > 8 for o in pictures(dst))
    info = Image.open(dst).info
    assert (info['loop'],info['comment']) == (3,comment)
    assert files(tmp_path/'out') == ['b.gif']

@pytest.mark.parametrize('disposal', [0,1,2,3])
def test_gif_with_holes(tmp_path, video, disposal):
    "Transparency under each disposal."
    distance = np.hypot(*np.mgrid[-24:24,-32:32])
    frames = [np.dstack([rgb(o), np.uint8(255)*(distance < 10+5*i)]) for i,o in enumerate(passing(4))]
    src = make_gif(tmp_path/'a.gif', frames, duration=50, loop=0, disposal=disposal)
    assert_like(src, video.predict_file(src, tmp_path/'b.gif'))

def test_a_part_of_a_gif(tmp_path):
    "The same frames as in the whole, in the same colors."
    src = make_gif(tmp_path/'a.gif', passing(32), duration=100, loop=0)
    fickle = VideoColorizer(Colorizer(Fickle(), {'size':64}))
    whole = pictures(fickle.predict_file(src, tmp_path/'w.gif'))
    part = pictures(fickle.predict_file(src, tmp_path/'p.gif', start=2., end=3.))
    assert len(part) == 10 and max(np.abs(lab(a)-lab(b)).mean() for a,b in zip(part, whole[20:])) < 1
    with pytest.raises(VideoError, match='no frames.*in the part'): fickle.predict_file(src, tmp_path/'x.gif', start=9.5)
    assert not (tmp_path/'x.gif').exists()

class Hues:
    "A network that paints 256 hues side by side."
    def __call__(self, x):
        L = x[:,:1]
        ramp = np.linspace(-1, 1, 96, dtype=np.float32)
        return np.concatenate([L, np.broadcast_to(.4*ramp, L.shape), np.broadcast_to(.4*ramp[:,None], L.shape)], 1)

def test_gif_of_many_colors_does_not_shimmer(tmp_path):
    "Two neighbors of 256 hues in noise that a palette of its own in each frame would cut up anew."
    rng = np.random.default_rng(0)
    still = skdata.camera()[100:196,100:196]
    frames = [(still+rng.normal(0, 2, still.shape)).clip(0, 255).astype(np.uint8) for _ in range(12)]
    video = VideoColorizer(Colorizer(Hues(), {'size':96}))
    stable = pictures(video.predict_file(make_gif(tmp_path/'a.gif', frames, duration=40), tmp_path/'b.gif'))
    own_palettes = [np.asarray(Image.fromarray(o).quantize(256, dither=0).convert('RGB')) for o in video.frames(frames)]
    def jumps(frames): return np.mean([np.linalg.norm((lab(b)-lab(a))[1:], axis=0).mean() for a,b in zip(frames, frames[1:])])
    assert jumps(stable) < .5*jumps(own_palettes)

def test_gif_that_stands_still(tmp_path):
    still = skdata.camera()[100:228,200:328]
    moving = [still.copy() for _ in range(6)]
    for i,o in enumerate(moving): o[5:15,5+9*i:15+9*i] = 255
    src = make_gif(tmp_path/'a.gif', moving, duration=50)
    out = np.stack(pictures(VideoColorizer(Colorizer.from_pretrained()).predict_file(src, tmp_path/'b.gif'))).astype(int)
    assert np.abs(np.diff(out, axis=0))[2:,40:].mean() < 1

def test_gif_of_one_frame_and_without_loop(tmp_path, video):
    src = make_gif(tmp_path/'a.gif', passing(1))
    with Image.open(video.predict_file(src, tmp_path/'b.gif')) as im:
        assert im.n_frames == 1 and 'loop' not in im.info and im.size == (64,48)

def test_gif_that_is_cut_short(predict, tmp_path):
    src = make_gif(tmp_path/'a.gif', passing(10), duration=100)
    data = src.read_bytes()
    src.write_bytes(data[:len(data)//2])
    predict('a.gif', code=1, says=['a.gif: damaged or cut short after 0.','what could be read is in'])
    assert 2 <= Image.open(tmp_path/'colorized/a.gif').n_frames < 8
