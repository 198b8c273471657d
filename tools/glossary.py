"""Write nbs/glossary.md and nbs/glossary.zh.md from tools/glossary.csv: glossary.py [--check] [--look]

A row is a term: English, Chinese, the lesson and the heading where it is explained first (no heading: the first cell), a
sentence in each language, how it stands in English prose (regular expressions between ` ; `, the term itself if empty), and Chinese
words that mean the same and are not used. --check only says whether the pages are as the table says; --look names terms that
are used before they are explained, or not there where the table says they are.
"""
import csv, re, sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
import nbformat
from check_links import slugs
from project import lessons, marker, notebooks_path, part_of, parts, parts_in_chinese, title, write_whole
from prose import without_code

table = Path(__file__).resolve().parent/'glossary.csv'
chinese = '[\u4e00-\u9fff]'
ahead = re.compile(r'\bpart [IVX]+\b|\bnext lesson\b|\]\(reference/')
named = re.compile(r'\blessons? (\d+[a-z]?)\b|\]\((\d+[a-z]?)_')

@dataclass
class Term:
    "A row of the table."
    term: str
    chinese: str
    lesson: str           # number of the lesson that explains it first
    heading: str          # below which it does; nothing: in the first cell
    meaning: str
    chinese_meaning: str
    forms: str
    not_in_chinese: str

    @property
    def pattern(self):
        "Finds the term in prose. Small letters find capitals, too."
        forms = [form.strip() for form in self.forms.split(' ; ') if form.strip()] or [re.escape(self.term)]
        found = [form if re.search(r'[A-Z]', re.sub(r'\\.|\(\?-i:', '', form)) else f'(?i:{form})' for form in forms]
        return re.compile('|'.join(rf'(?<![\w`]){form}(?!\w)' for form in found))

    @property
    def synonyms(self): return [word.strip() for word in self.not_in_chinese.split(' ; ') if word.strip()]

@dataclass
class Section:
    "A heading of a lesson with what stands below it."
    heading: str
    level: int
    prose: str = ''   # Markdown
    code: str = ''

def terms():
    "All rows of the table."
    with table.open(encoding='utf-8', newline='') as file: return [Term(*row) for row in list(csv.reader(file))[1:]]

def number(path): return path.stem.split('_')[0]

@cache
def sections(path):
    "The sections of a lesson; the cell of badges, the map, and what is read further are left out."
    found, skipped = [], False
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.source.startswith((marker, '<!-- map -->')): continue
        if cell.cell_type == 'code':
            if found and not skipped: found[-1].code += cell.source + '\n'
            continue
        for part in re.split(r'^(?=#{1,6} )', cell.source, flags=re.M):
            if match := re.match(r'(#{1,6}) +(.+?)\s*$', part, re.M):
                skipped = match[2] == 'Further reading'
                if not skipped: found.append(Section(match[2], len(match[1])))
            if found and not skipped: found[-1].prose += part + '\n'
    return found

def place(term, paths=None):
    "The lesson of a term, and the section in which it is explained; None for what is not there."
    path = next((path for path in paths or lessons() if number(path) == term.lesson), None)
    if path is None: return None, None
    return path, next((section for section in sections(path) if section.heading == term.heading), None) if term.heading else sections(path)[0]

def in_order(rows):
    "Terms in the order in which they are explained."
    order = {(number(path), section.heading): (i, j) for i, path in enumerate(lessons()) for j, section in reversed(list(enumerate(sections(path))))}
    def where(term): return order.get((term.lesson, term.heading or sections(place(term)[0])[0].heading), (len(order), 0))
    return sorted(rows, key=where)

# Where words are used

@cache
def sentences(path):
    "The sentences of a lesson in English, without code; each with the same without the addresses of links."
    found = []
    for section in sections(path):
        for line in section.prose.split('\n'):
            if len(re.findall(chinese, line)) > .3*len(re.findall(r'[A-Za-z]', line)): continue
            text = without_code(re.sub(r'<code>.*?</code>', ' ', line))
            found += [(sentence, re.sub(r'\]\([^)]*\)', ']', sentence)) for sentence in re.split(r'(?<=[.!?:])\s+(?=[*"\'(\[`]*[A-Z0-9])', text)]
    return found

def points_ahead(sentence, path):
    "Does a sentence of the lesson at `path` name a later lesson, or a reference room?"
    found = [f'{name:0>2}' if name.isdigit() else f'{name:0>3}' for pair in named.findall(sentence) for name in pair if name]
    return ahead.search(sentence) is not None or any(name > number(path) for name in found)

def early_uses(term):
    "Lesson and sentence of each use of a term before the lesson that explains it. A sentence that says where it is explained may use it."
    path, _ = place(term)
    for earlier in lessons()[:lessons().index(path)]:
        for sentence, plain in sentences(earlier):
            if term.pattern.search(plain) and not points_ahead(sentence, earlier): yield number(earlier), sentence.strip()

def faults(rows):
    "Sentences about places that are not there, and terms that do not stand where they are said to be explained."
    said = []
    for term in rows:
        path, section = place(term)
        if path is None: said.append(f'{term.term}: there is no lesson {term.lesson}')
        elif section is None: said.append(f'{term.term}: lesson {term.lesson} has no heading {term.heading!r}')
        elif not term.pattern.search(section.prose) and not term.pattern.search(section.code) and not term.pattern.search(section.prose.replace('`', ' ')):
            said.append(f'{term.term}: not below {section.heading!r} of lesson {term.lesson}')
    return said

# The pages

def anchor(heading):
    "The anchor of a heading on GitHub and in the site."
    return next(found for found in sorted(slugs(heading)) if found == re.sub(r'[^\w\- ]', '', heading.replace('`', '').replace('*', '').strip().lower()).replace(' ', '-'))

def head(term, is_chinese):
    "The heading of a term: both names, or the one that holds the other."
    if term.chinese.lower().startswith(term.term.lower()): return term.chinese
    return f'{term.chinese} {term.term}' if is_chinese else f'{term.term} {term.chinese}'

def entry(term, is_chinese):
    "A term, its meaning, and the place where it is explained."
    path, section = place(term)
    link = f"[{section.heading if term.heading else title(path)}]({path.name}{f'#{anchor(section.heading)}' if term.heading else ''})"
    where = f'第 {number(path)} 课：{link}' if is_chinese else f'Lesson {number(path)}: {link}'
    return f'### {head(term, is_chinese)}\n\n{term.chinese_meaning if is_chinese else term.meaning}\n\n{where}'

def page(rows, is_chinese):
    "Markdown of one page."
    note = '<!-- Made from tools/glossary.csv by tools/glossary.py: edit the table. -->'
    if is_chinese: first = ['# 术语表', f'课程中的 {len(rows)} 个术语，按第一次讲解的先后排列；每条都注明在哪一课讲到。英文说明见 [Glossary](glossary.md)。', '## 按英文字母排列']
    else: first = ['# Glossary', f'{len(rows)} terms of the course, in the order in which the lessons explain them. 中文见[术语表](glossary.zh.md).', '## From A to Z']
    names = [f'[{term.term}](#{anchor(head(term, is_chinese))})' for term in sorted(rows, key=lambda term: term.term.lower())]
    body = []
    for part in parts:
        own = [entry(term, is_chinese) for term in in_order(rows) if part_of(place(term)[0]) == part]
        if own: body += [f'## {parts_in_chinese[part] if is_chinese else part}', *own]
    return '\n\n'.join([note, *first, ' · '.join(names), *body]) + '\n'

def main(arguments):
    rows = terms()
    if '--look' in arguments:
        print('\n'.join([*faults(rows), *(f'{term.term}: lesson {lesson} before {term.lesson}: {sentence}' for term in rows if place(term)[0] for lesson, sentence in early_uses(term))]))
        return
    if said := faults(rows): sys.exit('\n'.join(said))
    for name, is_chinese in (('glossary.md', False), ('glossary.zh.md', True)):
        path, text = notebooks_path/name, page(rows, is_chinese)
        if path.exists() and path.read_text(encoding='utf-8') == text: continue
        if '--check' in arguments: sys.exit(f'{name} differs from tools/glossary.csv: run make glossary')
        write_whole(path, text)

if __name__ == '__main__': main(sys.argv[1:])
