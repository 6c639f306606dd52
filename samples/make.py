"Make the sample photographs from public-domain and CC0 pictures inside scikit-image's wheel: `python samples/make.py`."
from pathlib import Path
import cv2, numpy as np
from PIL import Image
from skimage import data
from colorfast.color import film_luma

HERE = Path(__file__).parent
rng = np.random.default_rng(1931)

def print_of(rgb, film, size, grain=.012, blur=.6, vignette=.12):
    "`(H,W)` float in [0,1]: a colour or grey picture as film and paper of the time would show it, `size` pixels wide."
    g = film_luma((rgb/255).astype(np.float32).transpose(2,0,1)[None], film)[0,0] if rgb.ndim==3 else (rgb/255).astype(np.float32)
    g = cv2.resize(g, (size, round(size*g.shape[0]/g.shape[1])), interpolation=cv2.INTER_CUBIC)
    y,x = (np.linspace(-1, 1, n, dtype=np.float32) for n in g.shape)
    g = cv2.GaussianBlur(g, (0,0), blur) * (1-vignette*(x**2+y[:,None]**2)/2)
    g += cv2.GaussianBlur(rng.normal(0, 2*grain, g.shape).astype(np.float32), (0,0), .7)
    return (.04+.92*g).clip(0, 1)

def byte(g): return (255*g+.5).astype(np.uint8)

def jpeg(name, px, **kw): Image.fromarray(px).save(HERE/name, quality=88, dpi=(300,300), **kw)

def bordered(g, w=24): return np.pad(g, w, constant_values=.95)

def sepia(g): return byte(np.stack([.20+.76*g, .13+.78*g**1.1, .09+.70*g**1.3], -1))

def sideways(px, caption):
    "As the scanner saw it, with the EXIF tag that says how to turn it back."
    ex = Image.Exif()
    ex[0x0112] = 6
    ex[0x010E] = caption
    return np.ascontiguousarray(np.rot90(px)), ex

jpeg('portrait.jpg', byte(print_of(data.astronaut(), 'panchromatic', 640)))
jpeg('photographer.jpg', byte(bordered(print_of(data.camera(), 'luma', 600, blur=.4))))
px,ex = sideways(byte(print_of(data.cat(), 'orthochromatic', 640)), 'Our cat')
jpeg('cat-sideways.jpg', px, exif=ex)
jpeg('coffee-sepia.jpg', sepia(print_of(data.coffee(), 'panchromatic', 640)))
jpeg('launch.jpg', byte(print_of(data.rocket(), 'luma', 720, vignette=.2)))
face = print_of(data.astronaut()[10:230,110:330], 'orthochromatic', 240, grain=.004)
Image.fromarray((65535*face+.5).astype(np.uint16)).save(HERE/'face-16bit.png', dpi=(300,300))
