"""Does fine-tuning on an album help, and does it forget?

PHOTOS has a folder for each kind. An album is `--n` random ones of a kind; 20 others are colored by the base and by
the result, and so are `--limit` photos of VALID, which are of all kinds. Minutes are CPU time. Each album is a process of
its own, whose peak memory is told. Albums that are there are not tuned again."""
import json, random, resource, shutil, subprocess, sys, time
from pathlib import Path
from fastcore.script import call_parse

TEST_PHOTOS = 20 # of the kind that the album does not hold
HEAD = '''| album | kept | dE2000 base | tuned | change [95 %] | CF | general: tuned/base | CPU min | peak MB |
|---|---|---|---|---|---|---|---|---|'''

def files_in(folder): return sorted(o for o in folder.rglob('*') if o.is_file())

def split_kind(folder, n, seed=1):
    "Files for an album of `n` photos, and others of the same kind."
    files = files_in(folder)
    random.Random(seed).shuffle(files)
    return files[:n], files[-TEST_PHOTOS:]

# ---- tuning, in a process of its own

IN_A_PROCESS = f'import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from finetune import tune; tune(*sys.argv[1:])'

def tune(album, out, base, minutes):
    "Fine-tune, and print what it took."
    import torch
    from colorfast.finetune.run import finetune
    torch.set_num_threads(1)
    r = finetune(album, out, float(minutes), base, clock=time.process_time)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss//1024
    print(json.dumps({'kept':r.choice['kept'], 'CPU min':round(time.process_time()/60, 1), 'peak MB':peak}))

def tuned_on(files, name, base, minutes, runs):
    "The model folder of an album, and what it took; made once."
    album,out = runs/f'{name}-album',runs/name
    told = out/'told.json'
    if not told.exists():
        for folder in (album,out): shutil.rmtree(folder, ignore_errors=True)
        album.mkdir(parents=True)
        for f in files: shutil.copy(f, album)
        cmd = [sys.executable, '-c', IN_A_PROCESS, album, out, base, str(minutes)]
        done = subprocess.run(cmd, stdout=subprocess.PIPE, text=True, check=True)
        told.write_text(done.stdout.strip().splitlines()[-1])
    return out, json.loads(told.read_text())

# ---- measuring

def measured(base, tuned, files):
    "Frames of photos x (base, tuned): dE2000 and colorfulness."
    import torch
    from colorfast.evaluate.measure import load_models, measure_photos, METRICS
    few = {k:METRICS[k] for k in ('dE2000','CF')}
    values,*_ = measure_photos({str(f):f for f in files}, torch.zeros(2), load_models({'base':base, 'tuned':tuned}), metrics=few)
    return (values[k].unstack()[['base','tuned']] for k in few)

def table_row(name, base, tuned, told, others, general):
    "A line of the table: better on photos like the album's, and not worse on general ones?"
    from colorfast.finetune.choose import expanded_interval
    error,cf = measured(base, tuned, others)
    mean,low,high = expanded_interval(error.tuned-error.base)
    forgetting = 1.
    if told['kept'] != 'base':
        error_of_all,_ = measured(base, tuned, general)
        forgetting = error_of_all.tuned.mean()/error_of_all.base.mean()
    cells = [name, told['kept'], f'{error.base.mean():.2f}', f'{error.tuned.mean():.2f}', f'{mean:+.2f} [{low:+.2f}, {high:+.2f}]',
             f'{cf.base.mean():.1f} -> {cf.tuned.mean():.1f}', f'{forgetting:.3f}', str(told['CPU min']), str(told['peak MB'])]
    return f'| {" | ".join(cells)} |'

@call_parse
def main(photos:Path, # folder with a folder for each kind
         valid:Path, # folder of other photos
         base:str='default', # model to start from
         kinds:str='flowers,food,street,faces,nature', # folders in `photos`
         n:int=60, # photos in an album
         minutes:float=10., # of CPU time for each
         limit:int=60, # photos of `valid`
         out:Path=Path('runs/finetune')): # folder for albums and models
    "Does fine-tuning on an album help, and does it forget?"
    import torch
    from colorfast.evaluate.measure import evenly_spaced
    torch.set_num_threads(1)
    general = evenly_spaced(files_in(valid), limit)
    print(HEAD)
    for kind in kinds.split(','):
        files,others = split_kind(photos/kind, n)
        tuned,told = tuned_on(files, f'{kind}-{n}', base, minutes, out)
        print(table_row(f'{n} {kind}', base, tuned, told, others, general), flush=True)
