"""Fill the tables of nbs/index.ipynb from the notebooks, settings.ini and benchmarks/results.md, and write README.md from it and README.zh.md from tools/readme.zh.md: make_readme.py [--check]

Quarto is not needed.
"""
import re, sys
import nbformat
from project import notebooks_path, root, write_whole
import front_door
import front_door_zh
import tables

def output_text(output):
    "What a reader of plain Markdown sees of one output."
    if output.output_type == 'stream': return output.text
    data = output.get('data', {})
    return data.get('text/markdown') or data.get('text/plain', '')

def as_markdown(cell):
    "One cell as Markdown; hidden cells give nothing."
    if cell.cell_type == 'markdown': return cell.source
    if cell.cell_type != 'code' or re.search(r'^#\|\s*hide', cell.source, re.M): return ''
    source = '\n'.join(line for line in cell.source.splitlines() if not line.startswith('#|')).strip()
    shown = ''.join(output_text(output) for output in cell.outputs).rstrip()
    is_markdown = any('text/markdown' in output.get('data', {}) for output in cell.outputs)
    hidden = re.search(r'^#\|\s*echo:\s*false', cell.source, re.M)
    parts = [] if hidden or not source else [f'```python\n{source}\n```']
    if shown: parts.append(shown if is_markdown else '\n'.join('    ' + line for line in shown.splitlines()))
    return '\n\n'.join(parts)

def readme(nb):
    "The text of README.md."
    note = '<!-- Made from nbs/index.ipynb by tools/make_readme.py: edit the notebook. -->'
    return '\n\n'.join([note] + [text for cell in nb.cells if (text := as_markdown(cell).strip())]) + '\n'

def main(check):
    tables.made.update(front_door.made)
    index = notebooks_path/'index.ipynb'
    before = index.read_text(encoding='utf-8')
    nb = tables.with_tables(nbformat.reads(before, as_version=4))
    wanted = {root/'README.md': readme(nb)}
    wanted[root/'README.zh.md'] = front_door_zh.readme_zh(wanted[root/'README.md'])
    if nb != nbformat.reads(before, as_version=4): wanted[index] = nbformat.writes(nb) + '\n'
    for path, text in wanted.items():
        if path.exists() and path.read_text(encoding='utf-8') == text: continue
        if check: sys.exit(f'{path.name} differs from what the notebooks say: run make readme')
        write_whole(path, text)

if __name__ == '__main__': main('--check' in sys.argv[1:])
