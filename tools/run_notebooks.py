"Run notebooks top to bottom and keep their outputs, without the traces of progress bars: run_notebooks.py [NAME ...]"
import os, re, sys, time
from pathlib import Path
import nbformat
from nbclient import NotebookClient

notebooks_path = Path(__file__).resolve().parent.parent/'nbs'

# what cells of a translation say of themselves: the hash of the English (tools/chinese.py)
kept_metadata = {'translates'}
# a line of a progress bar
bar = re.compile(r'\d+%\||it/s\]|s/it\]|\x1b\[A')

def drop_progress(text):
    "What remains of `text` on a screen: a carriage return starts the line again, bars are left out."
    lines = [line.split('\r')[-1] for line in text.replace('\r\n', '\n').split('\n')]
    return '\n'.join(line.rstrip() for line in lines if not bar.search(line))

def is_widget(output):
    "Is an output a widget, such as the bar of another library? Nothing of it is left when its kernel has ended."
    return 'application/vnd.jupyter.widget-view+json' in output.get('data', {})

def tidy_outputs(cell):
    "Keep what a reader should see of the outputs of `cell`, drop what differs from run to run."
    kept = []
    for output in cell.get('outputs', []):
        if is_widget(output): continue
        if output.output_type == 'stream':
            output.pop('metadata', None)
            if kept and kept[-1].output_type == 'stream' and kept[-1]['name'] == output['name']:
                kept[-1]['text'] += output['text']
                continue
        if 'execution_count' in output: output['execution_count'] = None
        kept.append(output)
    for output in kept:         # pieces of a line arrive in parts: they are joined first
        if output.output_type == 'stream': output['text'] = drop_progress(output['text'])
    if 'outputs' in cell: cell['outputs'] = [output for output in kept if output.output_type != 'stream' or output['text'].strip()]
    if 'execution_count' in cell: cell['execution_count'] = None

def tidy(nb):
    "Stable cell ids, no run times, no kernel details: a re-run changes only what really changed."
    for i, cell in enumerate(nb.cells):
        cell['id'] = f'cell-{i:03d}'
        cell['metadata'] = {name: value for name, value in cell.get('metadata', {}).items() if name in kept_metadata}
        tidy_outputs(cell)
    nb['metadata'] = {'kernelspec': {'display_name': 'python3', 'language': 'python', 'name': 'python3'}, 'language_info': {'name': 'python'}}
    nb['nbformat'], nb['nbformat_minor'] = 4, 5

def drop_stderr(nb):
    "Leave out what stands on standard error: for reference rooms, whose tests make things go wrong; lessons warn of nothing."
    for cell in nb.cells:
        if 'outputs' in cell: cell['outputs'] = [output for output in cell.outputs if output.get('name') != 'stderr']

def skipped(cell, flags):
    "Is `cell` marked with one of `flags`, and so left for a machine with a GPU or a network?"
    marks = re.findall(r'^#\|\s*(\w+)\s*$', cell.source, re.M)
    return cell.cell_type == 'code' and any(mark in flags or mark == 'eval: false' for mark in marks)

def run(path, flags=('cuda', 'network', 'slow')):
    "Execute `path` in place; cells marked with one of `flags` keep what they had."
    nb = nbformat.read(path, as_version=4)
    client = NotebookClient(nb, timeout=1200, kernel_name='python3', resources={'metadata': {'path': str(path.parent)}})
    started = time.time()
    with client.setup_kernel():
        for i, cell in enumerate(nb.cells):
            if not skipped(cell, flags): client.execute_cell(cell, i)
    tidy(nb)
    if path.parent.name == 'reference': drop_stderr(nb)
    temporary = path.with_suffix('.tmp')
    nbformat.write(nb, temporary)
    os.replace(temporary, path)
    print(f'{path.name}: {time.time()-started:.0f} s')

def main(names):
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    found = [p for p in sorted(notebooks_path.rglob('*.ipynb')) if '.ipynb_checkpoints' not in p.parts]
    paths = [p for p in found if not names or any(p.name.startswith(n) for n in names)]
    if not paths: raise SystemExit(f"No notebook begins with {' or '.join(names)}. Pass the beginning of a file's name, without its folder.")
    for path in paths: run(path)

if __name__ == '__main__': main(sys.argv[1:])
