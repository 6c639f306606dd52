"""How far does a click reach, and how much does each further one help? Figure 3 of guided color, two tables.

    python benchmarks/guided_reach.py [PHOTOS] [--limit N] [--part even] [--spots 200] [--users 60] [--model default]

A thing is the connected region around a random spot of a photo whose true a*b* are within 12 of the spot's, and that is 0.5 to 40 %
of the picture. After one hint there, with the true color: the share of the thing that is within CIEDE2000 10 of the truth, and the
share of everything else that moved by more than 3. Beside it without the hint, and with the thing alone painted in the hint's color,
which is all that one color can do. Then users who know the truth and give hints, each the mean of a 7x7 patch: at random places, or
each at the worst one (dE00, mean of a patch). Photos whose number is odd are for development."""
import re
from pathlib import Path

import cv2, numpy as np, torch
from fastcore.script import call_parse

from colorfast.color import AB_SCALE
from colorfast.colorize.colorizer import Colorizer
from colorfast.colorize.hints import Hint
from colorfast.colorize.options import ColorOptions
from colorfast.evaluate.measure import to_lab, to_rgb, true_colors
from colorfast.photo.find import PHOTO_SUFFIXES
from colorfast.train.metrics import ciede2000

PATCH = 7 # px, of a simulated user
NEAR,MOVED = 10,3 # dE00
THING = .005,.4 # smallest and largest share of the picture
STEPS = 0,1,5,10,50 # hints

def numbered(fn): return int((re.findall(r'\d+', Path(fn).stem) or ['0'])[-1])

def photos_of(folder, part, limit):
    "The files of one part, `limit` of them spread over the folder."
    found = sorted(f for f in Path(folder).rglob('*') if f.suffix.lower() in PHOTO_SUFFIXES)
    files = [f for f in found if part == 'all' or numbered(f)%2 == (part == 'odd')]
    if limit is None or limit >= len(files): return files
    return [files[i] for i in np.linspace(0, len(files)-1, limit).round().astype(int)]

class Case:
    "A photo whose colors are known, and what a model makes of its lightness."
    def __init__(self, model, fn):
        self.model = model
        self.truth = to_lab(true_colors(fn))
        self.ab = cv2.blur(self.truth[0,1:].permute(1,2,0).numpy(), (3,3))
        self.patch = cv2.blur(self.ab, (PATCH,PATCH))
        self.analysis = model.analyse(self.truth[0,0].numpy())

    @property
    def shape(self): return self.ab.shape[:2]

    def colored(self, hints): # of `Hint`
        "Lab `(1,3,H,W)` with `hints`."
        return to_lab(self.model.color_analysis(self.analysis, ColorOptions(hints)))

    def error(self, lab): return ciede2000(lab, self.truth)[0].numpy()

    def psnr(self, lab):
        diff = to_rgb(lab).astype(np.float32) - to_rgb(self.truth)
        return 10*np.log10(255**2/max((diff**2).mean(), 1e-6))

# ---- one click

def thing_at(ab, row, col):
    "The connected region of `ab` `(H,W,2)` around a spot whose colors are within 12 of the spot's."
    near = np.hypot(*(ab-ab[row,col]).transpose(2,0,1)) < 12/AB_SCALE
    _,parts = cv2.connectedComponents(near.astype(np.uint8), connectivity=4)
    return parts == parts[row,col]

def random_thing(case, rng, tries=50):
    "A spot and its thing, or None."
    for _ in range(tries):
        row,col = (int(rng.integers(n)) for n in case.shape)
        thing = thing_at(case.ab, row, col)
        if THING[0] <= thing.mean() <= THING[1]: return row,col,thing

def one_click(case, row, col, thing):
    "Shares of the thing that are right and of the rest that moved: without a hint, with it, and with the thing alone painted."
    plain = case.colored([])
    hinted = case.colored([Hint(col, row, case.ab[row,col])])
    alone = plain.clone()
    alone[0,1:,torch.from_numpy(thing)] = torch.from_numpy(case.ab[row,col])[:,None]
    def shares(lab):
        moved = ciede2000(lab, plain)[0].numpy() > MOVED
        return (case.error(lab) < NEAR)[thing].mean(), moved[~thing].mean(), case.error(lab).mean()
    return [shares(o) for o in (plain,hinted,alone)]

def report_clicks(model, files, spots, seed):
    rng = np.random.default_rng(seed)
    rows = []
    while len(rows) < spots:
        for i in rng.permutation(len(files))[:spots-len(rows)]:
            case = Case(model, files[i])
            found = random_thing(case, rng)
            if found: rows.append(one_click(case, *found))
    means = np.mean(rows, 0)
    print(f'\n{spots} spots of {len(files)} photos\n')
    print('| | of the thing, within dE00 10 of the truth (aim 0.8) | of the rest, moved by more than 3 (at most 0.1) | dE00 |')
    print('|---|---|---|---|')
    for name,(right,moved,error) in zip(('no hint','one hint','the thing alone painted'), means):
        print(f'| {name} | {right:.3f} | {moved:.3f} | {error:.2f} |', flush=True)
    return np.array(rows)

# ---- users

def told(case, row, col): return Hint(col, row, case.patch[row,col])

def random_user(case, rng):
    "Yields `Lab` after each of `STEPS`; the hints of a step are among those of the next."
    rows,cols = (rng.integers(n, size=max(STEPS)) for n in case.shape)
    hints = [told(case, r, c) for r,c in zip(rows, cols)]
    for n in STEPS: yield case.colored(hints[:n])

def worst_user(case, rng):
    hints = []
    for n in range(max(STEPS)+1):
        lab = case.colored(hints)
        if n in STEPS: yield lab
        worst = cv2.blur(case.error(lab), (PATCH,PATCH))
        hints.append(told(case, *np.unravel_index(worst.argmax(), worst.shape)))

def report_users(model, files, seed):
    print(f'\n{len(files)} photos, PSNR in dB (dE00) after so many hints: better with every step\n')
    print('| hints | ' + ' | '.join(map(str, STEPS)) + ' |\n|---' + '|---'*len(STEPS) + '|')
    for name,user in (('at random places',random_user), ('at the worst place',worst_user)):
        scores = []
        for i,fn in enumerate(files):
            case = Case(model, fn)
            scores.append([(case.psnr(o), case.error(o).mean()) for o in user(case, np.random.default_rng([seed,i]))])
        means = np.mean(scores, 0)
        print(f'| {name} | ' + ' | '.join(f'{p:.2f} ({e:.2f})' for p,e in means) + ' |', flush=True)

@call_parse
def main(photos:str, # folder of color photos, numbered
         limit:int=None, # only so many photos, spread over the folder
         part:str='even', # of the photos: even, odd or all
         spots:int=200, # random ones for a click; 0 leaves them out
         users:int=60, # photos for the simulated users; 0 leaves them out
         seed:int=0,
         model:str='default'): # built-in name, model folder, or hub id
    "How far a click reaches, and how much each further one helps."
    files = photos_of(photos, part, limit)
    model = Colorizer.from_pretrained(model)
    if spots: report_clicks(model, files, spots, seed)
    if users: report_users(model, photos_of(photos, part, users), seed)
