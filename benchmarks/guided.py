"""Guided color, measured: python benchmarks/guided.py reach|reference|film|album|likely ..., with the options of each part.

- reach: how far a click reaches, and how much each further click helps
- reference: colors lent by another photo or frame, related or not
- film: a film with one key frame
- album: an album as a memory, and the photos of one event colored together
- likely: suggestions against six mean colors, and whether the doubt is right"""
import runpy, sys

PARTS = 'reach','reference','film','album','likely'

def main():
    part = sys.argv.pop(1) if len(sys.argv) > 1 else ''
    if part not in PARTS: sys.exit(__doc__)
    sys.argv[0] = f'guided_{part}'
    runpy.run_module(f'guided_{part}', run_name='__main__')

if __name__ == '__main__': main()
