"""Run lessons as Colab or Kaggle would: check_places.py colab|kaggle [NAME ...] [--cuda] [--envs FOLDER] [--keep FOLDER]

Makes an environment from the list in tools/places/ (the place's Python, torch, pandas, fastcore ...; what this computer cannot have is
replaced by the nearest, and said), and runs each lesson in an empty folder, from its first cell, which installs a wheel of this checkout
with pip. A lesson passes if no cell fails or writes to standard error, if bars stay on one line, and if numpy, pandas and torch are the
same afterwards. In the place `kaggle` the first cell runs with the network on; then the network is off (by a network namespace, where the
system allows it) for the whole lesson, and /kaggle/input can only be read. Without names: all lessons.

An environment is made once and kept in --envs. It gets a torch without CUDA. Where the place's Python has none (PyPI has those of Linux
only with CUDA, 5 GB with its libraries), the Python that runs this takes its place, unless --cuda allows the big one.
"""
import argparse, contextlib, json, os, re, shutil, socket, subprocess, sys, tempfile, time
from pathlib import Path
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from traitlets.config import Config
from urllib.parse import urlsplit
from check_wheel import build
from install_cell import kept
from project import install_mark, lessons, root, settings
from run_notebooks import bar, skipped

extras = ['hf', 'models', 'lightning', 'tensorboard', 'onnx', 'serve']
cpu_index = 'https://download.pytorch.org/whl/cpu'
flags = 'cuda', 'network', 'slow'
# Colab is known by this module; libraries ask where it comes from (`find_spec`), so it says.
like_colab = "import sys\nfrom importlib.machinery import ModuleSpec\nfrom importlib.util import module_from_spec\nsys.modules['google.colab'] = module_from_spec(ModuleSpec('google.colab', None))\n"

def demands(place):
    "The lines of a place's list: its Python, and the others as pip reads them."
    lines = [line.split('#')[0].strip() for line in (root/'tools'/'places'/f'{place}.txt').read_text(encoding='utf-8').splitlines()]
    lines = [line for line in lines if line]
    return lines[0].removeprefix('python=='), lines[1:]

def version_of(python):
    "Two numbers of a Python, or None where it does not run."
    try: done = subprocess.run([str(python), '-c', 'import sys; print("%d.%d" % sys.version_info[:2])'], capture_output=True, text=True, timeout=60)
    except OSError: return None
    return done.stdout.strip() if done.returncode == 0 else None

def interpreter(wanted):
    "A Python of this version on this computer; None if there is none."
    found = [shutil.which(f'python{wanted}'), *sorted((Path.home()/'.pyenv'/'versions').glob(f'{wanted}.*/bin/python'))]
    return next((str(python) for python in found if python and version_of(python) == wanted), None)

def pip(python, *arguments, **options):
    "pip of an environment."
    return subprocess.run([str(python), '-m', 'pip', *map(str, arguments)], capture_output=True, text=True, **options)

def find_torch(python, wanted, cuda=False):
    "How pip gets this torch: its arguments; None if it cannot, or if it would bring CUDA and may not."
    for source in (['--index-url', cpu_index], []):
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder)/'report.json'
            done = pip(python, 'install', '-q', '--dry-run', '--retries', '0', '--timeout', '20', '--report', report, *source, wanted)
            if done.returncode or not report.exists(): continue
            names = [item['metadata']['name'].lower() for item in json.loads(report.read_text(encoding='utf-8'))['install']]
        if cuda or not any(name.startswith(('nvidia', 'triton', 'cuda')) for name in names): return [*source, wanted]
    return None

def venv_python(folder):
    return next(path for path in (folder/'bin'/'python', folder/'Scripts'/'python.exe') if path.exists())

def made_before(folder, demanded, cuda):
    "What is known of an environment in `folder`, if it is the one wanted: with CUDA allowed, one that differs is made anew."
    stamp = folder/'like.json'
    known = json.loads(stamp.read_text(encoding='utf-8')) if stamp.exists() else None
    return known if known and known['lines'] == demanded and not (cuda and known['differs']) else None

def environment(place, folder, say, cuda=False):
    "The Python of an environment like the place's, made if it is not there; and in what it differs."
    version, lines = demands(place)
    if known := made_before(folder, [version, *lines], cuda): return venv_python(folder), known['differs']
    shutil.rmtree(folder, ignore_errors=True)
    own = re.search(r'^torch==(\S+)', (root/'constraints.txt').read_text(encoding='utf-8'), re.M)[1]
    torch = next((line for line in lines if line.startswith('torch')), 'torch')
    tries = [(python, line) for python in (interpreter(version), sys.executable) if python for line in dict.fromkeys((torch, f'torch=={own}'))]
    for python, line in tries:
        subprocess.run([python, '-m', 'venv', '--clear', str(folder)], check=True)
        if source := find_torch(venv_python(folder), line, cuda): break
        say(f'{line} for Python {version_of(python)} {"is not to be had here" if cuda else "would bring CUDA (--cuda allows it), or is not to be had here"}')
    else: raise SystemExit(f'no torch {"" if cuda else "without CUDA "}for {place} on this computer')
    differs = [f'Python {version_of(python)} in place of {version}']*(version_of(python) != version) + [f'{line} in place of {torch}']*(line != torch and torch != 'torch')
    here, (listing, libraries) = venv_python(folder), requirements([demand for demand in lines if not demand.startswith('torch')], folder)
    for arguments in (source, ['-c', listing, *libraries]):
        done = pip(here, 'install', '-q', *arguments)
        if done.returncode: raise SystemExit(f'the environment of {place} cannot be made: {done.stderr[-2000:]}')
    (folder/'like.json').write_text(json.dumps({'lines': [version, *lines], 'differs': differs}), encoding='utf-8')
    return here, differs

def requirements(lines, folder):
    "A file that holds the place's versions, and all that lessons need beside the package."
    config, listing = settings(), folder/'place.txt'
    listing.write_text('\n'.join(lines) + '\n', encoding='utf-8')
    needed = [line for key in ('', *(f'{extra}_' for extra in extras)) for line in config[f'{key}requirements'].split() if not line.startswith('torch>')]
    return listing, [*needed, 'ipykernel', 'jupyter_client', 'ipywidgets']

def loaded_versions(python):
    "Versions of what must not change."
    code = f"from importlib import metadata; print([(d.metadata['Name'].lower(), d.version) for d in metadata.distributions() if d.metadata['Name'].lower().replace('_', '-') in {kept}])"
    return sorted(set(eval_list(subprocess.run([str(python), '-c', code], capture_output=True, text=True, check=True).stdout)))

def eval_list(text):
    "Pairs printed by `loaded_versions`."
    return re.findall(r"\('([^']+)', '([^']+)'\)", text)

def offline_prefix():
    "What makes a program run without a network, and FASTNLP_KAGGLE_INPUT a folder to read alone; None where the system does not allow it."
    read_only = 'at="$FASTNLP_KAGGLE_INPUT"; mount --bind "$at" "$at" 2>/dev/null && mount -o remount,bind,ro "$at" 2>/dev/null'
    alone = ['unshare', '--net', '--mount', 'sh', '-c', f'ip link set lo up 2>/dev/null; {read_only}; exec "$0" "$@"']
    try: return alone if subprocess.run([*alone, 'true'], capture_output=True).returncode == 0 else None
    except OSError: return None

def kernel(place, python, folder, offline):
    "A kernel like the place's, called as its folder is, as Jupyter finds it: the folder to put into JUPYTER_PATH."
    spec = folder/'jupyter'/'kernels'/folder.name
    spec.mkdir(parents=True)
    start = folder/'start'
    start.mkdir()
    variables = {'OMP_NUM_THREADS': '1', 'FASTNLP_HOME': str(folder/'home'), 'MPLCONFIGDIR': str(folder/'matplotlib'), 'MPLBACKEND': 'module://matplotlib_inline.backend_inline', 'HF_HUB_DISABLE_TELEMETRY': '1', 'PYDEVD_DISABLE_FILE_VALIDATION': '1'}
    if place == 'colab':
        (start/'sitecustomize.py').write_text(like_colab, encoding='utf-8')
        variables['PYTHONPATH'] = str(start)
    else:
        inputs = Path('/kaggle/input') if Path('/kaggle/input').is_dir() else folder/'input'
        inputs.mkdir(exist_ok=True)
        inputs.chmod(0o555)
        variables |= {'KAGGLE_KERNEL_RUN_TYPE': 'Batch', 'FASTNLP_KAGGLE_INPUT': str(inputs)}
    argv = [*(offline or []), str(python), '-m', 'ipykernel_launcher', '-f', '{connection_file}']
    (spec/'kernel.json').write_text(json.dumps({'argv': argv, 'display_name': place, 'language': 'python', 'env': variables}), encoding='utf-8')
    return folder/'jupyter'

def streams(cell, name):
    "All that a cell wrote to a stream."
    return ''.join(output['text'] for output in cell.get('outputs', []) if output.output_type == 'stream' and output['name'] == name)

def bars_on_several_lines(text):
    "Lines that a bar left behind beyond its own: on a screen a carriage return begins the line anew."
    shown = [re.split(r'\r', line)[-1] for line in text.replace('\r\n', '\n').split('\n')]
    return [line for before, line in zip(shown, shown[1:]) if bar.search(before) and bar.search(line)]

# where the network is off, torch's processes say this of the loopback address, which has no name there
nameless = re.compile(r'^\[W.*\[c10d\] The hostname of the client socket cannot be retrieved\..*$\n?', re.M)

def faults_of(nb):
    "What a reader would stumble over in the outputs of a notebook that has run."
    for i, cell in enumerate(nb.cells):
        if cell.cell_type != 'code': continue
        if said := nameless.sub('', streams(cell, 'stderr')).strip(): yield f'cell {i} writes to standard error: {said.splitlines()[0][:300]}'
        if lines := bars_on_several_lines(streams(cell, 'stdout')): yield f'cell {i}: a bar on {len(lines) + 1} lines'

def from_wheel(source, wheel, reached):
    "The cell that installs, with a wheel in place of the address, and `reached` in place of where it looks for a network."
    changed, n = re.subn(r" @ git\+[^']+'", f" @ {wheel.as_uri()}'", source)
    if n != 1: raise SystemExit('the install cell names no address')
    changed, n = re.subn(r"create_connection\(\('[^']+', \d+\)", f'create_connection({reached!r}', changed)
    if n != 1: raise SystemExit('the install cell looks for no network')
    return changed

@contextlib.contextmanager
def a_server():
    "What the first cell finds of a network: its own server, or this computer in its place where that one is not reached; and whether it is."
    own = urlsplit(settings()['git_url']).hostname, 443
    try:
        socket.create_connection(own, timeout=10).close()
        yield own, True
    except OSError:
        with socket.create_server(('127.0.0.1', 0), backlog=128) as server: yield server.getsockname(), False

def client(nb, folder, offline):
    "Runs `nb` in the kernel of the place; through files (one absolute place for both sides) where there is no network between the two."
    config = Config()
    if offline:
        config.KernelManager.transport, config.KernelManager.ip = 'ipc', str(Path(tempfile.mkdtemp(dir=folder.parent))/'s')
    return NotebookClient(nb, timeout=1800, startup_timeout=300, kernel_name=folder.parent.name, config=config, resources={'metadata': {'path': str(folder)}})

def to_run(path, wheel, reached):
    "A lesson without outputs whose first cell installs the wheel."
    nb = nbformat.read(path, as_version=4)
    for cell in nb.cells:
        if cell.cell_type == 'code' and install_mark in cell.source: cell.source = from_wheel(cell.source, wheel, reached)
        if 'outputs' in cell: cell['outputs'] = []
    return nb

def install_cells(nb):
    "A copy of a notebook with nothing but the cell that installs."
    return nbformat.from_dict({**nb, 'cells': [dict(cell) for cell in nb.cells if cell.cell_type == 'code' and install_mark in cell.source]})

def execute(nb, folder, offline):
    "Runs a notebook in an empty folder, on a computer that has kept nothing: sentences on what went wrong."
    content = folder/'content'
    for kept_here in (content, folder/'home'): shutil.rmtree(kept_here, ignore_errors=True)
    content.mkdir()
    runner = client(nb, content, offline)
    try:
        with runner.setup_kernel():
            for i, cell in enumerate(nb.cells):
                if not skipped(cell, flags): runner.execute_cell(cell, i)
    except (CellExecutionError, DeadKernelError) as error: return [f'cell {i} fails: {re.sub(chr(27) + r"[^m]*m", "", str(error)).strip().splitlines()[-1][:300]}', *faults_of(nb)]
    return list(faults_of(nb))

def run(path, wheel, reached, folder, offline, keep=None):
    "Sentences on what went wrong in a lesson; with the network off, the first cell has run before with the network on."
    nb = to_run(path, wheel, reached)
    if offline and (found := execute(install_cells(nb), folder/'online', None)): return found
    found = execute(nb, folder/'offline' if offline else folder/'online', offline)
    if keep: nbformat.write(nb, keep/path.name)
    return found

def without_network(folder, offline):
    "What the first cell says without a network, where it must install: one sentence."
    nb = install_cells(nbformat.read(lessons()[0], as_version=4))
    execute(nb, folder, offline)
    errors = [output for output in nb.cells[0].outputs if output.output_type == 'error']
    text = '\n'.join(errors[0].traceback) if errors else ''
    return [] if text.startswith('NotInstalled: the network is off') and '\n' not in text else [f'the first cell without a network says: {text or nb.cells[0].outputs}']

def parse(arguments):
    "What was asked for on the command line."
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('place', choices=['colab', 'kaggle'])
    parser.add_argument('names', nargs='*', metavar='NAME', help='lessons, by the start of their names; all if left out')
    parser.add_argument('--cuda', action='store_true', help="take the torch with CUDA (5 GB) where the place's Python has no other")
    parser.add_argument('--envs', type=Path, default=root/'tmp'/'places', help='folder for the environments')
    parser.add_argument('--keep', type=Path, metavar='FOLDER', help='where the lessons are left as they ran')
    given = parser.parse_args(arguments)
    given.paths = [path for path in lessons() if not given.names or any(path.name.startswith(name) for name in given.names)]
    if not given.paths: parser.error(f"no lesson begins with {' or '.join(given.names)}")
    for folder in filter(None, (given.envs, given.keep)): folder.mkdir(parents=True, exist_ok=True)
    return given

def check(given, python, offline, reached):
    "What went wrong in each lesson: a mapping of names to sentences."
    wrong = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        wheel, _ = build(str(python), folder/'dist')
        os.environ['JUPYTER_PATH'] = os.pathsep.join(str(kernel(given.place, python, folder/name, prefix)) for name, prefix in (('online', None), ('offline', offline)) if name == 'online' or offline)
        pip(python, 'uninstall', '-q', '-y', settings()['lib_name'])      # a run that was broken off may have left an older one
        before = loaded_versions(python)
        if offline and (said := without_network(folder/'offline', offline)): wrong['first cell'] = said
        for path in given.paths:
            began = time.time()
            found = run(path, wheel, reached, folder, offline, given.keep)
            if (after := loaded_versions(python)) != before: found.append(f'other versions than before: {sorted(set(after) ^ set(before))}')
            if pip(python, 'uninstall', '-q', '-y', settings()['lib_name']).returncode: found.append('the first cell did not install the package')
            if found: wrong[path.name] = found
            print(f"{path.stem}: {'; '.join(found) or 'fine'} ({time.time() - began:.0f} s)", flush=True)
    return wrong

def main(arguments=None):
    given = parse(arguments)
    python, differs = environment(given.place, (given.envs/given.place).absolute(), print, given.cuda)
    offline = offline_prefix() if given.place == 'kaggle' else None
    with a_server() as (reached, own):
        if given.place == 'kaggle' and not offline: differs = [*differs, 'the network is not off: this system lets no program run without one']
        if not own: differs = [*differs, 'the server of the repository is not reached from here: where the first cell looks for it, this computer answers']
        print(f"{given.place}: Python {version_of(python)}{''.join(f'; {what}' for what in differs)}", flush=True)
        wrong = check(given, python, offline, reached)
    if wrong: sys.exit('\n'.join(f'{name}: {sentence}' for name, found in wrong.items() for sentence in found))
    print(f'{len(given.paths)} lessons run in {given.place}')

if __name__ == '__main__': main()
