"The pipeline against values that fastai 2.8.12 returned for the same calls (pipeline_values.json), and the data half of the course's lessons."
import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from fastcore.foundation import L

from fastnlp_course.data.padding import SortedDL, pad_input
from fastnlp_course.data.lm_dataloader import LMDataLoader
from fastnlp_course.text.numericalization import Numericalize
from fastnlp_course.data.transforms import *
from fastnlp_course.data.shown import *
from fastnlp_course.data.item_lists import *
from fastnlp_course.data.data_block import *
from fastnlp_course.data.splitters import *
from fastnlp_course.data.getters import *
from fastnlp_course.data.text_data import *
from fastnlp_course.data.targets import *
from fastnlp_course.data.data_config import *
from fastnlp_course.sources import get_text_files
from fastnlp_course.text.tokenizer import Tokenizer

fastai = json.loads((Path(__file__).parent/'pipeline_values.json').read_text())

TEXTS = ["I like this film, it's GREAT", 'bad film this one', 'so so film ... really', 'What is this film?', 'One of the best films of the year, a film for everyone',
         'dull dull dull', 'a story of the sea and the moon', 'why why', 'A longer text that goes on and on, about the film and its music and the end of it all']
VOCAB = ['xxunk', 'xxpad', 'xxbos', 'xxeos', 'xxfld', 'xxrep', 'xxwrep', 'xxup', 'xxmaj', 'film', 'this', 'the', 'a', 'of', 'and', 'dull']

@pytest.fixture
def table():
    return pd.DataFrame({'label': list('pnpnpnpnp') * 4, 'review': TEXTS * 4, 'tags': ['a b', 'b', '', 'a', 'b', '', 'a', 'a b', 'b'] * 4,
                         'num': [float(i) for i in range(1, 10)] * 4, 'is_valid': ([False] * 5 + [True] * 4) * 4, 'fold': [0, 1, 2] * 12})

@pytest.fixture
def folder(table, tmp_path):
    root = tmp_path/'reviews'
    for i, row in table.iterrows():
        file = root/('valid' if row.is_valid else 'train')/row.label/f'{i}.txt'
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(row.review)
    return root

def plain(value):
    "Tensors, arrays and light types as what JSON holds."
    if isinstance(value, torch.Tensor): return value.tolist()
    if isinstance(value, np.generic): return value.item()
    if isinstance(value, (bool, type(None))): return value
    for kind in (str, int, float):
        if isinstance(value, kind): return kind(value)
    if isinstance(value, dict): return {str(k): plain(v) for k, v in value.items()}
    return [plain(element) for element in value]

LOADERS = {
    'cat': {}, 'rand': dict(valid_col=None, seed=42), 'rand3': dict(valid_col=None, seed=7, valid_pct=0.3),
    'multi': dict(label_col='tags', label_delim=' ', y_block=MultiCategoryBlock()), 'reg': dict(label_col='num', y_block=RegressionBlock()),
    'reg2': dict(label_col=['num', 'fold'], y_block=RegressionBlock(n_out=2)), 'back': dict(backwards=True),
    'vocab': dict(text_vocab=['xxunk', 'xxpad', 'xxbos', 'xxeos', 'film', 'this', 'the']), 'lm': dict(is_lm=True, seq_len=7),
    'lmback': dict(is_lm=True, seq_len=7, backwards=True), 'ints': dict(text_col=1, label_col=0), 'twocols': dict(text_col=['review', 'label']),
    'seq': dict(seq_len=5), 'vc': dict(valid_col=4), 'yvocab': dict(y_block=CategoryBlock(vocab=['p', 'n'], sort=False)),
}

@pytest.mark.parametrize('name', LOADERS)
def test_loaders_of_a_table(name, table):
    dls = TextDataLoaders.from_df(table, **{'text_col': 'review', 'label_col': 'label', 'valid_col': 'is_valid', 'bs': 4, **LOADERS[name]})
    ours = {'vocab': dls.vocab, 'valid': list(dls.valid), 'lens': [len(dls.train), len(dls.valid)], 'decoded': dls.valid.decode_batch(dls.valid.one_batch())}
    for key, value in ours.items():
        assert plain(value) == fastai[f'{name}|{key}'], key

def test_loaders_of_a_data_block(folder):
    files = lambda path: L(sorted(get_text_files(path, folders=['train', 'valid'])))
    dls = DataBlock(blocks=(TextBlock.from_folder(folder, vocab=VOCAB), CategoryBlock), get_y=parent_label, get_items=files,
                    splitter=GrandparentSplitter()).dataloaders(folder, path=folder, bs=4, seq_len=5)
    assert plain(list(dls.valid)) == fastai['block|valid']
    assert plain(list(dls.train.new(shuffle=False, drop_last=False))) == fastai['block|train']
    assert plain(list(dls.test_dl(['hello film this']))) == fastai['block|test']
    assert plain(list(dls.test_dl(files(folder)[:3], with_labels=True))) == fastai['block|test labelled']
    lm = DataBlock(blocks=TextBlock.from_folder(folder, vocab=VOCAB, is_lm=True), get_items=files, splitter=RandomSplitter(0.3, seed=1)
                   ).dataloaders(folder, path=folder, bs=3, seq_len=5)
    assert plain(list(lm.valid)) == fastai['block lm|valid']
    again = dls_from_config(json.loads(json.dumps(dls.to_config())))
    assert plain(list(again.test_dl(['hello film this']))) == fastai['block|test']

def test_the_middle_layer(folder):
    "fast.ai's chapter on the mid-level API."
    files = L(sorted(get_text_files(folder, folders=['train', 'valid'])))
    splits = [list(range(20)), list(range(20, 36))]
    tls = TfmdLists(files, [Tokenizer.from_folder(folder), Numericalize(vocab=VOCAB)], splits=splits)
    assert plain(tls[0]) == fastai['middle|first']
    assert plain(tls.decode(tls[0])) == fastai['middle|decoded']
    dsets = Datasets(files, [[Tokenizer.from_folder(folder), Numericalize(vocab=VOCAB)], [parent_label, Categorize]], splits=splits)
    assert plain(list(dsets.valid)) == fastai['middle|valid']
    assert plain(list(dsets.dataloaders(bs=4, before_batch=pad_input).valid)) == fastai['middle|padded']
    assert plain(list(dsets.dataloaders(bs=4, dl_type=SortedDL, before_batch=pad_input).valid)) == fastai['middle|sorted']

def test_one_line_from_a_folder(folder):
    dls = TextDataLoaders.from_folder(folder, bs=4)
    assert sorted(dls.vocab[0]) == sorted(fastai['folder|vocab']) and plain(dls.vocab[1]) == ['n', 'p']
    lm = TextDataLoaders.from_folder(folder, bs=4, is_lm=True, seq_len=6)
    assert isinstance(lm.train, LMDataLoader) and sorted(lm.vocab) == sorted(fastai['folder|vocab'])
    clas = TextDataLoaders.from_folder(folder, bs=4, text_vocab=lm.vocab)
    assert list(clas.vocab[0]) == list(lm.vocab)

def test_the_transformers_tutorial():
    "The data half of fast.ai's tutorial: a tokenizer wrapped in a Transform, TfmdLists with a dl_type."
    class Letters:
        def tokenize(self, text): return list(text)
        def convert_tokens_to_ids(self, tokens): return [ord(token) for token in tokens]
        def decode(self, ids): return ''.join(chr(i) for i in ids)
    class TransformersTokenizer(Transform):
        def __init__(self, tokenizer): self.tokenizer = tokenizer
        def encodes(self, x): return torch.tensor(self.tokenizer.convert_tokens_to_ids(self.tokenizer.tokenize(x)))
        def decodes(self, x): return TitledStr(self.tokenizer.decode(x.cpu().numpy()))
    texts = np.array(TEXTS * 20)
    tls = TfmdLists(texts, TransformersTokenizer(Letters()), splits=[range(100), list(range(100, 180))], dl_type=LMDataLoader)
    assert tls.decode(tls.train[0]) == TEXTS[0]
    assert tls.tfms(tls.valid.items[0]).shape == (len(texts[100]),)
    dls = tls.dataloaders(bs=4, seq_len=32)
    x, y = dls.one_batch()
    assert x.shape == y.shape == (4, 32) and (x[:, 1:] == y[:, :-1]).all()
    assert len(dls.valid.decode_batch((x, y))[0][0]) == 32

def test_export_names_the_part_that_cannot_be_written(table):
    dls = DataBlock(blocks=(TextBlock.from_df('review'), CategoryBlock), get_x=ColReader('text'), get_y=lambda row: row.label).dataloaders(table, bs=4)
    with pytest.raises(ValueError, match='lambda'): dls.to_config()

def test_a_split_that_leaks_is_refused():
    with pytest.raises(ValueError, match='splits overlap'): DataBlock(splitter=lambda items: ([0, 1], [1, 2])).datasets([1, 2, 3])
    assert list(TfmdLists([1, 2, 3], None, splits=[[0, 1], [1, 2]]).overlapping_splits()) == [2]
