"Model folders, good and bad: found, read, refused, saved again; those of version 0.1."
import json, shutil
from pathlib import Path

import numpy as np, pytest
from skimage import data as skdata

from colorfast.basics import ModelError
from colorfast.colorize.colorizer import Colorizer
from colorfast.runtime.config import check_config, read_config
from colorfast.runtime.folder import MODEL_FILES, MODELS, check_weights, model_card
from conftest import TINY_CONFIG, float_port, onnx_file, png, put, tree

CAMERA = skdata.camera()

# ---- where a model is

@pytest.mark.parametrize('name,says', [('no-such-model', 'There is no model'), ('a/b/c', 'There is no model'), ('.', 'no config.json')])
def test_unknown_model(tmp_path, monkeypatch, name, says):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=says): Colorizer.from_pretrained(name)

def test_hub_model_without_a_network(monkeypatch, tmp_path):
    import huggingface_hub.constants as k
    monkeypatch.setattr(k, 'HF_HUB_OFFLINE', True)
    monkeypatch.setattr(k, 'HF_HUB_CACHE', str(tmp_path))
    says = 'no folder somebody/some-model, and no model of that name could be fetched'
    with pytest.raises(ModelError, match=says): Colorizer.from_pretrained('somebody/some-model')

# ---- files that are damaged

HTML = b'\n<!DOCTYPE html><html><body>404</body></html>'

@pytest.fixture
def folder(tiny, tmp_path):
    "A copy of the tiny model, to be spoiled."
    return Path(shutil.copytree(tiny, tmp_path/'m'))

@pytest.mark.parametrize('file,data,says', [
    ('model.onnx', HTML, 'web page'),
    ('model.onnx', b'', 'empty'),
    ('model.onnx', None, 'no model.onnx'),
    ('model.onnx', b'\x08\x0a\x12\x99junk', 'damaged'),
    ('model.safetensors', HTML, 'web page'),
    ('model.safetensors', b'\x40\0\0\0\0\0\0\0{"a":', 'damaged'),
    ('model.safetensors', b'version https://git-lfs...', 'placeholder'),
    ('config.json', b'{"size":', 'not JSON'),
    ('config.json', b'[]', 'not a model config'),
    ('config.json', HTML, 'not JSON'),
    ('config.json', b'\xff\xfe', 'not JSON'),
    ('config.json', None, 'no config.json')])
def test_damaged_model(folder, file, data, says):
    (folder/file).unlink(missing_ok=True)
    if data is not None: (folder/file).write_bytes(data)
    with pytest.raises(ModelError, match=says): Colorizer.from_pretrained(folder)

@pytest.mark.parametrize('keep', (.3, .9))
def test_cut_off_onnx(folder, keep):
    data = (folder/'model.onnx').read_bytes()
    (folder/'model.onnx').write_bytes(data[:int(keep*len(data))])
    with pytest.raises(ModelError, match='damaged'): Colorizer.from_pretrained(folder)

def test_devices(tiny):
    with pytest.raises(ModelError, match="Unknown device 'tpu'"): Colorizer.from_pretrained(tiny, device='tpu')
    with pytest.raises(ModelError, match='no model.safetensors'): Colorizer.from_pretrained(tiny, device='torch')
    import torch
    if torch.cuda.is_available(): return
    with pytest.raises(ModelError, match='no cuda device'): Colorizer.from_pretrained(tiny, device='cuda')

# ---- a configuration that is not believed

HUGE = '1'+'0'*400
ENTRIES = [ # a part of config.json, and what the sentence says of it
    ('"size":NaN', 'size is NaN'),
    ('"size":Infinity', 'size is Infinity'),
    ('"size":1e400', 'size is Infinity'),
    (f'"size":{HUGE}', 'size is 1000'),
    ('"size":"320"', 'size is "320"'),
    ('"size":null', 'size is null'),
    ('"size":true', 'size is true'),
    ('"size":[320]', 'size is [320]'),
    ('"size":0', 'size is 0'),
    ('"size":-320', 'size is -320'),
    ('"size":31', 'a whole number from 32'),
    ('"size":320.5', 'size is 320.5'),
    ('"size":1e9', 'size is 1000000000.0'),
    ('"multiple":0', 'multiple is 0'),
    ('"multiple":-1', 'multiple is -1'),
    ('"multiple":1e5', 'multiple is 100000.0'),
    ('"multiple":2.5', 'multiple is 2.5'),
    ('"multiple":null', 'multiple is null'),
    ('"hint_radius":-1', 'hint_radius is -1'),
    ('"hint_radius":1000', 'hint_radius is 1000'),
    ('"hint_radius":"3"', 'hint_radius is "3"'),
    ('"calibration":null', 'calibration is null'),
    ('"calibration":[1.3]', 'calibration is [1.3]'),
    ('"calibration":1.3', 'calibration is 1.3'),
    ('"calibration":{"glow":1}', "unknown calibration 'glow'"),
    ('"calibration":{"saturation":"1"}', 'calibration saturation is "1"'),
    ('"calibration":{"saturation":NaN}', 'calibration saturation is NaN'),
    ('"calibration":{"saturation":-1}', 'calibration saturation is -1'),
    ('"calibration":{"expand":1e9}', 'calibration expand is 1000000000.0'),
    ('"calibration":{"guard":null}', 'calibration guard is null'),
    (f'"calibration":{{"ceiling":{HUGE}}}', 'calibration ceiling is 1000'),
    ('"model":null', 'model is null'),
    ('"model":["resnet18"]', 'model is ["resnet18"]'),
    ('"model":{"arch":"hf-hub:somebody/net"}', 'a plain name is needed'),
    ('"model":{"arch":"hf_hub:somebody/net"}', 'a plain name is needed'),
    ('"model":{"arch":"local-dir:/x"}', 'a plain name is needed'),
    ('"model":{"arch":"http://127.0.0.1/net"}', 'a plain name is needed'),
    ('"model":{"arch":"../net"}', 'a plain name is needed'),
    ('"model":{"arch":"fusion","embed":"hf-hub:somebody/net"}', 'a plain name is needed'),
    ('"model":{"arch":""}', 'a plain name is needed'),
    ('"model":{"arch":5}', 'a plain name is needed'),
    ('"model":{"arch":null}', 'a plain name is needed'),
    ('"task":"fly"', 'task is "fly"'),
    ('"task":null', 'task is null'),
    ('"task":["colorize"]', 'task is ["colorize"]')]
TEXTS = [ # all of config.json
    ('['*10**5, 'not JSON'),
    ('{"a":'*10**5, 'not JSON'),
    ('{"data":'+'['*200+']'*200+'}', 'nested'),
    ('{"data":'*900+'1'+'}'*900, 'nested'),
    ('{"size":'+'1'*10**5+'}', 'not JSON'),
    ('\ufeff{}', 'not JSON'),
    ('null', 'not a model config'),
    ('"colorize"', 'not a model config'),
    ('{"data":"'+'x'*10**6+'"}', 'bytes'),
    ('', 'not JSON')]
CONFIGS = [('{'+text+'}', says) for text,says in ENTRIES] + TEXTS

def short_id(o): return o[:60] if isinstance(o, str) else None

@pytest.mark.parametrize('text,says', CONFIGS, ids=short_id)
def test_configurations_that_are_refused(run, folder, tmp_path, no_network, text, says):
    "By every command that reads one, in one sentence; nothing is written or fetched."
    put(tmp_path/'a.png', png(CAMERA[:32,:32]))
    (folder/'config.json').write_text(text, encoding='utf-8')
    for args in (['predict','a.png'], ['predict','a.png','--device','torch'], ['info','m']):
        r = run(*args, model='m').says(2, says)
        assert len(r.err.splitlines()) == 1 and len(r.err) < 400 and not r.out
    assert tree(tmp_path) == ['a.png','m/config.json','m/model.onnx']

UNBUILDABLE = [
    {'arch':'no_such_net'},
    {'arch':'torchvision.no_such_net'},
    {'arch':'torchvision.'},
    {'arch':'torchvision.get_model'},
    {'arch':'pix2pix','depth':'deep'},
    {'arch':'pix2pix','depth':0},
    {'arch':'pix2pix','nf':-1},
    {'arch':'autoencoder','variant':'gamma'},
    {'arch':'autoencoder','variant':['alpha']},
    {'arch':'autoencoder','glow':1},
    {'arch':'resnet18','decoder':'no_such_decoder'},
    {'arch':'resnet18','decoder':'chroma','dims':[]},
    {'arch':'resnet18','decoder':'chroma','dims':'wide'}]

@pytest.mark.parametrize('model', UNBUILDABLE, ids=lambda m: ' '.join(map(str, m.values())))
def test_networks_that_cannot_be_built(folder, no_network, model):
    "A plain name, and yet no network: for torch a sentence, for ONNX Runtime nothing wrong."
    from safetensors.numpy import save_file
    save_file({'a':np.zeros(3)}, folder/'model.safetensors')
    (folder/'config.json').write_text(json.dumps({**TINY_CONFIG, 'model':model}))
    says = 'no network that can be built|does not fit the architecture'
    with pytest.raises(ModelError, match=says): Colorizer.from_pretrained(folder, device='torch')
    assert Colorizer.from_pretrained(folder).predict(CAMERA[:32,:32]).shape == (32,32,3)

@pytest.mark.parametrize('command', ('finetune','explain'))
def test_no_other_command_asks_the_network(run, folder, tmp_path, no_network, command):
    "Training and explaining read a model folder through the same door."
    if command == 'explain': pytest.importorskip('captum')
    put(tmp_path/'album/a.png', png(skdata.cat()))
    (folder/'config.json').write_text('{"model":{"arch":"hf-hub:somebody/net"}}')
    args = {'finetune':['finetune','album','-o','out','--base','m'], 'explain':['explain','album/a.png','-o','out.png','-m','m']}
    run(*args[command]).says(2, 'a plain name is needed')
    assert tree(tmp_path) == ['album/a.png','m/config.json','m/model.onnx']

@pytest.mark.parametrize('arch', [
    'tf_efficientnet_lite1', 'torchvision.resnet34', 'convnext_tiny', 'resnet18.a1_in1k', 'pix2pix', 'autoencoder', 'fusion'])
def test_networks_of_version_0_1_have_plain_names(arch):
    config = {'model':{'arch':arch}}
    assert check_config(config) is config

def test_further_entries_are_for_the_reader(folder, run):
    "What this program does not use may be anything; the card and `info` show it."
    extra = {'data':None, 'limits':5, 'metrics':[1,2], 'versions':{'colorfast':'9.0'}, 'later':True}
    extra['finetuned'] = {'from':{'name':'default'}}
    (folder/'config.json').write_text(json.dumps({**TINY_CONFIG, **extra}))
    c = Colorizer.from_pretrained(folder)
    assert c.predict(CAMERA[:32,:32]).shape == (32,32,3)
    assert '9.0' in model_card(c.config)
    assert 'later: True' in run('info', folder).says(0).out.decode()

# ---- an ONNX file that is another's

def port(name, kind, shape): # as onnx.TensorProto calls it
    from onnx import TensorProto, helper
    return helper.make_tensor_value_info(name, getattr(TensorProto, kind), shape)

def node(*args, **kw):
    from onnx.helper import make_node
    return make_node(*args, **kw)

def cast(a, b, kind='FLOAT'):
    from onnx import TensorProto
    return node('Cast', [a], [b], to=getattr(TensorProto, kind))

def conv(a='x', b='lab'): return node('Conv', [a,'w'], [b])

def foreign_onnx(): # made when it is needed: onnx is slow to import
    "`{name: (nodes, channels of the weight, inputs, outputs)}` of models that run, and are none of ours."
    x = [float_port('x', 4)]
    y = float_port('y', 4)
    lab = [float_port('lab', 3)]
    text = port('s', 'STRING', ['n'])
    one_x = [port('x', 'FLOAT', [1,4,'h','w'])]
    unsqueezed = [node('Unsqueeze', ['x','zero'], ['u']), conv('u')]
    squeezed = [node('Squeeze', ['x','zero'], ['u']), conv('u')]
    squeezed_lab = [conv('x', 'o'), node('Squeeze', ['o','zero'], ['lab'])]
    as_floats = [cast('x', 'f'), conv('f')]
    both = [node('Add', ['x','y'], ['z']), conv('z')]
    return {
        'three channels in': ([conv()], (3,3), [float_port('x', 3)], lab),
        'five channels in': ([conv()], (3,5), [float_port('x', 5)], lab),
        'two channels out': ([conv()], (2,4), x, [float_port('lab', 2)]),
        'four channels out': ([conv()], (4,4), x, [float_port('lab', 4)]),
        'rank 3 in': (unsqueezed, (3,4), [port('x', 'FLOAT', [4,'h','w'])], lab),
        'rank 5 in': (squeezed, (3,4), [port('x', 'FLOAT', [1,'n',4,'h','w'])], lab),
        'rank 3 out': (squeezed_lab, (3,4), one_x, [port('lab', 'FLOAT', [3,'h','w'])]),
        'rank unknown in': ([conv()], (3,4), [port('x', 'FLOAT', None)], lab),
        'half precision in': (as_floats, (3,4), [port('x', 'FLOAT16', ['n',4,'h','w'])], lab),
        'whole numbers in': (as_floats, (3,4), [port('x', 'INT64', ['n',4,'h','w'])], lab),
        'bytes out': ([conv('x', 'o'), cast('o', 'lab', 'UINT8')], (3,4), x, [port('lab', 'UINT8', ['n',3,'h','w'])]),
        'another name': ([conv('y')], (3,4), [y], lab),
        'two inputs': (both, (3,4), [*x,y], lab),
        'text in': ([conv(), node('Identity', ['s'], ['t'])], (3,4), [*x,text], [*lab,port('t', 'STRING', ['n'])])}

FOREIGN = ['three channels in', 'five channels in', 'two channels out', 'four channels out', 'rank 3 in', 'rank 5 in', 'rank 3 out',
           'rank unknown in', 'half precision in', 'whole numbers in', 'bytes out', 'another name', 'two inputs', 'text in']

def write_foreign(path, name):
    nodes,channels,inputs,outputs = foreign_onnx()[name]
    onnx_file(path, nodes, {'w':np.ones((*channels,1,1), np.float32), 'zero':np.array([0])}, inputs, outputs)

@pytest.mark.parametrize('name', FOREIGN)
def test_foreign_onnx(run, folder, tmp_path, no_network, name):
    "It is sound, and not one of ours: a sentence before anything is colored."
    put(tmp_path/'a.png', png(CAMERA[:32,:32]))
    write_foreign(folder/'model.onnx', name)
    r = run('predict', 'a.png', model='m').says(2, 'is no colorfast model')
    assert len(r.err.splitlines()) == 1
    assert not (tmp_path/'colorized').exists()

def test_all_foreign_models_are_tried(): assert sorted(FOREIGN) == sorted(foreign_onnx())

def test_onnx_that_reads_another_file(folder, tmp_path):
    "Weights outside the folder are not read."
    import onnx
    put(tmp_path/'secret.bin', np.ones(12, np.float32).tobytes())
    onnx_file(folder/'model.onnx', [conv()], {'w':np.ones((3,4,1,1), np.float32)})
    m = onnx.load(folder/'model.onnx')
    w = m.graph.initializer[0]
    w.ClearField('raw_data')
    w.data_location = onnx.TensorProto.EXTERNAL
    for k,v in (('location','../secret.bin'),('offset','0'),('length','48')): w.external_data.add(key=k, value=v)
    (folder/'model.onnx').write_bytes(m.SerializeToString())
    with pytest.raises(ModelError, match='damaged'): Colorizer.from_pretrained(folder)

# ---- saving

def test_save_again(tiny, tmp_path):
    "A model from a folder, with another calibration, into another folder."
    from safetensors.numpy import save_file
    c = Colorizer.from_pretrained(tiny)
    c.config['calibration'] = {'saturation':2.}
    with pytest.raises(ModelError): c.save(tmp_path/'m')  # no weights for torch to copy
    assert not list(tmp_path.iterdir())
    src = shutil.copytree(tiny, tmp_path/'src')
    save_file({'a':np.zeros(3)}, src/'model.safetensors')
    c = Colorizer.from_pretrained(src)
    c.config['calibration'] = {'saturation':2.}
    put(tmp_path/'m/notes.txt', b'mine')
    assert c.save(tmp_path/'m') == tmp_path/'m'
    assert tree(tmp_path/'m') == sorted([*MODEL_FILES, 'notes.txt'])
    gray = np.full((64,64), 128, np.uint8)
    assert (Colorizer.from_pretrained(tmp_path/'m').predict(gray) == c.predict(gray)).all()
    before = (tmp_path/'m/config.json').read_text()
    with pytest.raises(ModelError, match='already has config.json'): c.save(tmp_path/'m')
    c.config['size'] = 96
    c.save(tmp_path/'m', overwrite=True)
    assert json.loads((tmp_path/'m/config.json').read_text())['size'] == 96 != json.loads(before)['size']
    assert (tmp_path/'m/notes.txt').read_bytes() == b'mine'
    assert sorted(o.name for o in tmp_path.iterdir()) == ['m','src']

def test_card_says_what_the_config_says():
    card = model_card({'size':320, 'data':'family album', 'metrics':{'psnr':23.4567}, 'recipe':{'epochs':3}})
    for word in ('320 pixels', 'family album', '| psnr | 23.46 |', '| epochs | 3 |', 'library_name: colorfast'): assert word in card

# ---- folders of version 0.1

LAYERS = [(1,1,8,2), (2,8,8,1), (3,8,16,2), (4,16,16,1), (5,16,32,2), (6,32,32,1), (7,32,64,1),  # number, channels in and out, stride
          (9,64,32,'up'), (11,32,16,'up'), (13,16,8,'up'), (14,8,2,1)]  # 'up': doubled in size first
OLD_CONFIG = {'size':64, 'model':{'arch':'autoencoder', 'variant':'alpha'}, 'calibration':{'saturation':1.3, 'expand':.25, 'guard':.2},
              'versions':{'colorfast':'0.1.0', 'torch':'2.15.0', 'onnx':'1.23.2'}, 'metrics':{'PSNR':22.959},
              'data':{'photos':'none'}, 'licence':'none'}

def old_state():
    "The weights of 0.1's autoencoder under its names, drawn here."
    rng = np.random.default_rng(1)
    state = {}
    for i,ni,nf,_ in LAYERS:
        gain = 2 if i < 14 else .1
        state[f'net.{i}.0.weight'] = (rng.standard_normal((nf,ni,3,3))*(gain/(9*ni))**.5).astype(np.float32)
        state[f'net.{i}.0.bias'] = (rng.standard_normal(nf)*.1).astype(np.float32)
    return state

def is_halved(a): return a.ndim > 1 and a.size >= 256

def old_layer(x, i, stride):
    "The nodes of one layer that reads `x`, and the name of what it makes."
    nodes = []
    if stride == 'up':
        nodes.append(node('Resize', [x,'','scales'], [f'up{i}'], mode='nearest', nearest_mode='floor',
                          coordinate_transformation_mode='asymmetric'))
        x,stride = f'up{i}',1
    weights = [f'net.{i}.0.weight',f'net.{i}.0.bias']
    nodes.append(node('Conv', [x,*weights], [f'conv{i}'], kernel_shape=[3,3], strides=[stride,stride], pads=[1,1,1,1]))
    nodes.append(node('Tanh' if i == 14 else 'Relu', [f'conv{i}'], [f'layer{i}']))
    return nodes,f'layer{i}'

def old_onnx(path, state):
    "`model.onnx` as 0.1 wrote it: large weights in half precision, each behind a cast."
    halved = [k for k,v in state.items() if is_halved(v)]
    constants = {k:v for k,v in state.items() if not is_halved(v)}
    constants |= {k+'_fp16':v.astype(np.float16) for k,v in state.items() if is_halved(v)}
    constants |= {'zero':np.array([0]), 'one':np.array([1]), 'two':np.float32(2), 'minus':np.float32(-1)}
    constants['scales'] = np.array([1,1,2,2], np.float32)
    nodes = [cast(k+'_fp16', k) for k in halved]
    nodes += [node('Slice', ['x','zero','one','one'], ['L']), node('Mul', ['L','two'], ['twice'])]
    nodes.append(node('Add', ['twice','minus'], ['layer0']))
    last = 'layer0'
    for i,_,_,stride in LAYERS:
        more,last = old_layer(last, i, stride)
        nodes += more
    onnx_file(path, [*nodes, node('Concat', ['L',last], ['lab'], axis=1)], constants)

@pytest.fixture(scope='module')
def old(tmp_path_factory):
    "A model folder as version 0.1 wrote it: no task, no inputs, weights in half precision."
    from safetensors.numpy import save
    folder = tmp_path_factory.mktemp('old')/'model'
    folder.mkdir()
    state = old_state()
    stored = {k:v.astype(np.float16) if is_halved(v) else v for k,v in state.items()}
    (folder/'model.safetensors').write_bytes(save(stored, metadata={'format':'pt'}))
    old_onnx(folder/'model.onnx', state)
    (folder/'config.json').write_text(json.dumps(OLD_CONFIG, indent=2)+'\n', encoding='utf-8')
    (folder/'README.md').write_text('---\nlibrary_name: colorfast\n---\n# A colorfast model\n', encoding='utf-8')
    return folder

OLD_HINTS = [{'x':30,'y':90,'color':'#7a1f2b'}, {'x':100,'y':20,'color':'navy'}]
POINTS = (20,20),(64,64),(90,30),(20,100),(110,70)  # rows and columns
OLD_COLORS = [  # what version 0.1 painted there; with hints, which since then leave alone what they do not reach, version 0.2
    ({}, [(203,217,171), (0,18,8), (0,34,13), (196,207,187), (148,164,142)]),
    ({'hints':OLD_HINTS}, [(203,217,172), (15,15,0), (66,0,10), (216,192,255), (148,164,142)]),
    ({'quality':'best', 'size':96, 'vividness':1.5}, [(189,219,188), (0,18,0), (0,34,13), (184,210,185), (143,165,142)])]

@pytest.mark.parametrize('device', ('auto','torch'))
def test_folder_of_version_0_1_paints_the_same(old, device):
    c = Colorizer.from_pretrained(old, device=device)
    assert c.multiple == 32 and c.calibration == OLD_CONFIG['calibration']
    for options,colors in OLD_COLORS:
        out = c.predict(CAMERA[::4,::4], **options)
        assert np.abs(np.array([out[at] for at in POINTS]).astype(int)-colors).max() <= 1, options

def test_folder_of_version_0_1_in_the_command(old, run, tmp_path):
    put(tmp_path/'a.png', png(CAMERA[::4,::4]))
    run('predict', 'a.png', model=old).says(0, 'colored 1 photo')
    text = run('info', old).says(0).out.decode()
    for words in ('size: 64','arch: autoencoder','PSNR: 22.96','colorfast: 0.1.0'): assert words in text

def test_folder_of_version_0_1_can_be_saved(old, tmp_path):
    "Its weights and versions stay; the card is written anew."
    new = Colorizer.from_pretrained(old).save(tmp_path/'new')
    assert read_config(new) == OLD_CONFIG
    for name in MODEL_FILES[1:3]: assert (new/name).read_bytes() == (old/name).read_bytes()

@pytest.mark.parametrize('name', [o.parent.name for o in MODELS.glob('*/config.json')])
def test_models_inside_the_package_pass(name):
    folder = MODELS/name
    assert read_config(folder)['size']
    for file in MODEL_FILES[1:3]: assert check_weights(folder/file)
