"Reading films: every dialect, damage, and nothing but local files."
import os, socketserver, threading
from pathlib import Path

import av, numpy as np, pytest
from PIL import Image
from skimage import data as skdata

from colorfast.basics import VideoError
from colorfast.color import rgb2L
from colorfast.colorize.colorizer import Colorizer
from colorfast.video.colorizer import VideoColorizer
from colorfast.video.process import is_color_film, open_reader
from colorfast.video.read import open_video
from films import CAT, ByLight, add_sound, files, make_film, noise, passing, pictures, rgb, times

def lightness(pixels): return 100*rgb2L(rgb(pixels)[None].transpose(0,3,1,2)/np.float32(255))[0,0]

DIALECTS = [(dict(colorspace=1, color_range=1),'yuv420p'), (dict(colorspace=6, color_range=1),'yuv420p'), (dict(color_range=2),'yuvj420p'),
            ({},'yuv420p'), ({},'gray'), ({},'yuv444p10le')]

@pytest.mark.parametrize('tags,pix_fmt', DIALECTS)
def test_lightness_in_every_dialect(tmp_path, video, tags, pix_fmt):
    ramp = np.tile(np.repeat(np.arange(16, 240, 14, dtype=np.uint8), 8), (64,1))
    full_range = dict(codec='mjpeg', options={'qmin':'1','qmax':'1'})
    kw = full_range if 'j' in pix_fmt else dict(codec='ffv1', options={})
    src = make_film(tmp_path/'a.mkv', [ramp]*3, pix_fmt=pix_fmt, **kw, **tags)
    dst = video.predict_file(src, tmp_path/'b.mp4')
    assert np.abs(lightness(pictures(dst)[1])-lightness(ramp)).max() < 1.5
    with av.open(str(dst)) as container:
        frame = next(container.decode(video=0))
        assert frame.color_range == 1 and frame.colorspace == tags.get('colorspace', 6)

@pytest.mark.parametrize('rotation', [90,180,-90])
def test_rotation_is_kept_and_the_network_sees_an_upright_picture(tmp_path, rotation):
    seen = []
    class Watch(ByLight):
        def __call__(self, x):
            seen.append(x[0,0])
            return super().__call__(x)
    upright = skdata.camera()[100:164,200:296]
    turned = np.ascontiguousarray(np.rot90(upright, -(rotation//90)))
    src = make_film(tmp_path/'a.mp4', [turned]*2, rotation=rotation)
    VideoColorizer(Colorizer(Watch(), {'size':96})).predict_file(src, tmp_path/'b.mp4')
    assert seen[0].shape == (64,96) and np.abs(100*seen[0]-lightness(upright)).mean() < 2
    with av.open(str(tmp_path/'b.mp4')) as container:
        frame = next(container.decode(video=0))
        assert (frame.rotation-rotation)%360 == 0
        assert (frame.height,frame.width) == ((64,96) if rotation == 180 else (96,64))

def test_is_color_film(tmp_path):
    "A titled black-and-white film with some color frames is none; sepia is none."
    def is_color(name, frames):
        with open_reader(make_film(tmp_path/name, frames)) as film: return is_color_film(film)
    gray = [rgb(o) for o in passing(30, 96, 96)]
    color = [np.ascontiguousarray(CAT[:96,i:i+96]) for i in range(30)]
    assert not is_color('a.mp4', color[:8]+gray)
    assert is_color('b.mp4', gray[:8]+color)
    assert not is_color('c.mp4', [(o*[1,.85,.6]).astype(np.uint8) for o in gray])

# ---- damage

def cut_short(path):
    "A film of two seconds whose second half is missing."
    options = {'movflags':'+faststart'} if path.suffix == '.mp4' else {}
    mkv = dict(codec='mpeg2video', sound='mp2') if path.suffix == '.mkv' else {}
    data = make_film(path, passing(64, 96, 64), container_options=options, **mkv).read_bytes()
    path.write_bytes(data[:len(data)//2])

def unknown_codec(path):
    data = make_film(path, passing(5), codec='mpeg4').read_bytes()
    path.write_bytes(data.replace(b'FMP4', b'QQQQ'))

def sound_only(path):
    with av.open(str(path), 'w') as container:
        stream = add_sound(container, 'aac')
        for o in (noise(),None): container.mux(stream.encode(o))

def no_frames(path):
    "A film of a size and a codec, and no more."
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=25)
        stream.width,stream.height,stream.pix_fmt = 64,48,'yuv420p'
        container.start_encoding()

def only_the_head(path): path.write_bytes(make_film(path, passing(5)).read_bytes()[:900])

BAD = {
    'no-frames.avi': (no_frames, 'no frames could be read'),
    'no-track.mp4': (no_frames, 'there is no film in it'),
    'sound.mp4': (sound_only, 'there is no film in it, only sound'),
    'codec.avi': (unknown_codec, 'codec'),
    'empty.mp4': (lambda path: path.write_bytes(b''), 'damaged'),
    'text.mp4': (lambda path: path.write_text('My grandmother in 1931'), 'damaged'),
    'head.mp4': (only_the_head, 'damaged'),
    'empty.gif': (lambda path: path.write_bytes(b''), 'not a GIF'),
    'text.gif': (lambda path: path.write_text('hello'), 'not a GIF'),
    'head.gif': (lambda path: path.write_bytes(b'GIF89a\x40\0'), 'damaged')}

def test_bad_films_are_named_and_the_rest_is_done(predict, tmp_path):
    (tmp_path/'in').mkdir()
    for name,(make_bad,_) in BAD.items(): make_bad(tmp_path/'in'/name)
    make_film(tmp_path/'in/good.mp4', passing(3))
    said = predict('in', code=1, says=['colored 1 film',f'{len(BAD)} failed']).err.splitlines()
    for name,(_,says) in BAD.items(): assert [says in o for o in said if name in o] == [True], (name,said)
    assert len(said) == len(BAD)+1
    assert files(tmp_path/'colorized') == ['good.mp4']

@pytest.mark.parametrize('name', ['a.mp4','a.mkv'])
def test_film_that_is_cut_short(predict, tmp_path, name):
    cut_short(tmp_path/name)
    predict(name, code=1, says=[name,'damaged or cut short after','what could be read is in','1 failed'])
    assert 6 < len(times(tmp_path/'colorized/a.mp4')) < 60
    assert files(tmp_path/'colorized') == ['a.mp4']

def test_damage_in_the_middle(tmp_path, video):
    rng = np.random.default_rng(0)
    src = make_film(tmp_path/'a.avi', [rng.integers(0, 255, (64,96), dtype=np.uint8) for _ in range(60)], codec='mpeg4')
    data = bytearray(src.read_bytes())
    data[len(data)//2:len(data)//2+600] = bytes(600)
    src.write_bytes(data)
    with pytest.raises(VideoError, match='damaged or cut short after 1'): video.predict_file(src, tmp_path/'b.mp4')
    assert len(times(tmp_path/'b.mp4')) > 50

# ---- only local files

@pytest.fixture
def port():
    "The port of a local server that nobody may call."
    calls = []
    class Handler(socketserver.BaseRequestHandler):
        def handle(self): calls.append(self.request.recv(100))
    with socketserver.ThreadingTCPServer(('127.0.0.1',0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()
    assert not calls

STRANGE_NAMES = ['http:127.0.0.1:{port}?a', 'tcp:127.0.0.1:{port}?a', 'ftp:127.0.0.1:{port}?a', 'subfile,,start,0,end,0,,:other',
                 'concat:other|other', 'crypto:other', 'data:text', 'pipe:0', 'fd:0', '12:30', 'file:other', '%03d', '-y']

@pytest.mark.skipif(os.name != 'posix', reason='Windows has no such names')
def test_names_that_look_like_addresses(tmp_path, video, port, monkeypatch):
    "They are names of files, those of the results too."
    names = [o.format(port=port) for o in STRANGE_NAMES]
    monkeypatch.chdir(tmp_path)
    plain = make_film(tmp_path/'plain.mp4', passing(3)).read_bytes()
    make_film(tmp_path/'other.mp4', passing(5)).rename('other')
    for name in names:
        Path(name).write_bytes(plain)
        assert video.predict_file(name, f'{name}.mp4') == Path(f'{name}.mp4')
        assert len(times(tmp_path/f'{name}.mp4')) == 3, name
    assert files(tmp_path) == sorted([*names, *(f'{o}.mp4' for o in names), 'other', 'plain.mp4'])

@pytest.mark.skipif(os.name != 'posix', reason='Windows has no such names')
def test_folder_of_names_that_look_like_addresses(predict, tmp_path, port):
    names = [f'{o.format(port=port)}.mp4' for o in STRANGE_NAMES if o[0] != '-']
    plain = make_film(tmp_path/'plain.mp4', passing(3)).read_bytes()
    for name in names: (tmp_path/name).write_bytes(plain)
    predict(*names, '-o', 'out', says=[f'colored {len(names)} films into out'])
    assert files(tmp_path/'out') == sorted(names)

LISTS = {
    'playlist.m3u8': '#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\nhttp://127.0.0.1:{port}/a.ts\n#EXTINF:9,\nplain.mp4\n#EXT-X-ENDLIST\n',
    'script.mp4': 'ffconcat version 1.0\nfile plain.mp4\n',
    'address.mp4': "ffconcat version 1.0\nfile 'http://127.0.0.1:{port}/a.mp4'\n",
    'session.mp4': 'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=A\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n',
    'manifest.mpd': '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
                    '<BaseURL>http://127.0.0.1:{port}/</BaseURL></MPD>'}

@pytest.mark.parametrize('name', LISTS)
def test_lists_of_films_are_refused(tmp_path, video, port, name):
    make_film(tmp_path/'plain.mp4', passing(3))
    (tmp_path/name).write_text(LISTS[name].format(port=port))
    before = files(tmp_path)
    with pytest.raises(VideoError, match=f'{name}: (no film of a format that is read here|damaged)'):
        video.predict_file(tmp_path/name, tmp_path/'b.mp4')
    assert files(tmp_path) == before

def test_pictures_are_no_film(tmp_path, video):
    "One alone, or a row of them by a pattern."
    for i in range(3): Image.fromarray(passing(1)[0]).save(tmp_path/f'a{i}.png')
    (tmp_path/'a0.png').rename(tmp_path/'a0.mp4')
    for name,says in (('a0.mp4','no film of a format'),('a%d.png','no such file')):
        with pytest.raises(VideoError, match=says): video.predict_file(tmp_path/name, tmp_path/'b.mp4')
    (tmp_path/'a%d.png').write_bytes(b'')
    with pytest.raises(VideoError, match='damaged|no film'): open_video(tmp_path/'a%d.png')
