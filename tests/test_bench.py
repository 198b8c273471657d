"make bench: the plan covers every script with options it has, says what it leaves out, goes on, and keeps to its minutes."
import ast
import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest

folder = Path(__file__).resolve().parent.parent/'benchmarks'

@pytest.fixture
def bench(monkeypatch):
    "The script, under a name that hides nothing."
    spec = importlib.util.spec_from_file_location('bench_all', folder/'all.py')
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, 'bench_all', module)
    spec.loader.exec_module(module)
    return module

def options_of(script):
    "The options that a script declares, read from its source, and whether it makes some from a list."
    calls = [node for node in ast.walk(ast.parse(script.read_text(encoding='utf-8'))) if isinstance(node, ast.Call) and getattr(node.func, 'attr', '') == 'add_argument']
    given = [call.args[0] for call in calls if call.args]
    return {value.value for value in given if isinstance(value, ast.Constant)}, any(isinstance(value, ast.JoinedStr) for value in given)

def test_every_script_has_its_place(bench):
    scripts = {path.name for path in folder.glob('*.py')} - {'all.py', 'common.py', 'peer_reviews.py'}
    planned = {benchmark.command.split()[0] for benchmark in bench.benchmarks}
    assert planned <= scripts and set(bench.left_out()) == scripts - planned and set(bench.too_long) <= scripts
    assert len({benchmark.name for benchmark in bench.benchmarks}) == len(bench.benchmarks)
    assert sum(benchmark.minutes for benchmark in bench.benchmarks) < 60

def test_options_are_those_of_the_scripts(bench):
    for benchmark in bench.benchmarks:
        script, *arguments = benchmark.command.split()
        declared, made = options_of(folder/script)
        for option in arguments:
            if option.startswith('--'): assert option in declared or made, f'{script} has no {option}'
        assert benchmark.kind in ('full', 'short', 'try')
        if benchmark.kind != 'try' and '--write' in declared: assert '--write' in arguments, f'{benchmark.name} would write no table'

@pytest.fixture
def small(bench, tmp_path, monkeypatch):
    "Three benchmarks that take no time, in a folder of their own."
    (tmp_path/'one.py').write_text('import os, sys; open("ran.txt", "a").write(sys.argv[1] + os.environ["FASTNLP_SHORT_RUN"] + " "); print("said")', encoding='utf-8')
    (tmp_path/'bad.py').write_text('import sys; sys.exit("broken")', encoding='utf-8')
    for name, value in {'here': tmp_path, 'root': tmp_path, 'notes': tmp_path/'notes', 'shared': tmp_path/'shared'}.items(): monkeypatch.setattr(bench, name, value)
    B = bench.Benchmark
    monkeypatch.setattr(bench, 'benchmarks', [B('a', 'one.py a', 1), B('b', 'one.py b', 2, 'short'), B('peer', 'one.py {peer}', 1), B('data', 'one.py d', 1, needs='texts'), B('package', 'one.py p', 1, needs='gt_nothing')])
    monkeypatch.delenv('FASTNLP_PEER', raising=False)
    return tmp_path

def test_a_plan_runs_nothing(bench, small, capsys):
    bench.main(['--dry-run'])
    said = capsys.readouterr().out
    assert 'no peer: pass --peer PYTHON' in said and 'no ../shared/data/texts' in said and 'gt_nothing is not installed' in said
    assert 'about 3 minutes; 3 of 5 left out' in said and not (small/'ran.txt').exists() and not (small/'notes').exists()

def test_it_goes_on_where_it_was(bench, small, capsys):
    ran = lambda: (small/'ran.txt').read_text(encoding='utf-8').split()
    bench.main(['a', 'b', 'peer', '--minutes', '1.5'])
    assert ran() == ['a'] and 'no time left: call again' in capsys.readouterr().out
    bench.main(['a', 'b', 'peer'])
    assert ran() == ['a', 'b1'] and 'done on ' in capsys.readouterr().out                   # b is a short run
    bench.main(['a', '--again'])
    assert ran() == ['a', 'b1', 'a'] and (small/'notes'/'a.txt').read_text(encoding='utf-8') == 'said\n'
    bench.benchmarks[0].command = 'one.py other'                                            # another size is another run
    bench.main(['a'])
    assert ran()[-1] == 'other'
    bench.main(['peer', '--peer', 'a b'])
    assert (small/'ran.txt').read_text(encoding='utf-8').endswith('a b ')

def test_a_failure_is_named_and_not_done(bench, small, capsys):
    bench.benchmarks[0].command = 'bad.py'
    for _ in range(2):
        with pytest.raises(SystemExit, match='failed: a'): bench.main(['a', 'b'])
    assert 'failed, see notes/a.txt' in capsys.readouterr().out and (small/'ran.txt').read_text(encoding='utf-8') == 'b1 '
    with pytest.raises(SystemExit): bench.main(['nothing'])
    assert 'no benchmark is called nothing' in capsys.readouterr().err

def test_the_whole_writes_what_was_run(bench, small, monkeypatch):
    written = {}
    monkeypatch.setitem(sys.modules, 'common', type(sys)('common'))
    sys.modules['common'].machine, sys.modules['common'].write_section = (lambda: 'a machine'), written.__setitem__
    bench.main([])
    text = written['All benchmarks in one go']
    assert '| a | `one.py a` | its table | done |' in text and '| b | `one.py b` | a table, short run | done |' in text and 'left out: no ../shared/data/texts' in text and '| – | `one.py`' not in text and '`bad.py` | – | left out: has no size for an hour yet' in text

def test_a_short_run_replaces_no_table(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(folder))
    spec = importlib.util.spec_from_file_location('bench_common', folder/'common.py')
    common = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(common)
    for name in ('results_path', 'packaged_path'): monkeypatch.setattr(common, name, tmp_path/f'{name}.md')
    monkeypatch.delenv('FASTNLP_SHORT_RUN', raising=False)
    common.write_section('Words', 'long')
    monkeypatch.setenv('FASTNLP_SHORT_RUN', '1')
    for text in ('short', 'shorter'): common.write_section('Words', text)
    found = re.split(r'(?m)^## ', (tmp_path/'results_path.md').read_text(encoding='utf-8'))[1:]
    assert [part.strip() for part in found] == ['Words\n\nlong', 'Words, short run\n\nshorter']
