"""Cards and the page of questions: as many as there are in the lessons, with ids that stay, nothing empty, no raw Markdown."""
import csv
import html.parser
import io
import json
import re
import sqlite3
import zipfile
from pathlib import Path

import pytest

root = Path(__file__).resolve().parent.parent
pytest.importorskip('nbformat')

@pytest.fixture
def tools(monkeypatch):
    "The two tools."
    monkeypatch.syspath_prepend(str(root/'tools'))
    import anki
    import questions
    return anki, questions

@pytest.fixture
def asked(tools): return tools[1].questions()

def lesson_path(name='01_tokenization'): return root/'nbs'/f'{name}.ipynb'

def folds():
    "How many folds with an answer stand in the lessons, counted without the tool."
    texts = [''.join(cell['source']) for path in (root/'nbs').glob('[0-9]*.ipynb') for cell in json.loads(path.read_text(encoding='utf-8'))['cells'] if cell['cell_type'] == 'markdown']
    return sum(text.count('<summary>') for text in texts)

def read(text):
    "Headers and rows of a file for Anki."
    lines = text.split('\n')
    n = next(i for i, line in enumerate(lines) if not line.startswith('#'))
    return lines[:n], list(csv.reader(io.StringIO('\n'.join(lines[n:])), delimiter='\t'))

class Tags(html.parser.HTMLParser):
    "Tags that stay open, tags that close nothing, links, and the text outside of code."
    def __init__(self, text):
        super().__init__()
        self.open, self.wrong, self.links, self.prose = [], [], [], ''
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        if tag not in ('br', 'img', 'meta', 'link', 'hr'): self.open.append(tag)
        self.links += [value for name, value in attributes if name == 'href']

    def handle_endtag(self, tag):
        if self.open[-1:] == [tag]: self.open.pop()
        else: self.wrong.append(tag)

    def handle_data(self, data):
        if not {'code', 'pre', 'style'} & set(self.open): self.prose += data

def sound(text):
    "Is it whole HTML with absolute links and without marks of Markdown?"
    found = Tags(text)
    assert not found.open and not found.wrong, text
    assert all(re.match('https?:|data:', link) for link in found.links), found.links
    assert not re.search(r'`|\*\*|\]\(|(?<!\w)\*\w[^*]*\w\*(?!\w)|^\s*[-*] ', found.prose), text

def test_each_question_is_a_card(asked, tools):
    assert len(asked) == folds() > 150
    ids = [question.id for question in asked]
    assert len(set(ids)) == len(ids) and all(re.fullmatch(r'[0-9a-f]{16}', name) for name in ids)
    for question in asked:
        for text in (question.question, question.answer):
            assert tools[1].words_of(text), (question.lesson.stem, question.number)
            sound(text)
        assert not re.match(r'\d+[.)] |Answer$', question.question)

def test_the_file_for_anki(asked, tools):
    headers, rows = read(tools[0].tsv(asked))
    settings = dict(header[1:].split(':', 1) for header in headers)
    assert settings['separator'] == 'tab' and settings['html'] == 'true' and settings['deck'] == 'fastnlp_course'
    assert settings['columns'].split('\t') == ['id', 'Front', 'Back', 'Tags'] and settings['guid column'] == '1' and settings['tags column'] == '4'
    assert len(rows) == len(asked) and {len(row) for row in rows} == {4} and all(all(row) for row in rows)
    first = rows[0]
    assert first[0] == asked[0].id and first[3] == 'lesson::00_first_hour part::I_First_hour' and 'nbs/00_first_hour.ipynb">00 A first hour' in first[2]
    for row in rows: sound(row[2])

def test_ids_stay(tools):
    Question = tools[1].Question
    first = Question(lesson_path(), 1, 'Why is <code>I</code> not marked?', 'a')
    assert first.id == '26537f071c624ef7', 'cards that learners have would come again'
    assert Question(lesson_path(), 7, 'Why is <em>I</em>\nnot  marked?', 'another answer').id == first.id, 'answer, place and marks may change'
    assert Question(lesson_path('02_subwords'), 1, first.question, 'a').id != first.id
    assert Question(Path('nbs/03_tokenization.ipynb'), 1, first.question, 'a').id == first.id, 'a lesson may get another number'

@pytest.mark.parametrize('text, wanted', [
    ('*This* is **so**, says `x*y*z` and 2 * 3 * 4.', '<em>This</em> is <strong>so</strong>, says <code>x*y*z</code> and 2 * 3 * 4.'),
    ('<code>a*b*c</code> and <em>d</em>', '<code>a*b*c</code> and <em>d</em>'),
    ('see [lesson 02](02_subwords.ipynb#merges)', 'see <a href="https://github.com/fastnlp-course/fastnlp_course/blob/main/nbs/02_subwords.ipynb#merges">lesson 02</a>'),
    ('[room](reference/text_marks.ipynb), [paper](https://arxiv.org/abs/1801.06146)',
     '<a href="https://github.com/fastnlp-course/fastnlp_course/blob/main/nbs/reference/text_marks.ipynb">room</a>, <a href="https://arxiv.org/abs/1801.06146">paper</a>'),
    ('[here](#below)', '<a href="https://github.com/fastnlp-course/fastnlp_course/blob/main/nbs/01_tokenization.ipynb#below">here</a>'),
    ('the token <unk>, and `<pad>`', 'the token &lt;unk&gt;, and <code>&lt;pad&gt;</code>'),
    ('one\nline\n\ntwo', '<p>one line</p><p>two</p>'),
    ('Two:\n\n- a\n  more\n- b', '<p>Two:</p><ul><li>a more</li><li>b</li></ul>'),
    ('```python\nx = [1](2)\n\ny\n```', '<pre><code>x = [1](2)\n\ny</code></pre>'),
    ('a root, $\\sqrt{n}$, for $5', 'a root, \\(\\sqrt{n}\\), for $5'),
    ('my_long_name and x < y', 'my_long_name and x &lt; y'),
])
def test_markdown_becomes_html(tools, monkeypatch, text, wanted):
    monkeypatch.setattr(tools[1], 'ref', lambda: 'main')
    assert tools[1].as_html(text, lesson_path()) == wanted

def test_a_question_before_its_fold(tools):
    source = '## Questions\n\n**1. Split by *customer*?**\n\n<details><summary>Answer</summary>\n\nNo.\n\nBy time.\n\n</details>\n\n2. And `x`?\n\n<details><summary>Answer</summary>Yes.</details>'
    assert list(tools[1].asked(source, lesson_path())) == [('Split by <em>customer</em>?', '<p>No.</p><p>By time.</p>'), ('And <code>x</code>?', 'Yes.')]
    assert list(tools[1].asked('<details><summary>1. Why?</summary>\n\nSo.\n</details>', lesson_path())) == [('Why?', 'So.')]

def test_the_page_stands_alone(asked, tools):
    text = tools[0].page(asked)
    found = Tags(text)
    assert not found.open and not found.wrong
    assert not re.search(r'<(?:script|img|iframe)|<link rel="stylesheet|@import|url\(', text), 'nothing is loaded from elsewhere'
    assert '@media print' in text and text.count('<details') == len(asked) and text.index('class="answers"') > text.rindex('<details')
    levels = [int(level) for level in re.findall(r'<h(\d)', text)]
    assert levels[0] == 1 and levels.count(1) == 1 and all(after <= before + 1 for before, after in zip(levels, levels[1:]))
    assert text.count('<li>') >= 2*len(asked)

def test_the_command_writes_all(tmp_path, tools, asked, capsys):
    tools[0].main(tmp_path/'new'/'folder')
    said = capsys.readouterr().out
    assert said.startswith(f'{len(asked)} questions in ') and {'fastnlp_course.tsv', 'questions.html'} <= {path.name for path in (tmp_path/'new/folder').iterdir()}
    assert (tmp_path/'new/folder/fastnlp_course.apkg').exists() or 'genanki is not installed' in said

def test_the_deck_that_anki_opens(tmp_path, tools, asked):
    pytest.importorskip('genanki', reason='skipped: genanki is in the environment of the site')
    tools[0].write_apkg(asked, tmp_path/'deck.apkg')
    with zipfile.ZipFile(tmp_path/'deck.apkg') as package: package.extract('collection.anki2', tmp_path)
    notes = dict(sqlite3.connect(tmp_path/'collection.anki2').execute('select guid, flds from notes').fetchall())
    assert notes == {row[0]: f'{row[1]}\x1f{row[2]}' for row in tools[0].rows(asked)}
