"Which photos and films are found, and where their results may go, through `find_media`."
import pytest
from colorfast.basics import PhotoError
from colorfast.photo.find import find_media

def tree(folder, *names):
    "`folder`, with a file of each name in it."
    for name in names:
        f = folder/name
        f.parent.mkdir(parents=True, exist_ok=True)
        f.write_bytes(b'x')
    return folder

def found(srcs, out, **options): return [(str(src), str(dst)) for src,dst in find_media(srcs, out, **options)]
def errors(srcs, out, **options): return [str(dst) for _,dst in find_media(srcs, out, **options) if isinstance(dst, PhotoError)]
def mirrored(folder, out, names): return [(str(folder/n), str(out/n)) for n in names]

def test_tree_is_mirrored(tmp_path):
    out = tmp_path/'out'
    d = tree(tmp_path/'in', 'b.jpg', 'a.PNG', 'x/y/c.tiff', 'x/a.jpg', 'notes.txt', '.hid.jpg', '.git/e.jpg', 'phone.heic')
    assert found(d, out)==mirrored(d, out, ['a.PNG','b.jpg','phone.heic','x/a.jpg','x/y/c.tiff'])
    assert found([str(d/'b.jpg'), d/'x'], out)==mirrored(d, out, ['b.jpg'])+mirrored(d/'x', out, ['a.jpg','y/c.tiff'])

def test_out_inside_is_left_out(tmp_path):
    d = tree(tmp_path/'in', 'a.jpg', 'colorized/a.jpg')
    assert found(d, d/'colorized')==mirrored(d, d/'colorized', ['a.jpg'])
    assert found([d], d/'x'/'..'/'colorized')[0][0]==str(d/'a.jpg')

def test_same_name_other_suffix(tmp_path):
    d = tree(tmp_path/'in', 'a.jpg', 'a.png')
    assert len({dst for _,dst in found(d, tmp_path/'o')})==2

def test_collision_names_both(tmp_path):
    d = tree(tmp_path, 'one/a.jpg', 'two/a.jpg', 'two/b.jpg')
    results = [dst for _,dst in find_media([d/'one', d/'two'], d/'o')]
    assert [isinstance(dst, PhotoError) for dst in results]==[False,True,False]
    assert str(d/'one/a.jpg') in str(results[1]) and str(d/'two/a.jpg') in str(results[1])
    assert len(found([d/'one/a.jpg', d/'one', d/'two/../one/a.jpg'], d/'o'))==1  # one photo, named three ways

def test_missing_empty_and_itself(tmp_path):
    d = tree(tmp_path/'in', 'a.jpg')
    (tmp_path/'none').mkdir()
    assert 'no such file' in errors([d/'zzz.jpg', d], tmp_path/'o')[0]
    assert len(found([d/'zzz.jpg', d], tmp_path/'o'))==2
    assert 'no photos' in errors(tmp_path/'none', tmp_path/'o')[0]
    assert 'its own place' in errors(d, d)[0]
    assert 'its own place' in errors(d/'a.jpg', d)[0]

@pytest.fixture
def linked(tmp_path):
    "Folder `in` with a photo, and with links to a photo elsewhere, its folder, and itself."
    d = tree(tmp_path/'in', 'sub/a.jpg')
    tree(tmp_path/'else', 'b.jpg')
    (tmp_path/'out').mkdir()
    (d/'ln.jpg').symlink_to(tmp_path/'else/b.jpg')
    (d/'lndir').symlink_to(tmp_path/'else')
    (d/'loop').symlink_to(d)
    return d

def test_never_outside_out(linked, tmp_path, monkeypatch):
    d,out = linked,tmp_path/'out'
    monkeypatch.chdir(d/'sub')
    for src in ('..', '../../in', '../sub/../sub/a.jpg', '.', d/'sub'/'..', d/'ln.jpg', d/'lndir'):
        for _,dst in find_media([src], out): assert dst.resolve().is_relative_to(out) and '..' not in dst.parts

def test_links_in_sources(linked, tmp_path):
    d,out = linked,tmp_path/'out'
    assert found(d, out)==mirrored(d, out, ['ln.jpg','sub/a.jpg'])  # folders behind links are not entered
    (d/'dead.jpg').symlink_to(tmp_path/'gone')
    (out/'dead.jpg').touch()
    assert mirrored(d, out, ['dead.jpg'])[0] in found(d, out)

def test_link_out_of_out(linked, tmp_path):
    (tmp_path/'out/sub').symlink_to(tmp_path/'else')
    problems = errors(linked, tmp_path/'out')
    assert 'through a link' in problems[0] and len(problems)==1

def test_films_only_when_asked_for(tmp_path):
    d = tree(tmp_path/'in', 'a.jpg', 'walk.avi', 'swim.MOV')
    out = tmp_path/'out'
    assert found(d, out)==mirrored(d, out, ['a.jpg'])
    assert [dst for _,dst in found(d, out, films=True)]==[str(out/n) for n in ('a.jpg','swim.mp4','walk.mp4')]

def test_film_spares_what_its_mov_could_replace(tmp_path):
    d = tree(tmp_path, 'a.avi', 'out/a.mov')
    problems = errors([d/'a.avi', d/'out/a.mov'], d/'out', films=True)
    assert f"could take the place of {d/'out/a.mov'}" in problems[0]
    tree(d, 'b/a.mpg')
    assert 'that of' in errors([d/'a.avi', d/'b'], d/'new', films=True)[0]
