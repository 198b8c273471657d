"Rules, splitter, ids and stores on generated texts: what must hold for every text, not only for the examples of the lessons."
import functools
import pickle
import random
from collections import Counter

import pytest
from hypothesis import given, settings, strategies as st

from fastnlp_course.text.numericalization import Numericalize, make_vocab
from fastnlp_course.text.token_store import TokenStore
from fastnlp_course.text.tokenization import BaseTokenizer, TokenizeWithRules, WordTokenizer, defaults, fix_html, lowercase, replace_maj, replace_rep
from fastnlp_course.text.fast_tokenization import TextToIds, fast_path, make_fast
from fastnlp_course.text.tokenizer import Tokenizer, parallel_tokenize, tokenize_texts

parts = ['so so so ', 'so', 'SO ', 'HA ', 'Word', "n't", "it's", "'s", '...', '<br />', '<br /><br />', '&amp;', '&lt;', '#39;', 'nbsp;', '\\n', '\\"', ' @-@ ', ' @.@ ', '<unk>',
         'xxbos', 'xxmaj', 'xxrep', 'xxwrep ', '!!!!', '4444', ' 4', 'aaa', '\n', '\n\n', '\r\n', '\t', '\u00a0', '\u3000', '\u2028', '\x1c', '\x1f', '\x85', '\u200b', '\ufeff', '\x00',
         'e\u0301', 'İ', 'ΑΣ', 'Σ', 'ß', '👩\u200d👩\u200d👧', '🇩🇪', '中文', '#/', '/', '  ', ' ', ' ', ' ', '(', ':', ')', ':)', '8-)', '-', 'x', 'a.m.', '10', '$1.00', 'U.S.', 'Dr.', 'and/or',
         'http://a.b/c?d', "'", '"', '.', ',', 'I', 'A', '°', 'o.O', '<3', '_', '*', '=']
texts = st.lists(st.one_of(st.sampled_from(parts), st.text(max_size=6)), max_size=20).map(''.join)
words = WordTokenizer()
small = WordTokenizer()

def plain(text, rules=None, post_rules=None):
    "The composition as the lesson teaches it, without any class but the splitter."
    for rule in defaults.text_proc_rules if rules is None else rules:
        text = rule(text)
    tokens = next(iter(words([text])))
    return [functools.reduce(lambda token, rule: rule(token), defaults.text_postproc_rules if post_rules is None else post_rules, token) for token in tokens]

def smiley(text): return text.replace(':)', ' Smile SMILE Smile ')
def first_letters(token): return token[:3]

@settings(max_examples=300, deadline=None)
@given(st.lists(texts, max_size=5))
def test_tokens_equal_plain_composition(documents):
    expected = [plain(text) for text in documents]
    assert [list(tokens) for tokens in TokenizeWithRules(words)(documents)] == expected
    assert [list(tokens) for tokens in TokenizeWithRules(words).plain(documents)] == expected
    assert [list(tokens) for tokens in tokenize_texts(documents, tok=words)] == expected
    assert [[token.replace(' ', '▁') for token in Tokenizer(words)(text)] for text in documents] == expected

rules = st.one_of(st.permutations(defaults.text_proc_rules + [smiley]), st.lists(st.sampled_from(defaults.text_proc_rules + [smiley]), max_size=9),
                  st.sets(st.sampled_from(defaults.text_proc_rules)).map(lambda kept: [rule for rule in defaults.text_proc_rules if rule in kept]))

@settings(max_examples=120, deadline=None)
@given(st.lists(texts, max_size=3), rules, st.sampled_from([[], [first_letters], [first_letters, *defaults.text_postproc_rules]]))
def test_custom_rules(documents, rules, post_rules):
    tokenize = TokenizeWithRules(words, rules, post_rules)
    assert [list(tokens) for tokens in tokenize(documents)] == [plain(text, rules, post_rules) for text in documents]

@settings(max_examples=60, deadline=None)
@given(st.lists(texts, min_size=1, max_size=8))
def test_small_memory_changes_nothing(documents):
    fast = make_fast(small, defaults.text_proc_rules, defaults.text_postproc_rules, max_chunks=6)
    for tokens, text in zip(fast(documents*2), documents*2):
        assert list(tokens) == plain(text)

@settings(max_examples=30, deadline=None)
@given(st.lists(texts, max_size=6))
def test_ids_are_those_of_tokens(documents):
    tokens = [plain(text) for text in documents]
    encoder = TextToIds(words)
    ids = encoder.encode_batch(documents)
    assert [[encoder.types[i] for i in array] for array in ids] == tokens
    # numbered in the order in which they come, so that a count of ids has the order of a count of tokens
    assert encoder.types == list(dict.fromkeys(token for document in tokens for token in document))
    vocab = make_vocab(Counter(token for document in tokens for token in document), min_freq=2)
    numericalize = Numericalize()
    numericalize.vocab, numericalize.o2i = vocab, {token: i for i, token in enumerate(vocab) if token != 'xxfake'}
    with_vocab = pickle.loads(pickle.dumps(TextToIds(words, vocab=vocab)))
    assert [array.tolist() for array in with_vocab.encode_all(documents)] == [numericalize(document).tolist() for document in tokens]

@pytest.mark.parametrize('piece', ['letters', '7', '中', '👩\u200d', 'A', 'a-', '\u0301'])
def test_word_of_a_megabyte(piece):
    if piece == 'letters':
        rng = random.Random(0)
        word = ''.join(rng.choice('abcdefghij') for _ in range(10**6))
    else:
        # a digit or letter between the pieces, so that not all of it becomes one run
        word = ''.join(f'{piece}{i % 10}' for i in range(10**6//(len(piece) + 1)))
    tokenize = TokenizeWithRules(words)
    text = f'A {word} (Film) so so so {word}'
    assert list(next(iter(tokenize([text])))) == plain(text)
    fast = fast_path(words, tokenize.rules, tokenize.post_rules)
    assert not any(len(chunk) > 1000 for kept in (fast.memory, fast.memory.older) for chunk in kept)

def test_long_line_is_read_in_windows():
    rng = random.Random(1)
    text = ''.join(rng.choice([*parts, ' ', ' ', ' word', ' Word, ', ' (:', ' )x ']) for _ in range(900_000))
    assert len(text) > 2**21
    assert list(next(iter(TokenizeWithRules(words)([text])))) == plain(text)
    encoder = TextToIds(words)
    assert [encoder.types[i] for i in encoder.encode(text)] == plain(text)

def test_memory_is_bounded():
    fast = make_fast(small, defaults.text_proc_rules, defaults.text_postproc_rules, max_chunks=1000)
    strings = len(small.split.vocab.strings)
    for i, tokens in enumerate(fast(f'the new word{i} of-it{i}, Wow{i}!!! (and{i}:)' for i in range(5000))):
        assert len(fast.memory) + len(fast.memory.older) <= 1010
    assert 'the' in fast.memory or 'the' in fast.memory.older
    # spaCy's strings go with their memory zone
    assert len(small.split.vocab.strings) < strings + 100 and len(fast.splitter.vocab.strings) < strings + 10_000

def test_error_names_the_item_and_keeps_what_was_done():
    def reading():
        yield from ['one', 'two']
        raise OSError('the cable')
    done = []
    with pytest.raises(RuntimeError, match='item 2 of the texts .*the cable.*2 before'):
        for tokens in TokenizeWithRules(words)(reading()):
            done.append(list(tokens))
    assert done == [plain('one'), plain('two')]
    with pytest.raises(ValueError, match='item 1 of the texts .*missing'):
        list(TextToIds(words).encode_all(['one', float('nan')]))

def test_processes():
    documents = [f'Text {i} says so so so!!! (and {i % 7} more)' for i in range(1500)] + ['']
    expected = [list(tokens) for tokens in TokenizeWithRules(words)(documents)]
    found = list(parallel_tokenize(documents, words, n_workers=2))
    assert [i for i, _ in found] == list(range(len(documents))) and [list(tokens) for _, tokens in found] == expected

def test_settings():
    named = TextToIds(words).settings()
    assert named['reusable'] and named['rules'][0] == {'name': 'fastnlp_course.tokenization.fix_html'}  # the address of version 0.1: stores of then are still known
    smiley.version = 2
    assert TextToIds(words, rules=[smiley]).settings()['rules'][0]['version'] == 2
    without_bos = TextToIds(words, rules=[functools.partial(lowercase, add_bos=False)]).settings()
    assert without_bos['reusable'] and without_bos['rules'] != TextToIds(words, rules=[lowercase]).settings()['rules']
    assert not TextToIds(words, rules=[lambda text: text]).settings()['reusable']
    assert not TextToIds(words, rules=[functools.partial(smiley)]).settings()['reusable']
    assert TextToIds(BaseTokenizer('-')).settings() != TextToIds(BaseTokenizer('+')).settings()

def test_fast_only_where_it_may_be():
    tail = [fix_html, replace_rep, replace_maj, lowercase]
    assert make_fast(words, [smiley, *tail], []).first == [smiley]
    assert make_fast(words, [*tail, smiley], []).first == [*tail, smiley]
    assert make_fast(words, [lowercase, fix_html], []).first == [lowercase]
    class Other(WordTokenizer):
        def __call__(self, items): return (text.split('o') for text in items)
    assert make_fast(Other(), tail, []) is None and make_fast(BaseTokenizer(), tail, []) is None

@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.sampled_from('abcdefgh'), max_size=12), max_size=8), st.integers(1, 4), st.integers(9, 30))
def test_vocab_and_ids(documents, min_freq, max_vocab):
    count = Counter(token for document in documents for token in document)
    vocab = make_vocab(count, min_freq, max_vocab)
    assert len(vocab) % 8 == 0 and vocab[:9] == defaults.text_spec_tok
    numericalize = Numericalize(vocab=vocab)
    for document in documents:
        back = list(numericalize.decode(numericalize(document)))
        assert back == [token if token in vocab else 'xxunk' for token in document]

@settings(max_examples=50, deadline=None)
@given(documents=st.lists(st.lists(st.integers(0, 70_000), max_size=9), max_size=9))
def test_store_gives_back_documents(documents, tmp_path_factory):
    store = TokenStore.from_documents(documents)
    opened = store.save(tmp_path_factory.mktemp('store')/'of_ids')
    for one in (store, opened):
        assert [document.tolist() for document in one] == documents
        assert one.n_tokens == sum(map(len, documents)) and one.lengths.tolist() == list(map(len, documents))

def test_processes_read_any_iterable_and_keep_what_was_done():
    texts = [f'Word {i} of text number {i % 7}, good!!!' for i in range(2500)]
    alone = [list(tokens) for _, tokens in parallel_tokenize(texts, words)]
    assert [list(tokens) for _, tokens in parallel_tokenize(iter(texts), words, n_workers=2)] == alone
    done = []
    with pytest.raises(ValueError, match='item 2500 of the texts cannot be tokenized'):
        for i, tokens in parallel_tokenize([*texts, float('nan'), 'more'], words, n_workers=2):
            done.append(list(tokens))
    assert done == alone
