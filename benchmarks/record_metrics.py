"""Puts the means of a report of `colorfast evaluate` into a model folder's config.json and card.

    python benchmarks/record_metrics.py REPORT MODEL [--row NAME]"""
import json
from argparse import ArgumentParser
from pathlib import Path
import pandas as pd
from colorfast.runtime.folder import model_card, model_folder, read_config

def main():
    p = ArgumentParser(description='Record what was measured')
    p.add_argument('report', type=Path, help='folder that `colorfast evaluate` wrote'); p.add_argument('model', help='built-in name or model folder')
    p.add_argument('--row', help="the model's name in the report, if another")
    o = p.parse_args()
    table,folder = pd.read_csv(o.report/'table.csv', index_col='model'),model_folder(o.model)
    row = o.row or folder.resolve().name
    if row not in table.index: raise SystemExit(f'{o.report}/table.csv has no row {row!r}: give one of {", ".join(table.index)} with --row.')
    means = {k:round(v, 3) for k,v in table.loc[row].dropna().items() if not k.endswith((' low',' high'))}
    n = pd.read_csv(o.report/'photos.csv')['photo'].nunique()
    config = {**read_config(folder), 'metrics': {'photos': f'{n}, not trained on', **means, 'CF of the originals': round(table.loc['originals','CF'], 1)}}
    (folder/'config.json').write_text(json.dumps(config, indent=2)+'\n', encoding='utf-8')
    (folder/'README.md').write_text(model_card(config), encoding='utf-8')

if __name__=='__main__': main()
