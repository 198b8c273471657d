"""Run notebooks again and compare what they print with what is committed: fresh_check.py [NAME ...] [--changed BASE] [--tolerance T]

With names, the notebooks whose names begin so; with --changed, those that differ from the commit BASE; else all. Nothing is
written. Words must be equal. Numbers may differ by the tolerance (another processor rounds differently, and a training adds that
up). Not compared: times, rates and ratios of times, addresses, pictures, and cells that say why theirs differ by a line
`# differs: ...`. Cells for a GPU or a network are not run, so theirs are not compared either. Notebooks that were run with data which
the package does not hold are run with FASTNLP_DATA (../shared/data, if that is there), or left out where the data are not there; all
others are run without it.
"""
import argparse, difflib, os, re, subprocess, sys
import nbformat
from nbclient import NotebookClient
from project import address, lessons, references, root
from run_notebooks import skipped, tidy

flags = 'cuda', 'network', 'slow'
# what the committed outputs of a notebook were made from, beside what is in the package
data_of = {'02_subwords': ['chnsenticorp'], '15_validation': ['patents'], '21b_small_gpt': ['gutenberg_books'], '23_hf_tasks': ['mrpc', 'goemotions'],
           **dict.fromkeys(['26_patent_matching', 'applications_cpc', 'applications_encoders', 'applications_joint', 'applications_pair_columns', 'applications_pair_errors'], ['patents'])}
number = re.compile(r'(?<![\w.])[-+−]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?')
# A line that speaks of time, speed or memory differs from run to run.
measured = re.compile(r'\b(\d[\d.,]* ?(s|ms|µs|us|ns|sec|seconds?|minutes?|min|MB|GB|MiB|GiB)\b|seconds?|per second|/s\b|milliseconds?|microseconds?|time|faster|slower|speed|times (as|fast|slow)|memory|\d+:\d\d)', re.I)
unstable = re.compile(r'0x[0-9a-f]{3,}|/tmp/\S+|\b(?=\d*[a-f])[0-9a-f]{16,}\b|tmp\w{8}|\b\d{4}-\d\d-\d\d\b')

def printed(cell):
    "What a cell shows as text: streams and results, without pictures and without what stands on standard error."
    texts = []
    for output in cell.get('outputs', []):
        if output.output_type == 'stream' and output['name'] == 'stdout': texts.append(output['text'])
        elif output.output_type in ('execute_result', 'display_data'):
            data = output['data']
            if 'image/png' not in data: texts.append(data.get('text/plain', ''))
    return '\n'.join(texts)

def without_times(lines):
    "The lines without the numbers in columns of a table whose heads speak of time: `seconds`, `milliseconds per epoch`. Columns are set to the right."
    places = []
    for line in lines:
        columns = [] if re.search(r'(?<![A-Za-z])\d', line) else list(re.finditer(r'\S+(?: \S+)*', line))
        heads = [(columns[i - 1].end() if i else 0, found.end()) for i, found in enumerate(columns) if measured.search(found[0])] if len(columns) > 1 else []
        if len(columns) == 1 and line.endswith(' seconds'): heads = [(len(line) - len(' seconds'), len(line))]      # pandas puts one blank between columns
        places = heads or (places if line.strip() else [])
        for begin, end in reversed([] if heads else places): line = line[:begin] + re.sub(r'[\d,.:]*\d', '…', line[begin:end]) + line[end:]
        yield line

def comparable(text):
    "The lines of a text that should not change, with a place-holder for each number, and the numbers."
    lines, numbers, has_times = [], [], False
    for line in without_times(text.splitlines()):
        has_times = has_times or bool(re.match(r'\s*epoch\b.*\btime\b', line))
        line = unstable.sub('…', line)
        if has_times: line = re.sub(r'\d+:\d\d(:\d\d)?', '', line)
        if measured.search(line): line = number.sub('…', line)
        found = number.findall(line)
        numbers += [float(value.replace(',', '').replace('−', '-')) for value in found]
        lines.append(re.sub(r'\s+', ' ', number.sub('#', line)).strip())
    return [line for line in lines if line], numbers

def close(one, two, tolerance):
    "Are two numbers equal but for rounding?"
    return one == two or abs(one - two) <= tolerance*max(abs(one), abs(two), 1e-3)

def difference(before, after, tolerance):
    "What differs between two outputs, as lines; nothing where they agree."
    (old, old_numbers), (new, new_numbers) = comparable(before), comparable(after)
    if ' '.join(old) != ' '.join(new): return [line for line in difflib.unified_diff(old, new, 'committed', 'now', lineterm='', n=0)][:12]
    return [f'{one:g} is {two:g} now' for one, two in zip(old_numbers, new_numbers) if not close(one, two, tolerance)][:6]

def surroundings(path):
    "The environment in which a notebook was run."
    return {name: value for name, value in os.environ.items() if name != 'FASTNLP_DATA' or path.stem in data_of}

def lacks(path):
    "Data sets that a notebook was run with and that are not here."
    from fastnlp_course.sources import data_files, find_data
    def here(name): return find_data(name) is not None if name in data_files else (root.parent/'shared'/'data'/name).exists()    # a lesson may look beside the repository
    return [name for name in data_of.get(path.stem, []) if not here(name)]

def fresh(path, tolerance):
    "Sentences on the cells of a notebook that print something else than they did."
    nb = nbformat.read(path, as_version=4)
    tidy(nb)
    before = [printed(cell) for cell in nb.cells]
    client = NotebookClient(nb, timeout=1200, kernel_name='python3', resources={'metadata': {'path': str(path.parent)}})
    with client.setup_kernel(env=surroundings(path)):
        for i, cell in enumerate(nb.cells):
            if not skipped(cell, flags): client.execute_cell(cell, i)
    tidy(nb)
    found = []
    for i, (cell, old) in enumerate(zip(nb.cells, before)):
        if cell.cell_type != 'code' or skipped(cell, flags) or re.search(r'^# differs: \S', cell.source, re.M): continue
        if lines := difference(old, printed(cell), tolerance): found.append(f'{address(path)}, cell {i}:\n' + '\n'.join(f'    {line}' for line in lines))
    return found

def changed_since(base):
    "Notebooks that differ from a commit, those of changed modules included, and those that print tables of benchmarks if these differ."
    names = subprocess.run(['git', 'diff', '--name-only', base, '--', 'nbs', 'benchmarks/results.md'], cwd=root, capture_output=True, text=True, check=True).stdout.split()
    tables = 'benchmarks/results.md' in names
    return [path for path in [*lessons(), *references()] if address(path) in names or tables and prints_tables(path)]

def prints_tables(path):
    "Does a notebook print a table of benchmarks/results.md?"
    return any(cell.cell_type == 'code' and re.search(r'\bmeasured\(', cell.source) for cell in nbformat.read(path, as_version=4).cells)

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='*')
    parser.add_argument('--changed', metavar='BASE')
    parser.add_argument('--tolerance', type=float, default=.1, help='by which share a number may differ')
    given = parser.parse_args()
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    beside = root.parent/'shared'/'data'
    if beside.is_dir(): os.environ.setdefault('FASTNLP_DATA', str(beside))
    paths = changed_since(given.changed) if given.changed else [*lessons(), *references()]
    paths = [path for path in paths if not given.names or any(path.name.startswith(name) for name in given.names)]
    problems = []
    for path in paths:
        if missing := lacks(path):
            print(f"{address(path)}: not run, its outputs were made from {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not here (FASTNLP_DATA says where)", flush=True)
            continue
        found = fresh(path, given.tolerance)
        print(f"{address(path)}: {f'{len(found)} cells differ' if found else 'as committed'}", flush=True)
        problems += found
    if problems: sys.exit('\n'.join(problems))
    print(f'fresh-check: {len(paths)} notebooks print what is committed')

if __name__ == '__main__': main()
