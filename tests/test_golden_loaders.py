"The loaders against what fastai 2.8.12 returned (../shared/golden)."
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from fastnlp_course.data.dataloaders import DataLoader, DataLoaders, TfmdDL
from fastnlp_course.data.padding import Pad_Chunk, SortedDL, pad_chunk, pad_input
from fastnlp_course.data.lm_dataloader import LMDataLoader
from fastnlp_course.data.token_stream import TokenStream

GOLDEN = Path(__file__).resolve().parents[2]/'shared'/'golden'/'golden.json'
needs_golden = pytest.mark.skipif(not GOLDEN.exists(), reason='skipped: no ../shared')


def golden(key):
    return json.loads(GOLDEN.read_text(encoding='utf-8'))[key]


@needs_golden
@pytest.mark.parametrize('number', range(4))
def test_lm_batches(number):
    data = golden('lm_batches')
    documents = [torch.tensor(ids, dtype=torch.int64) for ids in data['ids']]
    case = data['cases'][number]
    dl = LMDataLoader(documents, bs=case['bs'], seq_len=case['seq_len'], shuffle=False)
    batches = [[x.tolist(), y.tolist()] for x, y in dl]
    assert len(dl) == len(batches) == len(case['batches'])
    for ours, theirs in zip(batches, case['batches']):
        theirs = [theirs['x'], theirs['y']] if isinstance(theirs, dict) else list(theirs)
        assert ours == theirs


@needs_golden
def test_pad_chunk():
    cases = golden('pad_chunk')
    assert cases
    for case in cases:
        out = pad_chunk(torch.tensor(case['x']), pad_first=case['pad_first'], seq_len=case['seq_len'], pad_len=case['pad_len'])
        assert out.tolist() == case['out']


def stream_by_hand(documents, bs, seq_len):
    "What fast.ai's loader does, written for reading: one flat list, rows cut from it."
    flat = [int(token) for document in documents for token in document]
    row_length = max(len(flat) - 1, 0) // bs
    batches = []
    for start in range(0, row_length, seq_len):
        stop = min(start + seq_len, row_length)
        batches.append(([flat[r*row_length + start:r*row_length + stop] for r in range(bs)],
                        [flat[r*row_length + start + 1:r*row_length + stop + 1] for r in range(bs)]))
    return batches


def some_documents(n, longest, seed=0):
    rng = np.random.default_rng(seed)
    return [torch.from_numpy(rng.integers(2, 40_000, rng.integers(0, longest + 1))) for _ in range(n)]


@pytest.mark.parametrize('bs', [1, 2, 5, 64])
@pytest.mark.parametrize('seq_len', [1, 3, 8, 72])
@pytest.mark.parametrize('shuffle', [False, True])
def test_lm_batches_equal_the_plain_version(bs, seq_len, shuffle):
    for documents in (some_documents(60, 40), some_documents(300, 1), [torch.arange(300)]):
        dl = LMDataLoader(documents, bs=bs, seq_len=seq_len, shuffle=shuffle)
        for epoch in range(2):
            batches = [(x.tolist(), y.tolist()) for x, y in dl]
            order = dl.stream.order if shuffle else range(len(documents))
            assert batches == stream_by_hand([documents[i] for i in order], bs, seq_len)
            assert sorted(order) == list(range(len(documents)))


def test_whole_batches_equal_single_rows():
    dl = LMDataLoader(some_documents(30, 20), bs=3, seq_len=7)
    rows = LMDataLoader(some_documents(30, 20), bs=3, seq_len=7, before_batch=lambda items: items)
    assert rows._rows_are_touched() and not dl._rows_are_touched()
    for (x, y), (x2, y2) in zip(dl, rows):
        assert torch.equal(x, x2) and torch.equal(y, y2)
        assert x.dtype == y.dtype == torch.int64 and x.is_contiguous() and y.is_contiguous()


def test_each_document_is_read_once():
    class Lazy:
        def __init__(self): self.reads = 0
        def __len__(self): return 20
        def __getitem__(self, i):
            self.reads += 1
            return (torch.arange(i + 1),)
    lazy = Lazy()
    dl = LMDataLoader(lazy, lens=[i + 1 for i in range(20)], bs=2, seq_len=5, shuffle=True)
    assert lazy.reads == 0
    list(dl), list(dl), list(dl.new(bs=3))
    assert lazy.reads == 20


def test_flat_ids_are_not_copied():
    class Store:
        def __init__(self, ids, offsets): self.ids, self.offsets = ids, offsets
        def __len__(self): return len(self.offsets) - 1
        def __getitem__(self, i): return self.ids[self.offsets[i]:self.offsets[i + 1]]
    store = Store(np.arange(100, dtype=np.uint16), np.array([0, 10, 10, 60, 100]))
    dl = LMDataLoader(store, bs=4, seq_len=6)
    assert np.shares_memory(dl.stream.ids, store.ids)
    assert [x.tolist() for x, _ in dl][0][0] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize('start', ['fork', 'spawn'])
def test_worker_processes(start, tmp_path):
    "A script of its own, as on Windows and macOS: spawned workers import what they need."
    if start == 'fork' and not hasattr(os, 'fork'):
        pytest.skip('skipped: this system cannot fork')
    script = tmp_path/'workers.py'
    script.write_text(f"""
import torch
from fastnlp_course.data.dataloaders import DataLoader
from fastnlp_course.data.padding import Pad_Chunk, SortedDL
from fastnlp_course.data.lm_dataloader import LMDataLoader

def main():
    torch.multiprocessing.set_start_method('{start}')
    documents = [(torch.arange(i % 7 + 2), i) for i in range(23)]
    same = lambda a, b: all(torch.equal(p, q) for x, y in zip(a, b, strict=True) for p, q in zip(x, y))
    for shuffle in (False, True):
        dl = SortedDL(documents, bs=4, before_batch=Pad_Chunk(seq_len=3), num_workers=2, shuffle=shuffle)
        seen = sorted(i for _, y in dl for i in y.tolist())
        assert seen == list(range(23)), seen
    assert same(dl.new(shuffle=False), dl.new(shuffle=False, num_workers=0))
    lm = LMDataLoader([x for x, _ in documents], bs=2, seq_len=5, num_workers=2)
    assert same(lm, lm.new(num_workers=0))
    print('same batches')

if __name__ == '__main__':
    main()
""", encoding='utf-8')
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert 'same batches' in done.stdout


def test_loaders_can_be_pickled():
    dls = DataLoaders.from_dsets([(torch.arange(i + 1), i) for i in range(9)], [(torch.arange(3), 1)], bs=2, dl_type=SortedDL, before_batch=Pad_Chunk(seq_len=3))
    again = pickle.loads(pickle.dumps(dls))
    assert again.bs == 2 and torch.equal(again.valid.one_batch()[0], dls.valid.one_batch()[0])


def test_plain_torch_loaders():
    data = [(torch.ones(3) * i, i) for i in range(10)]
    train, valid = (torch.utils.data.DataLoader(data, batch_size=size) for size in (4, 5))
    dls = DataLoaders(train, valid, device='cpu')
    assert dls.train is train and dls.valid is valid and dls.valid_ds is data
    assert dls.bs == 4 and dls.n == 10 and len(dls.train) == 3
    assert dls.one_batch()[0].shape == (4, 3) and dls.device == torch.device('cpu')
    assert getattr(dls, 'n_inp', None) is None and not hasattr(dls, 'vocab')


BAD = {
    'bs=0': (lambda: DataLoader([1], bs=0), 'bs is 0'),
    'bs of an LM': (lambda: LMDataLoader([torch.arange(9)], bs=-1), 'bs is -1'),
    'seq_len': (lambda: LMDataLoader([torch.arange(9)], seq_len=0), 'seq_len is 0'),
    'empty': (lambda: TfmdDL([], bs=2).one_batch(), 'no batch'),
    'empty LM': (lambda: LMDataLoader([]).one_batch(), 'dataset is empty'),
    'bs too large': (lambda: list(LMDataLoader([torch.arange(9)], bs=64)), 'too few for 64 rows'),
    'text instead of ids': (lambda: LMDataLoader(['a film']), "document 0 is a str: 'a film'"),
    'tokens instead of ids': (lambda: LMDataLoader([['a', 'film']]), 'document 0 is a list'),
    'floats': (lambda: LMDataLoader([torch.ones(4)]), 'float32'),
    'two dimensions': (lambda: LMDataLoader([torch.ones(4, 2, dtype=torch.int64)]), 'shape (4, 2)'),
    'wrong lens': (lambda: list(LMDataLoader([torch.arange(9)], lens=[8], bs=2)), 'lens says that document 0 has 8'),
    'too few lens': (lambda: LMDataLoader([torch.arange(9)], lens=[9, 9], bs=2), '2 values for 1 documents'),
    'generator': (lambda: LMDataLoader(torch.arange(9) for _ in range(3)), 'can be counted'),
    'unequal': (lambda: DataLoader([(torch.ones(2), 1), (torch.ones(3), 1)], bs=2).one_batch(), 'pad_input'),
    'sort what': (lambda: SortedDL([1, 2, 3], bs=2), 'sort_func'),
    'unknown argument': (lambda: DataLoader([1], bs=2, colour='red'), 'no argument colour'),
}

@pytest.mark.parametrize('name', [name for name in BAD])
def test_errors_are_sentences(name):
    call, words = BAD[name]
    with pytest.raises((ValueError, TypeError, RuntimeError)) as error:
        call()
    assert words in str(error.value) and str(error.value).rstrip().endswith('.')


def test_stream_views_and_gathers_agree():
    ids = np.arange(50, dtype=np.uint16)
    stream = TokenStream(ids, [7, 0, 13, 30])
    plain = stream.rows(3, 11, 4, 9)
    stream.reorder([0, 1, 2, 3])
    assert (stream.rows(3, 11, 4, 9) == plain).all()


def test_pad_input_backwards():
    samples = [(torch.tensor([2, 3, 4]), 0), (torch.tensor([5]), 1)]
    assert [x.tolist() for x, _ in pad_input(samples, backwards=True)] == [[4, 3, 2], [5, 1, 1]]
    assert [x.tolist() for x, _ in pad_input(samples, pad_first=True, backwards=True)] == [[4, 3, 2], [1, 1, 5]]
