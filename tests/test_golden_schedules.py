"Schedules against what fastai 2.8.12 returned."
import json

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from fastnlp_course.data.dataloaders import DataLoaders
from fastnlp_course.training.learner import Callback, Learner
from fastnlp_course.training.losses import MSELossFlat
from fastnlp_course.training.lr_finder import LRFinder, copied_state, minimum, slide, steep, valley
from fastnlp_course.training.schedules import SchedCos, SchedExp, SchedLin, SchedNo, combine_scheds, combined_cos, sched_cos, sched_exp, sched_lin, sched_no

@pytest.fixture(scope='module')
def golden(reference): return json.loads((reference/'golden'/'golden.json').read_text(encoding='utf-8'))

def close(found, expected): assert found == pytest.approx(expected, rel=1e-5, abs=1e-12)

def test_one_cycle(golden):
    case = golden['one_cycle']
    top = case['lr_max']
    rate = combined_cos(case['pct_start'], top/case['div'], top, top/case['div_final'])
    momentum = combined_cos(case['pct_start'], *case['moms'])
    close([rate(pos) for pos in case['pos']], case['lr'])
    close([momentum(pos) for pos in case['pos']], case['mom'])

@pytest.mark.parametrize('name,function,schedule', [('lin', sched_lin, SchedLin), ('cos', sched_cos, SchedCos), ('exp', sched_exp, SchedExp), ('no', sched_no, SchedNo)])
def test_annealers(golden, name, function, schedule):
    case = golden['schedules']
    close([function(case['start'], case['end'], pos) for pos in case['pos']], case[name])
    close([schedule(case['start'], case['end'])(pos) for pos in case['pos']], case[name])

def small_learner(**kwargs):
    "A regression that is done in a moment, with three parameter groups."
    torch.manual_seed(3)
    x = torch.randn(160, 5)
    rows = TensorDataset(x, x @ torch.randn(5))
    model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 1))
    splitter = lambda model: [list(layer.parameters()) for layer in model if isinstance(layer, nn.Linear)]
    return Learner(DataLoaders(DataLoader(rows, 16), DataLoader(rows, 64)), model, loss_func=MSELossFlat(), splitter=splitter, **kwargs)

class GroupRates(Callback):
    "Notes the learning rates and the momentum of each step."
    order, run_valid = 65, False
    def __init__(self): self.rates, self.moms = [], []
    def before_batch(self):
        self.rates.append([group['lr'] for group in self.opt.hypers])
        self.moms.append(self.opt.hypers[-1]['mom'])

def quiet_fit(learn, method, *args, **kwargs):
    "The rates of each group at each step of a fit, and the momentum."
    seen = GroupRates()
    with learn.no_bar(), learn.no_logging(): getattr(learn, method)(*args, cbs=seen, **kwargs)
    return seen

def test_one_cycle_in_a_fit(golden):
    "The 20 steps of a fit are the positions 0, 0.05, ... of the reference."
    case = golden['one_cycle']
    learn = small_learner()
    seen = quiet_fit(learn, 'fit_one_cycle', 2, case['lr_max'])
    close([rates[-1] for rates in seen.rates], case['lr'][:40:2])
    close(seen.moms, case['mom'][:40:2])
    close(learn.recorder.hps['lr'], case['lr'][:40:2])
    close(learn.recorder.lrs, case['lr'][:40:2])

def test_rates_of_groups():
    "fine_tune: one epoch for the head alone, then equal factors between the groups."
    learn = small_learner()
    seen = quiet_fit(learn, 'fine_tune', 1, 0.02)
    assert len(seen.rates) == 20
    close(seen.rates[0], [0.002/25, 0.002/25, 0.02/25])
    close(seen.rates[10], [0.0001/5, 0.001/5, 0.01/5])
    close(seen.rates[13], [0.0001, 0.001, 0.01])
    assert learn.opt.frozen_idx == 0

def test_flat_and_restarts():
    seen = quiet_fit(small_learner(), 'fit_flat_cos', 2, 0.01)
    close([rates[-1] for rates in seen.rates[:16]], [0.01]*16)
    assert seen.rates[-1][-1] < 0.002
    seen = quiet_fit(small_learner(), 'fit_sgdr', 2, 1, 0.01)
    close([seen.rates[0][0], seen.rates[10][0]], [0.01, 0.01])
    assert len(seen.rates) == 30

def test_resumed_flat_cos_has_the_later_rates():
    "start_epoch skips the first epochs; fastai 2.8.12 ignores it here."
    whole = quiet_fit(small_learner(), 'fit_flat_cos', 2, 0.01)
    rest = quiet_fit(small_learner(), 'fit_flat_cos', 2, 0.01, start_epoch=1)
    close([rates[-1] for rates in rest.rates[-10:]], [rates[-1] for rates in whole.rates[-10:]])

def test_suggestions():
    "Literals of fastai 2.8.12 for one curve."
    rates, position = torch.logspace(-5, 1, 61), torch.linspace(0, 1, 61)
    losses = 2 - 1.5*torch.sigmoid(20*(position-0.6)) + torch.exp(40*(position-0.9))
    expected = {valley: 0.00199526222422719, slide: 6.30957365501672e-05, minimum: 0.06309573650360108, steep: 0.03162277489900589}
    for function, rate in expected.items(): close(function(rates, losses, 61)[0], rate)

@pytest.mark.parametrize('interrupted', [False, True])
def test_lr_find_leaves_no_trace(interrupted):
    learn = small_learner()
    quiet_fit(learn, 'fit_one_cycle', 1, 0.01)
    weights, opt, table, modes = (copied_state(learn.model.state_dict()), copied_state(learn.opt.state_dict()), list(learn.recorder.values),
                                  [module.training for module in learn.model.modules()])
    class Stop(Callback):
        order = 70
        def after_batch(self):
            if interrupted and self.train_iter == 30: raise KeyboardInterrupt
    learn.add_cb(Stop())
    with learn.no_bar():
        if interrupted:
            with pytest.raises(KeyboardInterrupt): learn.lr_find(show_plot=False)
        else:
            learn.lr_find(show_plot=False)
            assert len(learn.recorder.lrs) == len(learn.recorder.losses) > 50
    assert all(torch.equal(value, weights[name]) for name, value in learn.model.state_dict().items())
    assert str(copied_state(learn.opt.state_dict())) == str(opt)
    assert learn.recorder.values == table
    assert [module.training for module in learn.model.modules()] == modes
    assert not [cb for cb in learn.cbs if isinstance(cb, LRFinder)]
    assert all(p.grad is None or not p.grad.any() for p in learn.model.parameters())

def test_lr_find_suggestions_and_picture():
    import matplotlib.pyplot as plt
    learn = small_learner()
    before = len(plt.get_fignums())
    with learn.no_bar(): found = learn.lr_find(suggest_funcs=(minimum, steep, valley, slide))
    assert found._fields == ('minimum', 'steep', 'valley', 'slide') and type(found).__name__ == 'SuggestedLRs'
    assert all(isinstance(rate, float) for rate in found)
    assert len(plt.get_fignums()) == before + 1
    plt.close('all')
    with learn.no_bar(): assert learn.lr_find(show_plot=False, suggest_funcs=None) is None

def test_errors_say_what_to_do():
    with pytest.raises(AssertionError, match='add up'): combine_scheds([0.2, 0.2], [SchedLin(0, 1), SchedLin(1, 0)])
    assert combine_scheds([0.1]*10, [SchedNo(i, i) for i in range(10)])(0.95) == 9
    with pytest.raises(ValueError, match='larger num_it'): slide(torch.ones(3), torch.ones(3), 3)
    learn = small_learner()
    learn.remove_cb(type(learn.recorder))
    with pytest.raises(ValueError, match='Recorder'): learn.lr_find()
