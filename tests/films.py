"Films and GIFs made on the spot and read again, for the tests of films."
import subprocess
from fractions import Fraction
from pathlib import Path

import av, cv2, numpy as np
from PIL import Image
from skimage import data as skdata

from colorfast.color import AB_SCALE, rgb2lab
from colorfast.video.read import exact_resampling
from conftest import CMD, env

GRAY = skdata.camera()[::4,::4]
CAT = skdata.cat()
COMMAND = [*CMD, 'predict']

# ---- the command

def run_process(folder, *args, code=0, says=(), **kw):
    "`colorfast predict` in a process of its own, in `folder`: its exit status and what it says on stderr are checked."
    result = subprocess.run([*COMMAND, *map(str, args)], cwd=folder, capture_output=True, text=True, env=env(), **kw)
    assert result.returncode == code, (result.returncode, result.stderr)
    assert 'Traceback' not in result.stderr and all(o in result.stderr for o in says), result.stderr
    return result

# ---- networks

class Fickle:
    "A network whose colors depend on the noise of the whole picture."
    def __call__(self, x):
        L = x[:,:1]
        mood = .06*np.sin(3000*L.mean((1,2,3), keepdims=True))
        return np.concatenate([L, np.broadcast_to(mood, L.shape), np.full_like(L, .1)], 1)

class ByLight:
    "A network whose colors follow the lightness of the place and of the whole picture."
    def __call__(self, x):
        L = x[:,:1]
        return np.concatenate([L, .3*L-.1, .2*L.mean((2,3), keepdims=True)+0*L], 1)

# ---- pictures

def passing(n, width=64, height=48):
    "`n` gray frames of a photo that passes by."
    return [np.ascontiguousarray(GRAY[30:30+height,i:i+width]) for i in range(n)]

def rgb(a): return a if a.ndim == 3 else np.dstack([a]*3)

def lab(pixels):
    "CIE L*, a* and b*, `(3,H,W)`, of RGB pixels."
    return rgb2lab(pixels.transpose(2,0,1)/np.float32(255))*np.float32([100,AB_SCALE,AB_SCALE])[:,None,None]

def squares(n, step=2, side=30):
    "A dark square that moves over a patterned ground."
    rng = np.random.default_rng(1)
    ground = cv2.GaussianBlur(rng.integers(120, 255, (96,160)).astype(np.float32), (0,0), 2)
    ground = (190+3*(ground-ground.mean())).clip(120, 255)
    dark = 40+cv2.GaussianBlur(rng.normal(0, 30, (side,side)).astype(np.float32), (0,0), 1.5)
    for i in range(n):
        frame = ground.copy()
        frame[30:30+side,10+i*step:10+side+i*step] = dark
        yield frame.clip(0, 255).astype(np.uint8)

# ---- files

def add_video(container, frame, codec, pix_fmt, time_base, options, rotation, sample_aspect_ratio, tags):
    "A video stream for frames like `frame`."
    rate = round(1/time_base) if time_base.numerator == 1 and time_base.denominator < 100 else 25
    default = {'crf':'10'} if codec == 'libx264' else {}
    stream = container.add_stream(codec, rate=rate, options=options or default)
    stream.height,stream.width = frame.shape[:2]
    stream.pix_fmt = pix_fmt
    stream.codec_context.time_base = time_base
    if sample_aspect_ratio: stream.codec_context.sample_aspect_ratio = sample_aspect_ratio
    for k,v in tags.items(): setattr(stream.codec_context, k, v)
    if rotation is not None: stream.set_display_rotation(rotation)
    return stream

def noise(rate=16000):
    "An audio frame of 16,000 samples."
    samples = np.random.default_rng(0).integers(-9999, 9999, (1,16000), dtype=np.int16)
    frame = av.AudioFrame.from_ndarray(samples, format='s16', layout='mono')
    frame.rate,frame.pts = rate,0
    return frame

def add_sound(container, codec, rate=16000):
    stream = container.add_stream(codec, rate=rate)
    stream.layout = 'mono'
    return stream

def make_film(path, frames, pts=None, time_base=Fraction(1,25), codec='libx264', pix_fmt='yuv420p', sound=None, rate=16000, options=None,
              rotation=None, sample_aspect_ratio=None, container_options=None, **tags):
    "A film file; `sound` is the codec of a second of noise, `tags` are of the video codec."
    path.parent.mkdir(parents=True, exist_ok=True)
    matrix = tags.get('colorspace')
    matrix = {6:5}.get(matrix, matrix)
    with av.open(f'file:{path}', 'w', options=container_options or {}) as container:
        picture = add_video(container, frames[0], codec, pix_fmt, time_base, options, rotation, sample_aspect_ratio, tags)
        if sound: track = add_sound(container, sound, rate)
        for i,o in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(rgb(o), format='rgb24').reformat(format=pix_fmt, dst_colorspace=matrix)
            frame.pts = i if pts is None else pts[i]
            frame.time_base = time_base
            container.mux(picture.encode(frame))
        container.mux(picture.encode())
        if sound:
            container.mux(track.encode(noise(rate)))
            container.mux(track.encode())
    return path

def make_gif(path, frames, **kw):
    path.parent.mkdir(parents=True, exist_ok=True)
    first,*more = [Image.fromarray(o) for o in frames]
    first.save(path, save_all=True, append_images=more, **kw)
    return path

def make(path, frames, duration=40):
    "A film or GIF, by its suffix, of 25 frames a second."
    return make_gif(path, frames, duration=duration) if path.suffix == '.gif' else make_film(path, frames)

# ---- what is in a file

def read_film(path):
    "Times and RGB frames of a film."
    with av.open(f'file:{path}') as container:
        for f in container.decode(video=0):
            yield f.pts*f.time_base, f.reformat(format='rgb24', interpolation=exact_resampling()).to_ndarray()

def times(path): return tuple(time for time,_ in read_film(path))

def gif_frames(path):
    "(RGBA, duration, disposal) of each frame of a GIF."
    im = Image.open(path)
    for i in range(im.n_frames):
        im.seek(i)
        yield np.asarray(im.convert('RGBA')), im.info.get('duration'), im.disposal_method

def pictures(path):
    "RGB frames of a film or GIF."
    if path.suffix == '.gif': return [o[...,:3] for o,*_ in gif_frames(path)]
    return [o for _,o in read_film(path)]

def sound_packets(path):
    "(time, bytes) of each packet of sound."
    with av.open(f'file:{path}') as container: return [(p.pts*p.time_base, bytes(p)) for p in container.demux(audio=0) if p.dts is not None]

def files(folder): return sorted(o.relative_to(folder).as_posix() for o in Path(folder).rglob('*'))

def mean_color_difference(a, b):
    "The largest difference of a channel's mean, of two films' RGB frames."
    return max(np.abs(x.mean((0,1))-y.mean((0,1))).max() for x,y in zip(a, b, strict=True))
