"`colorfast train` as a process: from a folder of photos to a model that predicts, stopped in the middle and resumed."
import json, signal, subprocess, sys, time
import numpy as np, pytest, timm, torch
from PIL import Image
from skimage import data
from colorfast.colorize.colorizer import Colorizer

@pytest.fixture(scope='module')
def album(tmp_path_factory):
    d = tmp_path_factory.mktemp('train'); (d/'album/deep').mkdir(parents=True); torch.manual_seed(0)
    for i in range(40): Image.fromarray(data.astronaut()[5*i:5*i+96, 3*i:3*i+96]).save(d/'album'/('deep' if i%2 else '')/f'{i}.jpg')
    for i in (0,1): torch.save(timm.create_model(f'tf_efficientnet_lite{i}').state_dict(), d/f'lite{i}.pth')
    (d/'card.json').write_text('{"data": "forty crops of one photograph", "licence": "public domain"}')
    return d

def train(d, *args):
    return [sys.executable, '-m', 'colorfast.cli', 'train', str(d/'album'), '--weights', str(d/'lite1.pth'), '--judge', str(d/'lite0.pth'), '--epochs', '1', '--crop', '32', '--run', str(d/'run'), *args]

def test_train_killed_and_resumed(album):
    cmd = train(album, '-o', str(album/'model'), '--card', str(album/'card.json'))
    p = subprocess.Popen(cmd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    first = album/'run/stage-0.safetensors'
    while not first.exists() and p.poll() is None: time.sleep(.05)
    p.send_signal(signal.SIGKILL); p.wait()
    assert first.exists() and not (album/'model').exists()
    before = first.read_bytes()
    again = subprocess.run(cmd, capture_output=True, text=True)
    assert again.returncode == 2 and 'holds another run: resume it' in again.stderr and 'Traceback' not in again.stderr
    done = subprocess.run([*cmd, '--resume'], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert first.read_bytes() == before, 'a finished stage is not trained again'
    config = json.loads((album/'model/config.json').read_text())
    assert config['licence'] == 'public domain' and config['recipe']['epochs'] == 1 and config['recipe']['photos'] == 32
    old = np.asarray(Image.fromarray(data.astronaut()[:77,:130]).convert('L'))
    a,b = (Colorizer.from_pretrained(album/'model', device=o).predict(old).astype(int) for o in ('cpu','torch'))
    assert a.shape == (77,130,3) and abs(a-b).max() <= 2

@pytest.mark.parametrize('args,says', [(['--recipe','nonsense'], "no recipe 'nonsense'"), (['--card','nowhere.json'], 'no card file nowhere.json')])
def test_wrong_use(album, args, says):
    p = subprocess.run(train(album, '-o', str(album/'m2'), *args), capture_output=True, text=True)
    assert p.returncode == 2 and says in p.stderr and 'Traceback' not in p.stderr and not (album/'m2').exists()

def test_too_few_photos(album, tmp_path):
    Image.fromarray(data.astronaut()).save(tmp_path/'one.jpg')
    p = subprocess.run([sys.executable, '-m', 'colorfast.cli', 'train', str(tmp_path), '-o', str(tmp_path/'m'), '--run', str(tmp_path/'r')], capture_output=True, text=True)
    assert p.returncode == 2 and 'holds 1 photos: give a folder with at least 2' in p.stderr and 'Traceback' not in p.stderr

def test_fine_tune_in_bf16(album):
    "As with fastai's own learners: the encoder's weights stay while it is frozen, then move; loss stays finite in bf16."
    from fastai.vision.all import Callback
    from colorfast.train.data import ColorizeDataLoaders
    from colorfast.train.learner import colorize_learner
    dls = ColorizeDataLoaders.from_folder(album/'album', size=32, bs=8, num_workers=0)
    learn = colorize_learner(dls, 'tf_efficientnet_lite0', decoder='chroma', weights=album/'lite0.pth').to_bf16()
    seen = []
    class Watch(Callback):
        def after_fit(self): seen.append(learn.model.encoder[3][0].conv_pw.weight.detach().clone())
    start = learn.model.encoder[3][0].conv_pw.weight.detach().clone()
    with learn.no_bar(), learn.no_logging(): learn.fine_tune(1, freeze_epochs=1, cbs=Watch())
    assert torch.equal(seen[0], start) and not torch.equal(seen[1], start)
    assert all(np.isfinite(learn.recorder.values[-1]))
