"""Every file of `make_hostile.py` is refused in a sentence, runs nothing, and reads and writes nothing outside its folder."""
import importlib.util
import re
import sys
import warnings
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location('make_hostile', Path(__file__).with_name('make_hostile.py'))
make_hostile = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_hostile)

from torch import nn

from fastnlp_course.all import TokenStore, load_language_model, load_learner, load_lora, load_weights, read_vocab
from fastnlp_course.archives import safe_extract
from fastnlp_course.files import read_json, safe_unpickle

def open_tokenizer(path):
    "It opens with the usual rules and says why: that warning is the refusal."
    from fastnlp_course.bridges.ulmfit_tokenizer import AWDLSTMTokenizer
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        AWDLSTMTokenizer.from_pretrained(path)
    said = [str(warning.message) for warning in caught if 'stand in for those of the file' in str(warning.message)]
    if said: raise ValueError(said[0])

def open_classifier(path):
    import fastnlp_course.bridges.ulmfit_in_transformers
    from transformers import AutoModelForSequenceClassification
    return AutoModelForSequenceClassification.from_pretrained(path)

readers = {'adapter': lambda path: load_lora(nn.Sequential(nn.Linear(2, 2)), path), 'classifier in transformers': open_classifier, 'learner': load_learner, 'tokenizer': open_tokenizer, 'pickle': safe_unpickle, 'weights': load_weights, 'archive': lambda path: safe_extract(path, path.with_name(path.name + '.out')),
           'json': read_json, 'vocab': read_vocab, 'language model': load_language_model, 'store': lambda path: TokenStore.open(path, verify=True)}

# What the process opens, runs, connects to, while a file is read. Hooks of Python see it however it is called.
watched = {'on': False, 'said': []}
allowed = tuple(str(Path(place).resolve()) for place in (sys.prefix, sys.base_prefix, Path(make_hostile.__file__).parent.parent/'fastnlp_course'))

def see(event, arguments):
    if not watched['on']: return
    if event in ('os.system', 'subprocess.Popen', 'os.exec', 'os.posix_spawn', 'os.spawn', 'os.startfile', 'socket.connect', 'shutil.rmtree', 'os.fork', 'webbrowser.open', 'ftplib.connect', 'urllib.Request'):
        watched['said'].append((event, arguments))
    if event == 'open' and isinstance(arguments[0], (str, bytes)):
        watched['said'].append((event, arguments))

sys.addaudithook(see)

def outside(folder):
    "What was done outside of `folder`."
    said = []
    for event, arguments in watched['said']:
        place = str(arguments[0])
        if event == 'open':
            place = str(Path(place).resolve())
            if place.startswith((str(folder.resolve()), *allowed, '/proc/', '/sys/', '/usr/share/zoneinfo/', '/dev/null', '/dev/urandom')) or place.endswith(('.py', '.pyc', '.so')): continue
        elif event == 'shutil.rmtree' and str(Path(place).resolve()).startswith(str(folder.resolve())): continue
        said.append((event, arguments))
    return said

@pytest.fixture(scope='module')
def written(tmp_path_factory):
    return make_hostile.write_all(tmp_path_factory.mktemp('hostile')/'files')

@pytest.mark.parametrize('name', [case[0] for case in make_hostile.cases])
def test_refused_in_a_sentence(written, name, monkeypatch):
    path, reader, words = written[name]
    folder = path.parent.parent
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob('*'))
    watched.update(on=True, said=[])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            with pytest.raises((ValueError, OSError)) as error: readers[reader](path)
    finally:
        watched['on'] = False
    message = str(error.value)
    assert words in message, message
    assert re.search(r'[a-z]{3,} [a-z]', message) and len(message) < 1500, message
    assert not outside(folder), outside(folder)
    assert sorted(folder.rglob('*')) == before and not list(folder.rglob('*FLAG')) and not Path('/tmp/fastnlp_FLAG').exists()

def test_there_are_enough():
    assert len({case[0] for case in make_hostile.cases}) == len(make_hostile.cases) >= 120
