"What one can tell the command: references, hints beside a photo, versions, doubt, suggestions."
import json
from pathlib import Path

import numpy as np, pytest
from PIL import Image
from skimage import color as skcolor, data as skdata

from conftest import ROOT, pixels, png, put, tree

PORTRAIT,PHOTOGRAPHER = (ROOT/f'samples/{name}.jpg' for name in ('portrait','photographer'))
ASTRONAUT = skdata.astronaut()

@pytest.fixture
def guided(run):
    "`colorfast predict` with the model inside the package."
    def guided(*args, code=0, says=()): return run('predict', *args, model='default').says(code, *says)
    return guided

def hue(a): return skcolor.rgb2lab(a)[...,1:]

# ---- references

def test_reference_lends_its_colors(guided, tmp_path):
    put(tmp_path/'suit.png', png(ASTRONAUT))
    guided(PORTRAIT, '-o', 'alone')
    guided(PORTRAIT, '-o', 'out', '--reference', 'suit.png', '--show-matches', says=['of the picture was found in a reference', 'suit.png'])
    assert tree(tmp_path/'out') == ['portrait.jpg','portrait.matches.png']
    pictures = ASTRONAUT, pixels(tmp_path/'alone/portrait.jpg'), pixels(tmp_path/'out/portrait.jpg')
    truth,alone,lent = (hue(o[380:460,180:260]).mean((0,1)) for o in pictures)
    assert np.hypot(*(lent-truth)) < np.hypot(*(alone-truth))/2, 'the suit is orange'

def test_unrelated_reference_changes_nothing(guided, tmp_path):
    put(tmp_path/'coffee.png', png(skdata.coffee()))
    guided(PHOTOGRAPHER, '-o', 'alone')
    guided(PHOTOGRAPHER, '-o', 'out', '--reference', 'coffee.png', says=['does not show what is in the picture'])
    assert (tmp_path/'out/photographer.jpg').read_bytes() == (tmp_path/'alone/photographer.jpg').read_bytes()

@pytest.mark.parametrize('name,data,says', [
    ('gray.png', png(skdata.camera()), 'no colors to lend'), ('red.png', png(np.full((64,64,3), (200,30,30), np.uint8)), 'of one color'),
    ('text.jpg', b'hello', 'not a picture'), ('film.mp4', b'', 'a film cannot be a reference')])
def test_reference_that_cannot_be(guided, tmp_path, name, data, says):
    put(tmp_path/name, data)
    guided(PORTRAIT, '--reference', name, code=2, says=[name, says])
    assert not (tmp_path/'colorized').exists()

# ---- hints, versions, doubt

def test_hints_beside_the_photo(guided, tmp_path):
    for name in ('a','b'): put(tmp_path/f'{name}.jpg', PHOTOGRAPHER.read_bytes())
    put(tmp_path/'a.hints.json', b'[{"x":150,"y":250,"color":"#a03030"}]')
    guided('a.jpg', 'b.jpg', says=['a.jpg is colored with its 1 hint.'])
    red = pixels(tmp_path/'colorized/a.jpg').astype(int)-pixels(tmp_path/'colorized/b.jpg')
    assert red[240:260,140:160,0].mean() > 15

def test_versions_with_a_sheet(guided, tmp_path):
    guided(PORTRAIT, '--versions', '4')
    found = tree(tmp_path/'colorized')
    assert found[:3] == ['portrait.a.jpg','portrait.b.jpg','portrait.c.jpg'] and found[-1] == 'portrait.versions.jpg'
    chroma = [np.hypot(*hue(pixels(tmp_path/f'colorized/portrait.{k}.jpg')).transpose(2,0,1)).mean() for k in 'abc']
    assert chroma[0] < chroma[1] < chroma[2]
    guided(PORTRAIT, '--versions', '4', says=['already there'])
    guided(PORTRAIT, '--versions', '9', code=2, says=['versions is 9: give 2 to 6'])

def test_doubt_is_a_map_and_a_sentence(guided, tmp_path):
    guided(PORTRAIT, '--doubt', says=['sure of', 'a hint would help most at'])
    assert tree(tmp_path/'colorized') == ['portrait.doubt.png','portrait.jpg']
    assert pixels(tmp_path/'colorized/portrait.doubt.png').shape == pixels(PORTRAIT).shape[:2]+(3,)

def test_what_was_told_is_not_doubted(guided, tmp_path):
    def asked(said): return [tuple(map(int, o.split(','))) for o in said.err.split(' at ')[1].split('.\n')[0].split(', ')]
    first = asked(guided(PORTRAIT, '-o', 'a', '--doubt'))
    put(tmp_path/'h.json', json.dumps([{'x':x, 'y':y, 'color':'#907060'} for x,y in first]).encode())
    said = guided(PORTRAIT, '-o', 'b', '--doubt', '--hints', 'h.json')
    assert ' at ' not in said.err or not {*asked(said)} & {*first}

def test_maps_lend_no_colors(guided, tmp_path):
    guided(PORTRAIT, '-o', 'maps', '--doubt')
    (tmp_path/'maps/portrait.jpg').unlink()
    guided(PORTRAIT, '--reference', 'maps', code=2, says=['no photos in this folder of references'])
    guided(PORTRAIT, '--show-matches', code=2, says=['add --reference'])

def test_warmth(guided, tmp_path):
    b = {}
    for warmth in ('-0.8','0','0.8'):
        guided(PORTRAIT, '-o', warmth.strip('-'), '--overwrite', '--warmth', warmth)
        b[warmth] = hue(pixels(tmp_path/warmth.strip('-')/'portrait.jpg'))[...,1].mean()
    assert b['-0.8'] < b['0'] < b['0.8']
    guided(PORTRAIT, '--warmth', '2', code=2, says=['warmth is 2'])

@pytest.mark.parametrize('option', (['--versions','3'], ['--doubt'], ['--together'], ['--reference','a.jpg','--show-matches']))
def test_a_pipe_gives_one_picture(guided, option): guided(PORTRAIT, '-o', '-', *option, code=2, says=['a pipe'])

def test_suggest(run):
    told = run('suggest', PORTRAIT, '--at', '250,400').says(0).out.decode()
    assert told.count('#') >= 3
    listed = json.loads(run('suggest', PORTRAIT, '--at', '250,400', '--json').says(0).out)['suggestions']
    assert 2 <= len(listed) <= 6 and all(0 <= o['probability'] <= 1 for o in listed)
    run('suggest', PORTRAIT, '--at', '9999,1').says(2, 'outside the picture')
    run('suggest', PORTRAIT, '--at', 'here').says(2, '--at')
