"The command on films and GIFs, and the places that results cannot have."
import json, sys

import numpy as np, pytest
from PIL import Image

from colorfast.basics import VideoError
from conftest import posix, run_on_terminal
from films import CAT, GRAY, files, lab, make, make_film, make_gif, passing, pictures, run_process

def test_a_mixture(predict, tmp_path):
    "Photos, films and GIFs, files and folders; color is skipped; the second time there is nothing to do."
    make_film(tmp_path/'in/1931/walk.AVI', passing(5), codec='mpeg4')
    make_gif(tmp_path/'in/a.gif', passing(3), duration=50)
    Image.fromarray(GRAY).save(tmp_path/'in/p.png')
    make_film(tmp_path/'in/color.mp4', [np.ascontiguousarray(CAT[:96,i:i+96]) for i in range(5)])
    make_gif(tmp_path/'in/color.gif', [CAT[:96,i:i+96] for i in range(3)])
    (tmp_path/'in/notes.txt').write_text('hello')
    said = ['color.mp4: skipped, already in color','color.gif: skipped','colored 1 photo and 2 films into out','skipped 2']
    predict('in', '-o', 'out', says=said)
    assert [o for o in files(tmp_path/'out') if '.' in o] == ['1931/walk.mp4','a.gif','p.png']
    before = (tmp_path/'out/a.gif').read_bytes()
    report = json.loads(predict('in', '-o', 'out', '--json').out)
    assert [o['why'] for o in report['skipped']].count('already there') == 3 and not report['colored']
    assert (tmp_path/'out/a.gif').read_bytes() == before
    predict('in/color.mp4', '-o', 'out', '--all', says=['colored 1 film into out'])
    assert np.abs(np.diff(lab(pictures(tmp_path/'out/color.mp4')[0])[1].ravel())).mean() < 1

@pytest.mark.parametrize('part', [(), ('--end','.1'), ('--start','.04')])
def test_a_hint_with_a_time_and_a_part_of_a_film(predict, tmp_path, part):
    make_film(tmp_path/'a.mp4', passing(5))
    hint = {'x':20, 'y':20, 'color':'#c02030', 'time':.08}
    (tmp_path/'hints.json').write_text(json.dumps([hint]))
    predict('a.mp4', '-o', 'out', '--hints', 'hints.json', *part, says=['colored 1 film into out'])
    predict('a.mp4', '-o', 'plain', *part)
    a,b = (pictures(tmp_path/o/'a.mp4')[-1].astype(int) for o in ('out','plain'))
    assert abs(a-b).max() > 20

def test_places_that_cannot_be(predict, tmp_path):
    make_film(tmp_path/'in/1931/walk.AVI', passing(5), codec='mpeg4')
    make_gif(tmp_path/'in/a.gif', passing(3), duration=50)
    Image.fromarray(GRAY).save(tmp_path/'in/p.png')
    predict('in/1931', '-o', 'out.mp4', code=2, says=['give a folder'])
    predict('in/a.gif', '-o', '-', code=2, says=['a pipe holds one photo'])
    predict('in', '-o', 'in', code=1, says=['own place'])
    predict('in/p.png', '-o', 'in', code=2, says=['own place','nothing could be colored, for the reasons above'])
    predict('in/p.png', '--start', '3', '--end', '2', code=2, says=['give seconds of the film'])

def test_not_over_another_source(predict, tmp_path):
    for name in ('a.avi','a.mp4','b.avi','b.mov','c.avi'): make_film(tmp_path/'in'/name, passing(3), codec='mpeg4')
    before = {o:(tmp_path/'in'/o).read_bytes() for o in files(tmp_path/'in')}
    predict('in', '-o', 'in', '--overwrite', code=1, says=['a.avi: its result could take the place of in/a.mp4',
        'a.mp4: its result would take its own place','b.avi: its result could take the place of in/b.mov'])
    assert before.items() <= {o:(tmp_path/'in'/o).read_bytes() for o in files(tmp_path/'in')}.items()

def test_film_that_is_its_own_result(predict, tmp_path):
    make_film(tmp_path/'a.mov', passing(25), codec='mjpeg', pix_fmt='yuvj420p', sound='pcm_mulaw')
    predict('a.mov', '-o', '.', code=1, says=['a.mov: this is the film itself'])

def test_two_films_for_one_place(predict, tmp_path):
    for name in ('a.avi','a.mkv'): make_film(tmp_path/'in'/name, passing(3), codec='mpeg4')
    predict('in', code=1, says=['a.mkv','would take the place of','colored 1 film'])

def test_not_over_the_film_itself(tmp_path, video):
    src = make_film(tmp_path/'a.mp4', passing(3))
    before = src.read_bytes()
    with pytest.raises(VideoError, match='the film itself'): video.predict_file(src, src, overwrite=True)
    make_film(tmp_path/'b.mp4', passing(3))
    with pytest.raises(VideoError, match='a file of this name'): video.predict_file(src, tmp_path/'b.mp4')
    for name in ('b.gif','b.png','b'):
        with pytest.raises(VideoError, match='ends in .mp4'): video.predict_file(src, tmp_path/name)
    assert src.read_bytes() == before

@posix
def test_disk_full(tmp_path, tiny):
    "Simulated by the largest size of file that the system lets the process write."
    import resource
    noise = [np.random.default_rng(i).integers(0, 255, (96,128), dtype=np.uint8) for i in range(12)]
    names = ['a.gif','b.mp4']
    for name in names: make(tmp_path/name, noise)
    def limit(): resource.setrlimit(resource.RLIMIT_FSIZE, (20000,20000))
    said = run_process(tmp_path, *names, '-q', '--model', tiny, code=1, preexec_fn=limit).stderr.splitlines()
    assert len(said) == 2
    for name,o in zip(names, said): assert name in o and 'disk is full' in o
    assert not [o for o in files(tmp_path/'colorized') if o.endswith(('.mp4','.gif','.tmp'))]

def test_without_pyav(predict, tmp_path, monkeypatch):
    "Films say what they need; GIFs need nothing of it."
    make_film(tmp_path/'a.mp4', passing(3))
    make_gif(tmp_path/'b.gif', passing(3))
    monkeypatch.setitem(sys.modules, 'av', None)
    predict('a.mp4', 'b.gif', code=1, says=['a.mp4: a film needs av: pip install'])
    assert files(tmp_path/'colorized') == ['b.gif']

@posix
def test_progress_on_a_terminal(tmp_path, tiny):
    make_film(tmp_path/'a.mp4', passing(40), options={'crf':'30'})
    code,_,seen = run_on_terminal(['predict', 'a.mp4', '--model', tiny], tmp_path, columns=120)
    assert code == 0
    for o in (b'a.mp4',b'frames/s',b'colored 1 film'): assert o in seen
