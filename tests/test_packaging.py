"settings.ini is the one place for name, version, requirements and addresses; everything else agrees with it."
import fnmatch
import re
import runpy
import subprocess
import sys
import tomllib
from configparser import ConfigParser
from pathlib import Path

import pytest

root = Path(__file__).resolve().parent.parent

@pytest.fixture(scope='module')
def config():
    parser = ConfigParser(delimiters=['='])
    parser.read(root/'settings.ini', encoding='utf-8')
    return parser['DEFAULT']

def requirements(config, name='requirements'): return config[name].split()

def pins(path):
    "Package name -> the requirement that a constraints file holds for it."
    from packaging.requirements import Requirement
    lines = [line.split('#')[0].strip() for line in path.read_text(encoding='utf-8').splitlines()]
    return {canonical(found.name): found for line in lines if line for found in [Requirement(line)]}

def canonical(name):
    "The one spelling of a package's name."
    return re.sub('[-_.]+', '-', name).lower()

def run_tool(*arguments):
    "A tool of the project, with what it says if it fails."
    done = subprocess.run([sys.executable, *map(str, arguments)], cwd=root, capture_output=True, text=True, encoding='utf-8')
    assert done.returncode == 0, done.stdout + done.stderr

def test_version(config):
    import fastnlp_course
    assert fastnlp_course.__version__ == config['version']

def test_pyproject_agrees_with_settings(config):
    pyproject = tomllib.loads((root/'pyproject.toml').read_text(encoding='utf-8'))
    assert 'project' not in pyproject, 'pyproject.toml holds the build system and [tool.nbdev] only'
    for key in ('lib_path', 'nbs_path', 'tst_flags'): assert pyproject['tool']['nbdev'][key] == config[key], key

@pytest.fixture
def setup_arguments(monkeypatch):
    "What setup.py hands to setuptools."
    setuptools = pytest.importorskip('setuptools')
    given = {}
    monkeypatch.setattr(setuptools, 'setup', lambda **arguments: given.update(arguments))
    monkeypatch.chdir(root)
    runpy.run_path(str(root/'setup.py'))
    return given

def test_setup_reads_settings(config, setup_arguments):
    assert setup_arguments['name'] == config['lib_name']
    assert setup_arguments['version'] == config['version']
    assert setup_arguments['description'] == config['description']
    assert setup_arguments['url'] == config['git_url']
    assert setup_arguments['python_requires'] == f">={config['min_python']}"
    assert setup_arguments['install_requires'] == requirements(config)
    assert setup_arguments['entry_points'] == {'console_scripts': requirements(config, 'console_scripts')}
    for name, packages in setup_arguments['extras_require'].items(): assert packages == requirements(config, f'{name}_requirements'), name

def test_setup_repeats_nothing(config):
    "No value of settings.ini stands in setup.py a second time."
    source = (root/'setup.py').read_text(encoding='utf-8')
    for value in (config['version'], config['git_url'], config['description'], config['console_scripts'], *requirements(config)):
        assert value not in source, value

def test_wheel_contents(setup_arguments):
    "The embedded sets with their licences and provenance are packaged; notebooks, tests and tools are not."
    assert all(name.split('.')[0] == 'fastnlp_course' for name in setup_arguments['packages'])
    package = root/'fastnlp_course'
    files = [path.relative_to(package).as_posix() for path in package.rglob('*') if path.is_file()]
    packaged = [name for name in files if any(fnmatch.fnmatch(name, pattern) for pattern in setup_arguments['package_data']['fastnlp_course'])]
    assert {f'assets/{name}{end}' for name in ('reviews', 'phrases') for end in ('.csv.gz', '.LICENSE.txt', '.README.md')} <= set(packaged)
    assert not [name for name in files if name.endswith('.ipynb')]

def test_constraints_meet_the_requirements(config):
    from packaging.requirements import Requirement
    tested = pins(root/'constraints.txt')
    for line in requirements(config) + requirements(config, 'dev_requirements'):
        wanted = Requirement(line)
        pin = tested.get(canonical(wanted.name))
        if pin is None: continue  # pins that keep other packages in place have no version of their own
        version = str(pin.specifier).removeprefix('==')
        assert wanted.specifier.contains(version, prereleases=True), f'{pin} in constraints.txt is outside {wanted}'
    missing = {canonical(Requirement(line).name) for line in requirements(config)} - tested.keys()
    assert not missing, f'constraints.txt has no tested version of {missing}'
    assert str(tested['torch'].specifier) == '==2.13.0'

def test_oldest_meet_the_requirements(config):
    from packaging.requirements import Requirement
    path = root/'constraints-oldest.txt'
    oldest = pins(path)
    for line in requirements(config):
        wanted = Requirement(line)
        version = str(oldest[canonical(wanted.name)].specifier).removeprefix('==')
        assert wanted.specifier.contains(version), f'{wanted.name} {version} in {path.name} is outside {wanted}'

def test_bounds_are_stated(config):
    for line in requirements(config): assert re.search(r'>=\d', line), f'{line} states no lower bound'

def test_console_script(config):
    script, target = config['console_scripts'].split('=')
    module, name = target.split(':')
    assert script == 'fastnlp'
    source = (root/(module.replace('.', '/') + '.py')).read_text(encoding='utf-8')
    assert re.search(rf'^{name}\s*=', source, re.M)

def test_the_package_carries_the_results():
    assert (root/'benchmarks'/'results.md').read_bytes() == (root/'fastnlp_course'/'assets'/'results.md').read_bytes(), 'copy benchmarks/results.md to fastnlp_course/assets'

def test_readme_is_made_from_the_index(): run_tool('tools/make_readme.py', '--check')

def test_headers_of_the_lessons(): run_tool('tools/notebook_headers.py', '--check')

@pytest.fixture
def tools(monkeypatch):
    "The tools can be imported."
    monkeypatch.syspath_prepend(str(root/'tools'))

def test_lessons_are_measured_as_the_design_says(tools):
    nbformat = pytest.importorskip('nbformat')
    from check_lessons import broken
    from project import measures
    def notebook(words, *cells):
        return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell('word '*words), *map(nbformat.v4.new_code_cell, cells)])
    found = measures(notebook(360, 'a = 1\n\nb = 2', '#| export\n' + 'c = 3\n'*39))
    assert found['minutes'] == pytest.approx(360/180 + (2 + 40)*4.5/60) and found['cells'] == 2
    assert (found['median'], found['longest'], found['longest exported'], found['over 30']) == (21, 40, 40, [40])
    assert measures(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell('中文 two words')]))['minutes'] == pytest.approx(4/180)
    assert measures(notebook(360, '#| fig-alt: Two lines rise.\na = 1\n\nb = 2', '#| export\n' + 'c = 3\n'*39)) == found, 'what is said of a picture is no reading'
    assert len(broken('a', found, True)) == 2 and not broken('a', found, False)            # median and longest exported
    assert len(broken('a', measures(notebook(10, 'a = 1\n'*61)), False)) == 1
    assert not broken('a', measures(notebook(8900, *['a = 1']*7)), True) and broken('a', measures(notebook(9100, *['a = 1']*7)), True)

def test_minutes_are_not_written_by_hand(tools):
    pytest.importorskip('nbformat')
    from notebook_headers import reads_by_hand, without_minutes
    for by_hand, kept in {'*About 30 minutes to read, a minute to run on a laptop CPU.*': 'Hardware: a laptop CPU, a minute to run.',
                          '*About 12 minutes to read, a few seconds to run anywhere.*': 'Hardware: any computer, a few seconds to run.',
                          'Time: 50 minutes of reading, 1 minute of running. Hardware: any CPU.': 'Hardware: any CPU, 1 minute to run.',
                          '45 minutes. A laptop is enough.': 'Hardware: a laptop is enough.'}.items():
        assert reads_by_hand(by_hand) and without_minutes(by_hand) == kept and not reads_by_hand(kept)

def test_addresses_come_from_settings(config):
    "The repository's address is written by tools, never by hand."
    for path in [*root.glob('*.md'), *(root/'nbs').rglob('*.ipynb')]:
        for user, repo in re.findall(r'github(?:\.com|/blob)?/([\w-]+)/(fastnlp[\w-]*)', path.read_text(encoding='utf-8')):
            assert (user, repo) == (config['user'], config['repo']), path.name

def workflow_commands():
    "The commands of the workflow."
    source = (root/'.github'/'workflows'/'test.yaml').read_text(encoding='utf-8')
    return re.findall(r'^[ -]*run:[ ]*(\S.*)$', source, re.M)

def test_workflow_steps_are_make_targets():
    targets = set(re.findall(r'^([\w-]+):(?!=)', (root/'Makefile').read_text(encoding='utf-8'), re.M))
    commands = workflow_commands()
    assert {'make test', 'make test-oldest', 'make test-newest', 'make workflow-check'} <= set(commands)
    for command in commands:
        assert command.startswith('make ') and command.split()[1] in targets, command

def test_workflow_fits_the_schema():
    pytest.importorskip('check_jsonschema')
    run_tool('-m', 'check_jsonschema', '--builtin-schema', 'vendor.github-workflows', '.github/workflows/test.yaml')

def test_project_files():
    assert (root/'LICENSE').read_text(encoding='utf-8').lstrip().startswith('Apache License')
    changes = (root/'CHANGELOG.md').read_text(encoding='utf-8')
    assert 'Keep a Changelog' in changes and '## [Unreleased]' in changes
    assert 'tools/run_notebooks.py' in (root/'CONTRIBUTING.md').read_text(encoding='utf-8')
