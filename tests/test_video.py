"Films and GIFs: real files made here, coloured by real processes where a user would have one."
import json, os, signal, subprocess, sys, time
from fractions import Fraction
from pathlib import Path

import cv2, numpy as np, pytest
av = pytest.importorskip('av')
from PIL import Image
from skimage import data as skdata

from colorfast.color import AB_SCALE, rgb2L, rgb2lab
from colorfast.basics import HintError
from colorfast.colorize.colorizer import Colorizer
from colorfast.basics import VideoError
from colorfast.video.flow import MAX_AVERAGED_FRAMES
from colorfast.video.read import is_color_film
from colorfast.video.write import SEGMENT_FRAMES, aac_transcoder
from colorfast.video.colorizer import VideoColorizer

GREY,CAT = skdata.camera()[::4,::4],skdata.cat()
posix = pytest.mark.skipif(os.name != 'posix', reason='needs POSIX')
ROOT = Path(__file__).parents[1]
CMD = [sys.executable, '-m', 'colorfast.cli', 'predict']

def env(**kw): return {**os.environ, 'PYTHONPATH':str(ROOT), 'OMP_NUM_THREADS':'1', **kw}
def passing(n, w=64, h=48, x=0): return [np.ascontiguousarray(GREY[30:30+h,x+i:x+i+w]) for i in range(n)]
def rgb(a): return a if a.ndim == 3 else np.dstack([a]*3)

def make(path, frames, pts=None, tb=Fraction(1,25), codec='libx264', pix_fmt='yuv420p', sound=None, rate=16000, options=None, turn=None, sar=None, box=None, **tags):
    "A film file; `sound` is the codec of a second of noise."
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), 'w', options=box or {}) as box:
        v = box.add_stream(codec, rate=round(1/tb) if tb.numerator == 1 and tb.denominator < 100 else 25, options=options or ({'crf':'10'} if codec == 'libx264' else {}))
        v.height,v.width,v.pix_fmt = *frames[0].shape[:2],pix_fmt
        v.codec_context.time_base = tb
        if sar: v.codec_context.sample_aspect_ratio = sar
        for k,x in tags.items(): setattr(v.codec_context, k, x)
        if turn is not None: v.set_display_rotation(turn)
        if sound: s = box.add_stream(sound, rate=rate); s.layout = 'mono'
        for i,o in enumerate(frames):
            f = av.VideoFrame.from_ndarray(rgb(o), format='rgb24').reformat(format=pix_fmt, dst_colorspace=tags.get('colorspace') and {6:5}.get(tags['colorspace'], tags['colorspace']))
            f.pts,f.time_base = i if pts is None else pts[i],tb
            box.mux(v.encode(f))
        box.mux(v.encode())
        if sound:
            f = av.AudioFrame.from_ndarray(np.random.default_rng(0).integers(-9999, 9999, (1,16000), dtype=np.int16), format='s16', layout='mono')
            f.rate,f.pts = rate,0
            box.mux(s.encode(f)); box.mux(s.encode())
    return path

def gif(path, frames, **kw):
    ims = [Image.fromarray(o) for o in frames]
    ims[0].save(path, save_all=True, append_images=ims[1:], **kw)
    return path

def read(path):
    "Times and RGB frames of a film."
    with av.open(str(path)) as box: return zip(*[(f.pts*f.time_base, f.reformat(format='rgb24', interpolation=4|0x40000|0x2000|0x4000).to_ndarray()) for f in box.decode(video=0)])
def gif_frames(path):
    im = Image.open(path)
    for i in range(im.n_frames): im.seek(i); yield np.asarray(im.convert('RGBA')),im.info.get('duration'),im.disposal_method
def times(path): return [*read(path)][0]
def pictures(path): return [o[...,:3] for o,*_ in gif_frames(path)] if path.suffix == '.gif' else [*read(path)][1]
def packets(path):
    with av.open(str(path)) as box: return [(p.pts*p.time_base, bytes(p)) for p in box.demux(audio=0) if p.dts is not None]
def lab(px): return rgb2lab(px.transpose(2,0,1)/np.float32(255))*np.float32([100,AB_SCALE,AB_SCALE])[:,None,None]
def files(folder): return sorted(o.relative_to(folder).as_posix() for o in Path(folder).rglob('*'))

@pytest.fixture
def run(tmp_path, tiny):
    def _run(*args, code=0, says=(), **kw):
        p = subprocess.run([*CMD, *map(str, args), '--model', str(tiny)], cwd=tmp_path, capture_output=True, text=True, env=env(), **kw)
        assert p.returncode == code and 'Traceback' not in p.stderr and all(o in p.stderr for o in says), (p.returncode, p.stderr)
        return p
    return _run

@pytest.fixture(scope='session')
def brown(tiny): return Colorizer.from_pretrained(tiny)
@pytest.fixture
def video(brown): return VideoColorizer(brown)

class Fickle:
    "A network whose colors depend on the noise of the whole picture."
    def __call__(self, x): return np.concatenate([x[:,:1], np.broadcast_to(.06*np.sin(3000*x[:,:1].mean((1,2,3), keepdims=True)), x[:,:1].shape), np.full_like(x[:,:1], .1)], 1)

class ByLight:
    "A network whose colors follow the lightness of the place and of the whole picture."
    def __call__(self, x): return np.concatenate([x[:,:1], .3*x[:,:1]-.1, .2*x[:,:1].mean((2,3), keepdims=True)+0*x[:,:1]], 1)

# ---- steady colors

def test_still_frames_stay_still():
    one = skdata.camera()[100:300,150:350]
    out = [*VideoColorizer(Colorizer.from_pretrained()).frames([one]*6)]
    assert all((o == out[0]).all() for o in out)
    rng = np.random.default_rng(0)
    noisy = [(one+rng.normal(0, 2, one.shape)).clip(0, 255).astype(np.uint8) for _ in range(24)]
    ab = np.stack([lab(o)[1:] for o in VideoColorizer(Colorizer.from_pretrained()).frames(noisy)])
    assert np.abs(np.diff(ab, axis=0)[MAX_AVERAGED_FRAMES:].mean((2,3))).max() < .1

def test_nothing_crosses_a_cut():
    "Colors of the first frame after it are those of that frame alone, to the last bit."
    c = Colorizer.from_pretrained()
    a,b = skdata.camera()[:180,:320],cv2.cvtColor(CAT, cv2.COLOR_RGB2GRAY)[:180,:320]
    out = [*VideoColorizer(c).frames([a,a,a,b,b,a])]
    for i,px in ((0,a),(3,b),(5,a)): assert (out[i] == c.predict(px)).all()

def test_frames_of_other_sizes_and_tiny_ones(brown):
    for shape in ((1,1),(3,40),(11,11)): assert [o.shape for o in VideoColorizer(brown).frames([GREY[:shape[0],:shape[1]]]*3)] == [(*shape,3)]*3
    assert [o.shape for o in VideoColorizer(brown).frames([GREY, GREY[:20], GREY[:20]])] == [(128,128,3),(20,128,3),(20,128,3)]

# ---- films

def test_film(tmp_path, video):
    "Uneven times, sound, pixels that are not square, lightness, dates."
    pts = [0,400,900,1000,1700,2500,2600,4000]
    src = make(tmp_path/'a.mp4', passing(8), pts, Fraction(1,10007), sound='aac', sar=Fraction(16,15)); os.utime(src, ns=(10**18,10**18))
    assert video.predict(src, tmp_path/'out/a.mp4') == tmp_path/'out/a.mp4' and files(tmp_path/'out') == ['a.mp4']
    assert times(tmp_path/'out/a.mp4') == times(src) == tuple(Fraction(o,10007) for o in pts)
    assert packets(tmp_path/'out/a.mp4') == packets(src) and len(packets(src)) > 10
    with av.open(str(tmp_path/'out/a.mp4')) as box:
        v = box.streams.video[0]
        assert (v.codec_context.name,v.pix_fmt,v.width,v.height,v.sample_aspect_ratio) == ('h264','yuv420p',64,48,Fraction(16,15))
    for a,b in zip(pictures(src), pictures(tmp_path/'out/a.mp4')):
        assert np.abs(lab(a)[0]-lab(b)[0]).mean() < .7 and lab(b)[2].mean() > 8 > 2 > np.abs(lab(a)[1:]).max()
    assert (tmp_path/'out/a.mp4').stat().st_mtime_ns == 10**18

@pytest.mark.parametrize('tags,pix_fmt', [(dict(colorspace=1, color_range=1),'yuv420p'), (dict(colorspace=6, color_range=1),'yuv420p'), (dict(color_range=2),'yuvj420p'), ({},'yuv420p'), ({},'gray'), ({},'yuv444p10le')])
def test_lightness_in_every_dialect(tmp_path, video, tags, pix_fmt):
    ramp = np.tile(np.repeat(np.arange(16, 240, 14, dtype=np.uint8), 8), (64,1))
    src = make(tmp_path/'a.mkv', [ramp]*3, codec='ffv1' if 'j' not in pix_fmt else 'mjpeg', pix_fmt=pix_fmt, options={} if 'j' not in pix_fmt else {'qmin':'1','qmax':'1'}, **tags)
    dst = video.predict(src, tmp_path/'b.mp4')
    L = lambda o: 100*rgb2L(rgb(o)[None].transpose(0,3,1,2)/np.float32(255))[0,0]
    assert np.abs(L(pictures(dst)[1])-L(ramp)).max() < 1.5
    with av.open(str(dst)) as box: f = next(box.decode(video=0)); assert f.color_range == 1 and f.colorspace == tags.get('colorspace', 6)

@pytest.mark.parametrize('turn', [90,180,-90])
def test_rotation_is_kept_and_the_network_sees_an_upright_picture(tmp_path, turn):
    seen = []
    class Watch(ByLight):
        def __call__(self, x): seen.append(x[0,0]); return super().__call__(x)
    upright = skdata.camera()[100:164,200:296]
    src = make(tmp_path/'a.mp4', [np.ascontiguousarray(np.rot90(upright, -(turn//90)))]*2, turn=turn)
    VideoColorizer(Colorizer(Watch(), {'size':96})).predict(src, tmp_path/'b.mp4')
    assert seen[0].shape == (64,96) and np.abs(seen[0]-rgb2L(rgb(upright).transpose(2,0,1)/np.float32(255))[0]).mean() < .02
    with av.open(str(tmp_path/'b.mp4')) as box: f = next(box.decode(video=0)); assert (f.rotation-turn)%360 == 0 and (f.height,f.width) == ((64,96) if turn == 180 else (96,64))

def test_odd_sizes_get_a_row_and_a_column(tmp_path, video):
    src = make(tmp_path/'a.mkv', passing(3, 63, 47), codec='ffv1', pix_fmt='yuv444p')
    out = pictures(video.predict(src, tmp_path/'b.mp4'))[0]
    assert out.shape == (48,64,3) and np.abs(lab(out)[0,:47,:63]-lab(pictures(src)[0])[0]).mean() < 1.2

@pytest.mark.parametrize('name,codec,sound,suffix', [('a.avi','mpeg4','mp3','.mp4'), ('a.mov','mjpeg','pcm_mulaw','.mov'), ('a.mkv','mpeg2video','pcm_s16le','.mp4'), ('a.ts','mpeg2video','mp2','.mp4'), ('a.mpg','mpeg1video','mp2','.mp4')])
def test_containers(tmp_path, video, name, codec, sound, suffix):
    "Whatever FFmpeg reads, with the sound as it was; broadcasts, whose clocks begin anywhere, begin at zero."
    src = make(tmp_path/name, passing(25, 96, 64), codec=codec, pix_fmt='yuvj420p' if codec == 'mjpeg' else 'yuv420p', sound=sound)
    dst = video.predict(src, tmp_path/'out.mp4')
    assert dst.suffix == suffix and len(times(dst)) == len(times(src))
    clock = min(times(src)[0], packets(src)[0][0]) if name[2:] in ('ts','mpg') else 0
    assert np.allclose(np.float64(times(dst)), np.float64(times(src))-float(clock), atol=1e-3)
    assert b''.join(o for _,o in packets(dst)) == b''.join(o for _,o in packets(src)) != b''

def test_sound_that_fits_nowhere(tmp_path, video):
    src = make(tmp_path/'a.avi', passing(25), codec='mpeg4', sound='adpcm_ms')
    with pytest.warns(UserWarning, match='adpcm_ms.*became AAC'): dst = video.predict(src, tmp_path/'b.mp4')
    with av.open(str(dst)) as box: assert box.streams.audio[0].codec_context.name == 'aac' and .9 < sum(f.samples for f in box.decode(audio=0))/16000 < 1.2

def test_sound_of_a_rate_that_aac_has_not(tmp_path, video):
    src = make(tmp_path/'a.avi', passing(25), codec='mpeg4', sound='adpcm_ms', rate=12345)
    with pytest.warns(UserWarning, match='adpcm_ms.*became AAC'): dst = video.predict(src, tmp_path/'b.mp4')
    with av.open(str(dst)) as box: assert box.streams.audio[0].rate == 16000 and 1.1 < sum(f.samples for f in box.decode(audio=0))/16000 < 1.5
    with av.open(str(src)) as box, av.open(str(tmp_path/'c.mp4'), 'w') as out:
        packets = aac_transcoder(out.add_stream('aac', rate=12345), src)
        with pytest.warns(UserWarning, match='a.avi: its sound could not become AAC'), pytest.raises(av.error.FFmpegError): [packets(p) for p in box.demux(audio=0)]

def test_size_that_changes_on_the_way(tmp_path, video):
    "A recording: every frame is there, in the size of the first, whole or after a crash."
    make(tmp_path/'1.ts', passing(60, 96, 64)*2, codec='mpeg2video'); make(tmp_path/'2.ts', [o for _ in range(13) for o in passing(10, 128, 96, 0)], pts=range(120, 250), codec='mpeg2video')
    src = tmp_path/'a.ts'; src.write_bytes((tmp_path/'1.ts').read_bytes()+(tmp_path/'2.ts').read_bytes())
    assert {o.shape for o in pictures(src)} == {(64,96,3),(96,128,3)}
    def crash(frames, total):
        for i,o in enumerate(frames):
            if i == 2*SEGMENT_FRAMES+20: raise RuntimeError
            yield o
    with pytest.raises(RuntimeError): video.predict(src, tmp_path/'c.mp4', progress=crash)
    for name in ('b','c'):
        out = pictures(video.predict(src, tmp_path/f'{name}.mp4', resume=True))
        assert len(out) == len(pictures(src)) > 240 and {o.shape for o in out} == {(64,96,3)}
        assert np.abs(lab(out[-1])[0]-lab(cv2.resize(pictures(src)[-1], (96,64), interpolation=cv2.INTER_AREA))[0]).mean() < 3

def test_a_part(tmp_path, video):
    "Begins at zero; the colors are those of the whole film, because the frames before it are looked at too."
    src = make(tmp_path/'a.mp4', passing(60), sound='aac', options={'crf':'5', 'g':'12'})
    fickle = VideoColorizer(Colorizer(Fickle(), {'size':64}))
    whole,part,alone = fickle.predict(src, tmp_path/'w.mp4'),fickle.predict(src, tmp_path/'p.mp4', start=.4, end=1.),[fickle.colorizer.predict(o) for o in pictures(src)]
    assert times(part) == tuple(Fraction(i,25) for i in range(15))
    off = lambda a: np.mean([np.abs(lab(p)[1].mean()-lab(q)[1].mean()) for p,q in zip(a, pictures(whole)[10:])])
    assert off(pictures(part)) < .5 < 2 < off(alone[10:25])
    sound = packets(part)
    assert {o for _,o in sound} < {o for _,o in packets(src)} and 0 <= sound[0][0] < .1
    slow = make(tmp_path/'a.avi', [*squares(20)], codec='mpeg4')
    a,b = (pictures(VideoColorizer(video.colorizer, hints=h).predict(slow, tmp_path/f's{bool(h)}.mp4', start=.41)) for h in ([{'x':XS[11]+15,'y':45,'color':'#a02020'}],None))
    assert len(a) == 9 and min(reddened(a, b, XS[11:])) > 12  # the frame at 0.40 is none of the part
    for kw in ({'start':-1},{'start':2, 'end':1},{'end':0}):
        with pytest.raises(ValueError, match='give seconds'): video.predict(src, tmp_path/'x.mp4', **kw)
    with pytest.raises(VideoError, match='no frames.*in the part'): video.predict(src, tmp_path/'x.mp4', start=99.5)
    assert not [o for o in files(tmp_path) if o[0] == 'x']

# ---- hints

def squares(n, step=2, side=30):
    "A dark square that moves over a patterned ground."
    rng = np.random.default_rng(1); ground = cv2.GaussianBlur(rng.integers(120, 255, (96,160)).astype(np.float32), (0,0), 2)
    ground = (190+3*(ground-ground.mean())).clip(120, 255)
    dark = 40+cv2.GaussianBlur(rng.normal(0, 30, (side,side)).astype(np.float32), (0,0), 1.5)
    for i in range(n): f = ground.copy(); f[30:30+side,10+i*step:10+side+i*step] = dark; yield f.clip(0, 255).astype(np.uint8)

def test_hint_goes_with_the_thing(brown):
    "Red on the square, wherever it moves, not on the ground; gone after the cut."
    film = [*squares(40)]
    video = VideoColorizer(brown, hints=[{'x':25,'y':45,'color':'#a02020'}])
    cut = skdata.camera()[::2,::2][:96,:160]
    out = [lab(o)[1:] for o in video.frames([*film, cut])]
    plain = [lab(o)[1:] for o in VideoColorizer(brown).frames([*film, cut])]
    for i in range(0, 40, 3):
        moved = (out[i]-plain[i])[0]; x = 10+2*i
        assert moved[34:56,x+4:x+26].mean() > 15, i
        assert np.abs(moved[:24]).mean() < 2 and np.abs(moved[:,x+40:]).mean() < 2, i
    assert (out[40] == plain[40]).all()

def reddened(a, b, xs):
    "By how much a* differs on the square, whose left side is at `xs`."
    return [(lab(p)[1]-lab(q)[1])[36:54,x+4:x+24].mean() for p,q,x in zip(a, b, xs)]

XS = [10+2*i for i in range(20)]
WINE = {'x':XS[10]+15,'y':45,'color':'#a02020','time':.8}  # on the square after ten frames of another shot, and ten of its own

def test_hint_holds_in_its_whole_shot(tmp_path, brown, monkeypatch):
    "Back to the cut before it and on to the one after, also where the shot is looked at in pieces or begins the film, and of a part; in a GIF too."
    other = [skdata.camera()[200:296,i:i+160] for i in range(10)]
    film = [*other, *squares(20), *[np.ascontiguousarray(o[::-1]) for o in other[:5]]]
    for src in (make(tmp_path/'a.mp4', film),gif(tmp_path/'a.gif', film, duration=40)):
        see = lambda name,hints=[WINE],**kw: pictures(VideoColorizer(brown, hints=hints).predict(src, (tmp_path/name).with_suffix(src.suffix), **kw))
        plain,out = see('plain', None),see('hint')
        assert min(reddened(out[10:], plain[10:], XS)) > 12 and all(np.abs(lab(out[i])-lab(plain[i]))[1:].max() < 1 for i in (0,9,30,34))
        monkeypatch.setattr('colorfast.video.track.TRACK_CHUNK', 3)
        assert np.abs(np.float32(see('pieces'))-np.float32(out)).mean() < .5
        begins = (make if src.suffix == '.mp4' else gif)(tmp_path/f'begins{src.suffix}', film[10:30], **({} if src.suffix == '.mp4' else {'duration':40}))
        out = pictures(VideoColorizer(brown, hints=[{**WINE, 'time':.4}]).predict(begins, tmp_path/f'b{src.suffix}'))
        assert len(out) == 20 and min(reddened(out, plain[10:], XS)) > 12
        assert min(reddened(see('part', start=.6), plain[15:], XS[5:])) > 12
        monkeypatch.undo()

def test_hint_on_what_comes_later(tmp_path, brown):
    "Before the square comes into the picture nothing is red."
    film = [*squares(20)]; ground = film[0].copy(); ground[:,:60] = ground[:,80:140]
    src = make(tmp_path/'a.mp4', [*[ground]*5, *film])
    out,plain = (pictures(VideoColorizer(brown, hints=h).predict(src, tmp_path/f'{bool(h)}.mp4')) for h in ([{**WINE, 'time':.6}],None))
    assert min(reddened(out[8:], plain[8:], XS[3:])) > 12 and all(np.abs((lab(p)-lab(q))[1]).mean() < 3 for p,q in zip(out[:5], plain))

def test_hints_of_several_times(tmp_path, brown):
    "One on the first frame after a cut, one given twice, one between two frames and one on the last: each in its own shot."
    other = [skdata.camera()[200:296,i:i+160] for i in range(10)]
    src = gif(tmp_path/'a.gif', [*squares(10), *other, *squares(10)], duration=100)
    at = lambda i,t,**kw: {**WINE, 'x':XS[i]+15, 'time':t, **kw}
    see = lambda name,*hints: pictures(VideoColorizer(brown, hints=hints).predict(src, tmp_path/f'{name}.gif'))
    plain,cut,twice = see('plain'),see('cut', at(0, 2.)),see('twice', at(4, .45), at(4, .45), at(9, 2.9, color='#1060c0'))
    assert min(reddened(cut[20:], plain[20:], XS)) > 12 and min(reddened(twice, plain, XS[:10])) > 12
    for i in range(20): assert i < 10 or np.abs(lab(twice[i])-lab(plain[i])).max() < 2; assert np.abs(lab(cut[i])-lab(plain[i])).max() < 2
    assert max((lab(a)-lab(b))[2,36:54,x+4:x+24].mean() for a,b,x in zip(twice[20:], plain[20:], XS)) < -12

def test_hint_after_a_gap(tmp_path, brown):
    "Of 20 seconds, in which nothing moved."
    pts = [*range(5), *range(505, 520)]
    src = make(tmp_path/'a.mp4', [*squares(20)], pts)
    out,plain = (pictures(VideoColorizer(brown, hints=h).predict(src, tmp_path/f'{bool(h)}.mp4')) for h in ([{**WINE, 'time':505.5/25, 'x':XS[5]+15}],None))
    assert min(reddened(out, plain, XS)) > 12

def test_hint_does_not_stay_on_what_hid_its_thing(tmp_path, brown):
    "A square comes out from behind another one, which is like it: that one is not meant."
    film = [*squares(25, 4)]
    for o in film[1:]: o[30:60,10:40] = film[0][30:60,10:40]
    src = make(tmp_path/'a.mp4', [film[0]]*10 + film)
    out,plain = (pictures(VideoColorizer(brown, hints=h).predict(src, tmp_path/f'{bool(h)}.mp4')) for h in ([{**WINE, 'x':10+4*20+15, 'time':30/25}],None))
    assert max(reddened(out, plain, [10]*10)) < 2 and min(reddened(out[20:], plain[20:], [10+4*i for i in range(10, 25)])) > 12

class Brown:
    def __call__(self, x): return np.concatenate([x[:,:1], np.full_like(x[:,:2], .15)], 1)

@pytest.mark.parametrize('i', [0,120])
def test_hint_on_a_small_thing_far_away(tmp_path, i):
    "It does not slide off onto the ground, forward or back, in a film with grain."
    rng,c = np.random.default_rng(0),Colorizer(Brown(), {'size':96})
    src = make(tmp_path/'a.mp4', [(o+rng.normal(0, 1, o.shape)).clip(0, 255).astype(np.uint8) for o in squares(125, 1, 20)])
    out,plain = (pictures(VideoColorizer(c, hints=h).predict(src, tmp_path/f'{bool(h)}.mp4')) for h in ([{'x':20+i,'y':40,'color':'#a02020','time':i/25}],None))
    for k in range(0, 125, 10):
        more = (lab(out[k])-lab(plain[k]))[1]
        assert more[34:46,14+k:26+k].mean() > 10, k
        more[26:54,6+k:34+k] = 0; assert np.abs(more).mean() < 1, k

def test_hints_that_cannot_be(tmp_path, brown):
    src = make(tmp_path/'a.mp4', [*squares(20)])
    for hint,kw,says in (({**WINE,'time':.4},{'end':.2},'0.4 s is outside the part'), ({**WINE,'time':.4,'x':500},{},'outside the picture'), ({**WINE,'time':99},{},'99 s is after the end of the film')):
        with pytest.raises(HintError, match=says): VideoColorizer(brown, hints=[hint]).predict(src, tmp_path/'x.mp4', **kw)
    assert not [o for o in files(tmp_path) if o[0] == 'x']

# ---- GIFs

def test_gif(tmp_path, video):
    "Durations, rounds, size, lightness; the same colors where nothing moves."
    src = gif(tmp_path/'a.gif', [o[:,:] for o in passing(5)], duration=[40,100,70,0,500], loop=3, disposal=1, comment=b'Grandmother'*40)
    a,b = [*gif_frames(src)],[*gif_frames(video.predict(src, tmp_path/'out/b.gif'))]
    assert [o[1:] for o in a] == [o[1:] for o in b] and Image.open(tmp_path/'out/b.gif').info['loop'] == 3 and Image.open(tmp_path/'out/b.gif').info['comment'] == b'Grandmother'*40
    for (x,*_),(y,*_) in zip(a, b): assert np.abs(lab(x[...,:3])[0]-lab(y[...,:3])[0]).mean() < 1 and lab(y[...,:3])[2].mean() > 8
    assert files(tmp_path/'out') == ['b.gif']

def test_a_part_of_a_gif(tmp_path):
    "The same frames as in the whole, in the same colors."
    src,fickle = gif(tmp_path/'a.gif', passing(40), duration=100, loop=0),VideoColorizer(Colorizer(Fickle(), {'size':64}))
    whole,part = (pictures(fickle.predict(src, tmp_path/o, **kw)) for o,kw in (('w.gif',{}),('p.gif',{'start':2., 'end':3.})))
    assert len(part) == 10 and max(np.abs(lab(a)-lab(b)).mean() for a,b in zip(part, whole[20:])) < 1
    with pytest.raises(VideoError, match='no frames.*in the part'): fickle.predict(src, tmp_path/'x.gif', start=9.5)
    assert not (tmp_path/'x.gif').exists()

def test_gif_of_many_colors_does_not_shimmer(tmp_path):
    "Two neighbours of 256 hues in noise that a palette of its own in each frame would cut up anew."
    rng,ramp = np.random.default_rng(0),np.linspace(-1, 1, 96, dtype=np.float32)
    class Hues:
        def __call__(self, x): return np.concatenate([x[:,:1], np.broadcast_to(.4*ramp, x[:,:1].shape), np.broadcast_to(.4*ramp[:,None], x[:,:1].shape)], 1)
    frames = [(px+rng.normal(0, 2, px.shape)).clip(0, 255).astype(np.uint8) for px in [skdata.camera()[100:196,100:196]]*12]
    video = VideoColorizer(Colorizer(Hues(), {'size':96}))
    seen = [o[...,:3] for o,*_ in gif_frames(video.predict(gif(tmp_path/'a.gif', frames, duration=40), tmp_path/'b.gif'))]
    own = [np.asarray(Image.fromarray(o).quantize(256, dither=0).convert('RGB')) for o in video.frames(frames)]
    jumps = lambda fs: np.mean([np.linalg.norm((lab(b)-lab(a))[1:], axis=0).mean() for a,b in zip(fs, fs[1:])])
    assert jumps(seen) < .5*jumps(own)

def test_gif_with_holes(tmp_path, video):
    "Transparency under each disposal."
    frames = [np.dstack([rgb(o), np.uint8(255)*(np.hypot(*np.mgrid[-24:24,-32:32])<10+5*i)]) for i,o in enumerate(passing(4))]
    for disposal in (0,1,2,3):
        src = gif(tmp_path/f'{disposal}.gif', frames, duration=50, loop=0, disposal=disposal)
        a,b = [*gif_frames(src)],[*gif_frames(video.predict(src, tmp_path/f'out{disposal}.gif'))]
        assert [o[1:] for o in a] == [o[1:] for o in b]
        for (x,*_),(y,*_) in zip(a, b): assert (x[...,3] == y[...,3]).all() and np.abs(lab(x[...,:3])[0]-lab(y[...,:3])[0])[x[...,3]>0].mean() < 1

def test_gif_of_one_frame_and_without_loop(tmp_path, video):
    src = gif(tmp_path/'a.gif', passing(1))
    dst = video.predict(src, tmp_path/'b.gif')
    assert Image.open(dst).n_frames == 1 and 'loop' not in Image.open(dst).info and Image.open(dst).size == (64,48)

def test_gif_that_stands_still(tmp_path):
    one = skdata.camera()[100:228,200:328]
    moving = [one.copy() for _ in range(6)]
    for i,o in enumerate(moving): o[5:15,5+9*i:15+9*i] = 255
    dst = VideoColorizer(Colorizer.from_pretrained()).predict(gif(tmp_path/'a.gif', moving, duration=50), tmp_path/'b.gif')
    out = np.stack([o[...,:3] for o,*_ in gif_frames(dst)]).astype(int)
    assert np.abs(np.diff(out, axis=0))[2:,40:].mean() < 1

# ---- the command

def test_a_mixture(run, tmp_path):
    "Photos, films and GIFs, files and folders; color is skipped; the second time there is nothing to do."
    make(tmp_path/'in/1931/walk.AVI', passing(5), codec='mpeg4'); gif(tmp_path/'in/a.gif', passing(3), duration=50); Image.fromarray(GREY).save(tmp_path/'in/p.png')
    make(tmp_path/'in/color.mp4', [np.ascontiguousarray(CAT[:96,i:i+96]) for i in range(5)]); gif(tmp_path/'in/color.gif', [CAT[:96,i:i+96] for i in range(3)])
    (tmp_path/'in/notes.txt').write_text('hello')
    run('in', '-o', 'out', says=['color.mp4: skipped, already in color','color.gif: skipped','colored 1 photo and 2 films into out','skipped 2'])
    assert [o for o in files(tmp_path/'out') if '.' in o] == ['1931/walk.mp4','a.gif','p.png']
    before = (tmp_path/'out/a.gif').read_bytes()
    d = json.loads(run('in', '-o', 'out', '--json').stdout)
    assert [o['why'] for o in d['skipped']].count('already there') == 3 and not d['colored'] and (tmp_path/'out/a.gif').read_bytes() == before
    run('in/color.mp4', '-o', 'out', '--all', says=['colored 1 film into out'])
    assert np.abs(np.diff(lab(pictures(tmp_path/'out/color.mp4')[0])[1].ravel())).mean() < 1
    run('in/1931', '-o', 'out.mp4', code=2, says=['give a folder'])
    run('in/a.gif', '-o', '-', code=2, says=['a pipe holds one photo'])
    run('in', '-o', 'in', code=1, says=['own place'])
    run('in/p.png', '-o', 'in', code=2, says=['own place','nothing could be colored, for the reasons above'])
    run('in/p.png', '--start', '3', '--end', '2', code=2, says=['give seconds of the film'])

def test_is_color_film(tmp_path):
    "A titled black-and-white film with some color frames is none; sepia is none."
    grey,colour = [rgb(o) for o in passing(30, 96, 96)],[np.ascontiguousarray(CAT[:96,i:i+96]) for i in range(30)]
    assert not is_color_film(make(tmp_path/'a.mp4', colour[:8]+grey)) and is_color_film(make(tmp_path/'b.mp4', grey[:8]+colour))
    assert not is_color_film(make(tmp_path/'c.mp4', [(o*[1,.85,.6]).astype(np.uint8) for o in grey]))

def long_film(path, n=3*SEGMENT_FRAMES+50): return make(path, [o for i in range(-(-n//60)) for o in passing(60)][:n], options={'crf':'30', 'preset':'ultrafast', 'g':'50'}, sound='aac')

def started(tmp_path, tiny, until, *args):
    "The command, in a process, once `until()`."
    p = subprocess.Popen([*CMD, 'a.mp4', '-o', 'out', '--model', str(tiny), *args], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env(), start_new_session=True)
    end = time.time()+60
    while time.time() < end and p.poll() is None and not until(): time.sleep(.005)
    assert p.poll() is None, p.communicate()
    return p

@posix
def test_ctrl_c_and_resume(run, tmp_path, tiny):
    "A file that plays up to there; then the same film as without a stop. A hint shows that colors go on too."
    long_film(tmp_path/'a.mp4'); (tmp_path/'h.json').write_text('[{"x":30,"y":20,"color":"#a02020"}]')
    p = started(tmp_path, tiny, lambda: len([*tmp_path.glob('out/*.parts/*.mp4')]) == 2, '--hints', 'h.json')
    p.send_signal(signal.SIGINT)
    _,err = p.communicate(timeout=60)
    assert p.returncode == 130 and b'a.part.mp4 can be played up to there, and --resume goes on' in err and b'Traceback' not in err
    part = tmp_path/'out/a.part.mp4'
    n = len(times(part)); assert 2*SEGMENT_FRAMES <= n < 3*SEGMENT_FRAMES+50 and times(part) == times(tmp_path/'a.mp4')[:n]
    assert packets(part)[0] == packets(tmp_path/'a.mp4')[0]
    run('a.mp4', '-o', 'out', '--resume', code=1, says=['begun with other settings'])
    run('a.mp4', '-o', 'out', '--hints', 'h.json', code=1, says=['resume to go on'])
    run('a.mp4', '-o', 'out', '--hints', 'h.json', '--resume', says=['colored 1 film'])
    assert files(tmp_path/'out') == ['a.mp4']
    run('a.mp4', '-o', 'whole', '--hints', 'h.json')
    a,b = (pictures(tmp_path/o/'a.mp4') for o in ('out','whole'))
    assert times(tmp_path/'out/a.mp4') == times(tmp_path/'a.mp4') and packets(tmp_path/'out/a.mp4') == packets(tmp_path/'a.mp4')
    assert max(np.abs(x.mean((0,1))-y.mean((0,1))).max() for x,y in zip(a, b)) < 1  # the pieces, and so the codec's noise, are others

@posix
def test_kill_and_resume(run, tmp_path, tiny):
    "What was finished is not done again, and the result is the same."
    long_film(tmp_path/'a.mp4')
    p = started(tmp_path, tiny, lambda: len([*tmp_path.glob('out/*.parts/*.mp4')]) == 2)
    p.kill(); p.communicate()
    assert not (tmp_path/'out/a.mp4').exists()
    done = {o:o.stat().st_mtime_ns for o in sorted((tmp_path/'out/a.mp4.parts').glob('*.mp4'))[:2]}
    p = started(tmp_path, tiny, lambda: len([*tmp_path.glob('out/*.parts/*.mp4')]) >= 3, '--resume')
    p.kill(); p.communicate()
    assert done == {o:o.stat().st_mtime_ns for o in done}
    run('a.mp4', '-o', 'out', '--resume'); run('a.mp4', '-o', 'whole')
    assert files(tmp_path/'out') == ['a.mp4'] and packets(tmp_path/'out/a.mp4') == packets(tmp_path/'a.mp4')
    (t,a),(u,b) = read(tmp_path/'out/a.mp4'),read(tmp_path/'whole/a.mp4')
    assert t == u and max(np.abs(x.mean((0,1))-y.mean((0,1))).max() for x,y in zip(a, b)) < 1  # x264 itself gives other bits now and then

def test_crash_after_the_last_piece(tmp_path, video):
    "All that is left to do is to join them, with the rotation."
    src = make(tmp_path/'a.mp4', passing(60)+passing(SEGMENT_FRAMES-60), options={'crf':'30'}, turn=90)
    def crash(frames, total): yield from frames; raise RuntimeError
    with pytest.raises(RuntimeError): video.predict(src, tmp_path/'b.mp4', progress=crash)
    assert not (tmp_path/'b.mp4').exists()
    video.predict(src, tmp_path/'b.mp4', resume=True, progress=lambda frames,total: [*frames])
    with av.open(str(tmp_path/'b.mp4')) as box: assert {f.rotation for f in box.decode(video=0)} == {90} and box.streams.video[0].frames == SEGMENT_FRAMES
    assert files(tmp_path) == ['a.mp4','b.mp4']

@pytest.mark.parametrize('damage', [lambda f: f.write_bytes(b''), lambda f: f.write_bytes(f.read_bytes()[:-99]), lambda f: f.unlink()])
def test_piece_that_a_power_cut_has_damaged(tmp_path, video, damage):
    src = make(tmp_path/'a.mp4', passing(60)*4, options={'crf':'30'})
    def crash(frames, total): yield from frames; raise RuntimeError
    with pytest.raises(RuntimeError): video.predict(src, tmp_path/'b.mp4', progress=crash)
    damage(tmp_path/'b.mp4.parts/000001.npz'); again = []
    video.predict(src, tmp_path/'b.mp4', resume=True, progress=lambda frames,total: (again.append(w) or (f,w) for f,w in frames))
    assert sum(again) == 240-SEGMENT_FRAMES and times(tmp_path/'b.mp4') == times(src)

@posix
def test_progress_on_a_terminal(tmp_path, tiny):
    import pty
    make(tmp_path/'a.mp4', passing(60), options={'crf':'30'}); main,side = pty.openpty()
    p = subprocess.Popen([*CMD, 'a.mp4', '--model', str(tiny)], cwd=tmp_path, stdin=side, stdout=subprocess.PIPE, stderr=side, env=env(TERM='xterm', COLUMNS='120'))
    os.close(side); seen = b''
    try:
        while chunk := os.read(main, 4096): seen += chunk
    except OSError: pass  # Linux says so at the end of a terminal
    os.close(main)
    assert p.wait() == 0 and b'a.mp4' in seen and b'frames/s' in seen and b'colored 1 film' in seen

# ---- bad input

def cut_short(path):
    "A film of four seconds whose second half is missing."
    make(path, passing(100, 96, 64), codec='mpeg2video' if path.suffix == '.mkv' else 'libx264', box={'movflags':'+faststart'} if path.suffix == '.mp4' else {}, sound='mp2' if path.suffix == '.mkv' else None)
    data = path.read_bytes()
    path.write_bytes(data[:len(data)//2]); return path

def unknown_codec(path):
    make(path, passing(5), codec='mpeg4'); path.write_bytes(path.read_bytes().replace(b'FMP4', b'QQQQ')); return path

def sound_only(path):
    with av.open(str(path), 'w') as box:
        s = box.add_stream('aac', rate=16000); s.layout = 'mono'
        f = av.AudioFrame.from_ndarray(np.zeros((1,16000), np.int16), format='s16', layout='mono'); f.rate,f.pts = 16000,0
        box.mux(s.encode(f)); box.mux(s.encode())
    return path

def no_frames(path):
    "A film of a size and a codec, and no more."
    with av.open(str(path), 'w') as box:
        v = box.add_stream('mpeg4', rate=25); v.width,v.height,v.pix_fmt = 64,48,'yuv420p'
        box.start_encoding()

BAD = {'no-frames.avi':(no_frames,'no frames could be read'), 'no-track.mp4':(no_frames,'there is no film in it'), 'sound.mp4':(sound_only,'there is no film in it, only sound'), 'codec.avi':(unknown_codec,'codec'),
       'empty.mp4':(lambda p: p.write_bytes(b''),'damaged'), 'text.mp4':(lambda p: p.write_text('My grandmother in 1931'),'damaged'), 'head.mp4':(lambda p: p.write_bytes(make(p, passing(5)).read_bytes()[:900]),'damaged'),
       'empty.gif':(lambda p: p.write_bytes(b''),'not a GIF'), 'text.gif':(lambda p: p.write_text('hello'),'not a GIF'), 'head.gif':(lambda p: p.write_bytes(b'GIF89a\x40\0'),'damaged')}

def test_bad_films_are_named_and_the_rest_is_done(run, tmp_path):
    (tmp_path/'in').mkdir()
    for n,(f,_) in BAD.items(): f(tmp_path/'in'/n)
    make(tmp_path/'in/good.mp4', passing(3))
    err = run('in', code=1, says=['colored 1 film',f'{len(BAD)} failed']).stderr.splitlines()
    for n,(_,says) in BAD.items(): assert [says in o for o in err if n in o] == [True], (n,err)
    assert len(err) == len(BAD)+1 and files(tmp_path/'colorized') == ['good.mp4']

@pytest.mark.parametrize('name', ['a.mp4','a.mkv'])
def test_film_that_is_cut_short(run, tmp_path, name):
    cut_short(tmp_path/name)
    run(name, code=1, says=[name,'damaged or cut short after','what could be read is in','1 failed'])
    n = len(times(tmp_path/'colorized/a.mp4')); assert 10 < n < 90 and files(tmp_path/'colorized') == ['a.mp4']

def test_damage_in_the_middle(tmp_path, video):
    rng = np.random.default_rng(0)
    src = make(tmp_path/'a.avi', [rng.integers(0, 255, (64,96), dtype=np.uint8) for _ in range(60)], codec='mpeg4'); data = bytearray(src.read_bytes())
    data[len(data)//2:len(data)//2+600] = bytes(600); src.write_bytes(data)
    with pytest.raises(VideoError, match='damaged or cut short after 1'): video.predict(src, tmp_path/'b.mp4')
    assert len(times(tmp_path/'b.mp4')) > 50

def test_gif_that_is_cut_short(run, tmp_path):
    data = gif(tmp_path/'a.gif', passing(10), duration=100).read_bytes(); (tmp_path/'a.gif').write_bytes(data[:len(data)//2])
    run('a.gif', code=1, says=['a.gif: damaged or cut short after 0.','what could be read is in'])
    assert 2 <= Image.open(tmp_path/'colorized/a.gif').n_frames < 8

@posix
@pytest.mark.parametrize('name', ['a.mp4','a.gif'])
def test_disk_full(run, tmp_path, name):
    "Simulated by the largest size of file that the system lets the process write."
    import resource
    frames = [np.random.default_rng(i).integers(0, 255, (96,128), dtype=np.uint8) for i in range(12)]
    (make if name == 'a.mp4' else gif)(tmp_path/name, frames)
    r = run(name, '-q', code=1, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20000,20000)), says=[name,'disk is full'])
    assert len(r.stderr.splitlines()) == 1 and not [o for o in files(tmp_path/'colorized') if o.endswith(('.mp4','.gif','.tmp'))]

def test_not_over_the_film_itself(tmp_path, video):
    src = make(tmp_path/'a.mp4', passing(3)); before = src.read_bytes()
    with pytest.raises(VideoError, match='the film itself'): video.predict(src, src, overwrite=True)
    make(tmp_path/'b.mp4', passing(3))
    with pytest.raises(VideoError, match='a file of this name'): video.predict(src, tmp_path/'b.mp4')
    for name in ('b.gif','b.png','b'):
        with pytest.raises(VideoError, match='ends in .mp4'): video.predict(src, tmp_path/name)
    assert src.read_bytes() == before

@pytest.mark.parametrize('mine', ['a.part.mp4','a.mp4.parts/000001.mp4'])
def test_what_is_not_ours_stays(tmp_path, video, mine):
    src = make(tmp_path/'a.mp4', passing(3)); mine = tmp_path/'out'/mine
    mine.parent.mkdir(parents=True); mine.write_text('mine'); there = files(tmp_path/'out')
    for kw in ({},{'overwrite':True},{'resume':True}):
        with pytest.raises(VideoError, match='a(.part.mp4|.mp4.parts) is in the way: rename it'): video.predict(src, tmp_path/'out/a.mp4', **kw)
    assert mine.read_text() == 'mine' and files(tmp_path/'out') == there

def test_what_came_into_our_folder_stays(tmp_path, video):
    src = make(tmp_path/'a.mp4', passing(3)); mine = tmp_path/'b.mp4.parts/holiday.mp4'
    def put(frames, total): mine.write_text('mine'); return frames
    video.predict(src, tmp_path/'b.mp4', progress=put)
    assert files(tmp_path) == ['a.mp4','b.mp4','b.mp4.parts','b.mp4.parts/holiday.mp4'] and len(times(tmp_path/'b.mp4')) == 3

def test_part_of_a_gif(tmp_path, video):
    "One that is not ours stays; what Ctrl-C left is replaced."
    src,part = gif(tmp_path/'a.gif', passing(6)),tmp_path/'b.part.gif'
    part.write_bytes(src.read_bytes())
    with pytest.raises(VideoError, match='b.part.gif is in the way'): video.predict(src, tmp_path/'b.gif', overwrite=True)
    assert part.read_bytes() == src.read_bytes() and files(tmp_path) == ['a.gif','b.part.gif']
    part.unlink()
    def ctrl_c(frames, total):
        for i,o in enumerate(frames):
            if i == 2: signal.raise_signal(signal.SIGINT)
            yield o
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt, match='b.part.gif can be played'): video.predict(src, tmp_path/'b.gif', progress=ctrl_c)
    assert Image.open(part).n_frames == 3
    video.predict(src, tmp_path/'b.gif')
    assert files(tmp_path) == ['a.gif','b.gif']

def test_not_over_another_source(run, tmp_path):
    for n in ('a.avi','a.mp4','b.avi','b.mov','c.avi'): make(tmp_path/'in'/n, passing(3), codec='mpeg4')
    before = {o:(tmp_path/'in'/o).read_bytes() for o in files(tmp_path/'in')}
    run('in', '-o', 'in', '--overwrite', code=1, says=['a.avi: its result could take the place of in/a.mp4','a.mp4: its result would take its own place','b.avi: its result could take the place of in/b.mov'])
    assert before.items() <= {o:(tmp_path/'in'/o).read_bytes() for o in files(tmp_path/'in')}.items()

def test_film_that_is_its_own_result(run, tmp_path):
    make(tmp_path/'a.mov', passing(25), codec='mjpeg', pix_fmt='yuvj420p', sound='pcm_mulaw')
    run('a.mov', '-o', '.', code=1, says=['a.mov: this is the film itself'])

def test_two_films_for_one_place(run, tmp_path):
    for n in ('a.avi','a.mkv'): make(tmp_path/'in'/n, passing(3), codec='mpeg4')
    run('in', code=1, says=['a.mkv','would take the place of','colored 1 film'])

def test_without_pyav(tmp_path, tiny):
    make(tmp_path/'a.mp4', passing(3)); gif(tmp_path/'b.gif', passing(3))
    code = "import sys; sys.modules['av'] = None; from colorfast.cli import main; main()"
    p = subprocess.run([sys.executable, '-c', code, 'predict', 'a.mp4', 'b.gif', '--model', str(tiny)], cwd=tmp_path, capture_output=True, text=True, env=env())
    assert p.returncode == 1 and "a.mp4: films need PyAV; pip install 'colorfast[video]'" in p.stderr and 'Traceback' not in p.stderr and files(tmp_path/'colorized') == ['b.gif']
