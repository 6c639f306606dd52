"Photo files of every kind, made on the spot, and what is checked on them."
import io, struct, zlib
from pathlib import Path

import cv2, numpy as np, tifffile
from PIL import Image
from PIL.ExifTags import Base, GPS, IFD
from skimage import color as skcolor, data as skdata

from colorfast.photo.read import open_photo
from colorfast.photo.write import save_photo

CAT = skdata.cat()[:120,:181]
GRAY = cv2.cvtColor(CAT, cv2.COLOR_RGB2GRAY)
DEEP = CAT.astype(np.uint16)*257 ^ np.arange(181, dtype=np.uint16)[None,:,None]  # all 16 bits in use
DEEP_GRAY = DEEP[...,0]
ALPHA = np.tile(np.arange(181, dtype=np.uint8), (120,1))

# ---- files

def encoded(picture, fmt, **options):
    "An array or image as a file's bytes, by Pillow."
    im = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    b = io.BytesIO()
    im.save(b, fmt, **options)
    return b.getvalue()

def opened(data): return Image.open(io.BytesIO(data))

def tiff(a, **options):
    "An array as a TIFF's bytes, by tifffile."
    b = io.BytesIO()
    tifffile.imwrite(b, a, metadata=None, **options)
    return b.getvalue()

def tiff_pages(n, subfiletype=0):
    "A TIFF of `n` pages, those after the first of type `subfiletype`."
    b = io.BytesIO()
    with tifffile.TiffWriter(b) as w:
        for i in range(n): w.write(CAT, photometric='rgb', subfiletype=subfiletype if i else 0, metadata=None)
    return b.getvalue()

def cv2_file(suffix, a, *flags):
    "A 16-bit array as a file's bytes, by OpenCV."
    bgr = a if a.ndim==2 else a[...,[2,1,0,3][:a.shape[2]]]
    return cv2.imencode(suffix, bgr, flags)[1].tobytes()

def png16(a): return cv2_file('.png', a)

def png_chunk(kind, data):
    return struct.pack('>I', len(data))+kind+data+struct.pack('>I', zlib.crc32(kind+data))

def with_chunk(png, kind, data): return png[:33]+png_chunk(kind, data)+png[33:]

# ---- EXIF

EXIF_SAYS = ('Großmutter', 'Mary', '1931:05:01 10:00:00', (48.,8.,0.), 1)

def make_exif(orientation=None):
    "`PIL.Image.Exif` with a caption, an artist, a date, a place, and a size that is the file's alone."
    e = Image.Exif()
    e[Base.ImageDescription] = EXIF_SAYS[0].encode()
    e[Base.Artist] = EXIF_SAYS[1]
    e[IFD.Exif] = {Base.DateTimeOriginal: EXIF_SAYS[2], Base.ExifImageWidth: 181}
    e[IFD.GPSInfo] = {GPS.GPSLatitudeRef: 'N', GPS.GPSLatitude: EXIF_SAYS[3]}
    if orientation: e[Base.Orientation] = orientation
    return e

def parse_exif(block):
    e = Image.Exif()
    e.load(block)
    return e

def exif_says(photo):
    "As `EXIF_SAYS`, of an opened photo."
    e = parse_exif(photo.exif)
    caption = e[Base.ImageDescription].encode('latin-1').decode()
    date = e.get_ifd(IFD.Exif)[Base.DateTimeOriginal]
    return caption, e[Base.Artist], date, e.get_ifd(IFD.GPSInfo)[GPS.GPSLatitude], e[Base.Orientation]

# ---- color profiles

D50 = .9642,1,.8249

def s15(values): return b''.join(struct.pack('>i', round(v*65536)) for v in values)
def xyz(values): return b'XYZ \0\0\0\0'+s15(values)
def gamma_curve(gamma): return b'curv\0\0\0\0'+struct.pack('>IH', 1, round(gamma*256))+b'\0\0'

def profile(space, tags, kind=b'mntr', pcs=b'XYZ '):
    "ICC profile with `tags` beside those that every profile has."
    name = b'desc\0\0\0\0'+struct.pack('>I', 5)+b'test\0'+b'\0'*78
    tags = {b'desc': name, b'cprt': b'text\0\0\0\0none\0\0\0\0', b'wtpt': xyz(D50), **tags}
    start = 128+4+12*len(tags)
    table = body = b''
    for k,d in tags.items():
        table += k+struct.pack('>II', start+len(body), len(d))
        body += d+b'\0'*(-len(d)%4)
    head = struct.pack('>I4sI4s4s4s', start+len(body), b'lcms', 0x02400000, kind, space, pcs)
    head = head.ljust(36, b'\0')+b'acsp'.ljust(32, b'\0')+s15(D50)
    return head.ljust(128, b'\0')+struct.pack('>I', len(tags))+table+body

def wide_profile():
    "RGB matrix profile with the primaries of Adobe RGB."
    primaries = {b'rXYZ': (.6097,.3111,.0195), b'gXYZ': (.2053,.6257,.0609), b'bXYZ': (.1492,.0632,.7446)}
    curves = {k: gamma_curve(2.2) for k in (b'rTRC',b'gTRC',b'bTRC')}
    return profile(b'RGB ', {k: xyz(v) for k,v in primaries.items()} | curves)

def gray_profile(gamma): return profile(b'GRAY', {b'kTRC': gamma_curve(gamma)})

def lookup_table(steps=9, strength=.5):
    "ICC table (lut8) from RGB to Lab, of sRGB's colors at `strength` of their chroma."
    axis = np.linspace(0, 1, steps)
    rgb = np.stack(np.meshgrid(axis, axis, axis, indexing='ij'), -1)
    lab = skcolor.rgb2lab(rgb)*[2.55,strength,strength]+[0,128,128]
    curves = bytes(range(256))*3
    colors = lab.round().clip(0, 255).astype(np.uint8).tobytes()
    return b'mft1\0\0\0\0'+bytes([3,3,steps,0])+s15(np.eye(3).ravel())+curves+colors+curves

def scanner_profile():
    "RGB profile as scanners' programs make them: a table from the device's colors to Lab, and no way back."
    return profile(b'RGB ', {b'A2B0': lookup_table()}, kind=b'scnr', pcs=b'Lab ')

# ---- what is compared

def lightness(a):
    "L* by scikit-image."
    return skcolor.rgb2lab(a if a.ndim==3 else np.dstack([a]*3))[...,0]

def rgb_of(photo): return photo.pixels if photo.pixels.ndim==3 else np.dstack([photo.pixels]*3)

def roundtrip(data, tmp_path, suffix):
    "The photo in `data`, and what its copy, saved as `out` with this suffix, holds."
    photo = open_photo(data)
    dst = tmp_path/f'out{suffix}'
    save_photo(rgb_of(photo), dst, photo)
    return photo, open_photo(dst)

def names_in(folder): return sorted(p.name for p in Path(folder).rglob('*'))

# ---- kinds of picture

def _array(data, mode='RGB'): return np.asarray(opened(data).convert(mode))

_jpeg = encoded(CAT, 'JPEG')
_gray_jpeg = encoded(GRAY, 'JPEG', quality=100)
_cmyk = Image.fromarray(CAT).convert('CMYK')
_cmyk_jpeg = encoded(_cmyk, 'JPEG', quality=100)
_bits = Image.fromarray(GRAY).convert('1')
_bits_px = np.asarray(_bits.convert('L'))
_palette = Image.fromarray(CAT).quantize(64)
_palette_px = np.asarray(_palette.convert('RGB'))
_rgba = np.dstack([CAT,ALPHA])
_rgba16 = np.dstack([DEEP,DEEP_GRAY])
_lzw = (cv2.IMWRITE_TIFF_COMPRESSION, 5)
_first = int(GRAY[0,0])

KINDS = { # name: file, its pixels as gray or color, its alpha
    'jpeg': (_jpeg, _array(_jpeg), None),
    'gray jpeg': (_gray_jpeg, _array(_gray_jpeg, 'L'), None),
    'cmyk jpeg': (_cmyk_jpeg, _array(_cmyk_jpeg), None),
    'png': (encoded(CAT, 'PNG'), CAT, None),
    'gray png': (encoded(GRAY, 'PNG'), GRAY, None),
    'gray in three channels': (encoded(np.dstack([GRAY]*3), 'PNG'), GRAY, None),
    '1-bit png': (encoded(_bits, 'PNG'), _bits_px, None),
    'palette': (encoded(_palette, 'PNG'), _palette_px, None),
    'palette, transparent': (encoded(_palette, 'PNG', transparency=3), _palette_px, np.where(np.asarray(_palette)==3, 0, 255)),
    'rgba': (encoded(_rgba, 'PNG'), CAT, ALPHA),
    'la': (encoded(np.dstack([GRAY,ALPHA]), 'PNG'), GRAY, ALPHA),
    'gray, one transparent': (encoded(GRAY, 'PNG', transparency=_first), GRAY, np.where(GRAY==_first, 0, 255)),
    'tiff': (encoded(CAT, 'TIFF', compression='tiff_lzw'), CAT, None),
    'cmyk tiff': (encoded(_cmyk, 'TIFF'), CAT, None),
    'rgba tiff': (encoded(_rgba, 'TIFF'), CAT, ALPHA),
    '1-bit tiff': (encoded(_bits, 'TIFF', compression='group4'), _bits_px, None),
    'white is zero': (tiff(GRAY, photometric='miniswhite'), 255-GRAY, None),
    'webp': (encoded(CAT, 'WEBP', lossless=True), CAT, None),
    'rgba webp': (encoded(_rgba, 'WEBP', lossless=True, exact=True), CAT, ALPHA),
    'bmp': (encoded(CAT, 'BMP'), CAT, None),
    '16-bit png': (png16(DEEP), DEEP, None),
    '16-bit gray png': (png16(DEEP_GRAY), DEEP_GRAY, None),
    '16-bit rgba png': (png16(_rgba16), DEEP, DEEP_GRAY),
    '16-bit tiff': (tiff(DEEP, photometric='rgb'), DEEP, None),
    '16-bit tiff, big endian': (tiff(DEEP, photometric='rgb', byteorder='>'), DEEP, None),
    '16-bit tiff, deflated': (tiff(DEEP, photometric='rgb', compression='zlib', predictor=True), DEEP, None),
    '16-bit tiff, lzw': (cv2_file('.tif', DEEP, *_lzw), DEEP, None),
    '16-bit gray tiff': (tiff(DEEP_GRAY, photometric='minisblack'), DEEP_GRAY, None),
    '16-bit gray tiff, big endian': (tiff(DEEP_GRAY, photometric='minisblack', byteorder='>'), DEEP_GRAY, None),
    '16-bit white is zero': (tiff(DEEP_GRAY, photometric='miniswhite'), 65535-DEEP_GRAY, None),
    '16-bit rgba tiff': (tiff(_rgba16, photometric='rgb', extrasamples=['unassalpha']), DEEP, DEEP_GRAY),
    'float tiff': (tiff((DEEP_GRAY/65535).astype(np.float32), photometric='minisblack'), DEEP_GRAY, None),
}
