"Blocks and answers as tasks on a real Ray cluster of two workers: `skipped: no ray` where it is not installed."
import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fastnlp_course.text.corpus import build_store
from fastnlp_course.text.ray_blocks import ray_map
from fastnlp_course.text.tokenization import BaseTokenizer, lowercase

if importlib.util.find_spec('ray') is None: pytest.skip('skipped: no ray', allow_module_level=True)

draw = np.random.default_rng(0)
words = 'the film was good and a bad one too'.split() + [f'rare{i}' for i in range(40)]
texts = [' '.join(draw.choice(words, draw.integers(0, 12))) for _ in range(300)]
texts[7] = texts[8] = ''
texts[150] += ' deadly'

def dies_once(text):
    "A rule that leaves every text as it is, and kills its process by SIGKILL in the middle of a block, once."
    mark = os.environ.get('FASTNLP_TEST_DIES')
    if mark and 'deadly' in text:
        try: os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
        except FileExistsError: return text
        os.kill(os.getpid(), signal.SIGKILL)
    return text

def dies_always(text):
    "A rule that no worker survives."
    if 'deadly' in text and os.environ.get('FASTNLP_TEST_DIES'): os.kill(os.getpid(), signal.SIGKILL)
    return text

def fails_on_rare7(text):
    "A rule with a fault."
    if 'rare7' in text.split(): raise KeyError('rare7')
    return text

small = dict(tok=BaseTokenizer(), min_freq=2, block_chars=400, shard_tokens=300)
one = dict(small, rules=[lowercase, dies_once])

def contents(path): return {file.name: file.read_bytes() for file in path.iterdir()}

@pytest.fixture(scope='module')
def mark(tmp_path_factory): return tmp_path_factory.mktemp('mark')/'died'

@pytest.fixture(scope='module')
def cluster(mark):
    "Two workers on this machine, on loopback."
    os.environ['RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER'] = os.environ['RAY_USAGE_STATS_ENABLED'] = '0'   # read at import: 127.0.0.1 only
    import ray
    from fastnlp_course.text import ray_blocks
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get('PYTHONPATH', '')])
    started = ray_blocks._start(ray, tries=3, num_cpus=2, object_store_memory=1 << 27, runtime_env={'env_vars': {'FASTNLP_TEST_DIES': str(mark), 'PYTHONPATH': path}})
    assert started.address_info['node_ip_address'] == '127.0.0.1'
    yield ray
    ray.shutdown()

@pytest.fixture(scope='module')
def expected(tmp_path_factory):
    "The files of the store that one process makes."
    path = tmp_path_factory.mktemp('expected')/'store'
    store = build_store(texts, path, **one)
    assert len(store.shards) > 2 and len(store) == len(texts)
    return contents(path)

def test_one_of_two_workers_is_killed_in_the_middle(cluster, expected, mark, tmp_path):
    store = build_store(iter(texts), tmp_path/'store', engine='ray', **one)
    assert mark.exists(), 'no worker was killed'
    assert contents(tmp_path/'store') == expected and len(store) == len(texts)
    assert not list(tmp_path.glob('store.rank*')) and cluster.is_initialized()      # we did not start it, we do not end it

def test_a_given_vocab(cluster, expected, tmp_path):
    vocab = build_store(texts, tmp_path/'made', **one).vocab
    assert contents(build_store(texts, tmp_path/'one', vocab=vocab, **one).path) == contents(build_store(texts, tmp_path/'two', vocab=vocab, engine='ray', **one).path)

@pytest.mark.parametrize('first, then', [('ray', None), (None, 'ray'), ('ray', 'ray')])
def test_an_interrupted_call_goes_on_with_either(cluster, expected, tmp_path, first, then):
    def fails():
        yield from texts[:160]
        raise KeyError('column')
    with pytest.raises(RuntimeError, match=r'failed at document 160: KeyError.*kept in .*store.rank-0-of-1'): build_store(fails(), tmp_path/'store', engine=first, **one)
    kept = {file: file.stat().st_mtime_ns for file in tmp_path.glob('store.rank-0-of-1/block-*.json')}
    assert len(kept) > 5
    with pytest.raises(ValueError, match='are not those of the interrupted call'): build_store(texts[::-1], tmp_path/'store', engine=then, **one)
    assert kept == {file: file.stat().st_mtime_ns for file in kept}
    build_store(texts, tmp_path/'store', engine=then, **one)
    assert contents(tmp_path/'store') == expected
    assert len(build_store(texts, tmp_path/'store', engine=then, **one)) == len(texts)     # finished: opened
    with pytest.raises(ValueError, match='another value of min_freq'): build_store(texts, tmp_path/'store', engine=then, **{**one, 'min_freq': 1})

def test_a_full_disk(cluster, expected, tmp_path, monkeypatch):
    monkeypatch.setenv('FASTNLP_FAULT', 'raise:store:block:3')
    with pytest.raises(OSError, match='No space left'): build_store(texts, tmp_path/'store', engine='ray', **one)
    monkeypatch.delenv('FASTNLP_FAULT')
    assert len(list(tmp_path.glob('store.rank-0-of-1/block-*.json'))) == 3
    build_store(texts, tmp_path/'store', engine='ray', **one)
    assert contents(tmp_path/'store') == expected

def test_errors_are_those_of_one_process(cluster, tmp_path):
    faulty = dict(small, rules=[fails_on_rare7])
    said = []
    for engine in (None, 'ray'):
        with pytest.raises(RuntimeError, match='could not be tokenized: KeyError') as error: build_store(texts, tmp_path/f'{engine}', engine=engine, **faulty)
        said.append(str(error.value))
    assert said[0] == said[1]

def test_a_piece_that_kills_every_worker(cluster, tmp_path):
    with pytest.raises(RuntimeError, match='though it was tried 4 times'): build_store(texts, tmp_path/'store', engine='ray', **dict(small, rules=[dies_always]))
    assert list(tmp_path.glob('store.rank-0-of-1/block-*.json'))                          # what came before it is kept

def test_rank_and_engine(tmp_path):
    with pytest.raises(ValueError, match="world is 2 and engine is 'ray'"): build_store(texts, tmp_path/'store', world=2, engine='ray')

def test_rows_are_answered_in_order(cluster, tmp_path, capsys):
    "The command with and without the engine writes the same file."
    from fastnlp_course.applications.tfidf_model import fit_tfidf, save_tfidf
    from fastnlp_course.cli import predict
    model = save_tfidf(fit_tfidf(['a fine film', 'fine music', 'a dull film', 'long and dull']*4, ['good', 'good', 'bad', 'bad']*4), None, tmp_path/'model')
    table = pd.DataFrame({'id': range(9000), 'text': [('fine ' if i % 3 else 'dull ')*(i % 7) for i in range(9000)]})
    table.to_csv(tmp_path/'new.csv', index=False)
    options = dict(text=None, file=tmp_path/'new.csv', text_col=None, sep=None, encoding=None, guard=True)
    for engine in (None, 'ray'): predict(model, out=tmp_path/f'{engine}.csv', engine=engine, **options)
    assert (tmp_path/'ray.csv').read_bytes() == (tmp_path/'None.csv').read_bytes()
    assert pd.read_csv(tmp_path/'ray.csv').id.tolist() == list(range(9000))
    assert len(set(capsys.readouterr().err.splitlines())) == 1           # the empty ones, said once by each

def test_results_come_in_order(cluster):
    def doubler(by): return lambda item: item*by
    assert list(ray_map(doubler, (2,), range(40))) == list(range(0, 80, 2))

alone = """
import sys
from pathlib import Path
from test_ray import contents, one, texts
from fastnlp_course.text.corpus import build_store
build_store(texts, Path(sys.argv[1])/'store', engine='ray', **one)
import ray
print(ray.is_initialized(), sorted(name for name in ('RAY_USAGE_STATS_ENABLED', 'RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER') if name in __import__('os').environ))
"""

def by_itself(folder, **variables):
    "A program that knows nothing of Ray: the engine starts it, and ends it."
    free = {name: value for name, value in os.environ.items() if not name.startswith('RAY_')}
    return subprocess.run([sys.executable, '-c', alone, str(folder)], cwd=Path(__file__).parent, env={**free, **variables}, capture_output=True, text=True)

def test_a_cluster_of_our_own_and_a_driver_that_is_killed(expected, tmp_path):
    died = by_itself(tmp_path, FASTNLP_FAULT='store:block:4')
    assert died.returncode == 137, died.stderr
    kept = list(tmp_path.glob('store.rank-0-of-1/block-*.json'))
    assert len(kept) == 4
    done = by_itself(tmp_path)
    assert done.returncode == 0 and done.stdout.strip() == 'False []', done.stdout + done.stderr
    assert contents(tmp_path/'store') == expected
