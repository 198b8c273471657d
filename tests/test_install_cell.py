"The first cell of a notebook in Colab and Kaggle: what it asks pip for, what it keeps as it is, and what it says when it fails."
import importlib.metadata
import importlib.util
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

root = Path(__file__).resolve().parent.parent
pytest.importorskip('nbformat')

@pytest.fixture
def cell(monkeypatch):
    "The tool that writes the cell."
    monkeypatch.syspath_prepend(str(root/'tools'))
    import install_cell
    return install_cell

@pytest.fixture
def place(monkeypatch, cell):
    "Runs the cell in a place where some modules are missing and pip does as told; gives what pip was asked."
    class Place:
        missing, code, said, offline, asked, held, works = {'fastnlp_course'}, 0, '', False, [], [], True
        def run(self, command, **options):
            self.asked.append(command)
            self.held = [word for word in command[command.index('1') + 1:-1]]
            if self.works: self.missing = set()
            return SimpleNamespace(returncode=self.code, stdout='', stderr=self.said)
        def __call__(self, extras=(), name='Shell'):
            exec(compile(cell.install_source(list(extras)), 'cell', 'exec'), {'get_ipython': type(name, (), {})})
    here = Place()
    here.asked = []
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name, *rest: None if name in here.missing else find(name, *rest) or name)
    monkeypatch.setattr(subprocess, 'run', here.run)
    def connect(*arguments, **options):
        if here.offline: raise OSError('no route')
        return SimpleNamespace(close=lambda: None)
    monkeypatch.setattr(socket, 'create_connection', connect)
    monkeypatch.delenv('KAGGLE_KERNEL_RUN_TYPE', raising=False)
    monkeypatch.delitem(sys.modules, 'google.colab', raising=False)
    return here

def in_kaggle(monkeypatch): monkeypatch.setenv('KAGGLE_KERNEL_RUN_TYPE', 'Batch')

def test_nothing_happens_elsewhere(place):
    place(['hf'])
    assert place.asked == []

def test_it_installs_with_the_extras_and_keeps_what_is_loaded(place, monkeypatch, cell):
    monkeypatch.setitem(sys.modules, 'google.colab', ModuleType('google.colab'))
    place(['hf', 'models'])
    (command,) = place.asked
    assert command[:4] == [sys.executable, '-m', 'pip', 'install'] and command[-1].startswith('fastnlp_course[hf,models] @ git+https://') and command[-1].endswith(f'@{cell.ref()}')
    for name in ('numpy', 'pandas', 'torch'): assert f'{name}=={importlib.metadata.version(name)}' in place.held
    assert {line.split('==')[0].lower().replace('_', '-') for line in place.held} <= set(cell.kept)
    place(['hf', 'models'])
    assert len(place.asked) == 1                                                  # a second time there is nothing to do

def test_an_extra_of_the_next_lesson_is_installed_later(place, monkeypatch):
    in_kaggle(monkeypatch)
    place.missing = {'peft'}
    place()
    assert place.asked == []
    place(['hf'])
    assert len(place.asked) == 1

@pytest.mark.parametrize('offline, said, words', [
    (True, 'ERROR: whatever', 'the network is off, so fastnlp_course cannot be installed. In Kaggle: Settings, Internet on'),
    (False, 'noise\nERROR: no matching distribution\nmore', 'no cell below will work: ERROR: no matching distribution'),
    (False, '', 'no cell below will work: pip says nothing')])
def test_a_failure_is_one_sentence_and_stops(place, monkeypatch, offline, said, words):
    in_kaggle(monkeypatch)
    place.code, place.said, place.offline, place.works = 1, said, offline, False
    with pytest.raises(Exception, match='fastnlp_course cannot be installed') as raised: place()
    assert words in str(raised.value)
    (line,) = raised.value._render_traceback_()
    assert line == f'NotInstalled: {raised.value}' and '\n' not in line

def test_pip_that_says_yes_and_installs_nothing_is_a_failure(place, monkeypatch):
    in_kaggle(monkeypatch)
    place.works = False
    with pytest.raises(Exception, match='cannot be installed'): place()

def test_a_release_switches_it_from_the_branch_to_its_tag(cell, monkeypatch):
    import project
    config = dict(project.settings())
    def released(version):
        for module in (project, cell): monkeypatch.setattr(module, 'settings', lambda: {**config, 'released': version})
    released('')
    assert '@main' in cell.install_source([]) and 'from its branch main, as no version is released yet' in cell.install_source([])
    released('0.2.0')
    source = cell.install_source(['hf'])
    assert "@v0.2.0'" in source and '@main' not in source and 'this installs the package 0.2.0;' in source
    assert '/blob/v0.2.0/' in project.colab_url(root/'nbs'/'00_first_hour.ipynb') and '/blob/v0.2.0/' in project.kaggle_url(root/'nbs'/'00_first_hour.ipynb')

def test_every_extra_of_a_lesson_can_be_seen(cell):
    "An extra that a header can ask for has a module that shows whether it is there, and stands in settings.ini."
    from notebook_headers import extra_libraries
    from project import settings
    for extra in extra_libraries: assert extra in cell.shown_by and settings()[f'{extra}_requirements']

def test_the_cell_is_counted(cell):
    "It stands on the first screen, so it is code like any other."
    nbformat = pytest.importorskip('nbformat')
    from project import measures
    source = cell.install_source(['hf', 'models'])
    assert measures(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]))['longest'] == len(source.splitlines()) <= 14

def test_requirements_admit_what_the_places_have():
    "Nothing that Colab or Kaggle has is too old for settings.ini."
    from packaging.requirements import Requirement
    from configparser import ConfigParser
    parser = ConfigParser(delimiters=['='])
    parser.read(root/'settings.ini', encoding='utf-8')
    config = parser['DEFAULT']
    wanted = {Requirement(line).name: Requirement(line).specifier for line in config['requirements'].split()}
    for path in sorted((root/'tools'/'places').glob('*.txt')):
        lines = [line for line in path.read_text(encoding='utf-8').split() if '==' in line]
        for name, version in (line.split('==') for line in lines if line[0].isalpha()):
            if name == 'python': assert version >= config['min_python']
            if name in wanted: assert wanted[name].contains(version.replace('*', '99')), f'{name} {version} of {path.stem} is outside {wanted[name]}'
