"""The plan of the house, held: wings in order, rooms in order, one notebook for each module, no room too large.

A folder of `fastnlp_course` is a wing, a module is a room. The rooms' order is the one in which the wing's `__init__.py`
opens them. A room may import from earlier rooms of its wing and from lower wings, at its top and inside its functions alike;
only doors (`all.py`, `cli.py`, every `__init__.py` and the old addresses) look at the whole house.
"""
import ast
import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

root = Path(__file__).resolve().parent.parent
package = root/'fastnlp_course'
wings = ['ground', 'text', 'data', 'training', 'models', 'bridges', 'applications', 'exercises']
ground = ['lazy_modules', 'safe_output', 'fields', 'registry', 'locks', 'archives', 'files', 'folders', 'downloads', 'sources']
most_lines = 520
opens_alone = ['bridges.ulmfit_models', 'bridges.ulmfit_tokenizer', 'bridges.ulmfit_in_transformers']  # they load transformers when they are imported; the last of their wing

def address(path):
    "`text.tokenization` for its file; a wing's `__init__.py` has the name of the wing."
    return '.'.join(path.relative_to(package).with_suffix('').parts).removesuffix('.__init__').replace('__init__', '')

trees = {address(path): ast.parse(path.read_text(encoding='utf-8')) for path in sorted(package.rglob('*.py')) if path.name != '_modidx.py'}

def is_door(name): return name in ('', 'cli', '_old_addresses', *wings) or name.split('.')[-1] == 'all' or (package/name.replace('.', '/')/'__init__.py').exists()

rooms = [name for name in trees if not is_door(name)]
doors = [name for name in trees if is_door(name)]

def wing_of(name): return name.split('.')[0] if '.' in name else 'ground'

def opened_by(wing):
    "The rooms of a wing in the order in which its `__init__.py` opens them."
    if wing == 'ground': return ground
    opened = [f'{wing}.{alias.name}' for node in trees[wing].body if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module is None for alias in node.names]
    asked_for = [name for name in opens_alone if wing_of(name) == wing and name not in opened]
    return opened + asked_for + [name for name in rooms if wing == 'exercises' == wing_of(name) and name not in opened]    # a lesson's checks open when asked for

def known(name):
    "The module or door that `name` leads to: itself, or what holds it."
    while name and name not in trees: name = name.rpartition('.')[0]
    return name

def target(node, here):
    "The address, below the package, that an import of the package leads to; None for other packages."
    if node.level == 0:
        parts = (node.module or '').split('.')
        return '.'.join(parts[1:]) if parts[0] == 'fastnlp_course' else None
    base = here.split('.') if (package/here.replace('.', '/')/'__init__.py').exists() else here.split('.')[:-1]
    return '.'.join([*base[:len(base)-node.level+1], *([node.module] if node.module else [])])

def imports(tree, here):
    "All imports of the package in a module, those in functions included, as (module, name or None, name it gets, line)."
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (module := target(node, here)) is not None:
            for alias in node.names:
                inner = f'{module}.{alias.name}'.strip('.')
                if inner in trees: yield inner, None, alias.asname or alias.name, node.lineno
                else: yield known(module), alias.name, alias.asname or alias.name, node.lineno
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split('.')[0] == 'fastnlp_course': yield known('.'.join(alias.name.split('.')[1:])), None, alias.asname or alias.name, node.lineno
        elif isinstance(node, ast.Call) and getattr(node.func, 'attr', getattr(node.func, 'id', '')) in ('import_module', '__import__'):
            for given in node.args[:1]:
                if isinstance(given, ast.Constant) and str(given.value).split('.')[0] == 'fastnlp_course': yield known('.'.join(given.value.split('.')[1:])), None, None, node.lineno

def private(name): return name is not None and name.startswith('_') and not name.startswith('__')

def wrong_arrows(name, tree, place):
    "Imports of a room that do not lead to an earlier room, as sentences."
    said = []
    for module, what, _, line in imports(tree, name):
        if (module, what) == ('', '__version__'): continue   # the package's own, and nothing else of it
        if module not in place: said.append(f'{name} line {line} goes through the door {module or "fastnlp_course"}: import the room itself')
        elif place[module] >= place[name]: said.append(f'{name} line {line} imports {module}, which is not an earlier room')
    return said

def taken_in_private(name, tree):
    "Private names of other modules that a module uses, as sentences."
    said, aliases = [], {}
    for module, imported, called, line in imports(tree, name):
        if private(imported): said.append(f'{name} line {line} takes {imported} from {module}')
        if imported is None and called: aliases[called] = module
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and private(node.attr) and ast.unparse(node.value) in aliases:
            said.append(f'{name} line {node.lineno} takes {node.attr} from {aliases[ast.unparse(node.value)]}')
    return said

@pytest.fixture(scope='module')
def place():
    "Room -> its place in the house."
    return {name: i for i, name in enumerate(name for wing in wings for name in opened_by(wing))}

def test_every_room_has_a_place(place):
    assert sorted(place) == sorted(rooms), f'in a wing but not opened by its __init__.py, or the other way round: {set(place) ^ set(rooms)}'

def test_arrows_lead_to_earlier_rooms(place):
    said = [line for name in rooms if name in place for line in wrong_arrows(name, trees[name], place)]
    assert not said, '\n'.join(said)

def test_no_private_name_leaves_its_module():
    said = [line for name, tree in trees.items() for line in taken_in_private(name, tree)]
    assert not said, '\n'.join(said)

def test_no_room_is_too_large():
    sizes = {name: len((package/(name.replace('.', '/') + '.py')).read_text(encoding='utf-8').splitlines()) for name in rooms}
    assert not (large := {name: lines for name, lines in sizes.items() if lines > most_lines}), large

def test_doors_hold_no_logic():
    "A door imports; only the command line's and that of the old addresses also define."
    for name in doors:
        defined = [node.name for node in trees[name].body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
        assert name in ('cli', '_old_addresses') or not defined, f'{name} defines {defined}'

def public_names(tree):
    "The names in `__all__`."
    found = [node.value for node in tree.body if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == '__all__' for t in node.targets)]
    return ast.literal_eval(found[0]) if found else []

def test_the_door_opens_every_room():
    opened = [module for module, name, _, _ in imports(trees['all'], 'all') if name == '*']
    wanted = [name for name in rooms if public_names(trees[name]) and name not in opens_alone]
    assert set(wanted) <= set(opened), f'all.py does not open {set(wanted) - set(opened)}'

def test_a_public_name_has_one_room():
    "Two rooms that export one name would overwrite each other in `fastnlp_course.all`."
    homes = defaultdict(list)
    for name in rooms:
        if name in opens_alone: continue  # the last of them hands on what the others hold
        for public in public_names(trees[name]): homes[public].append(name)
    assert not (twice := {public: found for public, found in homes.items() if len(found) > 1}), twice

def code_cells(path):
    "The sources of a notebook's code cells."
    cells = json.loads(path.read_text(encoding='utf-8'))['cells']
    return [''.join(cell['source']) for cell in cells if cell['cell_type'] == 'code']

def exported_to(path):
    "The modules that a notebook exports to."
    cells = code_cells(path)
    named = {name for cell in cells for name in re.findall(r'^#\|\s*default_exp[ \t]+(\S+)', cell, re.M)}
    elsewhere = {name for cell in cells for name in re.findall(r'^#\|\s*exporti?[ \t]+(\S+)', cell, re.M)}
    return sorted(named | elsewhere), any(re.search(r'^#\|\s*export', cell, re.M) for cell in cells)

notebooks = [path for path in sorted((root/'nbs').rglob('*.ipynb')) if '.ipynb_checkpoints' not in path.parts]

def test_each_notebook_exports_to_one_module_and_back():
    homes = {}
    for path in notebooks:
        modules, exports = exported_to(path)
        if not exports and not modules: continue
        assert len(modules) == 1 and exports, f'{path.name} exports to {modules}'
        assert modules[0] not in homes, f'{path.name} and {homes[modules[0]]} export to {modules[0]}'
        homes[modules[0]] = path.relative_to(root).as_posix()
    assert set(rooms) <= set(homes), f'no notebook writes {set(rooms) - set(homes)}'
    for module, notebook in homes.items():
        first = (package/(module.replace('.', '/') + '.py')).read_text(encoding='utf-8').splitlines()[:10]
        assert any(line.endswith(f'/{notebook}.') for line in first), f'{module} does not say that it comes from {notebook}'

def test_reference_rooms_are_named_after_their_module():
    for path in notebooks:
        modules, _ = exported_to(path)
        if path.parent.name == 'reference' and modules:
            name = modules[0] if '.' in modules[0] else f'ground.{modules[0]}'
            assert path.stem == name.replace('.', '_'), f'{path.name} exports to {modules[0]}'

def test_the_checks_see_what_they_look_for():
    "Each rule above refuses a module that breaks it."
    place = {'files': 0, 'text.tokenization': 1, 'text.subwords': 2, 'training.learner': 3}
    def arrows(source): return wrong_arrows('text.subwords', ast.parse(source), place)
    assert not arrows('from fastnlp_course.text.tokenization import *\nfrom .tokenization import *\nfrom ..files import read_json\nimport os')
    for source in ('from fastnlp_course.training.learner import Learner', 'from ..training.learner import Learner', 'import fastnlp_course.training.learner',
                   'def f():\n    from ..training.learner import Learner', 'importlib.import_module("fastnlp_course.training.learner")', 'from fastnlp_course.all import *'):
        assert len(arrows(source)) == 1, source
    assert taken_in_private('text.subwords', ast.parse('from .tokenization import _rules'))
    assert taken_in_private('text.subwords', ast.parse('from . import tokenization as t\nt._rules'))
    assert taken_in_private('text.subwords', ast.parse('import fastnlp_course.files\nfastnlp_course.files._hidden'))
    assert not taken_in_private('text.subwords', ast.parse('from . import tokenization as t\nt.rules, self._rules'))

def run(code):
    "What `code` prints in a fresh process."
    done = subprocess.run([sys.executable, '-c', code], cwd=root, capture_output=True, text=True, encoding='utf-8')
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()

def test_heavy_libraries_wait():
    "The doors load nothing that a reader of plain text does not need."
    heavy = 'pandas transformers spacy datasets sklearn matplotlib.pyplot lightning accelerate peft sentencepiece tensorboard onnx onnxruntime'.split()
    assert run(f'import sys, fastnlp_course.all; print([name for name in {heavy} if name in sys.modules])') == '[]'

def test_the_other_doors_give_the_same():
    names = "sorted(name for name in vars(module) if not name.startswith('_'))"
    code = f'import fastnlp_course.all as module; one = {names}; import fastnlp_course.text.all as module; two = {names}; import fastnlp_course.vision.all as module; print(one == two == {names}, len(one) > 500)'
    assert run(code) == 'True True'

@pytest.mark.parametrize('wing', wings[1:])
def test_a_wing_opens_alone(wing):
    "Whoever imports one room gets its classes whole, with what later rooms of the wing add to them, and no higher wing."
    higher = [f'fastnlp_course.{name}' for name in wings[wings.index(wing)+1:]]
    room = opened_by(wing)[0]
    assert run(f'import sys, fastnlp_course.{room}; print([name for name in {higher} if name in sys.modules])') == '[]'
