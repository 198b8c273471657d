"The prose of the project: Markdown files and the Markdown cells of notebooks, place by place."
import re
from dataclasses import dataclass
import nbformat
from project import address, notebooks_path, root

markdown_globs = ['*.md', '.github/**/*.md', 'benchmarks/*.md', 'docs/**/*.md', 'fastnlp_course/assets/**/*.md']

@dataclass
class Prose:
    "A Markdown file, or a Markdown cell of a notebook."
    path: object  # the file
    cell: int     # the number of the cell, None in a Markdown file
    text: str

    def place(self, line):
        "Where line number `line` of this text stands, as one says it."
        return f'{address(self.path)}:{line}' if self.cell is None else f'{address(self.path)}, cell {self.cell}, line {line}'

def documents():
    "Markdown files and notebooks, without copies that editors make."
    files = [path for pattern in markdown_globs for path in sorted(root.glob(pattern))]
    notebooks = [path for path in sorted(notebooks_path.rglob('*.ipynb')) if '.ipynb_checkpoints' not in path.parts]
    return files + notebooks

def prose_of(path):
    "The texts of one document."
    if path.suffix == '.md': return [Prose(path, None, path.read_text(encoding='utf-8'))]
    cells = nbformat.read(path, as_version=4).cells
    return [Prose(path, i, cell.source) for i, cell in enumerate(cells) if cell.cell_type == 'markdown']

def blank(found):
    "As many lines as before, with nothing in them."
    return re.sub(r'[^\n]', ' ', found[0])

def without_code(text):
    "`text` without fenced blocks and inline code; lines keep their numbers."
    text = re.sub(r'^([ >]*)(```+|~~~+).*?^\1\2[ ]*$', blank, text, flags=re.M | re.S)
    return re.sub(r'(`+)(?!`).+?(?<!`)\1(?!`)', blank, text, flags=re.S)

def without_markup(text):
    "`text` without code, tags, formulas and addresses."
    for pattern in (r'<!--.*?-->', r'</?\w[^>]*>', r'\$\$.+?\$\$', r'\$[^$\n]+\$', r'\]\([^)\s]*(?: "[^"]*")?\)', r'https?://\S+'):
        text = re.sub(pattern, blank, without_code(text) if pattern == r'<!--.*?-->' else text, flags=re.S)
    return text
