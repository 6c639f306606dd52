"Color samples/, a GIF and a film with an installation that has no extras, and say how large it is."
import subprocess, sys
from importlib.util import find_spec
from pathlib import Path

import av, numpy as np
from PIL import Image

SAMPLES = Path(__file__).parents[1]/'samples'
MAX_MEGABYTES = 800
EXTRA = 'torch', 'torchvision', 'fastai', 'timm', 'pandas', 'matplotlib', 'ray', 'mkdocs'

def pan(frames=12):
    "Gray pictures, as of a camera that moves over a photo."
    photo = Image.open(SAMPLES/'photographer.jpg').convert('L')
    return [photo.crop((2*i, i, 2*i+160, i+120)) for i in range(frames)]

def make_gif(path):
    first,*rest = pan()
    first.save(path, save_all=True, append_images=rest, duration=80)

def make_film(path):
    with av.open(str(path), 'w') as box:
        stream = box.add_stream('libx264', rate=12)
        stream.width,stream.height,stream.pix_fmt = 160,120,'yuv420p'
        for im in pan(): box.mux(stream.encode(av.VideoFrame.from_image(im.convert('RGB'))))
        box.mux(stream.encode())

def colorfast(*args): return subprocess.run([Path(sys.executable).parent/'colorfast', *args], capture_output=True, text=True)

def is_colored(path):
    "True if the first picture of a file has colors."
    if path.suffix == '.mp4':
        with av.open(str(path)) as box: px = next(box.decode(video=0)).to_ndarray(format='rgb24')
    else: px = np.asarray(Image.open(path).convert('RGB'))
    return np.ptp(px.astype(int), axis=2).max() > 10

def check_predict(folder):
    make_gif(folder/'pan.gif')
    make_film(folder/'film.mp4')
    out = folder/'out'
    r = colorfast('predict', SAMPLES, folder/'pan.gif', folder/'film.mp4', '-o', out)
    print(r.stderr, end='')
    assert r.returncode == 0, f'exit status {r.returncode}'
    expected = {f.name for f in SAMPLES.iterdir() if f.suffix in ('.jpg','.png')} | {'pan.gif','film.mp4'}
    assert {f.name for f in out.iterdir()} == expected
    assert all(map(is_colored, out.iterdir()))

def check_extras(folder):
    "None is there, and a command that needs one says so."
    assert not [m for m in EXTRA if find_spec(m)]
    r = colorfast('finetune', SAMPLES, '-o', folder/'tuned')
    print(r.stderr, end='')
    assert r.returncode == 2 and "pip install 'colorfast[train]'" in r.stderr

def megabytes(folder): return sum(f.lstat().st_size for f in folder.rglob('*'))/1e6

if __name__ == '__main__':
    work = Path(sys.argv[1])
    work.mkdir(parents=True)
    check_predict(work)
    check_extras(work)
    size = megabytes(Path(sys.prefix))
    print(f'installed without extras: {size:.0f} MB of at most {MAX_MEGABYTES}')
    assert size <= MAX_MEGABYTES
