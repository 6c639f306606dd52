"A file or folder is the old one or the new one, whenever the process that writes it is killed."
import os, random, shutil, signal, sys, time
from contextlib import contextmanager
from pathlib import Path
import pytest
from colorfast.basics import ModelError, atomic, atomic_folder
from colorfast.colorize.colorizer import Colorizer
from conftest import posix, put, tree

pytestmark = posix
linux = pytest.mark.skipif(sys.platform != 'linux', reason='only Linux exchanges folders in one step')
KILLS = 12

@contextmanager
def looping(write, *args):
    "A process that calls `write(number, *args)` again and again until the block ends; then it is killed."
    pid = os.fork()
    if not pid:
        n = 0
        try:
            while True:
                n += 1
                write(n, *args)
        finally: os._exit(1)
    try: yield
    finally:
        os.kill(pid, signal.SIGKILL)
        _,status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), 'it ended by itself'

def until(condition, seconds=20):
    end = time.time()+seconds
    while not condition():
        assert time.time() < end
        time.sleep(.001)

def visible(folder): return sorted(o.name for o in folder.iterdir() if not o.name.startswith('.'))

SIZE = 200_000

def write_file(n, path):
    with atomic(path) as tmp: tmp.write_bytes(bytes([n%256])*SIZE)

def test_killed_while_a_file_is_written(tmp_path):
    path = put(tmp_path/'a.bin', b'\0'*SIZE)
    rng = random.Random(0)
    seen = set()
    for _ in range(KILLS):
        before = path.read_bytes()
        with looping(write_file, path):
            until(lambda: path.read_bytes() != before)
            time.sleep(rng.random()*.01)
        data = path.read_bytes()
        assert len(data) == SIZE and data == data[:1]*SIZE
        assert visible(tmp_path) == ['a.bin']
        seen.add(data[:1])
    assert len(seen) > 1, 'never killed at another moment'

def write_files(n, path):
    with atomic_folder(path) as tmp:
        for name in 'abc': (tmp/name).write_text(str(n)*1000)

def is_whole(folder):
    "True if all files of the folder are of one writing."
    return len({(folder/o).read_text() for o in 'abc'}) == 1 and tree(folder) == ['a','b','c']

@linux
def test_killed_while_a_folder_is_replaced(tmp_path):
    "The folder is always there, and its files are of one writing."
    path = tmp_path/'model'
    write_files(0, path)
    rng = random.Random(0)
    for _ in range(KILLS):
        before = path.stat().st_ino
        with looping(write_files, path):
            until(lambda: path.stat().st_ino != before)  # fails where there is no folder for a moment
            time.sleep(rng.random()*.01)
        assert is_whole(path)
        assert visible(tmp_path) == ['model']

def write_and_die(path):
    "In a process that is killed as soon as it has renamed or removed something."
    def then_die(f):
        def dying(*args, **kw):
            f(*args, **kw)
            os.kill(os.getpid(), signal.SIGKILL)
        return dying
    pid = os.fork()
    if pid: return os.waitpid(pid, 0)
    try:
        Path.rename = then_die(Path.rename)
        shutil.rmtree = then_die(shutil.rmtree)
        write_files(9, path)
    finally: os._exit(1)

@linux
def test_killed_between_two_steps(tmp_path):
    write_files(1, tmp_path/'model')
    write_and_die(tmp_path/'model')
    assert is_whole(tmp_path/'model')
    assert visible(tmp_path) == ['model']

def test_without_an_exchange_in_one_step(tmp_path, monkeypatch):
    "On other systems: the same folder, and the old one comes back when the new one cannot be moved in."
    monkeypatch.setattr('colorfast.basics._exchange', lambda a, b: False)
    path = tmp_path/'model'
    for n in (1,2): write_files(n, path)
    assert is_whole(path) and tree(tmp_path) == ['model/a','model/b','model/c']
    rename = Path.rename
    failed = []
    def fail_once(self, target):
        if target != path or failed: return rename(self, target)
        failed.append(target)
        raise OSError('cannot be moved in')
    monkeypatch.setattr(Path, 'rename', fail_once)
    with pytest.raises(OSError): write_files(3, path)
    assert (path/'a').read_text() == '2'*1000
    assert tree(tmp_path) == ['model/a','model/b','model/c']

def test_a_file_is_not_replaced_by_a_folder(tiny, tmp_path):
    put(tmp_path/'file', b'mine')
    with pytest.raises(FileExistsError): write_files(1, tmp_path/'file')
    src = shutil.copytree(tiny, tmp_path/'m')
    with pytest.raises(ModelError, match='a file stands where a folder is needed'): Colorizer.from_pretrained(src).save(tmp_path/'file')
    assert (tmp_path/'file').read_bytes() == b'mine'
    assert visible(tmp_path) == ['file','m'] and len(list(tmp_path.iterdir())) == 2
