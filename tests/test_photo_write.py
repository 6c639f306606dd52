"What comes along when a photo is saved, and what happens when it cannot be, through `save_photo`."
import os, struct, subprocess, sys

import cv2, numpy as np, pytest, tifffile
from PIL import Image, ImageCms
from PIL.ExifTags import Base, IFD

from photos import (ALPHA, CAT, DEEP, EXIF_SAYS, encoded, exif_says, make_exif, names_in, opened, parse_exif, rgb_of,
                    roundtrip)
from colorfast.basics import PhotoError
from colorfast.photo.core import FORMATS, Photo, photo_L
from colorfast.photo.read import open_photo
from colorfast.photo.write import save_photo

@pytest.fixture
def photo(tmp_path):
    "An opened photo, whose file is in.png."
    (tmp_path/'in.png').write_bytes(encoded(CAT, 'PNG'))
    return open_photo(tmp_path/'in.png')

def test_other_readers_agree(tmp_path):
    like = Photo(DEEP, ALPHA.astype(np.uint16)*257, dpi=(240,240))
    rgba = np.dstack([DEEP, like.alpha])
    for name in ('a.tif','a.png'):
        save_photo(DEEP, tmp_path/name, like)
        bgra = cv2.imread(str(tmp_path/name), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(bgra[...,[2,1,0,3]], rgba)
    np.testing.assert_array_equal(tifffile.imread(tmp_path/'a.tif'), rgba)

# ---- what comes along

def write_source(path, px, icc):
    "A photo file with EXIF, profile and DPI. TIFFs are ours: Pillow itself would write Gro??mutter."
    if px.dtype==np.uint16 or path.suffix=='.tif':
        save_photo(px, path, Photo(px, exif=make_exif().tobytes(), icc=icc, dpi=(300,300)))
    else:
        exif = make_exif(orientation=3).tobytes()
        path.write_bytes(encoded(px, FORMATS[path.suffix], exif=exif, icc_profile=icc, dpi=(300,300)))
    os.utime(path, (1e9,1.1e9))

@pytest.mark.parametrize('suffix,deep', [('.jpg',0),('.png',0),('.tif',0),('.webp',0),('.png',1),('.tif',1)])
def test_exif_dpi_profile_dates(suffix, deep, tmp_path):
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()
    write_source(tmp_path/f'in{suffix}', DEEP if deep else CAT, icc)
    p = open_photo(tmp_path/f'in{suffix}')
    dst = tmp_path/f'sub/out{suffix}'
    save_photo(rgb_of(p), dst, p)
    back = open_photo(dst)
    assert exif_says(p)==exif_says(back)==EXIF_SAYS
    assert Base.ExifImageWidth not in parse_exif(back.exif).get_ifd(IFD.Exif)
    assert back.icc==icc and dst.stat().st_mtime==1.1e9
    assert back.pixels.dtype==(np.uint16 if deep else np.uint8)
    with Image.open(dst) as im:
        assert im.info['icc_profile']==icc
        assert im.getexif()[Base.ImageDescription].encode('latin-1').decode()=='Großmutter'
        if suffix!='.webp': np.testing.assert_allclose([float(x) for x in im.info['dpi']], 300, atol=.01)

def exif_with_thumbnail(jpeg):
    "An EXIF block of two directories, the second with a small JPEG."
    head = b'Exif\0\0MM\0*'+struct.pack('>I', 8)
    main = struct.pack('>H', 1)+struct.pack('>HHIHH', Base.Orientation, 3, 1, 6, 0)+struct.pack('>I', 26)
    offset = struct.pack('>HHII', Base.JpegIFOffset, 4, 1, 56)
    length = struct.pack('>HHII', Base.JpegIFByteCount, 4, 1, len(jpeg))
    return head+main+struct.pack('>H', 2)+offset+length+struct.pack('>I', 0)+jpeg

def test_no_thumbnail(tmp_path):
    thumbnail = encoded(CAT[::4,::4], 'JPEG')
    data = encoded(CAT, 'JPEG', exif=exif_with_thumbnail(thumbnail))
    assert Base.JpegIFOffset in opened(data).getexif().get_ifd(IFD.IFD1)
    p,_ = roundtrip(data, tmp_path, '.jpg')
    assert p.size==(120,181)
    assert thumbnail[100:200] not in (tmp_path/'out.jpg').read_bytes()

# ---- how it is encoded

@pytest.mark.parametrize('quality,at_least_95', [(60,95),(90,95),(97,97),(100,100)])
def test_jpeg_quality_and_chroma(quality, at_least_95, tmp_path):
    roundtrip(encoded(CAT, 'JPEG', quality=quality), tmp_path, '.jpg')
    with Image.open(tmp_path/'out.jpg') as im:
        assert im.layer[0][1:3]==im.layer[1][1:3]  # no chroma subsampling
        assert im.quantization==opened(encoded(CAT, 'JPEG', quality=at_least_95)).quantization

def test_lossy_webp_stays_lossy(tmp_path):
    roundtrip(encoded(CAT, 'WEBP'), tmp_path, '.webp')
    assert b'VP8 ' in (tmp_path/'out.webp').read_bytes()

@pytest.mark.parametrize('suffix', ['.jpg','.bmp','.webp'])
def test_sixteen_bits_to_jpeg_and_bmp(suffix, tmp_path):
    save_photo(DEEP, tmp_path/f'a{suffix}', Photo(DEEP))
    written = np.asarray(Image.open(tmp_path/f'a{suffix}').convert('RGB'))
    assert np.abs(written.astype(int)-DEEP/257).mean()<3

@pytest.mark.parametrize('shape', [(1,1),(5000,1),(1,5000),(2,3)])
@pytest.mark.parametrize('suffix', ['.jpg','.png','.tif','.webp','.bmp'])
def test_odd_sizes(shape, suffix, tmp_path):
    a = np.arange(shape[0]*shape[1]*3).reshape(*shape,3).astype(np.uint8)
    p,back = roundtrip(encoded(a, FORMATS[suffix]), tmp_path, suffix)
    assert back.pixels.shape[:2]==shape==photo_L(p).shape
    assert p.is_color in (True,False)

@pytest.mark.parametrize('shape', [(1,1),(5000,1),(1,5000),(2,3)])
@pytest.mark.parametrize('suffix', ['.png','.tif'])
def test_odd_sizes_of_16_bit(shape, suffix, tmp_path):
    a = np.arange(shape[0]*shape[1]*3).reshape(*shape,3).astype(np.uint8).astype(np.uint16)*257
    save_photo(a, tmp_path/f'deep{suffix}', Photo(a))
    np.testing.assert_array_equal(rgb_of(open_photo(tmp_path/f'deep{suffix}')), a)

# ---- what is in the way

def test_nothing_is_overwritten(photo, tmp_path):
    dst = tmp_path/'out.png'
    dst.write_bytes(b'mine')
    with pytest.raises(PhotoError, match='already'): save_photo(CAT, dst, photo)
    assert dst.read_bytes()==b'mine'
    save_photo(CAT, dst, photo, overwrite=True)
    assert open_photo(dst).size==photo.size

@pytest.mark.parametrize('how', ['path','symlink','hard link'])
def test_source_is_never_overwritten(photo, tmp_path, how):
    source,dst = tmp_path/'in.png',tmp_path/'ln.png'
    before = source.read_bytes()
    if how=='path': dst = source
    if how=='symlink': dst.symlink_to(source)
    if how=='hard link': os.link(source, dst)
    with pytest.raises(PhotoError, match='the photo itself'): save_photo(CAT, dst, photo, overwrite=True)
    assert source.read_bytes()==before

def test_link_in_out_is_replaced_not_followed(photo, tmp_path):
    target,link = tmp_path/'else.png',tmp_path/'out/a.png'
    target.write_bytes(b'mine')
    link.parent.mkdir()
    link.symlink_to(target)
    save_photo(CAT, link, photo, overwrite=True)
    assert target.read_bytes()==b'mine'
    assert open_photo(link).size==photo.size

def test_suffixes(photo, tmp_path):
    with pytest.raises(PhotoError, match='.gif'): save_photo(CAT, tmp_path/'a.gif', photo)
    for name,fmt in (('a.JPEG','JPEG'), ('plain','PNG')):
        save_photo(CAT, tmp_path/name, photo)
        assert Image.open(tmp_path/name).format==fmt
    with pytest.raises(PhotoError, match='transparency'): save_photo(CAT, tmp_path/'t.jpg', Photo(CAT, ALPHA))
    save_photo(CAT, tmp_path/'opaque.jpg', Photo(CAT, np.full_like(ALPHA, 255)))
    with pytest.raises(ValueError, match='needs'): save_photo(CAT[1:], tmp_path/'b.png', photo)
    tall = np.zeros((20000,1,3), np.uint8)
    with pytest.raises(PhotoError, match='WEBP'): save_photo(tall, tmp_path/'tall.webp', Photo(tall))
    assert names_in(tmp_path)==['a.JPEG','in.png','opaque.jpg','plain']

# ---- where nothing can be written

def test_unwritable_folder(photo, tmp_path):
    (tmp_path/'file').write_text('x')
    with pytest.raises(PhotoError, match='where a folder is needed'): save_photo(CAT, tmp_path/'file/out.png', photo)
    (tmp_path/'taken.png').mkdir()
    with pytest.raises(PhotoError): save_photo(CAT, tmp_path/'taken.png', photo, overwrite=True)
    assert names_in(tmp_path)==['file','in.png','taken.png']

@pytest.fixture
def as_nobody():
    "Root may write anywhere, so another user for the time of a test."
    is_root = os.geteuid()==0
    if is_root: os.seteuid(65534)
    yield
    if is_root: os.seteuid(0)

@pytest.fixture
def shut(tmp_path):
    "A folder in which nothing can be written."
    folder = tmp_path/'shut'
    folder.mkdir()
    folder.chmod(0o500)
    yield folder
    folder.chmod(0o700)
    assert names_in(folder)==[]

@pytest.mark.skipif(not hasattr(os, 'seteuid'), reason='needs POSIX users')
def test_folder_without_permission(photo, shut, as_nobody):
    for dst in (shut/'out.png', shut/'sub/out.png'):
        with pytest.raises(PhotoError, match='no permission'): save_photo(CAT, dst, photo)

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
except PhotoError as e:
    print(e)
    sys.exit(7)
'''

@pytest.mark.skipif(sys.platform=='win32', reason='needs setrlimit')
@pytest.mark.parametrize('suffix', ['.png','.tif','.jpg'])
def test_disk_full(photo, tmp_path, suffix):
    dst = tmp_path/f'out/photo{suffix}'
    dst.parent.mkdir()
    dst.write_bytes(b'older')
    r = subprocess.run([sys.executable, '-c', DISK_FULL, photo.path, dst], capture_output=True, text=True)
    assert r.returncode==7, r.stderr
    assert 'the disk is full' in r.stdout and str(dst) in r.stdout
    assert names_in(dst.parent)==[dst.name] and dst.read_bytes()==b'older'

@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='needs /dev/full')
def test_disk_full_on_a_stream(photo):
    with open('/dev/full', 'wb', buffering=0) as f, pytest.raises(PhotoError, match='the disk is full'): save_photo(CAT, f, photo)

def test_usual_permissions(photo, tmp_path):
    save_photo(CAT, tmp_path/'out.png', photo)
    (tmp_path/'ref').touch()
    assert (tmp_path/'out.png').stat().st_mode==(tmp_path/'ref').stat().st_mode
