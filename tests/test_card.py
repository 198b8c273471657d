"`fastnlp card` from the command line: a card made from the report, kept words of people, and a push that is refused before anything is written. No test asks the hub."
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

def fastnlp(*arguments, **variables):
    "Run the command in a process of its own, logged in nowhere."
    given = {name: value for name, value in os.environ.items() if name not in ('HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN', 'HF_HUB_OFFLINE')}
    return subprocess.run([sys.executable, '-m', 'fastnlp_course.cli', *map(str, arguments)], capture_output=True, text=True, encoding='utf-8', env={**given, 'PYTHONIOENCODING': 'utf-8', **variables})

@pytest.fixture
def ask(monkeypatch, tmp_path):
    "Run the command here, logged in nowhere and with a hub that does not answer; returns (exit code, what it said)."
    from huggingface_hub import constants
    from typer.testing import CliRunner
    from fastnlp_course.cli import app
    monkeypatch.setattr(warnings, 'showwarning', warnings.showwarning)      # the command sets its own
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', False)
    monkeypatch.setattr(constants, 'ENDPOINT', 'http://127.0.0.1:9')
    monkeypatch.setattr(constants, 'HF_TOKEN_PATH', str(tmp_path/'no_token'))
    for name in ('HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN'): monkeypatch.delenv(name, raising=False)
    def run(*arguments):
        done = CliRunner().invoke(app, ['card', *map(str, arguments)])
        return done.exit_code, done.output
    return run

@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    "The result of train-classifier --model tfidf on a small table, in a folder with a person's name."
    home = tmp_path_factory.mktemp('jane_doe')
    texts = [f'a {word} film about number {i}' for i in range(60) for word in ('moving', 'tiresome')]
    pd.DataFrame({'text': texts, 'label': ['good', 'b|a<d>']*60}).to_csv(home/'films.csv', index=False)
    done = fastnlp('train-classifier', home/'films.csv', '--model', 'tfidf', '--out', home/'out')
    assert done.returncode == 0, done.stderr
    return home/'out'

@pytest.fixture
def bare(tmp_path):
    "A model that nothing lies beside."
    from fastnlp_course.applications.tfidf_model import fit_tfidf, save_tfidf
    save_tfidf(fit_tfidf(['a fine film']*9 + ['a dull bore']*9, ['good']*9 + ['bad']*9), None, tmp_path/'alone')
    return tmp_path/'alone'

def test_help_has_an_example():
    done = fastnlp('card', '-h')
    assert done.returncode == 0 and 'Example: fastnlp card' in done.stdout and '--push' in done.stdout

def test_the_card_says_what_the_report_says(trained):
    done = fastnlp('card', trained/'model', '--license', 'mit')
    assert done.returncode == 0, done.stderr
    card = (trained/'model'/'README.md').read_text(encoding='utf-8')
    facts = json.loads((trained/'facts.json').read_text(encoding='utf-8'))
    value, low, high = facts['models']['TF-IDF + logistic regression']['intervals']['accuracy']
    assert f'{value:.1%} ({low:.1%} to {high:.1%})' in card and facts['data']['sha256'] in card
    assert 'b\\|a\\<d\\>' in card and '<d>' not in card                                     # a label is only a label
    assert 'jane_doe' not in card and 'fastnlp train-classifier films.csv --model tfidf --out out' in card
    from huggingface_hub import ModelCard
    assert ModelCard(card).data.license == 'mit'

def test_what_people_wrote_is_kept(trained, ask):
    from fastnlp_course.applications.predictors import load_predictor
    assert ask(trained/'model')[0] == 0
    place = trained/'model'/'README.md'
    place.write_text(place.read_text(encoding='utf-8') + '\nJane answers questions.\n', encoding='utf-8')
    before = place.read_text(encoding='utf-8')
    assert ask(trained/'model')[0] == 0 and place.read_text(encoding='utf-8') == before
    assert load_predictor(trained/'model').predicted(load_predictor(trained/'model').probabilities(['a moving film'])) == ['good']

def test_a_model_without_a_report_gets_a_card_that_says_so(bare, ask):
    assert ask(bare)[0] == 0
    card = (bare/'README.md').read_text(encoding='utf-8')
    assert 'Nothing lies beside this model' in card and '2 labels: bad, good' in card and 'accuracy' not in card

def test_a_card_by_other_hands_stays(bare, ask):
    (bare/'README.md').write_text('# Mine\n', encoding='utf-8')
    code, said = ask(bare)
    assert code == 1 and 'was not written by this command' in said and said.count('\n') == 1
    assert (bare/'README.md').read_text(encoding='utf-8') == '# Mine\n'

@pytest.mark.parametrize('arguments, token, offline, message', [
    (['--push', 'jane/films'], None, False, 'nobody is logged in'),
    (['--push', 'jane/films'], 'hf_x', True, 'HF_HUB_OFFLINE is set'),
    (['--push', 'jane/films/x'], 'hf_x', False, 'is called USER/NAME'),
    (['--push', 'jane/films'], 'hf_x', False, 'the hub could not say who you are'),
    (['--public'], None, False, 'there is no --push'),
    (['--license', 'My own'], None, False, 'names such as mit'),
])
def test_what_cannot_be_sent_is_refused_before_anything_is_written(bare, ask, monkeypatch, arguments, token, offline, message):
    from huggingface_hub import constants
    if token: monkeypatch.setenv('HF_TOKEN', token)
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', offline)
    code, said = ask(bare, *arguments)
    assert code == 1 and message in said and 'Traceback' not in said and said.count('\n') == 1
    assert not (bare/'README.md').exists()

def test_a_refusal_is_one_sentence_and_exit_code_1(bare, tmp_path):
    done = fastnlp('card', bare, '--push', 'jane/films', HF_HOME=str(tmp_path/'hub'))
    assert done.returncode == 1 and 'hf auth login' in done.stderr and 'Traceback' not in done.stderr and done.stderr.count('\n') == 1
    assert not (bare/'README.md').exists()

def test_what_is_no_model_gets_no_card(tmp_path, ask):
    code, said = ask(tmp_path)
    assert code == 1 and 'is no model' in said and not (tmp_path/'README.md').exists()

def test_a_push_sends_the_model_and_no_other_file(bare, ask, monkeypatch):
    "With a stand-in for the hub."
    import huggingface_hub
    sent = {}

    class StandIn:
        def __init__(self, token=None): pass
        def whoami(self): return {'name': 'jane'}
        def create_repo(self, repo, private, exist_ok):
            sent.update(repo=repo, private=private)
            return f'https://huggingface.co/{repo}'
        def repo_info(self, repo): return SimpleNamespace(private=sent['private'])
        def create_commit(self, repo, operations, commit_message): sent['files'] = {one.path_in_repo: Path(one.path_or_fileobj).read_bytes() for one in operations}
        def list_repo_files(self, repo): return list(sent['files'])

    monkeypatch.setattr(huggingface_hub, 'HfApi', StandIn)
    monkeypatch.setenv('HF_TOKEN', 'hf_x')
    (bare/'letters.csv').write_text('text\nprivate\n', encoding='utf-8')
    code, said = ask(bare, '--push', 'films')
    assert code == 0 and 'https://huggingface.co/jane/films' in said and 'Not sent, because no part of the model: letters.csv' in said
    assert (sent['repo'], sent['private'], sorted(sent['files'])) == ('jane/films', True, ['README.md', 'config.json', 'manifest.json', 'model.safetensors', 'terms.json'])
    assert ask(bare, '--push', 'films', '--public')[0] == 0 and sent['private'] is False
