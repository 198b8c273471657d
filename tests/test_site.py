"""The site: how notebooks become pages (always), and what a headless Chromium finds on the built pages (make site-test)."""
import ast, json, os, re, shutil, subprocess, sys
from pathlib import Path

import pytest

root = Path(__file__).resolve().parent.parent
for folder in ('tools', 'site'): sys.path.insert(0, str(root/folder))
import api_pages, check_site, chinese_index, course_map, course_pages, markdown_text, notebook_page, plan, site_extension
from browser import Browser, find_chromium, serve
from commands_page import commands_page
from project import alternative, lessons, notebooks_path, references, solutions

pages = plan.planned()

def code(source, *outputs): return {'cell_type': 'code', 'source': source, 'outputs': list(outputs), 'metadata': {}}
def markdown(source): return {'cell_type': 'markdown', 'source': source, 'metadata': {}}
def picture(): return {'output_type': 'display_data', 'data': {'image/png': 'iVBORw0KGgo='}, 'metadata': {}}
def stream(text): return {'output_type': 'stream', 'name': 'stdout', 'text': text}

def shown(*cells, bar=''):
    "Cells of the page that these cells become, as if they stood in the first lesson."
    return notebook_page.site_notebook({'cells': list(cells)}, 'nbs/00_first_hour.ipynb', pages, bar)['cells']

# Markdown

@pytest.mark.parametrize('before, after', [
    ('几行代码，\n你就能训练。', '几行代码，你就能训练。'),
    ('拿 TF-IDF\n比较', '拿 TF-IDF\n比较'),
    ('难点是 **模型**\n和数据', '难点是 **模型**和数据'),
    ('它给出答案。\nBPE 也一样', '它给出答案。BPE 也一样'),
    ('one line\nand another', 'one line\nand another'),
    ('第一段\n\n第二段', '第一段\n\n第二段'),
    ('- 第一点\n- 第二点', '- 第一点\n- 第二点'),
    ('- 第一点\n  还没完', '- 第一点还没完'),
    ('## 标题\n正文', '## 标题\n正文'),
    ('| 词 | 义 |\n| 分 | 切 |', '| 词 | 义 |\n| 分 | 切 |'),
    ('> 引文\n> 又一行', '> 引文又一行'),
    ('留下断行  \n下一行', '留下断行  \n下一行'),
    ('```\n代码\n注释\n```', '```\n代码\n注释\n```'),
    ('他说“好”\n就走', '他说“好”就走'),
    ("the film’s\n“end”", "the film’s\n“end”"),
])
def test_line_breaks_between_chinese_characters(before, after): assert markdown_text.join_chinese(before) == after

def test_links_lead_to_pages_or_to_github():
    links = lambda text, address='nbs/00_first_hour.ipynb': markdown_text.with_links(text, address, pages)
    assert links('[next](01_tokenization.ipynb#splitting)') == '[next](/lessons/01_tokenization.ipynb#splitting)'
    assert links('[`up`](../16_awd_lstm.ipynb)', 'nbs/reference/models_layers.ipynb') == '[`up`](/lessons/16_awd_lstm.ipynb)'
    assert links('[card](../fastnlp_course/assets/awd_lstm_fwd/README.md)').startswith('[card](https://github.com/')
    assert links('[what changed](CHANGELOG.md)', 'README.md') == '[what changed](/changelog.md)'
    assert links('[paper](https://arxiv.org/abs/1801.06146) [here](#below)') == '[paper](https://arxiv.org/abs/1801.06146) [here](#below)'
    assert links('`[a](b.ipynb)`\n\n```\n[a](b.ipynb)\n```') == '`[a](b.ipynb)`\n\n```\n[a](b.ipynb)\n```'

def test_a_link_to_nothing_is_told(monkeypatch):
    monkeypatch.setattr(plan, 'dead_links', [])
    markdown_text.with_links('[gone](99_nowhere.ipynb)', 'nbs/00_first_hour.ipynb', pages)
    assert plan.dead_links == ['nbs/00_first_hour.ipynb links to 99_nowhere.ipynb, and nbs/99_nowhere.ipynb is not in the repository']

def test_pictures_of_the_repository_travel_and_those_of_the_web_stay_away():
    taken = set()
    assert markdown_text.ready('![A board](images/tensorboard.png)', 'nbs/28_four_loops.ipynb', pages, taken) == '![A board](/pictures/nbs/images/tensorboard.png)'
    assert taken == {'nbs/images/tensorboard.png'}
    assert markdown_text.with_links('[![Board](images/tensorboard.png)](01_tokenization.ipynb)', 'nbs/00_first_hour.ipynb', pages) == '[![Board](/pictures/nbs/images/tensorboard.png)](/lessons/01_tokenization.ipynb)'
    assert markdown_text.with_links('![Board][b] [next][n]\n\n[b]: images/tensorboard.png\n[n]: 01_tokenization.ipynb', 'nbs/00_first_hour.ipynb', pages) == (
        '![Board][b] [next][n]\n\n[b]: /pictures/nbs/images/tensorboard.png\n[n]: /lessons/01_tokenization.ipynb')
    assert markdown_text.ready('[![Colab](https://x.y/badge.svg)](https://colab.z/nb) ![logo](https://x.y/l.png)', 'README.md', pages) == '[Colab](https://colab.z/nb) '

def test_what_is_no_html_is_shown():
    assert markdown_text.without_strange_tags('the token <unk> and `<pad>`, <em>not</em> a tag') == 'the token &lt;unk&gt; and `<pad>`, <em>not</em> a tag'

# Notebooks

def test_cells_for_nbdev_are_left_out():
    cells = shown(code('#| hide\nimport sys'), code('#| default_exp text.marks'), code('#| export'), code('#|export\n#| network\ndef f(): pass'), code('f()', stream('done\n')))
    assert [cell['source'] for cell in cells] == ['<span id="def-f"></span>', 'def f(): pass', 'f()']
    assert cells[2]['outputs'] == [stream('done\n')]

def test_an_echo_of_false_keeps_the_output_alone():
    cell, = shown(code('#| echo: false\nprint(1)', stream('1\n')))
    assert cell['metadata'] == {'tags': ['remove-input']} and cell['outputs']

def test_long_exported_code_is_folded_and_named():
    body = '\n'.join(f'    x = {i}' for i in range(30))
    anchor, cell = shown(code(f'#| export\n@patch\ndef fit(self:Learner, n):\n{body}'))
    assert 'id="def-Learner.fit"' in anchor['source']
    assert cell['metadata']['tags'] == ['hide-input'] and cell['metadata']['mystnb']['code_prompt_show'] == 'Show Learner.fit: 32 lines'
    assert shown(code(f'def fit(n):\n{body}'))[0]['metadata'] == {}, 'what is not exported is the lesson itself'

def test_imports_of_the_package_are_folded():
    source = 'import re\nfrom pathlib import Path\n\nfrom fastnlp_course.files import write_whole'
    assert shown(code('#| export\n' + source))[0]['metadata']['mystnb']['code_prompt_show'] == 'Show imports'
    assert shown(code(source))[0]['metadata'] == {}, 'a lesson of its own imports'
    assert shown(code('#| export\nimport re'))[0]['metadata'] == {}

def test_badges_give_way_to_the_line_of_the_site():
    cells = shown(markdown('# Title'), markdown('<!-- badges -->\n[![Open in Colab](https://x/y.svg)](https://z)'), bar='*41 minutes*')
    assert [cell['source'] for cell in cells] == ['# Title', '*41 minutes*']

def test_alternative_texts_come_from_titles_axes_and_headings():
    title, cell = shown(markdown('## How `it` learns'), code("ax.plot(x)\nax.set(xlabel='step', ylabel='loss')\nax.set_title(f'rate {rate}')", picture()))
    assert cell['metadata']['mystnb']['image']['alt'] == 'Picture in “How it learns”: rate …; to the right: step; upwards: loss'
    drawn = shown(markdown('## Rates'), code('learn.lr_find()\n', picture()))[1]
    assert drawn['metadata']['mystnb']['image']['alt'] == 'Picture in “Rates”: drawn by learn.lr_find()'
    own = shown(code("#| fig-alt: Two rising lines.\nplot()", picture()))[0]
    assert own['metadata']['mystnb']['image']['alt'] == 'Two rising lines.' and own['source'] == 'plot()'

def pictured(path):
    "The sources of the cells of a notebook that show pictures."
    cells = [cell for cell in json.loads(path.read_text(encoding='utf-8'))['cells'] if cell['cell_type'] == 'code']
    return [''.join(cell['source']) for cell in cells if any(kind.startswith('image/') for output in cell['outputs'] for kind in output.get('data', {}))]

with_pictures = [path for path in [*lessons(), *references(), *solutions(), *sorted(notebooks_path.glob('zh/*.ipynb'))] if pictured(path)]

@pytest.mark.parametrize('path', with_pictures, ids=lambda path: f'{path.parent.name}/{path.stem}')
def test_every_picture_says_what_it_shows(path):
    "A sentence in the first line of the cell, by somebody who looked at the picture: no title, no list of axes, plain YAML."
    said = [alternative(source) for source in pictured(path)]
    for words, source in zip(said, pictured(path)):
        assert words, f'the first line of this cell is no `#| fig-alt: ...` that says what its picture shows:\n{source}'
        written = [title for titles in notebook_page.labels(source).values() for title in titles]
        chinese = path.parent.name == 'zh'
        assert words.rstrip('.。') not in written and (len(re.findall('[\u4e00-\u9fff]', words)) >= 12 if chinese else len(words.split()) >= 5), words
        assert words.endswith('。' if chinese else '.') and len(words) <= 240 and ': ' not in words and ' #' not in words, words
    assert len(set(said)) == len(said), 'two pictures with one sentence'

def test_outputs_lose_what_only_a_terminal_shows():
    widget = {'output_type': 'display_data', 'data': {'application/vnd.jupyter.widget-view+json': {}, 'text/plain': 'Map: 0%'}}
    cell, = shown(code('run()', stream('10%\r50%\r100%\nover\n'), widget, stream('/home/me/venv/lib/torch/nn.py:3: note\n')))
    assert [output['text'] for output in cell['outputs']] == ['100%\nover\n', 'torch/nn.py:3: note\n']

def test_a_cell_of_a_kind_that_jupyter_refuses_is_told(capsys):
    assert shown({'cell_type': 'md', 'source': 'x', 'metadata': {}})[0]['cell_type'] == 'markdown'
    assert "nbs/00_first_hour.ipynb: cell 0 is of the kind 'md'" in capsys.readouterr().err

def test_a_book_is_xml():
    pytest.importorskip('bs4')
    nb = {'cells': [markdown('one<br>two'), code('', {'output_type': 'display_data', 'data': {'text/html': '<table border=1><tr><td>a<br>b<style>x{}</style></table>'}})]}
    done = notebook_page.as_xml(nb)
    assert done['cells'][0]['source'] == 'one<br/>two'
    assert done['cells'][1]['outputs'][0]['data']['text/html'] == '<table><tr><td>a<br/>b</td></tr></table>'

# API

module = '''"A room."
# AUTOGENERATED! DO NOT EDIT! File to edit: ../../nbs/03_numericalization.ipynb.
__all__ = ['Box', 'count', 'KINDS']

# %% ../../nbs/03_numericalization.ipynb #cell-001
KINDS = ('a', 'b')  # all there are

# %% ../../nbs/03_numericalization.ipynb #cell-002
def count(
    items:list,     # what is counted, `None` too
    # with a word more,
    low:int|None=3, # fewer are left out
    *,
    quiet=True,
)->dict:            # item -> times
    "Count *all* items."

class Box(Base):
    "Holds things."
    def __init__(self, size:int=2): pass
    def open(self): "Open it."
    def _secret(self): pass

@patch
def close(self:Box, hard=False): # slam it
    "Close it."
@patch
def fit(self:Learner): "Train."
'''

@pytest.fixture
def made(tmp_path):
    (tmp_path/'fastnlp_course/text').mkdir(parents=True)
    (tmp_path/'fastnlp_course/text/room.py').write_text(module, encoding='utf-8')
    api = api_pages.Api(tmp_path, pages, {'nbs/03_numericalization.ipynb': '03 Numericalization'})
    return api, api.module_page(api.modules['fastnlp_course.text.room'])

def test_parameters_are_a_table_of_docments(made):
    page = made[1]
    assert '````{py:function} count(items, low=3, *, quiet=True)' in page and 'Count \\*all\\* items.' in page
    assert '| `items` | `list` |  | what is counted, `None` too |' in page
    assert '| `low` | `int \\| None` | `3` | with a word more, fewer are left out |' in page
    assert '| `quiet` |  | `True` |  |' in page and '| *returns* | `dict` |  | item -\\> times |' in page.replace('->', '-\\>')

def test_classes_show_their_methods_and_those_that_are_patched_in(made):
    page = made[1]
    assert '````{py:class} Box(size=2)' in page and 'A kind of `Base`.' in page
    assert '### Box.open' in page and '### Box.close' in page and '_secret' not in page
    assert '## Added to Learner' in page and '### Learner.fit' in page
    assert "KINDS = ('a', 'b')" in page and 'all there are' in page

def test_names_lead_to_the_lesson_where_they_are_born(made):
    assert '<p class="born">Born in lesson <a href="../lessons/03_numericalization.html#def-Box.close">03 Numericalization</a></p>' in made[1]

def test_the_api_agrees_with_the_index_of_nbdev():
    index = ast.parse((root/'fastnlp_course/_modidx.py').read_text(encoding='utf-8')).body[-1]
    known = ast.literal_eval(index.value)['syms']
    api = api_pages.Api(root, pages, {address: address for address in pages})
    compared = 0
    for source in api.modules.values():
        for statement in source.tree.body:
            found = known.get(source.name, {}).get(f"{source.name}.{getattr(statement, 'name', '')}")
            if not found: continue
            wanted = re.sub(r'(^|/)\d+\w?_', r'\1', source.notebook_of(statement))  # nbdev's pages have no numbers
            assert wanted == 'nbs/' + re.sub(r'(^|/)\d+\w?_', r'\1', found[0].split('#')[0]).replace('.html', '.ipynb')
            compared += 1
    assert compared > 500

def test_each_exported_name_has_a_place_in_its_notebook():
    address = 'nbs/03_numericalization.ipynb'
    nb = notebook_page.site_notebook(json.loads((root/address).read_text(encoding='utf-8')), address, pages)
    places = ''.join(cell['source'] for cell in nb['cells'] if cell['source'].startswith('<span id='))
    assert 'id="def-make_vocab"' in places and 'id="def-Numericalize.encodes"' in places

def test_commands_have_their_options():
    page = commands_page('app = typer.Typer()\nSEP = typer.Option(None, "--sep", help="Between cells.")\n@app.command("train-it")\n'
                         'def train(file: Path = typer.Argument(..., help="A table."), sep: str = SEP, bs: int = typer.Option(64, help="Rows.")):\n    """Train.\n\n    Example: fastnlp train-it a.csv\n    """')
    assert '## fastnlp train-it\n\nTrain.\n\n```sh\nfastnlp train-it a.csv\n```' in page
    assert '| `FILE` |  | A table. |\n| `--sep` |  | Between cells. |\n| `--bs` | `64` | Rows. |' in page
    assert '## fastnlp train-classifier' in commands_page((root/'fastnlp_course/cli.py').read_text(encoding='utf-8'))

# Pages made of others

def test_every_notebook_has_a_page_and_the_map_all_lessons():
    assert {plan.root/address for address in pages} >= {*lessons(), *references()}
    drawn = course_map.course_map([part for part, paths in course_pages.course_parts(pages)])
    for path in lessons(): assert drawn.count(f'href="lessons/{path.stem}.html"') == 2, 'once for wide pages, once for phones'
    assert 'aria-label="Map of the course: I First hour, then' in drawn

def test_the_landing_page_leads_to_the_questions_in_each_form():
    line, = course_pages.questions_line(['questions.html', 'fastnlp_course.tsv'])
    assert line.count('href="downloads/') == 2 and '.apkg' not in line and line in course_pages.landing(pages, [], ['questions.html', 'fastnlp_course.tsv'])
    assert course_pages.questions_line([]) == []

def test_the_map_stays_within_its_frame():
    from xml.etree import ElementTree
    drawn = course_map.drawing([course_map.Part(f'{name} Part of the course', '2 hours', [('01', 'A very long title of a lesson that needs two lines', 'a.html')]*3) for name in ('I', 'II', 'III', 'IV', 'V', 'VI', 'VII')], 3, 248, 'map-wide')
    picture = ElementTree.fromstring(drawn)
    width, height = map(float, picture.get('viewBox').split()[2:])
    for room in picture.iter('rect'): assert float(room.get('x')) + float(room.get('width')) <= width and float(room.get('y')) + float(room.get('height')) <= height

def test_the_line_below_a_title_opens_colab_and_kaggle():
    bar = course_pages.bar(lessons()[1], pages)
    assert 'Part II Text to numbers · about' in bar and '[Open in Colab](https://colab.' in bar and '[Open in Kaggle](https://kaggle.' in bar
    assert '[Glossary](/glossary.md)' in bar and 'Glossary' not in course_pages.bar(references()[0], pages)
    assert '[API](/api/text.tokenization.md)' in course_pages.bar(lessons()[1], pages, 'api/text.tokenization')

def test_chinese_text_says_its_language():
    body = site_extension.mark_language('<h2>中文导读</h2><p>The token <code>分</code> is one of many here.</p><p class="x">先让<em>东西</em>跑起来</p>')
    assert body == '<h2 lang="zh-Hans">中文导读</h2><p>The token <code>分</code> is one of many here.</p><p class="x" lang="zh-Hans">先让<em>东西</em>跑起来</p>'

def test_formulas_need_no_network_and_are_xml():
    pytest.importorskip('docutils')
    drawn = site_extension.mathml('-\\log p')
    assert '<math' in drawn and '<mi>log</mi>' in drawn and '&' not in drawn

def test_the_chinese_index_holds_lines_without_marks():
    entry = chinese_index.page_entry('lessons/01', 'Tokens', ['**中文导读**\n\n模型读[编号](a.ipynb)，\n不读文字。\n\nEnglish.'], ['x = 1', "text = '分词'  # cut"])
    assert entry['lines'] == ['中文导读', '模型读编号，不读文字。', "text = '分词'  # cut"]
    assert chinese_index.page_entry('a', 'b', ['English only']) is None

def test_the_chinese_search_cuts_queries_into_pairs():
    if not shutil.which('node'): pytest.skip('skipped: no node')
    script = "global.document = {addEventListener() {}};" + (root/'site/static/chinese_search.js').read_text(encoding='utf-8') + '''
      const pages = [{page: 'a', title: 'A', lines: ['分词是第一步。']}, {page: 'b', title: '分词', lines: ['BPE 分词与词表']}, {page: 'c', title: 'C', lines: ['词表与分类']}];
      console.log(JSON.stringify([chineseSearch.pieces('语言模型 BPE'), ...['分词', 'BPE 分词', '困惑度'].map(query => chineseSearch.find(query, pages).map(found => found.page.page))]));'''
    said = subprocess.run(['node', '-e', script], capture_output=True, text=True, encoding='utf-8', check=True).stdout
    assert json.loads(said) == [['语言', '言模', '模型', 'bpe'], ['b', 'a'], ['b', 'a'], []]

# The checks themselves

faulty = '''<!doctype html><html lang="en"><head><title>x</title><meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,"></head><body><main><h1 id="top">Title</h1><h3>Too deep</h3><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">
<div style="width: 900px">wide</div><a href="gone.html">gone</a><a href="#nowhere">here</a><a href="#top">up</a></main><script>console.error('no good')</script></body></html>'''

def test_dead_links_are_found(tmp_path):
    (tmp_path/'index.html').write_text(faulty)
    assert check_site.dead_links(tmp_path) == ['index.html leads to gone.html: no such file', 'index.html leads to #nowhere: no such place']

@pytest.fixture(scope='module')
def folder():
    "The built site, for `make site-test`."
    if 'FASTNLP_SITE' not in os.environ: pytest.skip('skipped: make site-test builds the site and looks at it')
    if not find_chromium(): pytest.skip('skipped: no Chromium')
    return (root/os.environ['FASTNLP_SITE']).resolve()

@pytest.fixture(scope='module')
def browser(folder):
    browser = Browser()
    yield browser
    browser.close()

@pytest.fixture(scope='module')
def start(folder):
    server, address = serve(folder)
    yield address
    server.shutdown()

def test_faults_of_a_page_are_found(tmp_path, folder):
    (tmp_path/'index.html').write_text(faulty)
    said = '\n'.join(check_site.all_faults(tmp_path)['index.html'])
    for fault in ('no alternative text', 'heading of level 3 behind level 1', 'the screen 390: DIV wide', 'no good'): assert fault in said

# The built site

def test_no_link_is_dead(folder): assert check_site.dead_links(folder) == []

def test_every_page_is_sound_on_a_phone(folder): assert check_site.all_faults(folder) == {}

@pytest.mark.parametrize('theme', ['light', 'dark'])
@pytest.mark.parametrize('page', ['index', 'lessons/01_tokenization', 'lessons/25_lora', 'reference/text', 'reference/text_tokenizer', 'api/index', 'api/text.tokenizer', 'commands', 'changelog', 'search', 'glossary', 'zh/index', 'zh/glossary', 'zh/00_first_hour', 'zh/01_tokenization', 'zh/17_ulmfit'])
def test_nothing_serious_for_axe(page, theme, browser, start):
    if not check_site.axe_path(): pytest.skip('skipped: no axe-core in .venv-site')
    browser.size(1280)
    assert check_site.axe_faults(browser, f'{start}{page}.html', theme, check_site.axe_path()) == []

@pytest.mark.parametrize('page', ['index', 'lessons/01_tokenization', 'zh/index', 'zh/glossary', 'zh/01_tokenization'])
def test_nothing_serious_for_axe_on_a_phone(page, browser, start):
    if not check_site.axe_path(): pytest.skip('skipped: no axe-core in .venv-site')
    browser.size(390)
    assert check_site.axe_faults(browser, f'{start}{page}.html', 'light', check_site.axe_path()) == []

def test_the_search_finds_names_of_the_library(browser, start):
    found = check_site.search(browser, start, 'WeightDropout')
    assert 'fastnlp_course.models.awd_lstm.WeightDropout' in found and '16 AWD-LSTM' in found and browser.complaints() == []

def test_the_search_finds_chinese_words(browser, start):
    assert '01 From text to tokens' in check_site.search(browser, start, '分词') and browser.complaints() == []
    assert check_site.search(browser, start, '龘靐') == []

def test_light_and_dark_differ_and_chinese_has_its_font(browser, start):
    colours = []
    for theme in ('light', 'dark'):
        browser.theme(theme)
        browser.open(f'{start}lessons/01_tokenization.html')
        colours.append(browser.ask('getComputedStyle(document.body).backgroundColor'))
    assert colours[0] != colours[1]
    chinese = browser.ask("[...document.querySelectorAll('main [lang=zh-Hans]')].map(part => getComputedStyle(part).fontFamily)")
    assert chinese and all('Noto Sans CJK SC' in family and 'PingFang SC' in family for family in chinese)

def test_the_book_is_whole(folder):
    import zipfile
    from xml.etree import ElementTree
    with zipfile.ZipFile(folder/'fastnlp_course.epub') as book:
        texts = [name for name in book.namelist() if name.endswith('.xhtml')]
        for name in texts: ElementTree.fromstring(book.read(name).replace(b'&nbsp;', b' '))
    assert len([name for name in texts if 'lessons/' in name]) == len(lessons())
