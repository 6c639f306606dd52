"Films as they are written: times, sound, sizes, parts, and other steps than color."
import os
from fractions import Fraction

import av, cv2, numpy as np, pytest

from colorfast.basics import ModelError, VideoError
from colorfast.colorize.colorizer import Colorizer
from colorfast.video.colorizer import VideoColorizer
from colorfast.video.mux import aac_transcoder
from colorfast.video.process import process_video
from films import Fickle, files, lab, make, make_film, passing, pictures, sound_packets, squares, times

def test_film(tmp_path, video):
    "Uneven times, sound, pixels that are not square, lightness, dates."
    pts = [0,400,900,1000,1700,2500,2600,4000]
    src = make_film(tmp_path/'a.mp4', passing(8), pts, Fraction(1,10007), sound='aac', sample_aspect_ratio=Fraction(16,15))
    os.utime(src, ns=(10**18,10**18))
    dst = tmp_path/'out/a.mp4'
    assert video.predict_file(src, dst) == dst and files(tmp_path/'out') == ['a.mp4']
    assert times(dst) == times(src) == tuple(Fraction(o,10007) for o in pts)
    assert sound_packets(dst) == sound_packets(src) and len(sound_packets(src)) > 10
    with av.open(str(dst)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name,stream.pix_fmt,stream.width,stream.height) == ('h264','yuv420p',64,48)
        assert stream.sample_aspect_ratio == Fraction(16,15)
    for a,b in zip(pictures(src), pictures(dst)):
        assert np.abs(lab(a)[0]-lab(b)[0]).mean() < .7
        assert lab(b)[2].mean() > 8 > 2 > np.abs(lab(a)[1:]).max()
    assert dst.stat().st_mtime_ns == 10**18

def test_odd_sizes_get_a_row_and_a_column(tmp_path, video):
    src = make_film(tmp_path/'a.mkv', passing(3, 63, 47), codec='ffv1', pix_fmt='yuv444p')
    out = pictures(video.predict_file(src, tmp_path/'b.mp4'))[0]
    assert out.shape == (48,64,3)
    assert np.abs(lab(out)[0,:47,:63]-lab(pictures(src)[0])[0]).mean() < 1.2

CONTAINERS = [('a.avi','mpeg4','mp3','.mp4'), ('a.mov','mjpeg','pcm_mulaw','.mov'), ('a.mkv','mpeg2video','pcm_s16le','.mp4'),
              ('a.ts','mpeg2video','mp2','.mp4'), ('a.mpg','mpeg1video','mp2','.mp4'), ('a.webm','libvpx','libopus','.mp4')]

@pytest.mark.parametrize('name,codec,sound,suffix', CONTAINERS)
def test_containers(tmp_path, video, name, codec, sound, suffix):
    "Whatever FFmpeg reads, with the sound as it was; broadcasts, whose clocks begin anywhere, begin at zero."
    pix_fmt = 'yuvj420p' if codec == 'mjpeg' else 'yuv420p'
    src = make_film(tmp_path/name, passing(25, 96, 64), codec=codec, pix_fmt=pix_fmt, sound=sound)
    dst = video.predict_file(src, tmp_path/'out.mp4')
    assert dst.suffix == suffix and len(times(dst)) == len(times(src))
    is_broadcast = src.suffix in ('.ts','.mpg')
    clock = min(times(src)[0], sound_packets(src)[0][0]) if is_broadcast else 0
    assert np.allclose(np.float64(times(dst)), np.float64(times(src))-float(clock), atol=1e-3)
    def all_sound(path): return b''.join(data for _,data in sound_packets(path))
    assert all_sound(dst) == all_sound(src) != b''

# ---- sound

@pytest.mark.parametrize('rate,aac_rate', [(16000,16000), (12345,16000)])
def test_sound_that_fits_nowhere(tmp_path, video, rate, aac_rate):
    "It becomes AAC, at a rate that AAC has."
    src = make_film(tmp_path/'a.avi', passing(25), codec='mpeg4', sound='adpcm_ms', rate=rate)
    with pytest.warns(UserWarning, match='adpcm_ms.*became AAC'): dst = video.predict_file(src, tmp_path/'b.mp4')
    with av.open(str(dst)) as container:
        sound = container.streams.audio[0]
        seconds = sum(f.samples for f in container.decode(audio=0))/16000
        assert (sound.codec_context.name,sound.rate) == ('aac',aac_rate)
        assert .9 < seconds*rate/16000 < 1.2

def test_sound_that_cannot_become_aac(tmp_path):
    src = make_film(tmp_path/'a.avi', passing(25), codec='mpeg4', sound='adpcm_ms', rate=12345)
    with av.open(str(src)) as container, av.open(str(tmp_path/'c.mp4'), 'w') as out:
        packets = aac_transcoder(out.add_stream('aac', rate=12345), src)
        with pytest.warns(UserWarning, match='a.avi: its sound could not become AAC'), pytest.raises(av.error.FFmpegError):
            for p in container.demux(audio=0): packets(p)

# ---- recordings and parts

def test_size_that_changes_on_the_way(tmp_path, video, monkeypatch):
    "A recording: every frame is there, in the size of the first, whole or after a crash."
    monkeypatch.setattr('colorfast.video.resume.SEGMENT_FRAMES', 10)
    make_film(tmp_path/'1.ts', passing(24, 96, 64), codec='mpeg2video')
    make_film(tmp_path/'2.ts', passing(26, 128, 96), codec='mpeg2video', pts=range(24, 50))
    src = tmp_path/'a.ts'
    src.write_bytes((tmp_path/'1.ts').read_bytes()+(tmp_path/'2.ts').read_bytes())
    source = pictures(src)
    assert {o.shape for o in source} == {(64,96,3),(96,128,3)}
    def crash(frames, *_):
        for i,o in enumerate(frames):
            if i == 34: raise RuntimeError
            yield o
    with pytest.raises(RuntimeError): video.predict_file(src, tmp_path/'c.mp4', progress=crash)
    assert (tmp_path/'c.mp4.parts/000002.mp4').exists()
    for name in ('b','c'):
        out = pictures(video.predict_file(src, tmp_path/f'{name}.mp4', resume=True))
        assert len(out) == len(source) > 48 and {o.shape for o in out} == {(64,96,3)}
        last = cv2.resize(source[-1], (96,64), interpolation=cv2.INTER_AREA)
        assert np.abs(lab(out[-1])[0]-lab(last)[0]).mean() < 3

def test_a_part(tmp_path):
    "Begins at zero; the colors are those of the whole film, because the frames before it are looked at too."
    src = make_film(tmp_path/'a.mp4', passing(40), sound='aac', options={'crf':'5', 'g':'12'})
    fickle = VideoColorizer(Colorizer(Fickle(), {'size':64}))
    whole = pictures(fickle.predict_file(src, tmp_path/'w.mp4'))[10:25]
    part = fickle.predict_file(src, tmp_path/'p.mp4', start=.4, end=1.)
    alone = [fickle.colorizer.predict(o) for o in pictures(src)[10:25]]
    assert times(part) == tuple(Fraction(i,25) for i in range(15))
    def off(frames): return np.mean([np.abs(lab(p)[1].mean()-lab(q)[1].mean()) for p,q in zip(frames, whole)])
    assert off(pictures(part)) < .5 < 2 < off(alone)
    sound = sound_packets(part)
    assert {data for _,data in sound} < {data for _,data in sound_packets(src)}
    assert 0 <= sound[0][0] < .1

def test_a_part_that_is_none(tmp_path, video):
    src = make_film(tmp_path/'a.mp4', passing(5))
    for kw in ({'start':-1},{'start':2, 'end':1},{'end':0}):
        with pytest.raises(ValueError, match='give seconds'): video.predict_file(src, tmp_path/'x.mp4', **kw)
    with pytest.raises(VideoError, match='no frames.*in the part'): video.predict_file(src, tmp_path/'x.mp4', start=99.5)
    assert files(tmp_path) == ['a.mp4']

# ---- steps

def brighter_rgb(pixels): return np.minimum(pixels, 205)+50

def brighter(photo): return photo.replace(pixels=brighter_rgb(photo.pixels))

def twice_as_large(photo):
    alpha = None if photo.alpha is None else cv2.resize(photo.alpha, None, fx=2, fy=2)
    return photo.replace(pixels=cv2.resize(photo.pixels, None, fx=2, fy=2), alpha=alpha)

@pytest.mark.parametrize('name', ['a.mp4','a.gif'])
def test_photo_steps_before_and_after_the_color(tmp_path, brown, name):
    "Also a step that enlarges: hints still count in pixels of the film."
    src = make(tmp_path/name, [*squares(4)])
    hint = [{'x':25,'y':45,'color':'#a02020'}]
    for steps in (dict(after=[twice_as_large]),dict(before=[twice_as_large])):
        video = VideoColorizer(brown, hints=hint, **{k:[brighter,*v] for k,v in steps.items()})
        for a,b in zip(pictures(src), pictures(video.predict_file(src, tmp_path/f'out/{name}', overwrite=True)), strict=True):
            assert b.shape == (192,320,3)
            assert 10 < (lab(b)[0,::2,::2]-lab(a)[0]).mean() < 30
        assert lab(b)[1,80:110,40:70].mean() > 15 + lab(b)[1,150:,200:].mean()

@pytest.mark.parametrize('name', ['a.mp4','a.gif'])
def test_a_film_without_color(tmp_path, name):
    src = make(tmp_path/name, passing(4))
    dst = process_video(src, tmp_path/f'out/{name}', brighter)
    assert len(pictures(dst)) == 4 and np.abs(lab(pictures(dst)[2])[1:]).max() < 3
    assert np.abs(lab(pictures(dst)[2])[0]-lab(brighter_rgb(pictures(src)[2]))[0]).mean() < 1

def test_steps_are_part_of_what_is_resumed(tmp_path, brown, monkeypatch):
    monkeypatch.setattr('colorfast.video.resume.SEGMENT_FRAMES', 2)
    src = make_film(tmp_path/'a.mp4', passing(5))
    def crash(frames, *_):
        yield from frames
        raise RuntimeError
    with pytest.raises(RuntimeError): VideoColorizer(brown, before=[brighter]).predict_file(src, tmp_path/'b.mp4', progress=crash)
    with pytest.raises(VideoError, match='other settings'): VideoColorizer(brown).predict_file(src, tmp_path/'b.mp4', resume=True)
    assert len(times(VideoColorizer(brown, before=[brighter]).predict_file(src, tmp_path/'b.mp4', resume=True))) == 5

# ---- a model that is damaged

def painting(tiny, folder, value):
    "A copy of the tiny model that paints `value`."
    import onnx
    from onnx import numpy_helper
    model = onnx.load(tiny/'model.onnx')
    tint = next(o for o in model.graph.initializer if o.name == 'tint')
    tint.CopyFrom(numpy_helper.from_array(np.full((1,2,1,1), value, np.float32), 'tint'))
    folder.mkdir()
    onnx.save(model, folder/'model.onnx')
    (folder/'config.json').write_bytes((tiny/'config.json').read_bytes())
    return folder

@pytest.mark.parametrize('value', [np.nan,np.inf])
@pytest.mark.parametrize('name', ['a.mp4','a.gif'])
def test_network_that_paints_no_numbers(predict, tmp_path, tiny, name, value):
    "No white frames: a sentence, with hints and without."
    src = make(tmp_path/name, passing(3))
    model = painting(tiny, tmp_path/'model', value)
    for hints in (None,[{'x':30,'y':20,'color':'#a02020'}]):
        with pytest.raises(ModelError, match='NaN or infinity'):
            VideoColorizer(Colorizer.from_pretrained(model), hints=hints).predict_file(src, tmp_path/f'out/{name}')
    predict(name, code=1, says=['NaN or infinity','1 failed'], model=model)
    assert files(tmp_path/'out') == [] and files(tmp_path/'colorized') == []
