"""Readers of files meet what nobody would write: they return something, or say in a sentence why not. Nothing else.

2,000 cases in `make test`, always the same; `make fuzz` takes 100,000 new ones (FASTNLP_FUZZ says how many).
"""
import copy
import gzip
import io
import json
import os
import struct
import tarfile
import warnings
import zipfile
from functools import wraps
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from fastnlp_course import registry
from fastnlp_course.archives import safe_extract
from fastnlp_course.data.data_config import checked_dls
from fastnlp_course.files import from_config, read_json, safe_unpickle
from fastnlp_course.folders import check_folder
from fastnlp_course.models.pretrained import read_vocab
from fastnlp_course.text.table_files import read_table
from fastnlp_course.text.token_store import TokenStore
from fastnlp_course.training.export import checked_learner
from fastnlp_course.training.saving import load_weights
import fastnlp_course.all

old = Path(__file__).resolve().parent/'old_layout'
n_cases = int(os.environ.get('FASTNLP_FUZZ', 2000))

tried = 0

def cases(share):
    "That share of all cases; each one that comes is counted."
    chosen = settings(max_examples=max(1, round(n_cases*share)), deadline=None, derandomize=n_cases <= 2000, database=None,
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large, HealthCheck.filter_too_much])
    def decorate(test):
        inner = test.hypothesis.inner_test
        @wraps(inner)
        def counted(*args, **kwargs):
            global tried
            tried += 1
            return inner(*args, **kwargs)
        test.hypothesis.inner_test = counted
        return chosen(test)
    return decorate

@pytest.fixture(autouse=True)
def told_at_the_end(record_property):
    "tests/conftest.py prints the sum, also of several processes."
    before = tried
    yield
    record_property('fuzz cases', tried - before)

def sentence_or_result(read, *arguments):
    "What `read` returns; an error must be one that speaks to a reader."
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            return read(*arguments)
        except (ValueError, OSError) as error:
            said = str(error)
            assert len(said.split()) > 4 and len(said) < 3000 and 'Traceback' not in said, said

# Values of JSON, with the words that have a meaning for us more often than others

entries = sorted({name for _, _, name in registry.entries()})
meaning = st.sampled_from(entries + ['type', 'args', 'dict', 'tuple', 'slice', 'class', 'function', 'options', 'partial', 'kwargs', 'encodes', 'decodes', 'order', '__class__', '__globals__', '..', '/etc/passwd',
                                     'os.system', 'fastnlp_course.files.write_json', 'fastnlp_course.tokenization.lowercase', 'AWD_LSTM', 'en', 'df', 'model', 'vocab', 'rules', 'tok', 'nm', 'pat', '(a+)+$', '{anchor.x}'])
texts = meaning | st.text(max_size=8)
scalars = st.none() | st.booleans() | st.integers() | st.integers(-2, 100) | st.floats() | texts
parts = st.builds(lambda name, arguments: {'type': name, 'args': {'dict': arguments}}, meaning, st.dictionaries(texts, scalars, max_size=4))
values = st.recursive(scalars | parts, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4) | st.builds(lambda v: {'dict': v}, st.dictionaries(texts, inner, max_size=3))
                      | st.builds(lambda name, v: {'type': name, 'args': v}, meaning, inner) | st.builds(lambda name, v: {'function': name, 'options': v}, meaning, inner), max_leaves=12)

@cases(0.2)
@given(values)
def test_configs(config): sentence_or_result(from_config, config)

@cases(0.1)
@given(st.sampled_from(sorted(registry._parts)), st.data())
def test_arguments(name, data):
    "A registered class with its own arguments, and values that may or may not fit."
    closure = registry._parts[name][2].__closure__ or ()
    known = next((cell.cell_contents for cell in closure if isinstance(cell.cell_contents, dict)), {})
    chosen = data.draw(st.lists(st.sampled_from(sorted(known)), unique=True, max_size=6)) if known else []
    sentence_or_result(from_config, {'type': name, 'args': {'dict': {argument: data.draw(values) for argument in chosen}}})

def places(value, path=()):
    "The paths of all values inside a JSON value."
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items: yield from places(inner, (*path, key))

def changed(value, path, new):
    "A copy of `value` with `new` at `path`."
    if not path: return new
    made = copy.deepcopy(value)
    inner = made
    for key in path[:-1]: inner = inner[key]
    inner[path[-1]] = new
    return made

learners = {name: json.loads((old/name/'config.json').read_text(encoding='utf-8')) for name in ('classifier', 'language_model', 'hf_classifier')}
learner_places = {name: sorted(filter(None, places(config)), key=str) for name, config in learners.items()}

@cases(0.2)
@given(st.sampled_from(sorted(learners)), st.data(), values)
def test_learners_with_one_change(name, data, new):
    config = changed(learners[name], data.draw(st.sampled_from(learner_places[name])), new)
    sentence_or_result(checked_learner, config)
    if isinstance(config.get('dls'), dict): sentence_or_result(checked_dls, config['dls'])

# Files

@pytest.fixture(scope='module')
def folder(tmp_path_factory): return tmp_path_factory.mktemp('fuzz')

def written(path, data):
    path.write_bytes(data)
    return path

json_bytes = st.builds(lambda value: json.dumps(value).encode(), values) | st.binary(max_size=60) | st.builds(lambda text: text.encode('utf-8', 'surrogatepass'), st.text('[]{}",:0123456789eE+-.tfn \\u', max_size=40))

@cases(0.05)
@given(json_bytes)
def test_json(folder, data): sentence_or_result(read_json, written(folder/'a.json', data))

@cases(0.05)
@given(json_bytes | st.builds(lambda v: json.dumps(v).encode(), st.lists(texts, max_size=8)), st.sampled_from(['json', 'txt', 'pkl']))
def test_vocabs(folder, data, suffix): sentence_or_result(read_vocab, written(folder/f'vocab.{suffix}', data))

@cases(0.05)
@given(st.binary(max_size=80) | st.builds(lambda tail: b'\x80\x04]\x94(' + tail, st.binary(max_size=40)))
def test_pickles(folder, data): sentence_or_result(safe_unpickle, written(folder/'a.pkl', data))

tensor = st.fixed_dictionaries({'dtype': st.sampled_from(['F32', 'F16', 'I64', 'BOOL', 'X', '']) | texts, 'shape': st.lists(st.integers(-1, 2**70) | st.integers(0, 3), max_size=3),
                                'data_offsets': st.lists(st.integers(-8, 64) | st.integers(), max_size=3)})
headers = st.dictionaries(texts, tensor | values, max_size=3) | values
good_header = json.dumps({'a': {'dtype': 'F32', 'shape': [2, 2], 'data_offsets': [0, 16]}, '__metadata__': {'shared': '{"b": "a"}', 'names': '["a", "b"]'}}).encode()

@cases(0.1)
@given(headers, st.binary(max_size=64), st.integers(-3, 3) | st.integers(0, 2**63))
def test_headers_of_safetensors(folder, header, data, wrong):
    head = json.dumps(header).encode()
    length = len(head) + wrong if abs(wrong) < 4 else wrong
    sentence_or_result(load_weights, written(folder/'a.safetensors', struct.pack('<Q', max(length, 0)) + head + data))

@cases(0.05)
@given(st.integers(0, len(good_header) + 23), st.integers(0, 255), st.integers(0, len(good_header) + 24))
def test_damaged_safetensors(folder, place, byte, cut):
    data = bytearray(struct.pack('<Q', len(good_header)) + good_header + bytes(16))
    data[place] = byte
    sentence_or_result(load_weights, written(folder/'a.safetensors', bytes(data[:cut] if cut % 2 else data)))

manifest = json.loads((old/'plain_store'/'manifest.json').read_text(encoding='utf-8'))
manifest_places = sorted(places(manifest), key=str)

@pytest.fixture(scope='module')
def store(folder):
    import shutil
    return shutil.copytree(old/'plain_store', folder/'store')

@cases(0.06)
@given(st.data(), values)
def test_manifests_of_stores(store, data, new):
    (store/'manifest.json').write_text(json.dumps(changed(manifest, data.draw(st.sampled_from(manifest_places)), new)), encoding='utf-8')
    opened = sentence_or_result(lambda: TokenStore.open(store, verify=True))
    assert opened is None or len(opened) == 3

@cases(0.03)
@given(st.dictionaries(st.sampled_from(['format', 'version', 'files']), values | st.dictionaries(texts, values, max_size=2), max_size=3) | values)
def test_manifests_of_folders(folder, value):
    place = folder/'listed'
    place.mkdir(exist_ok=True)
    (place/'a.txt').write_text('a')
    (place/'manifest.json').write_text(json.dumps(value), encoding='utf-8')
    sentence_or_result(check_folder, place, ['a.txt'])

@cases(0.05)
@given(st.binary(max_size=120) | st.builds(lambda rows: '\n'.join(rows).encode('utf-8', 'surrogatepass'), st.lists(st.text('ab1,;\t"\'\n =', max_size=12), max_size=5)), st.booleans())
def test_tables(folder, data, packed): sentence_or_result(read_table, written(folder/('a.csv.gz' if packed else 'a.csv'), gzip.compress(data) if packed else data))

def archive_of(kind, names, links):
    file = io.BytesIO()
    if kind == 'zip':
        with warnings.catch_warnings(), zipfile.ZipFile(file, 'w') as archive:
            warnings.simplefilter('ignore')
            for name in names: archive.writestr(name or 'a', 'text')
    else:
        with tarfile.open(fileobj=file, mode='w:gz' if kind == 'tgz' else 'w') as archive:
            for name in names:
                member = tarfile.TarInfo(name)
                member.type, member.linkname, member.size = (tarfile.SYMTYPE, links, 0) if links else (tarfile.REGTYPE, '', 4)
                archive.addfile(member, io.BytesIO(b'text'))
    return file.getvalue()

names = st.sampled_from(['a', 'a/b', '../a', '/tmp/a', 'a/../../b', '.', '..', 'a\\..\\b', 'C:\\a', 'é']) | st.text(st.characters(exclude_categories=['Cs']), max_size=6)

@cases(0.06)
@given(st.sampled_from(['zip', 'tgz', 'tar']), st.lists(names, max_size=3), st.sampled_from(['', '', '..', '/etc', 'a']), st.integers(0, 10_000), st.integers(0, 255), st.booleans())
def test_archives(folder, kind, names, links, place, byte, damaged):
    import shutil
    try: data = bytearray(archive_of(kind, names, links))
    except (ValueError, OSError, IndexError): return          # a name that cannot be written
    if damaged: data[place % len(data)] = byte
    around = folder/'around'
    shutil.rmtree(around, ignore_errors=True)
    around.mkdir()
    sentence_or_result(safe_extract, written(around/f'a.{kind}', bytes(data)), around/'out')
    assert {path.name for path in around.iterdir() if not path.name.startswith('.')} <= {f'a.{kind}', 'out'}
