"LoRA where a notebook cannot look: processes that die while saving, layers in two places, PyTorch's own attention, and peft on real architectures."
import copy
import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from fastnlp_course.models import lora_files as lora
from fastnlp_course.models.lora import LoRALinear, add_lora, lora_layers
from fastnlp_course.models.lora_files import load_lora, merge_lora, remove_lora, save_lora, unmerge_lora

def network(seed=0):
    "A small network with two linear layers."
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 3))

def awake(model, seed=1):
    "The model with adapters that do something."
    torch.manual_seed(seed)
    for layer in lora_layers(model).values():
        nn.init.normal_(layer.lora_B.weight, std=0.1)
    return model

program = """
import torch
from torch import nn
from fastnlp_course.models.lora import add_lora
from fastnlp_course.models.lora_files import save_lora
torch.manual_seed(0)
save_lora(add_lora(nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 3)), 2, {alpha}, ['0']), {folder!r})
"""

def run(folder, alpha, **variables):
    "Save an adapter in a process of its own."
    code = program.format(alpha=alpha, folder=str(folder))
    return subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, env={**os.environ, **variables})

def test_a_process_that_dies_leaves_the_old_adapter(tmp_path):
    assert run(tmp_path, 2).returncode == 0
    old = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert run(tmp_path, 4, FASTNLP_FAULT='before_replace:adapter_model.safetensors').returncode == 137
    assert all((tmp_path/name).read_bytes() == data for name, data in old.items())
    load_lora(network(), tmp_path)

def test_two_files_of_different_saves_are_noticed(tmp_path):
    assert run(tmp_path/'old', 2).returncode == 0
    assert run(tmp_path/'old', 4, FASTNLP_FAULT='before_replace:adapter_config.json').returncode == 137
    load_lora(network(), tmp_path/'old')                     # both files appear together, so a process that dies between them leaves the old ones
    assert run(tmp_path/'new', 4).returncode == 0
    (tmp_path/'old'/'adapter_config.json').write_bytes((tmp_path/'new'/'adapter_config.json').read_bytes())
    with pytest.raises(ValueError, match='not of one save'):
        load_lora(network(), tmp_path/'old')

def test_every_cut_is_noticed(tmp_path):
    save_lora(add_lora(network(), 2, 2, ['0']), tmp_path)
    file = tmp_path/'adapter_model.safetensors'
    data = file.read_bytes()
    for size in (0, 4, 8, 100, len(data)//2, len(data) - 1):
        file.write_bytes(data[:size])
        model = network()
        with pytest.raises(ValueError, match='damaged'):
            load_lora(model, tmp_path)
        assert not lora_layers(model)

@pytest.mark.parametrize('content', ['', '[]', '{}', '{"peft_type": "IA3"}', '{"peft_type": "LORA", "r": 2}'])
def test_odd_settings(tmp_path, content):
    save_lora(add_lora(network(), 2, 2, ['0']), tmp_path)
    (tmp_path/'adapter_config.json').write_text(content)
    with pytest.raises(ValueError):
        load_lora(network(), tmp_path)

def test_a_layer_in_two_places_has_one_adapter(tmp_path):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.first = nn.Linear(6, 6)
            self.second = self.first
        def forward(self, x):
            return self.second(self.first(x))
    x = torch.randn(4, 6)
    model = awake(add_lora(Twice(), 2, 4, 'first|second')).eval()
    assert model.first is model.second and isinstance(model.first, LoRALinear)
    out = model(x)
    save_lora(model, tmp_path)
    torch.testing.assert_close(load_lora(Twice(), tmp_path)(x), out)
    torch.testing.assert_close(merge_lora(model)(x), out)
    torch.testing.assert_close(remove_lora(model)(x), out)
    assert type(model.first) is nn.Linear and model.first is model.second

def test_attention_of_torch_that_reads_weights():
    torch.manual_seed(0)
    plain = nn.TransformerEncoderLayer(16, 2, 32, dropout=0., batch_first=True)
    x = torch.randn(2, 5, 16)
    model = awake(add_lora(copy.deepcopy(plain), 2, 8, ['out_proj', 'linear1', 'linear2']))
    slow = model(x)
    assert (slow - plain(x)).abs().max() > 1e-3
    model.eval()
    with torch.no_grad():
        torch.testing.assert_close(model(x), slow, atol=1e-5, rtol=1e-5)   # the fast path reads layer.weight
        torch.testing.assert_close(merge_lora(model)(x), slow, atol=1e-5, rtol=1e-5)

def test_dropout_only_in_training():
    torch.manual_seed(0)
    model = awake(add_lora(network(), 2, 2, ['0'], dropout=0.5))
    x = torch.randn(50, 6)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))

def test_values_that_are_not_finite_are_not_merged():
    model = add_lora(network(), 2, 2, ['0', '2'])
    model[2].lora_B.weight.data[0, 0] = float('nan')
    before = copy.deepcopy(model[0].base_layer.weight)
    with pytest.raises(ValueError, match='not finite'):
        merge_lora(model)
    assert torch.equal(model[0].base_layer.weight, before)

@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_a_frozen_weight_that_is_no_number_is_refused_before_the_first_step(value):
    "No rate mends it, so the sentence does not advise a smaller one; the adapter is what it was."
    from fastnlp_course.training.learner import Learner
    from fastnlp_course.training.toy import toy_data, toy_model
    model = nn.Sequential(toy_model())
    layer = next(name for name, one in model.named_modules() if isinstance(one, nn.Linear))
    add_lora(model, 2, 2, [layer])
    model.get_submodule(layer).base_layer.weight.data.view(-1)[0] = value
    learn = Learner(toy_data(), model, loss_func=nn.CrossEntropyLoss())
    before = [p.detach().clone() for p in model.parameters() if p.requires_grad]
    with learn.no_bar(), learn.no_logging(), pytest.raises(FloatingPointError, match='before the first step') as error: learn.fit(1, 1e-3)
    assert f"'{layer}.base_layer.weight', which is frozen, holds 1 of" in str(error.value) and 'smaller rate' not in str(error.value)
    assert all(torch.equal(p, b) for p, b in zip([p for p in model.parameters() if p.requires_grad], before))

def test_short_names():
    assert (lora.merge, lora.unmerge, lora.save, lora.load) == (merge_lora, unmerge_lora, save_lora, load_lora)
    assert not {'merge', 'unmerge', 'save', 'load'} & set(lora.__all__)

def models():
    "Small models of two families: linear layers, and Conv1D."
    from transformers import BertConfig, BertForSequenceClassification, GPT2Config, GPT2LMHeadModel
    torch.manual_seed(0)
    bert = BertForSequenceClassification(BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32))
    gpt2 = GPT2LMHeadModel(GPT2Config(vocab_size=50, n_positions=16, n_embd=16, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0))
    return {'bert': (bert, ['query', 'value'], ['classifier']), 'bert, regex': (bert, r'.*attention\.self\.(query|key)', None), 'gpt2': (gpt2, ['c_attn', 'c_fc'], None)}

@pytest.mark.parametrize('which', ['bert', 'bert, regex', 'gpt2'])
def test_equal_to_peft(which, tmp_path):
    peft = pytest.importorskip('peft')
    base, targets, kept = models()[which]
    ours = awake(add_lora(copy.deepcopy(base), 4, 8, targets, kept or ())).eval()
    save_lora(ours, tmp_path/'ours')
    theirs = peft.PeftModel.from_pretrained(copy.deepcopy(base), tmp_path/'ours', is_trainable=True).eval()
    ids = torch.randint(0, 50, (3, 8))
    found = []
    for model in (ours, theirs):
        logits = model(input_ids=ids).logits
        logits.square().mean().backward()
        gradients = {name.removeprefix('base_model.model.').replace('.default', '').replace('.modules_to_save', ''): p.grad for name, p in model.named_parameters() if p.grad is not None}
        found.append((logits.detach(), gradients))
    assert found[0][1].keys() == found[1][1].keys()
    torch.testing.assert_close(found[0], found[1], atol=1e-6, rtol=0)
    theirs.save_pretrained(tmp_path/'theirs')
    back = load_lora(copy.deepcopy(base), tmp_path/'theirs').eval()
    assert torch.equal(back(input_ids=ids).logits, found[0][0])
    with torch.no_grad():
        torch.testing.assert_close(merge_lora(ours)(input_ids=ids).logits, theirs.merge_and_unload()(input_ids=ids).logits, atol=1e-6, rtol=0)

def test_names_match_as_in_peft():
    peft = pytest.importorskip('peft')
    base = models()['bert'][0]
    for targets in (['query'], ['self.query', 'dense'], ['0.attention.self.key'], r'.*\.1\..*value', 'bert.pooler.dense', ['classifier']):
        theirs = peft.get_peft_model(copy.deepcopy(base), peft.LoraConfig(target_modules=targets))
        assert set(lora_layers(add_lora(copy.deepcopy(base), targets=targets))) == set(theirs.base_model.targeted_module_names)
