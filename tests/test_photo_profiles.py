"Color profiles of photos: applied when a photo is opened, gone back to when it is saved, replaced by sRGB where there is no way back."
import io, warnings

import numpy as np, pytest
from PIL import Image, ImageCms

from photos import (CAT, DEEP, DEEP_GRAY, GRAY, encoded, gray_profile, opened, rgb_of, roundtrip, scanner_profile, tiff,
                    wide_profile)
from colorfast.photo.core import FORMATS, Photo, photo_L
from colorfast.photo.read import open_photo
from colorfast.photo.write import save_photo

@pytest.mark.parametrize('suffix', ['.png','.tif','.jpg'])
def test_wide_profile_there_and_back(suffix, tmp_path):
    icc = wide_profile()
    options = {'quality':98} if suffix=='.jpg' else {}
    data = encoded((CAT//2+60).astype(np.uint8), FORMATS[suffix], icc_profile=icc, **options)
    p,back = roundtrip(data, tmp_path, suffix)
    stored = np.asarray(opened(data))
    profiles = ImageCms.ImageCmsProfile(io.BytesIO(icc)), ImageCms.createProfile('sRGB')
    expected = np.asarray(ImageCms.profileToProfile(opened(data), *profiles, 1))
    assert np.abs(p.pixels.astype(int)-stored).mean()>1  # it does something
    np.testing.assert_allclose(p.pixels.astype(int), expected.astype(int), atol=2)
    with Image.open(tmp_path/f'out{suffix}') as im:
        assert im.info['icc_profile']==icc
        assert np.abs(np.asarray(im).astype(int)-stored).mean()<1.5

def test_wide_profile_16_bit_keeps_numbers(tmp_path):
    icc = wide_profile()
    p,back = roundtrip(tiff(DEEP, photometric='rgb', iccprofile=icc), tmp_path, '.tif')
    np.testing.assert_array_equal(p.pixels, DEEP)
    np.testing.assert_array_equal(back.pixels, DEEP)
    assert back.icc==icc

@pytest.mark.parametrize('deep', [False,True])
def test_gray_profile_is_applied(deep, tmp_path):
    icc = gray_profile(1.)
    a = DEEP_GRAY if deep else GRAY
    data = tiff(a, photometric='minisblack', iccprofile=icc) if deep else encoded(a, 'PNG', icc_profile=icc)
    p,back = roundtrip(data, tmp_path, '.tif' if deep else '.png')
    white = np.iinfo(a.dtype).max
    linear = a/white
    expected = np.where(linear<=.0031308, 12.92*linear, 1.055*linear**(1/2.4)-.055)
    assert np.abs(p.pixels/white-expected).mean()<.005 and p.pixels.dtype==a.dtype
    assert p.icc is None and back.icc is None
    np.testing.assert_array_equal(back.pixels, p.pixels)

CMYK = Image.fromarray(CAT).convert('CMYK')
MISMATCHED = {
    'RGB for CMYK': encoded(CMYK, 'JPEG', icc_profile=wide_profile()),
    'gray for RGB': encoded(CAT, 'PNG', icc_profile=gray_profile(2.2))}

@pytest.mark.parametrize('case', MISMATCHED)
def test_cmyk_and_mismatched_profiles_leave_none(case, tmp_path):
    roundtrip(MISMATCHED[case], tmp_path, '.jpg')
    assert 'icc_profile' not in Image.open(tmp_path/'out.jpg').info

@pytest.mark.parametrize('suffix', ['.png','.tif','.jpg','.webp'])
@pytest.mark.parametrize('px', [CAT, np.dstack([GRAY]*3)], ids=['color','gray'])
def test_scanner_profile_is_replaced_by_srgb_with_one_warning(suffix, px, tmp_path):
    options = {'lossless':True} if suffix=='.webp' else {}
    p = open_photo(encoded(px, FORMATS[suffix], icc_profile=scanner_profile(), **options))
    dst = tmp_path/f'out{suffix}'
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        save_photo(rgb_of(p), dst, p)
    assert len(said)==1
    text = str(said[0].message)
    assert text.startswith(f'{dst}: saved in sRGB') and 'profile' in text and '\n' not in text
    back = open_photo(dst)
    assert back.icc is None
    assert np.abs(photo_L(back)-photo_L(p)).mean()<.01

def test_scanner_profile_16_bit_keeps_numbers(tmp_path):
    icc = scanner_profile()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        p,back = roundtrip(tiff(DEEP, photometric='rgb', iccprofile=icc), tmp_path, '.tif')
    np.testing.assert_array_equal(back.pixels, DEEP)
    assert back.icc==icc

@pytest.mark.parametrize('icc', [b'rubbish', wide_profile()[:200], gray_profile(2.2)], ids=['rubbish','cut','gray'])
def test_profile_that_nothing_can_be_made_of_is_a_warning(icc, tmp_path):
    with pytest.warns(UserWarning, match='saved in sRGB'): save_photo(CAT, tmp_path/'out.png', Photo(CAT, icc=icc))
    np.testing.assert_array_equal(open_photo(tmp_path/'out.png').pixels, CAT)
