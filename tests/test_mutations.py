"""Every field of every JSON file of every kind of model: replaced, removed, of another type. The folder is read to finite numbers, or a sentence names what is wrong.

A few of each kind in `make test`; `make fuzz` (FASTNLP_FUZZ=100000) takes them all.
"""
import importlib.util
import multiprocessing
import os
import sys
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location('mutate_folders', Path(__file__).with_name('mutate_folders.py'))
mutate = importlib.util.module_from_spec(spec)
sys.modules['mutate_folders'] = mutate
spec.loader.exec_module(mutate)

pytestmark = pytest.mark.skipif('fork' not in multiprocessing.get_all_start_methods(), reason='needs fork')
n_cases = int(os.environ.get('FASTNLP_FUZZ', 2000))
shares = {} if n_cases >= 100_000 else {**dict.fromkeys(mutate.kinds, 10), 'in_transformers': 4, 'report': 3}      # these two take a second for each

def in_child(work):
    "What `work` returns, from a process of its own that may take 3 GB."
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        said = 'the process ended'
        try:
            mutate.torch.set_num_threads(1)
            mutate.limit_memory()
            said = work()
        except BaseException as error: said = f'{type(error).__name__}: {error}'
        finally:
            os.write(writing, said.encode('utf-8', 'replace')[:60_000] or b'-')
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, 'rb') as pipe: found = pipe.read().decode('utf-8', 'replace')
    os.waitpid(pid, 0)
    return found or 'the process was killed'

@pytest.mark.parametrize('kind', list(mutate.kinds))
def test_fields(kind, tmp_path, record_property):
    if kind == 'onnx': pytest.importorskip('onnxruntime')
    base = tmp_path/kind
    mutate.kinds[kind][0](base)
    for read in mutate.kinds[kind][1]: assert mutate.is_finite(read(base))
    found = mutate.chosen(mutate.cases(kind, base), shares.get(kind))
    record_property('fuzz cases', len(found))
    def work():
        wrong = [said for said in (mutate.one(kind, base, tmp_path, *case) for case in found) if said]
        return '\n'.join(wrong)
    assert in_child(work) == '-'

def test_a_manifest_that_is_not_made_right_is_noticed(tmp_path):
    "One changed byte of one file, whatever it means, is named."
    mutate.make_tfidf(tmp_path/'tfidf')
    for file in ('config.json', 'terms.json'):
        folder = tmp_path/file
        mutate.shutil.copytree(tmp_path/'tfidf', folder)
        data = (folder/file).read_text(encoding='utf-8')
        (folder/file).write_text(data.replace('w1', 'w2', 1).replace('pos', 'pox', 1), encoding='utf-8')
        with pytest.raises(ValueError, match=f'{file} (is damaged|has )'): mutate.predicts(folder)
