"""Weights that come from elsewhere: the model in the package, fast.ai's archives, files of fastai, damaged and hostile files; and what a prompt may be.

    python tests/test_ulmfit_weights.py --peer PYTHON    moves encoders and whole models both ways between here and fastai 2.8.12, and prints the literals below
"""
import http.server
import json
import pickle
import tarfile
import threading
import warnings
from functools import partial

import pandas as pd
import pytest
import torch

from fastnlp_course.models import generation, pretrained
from fastnlp_course.training.saving import load_weights
from fastnlp_course.models.awd_lstm import AWD_LSTM, awd_lstm_clas_config, awd_lstm_lm_config
from fastnlp_course.files import set_seed
from fastnlp_course.training.learner import Learner
from fastnlp_course.training.export import load_learner
from fastnlp_course.training.saving import load_weights
from fastnlp_course.data.getters import ColReader
from fastnlp_course.data.splitters import ColSplitter
from fastnlp_course.data.data_block import DataBlock
from fastnlp_course.data.text_data import TextBlock, TextDataLoaders
from fastnlp_course.models.see_inside import saliency, token_states
from fastnlp_course.sources import URLs
from fastnlp_course.text.tokenizer import Tokenizer
from fastnlp_course.models.pretrained import export_language_model, read_vocab, shipped_model
from fastnlp_course.models.ulmfit import language_model_learner, text_classifier_learner

small = dict(emb_sz=6, n_hid=8, n_layers=2)
words = 'xxunk xxpad xxbos xxeos xxfld xxrep xxwrep xxup xxmaj the film is good bad and a story very dull moving'.split()
ids = [[2, 9, 10, 11, 12, 14, 15, 19], [2, 8, 9, 16, 11, 17, 13, 1]]

def table():
    "Texts of which every word is in the vocab."
    good, bad = 'the film is good and a moving story', 'a dull story and the film is very bad'
    return pd.DataFrame({'text': [good, bad]*12, 'label': ['pos', 'neg']*12, 'is_valid': [False]*16 + [True]*8})

def loaders(is_lm, vocab=words, **kwargs):
    return TextDataLoaders.from_df(table(), text_col='text', label_col='label', valid_col='is_valid', is_lm=is_lm, text_vocab=vocab, bs=4, seq_len=8, device='cpu', **kwargs)

def new_lm(vocab=words, config=small, **kwargs):
    return language_model_learner(loaders(True, vocab), AWD_LSTM, **{'config': {**awd_lstm_lm_config, **config}, 'pretrained': False, **kwargs})

def new_classifier(vocab=words, config=small, **kwargs):
    return text_classifier_learner(loaders(False, vocab), AWD_LSTM, **{'seq_len': 8, 'config': {**awd_lstm_clas_config, **config}, 'pretrained': False, **kwargs})

def fill(model):
    "Weights by a formula, the same in every library."
    with torch.no_grad():
        for number, (name, parameter) in enumerate(model.named_parameters()):
            count = torch.arange(parameter.numel(), dtype=torch.float32)
            parameter.copy_((torch.sin(count*.7 + number)*.6).view_as(parameter))
    return model

def encoded(learn):
    "The encoder's outputs for `ids`."
    encoder = learn.model[0]
    encoder = getattr(encoder, 'module', encoder).eval()
    encoder.reset()
    with torch.no_grad():
        return encoder(torch.tensor(ids))

def scores(learn):
    "The model's scores for `ids`."
    learn.model.eval()
    learn.model.reset()
    with torch.no_grad():
        return learn.model(torch.tensor(ids))[0]

@pytest.fixture
def model_folder(tmp_path):
    "A pretrained model as it ships: 16 bits, a vocab in another order."
    learn = new_lm(words[:9] + words[9:][::-1] + ['seen'])
    fill(learn.model)
    return export_language_model(learn, tmp_path/'awd_lstm_fwd', half=True, tokens_seen=123)

# --- the model in the package

@pytest.mark.parametrize('make, names', [(lambda **kw: language_model_learner(loaders(True), AWD_LSTM, **kw), 'language_model_learner'),
                                         (lambda **kw: text_classifier_learner(loaders(False), AWD_LSTM, **kw), 'text_classifier_learner')])
def test_default_is_the_shipped_model(make, names, model_folder, monkeypatch, capsys):
    monkeypatch.setattr(pretrained, 'shipped_model', lambda backwards=False: None if backwards else model_folder)
    learn = make()
    said = capsys.readouterr().out
    assert f'{names}: weights of awd_lstm_fwd (6/8/2)' in said and '20 of 20 tokens' in said
    encoder = getattr(learn.model[0], 'module', learn.model[0])
    assert encoder.encoder.weight.shape == (20, 6) and encoder.encoder.weight.dtype == torch.float32
    saved, _ = load_weights(model_folder/'model.safetensors')
    assert saved['0.encoder.weight'].dtype == torch.float16
    row = read_vocab(model_folder/'vocab.json').index('film')
    assert torch.equal(encoder.encoder.weight[words.index('film')], saved['0.encoder.weight'][row].float())
    frozen = [not parameter.requires_grad for parameter in encoder.rnns.parameters()]
    assert all(frozen)
    again = learn.factory[1]
    assert again['pretrained'] is False and again['config']['n_hid'] == 8      # so that load_learner makes the same sizes, without looking for weights
    assert make(pretrained=False).model[0] is not None and capsys.readouterr().out == ''

def test_no_shipped_model_for_this_direction(model_folder, monkeypatch, capsys):
    monkeypatch.setattr(pretrained, 'shipped_model', lambda backwards=False: None if backwards else model_folder)
    learn = new_lm(pretrained=True, backwards=True)
    assert 'no pretrained model that reads backwards' in capsys.readouterr().out
    assert all(parameter.requires_grad for parameter in learn.model.parameters())

def test_config_of_other_sizes(model_folder, monkeypatch, capsys):
    monkeypatch.setattr(pretrained, 'shipped_model', lambda backwards=False: model_folder)
    learn = new_lm(config={**small, 'n_hid': 10}, pretrained=True)
    said = capsys.readouterr().out
    assert 'random weights' in said and "'n_hid': 10" in said and learn.model[0].n_hid == 10
    with pytest.raises(ValueError, match='Leave config out'):
        new_lm(config={**small, 'n_hid': 10}, pretrained=model_folder)
    assert new_lm(config={**small, 'output_p': .3}, pretrained=True).model[1].output_dp.p == .3     # dropouts are yours

def test_a_folder_by_name(model_folder):
    learn = new_lm(config=small, pretrained=str(model_folder))
    assert json.loads((model_folder/'config.json').read_text())['tokens_seen'] == 123
    assert learn.model[1].decoder.weight is learn.model[0].encoder.weight
    with pytest.raises(FileNotFoundError, match='holds no pretrained language model'):
        new_lm(pretrained=model_folder.parent)
    (model_folder/'config.json').write_text('{"config": 3}')
    with pytest.raises(ValueError, match='does not describe a language model'):
        new_lm(pretrained=model_folder)

def test_direction_of_a_folder(model_folder):
    with pytest.raises(ValueError, match='reads forwards, but backwards=True'):
        new_lm(pretrained=model_folder, backwards=True)

# --- a learner that reads from the end

def test_weights_of_the_other_direction_are_warned_of(model_folder):
    with pytest.warns(UserWarning, match='read from the end, .* Pass backwards=True here too'):
        learn = language_model_learner(loaders(True, backwards=True), AWD_LSTM, pretrained=model_folder)
    assert learn.factory[1]['backwards'] is True        # what the data say, so that an exported model has the right card
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert language_model_learner(loaders(True, backwards=True), AWD_LSTM, config={**awd_lstm_lm_config, **small}, pretrained=False).factory[1]['backwards'] is True
        assert new_lm(pretrained=model_folder).factory[1]['backwards'] is False

def test_what_is_written_comes_before_the_text(tmp_path):
    learn = language_model_learner(loaders(True, backwards=True), AWD_LSTM, config={**awd_lstm_lm_config, **small}, pretrained=False, backwards=True)
    fill(learn.model)
    assert learn._prompt_ids('the film is good') == [2, 12, 11, 10, 9]      # xxbos, then from the last word to the first
    for again in (learn, load_learner(learn.export(tmp_path/'back'))):
        written = again.predict('the film is good', 5, seed=1, no_bar=True)
        assert written.endswith(' the film is good') and len(written.split()) >= 5
        with pytest.raises(ValueError, match='Use predict'):
            next(again.predict_stream('the film', 2))

def test_tokens_of_a_backward_reader_are_shown_in_the_order_of_the_text():
    learn = text_classifier_learner(loaders(False, backwards=True), AWD_LSTM, config={**awd_lstm_clas_config, **small}, pretrained=False, backwards=True)
    fill(learn.model)
    text = 'the film is good'
    tokens, values = saliency(learn, text)
    states = token_states(learn, text)
    assert tokens == states[0] == ['xxbos', *text.split()] and len(values) == len(states[1]) == 5
    assert torch.equal(states[1], learn.model[0].module.encoder.weight[[2, 9, 10, 11, 12]].detach())

def test_separator_of_the_tokenizer():
    texts = TextBlock(Tokenizer.from_df('text', sep='_'), vocab=words, is_lm=True, seq_len=8)
    dls = DataBlock(texts, get_x=ColReader('text'), splitter=ColSplitter()).dataloaders(table(), bs=4, seq_len=8, device='cpu')
    learn = language_model_learner(dls, AWD_LSTM, config={**awd_lstm_lm_config, **small}, pretrained=False)
    assert learn.predict('the film', 2, no_bar=True).startswith('the_film_')

def test_interrupted_folder_is_no_model(model_folder, monkeypatch):
    "config.json is written last: without it the default does not take the folder."
    (model_folder/'config.json').unlink()
    monkeypatch.setattr(pretrained.resources, 'files', lambda name: model_folder.parent/'package')
    assert pretrained.shipped_model() is None

@pytest.mark.parametrize('backwards', [False, True])
def test_the_models_in_the_box(backwards):
    "Their files fit together and are what their card says; they are small, in half precision, and know English."
    from fastnlp_course.files import file_hash, read_json
    folder = shipped_model(backwards)
    config, vocab, card = read_json(folder/'config.json'), read_json(folder/'vocab.json'), (folder/'README.md').read_text(encoding='utf-8')
    assert (folder/'model.safetensors').stat().st_size < 15e6 and len(vocab) == config['vocab_sz'] and config['backwards'] is backwards
    assert f"read from the {'end' if backwards else 'beginning'}" in card
    for name in ('config.json', 'vocab.json', 'model.safetensors'): assert file_hash(folder/name) in card
    for word in ('CC BY-SA', 'Gutenberg', 'perplexity', 'train-lm', 'Limits'): assert word in card
    weights, _ = load_weights(folder/'model.safetensors')
    assert {weight.dtype for weight in weights.values()} == {torch.float16}
    assert config['facts']['perplexity'] < 80 and vocab[:9] == ['xxunk', 'xxpad', 'xxbos', 'xxeos', 'xxfld', 'xxrep', 'xxwrep', 'xxup', 'xxmaj']

def test_both_models_are_small_and_share_a_vocab():
    from fastnlp_course.files import read_json
    folders = shipped_model(), shipped_model(backwards=True)
    assert sum(file.stat().st_size for folder in folders for file in folder.iterdir()) < 30e6
    assert read_json(folders[0]/'vocab.json') == read_json(folders[1]/'vocab.json')

# --- fast.ai's archives

def archive(path, names=('lstm_fwd.pth', 'itos_wt103.pkl'), vocab=words[:9] + words[9:][::-1]):
    "An archive like fast.ai's: weights with both names of the dropped ones, and a pickled vocab."
    learn = new_lm(vocab)
    state = fill(learn.model).state_dict()
    twice = {name.replace('_raw', '').replace('rnns.0.', 'rnns.0.module.').replace('rnns.1.', 'rnns.1.module.'): weight*0 for name, weight in state.items() if name.endswith('_raw')}
    folder = path/'wt103-fwd'
    folder.mkdir(parents=True)
    for name in names:
        torch.save({**state, **twice}, folder/name) if name.endswith('.pth') else (folder/name).write_bytes(pickle.dumps(vocab, protocol=2))
    with tarfile.open(path/'wt103-fwd.tgz', 'w:gz') as file:
        file.add(folder, arcname='wt103-fwd')
    return state

class Server(http.server.ThreadingHTTPServer):
    def __init__(self, folder):
        super().__init__(('127.0.0.1', 0), partial(http.server.SimpleHTTPRequestHandler, directory=str(folder)))
        threading.Thread(target=self.serve_forever, daemon=True).start()

@pytest.fixture
def quiet_server(monkeypatch):
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, 'log_message', lambda *args: None)

def test_published_archive(tmp_path, monkeypatch, capsys, quiet_server):
    state = archive(tmp_path/'remote')
    monkeypatch.setenv('FASTNLP_HOME', str(tmp_path/'home'))
    server = Server(tmp_path/'remote')
    monkeypatch.setattr(URLs, 'WT103_FWD', f'http://127.0.0.1:{server.server_port}/wt103-fwd.tgz')
    learn = new_lm(pretrained='wt103-fwd')
    server.shutdown()
    server.server_close()
    assert "weights of fast.ai's wt103-fwd" in capsys.readouterr().out
    film, row = words.index('film'), (words[:9] + words[9:][::-1]).index('film')
    assert torch.equal(learn.model[0].encoder.weight[film], state['0.encoder.weight'][row])
    assert torch.equal(learn.model[0].rnns[0].weight_hh_l0_raw, state['0.rnns.0.weight_hh_l0_raw'])
    clas = new_classifier(pretrained='wt103-fwd')      # the second time nothing is fetched
    assert torch.equal(clas.model[0].module.rnns[1].weight_hh_l0_raw, state['0.rnns.1.weight_hh_l0_raw'])

def test_published_archive_without_vocab(tmp_path, monkeypatch, quiet_server):
    archive(tmp_path/'remote', names=['lstm_fwd.pth'])
    monkeypatch.setenv('FASTNLP_HOME', str(tmp_path/'home'))
    server = Server(tmp_path/'remote')
    monkeypatch.setattr(URLs, 'WT103_FWD', f'http://127.0.0.1:{server.server_port}/wt103-fwd.tgz')
    with pytest.raises(FileNotFoundError, match='should hold a .pth and a .pkl'):
        new_lm(pretrained='wt103-fwd')
    server.shutdown()
    server.server_close()

def test_direction_is_checked():
    with pytest.raises(ValueError, match='does not read in the direction'):
        new_lm(pretrained='wt103-bwd')
    with pytest.raises(ValueError, match='does not read in the direction'):
        new_classifier(pretrained='wt103-fwd', backwards=True)

# --- hostile and damaged files

class Hostile:
    "Leaves a file behind if anything calls it."
    def __init__(self, path): self.path = path
    def __reduce__(self): return open, (str(self.path), 'w')

@pytest.mark.parametrize('content', [lambda evil: ['the', evil], lambda evil: evil, lambda evil: {'vocab': [evil]}])
def test_hostile_vocab(tmp_path, content):
    (tmp_path/'vocab.pkl').write_bytes(pickle.dumps(content(Hostile(tmp_path/'ran'))))
    with pytest.raises(ValueError, match='Only lists, dicts, strings and numbers are admitted'):
        read_vocab(tmp_path/'vocab.pkl')
    assert not (tmp_path/'ran').exists()

def test_hostile_weights(tmp_path):
    (tmp_path/'old.pth').write_bytes(pickle.dumps({'0.encoder.weight': Hostile(tmp_path/'ran')}, protocol=2))
    torch.save({'0.encoder.weight': Hostile(tmp_path/'ran')}, tmp_path/'new.pth')
    (tmp_path/'vocab.json').write_text(json.dumps(words))
    for name in ('old', 'new'):
        with pytest.raises(ValueError, match='asks for more than tensors'):
            new_lm(pretrained_fnames=[tmp_path/f'{name}.pth', tmp_path/'vocab'])
        with pytest.raises(ValueError, match='asks for more than tensors'):
            new_lm().load_encoder(tmp_path/f'{name}.pth')
    assert not (tmp_path/'ran').exists()

@pytest.mark.parametrize('vocab', [{'the': 1}, ['the', 3], 'the film', 7])
def test_a_vocab_is_a_list_of_strings(tmp_path, vocab):
    (tmp_path/'vocab.pkl').write_bytes(pickle.dumps(vocab))
    with pytest.raises(ValueError, match='a list of tokens was expected'):
        read_vocab(tmp_path/'vocab.pkl')

def test_vocab_formats(tmp_path):
    tokens = [*words, 'line\u2028separator', '\x85', '"', '\\']
    (tmp_path/'v.pkl').write_bytes(pickle.dumps(tokens, protocol=2))
    (tmp_path/'v.json').write_text(json.dumps(tokens))
    (tmp_path/'v.txt').write_text('\n'.join(tokens) + '\n', encoding='utf-8')
    assert read_vocab(tmp_path/'v.pkl') == read_vocab(tmp_path/'v.json') == read_vocab(tmp_path/'v.txt') == tokens

@pytest.fixture
def pair(tmp_path):
    "Weights and vocab as files."
    learn = new_lm(path=tmp_path)
    fill(learn.model)
    for name in ('w.pth', 'w.safetensors'):
        learn.save(tmp_path/name, with_opt=False)
    (tmp_path/'v.pkl').write_bytes(pickle.dumps(words))
    (tmp_path/'v.json').write_text(json.dumps(words))
    return tmp_path

@pytest.mark.parametrize('weights, vocab', [('w.pth', 'v.pkl'), ('w.safetensors', 'v.json')])
def test_local_pair(pair, weights, vocab):
    learn = new_lm(pretrained_fnames=[pair/weights, pair/vocab])
    assert torch.equal(scores(learn), scores(fill_learner(new_lm())))

def fill_learner(learn):
    fill(learn.model)
    return learn

@pytest.mark.parametrize('name', ['w.pth', 'w.safetensors', 'v.pkl', 'v.json'])
@pytest.mark.parametrize('share', [0, .3, .98])
def test_file_cut_short(pair, name, share):
    whole = (pair/name).read_bytes()
    (pair/name).write_bytes(whole[:int(len(whole)*share)])
    files = [name, 'v.json'] if name.startswith('w') else ['w.pth', name]
    with pytest.raises(ValueError) as caught:
        new_lm(pretrained_fnames=[pair/file for file in files])
    assert name in str(caught.value) and str(caught.value).count('\n') == 0

def test_vocab_missing(pair):
    with pytest.raises(FileNotFoundError, match='nowhere'):
        new_lm(pretrained_fnames=[pair/'w.pth', pair/'nowhere'])
    with pytest.raises(FileNotFoundError, match='gone'):
        new_lm(pretrained_fnames=[pair/'gone', pair/'v.pkl'])

@pytest.mark.parametrize('vocab', [words + ['more'], words[:-1]])
def test_vocab_of_another_length(pair, vocab):
    (pair/'v.json').write_text(json.dumps(vocab))
    with pytest.raises(ValueError, match=f'20 rows in its embedding, but the vocab has {len(vocab)} tokens'):
        new_lm(pretrained_fnames=[pair/'w.pth', pair/'v.json'])

@pytest.mark.parametrize('config', [{'emb_sz': 8}, {'n_hid': 10}, {'n_layers': 3}])
def test_weights_of_other_sizes(pair, config):
    for make in (new_lm, new_classifier):
        with pytest.raises(ValueError, match='w.pth'):
            make(config={**small, **config}, pretrained_fnames=[pair/'w.pth', pair/'v.json'])

def test_encoder_of_other_sizes(tmp_path):
    new_lm(path=tmp_path).save_encoder('enc')
    learn = new_classifier(config={**small, 'n_hid': 10}, path=tmp_path)
    before = learn.model[0].module.encoder.weight.clone()
    with pytest.raises(ValueError, match='layer sizes differ'):
        learn.load_encoder('enc')
    assert torch.equal(before, learn.model[0].module.encoder.weight)     # nothing was loaded by half

# --- values of fastai

# fastai 2.8.12 with the weights of `fill`: the last outputs of the encoder for the first row of `ids`, and scores of the whole models
golden_encoder = [-0.402608, -0.621788, -0.171286, 0.057782, 0.17168, 0.008648]
golden_lm = [-0.106394, 0.547235, -0.8638, -0.9611, 0.31111]
golden_classifier = [3.323851, 1.540877]

@pytest.mark.parametrize('suffix', [None, 'fastai'])
def test_encoder_file_gives_fastais_outputs(tmp_path, suffix):
    learn = new_lm(path=tmp_path)
    fill(learn.model)
    file = learn.save_encoder('enc', format=suffix)
    taken = [new_lm(path=tmp_path).load_encoder(file.name), new_classifier(path=tmp_path).load_encoder(file.name)]
    for other in taken:
        assert torch.allclose(encoded(other)[0, -1], torch.tensor(golden_encoder), atol=1e-5)

def test_scores_are_fastais():
    assert torch.allclose(scores(fill_learner(new_lm()))[0, -1, 9:14], torch.tensor(golden_lm), atol=1e-5)
    assert torch.allclose(scores(fill_learner(new_classifier()))[0], torch.tensor(golden_classifier), atol=1e-5)

# --- writing

@pytest.fixture(scope='module')
def writer():
    return fill_learner(new_lm())

def test_quick_steps_equal_the_model(writer, monkeypatch):
    quick = writer.predict('the film', 40, no_bar=True, seed=1)
    monkeypatch.setattr(generation.OneStep, 'fits', staticmethod(lambda model: False))
    assert writer.predict('the film', 40, no_bar=True, seed=1) == quick

@pytest.mark.parametrize('settings', [{}, {'temperature': .6, 'top_k': 4}, {'top_p': .7}, {'min_p': .05}, {'only_last_word': True}, {'no_unk': False}])
def test_stream_gives_what_predict_gives(writer, settings):
    written = writer.predict('the film', 30, no_bar=True, seed=5, **settings)
    streamed = list(writer.predict_stream('the film', 30, seed=5, **settings))
    assert ' '.join(['the film', *streamed]) == written and len(streamed) > 3

def test_a_seed_does_not_touch_other_random_numbers(writer):
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    assert writer.predict('the film', 5, no_bar=True, seed=2) == writer.predict('the film', 5, no_bar=True, seed=2)
    assert torch.equal(torch.rand(1), expected)

def test_top_k_one_is_the_likeliest(writer):
    once = writer.predict('the film', 12, no_bar=True, top_k=1)
    assert once == writer.predict('the film', 12, no_bar=True, top_k=1) == writer.predict('the film', 12, no_bar=True, temperature=.001)

def test_training_after_predictions(writer):
    "Nothing of inference mode stays behind."
    for learn in (new_lm(), new_classifier()):
        with learn.no_bar(), learn.no_logging():
            learn.get_preds()
            learn.model(torch.tensor(ids))[0].sum().backward()
            learn.predict('the film is good')
            learn.fit(1)

# --- prompts

def test_prompt_of_unknown_words(writer):
    with pytest.warns(UserWarning, match='no word of .* is in the vocab'):
        text = writer.predict('qwert zuiop', 5, no_bar=True, seed=0)
    assert text.startswith('xxunk xxunk ') and 'xxunk' not in text[12:]
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        writer.predict('qwert film', 2, no_bar=True)

@pytest.mark.parametrize('prompt', ['', '   ', '\n'])
def test_empty_prompt_begins_a_text(writer, prompt):
    assert len(writer.predict(prompt, 6, no_bar=True, seed=0).split()) > 0

@pytest.mark.parametrize('prompt', [None, 3, ['the', 'film']])
def test_prompt_of_another_type(writer, prompt):
    with pytest.raises(ValueError, match='but a text was expected'):
        writer.predict(prompt, 3, no_bar=True)

# --- one answer

def test_quick_prediction_equals_the_long_way():
    learn = fill_learner(new_classifier())
    with learn.no_bar():
        for text in ('the film is good', 'a very very very dull story', '', 'qwert'):
            quick, plain = learn.predict(text, with_input=True), Learner.predict(learn, text, with_input=True)
            assert quick[:2] == plain[:2] and torch.equal(quick[2], plain[2]) and torch.equal(quick[3], plain[3])
        quick[3].add_(1)     # the caller may write into it

# --- the peer

peer_program = """
import json, pickle, sys
import pandas as pd, torch
from fastai.text.all import *
folder = Path(sys.argv[1])
task = json.loads((folder/'task.json').read_text())
ids, words, small = task['ids'], task['words'], task['small']
table = pd.read_csv(folder/'table.csv')
{fill}
def loaders(is_lm):
    return TextDataLoaders.from_df(table, path=folder, text_col='text', label_col='label', valid_col='is_valid', is_lm=is_lm, text_vocab=words, bs=4, seq_len=8, device=torch.device('cpu'))
def new_lm(**kwargs): return language_model_learner(loaders(True), AWD_LSTM, config={{**awd_lstm_lm_config, **small}}, pretrained=False, **kwargs)
def new_classifier(): return text_classifier_learner(loaders(False), AWD_LSTM, seq_len=8, config={{**awd_lstm_clas_config, **small}}, pretrained=False)
def run(learn):
    encoder = learn.model[0]
    encoder = getattr(encoder, 'module', encoder).eval()
    encoder.reset()
    learn.model.eval()
    with torch.no_grad():
        outputs = encoder(torch.tensor(ids)).tolist()
        learn.model.reset()
        return {{'encoder': outputs, 'scores': learn.model(torch.tensor(ids))[0].tolist()}}
out = {{}}
lm, clas = new_lm(), new_classifier()
fill(lm.model), fill(clas.model)
out['golden lm'], out['golden classifier'] = run(lm), run(clas)
lm = new_lm().load_encoder('ours')
out['our encoder in lm'] = run(lm)
out['our encoder in classifier'] = run(new_classifier().load_encoder('ours'))
out['our model'] = run(new_lm().load_pretrained(folder/'models'/'our_lm.pth', folder/'models'/'words.pkl'))
set_seed(1)
theirs = new_lm()
theirs.save_encoder('theirs')
theirs.save('their_lm', with_opt=False)
out['their model'] = run(theirs)
theirs = new_classifier()
theirs.save_encoder('theirs_clas')
theirs.save('their_clas')
out['their classifier'] = run(theirs)
(folder/'out.json').write_text(json.dumps(out))
"""

def exchange(peer):
    "Encoders and models to fastai and back; raises where outputs differ."
    import inspect, subprocess, tempfile
    from pathlib import Path
    folder = Path(tempfile.mkdtemp())
    (folder/'models').mkdir()
    table().to_csv(folder/'table.csv', index=False)
    (folder/'task.json').write_text(json.dumps({'ids': ids, 'words': words, 'small': small}))
    set_seed(7)
    ours = new_lm(path=folder)
    ours.save_encoder('ours', format='fastai')
    ours.save(folder/'models'/'our_lm.pth', with_opt=False)
    (folder/'models'/'words.pkl').write_bytes(pickle.dumps(words))
    subprocess.run([peer, '-c', peer_program.format(fill=inspect.getsource(fill)), str(folder)], check=True)
    out = json.loads((folder/'out.json').read_text())
    def same(name, found, part):
        difference = (found - torch.tensor(out[name][part])).abs().max().item()
        print(f'{name}, {part}: largest difference {difference:.1e}')
        assert difference < 1e-5, name
    for name in ('our encoder in lm', 'our encoder in classifier'):
        same(name, encoded(ours), 'encoder')
    same('our model', scores(ours), 'scores')
    same('their model', encoded(new_lm(path=folder).load_encoder('theirs')), 'encoder')
    same('their model', scores(new_lm(path=folder).load('their_lm')), 'scores')
    same('their model', scores(new_lm(pretrained_fnames=[folder/'models'/'their_lm.pth', folder/'models'/'words.pkl'])), 'scores')
    same('their classifier', encoded(new_classifier(path=folder).load_encoder('theirs_clas')), 'encoder')
    same('their classifier', scores(new_classifier(path=folder).load('their_clas')), 'scores')
    same('golden lm', scores(fill_learner(new_lm())), 'scores')
    same('golden classifier', scores(fill_learner(new_classifier())), 'scores')
    rounded = lambda values: [round(value, 6) for value in values]
    print('golden_encoder =', rounded(out['golden lm']['encoder'][0][-1]))
    print('golden_lm =', rounded(out['golden lm']['scores'][0][-1][9:14]))
    print('golden_classifier =', rounded(out['golden classifier']['scores'][0]))

if __name__ == '__main__':
    import sys
    exchange(sys.argv[sys.argv.index('--peer') + 1])
