"Films that are stopped, killed, or crash on the way, and what is in the way of a new one."
import signal, subprocess, sys, time

import av, pytest
from PIL import Image

from colorfast.basics import VideoError
from colorfast.colorize.colorizer import Colorizer
from colorfast.video.colorizer import VideoColorizer
from conftest import env, posix
from films import files, make_film, make_gif, mean_color_difference, passing, pictures, sound_packets, times

SEGMENT = 12  # frames, here; the films below are short
HINTS = '[{"x":30,"y":20,"color":"#a02020"}]'
SHORT_SEGMENTS = f'import colorfast.video.resume as r; r.SEGMENT_FRAMES = {SEGMENT}; from colorfast.cli import main; main()'

@pytest.fixture
def short_segments(monkeypatch): monkeypatch.setattr('colorfast.video.resume.SEGMENT_FRAMES', SEGMENT)

def crash_at_the_end(frames, *_):
    "Progress that fails when all frames are done."
    yield from frames
    raise RuntimeError

# ---- the command, interrupted

@pytest.fixture(scope='module')
def long_film(tmp_path_factory):
    path = tmp_path_factory.mktemp('films')/'a.mp4'
    return make_film(path, passing(60)+passing(36), options={'crf':'30', 'preset':'ultrafast', 'g':'50'}, sound='aac')

@pytest.fixture(scope='module')
def whole(long_film, tiny):
    "The film as it becomes without a stop."
    video = VideoColorizer(Colorizer.from_pretrained(tiny), hints=[{'x':30,'y':20,'color':'#a02020'}])
    return pictures(video.predict_file(long_film, long_film.with_name('whole.mp4')))

@pytest.fixture
def folder(tmp_path, long_film):
    "With the film `a.mp4` and the hints `h.json`."
    (tmp_path/'a.mp4').hardlink_to(long_film)
    (tmp_path/'h.json').write_text(HINTS)
    return tmp_path

def started(folder, tiny, segments, *args):
    "The command, in a process, once there are so many `segments`."
    command = [sys.executable, '-c', SHORT_SEGMENTS, 'predict', 'a.mp4', '-o', 'out', '--hints', 'h.json', '--model', str(tiny), *args]
    p = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env(), start_new_session=True)
    end = time.time()+60
    while time.time() < end and p.poll() is None and len([*folder.glob('out/*.parts/*.mp4')]) < segments: time.sleep(.005)
    assert p.poll() is None, p.communicate()
    return p

@posix
def test_ctrl_c_and_resume(predict, folder, tiny, whole):
    "A file that plays up to there; then the same film as without a stop. A hint shows that colors go on too."
    p = started(folder, tiny, 2)
    p.send_signal(signal.SIGINT)
    _,said = p.communicate(timeout=60)
    assert p.returncode == 130 and b'Traceback' not in said
    assert b'a.part.mp4 can be played up to there, and --resume goes on' in said
    part,src,dst = folder/'out/a.part.mp4',folder/'a.mp4',folder/'out/a.mp4'
    n = len(times(part))
    assert 2*SEGMENT <= n < 96 and times(part) == times(src)[:n]
    assert sound_packets(part)[0] == sound_packets(src)[0]
    predict('a.mp4', '-o', 'out', '--resume', code=1, says=['begun with other settings'])
    predict('a.mp4', '-o', 'out', '--hints', 'h.json', code=1, says=['resume to go on'])
    predict('a.mp4', '-o', 'out', '--hints', 'h.json', '--resume', says=['colored 1 film'])
    assert files(folder/'out') == ['a.mp4']
    assert times(dst) == times(src) and sound_packets(dst) == sound_packets(src)
    assert mean_color_difference(pictures(dst), whole) < 1  # the segments, and so the codec's noise, are others

@posix
def test_kill_and_resume(predict, folder, tiny, whole):
    "What was finished is not done again, and the result is the same."
    p = started(folder, tiny, 2)
    p.kill()
    p.communicate()
    src,dst = folder/'a.mp4',folder/'out/a.mp4'
    assert not dst.exists()
    done = {o:o.stat().st_mtime_ns for o in sorted((folder/'out/a.mp4.parts').glob('*.mp4'))[:2]}
    p = started(folder, tiny, 3, '--resume')
    p.kill()
    p.communicate()
    assert done == {o:o.stat().st_mtime_ns for o in done}
    predict('a.mp4', '-o', 'out', '--hints', 'h.json', '--resume')
    assert files(folder/'out') == ['a.mp4']
    assert times(dst) == times(src) and sound_packets(dst) == sound_packets(src)
    assert mean_color_difference(pictures(dst), whole) < 1

# ---- crashes

def test_crash_after_the_last_segment(tmp_path, video, short_segments):
    "All that is left to do is to join them, with the rotation."
    src = make_film(tmp_path/'a.mp4', passing(SEGMENT), options={'crf':'30'}, rotation=90)
    with pytest.raises(RuntimeError): video.predict_file(src, tmp_path/'b.mp4', progress=crash_at_the_end)
    assert not (tmp_path/'b.mp4').exists()
    video.predict_file(src, tmp_path/'b.mp4', resume=True, progress=lambda frames,*_: [*frames])
    with av.open(str(tmp_path/'b.mp4')) as container:
        assert {f.rotation for f in container.decode(video=0)} == {90}
        assert container.streams.video[0].frames == SEGMENT
    assert files(tmp_path) == ['a.mp4','b.mp4']

DAMAGE = {
    'empty': lambda f: f.write_bytes(b''),
    'cut short': lambda f: f.write_bytes(f.read_bytes()[:-99]),
    'missing': lambda f: f.unlink()}

@pytest.mark.parametrize('damage', DAMAGE)
def test_segment_that_a_power_cut_has_damaged(tmp_path, video, damage, short_segments):
    "It is done again, from the state before it."
    src = make_film(tmp_path/'a.mp4', passing(30), options={'crf':'30'})
    with pytest.raises(RuntimeError): video.predict_file(src, tmp_path/'b.mp4', progress=crash_at_the_end)
    DAMAGE[damage](tmp_path/'b.mp4.parts/000001.npz')
    again = []
    def count(frames, *_):
        for o in frames:
            again.append(o.wanted)
            yield o
    video.predict_file(src, tmp_path/'b.mp4', resume=True, progress=count)
    assert sum(again) == 30-SEGMENT and times(tmp_path/'b.mp4') == times(src)

# ---- what is not ours

@pytest.mark.parametrize('mine', ['a.part.mp4','a.mp4.parts/000001.mp4'])
def test_what_is_not_ours_stays(tmp_path, video, mine):
    src = make_film(tmp_path/'a.mp4', passing(3))
    mine = tmp_path/'out'/mine
    mine.parent.mkdir(parents=True)
    mine.write_text('mine')
    there = files(tmp_path/'out')
    for kw in ({},{'overwrite':True},{'resume':True}):
        with pytest.raises(VideoError, match='a(.part.mp4|.mp4.parts) is in the way: rename it'):
            video.predict_file(src, tmp_path/'out/a.mp4', **kw)
    assert mine.read_text() == 'mine' and files(tmp_path/'out') == there

def test_what_came_into_our_folder_stays(tmp_path, video):
    src = make_film(tmp_path/'a.mp4', passing(3))
    mine = tmp_path/'b.mp4.parts/holiday.mp4'
    def put(frames, *_):
        mine.write_text('mine')
        return frames
    video.predict_file(src, tmp_path/'b.mp4', progress=put)
    assert files(tmp_path) == ['a.mp4','b.mp4','b.mp4.parts','b.mp4.parts/holiday.mp4'] and len(times(tmp_path/'b.mp4')) == 3

def test_part_of_a_gif(tmp_path, video):
    "One that is not ours stays; what Ctrl-C left is replaced."
    src = make_gif(tmp_path/'a.gif', passing(6))
    part = tmp_path/'b.part.gif'
    part.write_bytes(src.read_bytes())
    with pytest.raises(VideoError, match='b.part.gif is in the way'): video.predict_file(src, tmp_path/'b.gif', overwrite=True)
    assert part.read_bytes() == src.read_bytes() and files(tmp_path) == ['a.gif','b.part.gif']
    part.unlink()
    def ctrl_c(frames, *_):
        for i,o in enumerate(frames):
            if i == 2: signal.raise_signal(signal.SIGINT)
            yield o
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt, match='b.part.gif can be played'): video.predict_file(src, tmp_path/'b.gif', progress=ctrl_c)
    assert Image.open(part).n_frames == 3
    video.predict_file(src, tmp_path/'b.gif')
    assert files(tmp_path) == ['a.gif','b.gif']
