"""The report page as a browser sees it: nothing runs, nothing is fetched, and on a phone only tables scroll.

The tests that need Chromium run where it is installed. The page itself has no script; to measure it, the test writes one into a copy.
"""
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from fastnlp_course.applications.judging import score_intervals
from fastnlp_course.applications.page import page_html, write_page
from fastnlp_course.applications.row_checks import judged_facts, learning_curve

chromium = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
needs_browser = pytest.mark.skipif(chromium is None, reason='skipped: no chromium')
bad = '<script>document.title="broken"</script><img src=x onerror="document.title=1">'

def facts_of(n_labels=2):
    "Everything that a page can show, with names that are too long, markup, and letters of other scripts."
    rng = np.random.default_rng(0)
    labels = ([f'a_label_without_any_space_that_goes_on_and_on_{i}' for i in range(n_labels - 1)] + [bad]) if n_labels > 2 else ['mauvais', bad]
    targets = np.arange(60) % n_labels
    texts = [f'{"W" * 300} {i} {bad} https://example.org/{"x" * 200}' if i % 3 else f'\u8fd9\u90e8\u7535\u5f71{i}\u5f88\u597d\uff0c\u0641\u064a\u0644\u0645' for i in range(60)]
    table = pd.DataFrame({'text': texts, 'label': [labels[i] for i in targets], 'is_valid': np.arange(60) >= 20})
    table.loc[30, 'text'] = table.text[0]
    probabilities = rng.dirichlet(np.ones(n_labels), size=40)
    def explain(text): return text.split() or ['-'], [(-1.)**i for i in range(len(text.split()) or 1)]
    facts = judged_facts(table, probabilities, targets[20:], labels, explain=explain, source='a/very/long/' + 'path'*40)
    scores = score_intervals(probabilities, targets[20:])
    return {**facts, 'title': 'Report ' + 'x'*150, 'rows': bad, 'recommended': 'short', 'command': ['fastnlp', 'train-classifier', 'f'*200],
            'models': {'short': {**scores, 'seconds': 3., 'about': ''}, 'an-owner/a-model-whose-name-is-long-' + 'z'*80: {**scores, 'seconds': 400., 'about': bad}},
            'learning_curve': learning_curve(lambda rows: probabilities, targets[:20], targets[20:])}

def in_browser(page, folder, width, script):
    "What `script` leaves as the title of the page, in a window of this width."
    page = re.sub('<meta http-equiv="Content-Security-Policy"[^>]*>', '', page)
    (folder/'page.html').write_text(page.replace('</body>', f'<script>{script}</script></body>'), encoding='utf-8')
    # Chromium's own window has a least width, so the page is looked at in a frame
    (folder/'frame.html').write_text(f'<!doctype html><body style="margin:0"><iframe src="page.html" style="border:0;width:{width}px;height:800px"></iframe>'
        '<script>addEventListener("message", event => document.title = event.data)</script>', encoding='utf-8')
    done = subprocess.run([chromium, '--headless', '--no-sandbox', '--disable-gpu', '--allow-file-access-from-files', f'--user-data-dir={folder/"profile"}', '--virtual-time-budget=3000',
        '--window-size=1400,1000', '--dump-dom', (folder/'frame.html').as_uri()], capture_output=True, text=True, encoding='utf-8', timeout=120)
    found = re.search('<title>(.*?)</title>', done.stdout, re.S)
    assert found, done.stdout[:500] + done.stderr[-500:]
    return found[1]

measure = 'addEventListener("load", () => parent.postMessage([innerWidth, document.documentElement.scrollWidth, document.querySelectorAll("img, script").length, document.title.slice(0, 6)].join(" "), "*"))'

@needs_browser
@pytest.mark.parametrize('width, n_labels', [(390, 2), (390, 12), (320, 4), (1280, 12)])
def test_only_tables_scroll(tmp_path, width, n_labels):
    inner, wide, elements, title = in_browser(page_html(facts_of(n_labels)), tmp_path, width, measure).split()
    assert (int(inner), title) == (width, 'Report') and int(wide) <= width
    assert int(elements) == 1                                     # the test's own script

@needs_browser
def test_the_measure_sees_a_page_that_is_too_wide(tmp_path):
    page = page_html(facts_of()).replace('<h1>', '<div style="width:900px">wide</div><h1>')
    assert int(in_browser(page, tmp_path, 390, measure).split()[1]) > 900

@needs_browser
@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_ink_and_paper_differ_in_both_schemes(tmp_path, scheme):
    "Contrast of text, small text, links, marks and shaded cells with what lies behind them; 4.5 is the bound of WCAG."
    script = '''addEventListener("load", () => {
        const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
        const over = (colours) => { canvas.clearRect(0, 0, 1, 1); for (const c of colours) { canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); } return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3); };
        const light = (rgb) => { const [r, g, b] = rgb.map(v => v/255).map(v => v <= .03928 ? v/12.92 : ((v + .055)/1.055)**2.4); return .2126*r + .7152*g + .0722*b; };
        let worst = 99;
        for (const el of document.querySelectorAll("p, small, a, td, th, mark, blockquote, pre, li, figcaption, svg text")) {
            const behind = []; for (let at = el; at; at = at.parentElement) behind.unshift(getComputedStyle(at).backgroundColor);
            const style = getComputedStyle(el), paper = over(behind), ink = over([...behind, el.closest("svg") ? style.fill : style.color]);
            const [a, b] = [light(paper), light(ink)].sort((x, y) => y - x); worst = Math.min(worst, (a + .05)/(b + .05));
        }
        parent.postMessage(worst.toFixed(2) + " " + getComputedStyle(document.body).backgroundColor, "*"); })'''
    page = page_html(facts_of(3))
    page = page.replace('(prefers-color-scheme:dark)', 'all' if scheme == 'dark' else 'not all')
    contrast, paper = in_browser(page, tmp_path, 800, script).split(' ', 1)
    assert paper == {'light': 'rgb(255, 255, 255)', 'dark': 'rgb(21, 24, 28)'}[scheme]
    assert float(contrast) >= 4.5

@needs_browser
def test_prints_on_white(tmp_path):
    "In the dark too: the rules for paper come last."
    path = write_page(tmp_path, facts_of())
    done = subprocess.run([chromium, '--headless', '--no-sandbox', '--disable-gpu', f'--user-data-dir={tmp_path/"profile"}', f'--print-to-pdf={tmp_path/"page.pdf"}', path.as_uri()], capture_output=True, timeout=120)
    assert done.returncode == 0 and (tmp_path/'page.pdf').read_bytes().startswith(b'%PDF')

def test_needs_nothing_else():
    "No script, no handler, no address that is loaded, and the style for dark pages and paper."
    page = page_html(facts_of(12))
    assert not re.search(r'<script|<img|<link|<iframe|<object|@import|url\((?!#)', page)
    assert not re.search(r'<[^>]*\s(?:on\w+|src)\s*=', page)
    assert set(re.findall(r'<[^>]*\shref="(.)', page)) == {'#'}
    assert 'prefers-color-scheme:dark' in page and '@media print' in page and 'name="viewport"' in page
    for svg in re.findall('<svg[^>]*>', page): assert 'role="img" aria-label="' in svg
    ids = re.findall(r'\sid="([^"]*)"', page)
    assert len(ids) == len(set(ids)) and set(re.findall(r'href="#([^"]*)"', page)) <= set(ids)
