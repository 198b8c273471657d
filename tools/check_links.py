"""Links of notebooks and Markdown files: check_links.py [--list] [--network] [FILE ...]

Offline, every link to a file of this repository must lead to a file that is there, in that spelling, and every anchor to a
heading. That holds for relative links and for addresses of this repository on GitHub, Colab and Kaggle. Links to elsewhere are
counted; --list prints them, --network asks each once and names those that are gone.
"""
import argparse, re, sys
from collections import defaultdict
from functools import cache
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen
from project import address, root, settings
from prose import documents, prose_of, without_code

inline = re.compile(r'!?\[(?:[^\[\]]|\[[^\[\]]*\]|!\[[^\]]*\]\([^)]*\))*\]\(\s*<?((?:[^()\s<>]|\([^()\s]*\))*)>?(?:\s+"[^"]*")?\s*\)')
image = re.compile(r'!\[[^\]]*\]\(\s*<?([^)\s>]+)')
defined = re.compile(r'^ {0,3}\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$)', re.M)
attribute = re.compile(r'\b(?:href|src|srcset)\s*=\s*["\']([^"\']+)["\']')
bare = re.compile(r'<(https?://[^>\s]+)>')

def links(text):
    "Line number and target of every link of a Markdown text, code left out."
    text = without_code(text)
    found = {(text.count('\n', 0, match.start(1)) + 1, match[1]) for pattern in (inline, image, defined, attribute, bare) for match in pattern.finditer(text)}
    return sorted(found)

def slugs(heading):
    "The anchors under which a heading is found: on GitHub and in the site, and in Jupyter."
    plain = re.sub(r'!?\[([^\]]*)\]\([^)]*\)', r'\1', heading).replace('`', '').replace('*', '').strip()
    return {re.sub(r'[^\w\- ]', '', plain.lower()).replace(' ', '-'), plain.replace(' ', '-')}

@cache
def anchors(path):
    "All anchors of a Markdown file or notebook."
    found, seen = set(), defaultdict(int)
    for prose in prose_of(path):
        text = without_code(prose.text)
        found |= set(re.findall(r'<\w+[^>]*\b(?:id|name)="([^"]+)"', text))
        for match in re.finditer(r'^#{1,6}\s+(.+?)\s*#*\s*$', text, re.M):
            heading = prose.text.split('\n')[text.count('\n', 0, match.start())].lstrip('#').strip()
            for slug in slugs(heading):
                found.add(f'{slug}-{seen[slug]}' if seen[slug] else slug)
                seen[slug] += 1
    return found

def own_path(url):
    "The path in this repository to which an address on GitHub, Colab or Kaggle leads; None for what is elsewhere or no file."
    config = settings()
    place = rf"{re.escape(config['user'])}/{re.escape(config['repo'])}"
    found = re.search(rf'(?:github\.com|/github)/{place}/(?:blob|tree|raw)/[^/]+/([^?\s]+)$', url) or re.search(rf'raw\.githubusercontent\.com/{place}/[^/]+/([^?\s]+)$', url)
    return found and found[1]

def is_external(target):
    "Does a link leave this repository?"
    return urlsplit(target).scheme in ('http', 'https', 'mailto', 'ftp') or target.startswith('//')

def same_spelling(path):
    "Is there a file or folder of exactly this spelling? On some systems `Readme.md` opens `README.md`, on GitHub it does not."
    try: parts = path.relative_to(root.resolve()).parts
    except ValueError: return False
    place = root.resolve()
    for part in parts:
        if not place.is_dir() or part not in {child.name for child in place.iterdir()}: return False
        place = place/part
    return True

def fault(path, target):
    "What is wrong with a link in the document at `path`; None if nothing is."
    own = own_path(target) if is_external(target) else None
    if is_external(target) and own is None: return None
    link, _, anchor = (own or target).partition('#')
    # README.md is made from the index, so links of the index are those of README.md
    start = root if own or link.startswith('/') or address(path) == 'nbs/index.ipynb' else path.parent
    there = (start/unquote(link.lstrip('/'))).resolve() if link else path
    if not same_spelling(there): return f'{target} leads to no file'
    if not anchor: return None
    if there.suffix not in ('.md', '.ipynb'): return None
    if unquote(anchor) in anchors(there): return None
    return f'{target}: {address(there)} has no heading for #{anchor}'

def look(paths):
    "Sentences on broken links, and the addresses elsewhere with the places that name them."
    broken, elsewhere = [], defaultdict(list)
    for path in paths:
        for prose in prose_of(path):
            for line, target in links(prose.text):
                if target.startswith(('attachment:', 'data:')): continue
                if is_external(target) and own_path(target) is None: elsewhere[target].append(prose.place(line))
                elif wrong := fault(path, target): broken.append(f'{prose.place(line)}: {wrong}')
    return broken, elsewhere

def answer(url):
    "What the server of an address says: None if it gives the page, else why not."
    try:
        with urlopen(Request(url, headers={'User-Agent': 'Mozilla/5.0 (link check)'}), timeout=20): return None
    except HTTPError as error: return None if error.code in (401, 403, 405, 429) else f'answers {error.code}'   # there, but not for robots
    except (URLError, OSError, ValueError) as error: return f'does not answer ({error})'

def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('files', nargs='*', type=Path, help='documents; all if left out')
    parser.add_argument('--list', action='store_true', help='print the addresses elsewhere')
    parser.add_argument('--network', action='store_true', help='ask each address elsewhere')
    given = parser.parse_args(arguments)
    broken, elsewhere = look([path.resolve() for path in given.files] or documents())
    if given.list:
        for url in sorted(elsewhere): print(url)
    if given.network: broken += [f'{places[0]}: {url} {wrong}' for url, places in sorted(elsewhere.items()) if url.startswith('http') and (wrong := answer(url))]
    if broken: sys.exit('\n'.join([*broken, f'{len(broken)} links are broken']))
    print(f"links: all that stay here lead somewhere; {len(elsewhere)} addresses elsewhere{' answered' if given.network else ' were not asked: make links NETWORK=1'}")

if __name__ == '__main__': main()
