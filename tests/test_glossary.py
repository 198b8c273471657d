"""The glossary: no term is used before it is explained, each stands where the table says, and Chinese texts use its words."""
import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

root = Path(__file__).resolve().parent.parent
pytest.importorskip('nbformat')
sys.path.insert(0, str(root/'tools'))
import glossary
from project import lessons

rows = glossary.terms()
chinese = re.compile('[\u4e00-\u9fff]')
# Lessons from 14 on that use a term before the lesson that explains it: to be mended there, never to grow.
waiting = {}

def test_every_term_has_both_languages():
    assert len(rows) >= 150 and len({row.term.lower() for row in rows}) == len(rows)
    for row in rows:
        assert row.term and row.chinese and row.lesson and row.meaning and row.chinese_meaning, row
        assert not chinese.search(row.term + row.meaning), row.term
        assert chinese.search(row.chinese) or row.chinese.lower().startswith(row.term.lower()), f'{row.term}: a name may stay as it is, {row.chinese} is none'
        assert chinese.search(row.chinese_meaning) and row.chinese_meaning.endswith('。') and row.meaning.endswith('.'), row.term
        assert len(row.meaning) < 160 and len(re.findall(r'[.!?]\s', row.meaning)) == 0, f'{row.term}: one plain sentence'
    assert len({row.chinese for row in rows}) == len(rows), 'two terms have the same Chinese'

def test_every_term_stands_where_the_table_says(): assert glossary.faults(rows) == []

@pytest.mark.parametrize('row', rows, ids=lambda row: row.term)
def test_no_term_is_used_before_it_is_explained(row):
    early = [(lesson, sentence) for lesson, sentence in glossary.early_uses(row)]
    said = '\n'.join(f'lesson {lesson}: {sentence}' for lesson, sentence in early if lesson not in waiting.get(row.term, ()))
    assert not said, f'{row.term} is explained in lesson {row.lesson}; say there what it is, use another word, or name the lesson:\n{said}'

def test_what_waits_stands_in_later_lessons():
    names = {row.term for row in rows}
    assert set(waiting) <= names and all(int(lesson[:2]) >= 14 for found in waiting.values() for lesson in found)

def test_a_forward_reference_may_name_a_term(monkeypatch):
    def used(text): return [sentence for _, sentence in found(text)]
    def found(text):
        monkeypatch.setattr(glossary, 'sections', lambda path: [glossary.Section('A', 2, text)] if path == lessons()[0] else [])
        glossary.sentences.cache_clear()
        monkeypatch.setattr(glossary, 'place', lambda term: (lessons()[1], None))
        try: return list(glossary.early_uses(glossary.Term('vocab', '词表', '01', '', '', '', 'vocabs? ; BPE', '')))
        finally: glossary.sentences.cache_clear()
    assert used('A Vocab is long. Two are longer.') == ['A Vocab is long.']
    assert used('A vocab (lesson 03) is long. It is in [this lesson](03_numericalization.ipynb): vocabs.') == []
    assert used('`vocab`, <code>vocab</code> and\n词表 vocab\nbpe, vocabulary and my_vocab') == []
    assert used('See [vocab](images/a.png). And BPE.') == ['See [vocab](images/a.png).', 'And BPE.']

@pytest.mark.parametrize('name', ['glossary.md', 'glossary.zh.md'])
def test_the_pages_are_those_of_the_table(name):
    text = (root/'nbs'/name).read_text(encoding='utf-8')
    assert text == glossary.page(rows, 'zh' in name), 'run make glossary'
    for row in rows: assert f'\n### {glossary.head(row, "zh" in name)}\n' in text

def test_terms_come_in_the_order_of_the_index():
    index = json.loads((root/'nbs/index.ipynb').read_text(encoding='utf-8'))
    listed = re.findall(r'^\| (\d+[a-z]?) \|', '\n'.join(''.join(cell['source']) for cell in index['cells']), re.M)
    assert listed == [glossary.number(path) for path in lessons()]
    text = (root/'nbs/glossary.md').read_text(encoding='utf-8')
    shown = re.findall(r'^Lesson (\d+[a-z]?): \[', text, re.M)
    assert len(shown) == len(rows) and shown == sorted(shown, key=listed.index)

def test_links_of_the_pages_lead_to_headings():
    done = subprocess.run([sys.executable, 'tools/check_links.py', 'nbs/glossary.md', 'nbs/glossary.zh.md'], cwd=root, capture_output=True, text=True, encoding='utf-8')
    assert done.returncode == 0, done.stdout + done.stderr

# Chinese

def introductions():
    "The Chinese introduction of each lesson, and the Chinese of its exercises."
    for path in lessons():
        for cell in json.loads(path.read_text(encoding='utf-8'))['cells']:
            text = ''.join(cell['source'])
            if cell['cell_type'] == 'markdown': yield path.stem, '\n'.join(line for line in text.split('\n') if chinese.search(line))

def hints():
    "Texts with Chinese characters in the modules of the exercises."
    for path in sorted((root/'fastnlp_course/exercises').glob('*.py')):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and chinese.search(node.value): yield path.stem, node.value

def pages():
    "Pages that are written in Chinese."
    for path in [root/'README.zh.md', root/'nbs/glossary.zh.md', *sorted((root/'nbs/zh').glob('*'))]:
        if path.suffix == '.md' and path.exists(): yield path.name, path.read_text(encoding='utf-8')
        if path.suffix == '.ipynb': yield from ((path.stem, ''.join(cell['source'])) for cell in json.loads(path.read_text(encoding='utf-8'))['cells'] if cell['cell_type'] == 'markdown')

def test_chinese_texts_use_the_words_of_the_glossary():
    said, seen = [], 0
    for place, text in [*introductions(), *hints(), *pages()]:
        seen += 1
        for row in rows:
            said += [f'{place}: {word} is {row.chinese} here: …{text[max(0, text.index(word) - 12):text.index(word) + 16]}…' for word in row.synonyms if word in text]
    assert seen > 200 and not said, '\n'.join(said)

def test_synonyms_are_words_of_no_term():
    "A word that is refused for one term may not be the word for another."
    for row in rows:
        for word in row.synonyms: assert not [other.term for other in rows if word in other.chinese or word in other.chinese_meaning], word

def test_lessons_lead_to_the_glossary():
    import notebook_headers
    line = notebook_headers.place(lessons()[3])
    assert '[glossary](glossary.md)' in line and '[术语表](glossary.zh.md)' in line
