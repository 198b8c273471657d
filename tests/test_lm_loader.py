"LMDataLoader on stores: several shards, exact resume, memory, other processes."
import pickle
import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from fastnlp_course.data.dataloaders import DataLoaders
from fastnlp_course.files import set_seed
from fastnlp_course.data.lm_dataloader import LMDataLoader
from fastnlp_course.data.token_stream import TokenStream
from fastnlp_course.text.token_store import TokenStore


def make_store(lens, cuts, dtype=np.uint16, seed=0):
    "A store with documents of these lengths, cut into shards in front of these documents."
    rng = np.random.default_rng(seed)
    edges = [0, *sorted({min(cut, len(lens)) for cut in cuts}), len(lens)]
    shards = []
    for first, last in zip(edges, edges[1:]):
        part = lens[first:last]
        shards.append((rng.integers(0, 50_000, sum(part)).astype(dtype), np.concatenate([[0], np.cumsum(part, dtype=np.int64)])))
    return TokenStore(shards)


def batches_of(loader):
    return [(x.tolist(), y.tolist()) for x, y in loader]


def plain_batches(store, order, bs, seq_len):
    flat = [int(token) for i in order for token in store[int(i)]]
    row_length = max(len(flat) - 1, 0) // bs
    return [tuple([flat[r*row_length + start + shift:r*row_length + min(start + seq_len, row_length) + shift] for r in range(bs)] for shift in (0, 1))
            for start in range(0, row_length, seq_len)]


corpora = st.lists(st.integers(0, 30), min_size=1, max_size=40)

@settings(max_examples=200, deadline=None)
@given(lens=corpora, cuts=st.lists(st.integers(0, 40), max_size=4), bs=st.integers(1, 9), seq_len=st.integers(1, 12),
       shuffle=st.booleans(), long_piece=st.sampled_from([-1, 4, 10**9]), wide=st.booleans())
def test_shards_equal_the_plain_version(lens, cuts, bs, seq_len, shuffle, long_piece, wide):
    store = make_store(lens, cuts, np.int32 if wide else np.uint16)
    loader = LMDataLoader(store, bs=bs, seq_len=seq_len, shuffle=shuffle, seed=3)
    loader.stream.long_piece = long_piece            # pieces copied one by one, or all at once, or as it comes
    if loader.n == 0:
        return
    for epoch in range(2):
        batches = batches_of(loader)
        order = loader.stream.order if shuffle else range(len(store))
        assert sorted(order) == list(range(len(store)))
        assert batches == plain_batches(store, order, bs, seq_len)


@pytest.mark.parametrize('shuffle', [False, True])
@pytest.mark.parametrize('seed', [None, 5])
def test_skip_is_exact(shuffle, seed):
    store = make_store([7, 0, 1, 40, 13, 22, 5, 9, 31, 60], [3, 7])
    def fresh():
        set_seed(1)
        return LMDataLoader(store, bs=3, seq_len=4, shuffle=shuffle, seed=seed)
    whole = fresh()
    epochs = [batches_of(whole) for _ in range(3)]
    assert not shuffle or epochs[0] != epochs[1]
    for n in range(len(whole) + 1):
        loader = fresh()
        assert batches_of(loader) == epochs[0]
        iterator = iter(loader)
        for _ in range(n):
            next(iterator)
        state, random_state = pickle.loads(pickle.dumps(loader.state_dict())), random.getstate()
        random.seed(99)                                     # a new process knows nothing of the old one
        resumed = LMDataLoader(store, bs=3, seq_len=4, shuffle=shuffle, seed=seed)
        resumed.load_state_dict(state)
        random.setstate(random_state)
        assert batches_of(resumed) == epochs[1][n:]
        assert batches_of(resumed) == epochs[2]             # and the epoch after it is whole


def test_skip_reads_nothing_of_what_it_skips():
    reads = []
    class Watched(TokenStream):
        def rows(self, first, step, n_rows, length):
            reads.append(first)
            return super().rows(first, step, n_rows, length)
    loader = LMDataLoader(make_store([50] * 40, []), bs=4, seq_len=5)
    loader._stream = Watched(loader.stream.shards)
    rest = batches_of(loader.skip(90))
    assert len(rest) == len(loader) - 90 and min(reads) == 90 * 5
    assert len(batches_of(loader)) == len(loader)           # only once


def test_skip_with_single_rows():
    store = make_store([20] * 9, [4])
    expected = batches_of(LMDataLoader(store, bs=3, seq_len=4, shuffle=True, seed=2))
    loader = LMDataLoader(store, bs=3, seq_len=4, shuffle=True, seed=2, before_batch=lambda items: items)
    assert batches_of(loader.skip(5)) == expected[5:]


def test_skip_with_worker_processes():
    store = make_store([20] * 9, [4])
    expected = batches_of(LMDataLoader(store, bs=3, seq_len=4, shuffle=True, seed=2))
    assert batches_of(LMDataLoader(store, bs=3, seq_len=4, shuffle=True, seed=2, num_workers=2).skip(5)) == expected[5:]


def test_a_look_does_not_count():
    loader, other = (LMDataLoader(make_store([20] * 9, [4]), bs=3, seq_len=4, shuffle=True, seed=2) for _ in range(2))
    assert loader.one_batch()[0].tolist() == batches_of(other)[0][0]
    loader.one_batch()
    iterator = iter(loader)
    first = next(iterator)[0].tolist()
    second_epoch = loader.one_batch()[0].tolist()           # in the middle of an epoch
    rest = [x.tolist() for x, y in iterator]
    assert [first, *rest] == [x for x, y in batches_of(LMDataLoader(loader.dataset, bs=3, seq_len=4, shuffle=True, seed=2))]
    assert second_epoch == batches_of(loader)[0][0]


def test_the_same_order_in_every_version():
    loader = LMDataLoader([torch.tensor([i]) for i in range(12)], bs=1, seq_len=20, shuffle=True, seed=7)
    assert [x.tolist()[0] for x, _ in loader] == [[4, 2, 9, 8, 5, 10, 11, 6, 0, 1, 7]]


def test_orders_follow_set_seed():
    documents = [torch.arange(i, i + 9) for i in range(30)]
    def two_epochs(seed):
        loader = LMDataLoader(documents, bs=2, seq_len=6, shuffle=True)
        set_seed(seed)
        return [batches_of(loader) for _ in range(2)]
    assert two_epochs(1) == two_epochs(1) != two_epochs(2)


def test_an_epoch_that_goes_on_draws_no_random_number():
    loader = LMDataLoader(make_store([50] * 4, []), bs=2, seq_len=5, shuffle=True, seed=0)
    before = torch.get_rng_state(), random.getstate()
    list(loader.skip(3))
    assert torch.equal(torch.get_rng_state(), before[0])
    list(loader)
    assert not torch.equal(torch.get_rng_state(), before[0])


def test_an_epoch_left_early():
    loader, other = (LMDataLoader(make_store([30] * 9, []), bs=2, seq_len=5, shuffle=True, seed=4) for _ in range(2))
    list(other)
    next(iter(loader))
    assert batches_of(loader) == batches_of(other)          # the second epoch for both


def test_a_state_of_another_loader():
    store = make_store([30] * 9, [])
    state = LMDataLoader(store, bs=2, seq_len=5).state_dict()
    with pytest.raises(ValueError, match='seq_len=5, but this one has seq_len=6.*Make'):
        LMDataLoader(store, bs=2, seq_len=6).load_state_dict(state)
    with pytest.raises(ValueError, match='has 27'):
        LMDataLoader(store, bs=2, seq_len=5).skip(28)
    with pytest.raises(ValueError, match='n is -1'):
        LMDataLoader(store, bs=2, seq_len=5).skip(-1)
    with pytest.raises(ValueError, match='seed is -3'):
        LMDataLoader(store, seed=-3)


def test_a_store_shows_text():
    store = TokenStore.from_documents([[2, 3, 4, 5], [2, 5, 4]], vocab=['xxunk', 'xxpad', 'xxbos', 'a', 'good', 'film'])
    loader = LMDataLoader(store, bs=2, seq_len=3)
    assert loader.decode_batch(loader.one_batch()) == [('xxbos a good', 'a good film'), ('film xxbos film', 'xxbos film good')]
    assert DataLoaders(loader, loader).vocab == store.vocab


def test_the_text_does_not_travel_to_other_processes():
    store = make_store([1000] * 200, [100])
    loader = LMDataLoader(store, bs=4, seq_len=9, shuffle=True, seed=1)
    iterator = iter(loader)
    next(iterator)
    assert loader.__getstate__()['_stream'] is None
    again = pickle.loads(pickle.dumps(loader))
    assert (again.stream.order == loader.stream.order).all()
    assert again.stream.rows(5, 50, 4, 20).tolist() == loader.stream.rows(5, 50, 4, 20).tolist()


def test_batches_for_a_gpu_are_pinned_only_where_there_is_one():
    documents = [torch.arange(40)]
    assert not LMDataLoader(documents, bs=2).pin_memory and not LMDataLoader(documents, bs=2, device='cpu').pin_memory
    assert LMDataLoader(documents, bs=2, device='cuda').pin_memory
    assert not LMDataLoader(documents, bs=2, device='cuda', pin_memory=False).pin_memory
    assert LMDataLoader(documents, bs=2, device='cuda').new(device='cpu').pin_memory is False
    if not torch.cuda.is_available():
        assert not LMDataLoader(documents, bs=2, seq_len=3, pin_memory=True).one_batch()[0].is_pinned()


def test_a_document_that_does_not_join():
    good = torch.arange(3)
    for bad, words in ((torch.ones(2), 'document 2 has shape .* float32'), (torch.ones(2, 2, dtype=torch.int64), r'document 2 has shape \(2, 2\)'),
                       (torch.tensor(5), r'document 2 has shape \(\)'), ('a film', 'document 2 is a str')):
        with pytest.raises(TypeError, match=words):
            LMDataLoader([good, good, bad])
    mixed = LMDataLoader([good, torch.tensor([]), torch.arange(2, dtype=torch.int32), np.arange(3), (good, 1), torch.tensor([70_000])], bs=1, seq_len=20)
    assert mixed.one_batch()[0].tolist() == [[0, 1, 2, 0, 1, 0, 1, 2, 0, 1, 2]] and mixed.lens.tolist() == [3, 0, 2, 3, 3, 1]


PROGRAM = """
import sys, numpy as np, torch
from fastnlp_course.data.lm_dataloader import LMDataLoader
from fastnlp_course.text.token_store import TokenStore

def anonymous():
    for line in open('/proc/self/status'):
        if line.startswith('RssAnon'):
            return int(line.split()[1]) * 1024

shards = [(np.load(f'{sys.argv[1]}/{i}.npy', mmap_mode='r'), np.arange(0, 50_000_001, 5_000)) for i in range(2)]
before = anonymous()
loader = LMDataLoader(TokenStore(shards), shuffle=True, seed=0)
peak = 0
for i, batch in enumerate(loader):
    if i % 100 == 0:
        peak = max(peak, anonymous() - before)
    if i == 3000:
        break
print(peak)
"""

@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='skipped: reads /proc')
def test_memory_does_not_hold_the_corpus(tmp_path):
    for i in range(2):
        np.lib.format.open_memmap(tmp_path/f'{i}.npy', 'w+', np.uint16, (50_000_000,)).flush()   # a sparse file: 200 MB, none of them written
    done = subprocess.run([sys.executable, '-c', PROGRAM, str(tmp_path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 30e6                          # a copy of the text would be 200 MB
