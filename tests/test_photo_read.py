"Photo files of every kind through `open_photo`."
import io, pickle, struct, subprocess, sys, warnings, zlib
from pathlib import Path

import numpy as np, pytest
from PIL import Image, ImageOps
from PIL.ExifTags import Base
from skimage import color as skcolor, data as skdata

from photos import (ALPHA, CAT, DEEP, DEEP_GRAY, GRAY, KINDS, encoded, lightness, make_exif, opened, png16,
                    png_chunk, roundtrip, scanner_profile, tiff, wide_profile, with_chunk)
from colorfast.basics import PhotoError
from colorfast.photo.core import FORMATS, Photo, photo_L
from colorfast.photo.read import open_photo
from colorfast.photo.write import save_photo

SAMPLES = Path(__file__).parent.parent/'samples'

# ---- kinds of picture

@pytest.mark.parametrize('kind', KINDS)
def test_kind(kind, tmp_path):
    data,px,alpha = KINDS[kind]
    p = open_photo(data)
    np.testing.assert_array_equal(p.pixels, px)
    assert p.pixels.dtype==(np.uint16 if '16' in kind or 'float' in kind else np.uint8)
    assert (p.alpha is None)==(alpha is None)
    if alpha is not None:
        np.testing.assert_array_equal(p.alpha, alpha)
        assert p.alpha.dtype==p.pixels.dtype
    np.testing.assert_allclose(photo_L(p), lightness(px)/100, atol=1e-4)

@pytest.mark.parametrize('kind', KINDS)
def test_kind_there_and_back(kind, tmp_path):
    data,_,alpha = KINDS[kind]
    suffix_of = {v:k for k,v in reversed(FORMATS.items())}
    p,back = roundtrip(data, tmp_path, suffix_of[open_photo(data).format])
    assert back.pixels.dtype==p.pixels.dtype
    if p.format=='JPEG':
        assert np.abs(lightness(back.pixels)-lightness(p.pixels)).mean()<.5
        return
    np.testing.assert_array_equal(back.pixels, p.pixels)
    if alpha is not None: np.testing.assert_array_equal(back.alpha, alpha)

def test_premultiplied_alpha():
    alpha = np.full((4,5), 32768, np.uint16)
    px = np.full((4,5,3), 40000, np.uint16)
    p = open_photo(tiff(np.dstack([px//2, alpha]), photometric='rgb', extrasamples=['assocalpha']))
    assert np.abs(p.pixels.astype(int)-40000).max()<=2
    assert (p.alpha==32768).all()

def test_transparent_sixteen_bit_gray():
    p = open_photo(with_chunk(png16(DEEP_GRAY), b'tRNS', struct.pack('>H', DEEP_GRAY[0,0])))
    np.testing.assert_array_equal(p.pixels, DEEP_GRAY)
    np.testing.assert_array_equal(p.alpha==0, DEEP_GRAY==DEEP_GRAY[0,0])

def test_unknown_tags_are_no_event(capfd):
    extra = [(34377,'B',8,b'8BIM1234',True), (50839,'B',4,b'abcd',True), (65000,'s',0,'private',True)]
    np.testing.assert_array_equal(open_photo(tiff(DEEP, photometric='rgb', extratags=extra)).pixels, DEEP)
    assert capfd.readouterr()==('','')

def test_mpo_is_a_jpeg():
    p = open_photo(encoded(CAT, 'MPO', save_all=True, append_images=[Image.fromarray(CAT)]))
    assert p.format=='JPEG' and p.size==(181,120)

# ---- the object

def test_photo_can_be_pickled(tmp_path):
    f = tmp_path/'a.jpg'
    f.write_bytes(encoded(CAT, 'JPEG', exif=make_exif(orientation=6), icc_profile=wide_profile(), dpi=(300,600)))
    for p in (open_photo(f), open_photo(KINDS['16-bit rgba tiff'][0]), open_photo(Image.open(f))):
        copy = pickle.loads(pickle.dumps(p))
        np.testing.assert_array_equal(copy.pixels, p.pixels)
        np.testing.assert_array_equal(copy.alpha, p.alpha)
        for field in ('format','exif','icc','dpi','options','path','times'): assert getattr(copy, field)==getattr(p, field)

def test_replaced_pixels_may_have_another_size_and_depth(tmp_path):
    p = open_photo(encoded(CAT, 'PNG', exif=make_exif(), dpi=(300,300), icc_profile=wide_profile()))
    large = p.replace(pixels=p.pixels.repeat(2, 0).repeat(2, 1))
    assert large.size==(362,240) and (large.exif,large.icc,large.dpi)==(p.exif,p.icc,p.dpi)
    assert p.size==(181,120)
    deep = p.replace(pixels=p.pixels.astype(np.uint16)*257)
    assert deep.icc is None  # 16-bit pixels would be taken to be in it
    save_photo(deep.pixels, tmp_path/'deep.png', deep)
    np.testing.assert_array_equal(open_photo(tmp_path/'deep.png').pixels, deep.pixels)
    assert deep.replace(icc=wide_profile()).icc==wide_profile()

def test_replaced_alpha_fits_the_pixels():
    p = Photo(CAT, ALPHA)
    np.testing.assert_array_equal(p.replace(pixels=255-CAT).alpha, ALPHA)
    half = p.replace(pixels=CAT[::2,::2], alpha=ALPHA[::2,::2])
    assert half.alpha.shape==half.pixels.shape[:2]
    for bad in ({'pixels':CAT[::2]}, {'pixels':DEEP}, {'alpha':ALPHA[1:]}):
        with pytest.raises(ValueError, match='give an alpha of their size'): p.replace(**bad)

# ---- orientation

@pytest.mark.parametrize('orientation', range(1,9))
@pytest.mark.parametrize('suffix', ['.jpg','.png','.tif','.webp'])
def test_orientation(orientation, suffix, tmp_path):
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    exif[Base.Artist] = 'Mary'
    options = {'lossless':True} if suffix=='.webp' else {}
    data = encoded(CAT, FORMATS[suffix], exif=exif, **options)
    expected = np.asarray(ImageOps.exif_transpose(opened(data)))
    p,back = roundtrip(data, tmp_path, suffix)
    np.testing.assert_array_equal(p.pixels, expected)
    assert back.size==p.size==expected.shape[1::-1]
    with Image.open(tmp_path/f'out{suffix}') as out:
        assert out.getexif().get(Base.Orientation)==1
        assert ImageOps.exif_transpose(out).size==p.size

@pytest.mark.parametrize('orientation', range(1,9))
@pytest.mark.parametrize('a', [DEEP, DEEP_GRAY], ids=['color','gray'])
def test_orientation_of_16_bit(orientation, a):
    h,w = a.shape[:2]
    numbered = Image.fromarray(np.arange(h*w, dtype=np.int32).reshape(h, w))
    numbered.getexif()[Base.Orientation] = orientation
    expected = a.reshape(h*w, *a.shape[2:])[np.asarray(ImageOps.exif_transpose(numbered))]
    tag = (int(Base.Orientation), 'H', 1, orientation, True)
    photometric = 'rgb' if a.ndim==3 else 'minisblack'
    np.testing.assert_array_equal(open_photo(tiff(a, photometric=photometric, extratags=[tag])).pixels, expected)
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    np.testing.assert_array_equal(open_photo(with_chunk(png16(a), b'eXIf', exif.tobytes()[6:])).pixels, expected)

def test_dpi_turns_with_the_picture():
    assert open_photo(encoded(CAT, 'JPEG', exif=make_exif(orientation=6), dpi=(300,600))).dpi==(600,300)

# ---- side dishes that are damaged or strange

@pytest.mark.parametrize('icc', [b'rubbish', wide_profile()[:200], b'\0'*300])
def test_broken_profile_is_left_out_with_a_warning(icc):
    with pytest.warns(UserWarning, match='profile'): p = open_photo(encoded(CAT, 'PNG', icc_profile=icc))
    np.testing.assert_array_equal(p.pixels, CAT)
    assert p.icc is None

def test_scanner_profile_is_applied_without_a_word():
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        p = open_photo(encoded(CAT, 'PNG', icc_profile=scanner_profile()))
    expected = skcolor.rgb2lab(CAT)*[1,.5,.5]  # the table halves chroma
    assert np.abs(skcolor.rgb2lab(p.pixels)-expected).mean()<1.5

def test_broken_exif_is_left_out():
    rubbish = (b'', b'XX*\0', b'MM\0*\xff\xff\xff\xff', b'II*\0\x08\0\0\0\xff\xff'+b'\x12\x01'*30)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        for block in rubbish: assert open_photo(encoded(CAT, 'JPEG', exif=b'Exif\0\0'+block)).size==(181,120)

# ---- sizes

def bomb_png(w, h):
    header = png_chunk(b'IHDR', struct.pack('>IIBBBBB', w, h, 8, 2, 0, 0, 0))
    return b'\x89PNG\r\n\x1a\n'+header+png_chunk(b'IDAT', zlib.compress(b'\0'*100000))+png_chunk(b'IEND', b'')

def bomb_tiff(w, h):
    tags = {256:w, 257:h, 258:8, 259:1, 262:1, 273:8, 277:1, 278:h, 279:100}
    entries = b''.join(struct.pack('<HHII', k, 4, 1, v) for k,v in tags.items())
    return b'II*\0\x08\0\0\0'+struct.pack('<H', len(tags))+entries+b'\0'*200

def bomb_bmp(w, h):
    bmp = encoded(CAT, 'BMP')
    return bmp[:18]+struct.pack('<ii', w, h)+bmp[26:]

@pytest.mark.parametrize('bomb', [bomb_png, bomb_tiff, bomb_bmp])
@pytest.mark.parametrize('side,megapixels', [(14000,'196'),(40000,'1600')])
def test_decompression_bomb(bomb, side, megapixels):
    with pytest.raises(PhotoError, match=f'{megapixels} megapixels are more than the limit of 178'): open_photo(bomb(side, side))

def test_large_but_allowed_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert open_photo(encoded(Image.new('1', (10000,9500)), 'PNG')).size==(10000,9500)

# ---- sources

def test_sources(tmp_path):
    data = encoded(CAT, 'PNG')
    f = tmp_path/'Ünï cödé.png'
    f.write_bytes(data)
    for src in (f, str(f), data, bytearray(data), io.BytesIO(data), open(f, 'rb'), Image.open(f), CAT):
        p = open_photo(src)
        np.testing.assert_array_equal(p.pixels, CAT)
        out = io.BytesIO()
        save_photo(CAT, out, p)
        np.testing.assert_array_equal(open_photo(out.getvalue()).pixels, CAT)
    np.testing.assert_array_equal(open_photo(np.dstack([GRAY,ALPHA])).alpha, ALPHA)
    np.testing.assert_array_equal(open_photo(GRAY[...,None]).pixels, GRAY)

NO_PHOTOS = [np.zeros((4,4)), np.zeros((0,4), np.uint8), np.zeros((4,4,5), np.uint8), np.zeros(4, np.uint8), np.zeros((4,4), bool)]

@pytest.mark.parametrize('a', NO_PHOTOS)
def test_array_that_is_no_photo(a):
    with pytest.raises(PhotoError, match='array'): open_photo(a)

# ---- in color or not, samples, imports

def test_samples():
    files = [f for f in SAMPLES.iterdir() if f.suffix in FORMATS]
    assert 6<=len(files)<=8 and sum(f.stat().st_size for f in files)<600_000
    photos = {f.name: open_photo(f) for f in files}
    assert not any(p.is_color for p in photos.values())
    assert photos['cat-sideways.jpg'].size==(640,426)
    assert Image.open(SAMPLES/'cat-sideways.jpg').size==(426,640)
    assert photos['face-16bit.png'].pixels.dtype==np.uint16
    assert photos['coffee-sepia.jpg'].pixels.ndim==3
    assert all(name in (SAMPLES/'README.md').read_text() for name in photos)

@pytest.mark.parametrize('name', ['astronaut','cat','coffee','rocket','hubble_deep_field','colorwheel'])
def test_color_photos_are_in_color_and_their_prints_are_not(name):
    a = getattr(skdata, name)()
    gray = skcolor.rgb2gray(a[...,:3])[...,None].clip(0, 1)
    sepia = (255*(np.array([.25,.15,.1])+np.array([.7,.72,.6])*gray**[1,1.2,1.5])).astype(np.uint8)
    assert Photo(a).is_color and Photo(a*np.uint16(257)).is_color
    assert not Photo(sepia).is_color and not Photo(sepia*np.uint16(257)).is_color
    assert not open_photo(encoded(sepia, 'JPEG', quality=60)).is_color

def test_import_is_light():
    heavy = ('torch','fastai','cv2','PIL','skimage','tifffile','onnxruntime')
    modules = ', '.join(f'colorfast.photo.{m}' for m in ('core','exif','icc','decode','read','write','find'))
    code = f'import sys, {modules}; print([m for m in {heavy} if m in sys.modules])'
    r = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert r.stdout.strip()=='[]', r.stdout+r.stderr
