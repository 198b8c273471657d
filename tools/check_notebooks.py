"""Notebooks hold lessons and nothing of the session that ran them: check_notebooks.py [--clean] [FILE ...]

The kernel of every notebook is `python3`, without versions; cells have stable ids, no metadata and no execution counts; outputs
hold no widgets, errors, terminal colours, addresses of this computer and nothing from standard error. --clean mends what can be mended
without running anything. What a lesson writes to standard error is a matter of its cell, which should warn of nothing; in reference rooms,
whose tests make things go wrong, it is dropped.
"""
import argparse, re, sys
from pathlib import Path
import nbformat
from project import address, notebooks_path, root, write_whole
from run_notebooks import bar, drop_stderr, is_widget, kept_metadata, tidy

wanted = {'kernelspec': {'display_name': 'python3', 'language': 'python', 'name': 'python3'}, 'language_info': {'name': 'python'}}
own_place = re.compile(rf'{re.escape(str(root))}|/home/\w+/|/Users/\w+/|[A-Z]:\\Users\\|/root/')

def text_of(output):
    "What an output says in words."
    return output.get('text', '') + ''.join(str(output.get('data', {}).get(kind, '')) for kind in ('text/plain', 'text/html', 'text/markdown'))

def faults_of_output(output):
    "What is wrong with one output."
    if is_widget(output): yield 'a widget, of which nothing is left'
    if output.output_type == 'error': yield f"an error, {output.get('ename')}"
    if output.get('name') == 'stderr': yield f'writes to standard error: {text_of(output).strip().splitlines()[0]}'
    if output.output_type == 'stream' and any(bar.search(line) for line in text_of(output).splitlines()): yield 'a progress bar'
    if '\x1b[' in text_of(output): yield 'colours of a terminal'
    if found := own_place.search(text_of(output)): yield f'a place on the computer that ran it, {found[0]}'
    if output.get('execution_count') is not None: yield 'an execution count'

def faults_of_cell(cell, i):
    "What is wrong with a cell."
    if set(cell.get('metadata', {})) - kept_metadata: yield f"metadata {dict(cell['metadata'])}"
    if cell.get('id') != f'cell-{i:03d}': yield f"the id {cell.get('id')}, not cell-{i:03d}"
    if cell.get('execution_count') is not None: yield 'an execution count'
    if cell.get('attachments'): yield 'attachments: pictures lie in nbs/images'
    for output in cell.get('outputs', []): yield from faults_of_output(output)

def faults(nb):
    "Sentences on all that is not clean in a notebook."
    found = [] if dict(nb.metadata) == wanted else [f'metadata of the notebook: {sorted(set(nb.metadata) - set(wanted)) or "kernel or language"}']
    if (nb.nbformat, nb.nbformat_minor) != (4, 5): found.append(f'format {nb.nbformat}.{nb.nbformat_minor}, not 4.5')
    return found + [f'cell {i}: {fault}' for i, cell in enumerate(nb.cells) for fault in faults_of_cell(cell, i)]

def clean(nb, is_room):
    "Mend `nb` without running it."
    tidy(nb)
    if is_room: drop_stderr(nb)
    for cell in nb.cells:
        for output in cell.get('outputs', []):
            if output.output_type == 'stream': output['text'] = re.sub(r'\x1b\[[\d;]*[A-Za-z]', '', output['text'])
    return nb

def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('files', nargs='*', type=Path, help='notebooks; all if left out')
    parser.add_argument('--clean', action='store_true', help='mend what can be mended')
    given = parser.parse_args(arguments)
    found = []
    for path in [path.resolve() for path in given.files] or [path for path in sorted(notebooks_path.rglob('*.ipynb')) if '.ipynb_checkpoints' not in path.parts]:
        nb = nbformat.read(path, as_version=4)
        wrong = faults(nb)
        if wrong and given.clean:
            write_whole(path, nbformat.writes(clean(nb, path.parent.name == 'reference')) + '\n')
            wrong = faults(nbformat.read(path, as_version=4))
        name = address(path) if path.is_relative_to(root) else path.name
        found += [f'{name}, {fault}' for fault in wrong]
    if found: sys.exit('\n'.join([*found, f'{len(found)} things do not belong into notebooks: make notebooks-check CLEAN=1 mends most of them']))
    print('notebooks: clean')

if __name__ == '__main__': main()
