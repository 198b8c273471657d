"What lesson 12 cannot show: five families of models, two training loops with one loss, every cause of metrics that never move, bad input."
import copy
import warnings
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

transformers = pytest.importorskip('transformers', reason='skipped: no transformers')

from fastnlp_course.files import set_seed
from fastnlp_course.bridges.transformers import HFCallback, hf_learner, hf_save, hf_splitter, load_hf_model, n_positions
from fastnlp_course.bridges.hf_batches import HFDataLoader, HFTextBlock, HFTokenize, PadRows, pad_values
from fastnlp_course.bridges.hf_tokenizers import TransformersTokenizer, byte_level_tokenizer, tokenizer_to_config, word_piece_tokenizer
from fastnlp_course.training.learner import Callback, Learner, TrainEvalCallback
from fastnlp_course.training.interpret import Interpretation
from fastnlp_course.training.export import load_learner
from fastnlp_course.data.lm_dataloader import LMDataLoader
from fastnlp_course.training.losses import CrossEntropyLossFlat
from fastnlp_course.training.metrics import Perplexity, accuracy
from fastnlp_course.training.sklearn_metrics import accuracy_multi
from fastnlp_course.training.optimizer import Adam
from fastnlp_course.data.data_block import CategoryBlock, DataBlock, MultiCategoryBlock, RegressionBlock
from fastnlp_course.data.getters import ColReader
from fastnlp_course.data.splitters import RandomSplitter
from fastnlp_course.data.item_lists import TfmdLists

texts = [f'{"so " * (i % 7)}{word} film number {i}' for i, word in enumerate(['good', 'bad', 'fine', 'dull'] * 12)]
table = pd.DataFrame({'text': texts, 'other': texts[::-1], 'label': ['pos', 'neg'] * 24, 'tags': ['a;b', 'b', 'a', 'b;c'] * 12, 'score': np.linspace(0, 1, 48)})
sizes = dict(hidden_size=32, num_hidden_layers=3, num_attention_heads=2, intermediate_size=48)

@pytest.fixture(scope='module')
def pieces():
    return word_piece_tokenizer(texts, 300, model_max_length=48)

@pytest.fixture(scope='module')
def byte_level():
    return byte_level_tokenizer(texts, 300)

def families(n_rows):
    "Name -> a small model for classification."
    t = transformers
    made = {
        'bert': lambda: t.BertForSequenceClassification(t.BertConfig(vocab_size=n_rows, max_position_embeddings=64, **sizes)),
        'distilbert': lambda: t.DistilBertForSequenceClassification(t.DistilBertConfig(vocab_size=n_rows, dim=32, hidden_dim=48, n_layers=3, n_heads=2, max_position_embeddings=64)),
        'roberta': lambda: t.RobertaForSequenceClassification(t.RobertaConfig(vocab_size=n_rows, max_position_embeddings=66, **sizes)),
        'deberta-v2': lambda: t.DebertaV2ForSequenceClassification(t.DebertaV2Config(vocab_size=n_rows, max_position_embeddings=64, relative_attention=True, pos_att_type=['p2c', 'c2p'],
                                                                                    position_biased_input=False, norm_rel_ebd='layer_norm', share_att_key=True, **sizes)),
        'gpt2': lambda: t.GPT2ForSequenceClassification(t.GPT2Config(vocab_size=n_rows, n_positions=64, n_embd=32, n_layer=3, n_head=2, bos_token_id=0, eos_token_id=0)),
    }
    return made

def loaders(tokenizer, y_block=CategoryBlock, get_y=None, get_x=None, bs=8, **kwargs):
    block = DataBlock([HFTextBlock(tokenizer, **kwargs), y_block], get_x=ColReader('text') if get_x is None else get_x, get_y=ColReader('label') if get_y is None else get_y, splitter=RandomSplitter(0.25, seed=0))
    return block.dataloaders(table, bs=bs, device='cpu')

def bert(tokenizer, **config):
    set_seed(0)
    return transformers.BertForSequenceClassification(transformers.BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **sizes, **config))

def silent(learn, *args, **kwargs):
    with learn.no_bar(), learn.no_logging(): learn.fit(*args, **kwargs)
    return learn

# Families
@pytest.mark.parametrize('family', ['bert', 'distilbert', 'roberta', 'deberta-v2', 'gpt2'])
def test_families(family, pieces, byte_level, tmp_path):
    tokenizer = pieces
    if family == 'gpt2':
        tokenizer = byte_level_tokenizer(texts, 300, pad_token='<|endoftext|>')
    set_seed(0)
    model = families(len(tokenizer))[family]()
    groups = hf_splitter(model)
    assert len(groups) == 5                                             # embeddings, three layers, head
    own = {id(p): name for name, p in model.named_parameters()}
    assert sorted(own[id(p)] for group in groups for p in group) == sorted(own.values())   # each parameter once
    for number, group in enumerate(groups[1:4]):
        assert all(f'.{number}.' in own[id(p)] for p in group)
    assert all('embed' in own[id(p)].lower() or 'wte' in own[id(p)] or 'wpe' in own[id(p)] or own[id(p)].startswith('deberta.encoder.LayerNorm') for p in groups[0])
    assert any('classifier' in own[id(p)] or 'score' in own[id(p)] for p in groups[-1])
    learn = hf_learner(loaders(tokenizer), model, lr=1e-3, metrics=accuracy, path=tmp_path)
    learn.freeze()
    frozen = [p.detach().clone() for p in groups[1]]
    silent(learn, 1)
    norms = {id(p) for layer in model.modules() if isinstance(layer, nn.LayerNorm) for p in layer.parameters()}
    assert all(torch.equal(p, old) for p, old in zip(groups[1], frozen) if id(p) not in norms)
    learn.freeze_to(-2)
    assert all(p.requires_grad for p in groups[3]) and not all(p.requires_grad for p in groups[2])
    learn.unfreeze()
    silent(learn, 1, lr=slice(1e-4, 1e-2))
    rates = [hyper['lr'] for hyper in learn.opt.hypers]
    assert np.allclose(np.diff(np.log(rates)), np.log(100)/4)
    assert len(learn.check()) == 0
    before = learn.predict('a good film')
    again = load_learner(learn.export())                                # no code, no pickle: config.json and safetensors
    assert torch.allclose(again.predict('a good film')[2], before[2], atol=1e-6)
    assert {path.suffix for path in (tmp_path/'export').iterdir()} == {'.json', '.safetensors'}

def test_hf_folder(pieces, tmp_path):
    learn = hf_learner(loaders(pieces), bert(pieces), path=tmp_path)
    folder = hf_save(learn, tmp_path/'model')
    classify = transformers.pipeline('text-classification', model=str(folder), device='cpu')
    found = classify('a good film')[0]
    name, number, probs = learn.predict('a good film')
    assert found['label'] == name and abs(found['score'] - float(probs.max())) < 1e-5
    again = hf_learner(learn.dls, folder)
    assert torch.equal(again.predict('a good film')[2], probs)

# Data
def test_keys_travel(pieces):
    dls = loaders(pieces, get_x=ColReader(['text', 'other']))
    x, y = dls.one_batch()
    assert set(x) == set(pieces('a', 'b')) == {'input_ids', 'token_type_ids', 'attention_mask'}
    assert x['token_type_ids'].max() == 1
    distil = transformers.PreTrainedTokenizerFast(tokenizer_object=pieces.backend_tokenizer, pad_token='[PAD]', model_input_names=['input_ids', 'attention_mask'])
    assert set(loaders(distil).one_batch()[0]) == {'input_ids', 'attention_mask'}
    model = bert(pieces).eval()
    with torch.no_grad():
        without = {name: value for name, value in x.items() if name != 'token_type_ids'}
        assert (model(**x).logits - model(**without).logits).abs().max() > 1e-5
    learn = hf_learner(dls, model)
    assert learn.check() == []
    assert len(learn.predict(('a good film', 'a bad film'))) == 3

@pytest.mark.parametrize('side', ['right', 'left'])
def test_padding_is_the_tokenizers(side, pieces):
    tokenizer = copy.deepcopy(pieces)
    tokenizer.padding_side = side
    rows = [{name: torch.tensor(values) for name, values in tokenizer(text, text[:9]).items()} for text in texts[:5]]
    ours = PadRows(pad_values(tokenizer), side)([(row, 0) for row in rows])
    plain = tokenizer.pad([tokenizer(text, text[:9]) for text in texts[:5]], return_tensors='pt')
    for name, value in plain.items():
        assert torch.equal(torch.stack([row[name] for row, _ in ours]), value), name

def test_sorted_and_padded_per_batch(pieces):
    dls = loaders(pieces)
    widths = [x['input_ids'].shape[1] for x, _ in dls.valid]
    assert widths == sorted(widths, reverse=True) and len(set(widths)) > 1
    assert all((x['input_ids'][x['attention_mask'] == 0] == pieces.pad_token_id).all() for x, _ in dls.train)

def test_multi_label_and_regression(pieces, tmp_path):
    dls = loaders(pieces, MultiCategoryBlock, ColReader('tags', label_delim=';'))
    learn = silent(hf_learner(dls, bert(pieces, num_labels=3), metrics=accuracy_multi, path=tmp_path, lr=1e-3), 1)
    names, chosen, probs = learn.predict('a good film')
    assert probs.shape == (3,) and learn.check() == []
    assert torch.allclose(load_learner(learn.export()).predict('a good film')[2], probs, atol=1e-6)
    dls = loaders(pieces, RegressionBlock, ColReader('score'))
    learn = silent(hf_learner(dls, bert(pieces, num_labels=1), lr=1e-3), 1)
    assert np.isfinite(float(learn.validate()[0])) and learn.check() == []

def test_model_computes_the_loss(pieces):
    dls = loaders(pieces)
    learn = hf_learner(dls, bert(pieces))
    outside = float(learn.validate()[0])
    learn.loss_func = None
    assert abs(float(learn.validate()[0]) - outside) < 1e-5

def test_interpretation(pieces):
    learn = hf_learner(loaders(pieces), bert(pieces))
    shown = Interpretation.from_learner(learn)
    assert len(shown.top_losses(3, items=True)[2]) == 3
    shown.show_results([0, 2])

def test_plot_top_losses(pieces):
    learn = hf_learner(loaders(pieces), bert(pieces))
    rows = Interpretation.from_learner(learn).plot_top_losses(2, show=False)
    assert len(rows) == 2

# One number, two loops
def test_same_loss_as_trainer(pieces, tmp_path):
    if find_spec('accelerate') is None: pytest.skip('skipped: no accelerate')
    rows = [{**pieces(text), 'labels': int(label == 'pos')} for text, label in zip(table.text, table.label)]
    collate = transformers.DataCollatorWithPadding(pieces)
    bs, epochs, lr = 8, 2, 1e-3

    class Ordered(transformers.Trainer):
        def _get_train_sampler(self, *args): return torch.utils.data.SequentialSampler(self.train_dataset)
        def compute_loss(self, *args, **kwargs):
            loss = super().compute_loss(*args, **kwargs)
            theirs.append(float(loss[0] if isinstance(loss, tuple) else loss))
            return loss

    theirs, ours = [], []
    plain = dict(hidden_dropout_prob=0., attention_probs_dropout_prob=0.)
    settings = transformers.TrainingArguments(str(tmp_path), per_device_train_batch_size=bs, num_train_epochs=epochs, learning_rate=lr, weight_decay=0., max_grad_norm=0., seed=0,
                                              use_cpu=True, report_to=[], save_strategy='no', logging_strategy='no', disable_tqdm=True, remove_unused_columns=False, optim='adamw_torch')
    Ordered(bert(pieces, **plain), settings, train_dataset=rows, data_collator=collate).train()

    class Linear(Callback):
        def before_batch(self): self.opt.set_hypers(lr=lr*(1 - self.train_iter/(self.n_epoch*self.n_iter)))
        def after_loss(self): ours.append(float(self.loss))
    Linear.run_valid = False
    dl = torch.utils.data.DataLoader(rows, batch_size=bs, collate_fn=collate)
    dls = (dl, torch.utils.data.DataLoader(rows[:8], batch_size=bs, collate_fn=collate))
    learn = Learner(dls, bert(pieces, **plain), opt_func=lambda params, lr: Adam(params, lr, mom=0.9, sqr_mom=0.999, eps=1e-8, wd=0.), cbs=[HFCallback, Linear], path=tmp_path)
    learn.dls.device = 'cpu'
    silent(learn, epochs, lr=lr)
    assert len(ours) == len(theirs) == epochs*len(rows)//bs
    assert np.abs(np.array(ours) - np.array(theirs)).max() < 1e-5

# learn.check(): each cause of metrics that never move, and nothing else
@pytest.fixture
def healthy(pieces):
    return hf_learner(loaders(pieces), bert(pieces), metrics=accuracy, lr=1e-3)

def sentence(learn, *words):
    found = learn.check()
    assert len(found) >= 1 and all(any(word in line for line in found) for word in words), found
    assert all(line.count('\n') == 0 for line in found)
    return found

def test_check_finds_nothing_and_changes_nothing(healthy):
    before = {name: value.clone() for name, value in healthy.model.state_dict().items()}
    torch.manual_seed(3); np.random.seed(3)
    expected = torch.rand(1), np.random.rand()
    torch.manual_seed(3); np.random.seed(3)
    own = set(healthy.__dict__)
    assert healthy.check() == []
    assert (torch.rand(1), np.random.rand()) == expected
    assert set(healthy.__dict__) == own and healthy.opt is None
    assert all(torch.equal(before[name], value) for name, value in healthy.model.state_dict().items())
    assert all(p.grad is None for p in healthy.model.parameters())

def test_check_self_pred(healthy):
    class Shadow(Callback):
        def after_pred(self): self.pred = self.pred.logits
    healthy.remove_cb(HFCallback)
    healthy.add_cbs([Shadow, HFCallback()])
    sentence(healthy, 'Shadow writes self.pred')

def test_check_wrong_field(pieces):
    class Hidden(Callback):
        def after_pred(self): self.learn.pred = self.pred.attentions_mean if hasattr(self.pred, 'attentions_mean') else self.pred.hidden_states[-1][:, 0]
    learn = hf_learner(loaders(pieces), bert(pieces, output_hidden_states=True), cbs=Hidden)
    sentence(learn, 'shape (8, 32)')
    class OwnLoss(Callback):
        def before_batch(self): self.learn.xb = ({**self.xb[0], 'labels': self.yb[0]},)
        def after_pred(self): self.learn.pred = self.pred[0]
    learn = hf_learner(loaders(pieces), bert(pieces), cbs=OwnLoss)
    learn._call_model = lambda: learn.model(**learn.xb[0], **({} if 'labels' in learn.xb[0] else {'labels': learn.yb[0]}))
    sentence(learn, "the model's own loss")
    set_seed(0)
    body = transformers.BertModel(transformers.BertConfig(vocab_size=len(pieces), max_position_embeddings=64, **sizes))
    learn = Learner(loaders(pieces), body, loss_func=CrossEntropyLossFlat(), cbs=HFCallback)
    sentence(learn, 'no head for this task')

def test_check_head_swapped(healthy):
    silent(healthy, 1)
    healthy.model.classifier = nn.Linear(32, 2)
    sentence(healthy, '2 trainable parameters of the model are not in the optimizer', 'holds 2 parameters that do not belong')
    healthy.create_opt()
    assert healthy.check() == []

def test_check_frozen(pieces):
    model = bert(pieces)
    for p in model.parameters(): p.requires_grad_(False)
    learn = hf_learner(loaders(pieces), model)
    sentence(learn, 'No parameter of the model is trained')
    for p in model.classifier.parameters(): p.requires_grad_(True)
    learn = Learner(loaders(pieces), model, cbs=HFCallback)
    learn.create_opt()
    assert learn.check() == []
    for p in model.parameters(): p.requires_grad_(True)     # "unfrozen" behind the optimizer's back
    sentence(learn, 'are not in the optimizer')

def test_check_mode_copy_and_device(healthy):
    healthy.remove_cb(TrainEvalCallback)
    healthy.model.eval()
    sentence(healthy, 'stays in eval mode')
    healthy.add_cb(TrainEvalCallback)
    assert healthy.check() == []
    other = copy.deepcopy(healthy.model)
    def accuracy_of_other(pred, y): return accuracy(other(input_ids=torch.ones(len(y), 4, dtype=torch.long)).logits, y)
    healthy.metrics = [accuracy_of_other]
    sentence(healthy, 'holds another copy of BertForSequenceClassification')
    healthy.metrics = accuracy
    silent(healthy, 1)
    healthy.model = copy.deepcopy(healthy.model)
    sentence(healthy, 'holds', 'do not belong to learn.model')
    class Elsewhere(Callback):
        order = 6
        def after_pred(self): self.learn.pred = self.keeper['model'](**self.xb[0]).logits
    healthy.create_opt()
    elsewhere = Elsewhere()
    elsewhere.keeper = {'model': other}
    healthy.add_cb(elsewhere)
    sentence(healthy, 'reaches no parameter of learn.model')

def test_check_two_devices(healthy):
    healthy.model.classifier.to('meta')
    sentence(healthy, 'cpu, meta')

def test_check_labels(pieces):
    learn = hf_learner(loaders(pieces), bert(pieces, id2label={0: 'POS', 1: 'NEG'}, label2id={'POS': 0, 'NEG': 1}))
    sentence(learn, "the model as ['POS', 'NEG']")
    learn = hf_learner(loaders(pieces), bert(pieces))
    valid = loaders(pieces, CategoryBlock(vocab=['pos', 'neg'], sort=False)).valid
    learn.dls.valid = valid
    sentence(learn, 'Training data number the labels')

# Bad input
def one_sentence(error, *words):
    text = str(error.value)
    assert '\n' not in text and text.rstrip().endswith('.') and all(word in text for word in words), text

def test_no_pad_token(byte_level):
    with pytest.raises(ValueError) as error: HFTextBlock(byte_level)
    one_sentence(error, 'no padding token', 'eos_token')

def test_too_long(pieces):
    dls = loaders(pieces)
    set_seed(0)
    short = transformers.BertForSequenceClassification(transformers.BertConfig(vocab_size=len(pieces), max_position_embeddings=8, **sizes))
    with pytest.raises(ValueError) as error: hf_learner(dls, short)
    one_sentence(error, '8 positions', 'max_length=8')
    with pytest.raises(ValueError) as error: silent(Learner(dls, short, cbs=HFCallback), 1)
    one_sentence(error, '8 positions')
    assert hf_learner(loaders(pieces, max_length=8), short).validate()
    assert n_positions(families(50)['roberta']()) == 64 and n_positions(families(50)['deberta-v2']()) is None

def test_labels_outside(pieces):
    dls = loaders(pieces, get_y=ColReader('other'), y_block=CategoryBlock(vocab=list(table.other)))
    with pytest.raises(ValueError) as error: hf_learner(dls, bert(pieces))
    one_sentence(error, '48 labels', 'num_labels=2')
    with pytest.raises(ValueError) as error: silent(Learner(dls, bert(pieces), cbs=HFCallback), 1)
    one_sentence(error, 'num_labels=2')

def test_ids_outside(pieces):
    small = transformers.BertForSequenceClassification(transformers.BertConfig(vocab_size=20, max_position_embeddings=64, **sizes))
    dls = loaders(pieces)
    with pytest.raises(ValueError) as error: hf_learner(dls, small)
    one_sentence(error, 'rows for 20', 'resize_token_embeddings')
    with pytest.raises(ValueError) as error: silent(Learner(dls, small, cbs=HFCallback), 1)
    one_sentence(error, 'rows 0 to 19')

def test_slow_tokenizer(pieces):
    class Slow:
        pad_token_id, pad_token_type_id, padding_side, model_max_length = 0, 0, 'right', 48
        def __call__(self, *texts, **kwargs): return pieces(*texts, **kwargs)
        def decode(self, ids): return pieces.decode(ids)
        def __len__(self): return len(pieces)
    learn = hf_learner(loaders(Slow()), bert(pieces))
    assert learn.validate()                                             # it works ...
    with pytest.raises(ValueError) as error: learn.export()             # ... but cannot be described
    one_sentence(error, 'slow tokenizer', 'use_fast')

def test_offline(pieces):
    with pytest.raises(OSError) as error: hf_learner(loaders(pieces), 'nobody/no-such-model')
    one_sentence(error, 'nobody/no-such-model', 'neither a folder')
    with pytest.raises(ValueError) as error: load_hf_model({'architecture': 'system', 'config': {}}, 'AutoModel')
    one_sentence(error, 'not a model of transformers')

def test_not_a_text(pieces):
    with pytest.raises(TypeError) as error: HFTokenize(pieces)(3.5)
    one_sentence(error, 'neither a text nor a pair')

# Language models
def test_language_model(byte_level, tmp_path):
    tls = TfmdLists(texts, TransformersTokenizer(byte_level), splits=[range(36), range(36, 48)], dl_type=LMDataLoader)
    assert tls.train[0].tolist() == byte_level.encode(texts[0]) and tls.decode(tls.train[0]) == texts[0]
    dls = tls.dataloaders(bs=4, seq_len=16, device='cpu')
    set_seed(0)
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=len(byte_level), n_positions=16, n_embd=32, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0))
    learn = hf_learner(dls, model, metrics=Perplexity(), lr=5e-3, path=tmp_path)
    assert learn.check() == []
    before = float(learn.validate()[0])
    silent(learn, 2)
    assert float(learn.validate()[0]) < before
    again = load_learner(learn.export())
    ids = torch.tensor([byte_level.encode(texts[0])])
    assert torch.allclose(again.model(ids).logits, learn.model.eval()(ids).logits, atol=1e-5)
    with pytest.raises(ValueError) as error: hf_learner(tls.dataloaders(bs=4, seq_len=17, device='cpu'), model)
    one_sentence(error, 'seq_len=16')
