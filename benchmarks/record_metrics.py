"Puts the means of a report of `colorfast evaluate` into a model folder's config.json and card."
import json
from pathlib import Path
import pandas as pd
from fastcore.script import call_parse
from colorfast.basics import atomic
from colorfast.runtime.config import read_config
from colorfast.runtime.folder import model_card, model_folder

def measured(report, row): # folder that `colorfast evaluate` wrote, name of a model
    "Dict of what was measured of the model, as its card tells it."
    table = pd.read_csv(report/'table.csv', index_col='model')
    if row not in table.index: raise SystemExit(f'{report}/table.csv has no row {row!r}: give one of {", ".join(table.index)} with --row.')
    means = {k:round(v, 3) for k,v in table.loc[row].dropna().items() if not k.endswith((' low',' high'))}
    n = pd.read_csv(report/'photos.csv')['photo'].nunique()
    return {'photos':f'{n}, not trained on', **means, 'CF of the originals':round(table.loc['originals','CF'], 1)}

@call_parse
def main(report:Path, # folder that `colorfast evaluate` wrote
         model:str, # built-in name or model folder
         row:str=None): # the model's name in the report, if another
    "Put the means of a report into a model folder's config.json and card."
    folder = model_folder(model)
    config = {**read_config(folder), 'metrics':measured(report, row or folder.resolve().name)}
    with atomic(folder/'config.json') as tmp: tmp.write_text(json.dumps(config, indent=2)+'\n', encoding='utf-8')
    with atomic(folder/'README.md') as tmp: tmp.write_text(model_card(config), encoding='utf-8')
