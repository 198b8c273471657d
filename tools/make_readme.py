"Write README.md from nbs/index.ipynb: make_readme.py [--check]. Quarto is not needed."
import re, sys
import nbformat
from project import notebooks_path, root

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

def readme():
    "The text of README.md."
    nb = nbformat.read(notebooks_path/'index.ipynb', as_version=4)
    note = '<!-- Made from nbs/index.ipynb by tools/make_readme.py: edit the notebook. -->'
    return '\n\n'.join([note] + [text for cell in nb.cells if (text := as_markdown(cell).strip())]) + '\n'

def main(check):
    path = root/'README.md'
    if not check:
        path.write_text(readme(), encoding='utf-8')
    elif not path.exists() or path.read_text(encoding='utf-8') != readme():
        sys.exit('README.md differs from nbs/index.ipynb: run make readme')

if __name__ == '__main__': main('--check' in sys.argv[1:])
