"Sub-words: what their notebook cannot show. Killed and concurrent trainings, generated text, worker processes, values of fastai."
import hashlib
import json
import os
import subprocess
import sys
import tracemalloc

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnlp_course.sources import get_data
from fastnlp_course.text.subwords import CharacterTokenizer, SubwordTokenizer
from fastnlp_course.text.tokenizer import Tokenizer, tokenize_texts
from fastnlp_course.text.tokenization import defaults

@pytest.fixture(scope='module')
def texts():
    return get_data('reviews').text.tolist()[:1500]

@pytest.fixture(scope='module')
def models(texts, tmp_path_factory):
    cache = tmp_path_factory.mktemp('models')
    options = ({}, {'model_type': 'bpe'}, {'byte_fallback': True})
    return [SubwordTokenizer(vocab_sz=800, cache_dir=cache, **option).train(texts) for option in options]

def written_text():
    return st.text(st.characters(exclude_categories=['Cs']), max_size=40) | st.text('ab ▁⁇<0xE>xbos\n\t\xa0é\u0301', max_size=25)

@settings(max_examples=200, deadline=None)
@given(text=written_text())
def test_round_trip_of_any_text(models, text):
    for model in models:
        assert model.decode(next(iter(model([text])))) == model.normalize(text)
    safe = models[2].processor
    assert safe.decode(safe.encode(text)) == models[2].normalize(text)

@settings(max_examples=200, deadline=None)
@given(text=written_text(), marks=st.lists(st.sampled_from(defaults.text_spec_tok), max_size=3))
def test_characters_of_any_text(text, marks):
    split = CharacterTokenizer()
    whole = ' '.join([*marks, text])
    tokens = next(iter(split([whole])))
    assert split.decode(tokens) == whole
    assert [token for token in tokens if len(token) > 1][:len(marks)] == marks

child = '''
import sys
from fastnlp_course.sources import get_data
from fastnlp_course.text.subwords import SubwordTokenizer
print(SubwordTokenizer(vocab_sz=300, model_type='bpe', cache_dir=sys.argv[1]).setup(iter(get_data('reviews').text.tolist()[:300]))['sp_model'].name)
'''

def start(cache, fault=''):
    return subprocess.Popen([sys.executable, '-c', child, str(cache)], stdout=subprocess.PIPE, text=True, env={**os.environ, 'FASTNLP_FAULT': fault})

def test_killed_and_concurrent_trainings(tmp_path):
    two = [start(tmp_path/'two') for _ in range(2)]
    names = [process.communicate()[0].strip() for process in two]
    assert names[0] == names[1] and all(process.returncode == 0 for process in two)
    assert sorted(file.name for file in (tmp_path/'two').iterdir()) == sorted([names[0], 'spm.model'])
    for fault in (names[0], 'spm.model'):
        process = start(tmp_path/'killed', f'before_replace:{fault}')
        process.communicate()
        assert process.returncode == 137 and not (tmp_path/'killed'/fault).exists()
    process = start(tmp_path/'killed')
    assert process.communicate()[0].strip() == names[0]
    assert (tmp_path/'killed'/names[0]).read_bytes() == (tmp_path/'two'/names[0]).read_bytes()

def test_full_disk(tmp_path, texts, monkeypatch):
    monkeypatch.setenv('FASTNLP_FAULT', 'raise:before_replace:spm.model')
    with pytest.raises(OSError, match='cannot be written'):
        SubwordTokenizer(vocab_sz=300, cache_dir=tmp_path).setup(texts[:300])
    (tmp_path/'file').write_text('not a folder')
    with pytest.raises(OSError, match='Pass a cache_dir that can be written'):
        SubwordTokenizer(vocab_sz=300, cache_dir=tmp_path/'file').setup(texts[:300])

def test_models_that_are_none(tmp_path, models):
    for name, data in (('empty', b''), ('other', b'not a model'), ('cut', models[0].model_bytes[:-2000])):
        (tmp_path/name).write_bytes(data)
        with pytest.raises(ValueError, match=f'{name} is not a SentencePiece model, or it is cut off'):
            SubwordTokenizer(sp_model=tmp_path/name)

def test_settings_and_texts_make_the_name(tmp_path, texts):
    options = ({}, {'model_type': 'bpe'}, {'vocab_sz': 310}, {'special_toks': ['xxbos']}, {'char_coverage': 0.999}, {'input_sentence_size': 200})
    names = {SubwordTokenizer(**{'vocab_sz': 300, 'cache_dir': tmp_path, **option}).setup(texts[:300])['sp_model'] for option in options}
    names.add(SubwordTokenizer(vocab_sz=300, cache_dir=tmp_path).setup(texts[:300], [str.upper])['sp_model'])
    assert len(names) == len(options) + 1

def test_sample_is_the_same_each_time(tmp_path, texts):
    first, second = (SubwordTokenizer(vocab_sz=300, cache_dir=tmp_path/name, input_sentence_size=400).train(iter(texts)) for name in 'ab')
    assert first.model_bytes == second.model_bytes
    assert list(first(texts[-20:])) == list(second(texts[-20:]))

def test_a_stream_is_not_kept_in_memory(tmp_path):
    def stream():
        for i in range(40_000):
            yield f'text {i} of a film that is {i % 97} times as good as the last one ' + 'very '*(i % 30) + 'long'
    tracemalloc.start()
    SubwordTokenizer(vocab_sz=100, model_type='bpe', cache_dir=tmp_path, input_sentence_size=500).train(stream())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2e6, 'the texts are 6 MB'

def test_long_lines_are_not_left_out_in_silence(tmp_path, texts):
    with pytest.warns(UserWarning, match='1 of 301 lines are longer than 4192 bytes'):
        SubwordTokenizer(vocab_sz=300, cache_dir=tmp_path).train(texts[:300] + ['long '*1000])
    with pytest.raises(ValueError, match='no line with words of at most 4192 bytes'), pytest.warns(UserWarning):
        SubwordTokenizer(vocab_sz=300, cache_dir=tmp_path).train(['long '*1000])

def test_text_that_cannot_be_written(models):
    with pytest.raises(ValueError, match='text 1 holds half a character'):
        list(models[0](['fine', 'a \ud83d']))
    with pytest.raises(ValueError, match='text 1 is missing'):
        list(models[0](['fine', float('nan')]))

def test_worker_processes(models, texts):
    many = texts[:1200]
    for split in (models[0], CharacterTokenizer()):
        assert [list(o) for o in tokenize_texts(many, n_workers=2, tok=split)] == [list(o) for o in tokenize_texts(many, tok=split)]

def test_as_block_of_a_table(tmp_path, texts):
    from fastnlp_course.data.getters import ColReader
    from fastnlp_course.data.data_block import DataBlock
    from fastnlp_course.data.splitters import RandomSplitter
    from fastnlp_course.data.text_data import TextBlock
    table = pd.DataFrame({'text': texts[:400]})
    block = DataBlock(TextBlock.from_df('text', is_lm=True, seq_len=20, tok=SubwordTokenizer(vocab_sz=400, cache_dir=tmp_path)),
                      get_x=ColReader('text'), splitter=RandomSplitter(0.1, seed=1))
    dls = block.dataloaders(table, bs=4)
    x, y = dls.one_batch()
    assert x.shape == (4, 20) and '▁xxbos' in dls.vocab and '▁xxmaj' in dls.vocab
    assert Tokenizer(CharacterTokenizer())('A film')[:2] == ['xxbos', ' ']

# fastai 2.8.12 with sentencepiece 0.2.3: SubwordTokenizer(**options, cache_dir=...).setup(reviews) and, with rules, setup(reviews, rules);
# sha256 of the pieces of reviews[:3000] as JSON (16 digits), and how many they are
of_fastai = [
    ({'vocab_sz': 1000}, False, '98e6eca7f27cb084 126710'),
    ({'vocab_sz': 1000, 'model_type': 'bpe'}, False, 'ad622d93b6a5e84c 125694'),
    ({}, True, '9a76cc2b09933f05 84452'),
    ({'model_type': 'bpe'}, True, '3b3c828aeaf6671d 83563'),
    ({'vocab_sz': 200, 'model_type': 'char'}, False, '52e856b3625f4cdc 344189'),
    ({'lang': 'de', 'special_toks': ['xxbos', 'xxnew'], 'vocab_sz': 800}, True, '629bf093ab032a0c 144788'),
]

@pytest.mark.parametrize('options, with_rules, expected', of_fastai)
def test_pieces_of_fastai(options, with_rules, expected, tmp_path):
    import sentencepiece
    if sentencepiece.__version__ != '0.2.3':
        pytest.skip('skipped: the values are of sentencepiece 0.2.3')
    rules = defaults.text_proc_rules if with_rules else []
    reviews = get_data('reviews').text.tolist()
    model = SubwordTokenizer(cache_dir=tmp_path, **options)
    model.setup(iter(reviews), rules)
    asked = reviews[:3000]
    for rule in rules:
        asked = [rule(text) for text in asked]
    pieces = list(model(asked))
    assert f"{hashlib.sha256(json.dumps(pieces).encode()).hexdigest()[:16]} {sum(map(len, pieces))}" == expected
