"What is no photo, or damaged, through `open_photo`: a sentence each."
import os, pickle, warnings

import numpy as np, pytest
from PIL import Image

from photos import CAT, DEEP, KINDS, encoded, tiff, tiff_pages
from colorfast.basics import PhotoError
from colorfast.photo.core import photo_L
from colorfast.photo.read import open_photo

def animated(fmt): return encoded(CAT, fmt, save_all=True, append_images=[Image.fromarray(255-CAT)])

BAD = { # name: (file, words of the message)
    'empty': (b'', 'empty'),
    'text.jpg': (b'Dear aunt, this is not a photo. '*20, 'not a picture'),
    'page.png': (b'<!DOCTYPE html><html></html>', 'not a picture'),
    'gif.gif': (encoded(Image.fromarray(CAT).quantize(16), 'GIF'), 'GIF'),
    'anim.webp': (animated('WEBP'), 'animation of 2 frames'),
    'anim.png': (animated('PNG'), 'animation of 2 frames'),
    'photo.heic': (b'\0\0\0\x18ftypheic\0\0\0\0mif1heic'+b'\0'*50, 'HEIC'),
    'photo.avif': (encoded(CAT, 'AVIF'), 'AVIF'),
    'photo.nef': (encoded(CAT, 'TIFF'), 'camera raw'),
    'raw.tif': (tiff(CAT, photometric='rgb', extratags=[(50706,'B',4,(1,4,0,0),True)]), 'camera raw'),
    'pages.tif': (tiff_pages(3), 'holds 3 pages'),
    'planes.tif': (tiff(DEEP.transpose(2,0,1), photometric='rgb', planarconfig='separate'), 'separate color planes'),
    'float.tif': (tiff(DEEP.astype(np.float32), photometric='rgb'), 'not a picture in a format known here'),
}

@pytest.mark.parametrize('name', BAD)
def test_bad_file(name, tmp_path):
    data,words = BAD[name]
    f = tmp_path/name
    f.write_bytes(data)
    with pytest.raises(PhotoError, match=words) as e: open_photo(f)
    assert str(e.value).startswith(str(f)) and '\n' not in str(e.value)

def test_tiff_with_a_thumbnail_page_opens():
    np.testing.assert_array_equal(open_photo(tiff_pages(2, subfiletype=1)).pixels, CAT)

CUT = ['jpeg', 'gray jpeg', 'cmyk jpeg', 'png', 'palette', 'tiff', 'webp', 'bmp', '16-bit png', '16-bit gray png',
       '16-bit tiff', '16-bit tiff, deflated', '16-bit tiff, lzw', '16-bit gray tiff', 'float tiff']

@pytest.mark.parametrize('kind', CUT)
@pytest.mark.parametrize('part', [.02,.3,.7,.95])
def test_truncated(kind, part, tmp_path):
    data = KINDS[kind][0]
    f = tmp_path/'cut.jpg'
    f.write_bytes(data[:int(len(data)*part)])
    with pytest.raises(PhotoError) as e: open_photo(f)
    assert str(f) in str(e.value)

def damaged_copies(data, n=40):
    "`data` with three bytes changed, in turn anywhere and in the first 60."
    good = np.frombuffer(data, np.uint8)
    rng = np.random.default_rng(0)
    for i in range(n):
        bad = good.copy()
        reach = min(len(bad), 60) if i%2 else len(bad)
        where = rng.integers(0, reach, 3)
        bad[where] = rng.integers(0, 256, 3)
        yield bad.tobytes()

DAMAGED = ['jpeg', 'png', 'tiff', 'webp', 'bmp', 'palette, transparent', '16-bit png', '16-bit tiff, deflated', '16-bit tiff, lzw',
           'float tiff']

@pytest.mark.parametrize('kind', DAMAGED)
def test_damaged_bytes_give_a_photo_or_a_sentence(kind):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        for data in damaged_copies(KINDS[kind][0]):
            try: p = open_photo(data)
            except PhotoError as e: assert str(e)
            else: assert photo_L(p).shape==p.size[::-1]

def test_missing_and_folder(tmp_path):
    with pytest.raises(PhotoError, match='no such file'): open_photo(tmp_path/'none.jpg')
    with pytest.raises(PhotoError, match='a folder'): open_photo(tmp_path)

def test_pickle_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self): return os.mkdir, (str(tmp_path/'run'),)
    for name in ('a.jpg','a.tif','a.npy'):
        (tmp_path/name).write_bytes(pickle.dumps(Evil()))
        with pytest.raises(PhotoError): open_photo(tmp_path/name)
    assert not (tmp_path/'run').exists()
