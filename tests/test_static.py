"""What no line of the package may do, held by a walk through its syntax trees.

A file of somebody else is read by many rooms. None of them may call what can run code, follow a name to a module, load a
pickle, unpack unseen, or ask the network without a time limit. Each rule is tried on a line that breaks it.
"""
import ast
from pathlib import Path

import pytest

package = Path(__file__).resolve().parent.parent/'fastnlp_course'
trees = {path.relative_to(package).with_suffix('').as_posix().replace('/', '.'): ast.parse(path.read_text(encoding='utf-8'))
         for path in sorted(package.rglob('*.py')) if path.name != '_modidx.py'}

# Where one of these things is meant, and why it does no harm there.
meant = {
    ('applications.serving', 'import_module'): 'libraries of the extras, named by the rooms that call it',
    ('applications.languages', 'import_module'): 'a language of spaCy: two or three letters, looked up below spacy.lang, nothing is run',
    ('registry', 'import_module'): 'names of rooms from the tables of the registry, never from a file',
    ('training.sklearn_metrics', 'import_module'): "the module is 'sklearn.metrics' if it comes from a config",
    ('lazy_modules', 'import_module'): 'modules that the door names',
    ('_old_addresses', 'import_module'): 'names of rooms from its table',
    ('bridges.hf_lazy', 'import_module'): 'one room of this package, by a name that stands above; find_spec asks the finders that Python would ask',
    ('exercises.core', 'import_module'): 'modules of its own wing, found by their files',
    ('applications.report', 'subprocess'): 'asks git for its state, with a list of words, no shell and a time limit',
}
loaders = {'pickle', 'cPickle', '_pickle', 'dill', 'cloudpickle', 'marshal', 'shelve', 'joblib', 'jsonpickle', 'yaml', 'pandas', 'pd'}
network = {'urlopen', 'urlretrieve', 'create_connection', 'HTTPConnection', 'HTTPSConnection'}
# Tables that are written as they are, or have been guarded before.
plain_tables = {('applications.kaggle', 'make_submission'): 'ids as Kaggle has given them', ('applications.app', 'answer'): 'guarded, part by part, by table_answers', ('applications.app', '_table_tab'): 'it makes that function', ('cli', 'predict'): 'guarded, part by part',
                ('cli', 'sample'): 'reviews that this package ships'}
shells = {'system', 'popen', 'execv', 'execve', 'execl', 'execvp', 'spawnv', 'spawnl', 'startfile', 'posix_spawn'}

def argument(call, name):
    "The value of a keyword argument as written, None if it is not there."
    return next((ast.unparse(given.value) for given in call.keywords if given.arg == name), None)

def said_of_call(call):
    "What is wrong with one call, as (rule, sentence); nothing if it is harmless."
    full = ast.unparse(call.func)
    owner, _, name = full.rpartition('.')
    if not owner and name in ('eval', 'exec', 'compile', '__import__'): yield name, f'{name} runs what it is given'
    if owner == 'builtins' and name in ('eval', 'exec'): yield name, f'{name} runs what it is given'
    if name in ('load', 'loads', 'load_module', 'open') and owner in loaders - {'pandas', 'pd'}: yield name, f'{full} can run what a file asks for'
    if name in ('read_pickle', 'unsafe_load', 'full_load'): yield name, f'{full} can run what a file asks for'
    if name == 'Unpickler': yield 'Unpickler', f'{full} without find_class runs what a file asks for'
    if owner == 'os' and name in shells: yield name, f'{full} runs a command'
    if name == 'getoutput' or name == 'getstatusoutput': yield name, f'{full} runs a shell'
    if (argument(call, 'shell') or 'False') != 'False': yield 'shell', f'{full}(shell=...) runs a shell'
    if full in ('torch.load', 'load') and owner == 'torch' and argument(call, 'weights_only') != 'True': yield 'torch.load', 'torch.load without weights_only=True runs what a file asks for'
    if full in ('torch.jit.load', 'torch.hub.load', 'torch.package.PackageImporter'): yield full, f'{full} runs what a file asks for'
    if (argument(call, 'allow_pickle') or 'False') != 'False': yield 'allow_pickle', f'{full}(allow_pickle=...) runs what a file asks for'
    if name in ('extractall', 'unpack_archive', '_extractall'): yield 'extractall', f'{full} writes where an archive says'
    if (argument(call, 'trust_remote_code') or 'False') != 'False': yield 'trust_remote_code', f'{full}(trust_remote_code=...) runs code of the hub'
    if name == 'mktemp': yield 'mktemp', f'{full} gives a name that somebody else can take first'
    if name in network and argument(call, 'timeout') is None: yield 'timeout', f'{full} without timeout= waits for ever'
    if owner in ('requests', 'httpx') and argument(call, 'timeout') is None: yield 'timeout', f'{full} without timeout= waits for ever'
    if name in ('import_module', 'find_spec') and not (call.args and isinstance(call.args[0], ast.Constant)): yield 'import_module', f'{full} imports a name that is not written here'
    if name == 'download_file' and len(call.args) < 4 and argument(call, 'md5') is None: yield 'hash', f'{full} without the hash that the file must have'

def said_of(tree):
    "What is wrong with a module, as (rule, line, sentence)."
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for rule, sentence in said_of_call(node): yield rule, node.lineno, sentence
        if isinstance(node, ast.ClassDef):
            for base in node.bases:
                if ast.unparse(base).endswith('Unpickler') and not any(isinstance(inner, ast.FunctionDef) and inner.name == 'find_class' for inner in node.body):
                    yield 'Unpickler', node.lineno, 'an Unpickler without find_class runs what a file asks for'
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] + ([node.module] if isinstance(node, ast.ImportFrom) and node.module else [])
            for name in {'subprocess', 'pty', 'code', 'codeop', 'runpy', 'dill', 'cloudpickle', 'marshal', 'shelve', 'jsonpickle'} & {name.split('.')[0] for name in names}:
                if not (isinstance(node, ast.ImportFrom) and node.level): yield name, node.lineno, f'{name} has no place in this package'

@pytest.mark.parametrize('name', trees)
def test_nothing_can_run(name):
    said = [f'{name} line {line}: {sentence}' for rule, line, sentence in said_of(trees[name]) if (name, rule) not in meant]
    assert not said, '\n'.join(said)

def unguarded(name):
    "Functions of the commands and applications that write a table of somebody's texts without `guarded`."
    for function in (node for node in ast.walk(trees[name]) if isinstance(node, ast.FunctionDef)):
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call) and ast.unparse(node.func).endswith('.to_csv')):
            if 'guarded(' not in ast.unparse(call.func): yield function.name

@pytest.mark.parametrize('name', [name for name in trees if name == 'cli' or name.startswith('applications.')])
def test_a_spreadsheet_computes_nothing(name):
    said = {function for function in unguarded(name) if (name, function) not in plain_tables}
    assert not said, f'{name}: {sorted(said)} write tables without guarded(...), so a text that begins with = is computed where it is opened'

def test_what_is_meant_is_there():
    "An exception that nothing needs any more goes."
    found = {(name, rule) for name in trees for rule, _, _ in said_of(trees[name])}
    assert set(meant) <= found, set(meant) - found

bad = """pickle.load(file)
pickle.loads(data)
_pickle.loads(data)
joblib.load(file)
marshal.loads(data)
pd.read_pickle(file)
eval(text)
exec(text)
compile(text, '', 'exec')
__import__(name)
builtins.eval(text)
os.system('ls')
os.popen('ls')
os.execv('ls', [])
run('ls', shell=True)
run('ls', shell=yes)
torch.load(file)
torch.load(file, weights_only=False)
torch.load(file, map_location='cpu')
torch.hub.load('a/b', 'c')
torch.jit.load(file)
np.load(file, allow_pickle=True)
np.load(file, allow_pickle=allowed)
archive.extractall(folder)
shutil.unpack_archive(file)
yaml.load(text)
yaml.unsafe_load(text)
AutoModel.from_pretrained(name, trust_remote_code=True)
AutoModel.from_pretrained(name, trust_remote_code=wanted)
tempfile.mktemp()
urlopen(address)
urllib.request.urlretrieve(address)
requests.get(address)
importlib.import_module(name)
importlib.import_module(f'a.{name}')
download_file(url, dest)
import subprocess
import marshal
from subprocess import run
import dill
class Reader(pickle.Unpickler): pass
pickle.Unpickler(file)""".splitlines()

good = """pickle.dumps(vocab)
json.loads(text)
model.eval()
re.compile(pattern)
torch.load(file, weights_only=True)
np.load(file, mmap_mode='r', allow_pickle=False)
AutoModel.from_pretrained(name, trust_remote_code=False)
tempfile.mkdtemp()
urlopen(address, timeout=10)
importlib.import_module('transformers')
download_file(url, dest, size, md5)
run(['ls'], shell=False)
from .code import colours""".splitlines() + ['class Reader(pickle.Unpickler):\n    def find_class(self, module, name): raise ValueError']

@pytest.mark.parametrize('line', bad)
def test_the_walk_sees(line): assert list(said_of(ast.parse(line))), line

@pytest.mark.parametrize('line', good)
def test_the_walk_lets_pass(line): assert not list(said_of(ast.parse(line))), list(said_of(ast.parse(line)))

def test_published_files_have_hashes():
    "Whatever `untar_data` fetches by a name of ours has a size and a hash."
    from fastnlp_course.sources import URLs, known_downloads
    addresses = {name: value for name, value in vars(URLs).items() if isinstance(value, str) and value.startswith('http') and value.endswith(('.tgz', '.tar.gz', '.zip', '.gz'))}
    assert addresses and all(isinstance(size, int) and len(md5) == 32 for size, md5 in known_downloads.values())
    unknown = sorted(set(addresses) - {name for name, value in addresses.items() if value in known_downloads})
    published_without = {'MT_ENG_FRA', 'SOGOU_NEWS', 'ADULT_SAMPLE', 'ML_SAMPLE', 'ML_100k', 'WT103_FWD', 'WT103_BWD'}      # fastai gives none for these
    assert set(unknown) <= published_without, unknown

def test_what_a_class_writes_is_what_its_entry_takes():
    "The registry and `to_config` of each class of the package name the same arguments."
    import importlib, inspect, re
    import fastnlp_course.all
    from fastnlp_course import registry
    for kind, room, name in registry.entries():
        if name not in registry._parts: continue
        importlib.import_module(f'fastnlp_course.{room}')
        check = registry._parts[name][2]
        takes = next((set(cell.cell_contents) for cell in check.__closure__ or () if isinstance(cell.cell_contents, dict)), None)
        if takes is None: takes = set(re.findall(r'(\w+)=', inspect.getsource(check)))       # a function of its own around `fields`
        cls = registry._registered[name]
        source = inspect.getsource(cls.to_config) if hasattr(cls, 'to_config') else ''
        writes = set(re.findall(r"'([a-z_]+)'\s*:", source)) - {'tensor'}
        assert writes <= takes, f'{name} writes {writes - takes}, which its entry in the registry does not take'
