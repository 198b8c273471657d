"Phrase matching: the command line, interrupted writes, submissions of any ids and numbers, and the flow without a network."
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastnlp_course.applications.pairs import PhrasePairs, predict_pairs
from fastnlp_course.applications.cpc import context_title
from fastnlp_course.applications.encoders import small_encoder
from fastnlp_course.applications.kaggle import check_submission, kaggle_folder, make_submission, read_pairs
from fastnlp_course.sources import get_data

root = Path(__file__).resolve().parent.parent

def fastnlp(*arguments, cwd=None, **variables):
    "Run the command in a process of its own."
    return subprocess.run([sys.executable, '-m', 'fastnlp_course.cli', *map(str, arguments)], capture_output=True, text=True,
                          encoding='utf-8', cwd=cwd, env={**os.environ, 'PYTHONIOENCODING': 'utf-8', 'OMP_NUM_THREADS': '1', **variables})

@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    "A table with foreign column names and an STS-like scale, and a small model."
    folder = tmp_path_factory.mktemp('patents')
    table = get_data('phrases')['train'].head(240)
    small_encoder([*table.anchor, *table.target], folder/'small', vocab_size=400, hidden_size=16)
    foreign = table.rename(columns={'anchor': 'term', 'target': 'candidate', 'context': 'field'}).assign(rating=table.score*5, owner=table.anchor)
    foreign.drop(columns='score').to_csv(folder/'pairs.csv', index=False)
    return folder

columns = ('--anchor', 'term', '--target', 'candidate', '--context', 'field')

def train_command(folder, out, **variables):
    "A short training on the foreign table."
    return fastnlp('train-pairs', folder/'pairs.csv', *columns, '--score', 'rating', '--high', 5, '--group', 'owner', '--model', folder/'small', '--epochs', 1, '--bs', 32, '--out', out, **variables)

@pytest.fixture(scope='module')
def trained(folder):
    "What train-pairs left."
    done = train_command(folder, folder/'out')
    assert done.returncode == 0, done.stdout + done.stderr
    return folder/'out'

def test_results_of_training(trained):
    metrics = json.loads((trained/'metrics.json').read_text(encoding='utf-8'))
    assert metrics['low'] <= metrics['pearson'] <= metrics['high'] and metrics['train'] + metrics['valid'] == 240
    predictions = pd.read_csv(trained/'predictions.csv')
    assert len(predictions) == metrics['valid'] and predictions.pred.between(0, 1).all() and set(predictions.score) <= {0, .25, .5, .75, 1}

def test_match_prints_and_writes(trained, folder, tmp_path):
    printed = fastnlp('match', folder/'pairs.csv', *columns, '--model', trained/'model')
    assert printed.returncode == 0, printed.stderr
    written = fastnlp('match', folder/'pairs.csv', *columns, '--model', trained/'model', '--out', tmp_path/'scored.csv')
    assert written.returncode == 0 and '240 scores written' in written.stdout
    table = check_submission(tmp_path/'scored.csv', pd.read_csv(folder/'pairs.csv').id)
    again = predict_pairs(trained/'model', read_pairs(folder/'pairs.csv', 'term', 'candidate', 'field'))
    assert np.allclose(table.score, again, atol=1e-5)

@pytest.mark.parametrize('command', ['train-pairs', 'match'])
def test_help_has_an_example(command):
    done = fastnlp(command, '-h')
    assert done.returncode == 0 and 'Example: fastnlp' in done.stdout

@pytest.mark.parametrize('arguments, message', [
    (['train-pairs', 'missing.csv'], 'missing.csv does not exist'),
    (['train-pairs', 'pairs.csv'], "column 'anchor' is not in the table"),
    (['train-pairs', 'pairs.csv', *columns, '--score', 'rating'], 'scores are outside of 0.0 to 1.0'),
    (['train-pairs', 'pairs.csv', *columns, '--score', 'rating', '--high', '5', '--template', '{anchor}'], 'needs {anchor} and {target}'),
    (['match', 'pairs.csv', '--model', 'nowhere'], "column 'anchor' is not in the table"),
    (['match', 'pairs.csv', *columns, '--model', 'nowhere'], 'nowhere'),
])
def test_errors_are_one_sentence(arguments, message, folder):
    done = fastnlp(*arguments, *(['--model', 'small'] if arguments[0] == 'train-pairs' else []), cwd=folder)
    assert done.returncode == 1
    assert message in done.stderr and 'Traceback' not in done.stderr and done.stderr.count('\n') == 1

def test_an_interrupted_training_can_be_run_again(folder, tmp_path):
    broken = train_command(folder, tmp_path/'out', FASTNLP_FAULT='before_replace:metrics.json')
    assert broken.returncode == 137 and not (tmp_path/'out'/'metrics.json').exists()
    done = train_command(folder, tmp_path/'out')
    assert done.returncode == 0 and (tmp_path/'out'/'metrics.json').exists(), done.stderr

def test_a_full_disk_leaves_the_old_submission(tmp_path, monkeypatch):
    path = make_submission(['a', 'b'], [0.25, 0.75], tmp_path/'submission.csv')
    before = path.read_bytes()
    monkeypatch.setenv('FASTNLP_FAULT', 'raise:before_replace:submission.csv')
    with pytest.raises(OSError, match='cannot be written'):
        make_submission(['a', 'b'], [0.5, 0.5], path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1

def test_a_wrong_submission_is_never_written(tmp_path):
    with pytest.raises(ValueError, match='not finite'):
        make_submission(['a', 'b'], [0.5, np.inf], tmp_path/'submission.csv')
    assert not list(tmp_path.iterdir())

names = st.lists(st.text(st.characters(codec='utf-8', exclude_categories=('Cc', 'Cs')), min_size=1, max_size=12), min_size=1, max_size=20, unique=True)

@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names, st.data())
def test_any_ids_and_numbers_survive(tmp_path, ids, data):
    preds = data.draw(st.lists(st.floats(-10, 10), min_size=len(ids), max_size=len(ids)))
    written = check_submission(make_submission(ids, np.array(preds)[:, None], tmp_path/'submission.csv'), ids)
    assert np.allclose(written.score, np.clip(preds, 0, 1), atol=1e-6)

def test_the_embedded_phrases_are_those_of_the_readme():
    data = root/'fastnlp_course'/'assets'
    told = re.search(r'sha256 ([0-9a-f]{64})', (data/'phrases.README.md').read_text(encoding='utf-8'))[1]
    packed = (data/'phrases.csv.gz').read_bytes()
    assert hashlib.sha256(packed).hexdigest() == told and len(packed) < 250_000
    table = pd.read_csv(data/'phrases.csv.gz', keep_default_na=False)
    assert 5_000 <= len(table) <= 10_000 and set(table.score) == {0, .25, .5, .75, 1}
    assert (table.groupby('anchor').split.nunique() == 1).all() and not table.duplicated(['anchor', 'target', 'context']).any()
    assert 'WordNet' in (data/'phrases.LICENSE.txt').read_text(encoding='utf-8')

def test_the_real_data(reference):
    patents = reference/'data'/'us_patent_phrase'
    if not patents.exists(): pytest.skip('skipped: no us_patent_phrase in ../shared')
    with gzip.open(patents/'train.csv.gz', 'rt', encoding='utf-8') as file:
        pairs = PhrasePairs.from_df(pd.read_csv(file, keep_default_na=False))
    assert len(pairs) == 36_473 and len(set(pairs.groups)) == 733
    assert all(';' in context_title(context) for context in set(pairs.table.context))
    assert len(read_pairs(patents/'test.csv')) == 36

@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    "A wheel of this library, built from a copy without a network."
    copy, dist = tmp_path_factory.mktemp('source')/'fastnlp', tmp_path_factory.mktemp('dist')
    copy.mkdir()
    for name in ('setup.py', 'settings.ini', 'pyproject.toml', 'README.md'): shutil.copy(root/name, copy)
    shutil.copytree(root/'fastnlp_course', copy/'fastnlp_course', ignore=shutil.ignore_patterns('__pycache__', 'awd_lstm_*'))
    done = subprocess.run([sys.executable, '-m', 'pip', 'wheel', '-q', '--no-deps', '--no-build-isolation', '--no-index', '-w', str(dist), str(copy)], capture_output=True, text=True)
    if done.returncode: pytest.skip(f'skipped: no wheel can be built here without a network ({done.stderr.strip().splitlines()[-1][:100]})')
    return next(dist.glob('*.whl'))

no_network = '''
import socket
def refuse(*args, **kwargs): raise OSError('the network is off')
socket.socket.connect = socket.socket.connect_ex = socket.create_connection = socket.getaddrinfo = refuse
'''

def test_submission_without_a_network(trained, wheel, tmp_path):
    "The notebook of `kaggle_folder`, with all sockets refused and the library from the wheel alone."
    inputs, home, work = tmp_path/'input', tmp_path/'home', tmp_path/'working'
    for path in (home/'site', work, inputs/'competition'): path.mkdir(parents=True)    # a folder that is missing when Python starts is never looked at again
    kaggle_folder(trained/'model', inputs/'pair-model', [wheel], name='me/pair-model')
    shared = root.parent/'shared'/'data'/'us_patent_phrase'/'test.csv'
    test = pd.read_csv(shared, keep_default_na=False) if shared.exists() else get_data('phrases')['test'].drop(columns='score').head(36)
    test.to_csv(inputs/'competition'/'test.csv', index=False)
    (home/'sitecustomize.py').write_text(no_network, encoding='utf-8')      # every Python process of the run reads it, pip too
    cells = json.loads((inputs/'pair-model'/'submission.ipynb').read_text(encoding='utf-8'))['cells']
    where = "\nimport fastnlp_course, socket\nprint(fastnlp_course.__file__)\ntry: socket.create_connection(('example.org', 80))\nexcept OSError as error: print(error)\n"
    source = '\n'.join(''.join(cell['source']) for cell in cells) + where
    variables = {'FASTNLP_KAGGLE_INPUT': inputs, 'KAGGLE_KERNEL_RUN_TYPE': 'Batch', 'PIP_TARGET': home/'site', 'PYTHONPATH': f'{home}{os.pathsep}{home/"site"}', 'HF_HUB_OFFLINE': '0', 'OMP_NUM_THREADS': '1'}
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', source], cwd=work, capture_output=True, text=True, env={**os.environ, **{name: str(value) for name, value in variables.items()}})
    assert done.returncode == 0, done.stderr
    assert str(home/'site') in done.stdout and 'the network is off' in done.stdout
    assert len(check_submission(work/'submission.csv', test.id)) == 36
