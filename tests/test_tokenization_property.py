"Rules, splitter, ids and stores on generated texts: what must hold for every text, not only for the examples of the lessons."
import functools
from collections import Counter

from hypothesis import given, settings, strategies as st

from fastnlp_course.numericalization import Numericalize, TokenStore, make_vocab
from fastnlp_course.tokenization import TokenizeWithRules, Tokenizer, WordTokenizer, defaults, tokenize_texts

parts = ['so so so ', 'HA ', 'Word', "n't", '...', '<br />', '&amp;', ' @-@ ', 'xxbos', 'xxmaj', '!!!!', '\n', '\r\n', '\t', '\u00a0', '\u3000', '\u2028', 'e\u0301', '👩\u200d👩\u200d👧', '中文', '#/', '  ']
texts = st.lists(st.one_of(st.sampled_from(parts), st.text(max_size=6)), max_size=20).map(''.join)
words = WordTokenizer()

def plain(text):
    "The composition as the lesson teaches it, without any class but the splitter."
    for rule in defaults.text_proc_rules:
        text = rule(text)
    tokens = next(iter(words([text])))
    return [functools.reduce(lambda token, rule: rule(token), defaults.text_postproc_rules, token) for token in tokens]

@settings(max_examples=150, deadline=None)
@given(st.lists(texts, max_size=5))
def test_tokens_equal_plain_composition(documents):
    expected = [plain(text) for text in documents]
    assert [list(tokens) for tokens in TokenizeWithRules(words)(documents)] == expected
    assert [list(tokens) for tokens in tokenize_texts(documents, tok=words)] == expected
    assert [[token.replace(' ', '▁') for token in Tokenizer(words)(text)] for text in documents] == expected

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
