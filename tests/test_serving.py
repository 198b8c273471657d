"A real server on loopback: the learner's answers for many clients at once, nothing lost at SIGTERM, a sentence for what is wrong."
import importlib.util
import os
import re
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest

for extra in ('fastapi', 'uvicorn', 'httpx'): pytest.importorskip(extra)
import httpx

words = 'a fine moving film dull tiresome bore with some story and no end'.split()

def texts_of(i):
    "One to three texts, different for each request."
    rng = np.random.default_rng(i)
    return [' '.join(rng.choice(words, rng.integers(0, 12))) for _ in range(1 + i % 3)]

@pytest.fixture(scope='module')
def model(tmp_path_factory):
    "An exported ULMFiT classifier, small and untrained."
    from fastnlp_course.data.text_data import TextDataLoaders
    from fastnlp_course.models.awd_lstm import AWD_LSTM, awd_lstm_clas_config
    from fastnlp_course.models.ulmfit import text_classifier_learner
    table = pd.DataFrame({'text': ['a fine and moving film with some story']*12 + ['a dull and tiresome bore with no end']*12, 'label': ['good']*12 + ['bad']*12})
    dls = TextDataLoaders.from_df(table, text_col='text', label_col='label', bs=8, seed=1)
    learn = text_classifier_learner(dls, AWD_LSTM, config={**awd_lstm_clas_config, 'emb_sz': 16, 'n_hid': 16, 'n_layers': 1}, pretrained=False)
    folder = tmp_path_factory.mktemp('serving')/'model'
    learn.export(folder)
    return folder

@contextmanager
def server(model, *options):
    "`fastnlp serve` in a process of its own; yields (process, address)."
    command = [sys.executable, '-m', 'fastnlp_course.cli', 'serve', str(model), '--port', '0', *map(str, options)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding='utf-8', env={**os.environ, 'PYTHONIOENCODING': 'utf-8', 'PYTHONUNBUFFERED': '1'})
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            found = re.search(r'Serving at (http://\S+)', line)
            if found: break
        else: raise AssertionError(''.join(said))
        yield process, found[1]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()

def client(address): return httpx.Client(base_url=address, timeout=60, trust_env=False)

def test_many_clients_get_the_learners_answers(model):
    from fastnlp_course.training.export import load_learner
    def ask(number):
        with client(address) as http:
            return {i: http.post('/predict', json={'texts': texts_of(i)}).raise_for_status().json() for i in range(number, 500, 8)}
    with server(model) as (process, address):
        with ThreadPoolExecutor(8) as pool: found = {i: answer for part in pool.map(ask, range(8)) for i, answer in part.items()}
        with client(address) as http: health = http.get('/health').json()
    learn = load_learner(model)
    asked = [text for i in range(500) for text in texts_of(i)]
    with learn.no_bar(), learn.no_logging(): wanted = learn.get_preds(dl=learn.dls.test_dl(asked))[0].numpy()
    assert np.abs(np.array([row for i in range(500) for row in found[i]['probabilities']]) - wanted).max() < 1e-6
    names = list(learn.dls.vocab[1])
    assert [label for i in range(500) for label in found[i]['labels']] == [names[i] for i in wanted.argmax(1)]
    assert (health['accepted'], health['answered'], health['waiting']) == (500, 500, 0)
    assert all((note is None) == bool(text) for i in range(500) for text, note in zip(texts_of(i), found[i]['notes']))

def test_nothing_accepted_is_lost_at_sigterm(model):
    "Eight clients ask without a pause; in the middle comes SIGTERM. What the server counted as accepted, clients have."
    answers, broken, enough = [], [], threading.Event()
    def ask(number):
        with client(address) as http:
            for i in range(number, 100_000, 8):
                try: answer = http.post('/predict', json={'texts': texts_of(i)})
                except httpx.TransportError: return          # the server accepts nothing any more
                if answer.status_code == 503: return
                (answers if answer.status_code == 200 and len(answer.json()['labels']) == len(texts_of(i)) else broken).append(answer.status_code)
                if len(answers) >= 100: enough.set()
    with server(model) as (process, address):
        clients = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for one in clients: one.start()
        assert enough.wait(60)
        process.send_signal(signal.SIGTERM)
        for one in clients: one.join(60)
        rest = process.stdout.read()
        assert process.wait(30) == 0, rest
    accepted, answered = map(int, re.search(r'accepted: (\d+), answered: (\d+)', rest).groups())
    assert not broken and accepted == answered == len(answers) >= 100

def test_wrong_requests_get_sentences(model):
    with server(model, '--max-rows', 3, '--max-chars', 40) as (process, address), client(address) as http:
        wrong = [(dict(json={'texts': ['x']*4}), 413, 'has 4 texts, and at most 3'), (dict(json={'texts': ['x'*41]}), 413, 'has 41 characters, and at most 40'), (dict(json={'texts': []}), 422, 'an empty list'),
                 (dict(json={'texts': [1]}), 422, 'text 0 is a int'), (dict(json={'text': 'x'}), 422, "an object with ['text']"), (dict(content=b'texts=x'), 422, 'is not JSON'),
                 (dict(content=b' '*100_000), 413, 'the body has more than'), (dict(content=b'{"texts": ["\\ud800"]}'), 422, 'half a character')]
        for body, status, said in wrong:
            answer = http.post('/predict', **body)
            assert (answer.status_code, said in answer.json()['detail']) == (status, True), answer.text
        assert http.get('/predict').status_code == 405 and http.get('/nothing').status_code == 404
        assert http.post('/predict', json={'texts': ['a fine film']}).json()['classes'] == ['bad', 'good']      # it is still well
        assert 'text/html' in http.get('/docs').headers['content-type']

def test_what_cannot_be_served_says_so(model, tmp_path):
    done = subprocess.run([sys.executable, '-m', 'fastnlp_course.cli', 'serve', str(tmp_path)], capture_output=True, text=True, encoding='utf-8', timeout=60)
    assert done.returncode == 1 and 'is no model' in done.stderr and 'Traceback' not in done.stderr
    from fastnlp_course.applications.serving import listen, serve
    with listen('127.0.0.1', 0) as taken, pytest.raises(OSError, match='cannot listen on 127.0.0.1.*--port'):
        serve(model, port=taken.getsockname()[1])

def test_another_host_is_warned_of(model):
    said = []
    from fastnlp_course.applications.serving import serve
    with pytest.raises(OSError, match='cannot listen on 256.0.0.1'): serve(model, host='256.0.0.1', log=said.append)
    assert len(said) == 1 and said[0].startswith('Warning: 256.0.0.1 is reachable from other machines')
