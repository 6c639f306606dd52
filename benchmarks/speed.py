"""Speed and memory on two CPU threads, everything in one run.

    python benchmarks/speed.py [--model default] [--photo FILE]

One 256 px forward of the model against a ResNet34 DynamicUnet, both in ONNX Runtime, taking turns; the whole process of
`colorfast predict` on 1 and 12 megapixels; `colorfast --help`."""
import os, subprocess, sys, tempfile
from argparse import ArgumentParser
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
import numpy as np
from PIL import Image

THREADS = 2
SAMPLES = Path(__file__).parents[1]/'samples'
COMMAND = [sys.executable, '-c', 'from colorfast.cli import main; main()']  # what the installed `colorfast` does

def two_cores():
    "This process and its children on two cores, where the system can."
    if hasattr(os, 'sched_setaffinity'): os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])

def export_resnet34(path):
    "fastai's DynamicUnet on ResNet34, as `create_color_unet` builds it, in ONNX."
    import onnx
    from fastai.vision.models import resnet34
    from colorfast.nets.unet import create_color_unet
    from colorfast.runtime.export import to_onnx
    onnx.save(to_onnx(create_color_unet(resnet34, pretrained=False)), path)

def session(path):
    import onnxruntime as ort
    o = ort.SessionOptions(); o.intra_op_num_threads = THREADS
    return ort.InferenceSession(path, o, providers=['CPUExecutionProvider'])

def forwards(ours, theirs, n):
    "Median seconds of a forward of each, taking turns."
    x = np.random.default_rng(0).random((1,4,256,256), dtype=np.float32)
    def once(s):
        sleep(.05)  # the other session's threads spin for a moment after their run
        t = perf_counter(); s.run(None, {'x':x})
        return perf_counter()-t
    once(ours), once(theirs)
    times = [(once(ours),once(theirs)) for _ in range(n)]
    return [median(t) for t in zip(*times)]

def process(args):
    "Wall seconds and peak resident MB of a whole `colorfast` process."
    t = perf_counter()
    p = subprocess.Popen([*COMMAND, *args], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    err = p.stderr.read()
    _,status,use = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode: raise SystemExit(f'colorfast {" ".join(args)} failed: {err.decode()}')
    return perf_counter()-t, use.ru_maxrss*(1 if sys.platform=='darwin' else 1024)/1e6

def enlarged(photo, megapixels, path):
    "`photo` in grey, brought to so many megapixels, as a JPEG."
    im = Image.open(photo).convert('L')
    k = (megapixels*1e6/(im.width*im.height))**.5
    im.resize((round(im.width*k),round(im.height*k)), Image.Resampling.LANCZOS).save(path, quality=92)
    return path

def main():
    p = ArgumentParser(description='Speed and memory on two CPU threads')
    p.add_argument('--model', default='default'); p.add_argument('--photo', help='enlarged for the whole-process figures; the first of samples/ if not given')
    p.add_argument('--runs', type=int, default=5, help='of each process; forwards are run 4 times as often')
    o = p.parse_args()
    two_cores()
    from colorfast.runtime.folder import model_folder
    photo = o.photo or next((f for f in sorted(SAMPLES.rglob('*')) if f.suffix.lower() in {'.jpg','.jpeg','.png','.tif','.webp'}), None)
    if not photo: raise SystemExit(f'There is no photo in {SAMPLES}: give one with --photo.')
    with tempfile.TemporaryDirectory() as d:
        # processes first: Linux counts the memory of the process that starts another as that one's, and torch is large
        for mp in (1,12):
            src = enlarged(photo, mp, f'{d}/{mp}mp.jpg')
            runs = [process(['predict', src, '-o', f'{d}/{mp}-{i}', '--model', o.model, '--quiet']) for i in range(o.runs)]
            print(f'colorfast predict, {mp} megapixels: {median(s for s,_ in runs):.2f} s, peak {max(m for _,m in runs):.0f} MB')
        print(f'colorfast --help: {median(process(["--help"])[0] for _ in range(o.runs)):.2f} s')
        export_resnet34(f'{d}/resnet34.onnx')
        ours,theirs = forwards(session(model_folder(o.model)/'model.onnx'), session(f'{d}/resnet34.onnx'), 4*o.runs)
        print(f'256 px forward: {o.model} {ours*1e3:.1f} ms, ResNet34 DynamicUnet {theirs*1e3:.1f} ms, ratio {theirs/ours:.1f}')

if __name__=='__main__': main()
