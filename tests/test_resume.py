"A training or a NoGAN game that is killed with SIGKILL and resumed in a new process ends with the same bits as one that was left alone."
import subprocess, sys
from pathlib import Path
import pandas as pd, pytest, torch

@pytest.fixture(scope='session')
def runs(tmp_path_factory):
    "The folder that `killed_runs.py` has filled, and what it said."
    folder = tmp_path_factory.mktemp('runs')
    p = subprocess.run([sys.executable, Path(__file__).with_name('killed_runs.py'), folder], capture_output=True, text=True)
    assert p.returncode==0, p.stderr
    return folder,p.stderr

def loaded(folder, *names): return (torch.load(folder/n, weights_only=True) for n in names)

def same_tensors(a, b): return a.keys()==b.keys() and all(torch.equal(torch.as_tensor(v), torch.as_tensor(b[k])) for k,v in a.items())

@pytest.mark.parametrize('workers', [0, 1])
def test_killed_and_resumed_bit_for_bit(runs, workers):
    folder,said = runs
    folder /= f'workers-{workers}'
    assert (folder/'codes').read_text().split()==['0','-9','0'], said
    whole,cut = loaded(folder, 'whole-end.pth', 'cut-end.pth')
    assert whole['iters']==[3,6,9] and len(whole['lrs'])==9
    assert all(cut[k]==whole[k] for k in ('iters','lrs','losses','values'))
    assert same_tensors(whole['model'], cut['model'])
    assert all(torch.equal(a['sqr_avg'], b['sqr_avg']) for a,b in zip(whole['opt'], cut['opt']))
    assert (folder/'whole/epoch-002.png').read_bytes()==(folder/'cut/epoch-002.png').read_bytes()
    assert (folder/'whole.png').read_bytes()==(folder/'cut.png').read_bytes()

def test_killed_and_resumed_is_the_same_game(runs):
    folder,said = runs
    folder /= 'game'
    assert (folder/'codes').read_text().split()==['0','-9','0'], said
    killed,whole,cut = loaded(folder, 'killed.pth', 'whole/gan.pth', 'cut/gan.pth')
    assert killed['epoch']<4
    assert same_tensors(whole['model'], cut['model']) and whole['random']==cut['random']
    assert len(whole['opt']['state'])==len(cut['opt']['state']) and all(map(same_tensors, whole['opt']['state'], cut['opt']['state']))
    a,b = (pd.read_csv(folder/o/'judged.csv') for o in ('whole','cut'))
    assert len(a)==5 and a.equals(b)
    assert (folder/'whole/chosen.safetensors').read_bytes()==(folder/'cut/chosen.safetensors').read_bytes()

def test_nothing_half_written_stays(runs):
    folder,_ = runs
    assert not [o for o in folder.rglob('*.tmp')]
