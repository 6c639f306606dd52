"A contact sheet of photos without an original, photo | ours."
from pathlib import Path
import numpy as np
from fastcore.script import call_parse
from colorfast.basics import PhotoError
from colorfast.colorize.colorizer import Colorizer
from colorfast.colorize.render import to_pil
from colorfast.evaluate.html import contact_sheet
from colorfast.photo.find import find_media
from colorfast.photo.read import open_photo

def pair(model, src, dst): # `Colorizer`, and as from `find_media`
    "The photo and the photo in color, `(H,W,3)` each."
    if isinstance(dst, PhotoError): raise dst
    a = np.array(to_pil(open_photo(src).pixels).convert('RGB'))
    return a, model.predict(a)

@call_parse
def main(photos:str, # folder of photos
         out:str='runs/contact_sheet.jpg', # picture to write
         limit:int=None, # only the first so many photos
         model:str='default'): # built-in name, model folder, or hub id
    "A contact sheet of photos without an original, photo | ours."
    out = Path(out)
    model = Colorizer.from_pretrained(model)
    found = [*find_media(photos, out.parent)][:limit]
    try: rows = [pair(model, *o) for o in found]
    except PhotoError as e: raise SystemExit(str(e))
    out.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet(rows).save(out, quality=92)
    print(f'{len(rows)} photos in {out}')
