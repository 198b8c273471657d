"""Lessons in Chinese: the code of the original, every cell translated and up to date, nothing exported, no paragraph left in English."""
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

root = Path(__file__).resolve().parent.parent
nbformat = pytest.importorskip('nbformat')
sys.path.insert(0, str(root/'tools'))
import chinese
import glossary

han = re.compile('[\u4e00-\u9fff]')
paths = chinese.translations()
each = pytest.mark.parametrize('path', paths, ids=lambda path: path.stem)

def code_of(path):
    "The code cells of a notebook."
    return [''.join(cell['source']) for cell in json.loads(path.read_text(encoding='utf-8'))['cells'] if cell['cell_type'] == 'code']

def prose_of(path):
    "The Markdown cells of a notebook, but for badges and map."
    cells = nbformat.read(path, as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == 'markdown' and not chinese.is_made(cell)]

def english_paragraphs(text):
    "Paragraphs, points of lists and headings without a Chinese character; code, formulas, pictures, titles of papers may be such."
    text = re.sub(r'^( *)```.*?^\1```$', '', text, flags=re.M | re.S)
    parts = re.split(r'\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )|\n(?=#)|(?<=</summary>)|(?<=</details>)', text)
    cited = re.compile(r'(?:[-*]|\d+\.) .*(?:\]\(https?:|\*[A-Z])')
    plain = [(part, re.sub(r'`[^`]*`|<code>.*?</code>|<[^>]*>|\$\$?[^$]*\$\$?|!\[[^\]]*\]\([^)]*\)|\]\([^)]*\)|\|[-: |]+\|', '', part)) for part in parts if not cited.match(part.strip())]
    return [part for part, words in plain if re.search('[A-Za-z]{2}', words) and not han.search(words)]

@each
def test_code_is_that_of_the_original_and_exports_nothing(path):
    wanted = [chinese.without_alternative(code) for source in code_of(root/'nbs'/path.name) if (code := chinese.plain_code(source))]
    assert list(map(chinese.without_alternative, code_of(path))) == wanted, 'run make badges'
    assert not re.search(r'#\s*\|\s*(export|default_exp)', '\n'.join(code_of(path)))

@each
def test_every_cell_is_translated_and_up_to_date(path):
    said = [line for line in chinese.faults(only_check=True) if chinese.address(path) in line]
    assert not said, said[0]
    english = chinese.to_translate(nbformat.read(root/'nbs'/path.name, as_version=4))
    assert list(chinese.kept(path)) == list(english)

@each
def test_the_first_cell_says_what_it_translates(path):
    first, config = prose_of(path)[0], chinese.settings()
    check = chinese.hash_of('\n'.join(chinese.to_translate(nbformat.read(root/'nbs'/path.name, as_version=4))))
    assert first.startswith('# ') and f"*译自 [{path.name}](../{path.name})，版本 {config['version']}，校验 {check}。" in first

@each
def test_no_paragraph_is_left_in_english(path):
    left = [part for text in prose_of(path) for part in english_paragraphs(text)]
    assert not left, '\n'.join(left)
    assert len(han.findall('\n'.join(prose_of(path)))) > 1500

@each
def test_terms_are_those_of_the_glossary(path):
    rows, text = glossary.terms(), '\n'.join(prose_of(path))
    said = [f'{word} is {row.chinese} here' for row in rows for word in row.synonyms if word in text]
    assert not said, '\n'.join(said)
    own = [row for row in rows if row.lesson == path.stem.split('_')[0]]
    lacking = [row.chinese for row in own if re.split('[（ ]', row.chinese)[0] not in text]
    assert not lacking, f'the terms that this lesson explains first: {lacking}'

@each
def test_questions_and_links_are_as_many(path):
    "Folded answers, formulas, code in backticks and links come over whole."
    english = [cell.source for cell in nbformat.read(root/'nbs'/path.name, as_version=4).cells if cell.cell_type == 'markdown' and not chinese.is_made(cell)]
    for pattern in (r'<details><summary>[^<]', r'</summary>', r'</details>', r'^#+ ', r'\]\(https?:'):
        assert len(re.findall(pattern, '\n'.join(prose_of(path)), re.M)) == len(re.findall(pattern, '\n'.join(english), re.M)), pattern

def test_links_lead_somewhere():
    if not paths: pytest.skip('no lesson in Chinese')
    done = subprocess.run([sys.executable, 'tools/check_links.py', *map(chinese.address, paths)], cwd=root, capture_output=True, text=True, encoding='utf-8')
    assert done.returncode == 0, done.stdout + done.stderr

def test_the_site_shows_and_finds_them(monkeypatch):
    if not paths: pytest.skip('no lesson in Chinese')
    monkeypatch.syspath_prepend(str(root/'site'))
    import chinese_index, course_pages, plan
    pages = plan.planned()
    for path in paths:
        address = chinese.address(path)
        assert pages[address] == f'zh/{path.stem}'
        bar = course_pages.bar(path, pages)
        for words in ('分钟', f'[English](/lessons/{path.stem}.ipynb)', '[术语表](/zh/glossary.md)', f'nbs/zh/{path.name})'): assert words in bar, words
        assert f'[中文版](/zh/{path.stem}.ipynb)' in course_pages.bar(root/'nbs'/path.name, pages)
        entry = chinese_index.notebook_entry(pages[address], 'title', json.loads(path.read_text(encoding='utf-8')))
        assert len(entry['lines']) > 50 and any('词元' in line for line in entry['lines'])

def test_readme_names_them():
    text = (root/'README.zh.md').read_text(encoding='utf-8')
    for path in paths: assert f'[{chinese.title(path)}]({chinese.address(path)})' in text, 'run make readme'

# the tool

def test_english_is_seen():
    assert english_paragraphs('## Heading\n\n中文 with words\n\n- `code`\n- one more') == ['## Heading', '- one more']
    assert english_paragraphs('- Ann, *A Title*, 2020, [arXiv](https://arxiv.org/abs/1).\n\n$x y$\n\n```\nSome words here.\n```\n![a picture](b.png)') == []

def test_nothing_is_exported():
    assert chinese.plain_code('#| default_exp text.x') == '' == chinese.plain_code('#| export\n')
    assert chinese.plain_code('#| hide\n#| exporti\ndef f(): # a comment\n    return 1') == '#| hide\ndef f(): # a comment\n    return 1'

@pytest.fixture
def small(tmp_path, monkeypatch):
    "A course of two lessons."
    new = nbformat.v4
    nbs = tmp_path/'nbs'
    (nbs/'images').mkdir(parents=True)
    (nbs/'images/a.png').touch()
    (tmp_path/'README.md').touch()
    cells = [new.new_markdown_cell('# First'), new.new_code_cell('#| default_exp a'), new.new_markdown_cell('**中文导读**\n\n第一课讲这些。'), new.new_code_cell('#| export\nx = 1'),
             new.new_markdown_cell('See ![a](images/a.png), [r](../README.md), [next](01_b.ipynb), [there](01_b.ipynb#place).'), new.new_code_cell('print(1)', outputs=[new.new_output('stream', text='1\n')])]
    for name in ('00_a', '01_b'): nbformat.write(new.new_notebook(cells=cells), nbs/f'{name}.ipynb')
    monkeypatch.setattr(chinese, 'notebooks_path', nbs)
    monkeypatch.setattr(chinese, 'folder', nbs/'zh')
    monkeypatch.setattr(chinese, 'lessons', lambda: sorted(nbs.glob('[0-9]*.ipynb')))
    monkeypatch.setattr(chinese, 'address', lambda path: path.relative_to(tmp_path).as_posix())
    return nbs

def given(small, name, *texts):
    "A file with the Chinese of the cells, in their order."
    file = small/'given.txt'
    names = list(chinese.missing(small/f'{name}.ipynb', chinese.kept(small/'zh'/f'{name}.ipynb')))
    file.write_text('\n'.join(f'%%%% {name}\n{text}\n' for name, text in zip(names, texts)), encoding='utf-8')
    return file

def test_a_lesson_is_taken_and_kept_up_to_date(small):
    path = small/'00_a.ipynb'
    links = '见![图](images/a.png)、[说明](../README.md)、[下一课](01_b.ipynb)、[那里](01_b.ipynb#place)。'
    chinese.take(path, given(small, '00_a', '# 第一课', links))
    cells = nbformat.read(small/'zh/00_a.ipynb', as_version=4).cells
    assert [cell.cell_type for cell in cells] == ['markdown', 'code', 'markdown', 'code'] and cells[1].source == 'x = 1' and cells[3].outputs[0]['text'] == '1\n'
    assert cells[0].source.startswith('# 第一课\n\n*译自 [00_a.ipynb](../00_a.ipynb)，版本 ')
    assert cells[2].source == '见![图](../images/a.png)、[说明](../../README.md)、[下一课](../01_b.ipynb)、[那里](../01_b.ipynb#place)。'
    chinese.take(small/'01_b.ipynb', given(small, '01_b', '# 第二课', '文字。'))
    assert '[下一课](01_b.ipynb)、[那里](../01_b.ipynb#place)' in nbformat.read(small/'zh/00_a.ipynb', as_version=4).cells[2].source
    assert list(chinese.faults(True)) == []
    nb = nbformat.read(path, as_version=4)
    nb.cells[3].source = '#| export\nx = 2'
    nbformat.write(nb, path)
    assert list(chinese.faults(True)) == ['nbs/zh/00_a.ipynb is not made from nbs/00_a.ipynb: run make badges']
    assert list(chinese.faults(False)) == [] == list(chinese.faults(True))

def test_what_is_said_of_a_picture_is_translated(small):
    "`#| fig-alt: ...` is English prose in a code cell: it has Chinese of its own, and is missed when it changes."
    path, nb = small/'00_a.ipynb', nbformat.read(small/'00_a.ipynb', as_version=4)
    nb.cells[5].source = '#| fig-alt: A line rises.\nprint(1)'
    nbformat.write(nb, path)
    chinese.take(path, given(small, '00_a', '# 第一课', '文字。', '一条上升的线。'))
    cell = nbformat.read(small/'zh/00_a.ipynb', as_version=4).cells[3]
    assert cell.source == '#| fig-alt: 一条上升的线。\nprint(1)' and cell.outputs[0]['text'] == '1\n' and list(chinese.faults(True)) == []
    nb.cells[5].source = '#| fig-alt: A line falls.\nprint(2)'
    nbformat.write(nb, path)
    assert list(chinese.missing(path, chinese.kept(small/'zh/00_a.ipynb')).values()) == ['A line falls.']
    nb.cells[5].source = '#| fig-alt: A line rises.\nprint(2)'
    nbformat.write(nb, path)
    assert list(chinese.faults(False)) == [] and nbformat.read(small/'zh/00_a.ipynb', as_version=4).cells[3].source == '#| fig-alt: 一条上升的线。\nprint(2)'

def test_english_that_changed_is_named(small, capsys):
    path = small/'00_a.ipynb'
    chinese.take(path, given(small, '00_a', '# 第一课', '文字。'))
    nb = nbformat.read(path, as_version=4)
    nb.cells[4].source = 'Other words.'
    nbformat.write(nb, path)
    said = ('nbs/zh/00_a.ipynb: 1 cells of nbs/00_a.ipynb changed. `python tools/chinese.py --missing 00_a` prints them, '
            '`python tools/chinese.py 00_a FILE` takes their Chinese')
    assert list(chinese.faults(True)) == [said] == list(chinese.faults(False))
    chinese.print_missing(path)
    shown = capsys.readouterr().out
    assert f"%%%% {chinese.hash_of('Other words.')}\nOther words.\n" in shown and 'its Chinese was:\n文字。' in shown and '第一课' not in shown
    chinese.take(path, given(small, '00_a', '别的。'))
    assert list(chinese.faults(True)) == [] and nbformat.read(small/'zh/00_a.ipynb', as_version=4).cells[0].source.startswith('# 第一课')

def test_what_is_refused(small):
    path, file = small/'00_a.ipynb', small/'given.txt'
    for text, why in (('words', "begins with 'words', not with a line `%%%% HASH`"), ('%%%% 0123456789ab\n中', 'has the hash 0123456789ab'),
                      (f"%%%% {chinese.hash_of('# First')}\n# 第一", '1 cells have no Chinese')):
        file.write_text(text, encoding='utf-8')
        with pytest.raises(SystemExit, match=re.escape(why)): chinese.take(path, file)
        assert not (small/'zh').exists()
    with pytest.raises(SystemExit, match="there is no lesson '02'"): chinese.original('02')
