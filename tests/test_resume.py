"""Killed and resumed is equal to never killed: what the notebook on checkpoints cannot show, because it takes a language model, a
classifier, a model of transformers, and processes that die."""
import os
import random
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader as TorchLoader, WeightedRandomSampler

from fastnlp_course.data.data_block import DataBlock
from fastnlp_course.data.dataloaders import DataLoader, DataLoaders
from fastnlp_course.data.text_data import TextDataLoaders
from fastnlp_course.files import set_seed
from fastnlp_course.models.awd_lstm import AWD_LSTM, awd_lstm_clas_config, awd_lstm_lm_config
from fastnlp_course.models.rnn_callbacks import AverageWeights
from fastnlp_course.models.ulmfit import language_model_learner, text_classifier_learner
from fastnlp_course.training.callbacks import EarlyStoppingCallback, GradientAccumulation, GradientClip, ReduceLROnPlateau, SaveModelCallback
from fastnlp_course.training.checkpoint import CheckpointCallback, same_training
from fastnlp_course.training.learner import Callback, Learner
from fastnlp_course.training.metrics import Perplexity, accuracy
from fastnlp_course.training.recorder import CSVLogger, ProgressCallback

sizes = dict(emb_sz=8, n_hid=12, n_layers=2)

def table(n=48, n_words=40):
    "Texts of invented words, with labels."
    draw = random.Random(3)
    texts = [' '.join(f'w{draw.randrange(n_words)}' for _ in range(draw.randint(3, 12))) for _ in range(n)]
    return pd.DataFrame({'text': texts, 'label': ['pos' if i % 3 else 'neg' for i in range(n)], 'is_valid': [i % 4 == 0 for i in range(n)]})

def classifier(path):
    dls = TextDataLoaders.from_df(table(), text_col='text', label_col='label', valid_col='is_valid', bs=8, seq_len=16, path=path)
    return text_classifier_learner(dls, AWD_LSTM, config={**awd_lstm_clas_config, **sizes}, pretrained=False, metrics=accuracy)

def lm(path):
    dls = TextDataLoaders.from_df(table(90), text_col='text', is_lm=True, valid_pct=0.2, seed=1, bs=4, seq_len=12, path=path)
    return language_model_learner(dls, AWD_LSTM, config={**awd_lstm_lm_config, **sizes}, pretrained=False, metrics=Perplexity())

def bert(path):
    transformers, tokenizers = pytest.importorskip('transformers'), pytest.importorskip('tokenizers')
    from fastnlp_course.bridges.hf_batches import HFTextBlock
    from fastnlp_course.bridges.transformers import hf_learner
    from fastnlp_course.data.data_block import CategoryBlock
    from fastnlp_course.data.getters import ColReader
    from fastnlp_course.data.splitters import ColSplitter
    words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', *(f'w{i}' for i in range(40))]
    rules = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: i for i, word in enumerate(words)}, unk_token='[UNK]'))
    rules.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=rules, pad_token='[PAD]', unk_token='[UNK]', cls_token='[CLS]', sep_token='[SEP]')
    dls = DataBlock((HFTextBlock(tokenizer), CategoryBlock), get_x=ColReader('text'), get_y=ColReader('label'), splitter=ColSplitter('is_valid')).dataloaders(table(), bs=8, path=path)
    config = transformers.BertConfig(vocab_size=64, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, num_labels=2, max_position_embeddings=64)
    return hf_learner(dls, transformers.BertForSequenceClassification(config), metrics=accuracy)

kinds = {'classifier': classifier, 'lm': lm, 'bert': bert}

class Killed(Exception):
    "Nothing in the package catches it."

class Kill(Callback):
    "The end, after so many events."
    order = 300
    not_kept = 'at',      # a checkpoint would give it back what it has counted
    def __init__(self, at): self.at = at
    def tick(self):
        self.at -= 1
        if self.at == 0: raise Killed
    before_epoch = before_batch = after_batch = before_validate = after_epoch = tick

def log_of(folder):
    "The CSV log without the last column, which is a time."
    file = folder/'history.csv'
    return [row.rsplit(',', 1)[0] for row in file.read_text().splitlines()] if file.exists() else None

def train(make, folder, fit, cbs):
    set_seed(0)
    learn = make(folder)
    learn.logger = lambda row: None
    learn.remove_cbs(learn._grab_cbs(ProgressCallback))
    try: fit(learn, cbs)
    except Killed: pass
    return learn

def check(make, tmp_path, fit, make_cbs, kills, every=2):
    "Train in peace; train with kills at these events, each time in a new learner; compare."
    peace = train(make, tmp_path/'peace', fit, make_cbs())
    for at in [*kills, None]:
        learn = train(make, tmp_path/'killed', fit, [CheckpointCallback('run', every_batches=every), *make_cbs(), *([Kill(at)] if at else [])])
    assert same_training(peace, learn)
    assert log_of(tmp_path/'peace') == log_of(tmp_path/'killed')
    assert [float(value) for value in peace.validate()] == [float(value) for value in learn.validate()]
    assert not list((tmp_path/'killed'/'models').glob('run*'))
    return peace, learn

def all_callbacks(): return [SaveModelCallback(fname='best'), AverageWeights(0.9), ReduceLROnPlateau(min_delta=0.1), CSVLogger()]
def stopping(): return [EarlyStoppingCallback(patience=2, min_delta=0.1), SaveModelCallback(fname='best', with_opt=True), GradientAccumulation(16), GradientClip(0.5), CSVLogger()]

fits = {'fit': lambda learn, cbs: learn.fit(4, 1e-2, cbs=cbs), 'one_cycle': lambda learn, cbs: learn.fit_one_cycle(3, 1e-2, cbs=cbs),
        'flat_cos': lambda learn, cbs: learn.fit_flat_cos(3, 1e-2, cbs=cbs)}

@pytest.mark.parametrize('kind', kinds)
@pytest.mark.parametrize('fit, callbacks, kills', [('fit', all_callbacks, (9, 21, 31)), ('one_cycle', stopping, (14, 17)), ('flat_cos', lambda: [CSVLogger()], (11, 25))])
def test_a_killed_fit_is_equal_to_the_last_bit(tmp_path, kind, fit, callbacks, kills):
    check(kinds[kind], tmp_path, fits[fit], callbacks, kills)

@pytest.mark.parametrize('kind', ['classifier', 'bert'])
def test_fine_tune_killed_in_its_second_fit(tmp_path, kind):
    def fit(learn, cbs): learn.fine_tune(2, 1e-2, cbs=cbs)
    check(kinds[kind], tmp_path, fit, lambda: [CSVLogger()], (20, 30))

def plain(path, sampler=None, generator=None):
    "Plain loaders of torch, shuffled."
    x = torch.randn(40, 4)
    rows = list(zip(x, (x @ torch.tensor([1., -2, 3, 0]))[:, None]))
    order = {'sampler': sampler} if sampler else {'shuffle': True}
    loaders = DataLoaders(TorchLoader(rows, batch_size=4, generator=generator, **order), TorchLoader(rows[:8], batch_size=4), path=path)
    return Learner(loaders, nn.Sequential(nn.Linear(4, 6), nn.Dropout(0.3), nn.Linear(6, 1)), loss_func=nn.MSELoss())

@pytest.mark.parametrize('loader', [lambda: {}, lambda: {'generator': torch.Generator().manual_seed(4)}, lambda: {'sampler': WeightedRandomSampler(torch.arange(1., 41), 40, generator=torch.Generator().manual_seed(7))}])
def test_shuffled_loaders_of_torch(tmp_path, loader):
    check(lambda path: plain(path, **loader()), tmp_path, fits['fit'], lambda: [], (8, 30, 41), every=3)

class Recurrent(nn.Module):
    "A network of a lesson: it keeps its state itself, and counts."
    def __init__(self):
        super().__init__()
        self.layer, self.out, self.h, self.steps = nn.Linear(4, 4), nn.Linear(4, 1), torch.zeros(1, 4), 0
    def forward(self, x):
        self.h = torch.tanh(self.layer(x).mean(0, keepdim=True) + self.h.detach())
        self.steps += self.training
        return self.out(x + self.h)/(1 + 0.01*self.steps)

class Falling(Callback):
    "A schedule of torch that a callback keeps, a second model that follows the first, and augmentation with a generator of its own."
    def __init__(self): self.own = np.random.default_rng(3)
    def before_fit(self):
        self.inner = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
        self.rates = torch.optim.lr_scheduler.StepLR(self.inner, 3, 0.7)
        self.follower = nn.Linear(4, 4)
    def before_batch(self):
        if self.training: self.learn.xb = (self.xb[0] + float(self.own.normal())*0.1 + self.follower.weight.mean().detach(),)
    def after_batch(self):
        if not self.training: return
        self.inner.step()
        self.rates.step()
        self.opt.set_hypers(lr=self.rates.get_last_lr()[0])
        with torch.no_grad(): self.follower.weight.lerp_(self.learn.model.layer.weight, 0.1)

def test_state_beside_the_weights(tmp_path):
    def make(path):
        x = torch.randn(40, 4)
        rows = list(zip(x, x.sum(1, keepdim=True)))
        return Learner(DataLoaders(DataLoader(rows, bs=4, shuffle=True), DataLoader(rows[:8], bs=4), path=path), Recurrent(), loss_func=nn.MSELoss())
    peace, learn = check(make, tmp_path, fits['fit'], lambda: [Falling()], (8, 30, 41), every=3)
    assert peace.model.steps == learn.model.steps == 40 and torch.equal(peace.model.h, learn.model.h)

def test_the_best_model_is_not_overwritten_by_a_worse_one(tmp_path):
    class Uphill(Callback):       # from epoch 2 on every epoch is worse
        def before_epoch(self): self.opt.set_hypers(lr=1e-2 if self.epoch < 2 else -1e-2)
    peace, learn = check(lambda path: plain(path), tmp_path, fits['fit'], lambda: [SaveModelCallback(fname='best'), Uphill()], (45,), every=100)
    assert min(row[1] for row in learn.recorder.values) == pytest.approx(float(learn.validate()[0]))

def test_two_fits_under_one_name(tmp_path):
    "Gradual unfreezing in a script, killed in the second fit and run again from its first line."
    def fit(learn, cbs):
        learn.freeze_to(-1)
        learn.fit(2, 1e-2, cbs=[cb for cb in cbs if not isinstance(cb, Kill)])
        learn.unfreeze()
        learn.fit(2, 1e-3, cbs=cbs)
    check(classifier, tmp_path, fit, lambda: [SaveModelCallback(fname='best')], (14, 19))     # both fits write the same file

def test_another_vocab_is_refused_before_the_fit(tmp_path):
    def other(path):
        dls = TextDataLoaders.from_df(table(n_words=30), text_col='text', label_col='label', valid_col='is_valid', bs=8, seq_len=16, path=path)
        return text_classifier_learner(dls, AWD_LSTM, config={**awd_lstm_clas_config, **sizes}, pretrained=False, metrics=accuracy)
    train(classifier, tmp_path, fits['fit'], [CheckpointCallback('run'), CSVLogger(), Kill(30)])
    log = log_of(tmp_path)
    with pytest.raises(ValueError, match='belongs to another fit: the vocab and the data differ|the model, the vocab and the data differ'):
        train(other, tmp_path, fits['fit'], [CheckpointCallback('run'), CSVLogger()])
    assert log_of(tmp_path) == log and len(log) > 1

class Asks(Callback):
    "Predictions of all kinds, in the middle of training."
    def ask(self):
        learn = self.learn
        learn.get_preds(with_loss=True), learn.get_preds(ds_idx=0), learn.validate(), learn.validate(0)
        if not hasattr(learn.dls.train, 'seq_len'): learn.predict('w1 w2 w3'), learn.get_preds(dl=learn.dls.test_dl(['w1 w2', 'w3 w4 w5']))
    def before_batch(self):
        if self.training and self.iter in (1, 3): self.ask()
    after_epoch = after_train = ask
    def after_batch(self):
        if self.iter == 2: self.ask()

@pytest.mark.parametrize('kind', kinds)
def test_predictions_inside_a_fit_change_nothing(tmp_path, kind):
    "Not the order of batches, not the dropout, not the state of a language model, not the row of the table."
    peace, asked = (train(kinds[kind], tmp_path/name, lambda learn, cbs: learn.fit_one_cycle(2, 1e-2, cbs=cbs), cbs) for name, cbs in (('a', []), ('b', [Asks()])))
    assert same_training(peace, asked)

def run(code, **env):
    "Python in a process of its own."
    return subprocess.run([sys.executable, '-c', textwrap.dedent(code)], capture_output=True, text=True, timeout=300,
                          env={**os.environ, 'OMP_NUM_THREADS': '1', 'TQDM_DISABLE': '1', 'PYTHONHASHSEED': 'random', **env})

def test_stages_killed_by_a_power_cut_and_spacy_used_or_not(tmp_path):
    """The same table gives the same encoder and predictions: in one go; killed behind the first checkpoint and called again; and with
    the first stages already there, so that spaCy is loaded after the seed and not before it."""
    code = '''
        from pathlib import Path
        from fastnlp_course.applications.reviews import Recipe, movie_reviews, run_stages
        table = movie_reviews().sample(80, random_state=0).reset_index(drop=True)
        run_stages(table, Path({folder!r}), Recipe(pretrained=False, emb_sz=8, n_hid=12, n_layers=1, lm_epochs=2, epochs=2, half=False), scratch=False)
    '''
    def results(folder): return [(folder/name).read_bytes() for name in ('encoder.safetensors', 'predictions.csv', 'vocab.json')]
    whole, cut = tmp_path/'whole', tmp_path/'cut'
    threads = torch.get_num_threads()
    torch.set_num_threads(1)                      # with more, sums are taken in another order
    try: exec(textwrap.dedent(code.format(folder=str(whole))), {})
    finally: torch.set_num_threads(threads)
    assert run(code.format(folder=str(cut)), FASTNLP_FAULT='after_checkpoint').returncode == 137
    again = run(code.format(folder=str(cut)))
    assert again.returncode == 0, again.stderr
    assert 'Going on after epoch 0' in again.stdout and 'tokens: finished earlier' in again.stdout
    assert results(cut) == results(whole)
    assert not list(cut.rglob('stages/*.safetensors'))
    before = results(whole)
    for stage in ('language model', 'ulmfit'): (whole/'stages'/f'{stage}.json').unlink()      # killed before the stage was noted, without a checkpoint
    assert run(code.format(folder=str(whole))).returncode == 0
    assert results(whole) == before

def test_the_first_tokenization_draws_no_seeded_number():
    "spaCy draws when it is imported, which happens at the first text: a fresh process must train as one that has tokenized before."
    done = run('''
        import random
        import pandas as pd
        from fastnlp_course.data.text_data import TextDataLoaders
        frame = pd.DataFrame({'text': ['a good film', 'a bad film']*8, 'label': ['a', 'b']*8})
        for _ in range(2):
            random.seed(0)
            TextDataLoaders.from_df(frame, text_col='text', label_col='label', bs=2, seed=1)
            print(random.random())
    ''')
    assert done.returncode == 0 and len(set(done.stdout.split()[-2:])) == 1, done.stdout + done.stderr
