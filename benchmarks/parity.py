"""ONNX Runtime against torch, through the padding wrapper, with a hint: max |d ab| at five sizes.

    python benchmarks/parity.py [--model default]"""
from argparse import ArgumentParser
import numpy as np
from colorfast.color import AB_SCALE
from colorfast.runtime.net import OnnxNet
from colorfast.runtime.export import to_onnx
from colorfast.colorize.hints import read_hints
from colorfast.colorize.colorizer import Colorizer

SIZES = (256,256),(333,217),(31,257),(480,360),(97,640)

def from_proto(proto):
    "An ONNX model in memory as a net."
    import onnxruntime as ort
    net = object.__new__(OnnxNet)
    net.session = ort.InferenceSession(proto.SerializeToString())
    return net

def main():
    p = ArgumentParser(description='ONNX Runtime against torch'); p.add_argument('--model', default='default')
    model = p.parse_args().model
    torch_ = Colorizer.from_pretrained(model, device='torch')
    pairs = {'fp32 export': Colorizer(from_proto(to_onnx(torch_.net.model)), torch_.config), 'model.onnx': Colorizer.from_pretrained(model, device='cpu')}
    rng = np.random.default_rng(0)
    worst = dict.fromkeys(pairs, 0.)
    for h,w in SIZES:
        L = rng.random((h//8+1,w//8+1), dtype=np.float32).repeat(8, 0).repeat(8, 1)[:h,:w]
        hints = read_hints([{'x':w//2, 'y':h//2, 'color':'#7a1f2b'}])
        ref = torch_.predict_ab(L, hints, size=max(h,w))
        diff = {k: float(np.abs(c.predict_ab(L, hints, size=max(h,w))-ref).max()) for k,c in pairs.items()}
        worst = {k: max(worst[k], d) for k,d in diff.items()}
        print(f'{h:4} x {w:<4}', *(f'{k}: {d:.1e} (ab/110), {d*AB_SCALE:.4f} (ab)   ' for k,d in diff.items()), f'largest |ab| {np.abs(ref).max()*AB_SCALE:.1f}')
    print('worst    ', *(f'{k}: {d:.1e} (ab/110), {d*AB_SCALE:.4f} (ab)   ' for k,d in worst.items()))

if __name__=='__main__': main()
