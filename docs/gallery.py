"Make the gallery's pictures in `docs/images/` with the command itself: `python docs/gallery.py`."
import json, subprocess, sys, tempfile
from pathlib import Path
import numpy as np
from PIL import Image
from skimage import data

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT/'samples'
OUT = ROOT/'docs'/'images'
HEIGHT = 300  # px of a picture in a strip
GAP = 6       # px between two pictures
SUIT = {'x':250, 'y':400, 'color':'#c8501e'}  # of portrait.jpg

def colorize(src, out, *options):
    "The files that `colorfast predict` makes of `src` in the folder `out`."
    command = [sys.executable, '-m', 'colorfast.cli', 'predict', str(src), '-o', str(out), '-q']
    subprocess.run([*command, *options], check=True)
    return sorted(o for o in out.rglob('*') if o.is_file())

def upright(file):
    "The picture as a viewer shows it, in 8 bits."
    im = Image.open(file)
    if im.mode.startswith('I'): im = Image.fromarray((np.asarray(im) >> 8).astype(np.uint8))
    turn = {6:Image.Transpose.ROTATE_270, 8:Image.Transpose.ROTATE_90, 3:Image.Transpose.ROTATE_180}
    step = turn.get(im.getexif().get(274))
    return (im.transpose(step) if step else im).convert('RGB')

def strip(pictures, name, quality=72):
    "The pictures side by side at one height, as a small JPEG."
    pictures = [o.resize((round(o.width*HEIGHT/o.height), HEIGHT)) for o in pictures]
    width = sum(o.width for o in pictures) + GAP*(len(pictures)-1)
    sheet = Image.new('RGB', (width, HEIGHT), 'white')
    x = 0
    for o in pictures:
        sheet.paste(o, (x,0))
        x += o.width + GAP
    sheet.save(OUT/f'{name}.jpg', quality=quality, optimize=True)

def before_after(tmp):
    "Each sample beside its result."
    for result in colorize(SAMPLES, tmp/'all'):
        original = SAMPLES/result.name
        strip([upright(original), upright(result)], original.stem)

def vividness(tmp):
    "One photo at four strengths of color."
    results = [colorize(SAMPLES/'portrait.jpg', tmp/f'vivid-{v}', '--vividness', v) for v in ('0','0.5','1','1.5')]
    strip([upright(r[0]) for r in results], 'vividness')

def hints(tmp):
    "One photo without and with the knowledge that the suit was orange."
    (tmp/'hints.json').write_text(json.dumps([SUIT]))
    plain = colorize(SAMPLES/'portrait.jpg', tmp/'plain')
    guided = colorize(SAMPLES/'portrait.jpg', tmp/'guided', '--hints', str(tmp/'hints.json'))
    strip([upright(SAMPLES/'portrait.jpg'), upright(plain[0]), upright(guided[0])], 'hints')

def doubt(tmp):
    "One photo, and where its colors are guessed."
    found = colorize(SAMPLES/'photographer.jpg', tmp/'doubt', '--doubt')
    strip([upright(o) for o in sorted(found, reverse=True)], 'doubt')

def reference(tmp):
    "One photo by itself, a photo of the same in color, mirrored and cropped, and what it lends."
    other = Image.fromarray(np.ascontiguousarray(data.astronaut()[60:,:-60][:,::-1]))
    other.save(tmp/'other.png')
    plain = colorize(SAMPLES/'portrait.jpg', tmp/'alone')
    lent = colorize(SAMPLES/'portrait.jpg', tmp/'lent', '--reference', str(tmp/'other.png'))
    strip([upright(plain[0]), other, upright(lent[0])], 'reference')

def pan(file, frames=12):
    "A GIF in which a camera passes slowly over a sample."
    im = upright(SAMPLES/'coffee-sepia.jpg').convert('L').resize((360,240))
    shots = [im.crop((4*i, i, 4*i+240, i+180)) for i in range(frames)]
    shots[0].save(file, save_all=True, append_images=shots[1:], duration=80, loop=0)

def film(tmp):
    "Three frames of a GIF, and what becomes of them."
    pan(tmp/'pan.gif')
    gifs = [Image.open(f) for f in (tmp/'pan.gif', *colorize(tmp/'pan.gif', tmp/'film'))]
    shown = []
    for gif in gifs:
        for i in (0,11):
            gif.seek(i)
            shown.append(gif.convert('RGB'))
    strip(shown, 'film')

def main():
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as d:
        for make in (before_after, vividness, hints, reference, doubt, film): make(Path(d))

if __name__ == '__main__': main()
