"""Speed and memory on two CPU threads, everything in one run.

One 256 px forward of the model against a ResNet34 DynamicUnet, both in ONNX Runtime, taking turns; the whole process of
`colorfast predict` on 1 and 12 megapixels; `colorfast --help`; a second hint on a photo that was analysed already."""
import os, subprocess, sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time, sleep
import numpy as np
from fastcore.script import call_parse
from PIL import Image
from colorfast.runtime.net import import_onnxruntime

THREADS = 2
SAMPLES = Path(__file__).parents[1]/'samples'
COMMAND = [sys.executable, '-c', 'from colorfast.cli import main; main()']  # what the installed `colorfast` does

def keep_to_two_cores():
    "This process and its children on two cores, where the system can."
    if hasattr(os, 'sched_setaffinity'): os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])

# ---- a forward

def export_resnet34(path):
    "fastai's DynamicUnet on ResNet34, as `create_color_unet` builds it, in ONNX."
    import onnx
    from fastai.vision.models import resnet34
    from colorfast.nets.unet import create_color_unet
    from colorfast.runtime.export import to_onnx
    onnx.save(to_onnx(create_color_unet(resnet34, pretrained=False)), path)

def session(path):
    ort = import_onnxruntime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    return ort.InferenceSession(path, options, providers=['CPUExecutionProvider'])

def seconds_of(f, *args):
    start = perf_counter()
    f(*args)
    return perf_counter()-start

def forward_seconds(ours, theirs, n): # sessions
    "Median seconds of a forward of each, taking turns."
    x = np.random.default_rng(0).random((1,4,256,256), dtype=np.float32)
    def once(s):
        sleep(.05)  # the other session's threads spin for a moment after their run
        return seconds_of(s.run, None, {'x':x})
    times = [(once(ours),once(theirs)) for _ in range(n+1)]
    return [median(t) for t in zip(*times[1:])]

# ---- a process

def run_process(*args):
    "Wall seconds and peak resident MB of a whole `colorfast` process."
    start = perf_counter()
    p = subprocess.Popen([*COMMAND, *args], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    err = p.stderr.read()
    _,status,use = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode: raise SystemExit(f'colorfast {" ".join(args)} failed: {err.decode()}')
    unit = 1 if sys.platform == 'darwin' else 1024  # of the peak, in bytes
    return perf_counter()-start, use.ru_maxrss*unit/1e6

def gray_copy(photo, size): # (width, height)
    return Image.open(photo).convert('L').resize(size, Image.Resampling.LANCZOS)

def save_enlarged(photo, megapixels, path):
    "`photo` in gray, brought to so many megapixels, as a JPEG."
    w,h = Image.open(photo).size
    k = (megapixels*1e6/(w*h))**.5
    gray_copy(photo, (round(w*k),round(h*k))).save(path, quality=92)
    return path

def report_processes(photo, model, runs, folder):
    for mp in (1,12):
        src = save_enlarged(photo, mp, f'{folder}/{mp}mp.jpg')
        times,peaks = zip(*[run_process('predict', src, '-o', f'{folder}/{mp}-{i}', '--model', model, '--quiet') for i in range(runs)])
        print(f'colorfast predict, {mp} megapixels: {median(times):.2f} s, peak {max(peaks):.0f} MB')
    print(f'colorfast --help: {median(run_process("--help")[0] for _ in range(runs)):.2f} s')

# ---- a hint

def report_hint(photo, model, runs, side=1280):
    "The time from a second click to the picture, where the first has been there."
    from colorfast.colorize.colorizer import Colorizer
    from colorfast.colorize.options import ColorOptions
    from colorfast.photo.read import open_photo
    w,h = Image.open(photo).size
    k = side/max(w,h)
    opened = open_photo(gray_copy(photo, (round(w*k),round(h*k))))
    c = Colorizer.from_pretrained(model)
    H,W = opened.pixels.shape[:2]
    def hint(x, y, color): return {'x':x*W, 'y':y*H, 'color':color}
    first = hint(.3, .6, '#7a1f2b')
    analysis = c.analyse(opened)
    c.color_analysis(analysis, ColorOptions([first]))
    walls,computing = [],[]
    for i in range(runs):
        options = ColorOptions([first, hint(.55+.05*(i%8), .3+.02*i, '#3a5f8a')])  # a point that was not asked for yet
        start = process_time()
        walls.append(seconds_of(c.color_analysis, analysis, options))
        computing.append(process_time()-start)
    print(f'a second hint at {W} x {H} px: {median(walls):.3f} s, {median(computing):.3f} s of CPU time '
          f'(the whole photo anew with both: {seconds_of(c.color, opened, options):.3f} s)')

@call_parse
def main(model:str='default', # built-in name, model folder, or hub id
         photo:str=None, # enlarged for the whole-process figures; default: the first of samples/
         runs:int=5): # of each process; forwards are run 4 times as often
    "Speed and memory on two CPU threads."
    keep_to_two_cores()
    from colorfast.runtime.folder import model_folder
    photo = photo or next((f for f in sorted(SAMPLES.rglob('*')) if f.suffix.lower() in {'.jpg','.jpeg','.png','.tif','.webp'}), None)
    if not photo: raise SystemExit(f'There is no photo in {SAMPLES}: give one with --photo.')
    with TemporaryDirectory() as d:
        # processes first: Linux counts the memory of the process that starts another as that one's, and torch is large
        report_processes(photo, model, runs, d)
        report_hint(photo, model, runs)
        export_resnet34(f'{d}/resnet34.onnx')
        ours,theirs = forward_seconds(session(model_folder(model)/'model.onnx'), session(f'{d}/resnet34.onnx'), 4*runs)
    print(f'256 px forward: {model} {ours*1e3:.1f} ms, ResNet34 DynamicUnet {theirs*1e3:.1f} ms, ratio {theirs/ours:.1f}')
