"Every link of the finished site leads to a file that is there, and to a place on it; nothing is loaded from elsewhere."
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {'img':'src', 'script':'src', 'iframe':'src', 'source':'src', 'video':'src', 'link':'href'}
LINKED = {'a':'href', **LOADED}

class Page(HTMLParser):
    "The places of a page that can be linked to, and its links as `(tag, address)`."
    def __init__(self, file):
        super().__init__()
        self.ids = set()
        self.links = []
        self.feed(file.read_text(encoding='utf-8'))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids |= {attrs[o] for o in ('id', 'name') if attrs.get(o)}
        if attrs.get(LINKED.get(tag)): self.links.append((tag, attrs[LINKED[tag]]))

def problem(tag, address, file, pages):
    "What is wrong with a link of the page `file`, or None."
    url = urlsplit(address)
    if url.scheme or url.netloc: return f'loads {address}' if tag in LOADED and url.scheme != 'data' else None
    target = (file.parent/unquote(url.path)).resolve() if url.path else file
    if not target.is_file(): return f'links to {address}, which is not there'
    place = unquote(url.fragment)
    known = pages[target].ids | {'__toc'} if target in pages else {place}
    if place and place not in known: return f'links to {address}: there is no such place on that page'

def problems(site):
    "One sentence for each broken link of the site in a folder."
    site = Path(site).resolve()
    pages = {f:Page(f) for f in site.rglob('*.html') if f.is_file()}
    for file,page in pages.items():
        for tag,address in page.links:
            if said := problem(tag, address, file, pages): yield f'{file.relative_to(site).as_posix()} {said}'
