"AWD-LSTM as a model of transformers: generation with the recurrent state, padding, Auto classes, pipelines, and the way from a learner and back."
import inspect
import itertools
import json

import numpy as np
import pytest
import torch
import transformers

from fastnlp_course.models.awd_lstm import AWD_LSTM, awd_lstm_clas_config, awd_lstm_lm_config
from fastnlp_course.files import set_seed
from fastnlp_course.bridges.ulmfit_models import AWDLSTMConfig, AWDLSTMForCausalLM, AWDLSTMForSequenceClassification, LSTMState, read_on
from fastnlp_course.bridges.ulmfit_tokenizer import AWDLSTMTokenizer
from fastnlp_course.bridges.ulmfit_in_transformers import from_hf, to_hf
from fastnlp_course.data.text_data import TextDataLoaders
from fastnlp_course.sources import get_data
from fastnlp_course.models.ulmfit import language_model_learner, text_classifier_learner

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
small = dict(emb_sz=12, n_hid=20, n_layers=2)

@pytest.fixture(scope='module')
def table():
    "Some reviews with labels."
    rows = get_data('reviews').sample(160, random_state=0).reset_index(drop=True)
    return rows.assign(label=np.where(rows.score > 0, 'pos', 'neg'))[['text', 'label']]

@pytest.fixture(scope='module')
def writer(table):
    "A language model whose weights are large enough to have opinions."
    dls = TextDataLoaders.from_df(table, text_col='text', is_lm=True, valid_pct=.2, seed=0, bs=4, seq_len=16)
    learn = language_model_learner(dls, AWD_LSTM, config={**awd_lstm_lm_config, **small}, pretrained=False)
    strengthen(learn.model)
    return learn

@pytest.fixture(scope='module')
def classifier(table, writer):
    "A classifier with the same vocab."
    dls = TextDataLoaders.from_df(table, text_col='text', label_col='label', valid_pct=.2, seed=0, text_vocab=writer.dls.vocab, bs=8, seq_len=10)
    learn = text_classifier_learner(dls, AWD_LSTM, config={**awd_lstm_clas_config, **small}, pretrained=False, seq_len=10, lin_ftrs=[7, 5], ps=[.1, .2])
    strengthen(learn.model)
    return learn

def strengthen(model):
    set_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-.9, .9)

@pytest.fixture(scope='module')
def model(writer):
    return to_hf(writer)[0]

@pytest.fixture(scope='module')
def tokenizer(writer):
    return to_hf(writer)[1]

def rereading_beams(model, ids, beams, steps, forbidden):
    "Beam search that reads the whole prefix again for each beam: the scores are sums, all hypotheses have the same length."
    found = [(0., ids)]
    for _ in range(steps):
        grown = []
        for score, prefix in found:
            scores = model(torch.tensor([prefix]), use_cache=False).logits[0, -1].float().log_softmax(-1)
            scores[forbidden] = -float('inf')
            best = scores.topk(2*beams)
            grown += [(score + value, prefix + [token]) for value, token in zip(best.values.tolist(), best.indices.tolist())]
        found = sorted(grown, key=lambda pair: -pair[0])[:beams]
    return [prefix for _, prefix in found]

def test_same_scores_as_the_learner(writer, model, tokenizer):
    ids = tokenizer('This movie is GREAT', return_tensors='pt')['input_ids']
    writer.model.eval()
    writer.model.reset()
    with torch.no_grad():
        assert torch.equal(writer.model(ids)[0], model(ids).logits)

def test_tokenizer_is_the_learners(classifier, tokenizer):
    texts = ['This movie is GREAT', '', 'so so so so bad!!!!', 'xxunk and xxmaj are words', 'naïve 東京 😀']
    ours = classifier.dls.test_dl(texts).dataset
    for i, text in enumerate(texts):
        assert tokenizer(text)['input_ids'] == ours[i][0].tolist()
    assert tokenizer.decode(tokenizer('This movie IS good')['input_ids'], skip_special_tokens=True) == 'This movie IS good'

def test_state_is_enough(model, tokenizer):
    "Reading in two parts, with the state between, gives what reading at once gives."
    ids = tokenizer('the actors were good but the story was bad', return_tensors='pt')['input_ids']
    with torch.no_grad():
        whole = model(ids).logits
        first = model(ids[:, :4])
        second = model(ids[:, 4:], past_key_values=first.past_key_values)
    assert torch.allclose(whole, torch.cat([first.logits, second.logits], dim=1), atol=1e-5)
    assert second.past_key_values.get_seq_length() == ids.shape[1]

@pytest.mark.parametrize('name', ['past_key_values', 'cache'])
def test_the_state_comes_by_the_old_name_and_by_the_new(model, tokenizer, name, capfd):
    "Since 5.24 transformers calls it `cache`: not to know the name would mean to read everything again, or to warn of the old one."
    ids = tokenizer('the actors were good but the story was bad', return_tensors='pt')['input_ids']
    capfd.readouterr()
    with torch.no_grad():
        first = model(ids[:, :4])
        state = next(value for value in first.values() if hasattr(value, 'n_read'))
        second = model(ids[:, 4:], **{name: state})
        assert torch.allclose(model(ids).logits[:, 4:], second.logits, atol=1e-5) and not torch.allclose(model(ids[:, 4:]).logits, second.logits, atol=1e-2)
    inputs = model.prepare_inputs_for_generation(ids, attention_mask=torch.ones_like(ids), **{name: state})
    assert inputs['input_ids'].tolist() == ids[:, 4:].tolist() and capfd.readouterr().err == ''

@pytest.mark.parametrize('settings', [{}, {'num_beams': 3}])
def test_generate_reads_each_word_once(model, tokenizer, settings):
    ids, read = tokenizer('the film', return_tensors='pt')['input_ids'], []
    hook = model.register_forward_pre_hook(lambda module, args, kwargs: read.append(kwargs['input_ids'].shape[1]), with_kwargs=True)
    model.generate(ids, do_sample=False, min_new_tokens=6, max_new_tokens=6, **settings)
    hook.remove()
    assert read == [ids.shape[1]] + [1]*5

@pytest.mark.parametrize('beams', [2, 3, 5])
def test_beam_search_equals_rereading(model, tokenizer, beams):
    ids = tokenizer('the film', return_tensors='pt')['input_ids']
    forbidden = [*model.generation_config.suppress_tokens, model.config.eos_token_id]
    written = model.generate(ids, num_beams=beams, num_return_sequences=beams, do_sample=False, min_new_tokens=7, max_new_tokens=7)
    assert written.tolist() == rereading_beams(model, ids[0].tolist(), beams, 7, forbidden)
    again = model.generate(ids, num_beams=beams, num_return_sequences=beams, do_sample=False, min_new_tokens=7, max_new_tokens=7, use_cache=False)
    assert torch.equal(written, again)
    assert len(set(map(tuple, written.tolist()))) == beams

@pytest.mark.parametrize('settings', [{'do_sample': False}, {'do_sample': True, 'top_k': 5, 'temperature': .7}])
def test_generate_with_and_without_state(model, tokenizer, settings):
    ids = tokenizer('the film', return_tensors='pt')
    runs = []
    for use_cache in (True, False):
        set_seed(1)
        runs.append(model.generate(**ids, **settings, max_new_tokens=15, use_cache=use_cache).tolist())
    assert runs[0] == runs[1] and len(set(runs[0][0])) > 4

def test_left_padded_batch_equals_single_rows(model, tokenizer):
    texts = ['bad', 'the actors were very good and the story was too', 'This movie is']
    batch = tokenizer(texts, return_tensors='pt', padding=True)
    assert batch['attention_mask'][0, 0] == 0 and batch['attention_mask'][:, -1].all()
    with torch.no_grad():
        together = model(**batch)
        for i, text in enumerate(texts):
            alone = model(**tokenizer(text, return_tensors='pt'))
            assert (together.logits[i, -alone.logits.shape[1]:] - alone.logits[0]).abs().max() <= 1e-5
            for ours, theirs in zip(together.past_key_values.layers, alone.past_key_values.layers):
                assert all((a[:, i] - b[:, 0]).abs().max() <= 1e-5 for a, b in zip(ours, theirs))
    written = model.generate(**batch, do_sample=False, max_new_tokens=9, min_new_tokens=9)
    for i, text in enumerate(texts):
        alone = model.generate(**tokenizer(text, return_tensors='pt'), do_sample=False, max_new_tokens=9, min_new_tokens=9)
        assert written[i, -9:].tolist() == alone[0, -9:].tolist()

def test_padding_anywhere(model):
    "Left, right, between, and a row of nothing but padding."
    ids = torch.tensor([[1, 1, 5, 6, 7], [5, 6, 7, 1, 1], [5, 1, 6, 1, 7], [1, 1, 1, 1, 1]])
    mask = ids != 1
    with torch.no_grad():
        output, states = read_on(model.encoder, ids, mask)
        alone, last = read_on(model.encoder, torch.tensor([[5, 6, 7]]))
    for row in range(3):
        assert torch.allclose(output[row][mask[row]], alone[0], atol=1e-5)
        assert torch.allclose(states[-1][0][:, row], last[-1][0][:, 0], atol=1e-5)
    assert (output[3] == 0).all() and all((part[:, 3] == 0).all() for state in states for part in state)

def test_classifier_does_not_depend_on_neighbours(classifier):
    "Also where the learner, like fastai, lets the last chunk of a batch reach into the padding."
    model, tokenizer = to_hf(classifier)
    texts = ['bad', 'good ' * 23, 'the actors were very good and the story was too , but I did not like it', 'This movie is', '']
    with torch.no_grad():
        together = model(**tokenizer(texts, return_tensors='pt', padding=True)).logits
        left = tokenizer(texts, return_tensors='pt', padding=True, padding_side='left')
        assert torch.allclose(model(**left).logits, together, atol=1e-5)
        for i, text in enumerate(texts):
            assert torch.allclose(model(**tokenizer(text, return_tensors='pt')).logits[0], together[i], atol=1e-5)
            if text:
                with classifier.no_bar():
                    assert torch.allclose(classifier.predict(text)[2].cpu(), together[i].softmax(-1), atol=1e-5)

def test_a_saved_classifier_still_reads_from_the_end(table, writer, tmp_path):
    dls = TextDataLoaders.from_df(table, text_col='text', label_col='label', valid_pct=.2, seed=0, text_vocab=writer.dls.vocab, backwards=True, bs=8, seq_len=10)
    learn = text_classifier_learner(dls, AWD_LSTM, config={**awd_lstm_clas_config, **small}, backwards=True, pretrained=False, seq_len=10)
    strengthen(learn.model)
    learn.save_pretrained(tmp_path/'late')
    judge = transformers.pipeline('text-classification', model=str(tmp_path/'late'), top_k=None)
    assert judge.tokenizer.backwards
    for text in ('This movie is bad , but I did like the actors .', 'good ' * 23 + 'bad'):
        said = {row['label']: row['score'] for row in judge([text])[0]}
        with learn.no_bar():
            assert [said['neg'], said['pos']] == pytest.approx(learn.predict(text)[2].tolist(), abs=1e-5)

def test_a_backward_language_model_is_refused(table):
    dls = TextDataLoaders.from_df(table, text_col='text', is_lm=True, valid_pct=.2, seed=0, backwards=True, bs=4, seq_len=16)
    with pytest.raises(ValueError, match='reads from the end, but `generate` writes from the beginning'):
        to_hf(language_model_learner(dls, AWD_LSTM, config={**awd_lstm_lm_config, **small}, backwards=True, pretrained=False))

def test_signatures():
    for function in (AWDLSTMForCausalLM.forward, AWDLSTMForCausalLM.prepare_inputs_for_generation, AWDLSTMForSequenceClassification.forward):
        assert inspect.signature(function).parameters['kwargs'].kind is inspect.Parameter.VAR_KEYWORD

def test_saved_and_read_by_the_auto_classes(writer, tmp_path):
    writer.save_pretrained(tmp_path/'lm')
    files = sorted(path.name for path in (tmp_path/'lm').iterdir())
    assert 'model.safetensors' in files and not [name for name in files if name.endswith(('.bin', '.pth', '.pkl'))]
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path/'lm')
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path/'lm')
    assert type(model) is AWDLSTMForCausalLM and type(tokenizer) is AWDLSTMTokenizer
    assert model.decoder.decoder.weight is model.encoder.encoder.weight
    ids = tokenizer('this film', return_tensors='pt')
    with torch.no_grad():
        assert torch.equal(model(**ids).logits, to_hf(writer)[0](**ids).logits)
    config = json.loads((tmp_path/'lm'/'config.json').read_text(encoding='utf-8'))
    assert config['model_type'] == 'awd-lstm' and config['hidden_p'] == pytest.approx(.15)

def test_encoder_of_a_language_model_for_a_classifier(writer, tmp_path):
    "The names agree, so from_pretrained carries the encoder over and begins a new head."
    writer.save_pretrained(tmp_path)
    model = AWDLSTMForSequenceClassification.from_pretrained(tmp_path, num_labels=3)
    assert torch.equal(model.encoder.rnns[1].weight_hh_l0_raw, writer.model[0].rnns[1].weight_hh_l0_raw.cpu())
    assert torch.isfinite(torch.cat([p.flatten() for p in model.head.parameters()])).all() and model.head.layers[0][0].weight.min() == 1
    assert model.eval()(torch.tensor([[2, 5, 6]])).logits.shape == (1, 3)

def test_pipelines(writer, classifier, tmp_path):
    classifier.save_pretrained(tmp_path/'clas')
    texts = ['a wonderful film', 'dull', 'the story is bad but the actors are good']
    found = transformers.pipeline('text-classification', model=str(tmp_path/'clas'), top_k=None)(texts, batch_size=2)
    for text, scores in zip(texts, found):
        with classifier.no_bar():
            expected = classifier.predict(text)[2]
        assert {score['label'] for score in scores} == {'neg', 'pos'}
        assert {score['label']: score['score'] for score in scores}['pos'] == pytest.approx(float(expected[1]), abs=1e-5)
    writer.save_pretrained(tmp_path/'lm')
    pipeline = transformers.pipeline('text-generation', model=str(tmp_path/'lm'))
    text = pipeline('This movie', max_new_tokens=8, do_sample=False)[0]['generated_text']
    model, tokenizer = to_hf(writer)
    ids = model.generate(**tokenizer('This movie', return_tensors='pt'), max_new_tokens=8, do_sample=False)[0]
    assert text == tokenizer.decode(ids, skip_special_tokens=True) and text.startswith('This movie ') and 'xxunk' not in text

def test_and_back(writer, classifier):
    ids = torch.tensor([[2, 9, 12, 30]])
    again = from_hf(*to_hf(writer), writer.dls)
    writer.model.eval(), again.model.eval()
    writer.model.reset(), again.model.reset()
    with torch.no_grad():
        assert torch.equal(again.model(ids)[0], writer.model(ids)[0])
    again = from_hf(*to_hf(classifier), classifier.dls)
    with again.no_bar(), classifier.no_bar():
        assert torch.equal(again.get_preds()[0], classifier.get_preds()[0])

def test_loss_is_that_of_torch(model, classifier):
    ids = torch.tensor([[2, 9, 12, 30, 8], [1, 2, 8, 9, 11]])
    labels = ids.masked_fill(ids == 1, -100)
    out = model(ids, attention_mask=ids != 1, labels=labels)
    expected = torch.nn.functional.cross_entropy(out.logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    assert torch.allclose(out.loss, expected)
    head = to_hf(classifier)[0]
    out = head(ids, labels=torch.tensor([0, 1]))
    assert torch.allclose(out.loss, torch.nn.functional.cross_entropy(out.logits, torch.tensor([0, 1])))
    head.train()
    head(ids, labels=torch.tensor([0, 1])).loss.backward()
    assert head.encoder.rnns[0].weight_hh_l0_raw.grad.abs().sum() > 0

def test_a_learner_of_another_kind_is_refused(writer):
    from fastnlp_course.training.learner import Learner
    with pytest.raises(ValueError, match='is not a ULMFiT model'):
        to_hf(Learner(writer.dls, torch.nn.Linear(2, 2), loss_func=torch.nn.functional.mse_loss))
