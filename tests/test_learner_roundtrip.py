"A learner leaves one process as files and comes back in another: the way from /kaggle/working to /kaggle/input, and what damaged or hostile files do."
import json
import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from fastnlp_course.training.saving import MismatchError, load_into, load_weights
from fastnlp_course.training.export import load_learner

# What every process of these tests needs: data, a small tied model, a learner
common = '''
import os, sys, torch, pandas as pd
from pathlib import Path
from torch import nn
from fastnlp_course.files import configurable, set_seed
from fastnlp_course.training.learner import *
from fastnlp_course.training.outputs import *
from fastnlp_course.training.optimizer import *
from fastnlp_course.training.contexts import *
from fastnlp_course.training.recorder import *
from fastnlp_course.training.groups import *
from fastnlp_course.training.hooks import *
from fastnlp_course.training.predictions import *
from fastnlp_course.training.callbacks import *
from fastnlp_course.models.rnn_callbacks import *
from fastnlp_course.training.precision import *
from fastnlp_course.training.saving import *
from fastnlp_course.training.checkpoint import *
from fastnlp_course.training.export import *
from fastnlp_course.training.interpret import *
from fastnlp_course.training.metrics import accuracy
from fastnlp_course.data.text_data import TextDataLoaders

@configurable
class Bag(nn.Module):
    def __init__(self, n_words, n_hid):
        super().__init__()
        self.sizes = {'n_words': n_words, 'n_hid': n_hid}
        self.vectors, self.classes, self.back = nn.Embedding(n_words, n_hid), nn.Linear(n_hid, 2), nn.Linear(n_hid, n_words)
        self.back.weight = self.vectors.weight                 # tied
    def forward(self, x): return self.classes(self.vectors(x).mean(1))
    def to_config(self): return self.sizes
    @classmethod
    def from_config(cls, config): return cls(**config)

def learner(path, n_hid=8, **kwargs):
    set_seed(0)
    table = pd.DataFrame({'text': [f'{word} film {"so "*(i % 5)} it goes' for i, word in enumerate(['good', 'bad']*20)], 'label': ['pos', 'neg']*20})
    dls = TextDataLoaders.from_df(table, path=path, text_col='text', label_col='label', bs=8, seed=1, valid_pct=0.3)
    return Learner(dls, Bag(len(dls.vocab[0]), n_hid), metrics=accuracy, path=path, **kwargs)
'''
exec(common)

def run(code, **env):
    "Run `code` after `common` in a process of its own."
    return subprocess.run([sys.executable, '-c', common + textwrap.dedent(code)], capture_output=True, text=True, env={**os.environ, **env}, timeout=300)

def read_only(folder):
    for path in [*folder.rglob('*'), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)

@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    "Saved and exported in another process; the folder is read-only."
    working = tmp_path_factory.mktemp('kaggle')/'working'
    done = run(f'''
        learn = learner(Path({str(working)!r}))
        with learn.no_logging(): learn.fit(3, 1e-1)
        learn.save('epoch3')
        learn.save('plain.pth', with_opt=False)
        learn.export('exported')
        torch.save(learn.predict('a good film')[2], learn.path/'expected.pt')
    ''')
    assert done.returncode == 0, done.stderr
    given = working.parent/'input'
    working.rename(given)
    read_only(given)
    yield given
    for path in [given, *given.rglob('*')]:
        if path.is_dir(): path.chmod(0o755)

def expected_of(folder):
    return torch.load(folder/'expected.pt', weights_only=True)

@pytest.mark.parametrize('name', ['models/epoch3', 'models/epoch3.safetensors', 'models/plain.pth', 'models/plain'])
def test_weights_come_back_from_a_read_only_folder(trained, tmp_path, name):
    before = {path: path.stat().st_mtime_ns for path in trained.rglob('*')}
    for given in (str(trained/name), trained/name):
        learn = learner(tmp_path)
        with pytest.warns(UserWarning) if 'plain' in name else noop_context():
            learn.load(given)
        assert torch.allclose(learn.predict('a good film')[2], expected_of(trained), atol=1e-6)
        assert learn.model.back.weight is learn.model.vectors.weight
    assert {path: path.stat().st_mtime_ns for path in trained.rglob('*')} == before

def noop_context():
    from contextlib import nullcontext
    return nullcontext()

def test_relative_names(trained):
    learn = learner(trained)                           # reads below its read-only path
    for name in ('epoch3', 'epoch3.safetensors', Path('epoch3')):
        assert torch.allclose(learn.load(name).predict('a good film')[2], expected_of(trained), atol=1e-6)

def test_exported_in_another_process(trained):
    done = run(f'''
        learn = load_learner({str(trained/'exported')!r})
        assert learn.dls.train_ds is not None and len(learn.dls.train_ds) == 0
        label, index, probs = learn.predict('a good film')
        expected = torch.load(Path({str(trained)!r})/'expected.pt', weights_only=True)
        assert torch.allclose(probs, expected, atol=1e-6), (probs, expected)
        assert learn.model.back.weight is learn.model.vectors.weight
        assert label == ['neg', 'pos'][int(expected.argmax())] and int(index) == int(expected.argmax())
        texts = ['a bad film so so', 'it goes good film bad', 'film']                 # the loader sorts them, the result does not
        many = learn.get_preds(dl=learn.dls.test_dl(texts, bs=1))[0]
        assert torch.allclose(many, torch.stack([learn.predict(text)[2] for text in texts]), atol=1e-6)
    ''')
    assert done.returncode == 0, done.stderr

def test_training_goes_on_from_a_copy(trained, tmp_path):
    learn, other = learner(tmp_path), learner(tmp_path)
    for each in (learn, other):
        each.load(trained/'models'/'epoch3')
        set_seed(5)
        with each.no_logging(): each.fit(1, 1e-2)
    assert torch.equal(learn.model.classes.weight, other.model.classes.weight)
    assert learn.opt.state[learn.model.classes.weight]          # the state of the optimizer came along

@pytest.mark.skipif(hasattr(os, 'geteuid') and os.geteuid() == 0, reason='root may write anywhere')
def test_saving_into_a_read_only_folder_says_so(trained):
    with pytest.raises(OSError, match='cannot be written'): learner(trained).save('new')
    with pytest.raises(OSError): learner(trained).export('new')

# Damaged and hostile files
def test_cut_and_foreign_files(trained, tmp_path):
    learn = learner(tmp_path)
    data = (trained/'models'/'epoch3.safetensors').read_bytes()
    (tmp_path/'models').mkdir()
    for name, content in {'cut': data[:len(data)//2], 'head': data[:20], 'empty': b'', 'text': b'hello '*20}.items():
        for suffix in ('.safetensors', '.pth'):
            file = tmp_path/'models'/(name + suffix)
            file.write_bytes(content)
            with pytest.raises(ValueError, match='cannot be read as weights'): learn.load(file)

class Harmful:
    def __init__(self, file): self.file = file
    def __reduce__(self): return open, (self.file, 'w')

def test_pickles_do_not_run(tmp_path):
    learn, proof = learner(tmp_path), tmp_path/'proof'
    torch.save({'model': Harmful(str(proof))}, tmp_path/'bad.pth')
    (tmp_path/'export.pkl').write_bytes(pickle.dumps(Harmful(str(proof))))
    with pytest.raises(ValueError, match='more than tensors'): learn.load(tmp_path/'bad.pth')
    with pytest.raises(ValueError, match='is a file'): load_learner(tmp_path/'export.pkl')
    assert not proof.exists()

@pytest.mark.parametrize('change, words', [
    (lambda c: c.update(factory='os.system'), 'not known here'),
    (lambda c: c['arguments'].update(model={'function': 'os.system'}), 'outside fastnlp_course'),
    (lambda c: c['arguments'].update(model={'function': 'fastnlp_course.files.os'}), 'fastnlp_course'),
    (lambda c: c['arguments'].update(model={'type': 'Popen', 'args': {'dict': {}}}), 'not a registered class'),
    (lambda c: c['arguments'].update(model=None), 'damaged'),
    (lambda c: c['arguments']['model']['args']['dict'].update(n_hid=5), 'expects'),
    (lambda c: c.update(settings=[1]), 'damaged'),
    (lambda c: c.pop('dls'), 'damaged'),
    (lambda c: c.update(dls={'kind': 'none'}), 'config.json'),
    (lambda c: c.update(version=99), 'version 99'),
    (lambda c: c.clear(), 'does not describe'),
])
def test_changed_configs(trained, tmp_path, change, words):
    config = json.loads((trained/'exported'/'config.json').read_text(encoding='utf-8'))
    change(config)
    (tmp_path/'config.json').write_text(json.dumps(config), encoding='utf-8')
    (tmp_path/'model.safetensors').write_bytes((trained/'exported'/'model.safetensors').read_bytes())
    with pytest.raises(ValueError, match=words): load_learner(tmp_path)

def test_missing_parts(trained, tmp_path):
    with pytest.raises(FileNotFoundError, match='is not an exported learner'): load_learner(tmp_path)
    (tmp_path/'config.json').write_text('{"cut": ')
    with pytest.raises(FileNotFoundError, match='model.safetensors'): load_learner(tmp_path)
    (tmp_path/'model.safetensors').write_bytes(b'')
    with pytest.raises(ValueError, match='not valid JSON'): load_learner(tmp_path)

def test_sizes_and_names_that_do_not_fit(trained, tmp_path):
    with pytest.raises(MismatchError, match='this model expects'): learner(tmp_path, n_hid=9).load(trained/'models'/'epoch3')
    with pytest.raises(MismatchError, match='are missing'): load_into(torch.nn.Linear(2, 2), {}, 'x')
    load_into(torch.nn.Linear(2, 2), {}, 'x', strict=False)

def test_hostile_metadata(tmp_path):
    from safetensors.torch import save_file
    for metadata in ({'shared': '{"a": "nowhere"}'}, {'names': '["nowhere"]'}, {'more': '{"tensor": "nowhere"}'}, {'shared': 'x'}):
        save_file({'w': torch.zeros(2)}, tmp_path/'m.safetensors', metadata=metadata)
        with pytest.raises(ValueError, match='cannot be read'): load_weights(tmp_path/'m.safetensors')

def test_only_weights_of_other_tools(tmp_path):
    from safetensors.torch import save_file
    save_file({'weight': torch.ones(2, 3)}, tmp_path/'m.safetensors')
    weights, more = load_weights(tmp_path/'m.safetensors')
    assert more is None and torch.equal(weights['weight'], torch.ones(2, 3))

# Nothing half-written
def test_a_failing_save_keeps_the_old_file(tmp_path, monkeypatch):
    learn = learner(tmp_path)
    file = learn.save('kept')
    before = file.read_bytes()
    monkeypatch.setenv('FASTNLP_FAULT', 'raise:before_replace:kept.safetensors')
    learn.model.classes.bias.data += 1
    with pytest.raises(OSError, match='kept.safetensors'): learn.save('kept')
    assert file.read_bytes() == before and [path.name for path in file.parent.iterdir()] == ['kept.safetensors']

@pytest.mark.parametrize('point', ['before_replace:model.safetensors', 'before_replace:config.json', 'export:before_swap'])
def test_a_killed_export_keeps_the_old_folder(tmp_path, point):
    code = f'learn = learner(Path({str(tmp_path)!r})); learn.export("model")'
    assert run(code).returncode == 0
    before = {path.name: path.read_bytes() for path in (tmp_path/'model').iterdir()}
    assert run(code, FASTNLP_FAULT=point).returncode == 137
    assert {path.name: path.read_bytes() for path in (tmp_path/'model').iterdir()} == before
    load_learner(tmp_path/'model')

def test_a_killed_fit_goes_on(tmp_path):
    code = f'''
        learn = learner(Path({str(tmp_path)!r}), cbs=CheckpointCallback('run'))
        learn.fit(3, 1e-1)
        torch.save(learn.model.state_dict(), learn.path/'end.pt')
    '''
    assert run(code.replace("CheckpointCallback('run')", '[]')).returncode == 0
    whole = torch.load(tmp_path/'end.pt', weights_only=True)
    assert run(code, FASTNLP_FAULT='after_checkpoint').returncode == 137            # after epoch 0
    done = run(code)
    assert done.returncode == 0, done.stderr
    assert 'Going on after epoch 0' in done.stdout
    again = torch.load(tmp_path/'end.pt', weights_only=True)
    assert all(torch.equal(again[name], whole[name]) for name in whole)
    assert not list((tmp_path/'models').glob('run*'))
