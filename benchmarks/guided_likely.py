"""How good the suggestions are, and how far the doubt can be trusted (issue: guided color, figures 2, 4 and 6).

    python benchmarks/guided_likely.py --photos FOLDER [--limit N] [--calibrate]

FOLDER holds color photos that no model was trained on; each is turned gray, and its colors are the truth. Every second photo
(odd numbers) is what the numbers in the code and in config.json were chosen on; the tables are of the others.

Suggestions: random spots of each photo; a hit is a spot whose true color is within CIEDE2000 10 of one of six suggestions. Beside
it stand six colors that are the same for all photos, chosen by the same rule from the mean of what the palette says of the odd
photos, and shown at the spot's lightness. Near gray everything is a hit, so colored spots (chroma over 20) are counted apart, and
spots on things: connected regions of the original whose ab is within 12 of the spot's, 0.5 to 40 % of the picture.

Doubt: random pixels of each photo. Beside it stands a doubt that knows only the lightness, fitted and calibrated likewise.
--calibrate fits the coefficients of the doubt on the odd photos and writes them into the model's config.json."""
import json
from pathlib import Path
from time import process_time

import cv2, numpy as np
from fastcore.script import call_parse

from colorfast.color import AB_SCALE, rgb2lab
from colorfast.colorize.colorizer import Colorizer
from colorfast.colorize.doubt import EVIDENCE, doubt, evidence, surest
from colorfast.colorize.hints import hint_pixel
from colorfast.colorize.palette import color_difference, likely_colors, shades_at, shown_colors
from colorfast.colorize.suggest import FLATTEN, choose_colors, suggest
from colorfast.photo.core import photo_L
from colorfast.photo.find import find_media
from colorfast.photo.read import open_photo

SPOTS = 24  # of each photo
PIXELS = 300
NEAR = 10  # CIEDE2000 that counts as the same color
COLORED = 20  # chroma over which a spot has a color
LEVELS = 32  # steps of lightness for the colors that are the same for all photos
TARGETS = {'hit':'at least 70 %', 'gain':'8 points', 'coverage':'90 % +- 3', 'sure':'at least 15 %', 'time':'under 20 ms'}

# ---- photos and their truth

def find(folder, limit):
    "(number, path) of the photos of a folder, sorted; at most `limit`, in pairs of an even and an odd one from all over it."
    found = list(enumerate(sorted({str(src) for src,_ in find_media([folder], 'unused')})))
    if not limit or limit >= len(found): return found
    pairs = np.linspace(0, len(found)//2-1, max(1, limit//2)).astype(int)
    return [found[2*i+k] for i in pairs for k in (0,1)]

def seen(colorizer, fn):
    "The `Analysis` of a color photo's lightness, and its true ab `(2,h,w)` at render size."
    photo = open_photo(fn)
    analysis = colorizer.analyse(photo_L(photo))
    h,w = analysis.renders[-1].L.shape
    small = cv2.resize(photo.pixels, (w,h), interpolation=cv2.INTER_AREA)
    return analysis, rgb2lab(small.transpose(2,0,1).astype(np.float32)/255)[1:]

def random_pixels(shape, n, seed):
    "Rows and columns of `n` random pixels."
    rng = np.random.default_rng(seed)
    return rng.integers(0, shape[0], n), rng.integers(0, shape[1], n)

# ---- suggestions

def thing_share(ab, row, col):
    "Share of the picture `ab` `(2,h,w)` that is connected to the pixel and within 12 units of its color."
    near = np.hypot(*(ab-ab[:,row,col][:,None,None]))*AB_SCALE < 12
    _,labels = cv2.connectedComponents(near.astype(np.uint8))
    return (labels == labels[row,col]).mean()

def point_of(render, analysis, row, col):
    "x and y in the photo of a pixel of the render."
    H,W = analysis.L.shape
    h,w = render.L.shape
    return (col+.5)*W/w - .5, (row+.5)*H/h - .5

def spots_of(colorizer, analysis, truth, seed):
    "For each spot: lightness, true ab, share of its thing, and the suggestions `(6,2)`, nan where there are fewer."
    render = analysis.renders[-1]
    for row,col in zip(*random_pixels(render.L.shape, SPOTS, seed)):
        colors = np.full((6,2), np.nan, np.float32)
        found = suggest(colorizer, analysis, *point_of(render, analysis, row, col))
        colors[:len(found)] = [o.ab for o in found]
        yield render.L[row,col], truth[:,row,col], thing_share(truth, row, col), colors

def same_for_all(colorizer, mean_likely, L):
    "Six colors `(n,6,2)` for spots of lightness `L` `(n,)`, chosen from what is likely on average."
    flat = mean_likely**FLATTEN
    out = np.full((len(L),6,2), np.nan, np.float32)
    levels = np.round(L*LEVELS)
    for level in np.unique(levels):
        shades = shades_at(colorizer, level/LEVELS)
        chosen,_ = choose_colors(flat/flat.sum() @ shades.spread, shades.difference, 6)
        colors = np.full((6,2), np.nan, np.float32)
        colors[:len(chosen)] = shades.colors[chosen]
        out[levels == level] = colors
    return out

def fixed_six(colorizer, mean_likely, L):
    "As `same_for_all`, but chosen once, at a middle lightness, and shown at `L`."
    return shown_colors(np.repeat(same_for_all(colorizer, mean_likely, np.array([.5])), len(L), 0), np.repeat(L[:,None], 6, 1))

def hits(colors, truth): # `(n,6,2)`, `(n,2)`
    "True for each spot whose color is among them."
    with np.errstate(invalid='ignore'): return (color_difference(colors, truth[:,None]) < NEAR).any(1)

def percent(v): return f'{100*v:.1f} %'

def suggestion_table(rows): # name: hits `(n,)`
    "Lines of a table, and which spots are counted in each."
    L,truth,share,_ = rows['spots']
    colored = np.hypot(*truth.T)*AB_SCALE > COLORED
    thing = (share > .005) & (share < .4)
    masks = {'all spots':colored == colored, 'colored':colored, 'on things':thing, 'colored, on things':colored & thing}
    yield '| true color within CIEDE2000 10 of one of six | ' + ' | '.join(f'{k} ({m.sum()})' for k,m in masks.items()) + ' |'
    yield '|---|' + '---|'*len(masks)
    for name,hit in rows['hits'].items(): yield f'| {name} | ' + ' | '.join(percent(hit[m].mean()) for m in masks.values()) + ' |'

# ---- doubt

def logistic(x, y, ridge=1e-3): # `(n,k)`, `(n,)`
    "Coefficients `(k+1,)`, the constant first, of a logistic regression; by Newton's steps, on standardized columns."
    mean = x.mean(0)
    deviation = x.std(0)+1e-6
    z = np.c_[np.ones(len(x)), (x-mean)/deviation]
    w = np.zeros(z.shape[1])
    for _ in range(20):
        p = 1/(1+np.exp(-z@w))
        slope = z.T@(p-y)/len(y) + ridge*w
        curvature = (z.T*(p*(1-p)))@z/len(y) + ridge*np.eye(len(w))
        w = w - np.linalg.solve(curvature, slope)
    return np.r_[w[0]-(w[1:]/deviation)@mean, w[1:]/deviation]

def scores(x, w):
    "Doubt `(n,)` by the coefficients `w`."
    return 1/(1+np.exp(-(w[0] + x@w[1:])))

def fit_doubt(x, wrong, number):
    "Coefficients, and the largest doubt that is sure, judged by each half of the photos with coefficients of the other half."
    halves = number//2 % 2
    crossed = np.empty(len(x))
    for half in (0,1):
        here = halves == half
        crossed[here] = scores(x[here], logistic(x[~here], wrong[~here]))
    return logistic(x, wrong), surest(crossed, wrong)

def pixels_of(colorizer, analysis, truth, seed):
    "Evidence `(n,5)` and CIEDE2000 to the truth `(n,)` of random pixels."
    render = analysis.renders[-1]
    row,col = random_pixels(render.L.shape, PIXELS, 1000+seed)
    shown = shown_colors(colorizer.auto_ab(analysis)[:,row,col].T, render.L[row,col])
    return evidence(colorizer, analysis)[:,row,col].T, color_difference(shown, truth[:,row,col].T)

ONLY_LIGHTNESS = [EVIDENCE.index(k) for k in ('room','lightness','squared lightness')]

def doubt_row(name, sure, wrong):
    "A line of the table: how much is called sure, and how much of that is right."
    right = percent(1-wrong[sure].mean()) if sure.any() else '-'
    return f'| {name} | {percent(sure.mean())} | {right} |'

def doubt_table(colorizer, x, wrong, number):
    "Lines of the table, of the even photos; the row of lightness alone is fitted on the odd ones."
    odd = number%2 == 1
    saved = colorizer.config['doubt']
    w = np.array([saved['weights'][k] for k in ('constant',*EVIDENCE)])
    w_light,sure_light = fit_doubt(x[odd][:,ONLY_LIGHTNESS], wrong[odd], number[odd])
    yield '| | called sure | of these within CIEDE2000 10 |\n|---|---|---|'
    yield doubt_row('doubt', scores(x[~odd], w) <= saved['sure'], wrong[~odd])
    yield doubt_row('only near black and near white', scores(x[~odd][:,ONLY_LIGHTNESS], w_light) <= sure_light, wrong[~odd])
    yield doubt_row('everything', wrong[~odd] < 2, wrong[~odd])
    yield f'| *wanted* | {TARGETS["sure"]} | {TARGETS["coverage"]} |'

def calibrate_doubt(colorizer, x, wrong, number):
    "Fit on the odd photos; the entry of config.json, written into the model's folder."
    odd = number%2 == 1
    w,sure = fit_doubt(x[odd], wrong[odd], number[odd])
    weights = {k:round(float(v), 4) for k,v in zip(('constant',*EVIDENCE), w)}
    colorizer.config['doubt'] = {'weights':weights, 'sure':round(sure, 4)}
    fn = Path(colorizer.folder)/'config.json'
    config = {**json.loads(fn.read_text()), 'doubt':colorizer.config['doubt']}
    fn.write_text(json.dumps(config, indent=2)+'\n', encoding='utf-8')
    print(json.dumps(colorizer.config['doubt']))

# ---- time

def suggestion_ms(colorizer, fn, n=20):
    "Milliseconds of CPU time of a photo's first suggestion, and the median of those that follow."
    analysis,_ = seen(colorizer, fn)
    H,W = analysis.L.shape
    took = []
    for x,y in np.random.default_rng(0).random((n+1,2))*(W,H):
        began = process_time()
        suggest(colorizer, analysis, x, y)
        took.append(1000*(process_time()-began))
    return took[0], float(np.median(took[1:]))

# ---- all of it

def collect(colorizer, files):
    "Spots and pixels of the photos, each with the photo's number, and the mean palette of the odd ones."
    spots,pixels,means = [],[],[]
    for done,(i,fn) in enumerate(files, 1):
        analysis,truth = seen(colorizer, fn)
        if i%2: means.append(likely_colors(colorizer, analysis)[1].mean((1,2)))
        spots.append(list(zip(*spots_of(colorizer, analysis, truth, i))))
        x,difference = pixels_of(colorizer, analysis, truth, i)
        pixels.append((x, difference, np.full(len(x), i)))
        if done%50 == 0: print(f'{done} of {len(files)} photos', flush=True)
    numbers = np.repeat([i for i,_ in files], SPOTS)
    return [np.concatenate(o) for o in zip(*spots)], numbers, [np.concatenate(o) for o in zip(*pixels)], np.mean(means, 0)

@call_parse
def main(photos:str, # folder of color photos, never trained on
         limit:int=0, # photos at most; 0 is all
         model:str='default', # a model with a palette
         calibrate:bool=False): # fit the doubt on the odd photos, and write it into the model's config.json
    "Tables of figures 2, 4 and 6."
    colorizer = Colorizer.from_pretrained(model, 'cpu')
    files = find(photos, limit)
    spots,numbers,(x,difference,number),mean_likely = collect(colorizer, files)
    even = numbers%2 == 0
    L,truth,share,colors = (o[even] for o in spots)
    rows = {'six suggestions':hits(colors, truth),
            'six colors of the mean palette, the same rule at the spot\'s lightness':hits(same_for_all(colorizer, mean_likely, L), truth),
            'six colors of the mean palette, chosen once':hits(fixed_six(colorizer, mean_likely, L), truth)}
    print(f'\n### Suggestions ({(len(files)+1)//2} photos; wanted: {TARGETS["hit"]}, and {TARGETS["gain"]} over the mean palette)\n')
    print('\n'.join(suggestion_table({'spots':(L,truth,share,colors), 'hits':rows})))
    if calibrate: calibrate_doubt(colorizer, x, difference >= NEAR, number)
    print(f'\n### Doubt ({(len(files)+1)//2} photos that it was not calibrated on)\n')
    print('\n'.join(doubt_table(colorizer, x, difference >= NEAR, number)))
    first,later = suggestion_ms(colorizer, files[0][1])
    print(f'\n### Time\n\nFirst suggestion of a photo {first:.1f} ms of CPU time, another {later:.1f} ms (wanted: {TARGETS["time"]}).')
