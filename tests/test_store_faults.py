"Stores under attack: builders that die at every write, damaged files, sources that fail or change, ranks, builders side by side."
import errno
import gzip
import json
import multiprocessing
import os
import random
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import fastnlp_course.files
import fastnlp_course.text.corpus
import fastnlp_course.text.counting
import fastnlp_course.text.token_store
from fastnlp_course.text.numericalization import Numericalize
from fastnlp_course.text.token_store import TokenStore
from fastnlp_course.text.corpus import build_store, join_stores
from fastnlp_course.text.read_texts import read_texts, text_lines
from fastnlp_course.text.tokenization import BaseTokenizer, TokenizeWithRules, lowercase, rm_useless_spaces

needs_fork = pytest.mark.skipif('fork' not in multiprocessing.get_all_start_methods(), reason='needs fork')
generator = random.Random(0)
texts = [' '.join(generator.choices('The film was good and a bad one too'.split() + [f'rare{i}' for i in range(40)], k=generator.randrange(12))) for _ in range(48)]
texts[7] = texts[8] = ''
small = dict(tok=BaseTokenizer(), rules=[lowercase], min_freq=2, block_chars=400, shard_tokens=80)

def contents(path):
    "Name -> bytes of the files of a folder."
    return {file.name: file.read_bytes() for file in path.iterdir()}

def in_child(work, **variables):
    "Run `work` in a process of its own; its exit code."
    def run():
        os.environ.update(variables)
        try: work()
        except OSError: os._exit(3)
        os._exit(0)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)  # Python 3.12 on forks with threads
        child = multiprocessing.get_context('fork').Process(target=run)
        child.start()
    return child

def ended(child):
    child.join()
    return child.exitcode

@pytest.fixture(scope='module')
def expected(tmp_path_factory):
    "The files of the store that nobody disturbed."
    path = tmp_path_factory.mktemp('expected')/'store'
    store = build_store(texts, path, **small)
    assert len(store.shards) > 2 and len(store) == len(texts)
    return contents(path)

@pytest.fixture
def points(tmp_path, monkeypatch):
    "Every named point where a build writes, in order."
    names, original = [], fastnlp_course.files.fault_point
    def note(name):
        names.append(name)
        original(name)
    for module in (fastnlp_course.files, fastnlp_course.text.token_store, fastnlp_course.text.corpus): monkeypatch.setattr(module, 'fault_point', note)
    build_store(texts, tmp_path/'points', **small)
    monkeypatch.undo()
    return list(dict.fromkeys(names))

@needs_fork
def test_killed_at_every_write_point(tmp_path, points, expected):
    assert len(points) > 25 and {'store:block:0', 'store:counted', 'store:shard:0', 'store:before_manifest', 'store:before_clean'} <= set(points)
    ends = [point for point in points if not re.search(r'block[:-]0*[12]\b|shard:1', point)]  # the blocks in the middle are like the others
    for number, point in enumerate(ends):
        path = tmp_path/str(number)
        assert ended(in_child(lambda: build_store(texts, path, **small), FASTNLP_FAULT=point)) == 137, point
        assert (path/'manifest.json').exists() == (point == 'store:before_clean')
        kept = {file: file.stat().st_mtime_ns for folder in tmp_path.glob(f'{number}.rank*') for file in folder.glob('block-*.json')}
        store = build_store(texts, path, **small)
        assert contents(path) == expected, point
        assert len(store) == len(texts) and not list(tmp_path.glob(f'{number}.rank*')), point
        assert len(kept) >= len([name for name in ends[:number] if name.startswith('before_replace:block-') and name.endswith('.json')]), point

@needs_fork
@pytest.mark.parametrize('seed', range(4))
def test_killed_again_and_again(tmp_path, points, expected, seed):
    "Death after death at places drawn at random; each call goes on from the one before."
    draw = random.Random(seed)
    for _ in range(4): ended(in_child(lambda: build_store(texts, tmp_path/'store', **small), FASTNLP_FAULT=draw.choice(points)))
    build_store(texts, tmp_path/'store', **small)
    assert contents(tmp_path/'store') == expected

@needs_fork
def test_killed_in_the_middle_of_a_block(tmp_path, expected):
    def dies(at):
        for number, text in enumerate(texts):
            if number == at: os._exit(137)
            yield text
    for at in (0, 13, 31, 47): assert ended(in_child(lambda: build_store(dies(at), tmp_path/'store', **small))) == 137
    build_store(texts, tmp_path/'store', **small)
    assert contents(tmp_path/'store') == expected

def test_finished_blocks_are_not_made_again(tmp_path, monkeypatch):
    def fails():
        yield from texts[:30]
        raise KeyError('column')
    with pytest.raises(RuntimeError, match=r"failed at document 30: KeyError.*kept in .*store.rank-0-of-1"): build_store(fails(), tmp_path/'store', **small)
    blocks = sorted((tmp_path/'store.rank-0-of-1').glob('block-*.json'))
    done = json.loads(blocks[-1].read_text())['first'] + json.loads(blocks[-1].read_text())['documents']
    encoded = []
    original = fastnlp_course.text.corpus._Block.add
    monkeypatch.setattr(fastnlp_course.text.corpus._Block, 'add', lambda self, arrays: encoded.append(len(arrays)) or original(self, arrays))
    build_store(iter(texts), tmp_path/'store', **small)
    assert 0 < done <= 30 and sum(encoded) == len(texts) - done

@needs_fork
def test_disk_full_at_every_write_point(tmp_path, points, expected):
    for point in points[::5]:
        path = tmp_path/point.replace(':', '_')
        assert ended(in_child(lambda: build_store(texts, path, **small), FASTNLP_FAULT=f'raise:{point}')) == 3, point
        build_store(texts, path, **small)
        assert contents(path) == expected, point

@needs_fork
def test_builders_side_by_side(tmp_path, expected):
    children = [in_child(lambda: build_store(texts, tmp_path/'store', **small)) for _ in range(3)]
    assert [ended(child) for child in children] == [0, 0, 0]
    assert {name: data for name, data in contents(tmp_path/'store').items() if name in expected} == expected
    assert len(build_store(texts, tmp_path/'store', **small)) == len(texts)
    assert contents(tmp_path/'store') == expected and not list(tmp_path.glob('store.rank*'))

@pytest.mark.parametrize('at', [0, 20, 47])
def test_another_builder_finishes_first(tmp_path, expected, at):
    def slow():
        for number, text in enumerate(texts):
            if number == at: build_store(texts, tmp_path/'store', **small)
            yield text
    store = build_store(slow(), tmp_path/'store', **small)
    assert len(store) == len(texts) and contents(tmp_path/'store') == expected
    assert not list(tmp_path.glob('store.rank*'))

@needs_fork
@pytest.mark.parametrize('other', [texts[:-1] + ['another end'], ['another beginning'] + texts[1:], texts + ['one more'], texts[:-1]])
def test_other_texts_side_by_side(tmp_path, other):
    "One of the two is built; the other call says that it is not its own, whichever comes first."
    def build(given):
        try: store = build_store(given, tmp_path/'store', **small)
        except ValueError as error: os._exit(5 if 'other texts' in str(error) or 'not those of the interrupted call' in str(error) else 6)
        if len(store) != len(given): os._exit(7)
    children = [in_child(lambda given=given: build(given)) for given in (texts, other)]
    codes = [ended(child) for child in children]
    assert sorted(codes) == [0, 5]
    with pytest.raises(ValueError, match='made from other texts'): build_store([texts, other][codes.index(5)], tmp_path/'store', **small)

@pytest.mark.parametrize('at', [0, 20, 47])
def test_other_texts_where_no_lock_holds(tmp_path, at, monkeypatch):
    "On a file system without locks the digests of the blocks tell."
    import contextlib
    monkeypatch.setattr(fastnlp_course.text.corpus, 'work_lock', lambda *args: contextlib.nullcontext())
    def slow():
        for number, text in enumerate(texts):
            if number == at:
                with contextlib.suppress(ValueError): build_store(texts[:-1] + ['another end'], tmp_path/'store', **small)
            yield text
    try: store = build_store(slow(), tmp_path/'store', **small)
    except ValueError as error: assert 'other texts' in str(error) or 'not those of the interrupted call' in str(error)
    else: assert [store.decode(i) for i in range(len(store))] == [build_store(texts, tmp_path/'alone', **small).decode(i) for i in range(len(texts))]

@pytest.mark.parametrize('world', [1, 2, 3])
def test_ranks_joined_equal_one_process(tmp_path, expected, world):
    path = tmp_path/'store'
    if world > 1:
        for rank in reversed(range(world)): build_store(iter(texts), path, rank=rank, world=world, **small)
        store = join_stores(path)
        assert contents(path) == expected and len(join_stores(path)) == len(store)
    else:
        build_store(iter(texts), path, **small)
        assert contents(path) == expected
    assert TokenStore.open(path, verify=True).decode(0) == TokenStore.open(path)[:1].decode(0)

def test_ranks_with_a_vocab(tmp_path):
    vocab = build_store(texts, tmp_path/'counted', **small).vocab
    alone = build_store(texts, tmp_path/'alone', vocab=vocab, **small)
    for rank in (0, 1): build_store(texts, tmp_path/'ranks', vocab=vocab, rank=rank, world=2, **small)
    assert join_stores(tmp_path/'ranks').n_tokens == alone.n_tokens and contents(tmp_path/'ranks') == contents(tmp_path/'alone')
    assert alone.shards[0][0].dtype == np.uint16

def test_ranks_that_do_not_fit(tmp_path):
    folders = [build_store(texts, tmp_path/name, rank=rank, world=2, **{**small, **more}) for name, rank, more in
               [('a', 0, {}), ('a', 1, {}), ('b', 1, {'min_freq': 3})]]
    other = build_store(texts[:-1] + ['other'], tmp_path/'c', rank=1, world=2, **small)
    with pytest.raises(ValueError, match='another value of min_freq'): join_stores(tmp_path/'x', [folders[0], folders[2]])
    with pytest.raises(ValueError, match='from other texts'): join_stores(tmp_path/'x', [folders[0], other])
    with pytest.raises(ValueError, match='2 ranks are needed'): join_stores(tmp_path/'x', folders[:1])
    with pytest.raises(ValueError, match='2 ranks are needed'): join_stores(tmp_path/'x', [folders[0]]*2)
    (folders[1]/'done.json').unlink()
    with pytest.raises(FileNotFoundError, match='is not finished'): join_stores(tmp_path/'x', folders[:2])
    assert not (tmp_path/'x').exists()

def test_damaged_blocks(tmp_path, expected):
    def interrupted():
        yield from texts[:40]
        raise OSError(errno.EIO, 'gone')
    work = tmp_path/'store.rank-0-of-1'
    with pytest.raises(RuntimeError, match='document 40'): build_store(interrupted(), tmp_path/'store', **small)
    (work/'block-00000.ids.npy').write_bytes((work/'block-00000.ids.npy').read_bytes()[:-1])  # cut off: made again
    (work/'block-00001.json').write_text('{"half')
    changed = bytearray((work/'block-00002.ids.npy').read_bytes())
    changed[-4] ^= 1
    (work/'block-00002.ids.npy').write_bytes(changed)
    with pytest.raises(ValueError, match='block-00002.ids.npy is damaged.*Remove block-00002.json'): build_store(texts, tmp_path/'store', **small)
    (work/'block-00002.json').unlink()
    build_store(texts, tmp_path/'store', **small)
    assert contents(tmp_path/'store') == expected

def test_blocks_of_another_version_are_made_again(tmp_path, expected, monkeypatch):
    "The types of a block were cut into another number of segments."
    def interrupted():
        yield from texts[:40]
        raise OSError(errno.EIO, 'gone')
    for module in (fastnlp_course.text.corpus, fastnlp_course.text.counting): monkeypatch.setattr(module, 'n_segments', 8)
    with pytest.raises(RuntimeError, match='document 40'): build_store(interrupted(), tmp_path/'store', **small)
    monkeypatch.undo()
    build_store(texts, tmp_path/'store', **small)
    assert contents(tmp_path/'store') == expected

@pytest.mark.parametrize('name', ['00001.ids.npy', '00001.offsets.npy'])
def test_damaged_shards(tmp_path, name):
    build_store(texts, tmp_path/'store', **small)
    file = tmp_path/'store'/name
    good = file.read_bytes()
    file.write_bytes(good[:-1])
    with pytest.raises(ValueError, match='cut off or incomplete'): TokenStore.open(tmp_path/'store')
    file.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    with pytest.raises(ValueError, match='is damaged'): TokenStore.open(tmp_path/'store', verify=True)
    file.write_bytes(b'x'*len(good))
    with pytest.raises(ValueError, match='is damaged'): TokenStore.open(tmp_path/'store')
    file.unlink()
    with pytest.raises(ValueError, match='has 0 bytes'): TokenStore.open(tmp_path/'store')
    file.write_bytes(good)
    manifest = json.loads((tmp_path/'store'/'manifest.json').read_text())
    (tmp_path/'store'/'manifest.json').write_text('[]')
    with pytest.raises(ValueError, match='not the manifest of a store'): TokenStore.open(tmp_path/'store')
    (tmp_path/'store'/'manifest.json').write_text(json.dumps({**manifest, 'format': 99}))
    with pytest.raises(ValueError, match='has format 99'): TokenStore.open(tmp_path/'store')

def test_other_settings(tmp_path):
    def fails():
        yield from texts[:30]
        raise KeyError
    with pytest.raises(RuntimeError): build_store(fails(), tmp_path/'store', **small)
    with pytest.raises(ValueError, match='begun with another value of settings'): build_store(texts, tmp_path/'store', **{**small, 'rules': []})
    with pytest.raises(ValueError, match='begun with another value of block_chars'): build_store(texts, tmp_path/'store', **{**small, 'block_chars': 401})
    with pytest.raises(ValueError, match='not those of the interrupted call'): build_store(texts[1:], tmp_path/'store', **small)
    build_store(texts, tmp_path/'store', **small)
    with pytest.raises(ValueError, match='made with another value of settings'): build_store(texts, tmp_path/'store', **{**small, 'rules': []})
    with pytest.raises(ValueError, match='made from other texts'): build_store(['x'], tmp_path/'store', **small)
    with pytest.raises(ValueError, match='made from other texts'): build_store([], tmp_path/'store', **small)

def test_rules_without_a_name_are_not_compared(tmp_path):
    nameless = {**small, 'rules': [lambda text: text.upper()]}
    with pytest.warns(UserWarning, match='has no name'): store = build_store(texts, tmp_path/'store', **nameless)
    assert 'FILM' in store.vocab
    with pytest.raises(FileExistsError, match='cannot be compared'): build_store(texts, tmp_path/'store', **nameless)

def test_a_file_that_grows(tmp_path):
    path = tmp_path/'lines.txt'
    path.write_text('\n'.join(text for text in texts if text), encoding='utf-8')
    def watched():
        for number, text in enumerate(text_lines(path)):
            if number == 20:
                with open(path, 'a', encoding='utf-8') as file: file.write('\none more')
            yield text
    with pytest.raises(RuntimeError, match=r'lines.txt changed while it was read: it had \d+ bytes'): build_store(watched(), tmp_path/'store', **small)
    assert list((tmp_path/'store.rank-0-of-1').glob('block-*.json'))
    path.write_text('\n'.join(text for text in texts if text), encoding='utf-8')
    assert len(build_store(text_lines(path), tmp_path/'store', **small)) == len([text for text in texts if text])

def test_a_line_of_megabytes(tmp_path):
    (tmp_path/'lines.txt').write_text('short\n' + ' '.join(['word']*400_000) + '\n' + 'x'*2_000_000 + '\nshort', encoding='utf-8')
    store = build_store(text_lines(tmp_path/'lines.txt'), tmp_path/'store', **{**small, 'rules': [rm_useless_spaces]})
    assert [len(document) for document in store] == [1, 400_000, 1, 1]

@pytest.mark.parametrize('bad', [None, 3.5, float('nan'), b'bytes', ['a', 'list']])
def test_an_item_that_is_no_text(tmp_path, bad):
    with pytest.raises(TypeError, match='document 2 is .*but a text was expected'): build_store(['a', 'b', bad], tmp_path/'store', **small)

def test_tables_with_holes(tmp_path):
    pd.DataFrame({'text': ['a', None]}).to_parquet(tmp_path/'a.parquet')
    with pytest.raises(RuntimeError, match=r"document \d.*column 'text' of row 1"): build_store(tmp_path/'a.parquet', tmp_path/'store', **small)
    (tmp_path/'b.csv').write_text('text\nNA\n""\n', encoding='utf-8')
    assert list(read_texts(tmp_path/'b.csv')) == ['NA', '']
    (tmp_path/'c.txt').write_bytes(b'caf\xe9')
    with pytest.raises(RuntimeError, match='byte 3'): build_store(tmp_path/'c.txt', tmp_path/'store', **small)

@pytest.mark.parametrize('name, data, kind', [
    ('empty.csv', b'', 'cannot be read'), ('ragged.csv', b'text,b\n1,2\n3,4,5\n', 'cannot be read'), ('latin.csv', b'text\ncaf\xe9\n', 'cannot be read'),
    ('cut.parquet', b'PAR1xx', 'cannot be read'), ('no_column.csv', b'a,b\n1,2\n', "column 'text' is not in the table")])
def test_an_unreadable_file_is_named(tmp_path, name, data, kind):
    "Among many files the error says which one."
    for i in range(3): (tmp_path/f'{i}.csv').write_text('text\na b c\n', encoding='utf-8')
    (tmp_path/name).write_bytes(data)
    with pytest.raises(RuntimeError, match=f'document 3: .*{name}.*{kind}'): build_store(tmp_path, tmp_path.parent/f'{tmp_path.name}_store', **small)

def test_a_cut_off_archive_is_named(tmp_path):
    whole = gzip.compress(b'text line\n'*1000)
    (tmp_path/'cut.txt.gz').write_bytes(whole[:-12])
    with pytest.raises(ValueError, match='cut.txt.gz cannot be read'): list(text_lines(tmp_path/'cut.txt.gz'))

def test_a_billion_tokens_open(tmp_path):
    "A sparse file: nothing is read but the ends."
    from fastnlp_course.text.token_store import write_array
    tokens, documents, folder = 10**9, 10**5, tmp_path/'large'
    folder.mkdir()
    header = {'descr': '<u2', 'fortran_order': False, 'shape': (tokens,)}
    with open(folder/'00000.ids.npy', 'wb') as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 2*tokens)
    offsets = write_array(folder/'00000.offsets.npy', np.int64, documents + 1, [np.linspace(0, tokens, documents + 1).astype(np.int64)])
    part = {'documents': documents, 'tokens': tokens, 'ids': {'file': '00000.ids.npy', 'bytes': (folder/'00000.ids.npy').stat().st_size, 'sha256': None}, 'offsets': offsets}
    (folder/'manifest.json').write_text(json.dumps({'format': 1, 'documents': documents, 'tokens': tokens, 'settings': None, 'vocab_hash': None, 'shards': [part]}))
    store = TokenStore.open(folder)
    assert store.n_tokens == tokens and len(store) == documents and len(store[-1]) == tokens//documents and isinstance(store.ids, np.memmap)

words = st.text(st.characters(blacklist_characters='\r'), max_size=3)
@settings(max_examples=30, deadline=None)
@given(documents=st.lists(st.lists(words, max_size=8).map(' '.join), max_size=12), block_chars=st.integers(1, 60), shard_tokens=st.integers(1, 40),
       max_vocab=st.integers(10, 20), min_freq=st.integers(1, 3), world=st.integers(1, 3))
def test_any_documents(tmp_path_factory, documents, block_chars, shard_tokens, max_vocab, min_freq, world):
    tok, rules = BaseTokenizer(), [rm_useless_spaces]
    tokens = list(TokenizeWithRules(tok, rules)(documents))
    numericalize = Numericalize(min_freq=min_freq, max_vocab=max_vocab)
    numericalize.setup(tokens)
    path = tmp_path_factory.mktemp('any')/'store'
    for rank in range(world):
        store = build_store(iter(documents), path, tok, rules, rank=rank, world=world, min_freq=min_freq, max_vocab=max_vocab, block_chars=block_chars, shard_tokens=shard_tokens)
    if world > 1: store = join_stores(path)
    assert list(store.vocab) == list(numericalize.vocab)
    assert [ids.tolist() for ids in store] == [numericalize(document).tolist() for document in tokens]

def test_views_of_a_store():
    store = TokenStore([(np.arange(5, dtype=np.uint16), np.array([0, 2, 5])), (np.arange(5, 9, dtype=np.uint16), np.array([0, 0, 4]))])
    documents = [document.tolist() for document in store]
    for start in range(-5, 6):
        for stop in range(-5, 6): assert [document.tolist() for document in store[start:stop]] == documents[start:stop]
    assert np.shares_memory(store[1:4][0], store.shards[0][0]) and store[:2].ids.tolist() == [0, 1, 2, 3, 4] and store[1:2].offsets.tolist() == [0, 3]
    assert getattr(store, 'ids', None) is None
    with pytest.raises(AttributeError, match='the store has 2 shards'): store.offsets
    with pytest.raises(ValueError, match='step 2'): store[::2]

def fails_on_rare7(text):
    "A rule with a fault."
    if 'rare7' in text: raise KeyError('rare7')
    return text

def test_a_rule_that_fails_names_the_document(tmp_path):
    number = next(number for number, text in enumerate(texts) if 'rare7' in text)
    with pytest.raises(RuntimeError, match=f'document {number} .*could not be tokenized: KeyError'): build_store(texts, tmp_path/'store', **{**small, 'rules': [fails_on_rare7]})

def test_a_note_that_cannot_be_removed_is_left(tmp_path, monkeypatch):
    "What only an interrupted call needs goes at the end; where it cannot, the store is whole all the same."
    build_store(texts, tmp_path/'whole', **small)
    def refuse(path, missing_ok=False): raise OSError(errno.EACCES, 'Permission denied')
    monkeypatch.setattr(Path, 'unlink', refuse)
    store = build_store(texts, tmp_path/'store', **small)
    left = {name for name in contents(tmp_path/'store') if name not in contents(tmp_path/'whole')}
    assert len(store) == len(texts) and left and all(re.fullmatch(r'\d+\.json', name) for name in left)
    assert {name: data for name, data in contents(tmp_path/'store').items() if name not in left} == contents(tmp_path/'whole')
