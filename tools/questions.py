"""The questions of the lessons with their folded answers, as HTML that stands alone.

A question is `<details><summary>Question</summary>Answer</details>` in a Markdown cell of a lesson. Where the summary says only
"Answer", the question is the paragraph before it.
"""
import hashlib, html, posixpath, re
from dataclasses import dataclass
import nbformat
from project import address, lessons, part_of, ref, settings, title

fold = re.compile(r'<details[^>]*>\s*<summary>(.*?)</summary>(.*?)</details>', re.S)
kept = re.compile(r'(<pre\b.*?</pre>|<code\b.*?</code>)', re.S)
tags = set('a b blockquote br code del em i kbd li ol p pre q s small span strong sub sup table tbody td th thead tr u ul var'.split())

@dataclass
class Question:
    "A question of a lesson with its answer, both as HTML."
    lesson: object  # the notebook
    number: int     # in its lesson, from 1
    question: str
    answer: str

    @property
    def id(self):
        "The same as long as lesson and words of the question are: letters of a hash of both. The lesson's number may change, and how code is marked."
        name = re.sub(r'^\d+[a-z]?_', '', self.lesson.stem)
        return hashlib.sha256(f'{name}\n{words_of(self.question)}'.encode()).hexdigest()[:16]

    @property
    def tags(self):
        "Lesson and part, as Anki's tags: they nest at `::` and have no spaces."
        return [f'lesson::{self.lesson.stem}', f"part::{part_of(self.lesson).replace(' ', '_')}"]

def lesson_name(path): return f"{path.stem.split('_')[0]} {title(path)}"

def lesson_url(path): return f"{settings()['git_url']}/blob/{ref()}/{address(path)}"

def words_of(text):
    "What one reads of a piece of HTML, on one line."
    return ' '.join(html.unescape(re.sub(r'<[^>]*>', '', text)).split())

def absolute(target, path):
    "The address of a link in the notebook at `path`, from anywhere."
    if re.match(r'[a-z][a-z+.-]*:', target, re.I): return target
    file, mark, place = target.partition('#')
    where = posixpath.normpath(posixpath.join(posixpath.dirname(address(path)), file)) if file else address(path)
    return f"{settings()['git_url']}/blob/{ref()}/{where}{mark}{place}"

def marked(prose, path):
    "Links, emphasis and formulas of Markdown as HTML, in a text without code."
    prose = re.sub(r'<(?![/A-Za-z])', '&lt;', prose)
    prose = re.sub(r'</?([A-Za-z][\w-]*)(?:\s[^<>]*)?/?>', lambda tag: tag[0] if tag[1].lower() in tags else html.escape(tag[0]), prose)
    prose = re.sub(r'(?<!!)\[([^\[\]]+)\]\(\s*([^()\s]+)(?:\s+"[^"]*")?\s*\)', lambda link: f'<a href="{html.escape(link[2])}">{link[1]}</a>', prose)
    prose = re.sub(r'href="([^"]*)"', lambda link: f'href="{absolute(link[1], path)}"', prose)
    prose = re.sub(r'\*\*(?=\S)(.+?)(?<=\S)\*\*', r'<strong>\1</strong>', prose, flags=re.S)
    prose = re.sub(r'(?<![\w*])\*(?=[^\s*])([^*]+?)(?<=\S)\*(?![\w*])', r'<em>\1</em>', prose)
    prose = re.sub(r'\$\$(.+?)\$\$', r'\\[\1\\]', prose, flags=re.S)
    return re.sub(r'(?<![\w$])\$(?=\S)([^$\n]+?)(?<=\S)\$(?![\w$])', r'\\(\1\\)', prose)

def coded(text):
    "Code of Markdown, fenced or within a line, as HTML."
    text = re.sub(r'^(```+|~~~+)[^\n]*\n(.*?)^\1[ ]*$', lambda block: f'<pre><code>{html.escape(block[2].rstrip(), False)}</code></pre>', text, flags=re.M | re.S)
    return ''.join(piece if i % 2 else re.sub(r'(`+)(?!`)(.+?)(?<!`)\1(?!`)', lambda span: f'<code>{html.escape(span[2].strip(), False)}</code>', piece, flags=re.S)
                   for i, piece in enumerate(kept.split(text)))

def block(text):
    "A paragraph; a list where lines begin like one."
    lines = text.split('\n')
    for mark, tag in ((r'[-*+] ', 'ul'), (r'\d+[.)] ', 'ol')):
        if all(re.match(rf'{mark}|  ', line) for line in lines) and re.match(mark, lines[0]):
            points = [' '.join(point.split()) for point in re.split(rf'^{mark}', text, flags=re.M)[1:]]
            return f"<{tag}>{''.join(f'<li>{point}</li>' for point in points)}</{tag}>"
    return text if re.match(r'<(?:pre|ul|ol|table|blockquote|p)\b', text) else ' '.join(text.split())

def as_html(text, path):
    "Markdown of a question or an answer in the notebook at `path` as HTML: code, emphasis and links stay, links become absolute."
    pieces = kept.split(coded(text.strip()))
    hidden = {f'\0{i}\0': piece for i, piece in enumerate(pieces) if i % 2}   # code is not looked into
    prose = marked(''.join(f'\0{i}\0' if i % 2 else piece for i, piece in enumerate(pieces)), path)
    blocks = [block(part.strip()) for part in re.split(r'\n\s*\n', prose) if part.strip()]
    joined = blocks[0] if len(blocks) == 1 else ''.join(part if re.match(r'<(?:pre|ul|ol|table|blockquote|p)\b', part) else f'<p>{part}</p>' for part in blocks)
    return re.sub('\0\\d+\0', lambda found: hidden[found[0]], joined)

def asked(source, path):
    "Question and answer of each fold of a Markdown cell."
    end = 0
    for match in fold.finditer(source):
        question = match[1]
        if words_of(question).lower().rstrip(':') in ('answer', 'answers'):
            before = [part for part in re.split(r'\n\s*\n', source[end:match.start()].strip()) if part.strip() and not part.startswith('#')]
            question = re.sub(r'^\*\*(.*)\*\*$', r'\1', before[-1].strip(), flags=re.S) if before else ''
        yield as_html(re.sub(r'^\s*\d+[.)]\s+', '', question), path), as_html(match[2], path)
        end = match.end()

def questions_of(path):
    "The questions of one lesson."
    cells = nbformat.read(path, as_version=4).cells
    found = [pair for cell in cells if cell.cell_type == 'markdown' for pair in asked(cell.source, path)]
    return [Question(path, i, *pair) for i, pair in enumerate(found, 1)]

def questions():
    "The questions of all lessons, in reading order."
    return [question for path in lessons() for question in questions_of(path)]
