"What the lesson on four loops does not show: the bridge with odd learners, two processes, interrupted and repeated TensorBoard runs, missing packages."
import importlib.util
import subprocess
import sys
import warnings
from functools import partial

import pytest
import torch
from torch import nn

from fastnlp_course.bridges import lightning as loops
from fastnlp_course.data.dataloaders import DataLoader, DataLoaders
from fastnlp_course.files import set_seed
from fastnlp_course.training.learner import Callback, CancelBatchException, Learner
from fastnlp_course.training.precision import MixedPrecision
from fastnlp_course.bridges.tensorboard import TensorBoardCallback, read_scalars
from fastnlp_course.bridges.lightning import as_lightning
from fastnlp_course.training.sklearn_metrics import F1Score
from fastnlp_course.training.metrics import accuracy
from fastnlp_course.training.optimizer import Adam, SGD
from fastnlp_course.training.more_optimizers import Lookahead
from fastnlp_course.training.schedules import ParamScheduler, SchedCos

needs_lightning = pytest.mark.skipif(importlib.util.find_spec('lightning') is None, reason='skipped: no lightning')
needs_tensorboard = pytest.mark.skipif(importlib.util.find_spec('tensorboard') is None, reason='skipped: no tensorboard')
needs_fork = pytest.mark.skipif(sys.platform in ('win32', 'darwin') or torch.cuda.is_available(), reason='skipped: no safe fork here')

def split_in_two(model): return [list(model[0].parameters()), list(model[2].parameters())]

def items(n=26):
    x = torch.sin(torch.arange(n*3.)).view(n, 3)
    return list(zip(x, (x.sum(1) > 0).long()))

def learner(shuffle=False, **settings):
    "A small learner with two groups of parameters."
    set_seed(0)
    rows = items()
    dls = DataLoaders(DataLoader(rows[:18], bs=4, shuffle=shuffle), DataLoader(rows[18:], bs=4), device='cpu')
    model = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 2))
    return Learner(dls, model, **{**dict(loss_func=nn.CrossEntropyLoss(), splitter=split_in_two, lr=[1e-3, 1e-2], wd=0.1, metrics=[accuracy, F1Score()]), **settings})

def trainer(tmp_path, **settings):
    import lightning
    warnings.filterwarnings('ignore', module='lightning')
    quiet = dict(accelerator='auto', logger=False, enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False, default_root_dir=tmp_path, max_epochs=2)
    return lightning.Trainer(**{**quiet, **settings})

def weights(learn): return torch.cat([p.detach().flatten() for p in learn.model.parameters()])

def trained(make):
    "The learner that `make` returns, after its own fit of two epochs."
    learn = make()
    with learn.no_bar(), learn.no_logging(): learn.fit(2)
    return learn

@needs_lightning
@pytest.mark.parametrize('opt_func', [Adam, partial(SGD, mom=0.9), lambda params, lr: Lookahead(Adam(params, lr=lr), k=3)], ids=['Adam', 'SGD', 'Lookahead'])
def test_same_weights_metrics_and_rates_as_our_fit(tmp_path, opt_func):
    make = partial(learner, opt_func=opt_func, shuffle=True)
    ours, theirs = trained(make), make()
    run = trainer(tmp_path, num_sanity_val_steps=0)
    run.fit(*as_lightning(theirs))
    assert torch.allclose(weights(ours), weights(theirs), atol=1e-6)
    row = ours.recorder.values[-1]
    assert [float(run.callback_metrics[name]) for name in ('valid_loss', 'accuracy', 'f1_score')] == pytest.approx([float(value) for value in row[1:]], abs=1e-5)
    assert [hyper['lr'] for hyper in theirs.opt.hypers] == [1e-3, 1e-2] and [hyper['wd'] for hyper in theirs.opt.hypers] == [0.1, 0.1]

@needs_lightning
def test_schedules_and_other_callbacks_up_to_the_loss_go_on(tmp_path):
    class Skip(Callback):
        run_valid = False
        def before_batch(self):
            if self.iter == 1: raise CancelBatchException()
    def make(): return learner(cbs=[ParamScheduler({'lr': SchedCos(1e-2, 1e-4)}), Skip()])
    ours, theirs = trained(make), make()
    trainer(tmp_path).fit(*as_lightning(theirs))
    assert torch.allclose(weights(ours), weights(theirs), atol=1e-6)
    assert theirs.opt.hypers[0]['lr'] == pytest.approx(ours.opt.hypers[0]['lr'])

@needs_lightning
def test_frozen_groups_stay_frozen(tmp_path):
    learn = learner()
    learn.freeze()
    before = learn.model[0].weight.detach().clone(), learn.model[2].weight.detach().clone()
    trainer(tmp_path).fit(*as_lightning(learn))
    assert torch.equal(before[0], learn.model[0].weight) and not torch.equal(before[1], learn.model[2].weight)

@needs_lightning
def test_going_on_from_a_checkpoint(tmp_path):
    whole = learner()
    trainer(tmp_path, max_epochs=4).fit(*as_lightning(whole))
    half = learner()
    run = trainer(tmp_path, max_epochs=2)
    run.fit(*as_lightning(half))
    run.save_checkpoint(tmp_path/'half.ckpt')
    again = learner()
    trainer(tmp_path, max_epochs=4).fit(*as_lightning(again), ckpt_path=tmp_path/'half.ckpt')
    assert torch.allclose(weights(whole), weights(again), atol=1e-6)

@needs_lightning
def test_fit_test_and_predict(tmp_path):
    learn = learner()
    module, data = as_lightning(learn)
    run = trainer(tmp_path)
    run.fit(module, data)
    tested = run.test(module, data, verbose=False)[0]
    assert [tested['test_loss'], tested['test_accuracy']] == pytest.approx([float(value) for value in learn.validate()[:2]], abs=1e-6)
    assert torch.cat(run.predict(module, data)).shape == (8, 2)

@needs_lightning
@needs_fork
def test_two_processes_step_over_the_whole_batch(tmp_path):
    one, two = learner(shuffle=True), learner(shuffle=True)
    for learn in (one, two): learn.dls.train.shuffle = False
    trainer(tmp_path, accelerator='cpu', devices=1).fit(*as_lightning(one))
    run = trainer(tmp_path, accelerator='cpu', devices=2, strategy='ddp_notebook')
    module, data = as_lightning(two)
    run.fit(module, data)
    assert run.world_size == 2
    assert torch.allclose(weights(one), weights(two), atol=1e-5)

@needs_lightning
def test_a_model_that_returns_its_loss(tmp_path):
    class WithLoss(nn.Module):
        def __init__(self):
            super().__init__()
            self.line = nn.Linear(3, 2)
        def forward(self, x, labels=None):
            logits = self.line(x)
            return {'logits': logits} if labels is None else {'loss': nn.functional.cross_entropy(logits, labels), 'logits': logits}
    def make():
        set_seed(0)
        rows = [{'x': x, 'labels': y} for x, y in items()]
        loader = torch.utils.data.DataLoader(rows, batch_size=4)
        return Learner(DataLoaders(loader, loader, device='cpu'), WithLoss(), metrics=accuracy)
    ours, theirs = trained(make), make()
    trainer(tmp_path).fit(*as_lightning(theirs))
    assert torch.allclose(weights(ours), weights(theirs), atol=1e-6)

@needs_lightning
def test_what_trainer_does_itself_is_named():
    with pytest.warns(UserWarning, match='precision='):
        as_lightning(learner(cbs=MixedPrecision()))
    with pytest.warns(UserWarning, match='logger=TensorBoardLogger'):
        as_lightning(learner(cbs=TensorBoardCallback()))

@needs_lightning
def test_callbacks_after_the_loss_are_named_others_are_silent():
    with pytest.warns(UserWarning, match='after_step will not be called'):
        as_lightning(learner(cbs=Callback(after_step=print)))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        as_lightning(learner(cbs=[ParamScheduler({'lr': SchedCos(1e-2, 1e-4)}), Callback(after_pred=print)]))

@needs_lightning
def test_the_classes_are_found_by_name():
    import pickle
    module, data = as_lightning(learner())
    assert pickle.loads(pickle.dumps(type(module))) is loops.LearnerModule
    assert type(module) is loops.LearnerModule
    with pytest.raises(AttributeError, match='NoSuchThing'): loops.NoSuchThing

@pytest.mark.parametrize('package, use', [('lightning', lambda: as_lightning(learner())), ('tensorboard', lambda: read_scalars('.')),
                                          ('tensorboard', lambda: learner(cbs=TensorBoardCallback()).fit(1))])
def test_a_missing_package_is_one_sentence(monkeypatch, package, use):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name, *more: None if name == package else find(name, *more))
    with pytest.raises(ImportError, match=f'needs the package {package}.*pip install') as caught: use()
    assert '\n' not in str(caught.value)

def test_importing_the_module_imports_neither_package():
    code = 'import sys, fastnlp_course.bridges.lightning; print([name for name in sys.modules if name.split(".")[0] in ("lightning", "tensorboard", "transformers")])'
    assert subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout.strip() == '[]'

@needs_tensorboard
def test_event_files_hold_what_the_recorder_has(tmp_path):
    class Losses(Callback):
        name = 'noted'
        run_valid = False
        def before_fit(self): self.kept = []
        def after_loss(self): self.kept.append(self.loss.item())
    learn = learner(cbs=[TensorBoardCallback(tmp_path/'run'), Losses()])
    with learn.no_bar(), learn.no_logging(): learn.fit(3)
    found = read_scalars(tmp_path/'run')
    assert [step for step, _ in found['train_loss']] == list(range(1, 16))
    assert [value for _, value in found['train_loss']] == pytest.approx(learn.noted.kept, abs=1e-6)
    assert [step for step, _ in found['valid_loss']] == [5, 10, 15]
    for column, name in enumerate(['train_loss', 'valid_loss', 'accuracy', 'f1_score']):
        if column: assert [value for _, value in found[name]] == pytest.approx([float(row[column]) for row in learn.recorder.values], abs=1e-6)
    for name, rate in (('lr_0', 1e-3), ('lr_1', 1e-2)): assert [value for _, value in found[name]] == pytest.approx([rate]*15)
    assert 'mom_0' in found and 'wd_1' in found
    assert found['smooth_loss'][-1][1] == pytest.approx(float(learn.recorder.values[-1][0]), abs=1e-6)

@needs_tensorboard
def test_a_second_fit_goes_on_and_an_interrupted_one_closes_its_files(tmp_path):
    learn = learner(cbs=TensorBoardCallback(tmp_path/'run'))
    with learn.no_bar(), learn.no_logging():
        learn.fit(1)
        learn.validate()
        learn.fit(1)
        assert [step for step, _ in read_scalars(tmp_path/'run')['train_loss']] == list(range(1, 11))
        def stop(cb): raise KeyboardInterrupt
        with pytest.raises(KeyboardInterrupt): learn.fit(1, cbs=Callback(after_epoch=stop))
    assert learn.tensor_board.writer is None
    with learn.no_bar(), learn.no_logging():
        learn.lr_find(num_it=30, show_plot=False)
        assert len(read_scalars(tmp_path/'run')['train_loss']) == 15

@needs_tensorboard
def test_graph_and_predictions_change_nothing_in_training(tmp_path):
    plain, watched = learner(), learner(cbs=TensorBoardCallback(tmp_path/'run', trace_model=True, log_preds=True, n_preds=3))
    for learn in (plain, watched):
        set_seed(0)
        with learn.no_bar(), learn.no_logging(): learn.fit(2)
    assert torch.equal(weights(plain), weights(watched))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    events = EventAccumulator(str(tmp_path/'run'))
    events.Reload()
    assert any('predictions' in name for name in events.Tags()['tensors']) and events.Tags()['graph']

@needs_tensorboard
def test_a_folder_without_events(tmp_path):
    with pytest.raises(FileNotFoundError, match='holds no event files'): read_scalars(tmp_path)

@needs_lightning
@needs_fork
def test_a_language_model_in_two_processes(tmp_path):
    "Each process reads on in its own rows: hidden state, AR and TAR as with one process."
    import pandas as pd
    from fastnlp_course.models.awd_lstm import AWD_LSTM, awd_lstm_lm_config
    from fastnlp_course.data.text_data import TextDataLoaders
    from fastnlp_course.models.ulmfit import language_model_learner
    texts = pd.DataFrame({'text': ['a b c d e f g a c e g b d f'.replace('a', 'ab'*(i % 3 + 1)) for i in range(60)]})
    def make():
        set_seed(0)
        dls = TextDataLoaders.from_df(texts, path=tmp_path, text_col='text', is_lm=True, valid_pct=0.3, seed=0, bs=4, seq_len=8, device='cpu')
        config = {**awd_lstm_lm_config, 'emb_sz': 8, 'n_hid': 10, 'n_layers': 2}
        set_seed(0)
        return language_model_learner(dls, AWD_LSTM, config=config, drop_mult=0., pretrained=False, lr=slice(1e-3, 1e-2), path=tmp_path)
    one, two = make(), make()
    for learn in (one, two): learn.dls.train.shuffle = False
    run_one = trainer(tmp_path, accelerator='cpu', devices=1)
    run_one.fit(*as_lightning(one))
    run_two = trainer(tmp_path, accelerator='cpu', devices=2, strategy='ddp_notebook')
    module, data = as_lightning(two)
    run_two.fit(module, data)
    assert torch.allclose(weights(one), weights(two), atol=1e-4)
    assert float(run_one.callback_metrics['valid_loss']) == pytest.approx(float(run_two.callback_metrics['valid_loss']), abs=1e-3)
