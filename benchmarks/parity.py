"ONNX Runtime against torch, through the padding wrapper, with a hint: the largest difference of ab at five sizes."
import numpy as np
from fastcore.script import call_parse
from colorfast.color import AB_SCALE
from colorfast.colorize.colorizer import Colorizer
from colorfast.colorize.options import ColorOptions
from colorfast.runtime.export import to_onnx
from colorfast.runtime.net import check_finite, import_onnxruntime

SIZES = (256,256),(333,217),(31,257),(480,360),(97,640)

def net_of(proto): # ONNX model
    "An ONNX model in memory as a network on numpy arrays."
    ort = import_onnxruntime()
    session = ort.InferenceSession(proto.SerializeToString())
    return lambda x: check_finite(session.run(None, {'x':x})[0])

def patchwork(h, w, rng):
    "Lightness `(h,w)` of random squares."
    squares = rng.random((h//8+1,w//8+1), dtype=np.float32)
    return squares.repeat(8, 0).repeat(8, 1)[:h,:w]

def difference_text(name, d): return f'{name}: {d:.1e} (ab/110), {d*AB_SCALE:.4f} (ab)   '

@call_parse
def main(model:str='default'): # built-in name, model folder, or hub id
    "The largest difference of ONNX Runtime and torch, at five sizes."
    in_torch = Colorizer.from_pretrained(model, device='torch')
    others = {
        'fp32 export': Colorizer(net_of(to_onnx(in_torch.net.model)), in_torch.config),
        'model.onnx': Colorizer.from_pretrained(model, device='cpu')}
    rng = np.random.default_rng(0)
    worst = dict.fromkeys(others, 0.)
    for h,w in SIZES:
        L = patchwork(h, w, rng)
        options = ColorOptions([{'x':w//2, 'y':h//2, 'color':'#7a1f2b'}], size=max(h,w))
        want = in_torch.shown_ab(in_torch.analyse(L, options.size), options)
        found = {k: float(np.abs(c.shown_ab(c.analyse(L, options.size), options)-want).max()) for k,c in others.items()}
        worst = {k: max(worst[k], d) for k,d in found.items()}
        texts = [difference_text(k, d) for k,d in found.items()]
        print(f'{h:4} x {w:<4}', *texts, f'largest |ab| {np.abs(want).max()*AB_SCALE:.1f}')
    print('worst    ', *(difference_text(k, d) for k,d in worst.items()))
