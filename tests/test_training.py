"`colorfast train`: from a folder of photos to a model that predicts, stopped in the middle and resumed; and training from Python."
import json, signal, subprocess, sys, time
from types import SimpleNamespace
import numpy as np, pytest, timm, torch
from PIL import Image
from skimage import data
from colorfast.cli import main
from colorfast.colorize.colorizer import Colorizer

@pytest.fixture(scope='session')
def album(tmp_path_factory):
    "A folder with photos in `album`, weights of both encoders, and a card."
    folder = tmp_path_factory.mktemp('train')
    (folder/'album/deep').mkdir(parents=True)
    torch.manual_seed(0)
    for i in range(40):
        crop = data.astronaut()[5*i:5*i+96, 3*i:3*i+96]
        Image.fromarray(crop).save(folder/'album'/('deep' if i%2 else '')/f'{i}.jpg')
    for i in (0,1): torch.save(timm.create_model(f'tf_efficientnet_lite{i}').state_dict(), folder/f'lite{i}.pth')
    (folder/'card.json').write_text('{"data": "forty crops of one photograph", "licence": "public domain"}')
    return folder

def args(folder, *more):
    "Of `colorfast` for the shortest training of the default recipe."
    weights = ['--weights', folder/'lite1.pth', '--judge', folder/'lite0.pth']
    return ['train', *map(str, [folder/'album', *weights, '--epochs', 1, '--crop', 32, '--run', folder/'run', *more])]

@pytest.fixture(scope='session')
def trained(album):
    "What a training left that was killed after its first stage, and one that resumed it."
    cmd = [sys.executable, '-m', 'colorfast.cli', *args(album, '-o', album/'model', '--card', album/'card.json')]
    first = album/'run/stage-0.safetensors'
    p = subprocess.Popen(cmd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not first.exists() and p.poll() is None: time.sleep(.05)
    p.send_signal(signal.SIGKILL)
    p.wait()
    killed = SimpleNamespace(first=first.exists() and first.read_bytes(), model=(album/'model').exists())
    done = subprocess.run([*cmd, '--resume'], capture_output=True, text=True)
    return SimpleNamespace(killed=killed, done=done, first=first, model=album/'model')

def test_train_killed_and_resumed(trained):
    assert trained.killed.first and not trained.killed.model
    assert trained.done.returncode==0, trained.done.stderr
    assert trained.first.read_bytes()==trained.killed.first, 'a finished stage is not trained again'
    config = json.loads((trained.model/'config.json').read_text())
    assert config['licence']=='public domain' and config['recipe']['epochs']==1 and config['recipe']['photos']==32

def test_trained_model_predicts_alike_in_both_runtimes(trained):
    old = np.asarray(Image.fromarray(data.astronaut()[:77,:130]).convert('L'))
    a,b = (Colorizer.from_pretrained(trained.model, device=o).predict(old).astype(int) for o in ('cpu','torch'))
    assert a.shape==(77,130,3) and abs(a-b).max()<=2

@pytest.fixture
def refusal(monkeypatch, capsys):
    "A function: what the command says before it ends with status 2."
    def run(*args):
        monkeypatch.setattr(sys, 'argv', ['colorfast', *map(str, args)])
        with pytest.raises(SystemExit) as e: main()
        assert e.value.code==2
        said = capsys.readouterr().err
        assert 'Traceback' not in said
        return said
    return run

def test_another_run_is_not_overwritten(trained, album, refusal):
    assert 'holds another run: resume it' in refusal(*args(album, '-o', album/'m1'))

@pytest.mark.parametrize('more,says', [(['--recipe','nonsense'], "no recipe 'nonsense'"),
                                       (['--card','nowhere.json'], 'no card file nowhere.json')])
def test_wrong_use(album, refusal, more, says):
    assert says in refusal(*args(album, '-o', album/'m2', *more))
    assert not (album/'m2').exists()

def test_too_few_photos(album, tmp_path, refusal):
    Image.fromarray(data.astronaut()).save(tmp_path/'one.jpg')
    said = refusal('train', tmp_path, '-o', tmp_path/'m', '--run', tmp_path/'r')
    assert 'holds 1 photos: give a folder with at least 2' in said

def test_weights_that_are_none(album, tmp_path, refusal):
    (tmp_path/'w.pth').write_text('<html>not found</html>')
    weights = '--weights', tmp_path/'w.pth', '--judge', album/'lite0.pth'
    said = refusal('train', album/'album', '-o', tmp_path/'m', '--run', tmp_path/'r', *weights)
    assert 'w.pth holds no weights that can be read safely' in said

def test_fine_tune_in_bf16(album):
    "As with fastai's own learners: the encoder's weights stay while it is frozen, then move; loss stays finite in bf16."
    from fastai.vision.all import Callback
    from colorfast.train.data import ColorizeDataLoaders
    from colorfast.train.learner import colorize_learner
    dls = ColorizeDataLoaders.from_folder(album/'album', size=32, bs=8, num_workers=0)
    learn = colorize_learner(dls, 'tf_efficientnet_lite0', decoder='chroma', weights=album/'lite0.pth').to_bf16()
    def weight(): return learn.model.encoder[3][0].conv_pw.weight.detach().clone()
    seen = []
    class Watch(Callback):
        def after_fit(self): seen.append(weight())
    start = weight()
    with learn.no_bar(), learn.no_logging(): learn.fine_tune(1, freeze_epochs=1, cbs=Watch())
    assert torch.equal(seen[0], start) and not torch.equal(seen[1], start)
    assert all(np.isfinite(learn.recorder.values[-1]))

BLOCKED = '''
import sys
sys.modules[sys.argv[1]] = None  # as if it were not installed
import importlib
try: importlib.import_module(sys.argv[2])
except ModuleNotFoundError as e: print(type(e).__name__, e)
'''

@pytest.mark.parametrize('missing', ['fastai','torch'])
@pytest.mark.parametrize('module', ['train','train.all','train.recipes','nets.build'])
def test_without_the_extra_a_sentence_says_what_to_install(missing, module):
    r = subprocess.run([sys.executable, '-c', BLOCKED, missing, f'colorfast.{module}'], capture_output=True, text=True)
    assert r.returncode==0 and r.stdout.startswith('MissingExtra'), r.stderr
    assert f"needs {missing}: pip install 'colorfast[train]'" in r.stdout

def test_one_line_imports_all_that_a_training_needs():
    names = {}
    exec('from colorfast.train.all import *', names)
    wanted = ('ColorizeDataLoaders colorize_learner ColorLoss delta_e EMACallback Checkpoint PatchCritic gan_colorize_learner nogan '
              'RECIPES train_recipe Colorizer Learner set_seed get_image_files resnet34')
    assert not set(wanted.split()) - set(names)
