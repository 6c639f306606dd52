"What the tests share: the command, in a process or without one, pictures in a line, a model made in a second; a core for each worker."
import io, json, os, subprocess, sys, traceback, warnings
from pathlib import Path

import numpy as np, pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
CMD = [sys.executable, '-m', 'colorfast.cli']
posix = pytest.mark.skipif(os.name != 'posix', reason='needs POSIX')

# ---- side by side

def pytest_configure():
    "Each worker of `pytest -n` keeps to one core, with all that it starts, so that no thread waits for one of another worker's."
    worker = os.environ.get('PYTEST_XDIST_WORKER')
    if not worker or not hasattr(os, 'sched_setaffinity'): return
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[int(worker.removeprefix('gw')) % len(cores)]})

LONGEST = ['test_finetune','test_notebooks','test_resume','test_training','test_evaluate']

def pytest_collection_modifyitems(items):
    "The files that take longest first, so that no worker waits for one of them in the end."
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))

# ---- the command

def env(**kw):
    "Environment of a process that finds this colorfast."
    return {**os.environ, 'PYTHONPATH':str(ROOT), 'OMP_NUM_THREADS':'1', **kw}

class Said:
    "What a command left: exit status `code`, bytes `out`, text `err`."
    def __init__(self, code, out, err): self.code,self.out,self.err = code,out,err

    def says(self, code, *words):
        "Exit status, words in plain sentences, and no traceback."
        assert self.code == code, (self.code, self.err)
        for w in words: assert w in self.err, self.err
        assert 'Traceback' not in self.err, self.err
        return self

def with_model(args, model):
    "`args` as strings; `predict` gets `model`, if there is one."
    args = [str(o) for o in args]
    return [*args, '--model', str(model)] if args[:1] == ['predict'] and model else args

def call_command(args, input=b''):
    "The command in this process, with `input` on stdin."
    from typer.testing import CliRunner
    from colorfast.cli import app
    with warnings.catch_warnings():
        r = CliRunner().invoke(app, args, input=input, prog_name='colorfast')
    err = r.stderr
    if not isinstance(r.exception, (SystemExit,type(None))): err += ''.join(traceback.format_exception(r.exception))
    return Said(r.exit_code, r.stdout_bytes, err)

@pytest.fixture
def run(tmp_path, tiny, monkeypatch):
    "Run a command in `tmp_path` without a process of its own; `predict` uses the tiny model unless told otherwise."
    monkeypatch.chdir(tmp_path)
    def run(*args, input=b'', model=tiny): return call_command(with_model(args, model), input)
    return run

@pytest.fixture
def predict(run):
    "`colorfast predict` as by `run`; its exit status and what it says are checked at once."
    def predict(*args, code=0, says=(), **kw): return run('predict', *args, **kw).says(code, *says)
    return predict

@pytest.fixture
def run_process(tmp_path, tiny):
    "The same in a real process: for streams, exit status, limits and what is imported."
    def run_process(*args, input=b'', model=tiny, stdout=subprocess.PIPE, variables=None, **kw):
        p = subprocess.run([*CMD, *with_model(args, model)], cwd=tmp_path, input=input, stdout=stdout, stderr=subprocess.PIPE,
                           env=env(**(variables or {})), **kw)
        return Said(p.returncode, p.stdout, p.stderr.decode('utf-8', 'replace'))
    return run_process

def run_on_terminal(args, cwd, columns=100):
    "The command with a terminal as stdin and stderr: exit status, bytes of stdout, bytes on the terminal."
    import pty
    main,side = pty.openpty()
    terminal = env(TERM='xterm', COLUMNS=str(columns))
    p = subprocess.Popen([*CMD, *map(str, args)], cwd=cwd, stdin=side, stdout=subprocess.PIPE, stderr=side, env=terminal)
    os.close(side)
    seen = b''
    try:
        while chunk := os.read(main, 4096): seen += chunk
    except OSError: pass  # Linux says so at the end of a terminal
    os.close(main)
    out = p.stdout.read()
    p.stdout.close()
    return p.wait(),out,seen

@pytest.fixture
def no_network(monkeypatch):
    "Addresses that somebody asked for; none is reached."
    import socket
    asked = []
    def refuse(*args, **kwargs):
        asked.append(args)
        raise OSError('there is no network in this test')
    for name in ('connect','connect_ex','sendto'): monkeypatch.setattr(socket.socket, name, refuse)
    for name in ('getaddrinfo','gethostbyname'): monkeypatch.setattr(socket, name, refuse)
    yield asked
    assert not asked, asked

# ---- files

def png(a, fmt='PNG', **kw):
    "The array `a` as the bytes of a picture file."
    b = io.BytesIO()
    Image.fromarray(a).save(b, fmt, **kw)
    return b.getvalue()

def put(path, data):
    "`path`, with `data` in it."
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path

def tree(folder): return sorted(o.relative_to(folder).as_posix() for o in Path(folder).rglob('*') if o.is_file())

def pixels(o):
    "Array of a picture file, or of the bytes of one."
    return np.asarray(Image.open(io.BytesIO(o) if isinstance(o, bytes) else o))

# ---- a tiny model

TINT = .08,.16  # ab/110: a brown

def float_port(name, channels): # of an ONNX model
    from onnx import helper, TensorProto
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ['n',channels,'h','w'])

def onnx_file(path, nodes, constants, inputs=None, outputs=None):
    "Write an ONNX model; from `x` of 4 channels to `lab` of 3 unless told otherwise."
    import onnx
    from onnx import helper, numpy_helper
    weights = [numpy_helper.from_array(np.asarray(v), k) for k,v in constants.items()]
    graph = helper.make_graph(nodes, 'tiny', inputs or [float_port('x', 4)], outputs or [float_port('lab', 3)], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=10), path)
    return path

def tiny_onnx(path, tint=TINT):
    "ONNX model that paints `tint` everywhere, and hints where they are."
    from onnx.helper import make_node
    numbers = {'zero':[0], 'one':[1], 'three':[3], 'four':[4], 'axis':[1]}
    constants = {k:np.array(v, np.int64) for k,v in numbers.items()}
    constants |= {'tint':np.array(tint, np.float32).reshape(1,2,1,1), 'full':np.float32(1)}
    nodes = [make_node('Slice', ['x',a,b,'axis'], [o]) for a,b,o in (('zero','one','L'),('one','three','hints'),('three','four','mask'))]
    nodes += [make_node('Sub', ['full','mask'], ['rest']), make_node('Mul', ['rest','tint'], ['base']),
              make_node('Add', ['base','hints'], ['ab']), make_node('Concat', ['L','ab'], ['lab'], axis=1)]
    return onnx_file(path, nodes, constants)

TINY_CONFIG = {'size':128, 'model':{}, 'metrics':{'psnr':21.5}, 'data':'none'}

@pytest.fixture(scope='session')
def tiny(tmp_path_factory):
    "Folder of the tiny model. It has no weights for torch."
    folder = tmp_path_factory.mktemp('models')/'tiny'
    folder.mkdir()
    tiny_onnx(folder/'model.onnx')
    (folder/'config.json').write_text(json.dumps(TINY_CONFIG))
    return folder

@pytest.fixture(scope='session')
def brown(tiny):
    "The tiny model's `Colorizer`."
    from colorfast.colorize.colorizer import Colorizer
    return Colorizer.from_pretrained(tiny)

@pytest.fixture
def video(brown):
    from colorfast.video.colorizer import VideoColorizer
    return VideoColorizer(brown)
