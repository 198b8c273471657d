"Tokens, rules and ids against the reference outputs of fastai 2.8.12."
import json
from collections import Counter

import pytest

from fastnlp_course.text import tokenization
from fastnlp_course.text.numericalization import Numericalize, make_vocab
from fastnlp_course.text.tokenization import TokenizeWithRules, WordTokenizer, decode_spec_tokens
from fastnlp_course.text.tokenizer import Tokenizer

@pytest.fixture(scope='module')
def golden(reference):
    return json.loads((reference/'golden'/'golden.json').read_text(encoding='utf-8'))

def test_tokens(golden):
    texts = [row['text'] for row in golden['tokenization']]
    for row, tokens in zip(golden['tokenization'], TokenizeWithRules(WordTokenizer())(texts)):
        assert list(tokens) == row['tokens']
    tokenizer = Tokenizer(WordTokenizer())
    assert [list(tokenizer(text)) for text in texts] == [row['tokens'] for row in golden['tokenization']]

def test_raw_words(golden):
    split = WordTokenizer()
    for row in golden['raw_word_tokenizer']:
        assert list(next(iter(split([row['text']])))) == row['tokens']

def test_rules(golden):
    for name, rows in golden['rules'].items():
        rule = getattr(tokenization, name)
        for row in rows:
            assert rule(row['text']) == row['out'], name

def test_decode_spec_tokens(golden):
    for row in golden['decode_spec_tokens']:
        assert list(decode_spec_tokens(row['tokens'])) == row['out']

def test_numericalization(golden):
    documents = golden['numericalization']['docs']
    count = Counter(token for document in documents for token in document)
    for case in golden['numericalization']['cases']:
        options = {name: case[name] for name in ('min_freq', 'max_vocab')}
        assert make_vocab(count, **options) == case['vocab']
        numericalize = Numericalize(**options)
        numericalize.setup(documents)
        assert list(numericalize.vocab) == case['vocab']
        assert [numericalize(document).tolist() for document in documents[:len(case['ids'])]] == case['ids']
