"""Put the badges and the install cell into every lesson, from settings.ini: notebook_headers.py [--check]

nbdev_test runs several notebooks in one process. A lesson defines again what the package defines, and patches the
package's classes with it. So under test the install cell also drops the package, and each notebook imports it afresh.
"""
import sys
import nbformat
from project import badges, lessons, settings

marker = '<!-- badges -->'

def install_source():
    "The cell that installs the package in Colab and Kaggle and does nothing elsewhere."
    config = settings()
    return '\n'.join([
        "#| hide",
        "# In Colab and Kaggle this installs the package; anywhere else it does nothing.",
        "import importlib.util, os, sys",
        "if ('google.colab' in sys.modules or 'KAGGLE_KERNEL_RUN_TYPE' in os.environ) and not importlib.util.find_spec('fastnlp_course'):",
        f"    get_ipython().system('pip install -q git+{config['git_url']}')",
        "if type(get_ipython()).__name__ == 'CaptureShell':",
        "    for name in [name for name in sys.modules if name.split('.')[0] == 'fastnlp_course']: del sys.modules[name]"])

def with_header(nb, path):
    "`nb` with its badge cell and install cell behind the first cell."
    rest = [cell for cell in nb.cells if not cell.source.startswith(marker) and 'In Colab and Kaggle this installs' not in cell.source]
    header = [nbformat.v4.new_markdown_cell(f'{marker}\n{badges(path)}'), nbformat.v4.new_code_cell(install_source())]
    nb.cells = rest[:1] + header + rest[1:]
    for i, cell in enumerate(nb.cells): cell['id'] = f'cell-{i:03d}'
    return nb

def main(check):
    wrong = []
    for path in lessons():
        before = path.read_text(encoding='utf-8')
        after = nbformat.writes(with_header(nbformat.reads(before, as_version=4), path)) + '\n'
        if before.rstrip() == after.rstrip(): continue
        wrong.append(path.name)
        if not check: path.write_text(after, encoding='utf-8')
    if check and wrong: sys.exit(f"badges or install cell differ in {', '.join(wrong)}: run make badges")

if __name__ == '__main__': main('--check' in sys.argv[1:])
