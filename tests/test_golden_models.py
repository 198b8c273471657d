"The models against outputs recorded from fastai 2.8.12, with weights loaded under fastai's names."
import copy

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from fastnlp_course.models.awd_lstm import AWD_LSTM, WeightDropout, awd_lstm_clas_config, awd_lstm_clas_split, awd_lstm_lm_config, awd_lstm_lm_split
from fastnlp_course.models.text_models import get_language_model, get_text_classifier, masked_concat_pool

sizes = dict(emb_sz=6, n_hid=8, n_layers=3)

@pytest.fixture(scope='module')
def recorded(reference):
    "All recorded tensors by name."
    return load_file(reference/'golden/models.safetensors')

def state_of(recorded, prefix):
    return {name[len(prefix):]: tensor for name, tensor in recorded.items() if name.startswith(prefix)}

def assert_close(ours, theirs):
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)

def test_language_model(recorded):
    model = get_language_model(AWD_LSTM, 20, config={**awd_lstm_lm_config, **sizes})
    state = state_of(recorded, 'lm.state.')
    assert list(sorted(model.state_dict())) == sorted(state)
    model.load_state_dict(state)
    model.eval()
    model.reset()
    assert model[1].decoder.weight is model[0].encoder.weight
    for i in range(3):   # the state goes on from batch to batch
        logits, raw, dropped = model(recorded[f'lm.x{i}'])
        assert_close(logits, recorded[f'lm.logits{i}'])
        assert torch.equal(raw, dropped)

def test_classifier(recorded):
    model = get_text_classifier(AWD_LSTM, 20, 3, seq_len=5, config={**awd_lstm_clas_config, **sizes}, lin_ftrs=[7], fastai_pool=True)
    state = state_of(recorded, 'clas.state.')
    assert sorted(model.state_dict()) == sorted(state)
    model.load_state_dict(state)
    model.eval()
    output, mask = model[0](recorded['clas.x'])
    assert_close(output, recorded['clas.enc_out'])
    assert torch.equal(mask, recorded['clas.mask'])
    assert torch.equal((~mask).sum(1), recorded['clas.lens'])
    assert_close(masked_concat_pool(output, mask, 5, True), recorded['clas.pooled'])
    assert_close(model(recorded['clas.x'])[0], recorded['clas.logits'])

def test_a_short_text_beside_longer_ones(recorded):
    "fastai reads as many rows of a chunk as have tokens at its beginning, so one whose neighbour has just ended is left out. Ours reads it."
    model = get_text_classifier(AWD_LSTM, 20, 3, seq_len=5, config={**awd_lstm_clas_config, **sizes}, lin_ftrs=[7])
    model.load_state_dict(state_of(recorded, 'clas.state.'))
    model.eval()
    x, together = recorded['clas.x'], model(recorded['clas.x'])[0]
    alone = [model(row[row.ne(1).nonzero()[0, 0]:][None])[0] for row in x]
    assert_close(together, torch.cat(alone))
    assert x[4, 15] == 17 and (recorded['clas.enc_out'][4, 15] == 0).all()     # the token that fastai did not read

def test_both_directions(recorded):
    model = AWD_LSTM(20, **sizes, bidir=True)
    state = state_of(recorded, 'bidir.state.')
    assert sorted(model.state_dict()) == sorted(state)
    model.load_state_dict(state)
    model.eval()
    model.reset()
    assert_close(model(recorded['bidir.x']), recorded['bidir.out'])

def test_training_step_is_clean(recwarn):
    "Two calls before one backward pass, a copy afterwards, evaluation and training in turn: no error, no warning."
    torch.manual_seed(0)
    model = get_language_model(AWD_LSTM, 20, config={**awd_lstm_lm_config, **sizes})
    x = torch.randint(2, 20, (3, 7))
    for _ in range(2):
        model.train()
        (model(x)[0].sum() + model(x)[0].sum()).backward()
        twin = copy.deepcopy(model)
        model.eval()
        with torch.no_grad():
            model.reset()
            twin.eval().reset()
            assert torch.equal(model(x)[0], twin(x)[0])
    assert not list(recwarn)

def test_second_derivative():
    "Gradients of gradients pass through dropped weights."
    torch.manual_seed(0)
    wrapped = WeightDropout(nn.Linear(3, 3), .5, layer_names='weight').train()
    x = torch.randn(2, 3, requires_grad=True)
    gradient, = torch.autograd.grad(wrapped(x).tanh().sum(), x, create_graph=True)
    gradient.pow(2).sum().backward()
    assert wrapped.weight_raw.grad.abs().sum() > 0

def test_groups_hold_every_parameter_once():
    for model, split, n_groups in ((get_language_model(AWD_LSTM, 20, config={**awd_lstm_lm_config, **sizes}), awd_lstm_lm_split, 4),
                                   (get_text_classifier(AWD_LSTM, 20, 3, config={**awd_lstm_clas_config, **sizes}), awd_lstm_clas_split, 5)):
        groups = split(model)
        ids = [id(parameter) for group in groups for parameter in group]
        assert len(groups) == n_groups
        assert sorted(ids) == sorted(id(parameter) for parameter in model.parameters())
