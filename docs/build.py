"Build the documentation into `_site/`. A broken link or an undocumented public name is a failure."
import argparse, logging, sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NEEDED = "The documentation is built by MkDocs: pip install '.[docs]'"

def build(root=ROOT, out=None, draft=False, **options):
    "Build the site of the project at `root` into a folder; True if nothing is wrong with it."
    try:
        from mkdocs.commands.build import build
        from mkdocs.config import load_config
        from mkdocs.exceptions import MkDocsException
        import material
    except ModuleNotFoundError as e:
        print(f'{NEEDED} ({e.name} is missing).', file=sys.stderr)
        sys.exit(2)
    site = Path(out or Path(root)/'_site').resolve()
    pages = Path(root).resolve()/'docs'
    config = load_config(str(ROOT/'mkdocs.yml'), docs_dir=str(pages), site_dir=str(site), strict=not draft, **options)
    try: build(config)
    except MkDocsException as e:
        print(e, file=sys.stderr)
        return False
    return True

def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('-o', '--out', help='folder for the site [_site]')
    p.add_argument('--draft', action='store_true', help='only warn of what is wrong')
    args = p.parse_args()
    logging.basicConfig(format='%(message)s')
    sys.exit(0 if build(out=args.out, draft=args.draft) else 1)

if __name__ == '__main__': main()
