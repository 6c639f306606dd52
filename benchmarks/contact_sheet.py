"A contact sheet of photos without an original, photo | ours: `python benchmarks/contact_sheet.py PHOTOS [-o FILE]`"
from argparse import ArgumentParser
from pathlib import Path
import numpy as np
from colorfast.evaluate.report import contact_sheet
from colorfast.colorize.render import to_pil
from colorfast.colorize.colorizer import Colorizer
from colorfast.basics import PhotoError
from colorfast.photo.read import open_photo
from colorfast.photo.find import find_media

def pair(color, src, dst):
    "The photo and the photo in colour, `(H,W,3)` each."
    if isinstance(dst, PhotoError): raise dst
    a = np.array(to_pil(open_photo(src).pixels).convert('RGB'))
    return a,color.predict(a)

def main():
    p = ArgumentParser(description='Contact sheet photo | ours')
    p.add_argument('photos', help='folder of photos'); p.add_argument('-o', '--out', type=Path, default='runs/contact_sheet.jpg', help='picture to write')
    p.add_argument('--limit', type=int); p.add_argument('--model', default='default')
    o = p.parse_args()
    color = Colorizer.from_pretrained(o.model)
    try: rows = [pair(color, *f) for f in [*find_media(o.photos, o.out.parent)][:o.limit]]
    except PhotoError as e: raise SystemExit(str(e))
    o.out.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet(rows).save(o.out, quality=92)
    print(f'{len(rows)} photos in {o.out}')

if __name__=='__main__': main()
