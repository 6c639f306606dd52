"""Does fine-tuning on an album help, and does it forget?

    python benchmarks/finetune.py PHOTOS VALID [--base default] [--kinds flowers food street faces nature] [--photos 60] [--minutes 10] [-o runs/finetune]

PHOTOS has a folder for each kind. An album is `--photos` random ones of a kind; 20 others are colored by the base and by
the result, and so are `--limit` photos of VALID, which are of all kinds. Minutes are CPU time. Each album is a process of
its own, whose peak memory is told. Albums that are there are not tuned again."""
import json, os, random, resource, shutil, subprocess, sys, time
from argparse import ArgumentParser
from pathlib import Path

TEST = 20 # photos of the kind that the album does not hold

def album(photos, kind, n, seed=1):
    "Files for an album of `n` photos, and others of the same kind."
    files = sorted(o for o in (photos/kind).rglob('*') if o.is_file()); random.Random(seed).shuffle(files)
    return files[:n], files[-TEST:]

def tune(folder, out, base, minutes):
    "In a process of its own: fine-tune, and print what it took."
    import torch
    from colorfast.finetune.run import finetune
    torch.set_num_threads(1)
    r = finetune(folder, out, minutes, base, clock=time.process_time)
    print(json.dumps({'kept':r.choice['kept'], 'CPU min':round(time.process_time()/60, 1), 'peak MB':resource.getrusage(resource.RUSAGE_SELF).ru_maxrss//1024}))

def tuned(files, name, o):
    "The model folder of an album, and what it took."
    out = o.out/name; told = out/'told.json'
    if not told.exists():
        shutil.rmtree(out, ignore_errors=True); shutil.rmtree(o.out/f'{name}-album', ignore_errors=True); (o.out/f'{name}-album').mkdir(parents=True)
        for f in files: shutil.copy(f, o.out/f'{name}-album')
        done = subprocess.run([sys.executable, __file__, '--tune', o.out/f'{name}-album', out, o.base, str(o.minutes)], stdout=subprocess.PIPE, check=True)
        told.write_text(done.stdout.decode().strip().splitlines()[-1])
    return out, json.loads(told.read_text())

def compared(base, out, files):
    "dE2000 of base and tuned, their mean difference with its interval, and both colorfulnesses."
    import torch
    from colorfast.evaluate.measure import METRICS, measure_photos, load_models
    from colorfast.finetune.choose import expanded_interval
    v,_ = measure_photos({str(f):f for f in files}, torch.zeros(2), load_models({'base':base, 'tuned':out}), None, {k:METRICS[k] for k in ('dE2000','CF')})
    d,c = (v[k].unstack()[['base','tuned']] for k in ('dE2000','CF'))
    mean,low,high = expanded_interval(d.tuned-d.base)
    return {'base':round(d.base.mean(), 2), 'tuned':round(d.tuned.mean(), 2), 'change':f'{mean:+.2f} [{low:+.2f}, {high:+.2f}]', 'CF':f'{c.base.mean():.1f} -> {c.tuned.mean():.1f}'}, d

def main():
    if sys.argv[1:2] == ['--tune']: folder,out,base,minutes = sys.argv[2:]; return tune(folder, out, base, float(minutes))
    p = ArgumentParser(description='Does fine-tuning on an album help, and does it forget?')
    p.add_argument('photos', type=Path, help='folder with a folder for each kind'); p.add_argument('valid', type=Path, help='folder of other photos')
    p.add_argument('--base', default='default'); p.add_argument('--kinds', nargs='*', default=['flowers','food','street','faces','nature']); p.add_argument('--photos', dest='n', type=int, default=60)
    p.add_argument('--minutes', type=float, default=10); p.add_argument('--limit', type=int, default=60); p.add_argument('-o', '--out', type=Path, default=Path('runs/finetune'))
    o = p.parse_args(); import torch; torch.set_num_threads(1)
    everything = sorted(f for f in o.valid.rglob('*') if f.is_file()); general = [everything[i] for i in range(0, len(everything), max(1, len(everything)//o.limit))][:o.limit]
    print('| album | kept | dE2000 base | tuned | change [95 %] | CF | general: tuned/base | CPU min | peak MB |\n|---|---|---|---|---|---|---|---|---|')
    for kind in o.kinds:
        files,others = album(o.photos, kind, o.n); out,told = tuned(files, f'{kind}-{o.n}', o)
        r,_ = compared(o.base, out, others); ratio = 1. if told['kept'] == 'base' else (lambda d: d.tuned.mean()/d.base.mean())(compared(o.base, out, general)[1])
        print(f'| {o.n} {kind} | {told["kept"]} | {r["base"]} | {r["tuned"]} | {r["change"]} | {r["CF"]} | {ratio:.3f} | {told["CPU min"]} | {told["peak MB"]} |', flush=True)

if __name__=='__main__': main()
