"A model folder made in a second, for tests that need some model and not a good one."
import json
import numpy as np, pytest

TINT = .08,.16  # ab/110: a brown

def tiny_onnx(path):
    "ONNX model that paints `TINT` everywhere, and hints where they are."
    import onnx
    from onnx import helper as h, numpy_helper as nh, TensorProto as T
    const = {'zero':[0], 'one':[1], 'three':[3], 'four':[4], 'axis':[1]}
    init = [nh.from_array(np.array(v, dtype=np.int64), k) for k,v in const.items()]
    init += [nh.from_array(np.array(TINT, dtype=np.float32).reshape(1,2,1,1), 'tint'), nh.from_array(np.float32(1), 'full')]
    nodes = [h.make_node('Slice', ['x',a,b,'axis'], [o]) for a,b,o in (('zero','one','L'),('one','three','hints'),('three','four','mask'))]
    nodes += [h.make_node('Sub', ['full','mask'], ['rest']), h.make_node('Mul', ['rest','tint'], ['base']),
              h.make_node('Add', ['base','hints'], ['ab']), h.make_node('Concat', ['L','ab'], ['lab'], axis=1)]
    info = lambda n,c: h.make_tensor_value_info(n, T.FLOAT, ['n',c,'h','w'])
    graph = h.make_graph(nodes, 'tiny', [info('x', 4)], [info('lab', 3)], init)
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid('', 18)], ir_version=10), path)

@pytest.fixture(scope='session')
def tiny(tmp_path_factory):
    "Folder of the tiny model. It has no weights for torch."
    folder = tmp_path_factory.mktemp('models')/'tiny'
    folder.mkdir()
    tiny_onnx(folder/'model.onnx')
    (folder/'config.json').write_text(json.dumps({'size':128, 'model':{}, 'metrics':{'psnr':21.5}, 'data':'none'}))
    return folder
