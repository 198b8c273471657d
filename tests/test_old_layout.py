"""What commit 6dcfae6 saved still loads, and says what it said: learners, language models, stores, tables, configs.

The folders in `old_layout` were written by `old_layout/make.py` with the package of that commit, when all modules lay in one
folder. Their configs name functions by the addresses of then (`fastnlp_course.tokenization.fix_html`).
"""
import importlib
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from fastnlp_course.all import (AWD_LSTM, Adam, TextDataLoaders, TokenStore, awd_lstm_lm_config, build_store, dls_from_config, join_stores, language_model_learner,
                                load_language_model, load_learner, load_tokenized_csv, lowercase, tokenize_df)
from fastnlp_course._old_addresses import rooms_of
from fastnlp_course.files import from_config, to_config

old = Path(__file__).resolve().parent/'old_layout'
said = json.loads((old/'said.json').read_text(encoding='utf-8'))

def probabilities(learn):
    "What `learn` says to the questions that the old package was asked."
    with learn.no_bar(): return learn.get_preds(dl=learn.dls.test_dl(said['asked']))[0].double().numpy()

@pytest.mark.parametrize('name', ['classifier', 'classifier_backwards'])
def test_classifiers(name):
    learn = load_learner(old/name)
    assert np.allclose(probabilities(learn), said[name]['probabilities'], atol=1e-5)
    assert list(learn.dls.vocab[1]) == said[name]['vocab']
    assert [metric.name for metric in learn.metrics] == ['accuracy', 'error_rate', 'f1_score', 'perplexity']
    label, index, probs = learn.predict(said['asked'][0])
    assert np.allclose(probs.numpy(), said[name]['probabilities'][0], atol=1e-5) and label == said[name]['vocab'][int(index)]

def test_weights_and_state_of_the_optimizer():
    learn = load_learner(old/'classifier')
    with torch.no_grad():
        for p in learn.model.parameters(): p.zero_()
    learn.load(old/'weights_and_optimizer')
    assert np.allclose(probabilities(learn), said['classifier']['probabilities'], atol=1e-5)
    assert all(len(state) for state in learn.opt.state.values()) and len(learn.opt.state)

def scores(model, vocab):
    "The scores of the next word after five words; those of the words that fill the vocab up tell nothing."
    ids = torch.tensor([[vocab.index(word) for word in ('xxbos', 'the', 'film', 'is', 'good')]])
    model.eval().reset()
    with torch.no_grad(): return model(ids)[0][0, -1].double().numpy()[:vocab.index('xxfake')]

def test_language_model():
    learn = load_learner(old/'language_model')
    wanted = said['language_model']['logits'][:list(learn.dls.vocab).index('xxfake')]
    assert np.allclose(scores(learn.model, list(learn.dls.vocab)), wanted, atol=1e-4)
    assert learn.opt_func.func is Adam and learn.opt_func.keywords == {'mom': 0.8}

def small_loaders():
    "Loaders with words of the old vocab, for learners that start from an old folder."
    return TextDataLoaders.from_df(pd.DataFrame({'text': said['store']['texts']}), text_col='text', is_lm=True, bs=4, seq_len=8, seed=1, text_vocab=said['saved_language_model']['vocab'])

@pytest.mark.parametrize('folder', ['exported_language_model', 'saved_language_model'])
def test_language_models_to_start_from(folder):
    sizes = {'emb_sz': 8, 'n_hid': 12, 'n_layers': 2}
    learn = language_model_learner(small_loaders(), AWD_LSTM, config={**awd_lstm_lm_config, **sizes}, pretrained=old/folder)
    if folder == 'exported_language_model':   # written in half precision
        wanted = said['language_model']['logits'][:list(learn.dls.vocab).index('xxfake')]
        assert np.allclose(scores(learn.model, list(learn.dls.vocab)), wanted, atol=2e-2)
    else:
        model, vocab, config = load_language_model(old/folder)
        assert vocab == said['saved_language_model']['vocab'] and config['recipe']['emb_sz'] == 8
        assert np.allclose(scores(model, vocab), scores(learn.model, vocab), atol=1e-5)

def test_transformers_learner():
    pytest.importorskip('transformers')
    assert np.allclose(probabilities(load_learner(old/'hf_classifier')), said['hf_classifier']['probabilities'], atol=1e-5)

def test_classifier_inside_transformers():
    transformers = pytest.importorskip('transformers')
    import fastnlp_course.bridges.ulmfit_in_transformers
    tokenizer = transformers.AutoTokenizer.from_pretrained(old/'in_transformers')
    model = transformers.AutoModelForSequenceClassification.from_pretrained(old/'in_transformers').eval()
    with torch.no_grad(): logits = [model(**tokenizer(text, return_tensors='pt')).logits for text in said['asked']]
    assert np.allclose(torch.cat(logits).softmax(-1).numpy(), said['classifier']['probabilities'], atol=1e-5)

def test_plain_store():
    store = TokenStore.open(old/'plain_store', settings={'rule': 'none'}, verify=True)
    assert [list(document) for document in store] == [[1, 2, 3], [4, 5], [6]] and store.vocab == [f'token{i}' for i in range(8)]

def test_store_is_found_again(tmp_path):
    "The settings in it name rules by their old addresses: they are the same rules, so nothing is tokenized again."
    shutil.copytree(old/'store', tmp_path/'store')
    before = {path.name: path.read_bytes() for path in (tmp_path/'store').iterdir()}
    store = build_store(said['store']['texts'], tmp_path/'store', min_freq=1)
    assert [store.decode(i) for i in range(len(store))] == said['store']['documents']
    assert {path.name: path.read_bytes() for path in (tmp_path/'store').iterdir()} == before
    with pytest.raises(ValueError): build_store(said['store']['texts'], tmp_path/'store', min_freq=1, rules=[lowercase])

def test_interrupted_store_goes_on(tmp_path):
    "One of two processes wrote its share with the old package; the other writes it today."
    shutil.copytree(old/'store_of_two.rank-0-of-2', tmp_path/'store_of_two.rank-0-of-2')
    build_store(said['store']['texts'], tmp_path/'store_of_two', min_freq=1, rank=1, world=2, block_chars=300)
    joined = join_stores(tmp_path/'store_of_two')
    assert [joined.decode(i) for i in range(len(joined))] == said['store']['documents']
    again = build_store(said['store']['texts'], tmp_path/'again', min_freq=1)
    assert np.array_equal(joined.ids, again.ids) and joined.vocab == again.vocab

def test_tokenized_table():
    table, counts = load_tokenized_csv(old/'tokenized'/'reviews_tok.csv')
    again, counted = tokenize_df(pd.read_csv(old/'tokenized'/'reviews.csv'), 'text')
    assert [list(tokens) for tokens in table.text] == [list(tokens) for tokens in again.text] and counts == counted

@pytest.mark.parametrize('name', said['data_configs'])
def test_loaders(name):
    dls = dls_from_config(said['data_configs'][name])
    again = json.loads(json.dumps(dls.to_config()))
    assert without_modules(again) == without_modules(said['data_configs'][name])

def without_modules(config):
    "`config` with functions by their last name only."
    if isinstance(config, list): return [without_modules(part) for part in config]
    if not isinstance(config, dict): return config
    return {key: value.rpartition('.')[2] if key == 'function' else without_modules(value) for key, value in config.items()}

@pytest.mark.parametrize('name', said['metrics_and_losses']['described'])
def test_metrics_and_losses(name):
    given = said['metrics_and_losses']
    described = given['described'][name]
    made = from_config(described['config'])
    scores, labels, numbers = torch.tensor(given['scores']), torch.tensor(given['labels']), torch.tensor(given['numbers'])
    if name in given['over numbers']: value = made(numbers, numbers**2)
    elif name in given['over classes']: value = made(scores.argmax(-1), labels)
    else: value = made(scores, labels)
    assert np.isclose(float(value), described['value'], atol=1e-6)

def test_every_name_of_before_is_found_or_refused():
    "What old configs can name and is made to be named is found; of the other functions of the old package a sentence says that they are not."
    from fastnlp_course import registry
    assert set(said['named_things']['classes']) <= set(registry._registered)
    lost = {}
    for name in said['named_things']['functions']:
        try: assert from_config({'function': name}).__name__ == name.rpartition('.')[2]
        except ValueError as error: lost[name] = str(error)
    assert all('not a registered function' in sentence for sentence in lost.values())
    known = {name for kind, _, name in registry.entries() if name not in registry._parts}
    assert known <= {name.rpartition('.')[2] for name in said['named_things']['functions'] if name not in lost}
    assert {'write_json', 'untar_data', 'load_learner', 'call_step', '_call_step', 'load_hf_model'} & {name.rpartition('.')[2] for name in lost}

def test_names_outside_the_package_stay_outside():
    for name in ('os.system', 'fastnlp_course.files.os', 'fastnlp_course.tokenization.nothing_of_that_name', 'fastnlp_course.learner.torch', 'fastnlp_course.files.write_json'):
        with pytest.raises(ValueError, match='Do not trust'): from_config({'function': name})

@pytest.mark.parametrize('module', sorted(rooms_of))
def test_old_addresses(module):
    "A module of before is found under its address, says where it went, and hands on the objects of the rooms."
    sys.modules.pop(f'fastnlp_course.{module}', None)
    with pytest.warns(DeprecationWarning, match='old address'): found = importlib.import_module(f'fastnlp_course.{module}')
    held = [address.rpartition('.')[2] for address in re.findall(r'fastnlp_course\.\w+\.[A-Za-z]\w*', json.dumps(said)) if address.split('.')[1] == module]
    assert all(hasattr(found, name) for name in held), [name for name in held if not hasattr(found, name)]
    rooms = [importlib.import_module(f'fastnlp_course.{room}') for room in rooms_of[module].split()]
    assert all(getattr(found, name) is getattr(next(room for room in rooms if hasattr(room, name)), name) for name in found.__all__)
