"A contact sheet of photos without an original, photo | ours: `python benchmarks/contact_sheet.py PHOTOS [-o FILE]`"
from argparse import ArgumentParser
from pathlib import Path
import numpy as np
from PIL import Image, ImageOps

SUFFIXES = {'.jpg','.jpeg','.png','.tif','.tiff','.webp','.bmp'}

def photos(folder, # a folder tree
           limit=None # the first so many
          ):
    "Sorted photo files under `folder`."
    fs = sorted(f for f in Path(folder).rglob('*') if f.suffix.lower() in SUFFIXES)[:limit]
    if not fs: raise SystemExit(f'There are no photos in {folder}.')
    return fs

def spread(xs, n): return [xs[i] for i in np.linspace(0, len(xs)-1, min(n, len(xs))).round().astype(int)]

def contact_sheet(rows, # list of tuples of uint8 RGB arrays `(H,W,3)`: one photo, several versions
                  path, # file to write
                  height=192, # of each picture, px
                  across=3 # photos side by side
                 ):
    "Write all `rows` to one picture, versions side by side."
    cells = [[ImageOps.contain(Image.fromarray(a), (2*height,height)) for a in r] for r in rows]
    strips = [(sum(c.width for c in r)+8, r) for r in cells]
    lines = [strips[i:i+across] for i in range(0, len(strips), across)]
    out = Image.new('RGB', (max(sum(w for w,_ in l) for l in lines), len(lines)*(height+8)), 'white')
    for j,line in enumerate(lines):
        x = 0
        for w,r in line:
            for k,c in enumerate(r): out.paste(c, (x+sum(p.width for p in r[:k]), j*(height+8)))
            x += w
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    out.save(path, quality=92)

def main():
    p = ArgumentParser(description='Contact sheet photo | ours')
    p.add_argument('photos', help='folder of photos'); p.add_argument('-o', '--out', default='runs/contact_sheet.jpg', help='picture to write')
    p.add_argument('--limit', type=int); p.add_argument('--model', default='default')
    o = p.parse_args()
    from colorfast.inference import Colorizer
    color = Colorizer.from_pretrained(o.model)
    rows = []
    for f in photos(o.photos, o.limit):
        a = np.asarray(ImageOps.exif_transpose(Image.open(f)).convert('RGB'))
        rows.append((a, color.predict(a)))
    contact_sheet(rows, o.out)
    print(f'{len(rows)} photos in {o.out}')

if __name__=='__main__': main()
