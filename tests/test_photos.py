"Photo files of every kind, good and bad, through `open_photo`, `save_photo` and `find_photos`."
import io, os, struct, subprocess, sys, warnings, zlib
from pathlib import Path

import cv2, numpy as np, pytest, tifffile
from PIL import ExifTags, Image, ImageCms, ImageOps
from skimage import color as skcolor, data as skdata

from colorfast.basics import PhotoError
from colorfast.photo.core import FORMATS, Photo, photo_L
from colorfast.photo.read import open_photo
from colorfast.photo.write import save_photo
from colorfast.photo.find import find_media

SAMPLES = Path(__file__).parent.parent/'samples'
CAT = skdata.cat()[:120,:181]
GREY = cv2.cvtColor(CAT, cv2.COLOR_RGB2GRAY)
DEEP = CAT.astype(np.uint16)*257 ^ np.arange(181, dtype=np.uint16)[None,:,None]  # all 16 bits in use
ALPHA = np.tile(np.arange(181, dtype=np.uint8), (120,1))

def coded(im, fmt, **kw):
    b = io.BytesIO(); (im if isinstance(im, Image.Image) else Image.fromarray(im)).save(b, fmt, **kw); return b.getvalue()

def tif(a, **kw):
    b = io.BytesIO(); tifffile.imwrite(b, a, metadata=None, **kw); return b.getvalue()

def exif(**kw):
    e = Image.Exif(); e[270], e[315], e[34665] = 'Großmutter'.encode(), 'Mary', {36867:'1931:05:01 10:00:00', 40962:181}
    e[34853] = {1:'N', 2:(48.,8.,0.)}
    if 'orientation' in kw: e[274] = kw['orientation']
    return e

def says(photo):
    e = Image.Exif(); e.load(photo.exif)
    return e[270].encode('latin-1').decode(), e[315], e.get_ifd(34665)[36867], e.get_ifd(34853)[2], e[274]
SAID = ('Großmutter', 'Mary', '1931:05:01 10:00:00', (48.,8.,0.), 1)

def lstar(a): return skcolor.rgb2lab(a if a.ndim==3 else np.dstack([a]*3))[...,0]

def rgb_of(p): return p.pixels if p.pixels.ndim==3 else np.dstack([p.pixels]*3)

def roundtrip(data, tmp_path, suffix):
    "The photo in `data`, and what its saved copy holds."
    p = open_photo(data); dst = tmp_path/f'out{suffix}'
    save_photo(rgb_of(p), dst, p)
    return p, open_photo(dst)

# ---- kinds of picture

P = Image.fromarray(CAT).quantize(64)
KEYED = P.copy(); KEYED.info['transparency'] = 3
def flat(im): return np.asarray(im.convert('RGB'))
KINDS = { # name: file, its pixels as grey or colour, its alpha
    'jpeg': (coded(CAT, 'JPEG'), flat(Image.open(io.BytesIO(coded(CAT, 'JPEG')))), None),
    'grey jpeg': (coded(GREY, 'JPEG', quality=100), np.asarray(Image.open(io.BytesIO(coded(GREY, 'JPEG', quality=100)))), None),
    'cmyk jpeg': (coded(Image.fromarray(CAT).convert('CMYK'), 'JPEG', quality=100), flat(Image.open(io.BytesIO(coded(Image.fromarray(CAT).convert('CMYK'), 'JPEG', quality=100)))), None),
    'png': (coded(CAT, 'PNG'), CAT, None),
    'grey png': (coded(GREY, 'PNG'), GREY, None),
    'grey in three channels': (coded(np.dstack([GREY]*3), 'PNG'), GREY, None),
    '1-bit png': (coded(Image.fromarray(GREY).convert('1'), 'PNG'), np.asarray(Image.fromarray(GREY).convert('1').convert('L')), None),
    'palette': (coded(P, 'PNG'), flat(P), None),
    'palette, transparent': (coded(KEYED, 'PNG', transparency=3), flat(P), np.where(np.asarray(P)==3, 0, 255)),
    'rgba': (coded(np.dstack([CAT,ALPHA]), 'PNG'), CAT, ALPHA),
    'la': (coded(np.dstack([GREY,ALPHA]), 'PNG'), GREY, ALPHA),
    'grey, one transparent': (coded(GREY, 'PNG', transparency=int(GREY[0,0])), GREY, np.where(GREY==GREY[0,0], 0, 255)),
    'tiff': (coded(CAT, 'TIFF', compression='tiff_lzw'), CAT, None),
    'cmyk tiff': (coded(Image.fromarray(CAT).convert('CMYK'), 'TIFF'), CAT, None),
    'rgba tiff': (coded(np.dstack([CAT,ALPHA]), 'TIFF'), CAT, ALPHA),
    '1-bit tiff': (coded(Image.fromarray(GREY).convert('1'), 'TIFF', compression='group4'), np.asarray(Image.fromarray(GREY).convert('1').convert('L')), None),
    'white is zero': (tif(GREY, photometric='miniswhite'), 255-GREY, None),
    'webp': (coded(CAT, 'WEBP', lossless=True), CAT, None),
    'rgba webp': (coded(np.dstack([CAT,ALPHA]), 'WEBP', lossless=True, exact=True), CAT, ALPHA),
    'bmp': (coded(CAT, 'BMP'), CAT, None),
    '16-bit png': (cv2.imencode('.png', DEEP[...,::-1])[1].tobytes(), DEEP, None),
    '16-bit grey png': (cv2.imencode('.png', DEEP[...,0])[1].tobytes(), DEEP[...,0], None),
    '16-bit rgba png': (cv2.imencode('.png', np.dstack([DEEP[...,::-1],DEEP[...,0]]))[1].tobytes(), DEEP, DEEP[...,0]),
    '16-bit tiff': (tif(DEEP, photometric='rgb'), DEEP, None),
    '16-bit tiff, big endian': (tif(DEEP, photometric='rgb', byteorder='>'), DEEP, None),
    '16-bit tiff, deflated': (tif(DEEP, photometric='rgb', compression='zlib', predictor=True), DEEP, None),
    '16-bit tiff, lzw': (cv2.imencode('.tif', DEEP[...,::-1], [cv2.IMWRITE_TIFF_COMPRESSION, 5])[1].tobytes(), DEEP, None),
    '16-bit grey tiff': (tif(DEEP[...,0], photometric='minisblack'), DEEP[...,0], None),
    '16-bit grey tiff, big endian': (tif(DEEP[...,0], photometric='minisblack', byteorder='>'), DEEP[...,0], None),
    '16-bit white is zero': (tif(DEEP[...,0], photometric='miniswhite'), 65535-DEEP[...,0], None),
    '16-bit rgba tiff': (tif(np.dstack([DEEP,DEEP[...,0]]), photometric='rgb', extrasamples=['unassalpha']), DEEP, DEEP[...,0]),
    'float tiff': (tif((DEEP[...,0]/65535).astype(np.float32), photometric='minisblack'), DEEP[...,0], None),
}

@pytest.mark.parametrize('kind', KINDS)
def test_kind(kind, tmp_path):
    data,px,alpha = KINDS[kind]
    p = open_photo(data)
    np.testing.assert_array_equal(p.pixels, px)
    assert p.pixels.dtype==(np.uint16 if '16' in kind or 'float' in kind else np.uint8)
    if alpha is None: assert p.alpha is None
    else: np.testing.assert_array_equal(p.alpha, alpha); assert p.alpha.dtype==p.pixels.dtype
    suffix = {v:k for k,v in reversed(FORMATS.items())}[p.format]
    _,back = roundtrip(data, tmp_path, suffix)
    assert back.pixels.dtype==p.pixels.dtype
    if p.format=='JPEG': assert np.abs(lstar(back.pixels)-lstar(p.pixels)).mean()<.5
    else:
        np.testing.assert_array_equal(back.pixels, p.pixels)
        if alpha is not None: np.testing.assert_array_equal(back.alpha, alpha)
    ref = lstar(px)/100
    np.testing.assert_allclose(photo_L(p), ref, atol=1e-4)

def test_premultiplied_alpha():
    a = np.full((4,5), 32768, np.uint16); px = np.full((4,5,3), 40000, np.uint16)
    p = open_photo(tif(np.dstack([px//2, a]), photometric='rgb', extrasamples=['assocalpha']))
    assert np.abs(p.pixels.astype(int)-40000).max()<=2 and (p.alpha==32768).all()

def test_transparent_sixteen_bit_grey():
    ch = lambda t,d: struct.pack('>I', len(d))+t+d+struct.pack('>I', zlib.crc32(t+d))
    b = cv2.imencode('.png', DEEP[...,0])[1].tobytes()
    p = open_photo(b[:33]+ch(b'tRNS', struct.pack('>H', DEEP[0,0,0]))+b[33:])
    np.testing.assert_array_equal(p.pixels, DEEP[...,0])
    np.testing.assert_array_equal(p.alpha==0, DEEP[...,0]==DEEP[0,0,0])

def test_unknown_tags_are_no_event(capfd):
    extra = [(34377,'B',8,b'8BIM1234',True), (50839,'B',4,b'abcd',True), (65000,'s',0,'private',True)]
    np.testing.assert_array_equal(open_photo(tif(DEEP, photometric='rgb', extratags=extra)).pixels, DEEP)
    assert capfd.readouterr()==('','')

def test_other_readers_agree(tmp_path):
    like = Photo(DEEP, ALPHA.astype(np.uint16)*257, dpi=(240,240))
    save_photo(DEEP, tmp_path/'a.tif', like); save_photo(DEEP, tmp_path/'a.png', like)
    rgba = np.dstack([DEEP, like.alpha])
    np.testing.assert_array_equal(tifffile.imread(tmp_path/'a.tif'), rgba)
    for f in ('a.tif','a.png'): np.testing.assert_array_equal(cv2.imread(str(tmp_path/f), cv2.IMREAD_UNCHANGED)[...,[2,1,0,3]], rgba)

# ---- orientation

@pytest.mark.parametrize('o', range(1,9))
@pytest.mark.parametrize('fmt', ['JPEG','PNG','TIFF','WEBP'])
def test_orientation(o, fmt, tmp_path):
    e = Image.Exif(); e[274] = o; e[315] = 'Mary'
    data = coded(CAT, fmt, exif=e, **(dict(lossless=True) if fmt=='WEBP' else {}))
    ref = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    p,back = roundtrip(data, tmp_path, {'JPEG':'.jpg','PNG':'.png','TIFF':'.tif','WEBP':'.webp'}[fmt])
    np.testing.assert_array_equal(p.pixels, ref)
    assert back.size==p.size==ref.shape[1::-1]
    out = next(tmp_path.glob('out.*'))
    assert Image.open(out).getexif().get(274)==1
    assert ImageOps.exif_transpose(Image.open(out)).size==p.size

@pytest.mark.parametrize('o', range(1,9))
@pytest.mark.parametrize('a', [DEEP, DEEP[...,0]], ids=['color','grey'])
def test_orientation_of_16_bit(o, a):
    im = Image.fromarray(np.arange(a[...,0].size if a.ndim==3 else a.size, dtype=np.int32).reshape(a.shape[:2])); im.getexif()[274] = o
    i = np.asarray(ImageOps.exif_transpose(im))
    ref = a.reshape(-1, *a.shape[2:])[i]
    np.testing.assert_array_equal(open_photo(tif(a, photometric='rgb' if a.ndim==3 else 'minisblack', extratags=[(274,'H',1,o,True)])).pixels, ref)
    e = Image.Exif(); e[274] = o
    png = cv2.imencode('.png', a[...,::-1] if a.ndim==3 else a)[1].tobytes(); b = e.tobytes()[6:]
    chunk = struct.pack('>I', len(b))+b'eXIf'+b+struct.pack('>I', zlib.crc32(b'eXIf'+b))
    np.testing.assert_array_equal(open_photo(png[:33]+chunk+png[33:]).pixels, ref)

def test_dpi_turns_with_the_picture():
    assert open_photo(coded(CAT, 'JPEG', exif=exif(orientation=6), dpi=(300,600))).dpi==(600,300)

# ---- what comes along

@pytest.mark.parametrize('suffix,deep', [('.jpg',0),('.png',0),('.tif',0),('.webp',0),('.png',1),('.tif',1)])
def test_exif_dpi_profile_dates(suffix, deep, tmp_path):
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()
    src = tmp_path/f'in{suffix}'
    a = DEEP if deep else CAT
    if deep or suffix=='.tif': save_photo(a, src, Photo(a, exif=exif().tobytes(), icc=icc, dpi=(300,300)))  # Pillow itself would write Gro??mutter
    else: src.write_bytes(coded(CAT, FORMATS[suffix], exif=exif(orientation=3).tobytes(), icc_profile=icc, dpi=(300,300)))
    os.utime(src, (1e9,1.1e9))
    p = open_photo(src); dst = tmp_path/f'sub/out{suffix}'
    save_photo(rgb_of(p), dst, p)
    back = open_photo(dst)
    assert says(p)==says(back)==SAID
    e = Image.Exif(); e.load(back.exif); assert 40962 not in e.get_ifd(34665)
    assert back.icc==icc and dst.stat().st_mtime==1.1e9
    assert back.pixels.dtype==(np.uint16 if deep else np.uint8)
    with Image.open(dst) as im:
        assert im.info['icc_profile']==icc and im.getexif()[270].encode('latin-1').decode()=='Großmutter'
        if suffix!='.webp': np.testing.assert_allclose([float(x) for x in im.info['dpi']], 300, atol=.01)

def test_no_thumbnail(tmp_path):
    thumb = coded(CAT[::4,::4], 'JPEG'); head = b'MM\0*'+struct.pack('>I', 8)
    ifd0 = struct.pack('>H', 1)+struct.pack('>HHIHH', 274, 3, 1, 6, 0)+struct.pack('>I', 26)
    ifd1 = struct.pack('>H', 2)+struct.pack('>HHII', 513, 4, 1, 56)+struct.pack('>HHII', 514, 4, 1, len(thumb))+struct.pack('>I', 0)
    data = coded(CAT, 'JPEG', exif=b'Exif\0\0'+head+ifd0+ifd1+thumb)
    assert 513 in Image.open(io.BytesIO(data)).getexif().get_ifd(ExifTags.IFD.IFD1)
    p,_ = roundtrip(data, tmp_path, '.jpg')
    assert p.size==(120,181) and thumb[100:200] not in (tmp_path/'out.jpg').read_bytes()

def matrix_profile(gamma=2.2, prim=((.6097,.3111,.0195),(.2053,.6257,.0609),(.1492,.0632,.7446))):
    "A wide RGB matrix profile (the primaries of Adobe RGB, D50)."
    s15 = lambda v: struct.pack('>i', round(v*65536))
    xyz = lambda v: b'XYZ \0\0\0\0'+b''.join(map(s15, v))
    text = b'desc\0\0\0\0'+struct.pack('>I', 5)+b'wide\0'+b'\0'*78
    curv = b'curv\0\0\0\0'+struct.pack('>IH', 1, round(gamma*256))+b'\0\0'
    tags = [(b'desc',text),(b'cprt',b'text\0\0\0\0none\0\0\0\0'),(b'wtpt',xyz((.9642,1,.8249))),(b'rXYZ',xyz(prim[0])),(b'gXYZ',xyz(prim[1])),(b'bXYZ',xyz(prim[2])),(b'rTRC',curv),(b'gTRC',curv),(b'bTRC',curv)]
    return profile(b'RGB ', tags)

def grey_profile(gamma):
    curv = b'curv\0\0\0\0'+struct.pack('>IH', 1, round(gamma*256))+b'\0\0'
    return profile(b'GRAY', [(b'desc', b'desc\0\0\0\0'+struct.pack('>I', 5)+b'grey\0'+b'\0'*78), (b'cprt',b'text\0\0\0\0none\0\0\0\0'),
                             (b'wtpt', b'XYZ \0\0\0\0'+b''.join(struct.pack('>i', round(v*65536)) for v in (.9642,1,.8249))), (b'kTRC', curv)])

def profile(space, tags):
    off,body,table = 128+4+12*len(tags),b'',b''
    for k,d in tags: d += b'\0'*(-len(d)%4); table += k+struct.pack('>II', off+len(body), len(d)); body += d
    head = struct.pack('>I4sI4s4s4s', off+len(body), b'lcms', 0x02400000, b'mntr', space, b'XYZ ')+b'\0'*12+b'acsp'+b'\0'*28+b''.join(struct.pack('>i', round(v*65536)) for v in (.9642,1,.8249))
    return head.ljust(128, b'\0')+struct.pack('>I', len(tags))+table+body

@pytest.mark.parametrize('suffix', ['.png','.tif','.jpg'])
def test_wide_profile_there_and_back(suffix, tmp_path):
    icc = matrix_profile(); a = (CAT//2+60).astype(np.uint8)
    data = coded(a, FORMATS[suffix], icc_profile=icc, **({'quality':98} if suffix=='.jpg' else {}))
    p,back = roundtrip(data, tmp_path, suffix)
    stored = np.asarray(Image.open(io.BytesIO(data)))
    ref = np.asarray(ImageCms.profileToProfile(Image.fromarray(stored), ImageCms.ImageCmsProfile(io.BytesIO(icc)), ImageCms.createProfile('sRGB'), 1))
    assert np.abs(p.pixels.astype(int)-stored).mean()>1  # it does something
    np.testing.assert_allclose(p.pixels.astype(int), ref.astype(int), atol=2)
    with Image.open(tmp_path/f'out{suffix}') as im:
        assert im.info['icc_profile']==icc
        assert np.abs(np.asarray(im).astype(int)-stored).mean()<1.5

def test_wide_profile_16_bit_keeps_numbers(tmp_path):
    icc = matrix_profile()
    p,back = roundtrip(tif(DEEP, photometric='rgb', iccprofile=icc), tmp_path, '.tif')
    np.testing.assert_array_equal(p.pixels, DEEP); np.testing.assert_array_equal(back.pixels, DEEP)
    assert back.icc==icc

@pytest.mark.parametrize('deep', [False,True])
def test_grey_profile_is_applied(deep, tmp_path):
    icc = grey_profile(1.0); a = DEEP[...,0] if deep else GREY; top = np.iinfo(a.dtype).max
    data = tif(a, photometric='minisblack', iccprofile=icc) if deep else coded(a, 'PNG', icc_profile=icc)
    p,back = roundtrip(data, tmp_path, '.tif' if deep else '.png')
    lin = a/top; ref = np.where(lin<=.0031308, 12.92*lin, 1.055*lin**(1/2.4)-.055)
    assert np.abs(p.pixels/top-ref).mean()<.005 and p.pixels.dtype==a.dtype
    assert p.icc is None and back.icc is None
    np.testing.assert_array_equal(back.pixels, p.pixels)

def test_cmyk_and_mismatched_profiles_leave_none(tmp_path):
    for i,data in enumerate((coded(Image.fromarray(CAT).convert('CMYK'), 'JPEG', icc_profile=matrix_profile()), coded(CAT, 'PNG', icc_profile=grey_profile(2.2)))):
        p = open_photo(data); save_photo(rgb_of(p), tmp_path/f'{i}.jpg', p)
        assert 'icc_profile' not in Image.open(tmp_path/f'{i}.jpg').info

@pytest.mark.parametrize('icc', [b'rubbish', matrix_profile()[:200], b'\0'*300])
def test_broken_profile_is_left_out_with_a_warning(icc):
    with pytest.warns(UserWarning, match='profile'): p = open_photo(coded(CAT, 'PNG', icc_profile=icc))
    np.testing.assert_array_equal(p.pixels, CAT); assert p.icc is None

def test_broken_exif_is_left_out():
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        for junk in (b'Exif\0\0', b'Exif\0\0XX*\0', b'Exif\0\0MM\0*\xff\xff\xff\xff', b'Exif\0\0II*\0\x08\0\0\0\xff\xff'+b'\x12\x01'*30):
            assert open_photo(coded(CAT, 'JPEG', exif=junk)).size==(181,120)

@pytest.mark.parametrize('q,out', [(60,95),(90,95),(97,97),(100,100)])
def test_jpeg_quality_and_chroma(q, out, tmp_path):
    roundtrip(coded(CAT, 'JPEG', quality=q), tmp_path, '.jpg')
    with Image.open(tmp_path/'out.jpg') as im:
        assert im.layer[0][1:3]==im.layer[1][1:3]  # no chroma subsampling
        assert im.quantization==Image.open(io.BytesIO(coded(CAT, 'JPEG', quality=out))).quantization

def test_lossy_webp_stays_lossy(tmp_path):
    roundtrip(coded(CAT, 'WEBP'), tmp_path, '.webp'); assert b'VP8 ' in (tmp_path/'out.webp').read_bytes()

def test_sixteen_bits_to_jpeg_and_bmp(tmp_path):
    for s in ('.jpg','.bmp','.webp'):
        save_photo(DEEP, tmp_path/f'a{s}', Photo(DEEP))
        assert np.abs(np.asarray(Image.open(tmp_path/f'a{s}').convert('RGB')).astype(int)-DEEP/257).mean()<3

# ---- sizes

@pytest.mark.parametrize('shape', [(1,1),(5000,1),(1,5000),(2,3)])
@pytest.mark.parametrize('suffix', ['.jpg','.png','.tif','.webp','.bmp'])
def test_odd_sizes(shape, suffix, tmp_path):
    a = np.arange(shape[0]*shape[1]*3).reshape(*shape,3).astype(np.uint8)
    p,back = roundtrip(coded(a, FORMATS[suffix]), tmp_path, suffix)
    assert back.pixels.shape[:2]==shape==photo_L(p).shape and p.is_color in (True,False)
    if suffix in ('.png','.tif'):
        d = a.astype(np.uint16)*257; save_photo(d, tmp_path/f'deep{suffix}', Photo(d))
        np.testing.assert_array_equal(rgb_of(open_photo(tmp_path/f'deep{suffix}')), d)

def bomb(w, h, kind):
    ch = lambda t,d: struct.pack('>I', len(d))+t+d+struct.pack('>I', zlib.crc32(t+d))
    if kind=='PNG': return b'\x89PNG\r\n\x1a\n'+ch(b'IHDR', struct.pack('>IIBBBBB', w, h, 8, 2, 0, 0, 0))+ch(b'IDAT', zlib.compress(b'\0'*100000))+ch(b'IEND', b'')
    if kind=='TIFF':
        d = dict(zip((256,257,258,259,262,273,277,278,279), (w,h,8,1,1,8,1,h,100)))
        return b'II*\0\x08\0\0\0'+struct.pack('<H', len(d))+b''.join(struct.pack('<HHII', k, 4, 1, v) for k,v in d.items())+b'\0'*200
    return coded(CAT, 'BMP')[:18]+struct.pack('<ii', w, h)+coded(CAT, 'BMP')[26:]

@pytest.mark.parametrize('kind', ['PNG','TIFF','BMP'])
@pytest.mark.parametrize('side,mp', [(14000,'196'),(40000,'1600')])
def test_decompression_bomb(kind, side, mp):
    with pytest.raises(PhotoError, match=f'{mp} megapixels are more than the limit of 178'): open_photo(bomb(side, side, kind))

def test_large_but_allowed_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert open_photo(coded(Image.new('1', (10000,9500)), 'PNG')).size==(10000,9500)

# ---- sources

def test_sources(tmp_path):
    b = coded(CAT, 'PNG'); f = tmp_path/'Ünï cödé.png'; f.write_bytes(b)
    for src in (f, str(f), b, bytearray(b), io.BytesIO(b), open(f,'rb'), Image.open(f), CAT):
        p = open_photo(src); np.testing.assert_array_equal(p.pixels, CAT)
        out = io.BytesIO(); save_photo(CAT, out, p); np.testing.assert_array_equal(open_photo(out.getvalue()).pixels, CAT)
    np.testing.assert_array_equal(open_photo(np.dstack([GREY,ALPHA])).alpha, ALPHA)
    np.testing.assert_array_equal(open_photo(GREY[...,None]).pixels, GREY)

@pytest.mark.parametrize('a', [np.zeros((4,4)), np.zeros((0,4), np.uint8), np.zeros((4,4,5), np.uint8), np.zeros(4, np.uint8), np.zeros((4,4), bool)])
def test_array_that_is_no_photo(a):
    with pytest.raises(PhotoError, match='array'): open_photo(a)

def test_mpo_is_a_jpeg(tmp_path):
    b = io.BytesIO(); Image.fromarray(CAT).save(b, 'MPO', save_all=True, append_images=[Image.fromarray(CAT)])
    p = open_photo(b.getvalue()); assert p.format=='JPEG' and p.size==(181,120)

# ---- bad input

def animated(fmt): return coded(Image.fromarray(CAT), fmt, save_all=True, append_images=[Image.fromarray(255-CAT)])
def pages(n, thumb=False):
    b = io.BytesIO()
    with tifffile.TiffWriter(b) as w:
        for i in range(n): w.write(CAT, photometric='rgb', subfiletype=int(thumb and i>0), metadata=None)
    return b.getvalue()

BAD = { # name: (file, words of the message)
    'empty': (b'', 'empty'),
    'text.jpg': (b'Dear aunt, this is not a photo. '*20, 'not a picture'),
    'page.png': (b'<!DOCTYPE html><html></html>', 'not a picture'),
    'gif.gif': (coded(Image.fromarray(CAT).quantize(16), 'GIF'), 'GIF'),
    'anim.webp': (animated('WEBP'), 'animation of 2 frames'),
    'anim.png': (animated('PNG'), 'animation of 2 frames'),
    'photo.heic': (b'\0\0\0\x18ftypheic\0\0\0\0mif1heic'+b'\0'*50, 'HEIC'),
    'photo.avif': (coded(CAT, 'AVIF'), 'AVIF'),
    'photo.nef': (coded(CAT, 'TIFF'), 'camera raw'),
    'raw.tif': (tif(CAT, photometric='rgb', extratags=[(50706,'B',4,(1,4,0,0),True)]), 'camera raw'),
    'pages.tif': (pages(3), 'holds 3 pages'),
    'planes.tif': (tif(DEEP.transpose(2,0,1), photometric='rgb', planarconfig='separate'), 'separate color planes'),
    'float.tif': (tif(DEEP.astype(np.float32), photometric='rgb'), 'not a picture in a format known here'),
}

@pytest.mark.parametrize('name', BAD)
def test_bad_file(name, tmp_path):
    data,words = BAD[name]; f = tmp_path/name; f.write_bytes(data)
    with pytest.raises(PhotoError, match=words) as e: open_photo(f)
    assert str(e.value).startswith(str(f)) and '\n' not in str(e.value)

def test_tiff_with_a_thumbnail_page_opens(): np.testing.assert_array_equal(open_photo(pages(2, thumb=True)).pixels, CAT)

@pytest.mark.parametrize('kind', ['jpeg','grey jpeg','cmyk jpeg','png','palette','tiff','webp','bmp','16-bit png','16-bit grey png','16-bit tiff','16-bit tiff, deflated','16-bit tiff, lzw','16-bit grey tiff','float tiff'])
@pytest.mark.parametrize('part', [.02,.3,.7,.95])
def test_truncated(kind, part, tmp_path):
    f = tmp_path/'cut.jpg'; data = KINDS[kind][0]; f.write_bytes(data[:int(len(data)*part)])
    with pytest.raises(PhotoError) as e: open_photo(f)
    assert str(f) in str(e.value)

@pytest.mark.parametrize('kind', ['jpeg','png','tiff','webp','bmp','palette, transparent','16-bit png','16-bit tiff, deflated','16-bit tiff, lzw','float tiff'])
def test_damaged_bytes_give_a_photo_or_a_sentence(kind):
    data = np.frombuffer(KINDS[kind][0], np.uint8); rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        for i in range(40):
            bad = data.copy(); n = min(len(bad), 60 if i%2 else len(bad)); bad[rng.integers(0, n, 3)] = rng.integers(0, 256, 3)
            try: p = open_photo(bad.tobytes()); assert photo_L(p).shape==p.size[::-1]
            except PhotoError as e: assert str(e)

def test_missing_and_folder(tmp_path):
    with pytest.raises(PhotoError, match='no such file'): open_photo(tmp_path/'none.jpg')
    with pytest.raises(PhotoError, match='a folder'): open_photo(tmp_path)

def test_pickle_is_not_run(tmp_path):
    import pickle
    class Evil:
        def __reduce__(self): return os.mkdir, (str(tmp_path/'run'),)
    for n in ('a.jpg','a.tif','a.npy'):
        (tmp_path/n).write_bytes(pickle.dumps(Evil()))
        with pytest.raises(PhotoError): open_photo(tmp_path/n)
    assert not (tmp_path/'run').exists()

# ---- writing

@pytest.fixture
def photo(tmp_path):
    (tmp_path/'in.png').write_bytes(coded(CAT, 'PNG')); return open_photo(tmp_path/'in.png')

def left(d): return sorted(p.name for p in Path(d).rglob('*'))

def test_nothing_is_overwritten(photo, tmp_path):
    dst = tmp_path/'out.png'; dst.write_bytes(b'mine')
    with pytest.raises(PhotoError, match='already'): save_photo(CAT, dst, photo)
    assert dst.read_bytes()==b'mine'
    save_photo(CAT, dst, photo, overwrite=True); assert open_photo(dst).size==photo.size

@pytest.mark.parametrize('how', ['path','symlink','hard link'])
def test_source_is_never_overwritten(photo, tmp_path, how):
    dst = tmp_path/'in.png'; before = dst.read_bytes()
    if how=='symlink': (tmp_path/'ln.png').symlink_to(dst); dst = tmp_path/'ln.png'
    if how=='hard link': os.link(dst, tmp_path/'ln.png'); dst = tmp_path/'ln.png'
    with pytest.raises(PhotoError, match='the photo itself'): save_photo(CAT, dst, photo, overwrite=True)
    assert (tmp_path/'in.png').read_bytes()==before

def test_suffixes(photo, tmp_path):
    with pytest.raises(PhotoError, match='.gif'): save_photo(CAT, tmp_path/'a.gif', photo)
    save_photo(CAT, tmp_path/'a.JPEG', photo); assert Image.open(tmp_path/'a.JPEG').format=='JPEG'
    save_photo(CAT, tmp_path/'plain', photo); assert Image.open(tmp_path/'plain').format=='PNG'
    with pytest.raises(PhotoError, match='transparency'): save_photo(CAT, tmp_path/'t.jpg', Photo(CAT, ALPHA))
    save_photo(CAT, tmp_path/'opaque.jpg', Photo(CAT, np.full_like(ALPHA, 255)))
    with pytest.raises(ValueError, match='needs'): save_photo(CAT[1:], tmp_path/'b.png', photo)
    tall = np.zeros((20000,1,3), np.uint8)
    with pytest.raises(PhotoError, match='WEBP'): save_photo(tall, tmp_path/'tall.webp', Photo(tall))
    assert left(tmp_path)==['a.JPEG','in.png','opaque.jpg','plain']

def test_unwritable_folder(photo, tmp_path):
    (tmp_path/'file').write_text('x')
    with pytest.raises(PhotoError, match='where a folder is needed'): save_photo(CAT, tmp_path/'file/out.png', photo)
    (tmp_path/'taken.png').mkdir()
    with pytest.raises(PhotoError): save_photo(CAT, tmp_path/'taken.png', photo, overwrite=True)
    assert left(tmp_path)==['file','in.png','taken.png']

@pytest.mark.skipif(not hasattr(os, 'seteuid'), reason='needs POSIX users')
def test_folder_without_permission(photo, tmp_path):
    d = tmp_path/'shut'; d.mkdir(); d.chmod(0o500); root = os.geteuid()==0
    if root: os.seteuid(65534)  # root may write anywhere
    try:
        with pytest.raises(PhotoError, match='no permission'): save_photo(CAT, d/'out.png', photo)
        with pytest.raises(PhotoError, match='no permission'): save_photo(CAT, d/'sub/out.png', photo)
    finally:
        if root: os.seteuid(0)
    d.chmod(0o700); assert left(d)==[]

DISK_FULL = '''
import resource, sys
from colorfast.basics import *
from colorfast.photo.core import *
from colorfast.photo.read import *
from colorfast.photo.write import *
from colorfast.photo.find import *
p = open_photo(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try: save_photo(p.pixels, sys.argv[2], p, overwrite=True)
except PhotoError as e: print(e); sys.exit(7)
'''

@pytest.mark.skipif(sys.platform=='win32', reason='needs setrlimit')
@pytest.mark.parametrize('suffix', ['.png','.tif','.jpg'])
def test_disk_full(photo, tmp_path, suffix):
    dst = tmp_path/f'out/photo{suffix}'; dst.parent.mkdir(); dst.write_bytes(b'older')
    r = subprocess.run([sys.executable, '-c', DISK_FULL, photo.path, dst], capture_output=True, text=True)
    assert r.returncode==7 and 'the disk is full' in r.stdout and str(dst) in r.stdout, r.stderr
    assert left(dst.parent)==[dst.name] and dst.read_bytes()==b'older'

@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='needs /dev/full')
def test_disk_full_on_a_stream(photo):
    with open('/dev/full', 'wb', buffering=0) as f, pytest.raises(PhotoError, match='the disk is full'): save_photo(CAT, f, photo)

def test_usual_permissions(photo, tmp_path):
    save_photo(CAT, tmp_path/'out.png', photo); (tmp_path/'ref').touch()
    assert (tmp_path/'out.png').stat().st_mode==(tmp_path/'ref').stat().st_mode

# ---- finding

def tree(d, *names):
    for n in names: f = d/n; f.parent.mkdir(parents=True, exist_ok=True); f.write_bytes(b'x')
    return d
def found(srcs, out): return [(str(s), str(d)) for s,d in find_media(srcs, out)]
def errors(srcs, out): return [str(d) for s,d in find_media(srcs, out) if isinstance(d, PhotoError)]

def test_tree_is_mirrored(tmp_path):
    d = tree(tmp_path/'in', 'b.jpg', 'a.PNG', 'x/y/c.tiff', 'x/a.jpg', 'notes.txt', '.hid.jpg', '.git/e.jpg', 'phone.heic')
    out = tmp_path/'out'
    want = ['a.PNG','b.jpg','phone.heic','x/a.jpg','x/y/c.tiff']
    assert found(d, out)==[(str(d/n), str(out/n)) for n in want]
    assert found([str(d/'b.jpg'), d/'x'], out)==[(str(d/'b.jpg'), str(out/'b.jpg')), (str(d/'x/a.jpg'), str(out/'a.jpg')), (str(d/'x/y/c.tiff'), str(out/'y/c.tiff'))]

def test_out_inside_is_left_out(tmp_path):
    d = tree(tmp_path/'in', 'a.jpg', 'colorized/a.jpg'); assert found(d, d/'colorized')==[(str(d/'a.jpg'), str(d/'colorized/a.jpg'))]
    assert found([d], d/'x'/'..'/'colorized')[0][0]==str(d/'a.jpg')

def test_same_name_other_suffix(tmp_path):
    d = tree(tmp_path/'in', 'a.jpg', 'a.png'); assert len({q for _,q in found(d, tmp_path/'o')})==2

def test_collision_names_both(tmp_path):
    d = tree(tmp_path, 'one/a.jpg', 'two/a.jpg', 'two/b.jpg'); r = list(find_media([d/'one', d/'two'], d/'o'))
    assert [isinstance(q, PhotoError) for _,q in r]==[False,True,False]
    assert str(d/'one/a.jpg') in str(r[1][1]) and str(d/'two/a.jpg') in str(r[1][1])
    assert len(found([d/'one/a.jpg', d/'one', d/'two/../one/a.jpg'], d/'o'))==1  # one photo, named three ways

def test_missing_empty_and_itself(tmp_path):
    d = tree(tmp_path/'in', 'a.jpg'); (tmp_path/'none').mkdir()
    assert 'no such file' in errors([d/'zzz.jpg', d], tmp_path/'o')[0] and len(found([d/'zzz.jpg', d], tmp_path/'o'))==2
    assert 'no photos' in errors(tmp_path/'none', tmp_path/'o')[0]
    assert 'its own place' in errors(d, d)[0] and 'its own place' in errors(d/'a.jpg', d)[0]

def test_never_outside_out(tmp_path, monkeypatch):
    d = tree(tmp_path/'in', 'sub/a.jpg'); tree(tmp_path/'else', 'b.jpg'); out = tmp_path/'out'; out.mkdir()
    (d/'ln.jpg').symlink_to(tmp_path/'else/b.jpg'); (d/'lndir').symlink_to(tmp_path/'else'); (d/'loop').symlink_to(d)
    monkeypatch.chdir(d/'sub')
    for srcs in (['..'], ['../../in'], ['../sub/../sub/a.jpg'], ['.'], [d/'sub'/'..'], [d/'ln.jpg'], [d/'lndir']):
        for _,dst in find_media(srcs, out): assert dst.resolve().is_relative_to(out) and '..' not in dst.parts
    assert found(d, out)==[(str(d/n), str(out/n)) for n in ('ln.jpg','sub/a.jpg')]  # folders behind links are not entered
    (d/'dead.jpg').symlink_to(tmp_path/'gone'); (out/'dead.jpg').touch()
    assert (str(d/'dead.jpg'), str(out/'dead.jpg')) in found(d, out)
    (out/'sub').symlink_to(tmp_path/'else')
    assert 'through a link' in errors(d, out)[0] and len(errors(d, out))==1

def test_link_in_out_is_replaced_not_followed(photo, tmp_path):
    (tmp_path/'else.png').write_bytes(b'mine'); (tmp_path/'out').mkdir(); (tmp_path/'out/a.png').symlink_to(tmp_path/'else.png')
    save_photo(CAT, tmp_path/'out/a.png', photo, overwrite=True)
    assert (tmp_path/'else.png').read_bytes()==b'mine' and open_photo(tmp_path/'out/a.png').size==photo.size

# ---- in colour or not, samples, imports

def test_samples():
    files = [f for f in SAMPLES.iterdir() if f.suffix in FORMATS]
    assert 6<=len(files)<=8 and sum(f.stat().st_size for f in files)<600_000
    photos = {f.name: open_photo(f) for f in files}
    assert not any(p.is_color for p in photos.values())
    assert photos['cat-sideways.jpg'].size==(640,426) and Image.open(SAMPLES/'cat-sideways.jpg').size==(426,640)
    assert photos['face-16bit.png'].pixels.dtype==np.uint16 and photos['coffee-sepia.jpg'].pixels.ndim==3
    assert all(name in (SAMPLES/'README.md').read_text() for name in photos)

@pytest.mark.parametrize('name', ['astronaut','cat','coffee','rocket','hubble_deep_field','colorwheel'])
def test_color_photos_are_in_color_and_their_prints_are_not(name):
    a = getattr(skdata, name)(); g = (skcolor.rgb2gray(a[...,:3])[...,None]).clip(0,1)
    sepia = (255*(np.array([.25,.15,.1])+np.array([.7,.72,.6])*g**[1,1.2,1.5])).astype(np.uint8)
    for depth in (1,257):
        assert Photo(a*np.uint16(depth) if depth>1 else a).is_color
        assert not Photo(sepia*np.uint16(depth) if depth>1 else sepia).is_color
    assert not open_photo(coded(sepia, 'JPEG', quality=60)).is_color

def test_import_is_light():
    heavy = ('torch','fastai','cv2','PIL','skimage','tifffile','onnxruntime')
    r = subprocess.run([sys.executable, '-c', f'import sys, colorfast.photo.read, colorfast.photo.write, colorfast.photo.find; print([m for m in {heavy} if m in sys.modules])'], capture_output=True, text=True)
    assert r.stdout.strip()=='[]', r.stdout+r.stderr
