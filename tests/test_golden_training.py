"The optimizers against values recorded from fastai 2.8.12."
import json
from functools import partial

import pytest
import torch

from fastnlp_course.training.optimizer import SGD, Adam, Optimizer, adam_step, average_grad, average_sqr_grad, l2_reg, momentum_step, step_stat, weight_decay

makers = {
    'Adam_wd': partial(Adam, lr=0.01, wd=0.1),
    'Adam_l2': partial(Adam, lr=0.01, wd=0.1, decouple_wd=False),
    'SGD_mom': partial(SGD, lr=0.1, mom=0.9, wd=0.01),
}

averages = [partial(average_grad, dampening=True), average_sqr_grad, step_stat, adam_step]
plain_makers = {
    'Adam_wd': partial(Optimizer, cbs=[weight_decay, *averages], lr=0.01, mom=0.9, wd=0.1, eps=1e-5),
    'Adam_l2': partial(Optimizer, cbs=[l2_reg, *averages], lr=0.01, mom=0.9, wd=0.1, eps=1e-5),
    'SGD_mom': partial(Optimizer, cbs=[weight_decay, average_grad, momentum_step], lr=0.1, wd=0.01, mom=0.9),
}

@pytest.fixture
def recorded(reference):
    "The recorded runs by name."
    return {case['name']: case for case in json.loads((reference/'golden/golden.json').read_text())['optimizer']}

def test_every_recorded_optimizer_has_a_test(recorded):
    assert set(recorded) == set(makers)

@pytest.mark.parametrize('made_by', [makers, plain_makers], ids=['torch.optim', 'small functions'])
@pytest.mark.parametrize('name', list(makers))
def test_parameters_after_each_step(recorded, name, made_by):
    case = recorded[name]
    param = torch.tensor(case['init'], requires_grad=True)
    opt = made_by[name]([param])
    for grad, expected in zip(case['grads'], case['params'], strict=True):
        param.grad = torch.tensor(grad)
        opt.step()
        torch.testing.assert_close(param.detach(), torch.tensor(expected), atol=1e-5, rtol=1e-5)
        opt.zero_grad()

@pytest.mark.parametrize('name', list(makers))
def test_a_saved_state_goes_on_as_recorded(recorded, name):
    case = recorded[name]
    param = torch.tensor(case['init'], requires_grad=True)
    opt = makers[name]([param])
    for grad, expected in zip(case['grads'], case['params'], strict=True):
        again = makers[name]([param])
        again.load_state_dict(opt.state_dict())
        opt = again
        param.grad = torch.tensor(grad)
        opt.step()
        torch.testing.assert_close(param.detach(), torch.tensor(expected), atol=1e-5, rtol=1e-5)
