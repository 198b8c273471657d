"""Is the built site sound? check_site.py [FOLDER]

Links are followed in the files. A headless Chromium opens every page at the width of a phone and looks at its console, its
pictures, its headings and its width; axe-core, if there, judges a page of each kind in light and dark.
"""
import html.parser, re, sys, urllib.parse
from pathlib import Path

here = Path(__file__).resolve().parent
sys.path.insert(0, str(here))
from browser import Browser, find_chromium, serve

root = here.parent
faults_of_page = '''(() => {
  const shown = element => element.tagName + (element.className && element.className.baseVal === undefined ? '.' + element.className : '') + ' ' + (element.getAttribute('src') || element.textContent).trim().slice(0, 60);
  const faults = [];
  for (const image of document.querySelectorAll('img')) if (!(image.getAttribute('alt') || '').trim()) faults.push('no alternative text: ' + shown(image));
  for (const drawing of document.querySelectorAll('svg:not([aria-hidden=true])'))
    if (!drawing.closest('[aria-hidden=true], button[aria-label], a[aria-label]') && !drawing.getAttribute('aria-label') && !drawing.querySelector('title')) faults.push('a drawing without a name: ' + shown(drawing.parentElement));
  let before = 0, first = 0;
  for (const heading of document.querySelectorAll('main :is(h1, h2, h3, h4, h5, h6)')) {
    if (!heading.getClientRects().length) continue;
    const level = +heading.tagName[1];
    first += level === 1;
    if (level > before + 1) faults.push(`heading of level ${level} behind level ${before}: ` + shown(heading));
    before = level;
  }
  if (first !== 1) faults.push(`${first} headings of level 1`);
  const width = document.documentElement.clientWidth, wide = Math.max(document.documentElement.scrollWidth, document.body.scrollWidth);
  if (wide > width) {
    const scrolls = element => { for (let e = element; e && e !== document.body; e = e.parentElement) if (getComputedStyle(e).overflowX !== 'visible') return true; return false; };
    const guilty = [...document.querySelectorAll('main *')].filter(element => element.getBoundingClientRect().right > width + 1 && !scrolls(element));
    faults.push(`the page is ${wide} pixels wide, the screen ${width}: ` + guilty.slice(0, 2).map(shown).join(' | '));
  }
  return faults;
})()'''

class Page(html.parser.HTMLParser):
    "Links and places of one page."
    def __init__(self, text):
        super().__init__()
        self.links, self.places = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        for name in ('id', 'name'):
            if given.get(name) and (name == 'id' or tag == 'a'): self.places.add(given[name])
        for name in ('href', 'src'):
            if given.get(name) is not None: self.links.append(given[name])

def pages_of(folder):
    "Pages of a built site, by their address."
    return {path.relative_to(folder).as_posix(): path for path in sorted(Path(folder).rglob('*.html')) if '_static' not in path.parts}

def dead_links(folder):
    "Sentences about links within the site that lead nowhere."
    folder = Path(folder).resolve()
    pages = {address: Page(path.read_text(encoding='utf-8')) for address, path in pages_of(folder).items()}
    found = []
    for address, page in pages.items():
        for link in dict.fromkeys(page.links):
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc or link in ('#', ''): continue
            wanted = ((folder/address).parent/urllib.parse.unquote(parts.path)).resolve() if parts.path else folder/address
            if not wanted.is_file(): found.append(f'{address} leads to {link}: no such file')
            elif parts.fragment and wanted.suffix == '.html':
                there = pages.get(wanted.relative_to(folder).as_posix())
                if there and urllib.parse.unquote(parts.fragment) not in there.places: found.append(f'{address} leads to {link}: no such place')
    return found

def faults(browser, address):
    "What is wrong with one page, as sentences."
    browser.open(address)
    return browser.ask(faults_of_page) + browser.complaints()

def all_faults(folder, width=390, only=None):
    "Page -> what is wrong with it, for the pages of a built site."
    server, start = serve(folder)
    browser = Browser()
    try:
        browser.size(width)
        judged = {address: faults(browser, start + address) for address in pages_of(folder) if only is None or re.search(only, address)}
    finally:
        browser.close()
        server.shutdown()
    return {address: said for address, said in judged.items() if said}

def axe_path():
    "The file of axe-core that the Makefile fetches, or None."
    return next(iter(sorted(root.glob('.venv-site/axe.min.js'))), None)

def axe_faults(browser, address, theme, axe):
    "Serious findings of axe-core on one page."
    browser.theme(theme)
    browser.open(address)
    browser.ask(axe.read_text(encoding='utf-8') + '; 0')
    found = browser.ask("axe.run(document, {resultTypes: ['violations']}).then(all => all.violations.filter(one => ['serious', 'critical'].includes(one.impact))"
                        ".map(one => `${one.id}: ${one.nodes.length} times, such as ${one.nodes[0].html.slice(0, 160)} ${(one.nodes[0].any[0] || {}).message || ''}`))", 300)
    return [f'{theme}: {sentence}' for sentence in found]

def search(browser, start, words):
    "Titles that the page of the search shows for `words`."
    browser.open(f'{start}search.html?q={urllib.parse.quote(words)}')
    return browser.ask('''new Promise(done => {
      const began = performance.now();
      const look = () => {
        const found = [...document.querySelectorAll('#search-results li > a:first-of-type')].map(link => link.textContent);
        const over = /finished|页|没有/.test(document.getElementById('search-results').textContent) && performance.now() - began > 300;
        if (over || performance.now() - began > 20000) done(found); else setTimeout(look, 50);
      };
      look();
    })''')

def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else root/'_site/html'
    said = dead_links(folder)
    if find_chromium(): said += [f'{address}: {sentence}' for address, sentences in all_faults(folder).items() for sentence in sentences]
    print('\n'.join(said) or f'{len(pages_of(folder))} pages, no fault')
    sys.exit(bool(said))

if __name__ == '__main__': main()
