"Spelling, links and metadata of what people read; the files that GitHub shows; citation."
import json
import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

root = Path(__file__).resolve().parent.parent
nbformat = pytest.importorskip('nbformat')
yaml = pytest.importorskip('yaml')

@pytest.fixture
def tools(monkeypatch):
    "The tools can be imported."
    monkeypatch.syspath_prepend(str(root/'tools'))

@pytest.fixture
def config():
    parser = ConfigParser(delimiters=['='])
    parser.read(root/'settings.ini', encoding='utf-8')
    return parser['DEFAULT']

def run_tool(*arguments):
    "A tool of the project: its exit code and all it says."
    done = subprocess.run([sys.executable, *map(str, arguments)], cwd=root, capture_output=True, text=True, encoding='utf-8')
    return done.returncode, done.stdout + done.stderr

# spelling

def test_spelling_of_the_prose():
    pytest.importorskip('codespell_lib')
    code, said = run_tool('tools/check_spelling.py')
    assert code == 0, said

def test_spelling_names_word_and_place(tools, tmp_path, monkeypatch):
    pytest.importorskip('codespell_lib')
    import prose
    from check_spelling import findings
    monkeypatch.setattr(prose, 'address', lambda path: path.name)
    text = tmp_path/'text.md'
    text.write_text('A sentence.\n\nYou will recieve `teh` token.\n\n```sh\nteh\n```\n[the](https://teh.example/adn) <b class="teh">end</b>\n', encoding='utf-8')
    assert findings([text]) == ['text.md:3: recieve: receive?']
    notebook = tmp_path/'lesson.ipynb'
    cells = [nbformat.v4.new_code_cell('# teh'), nbformat.v4.new_markdown_cell('Fine.\nSeperate them.')]
    notebook.write_text(nbformat.writes(nbformat.v4.new_notebook(cells=cells)), encoding='utf-8')
    assert findings([notebook]) == ['lesson.ipynb, cell 1, line 2: Seperate: Separate?']

def test_allowed_words_are_sorted_and_needed():
    words = (root/'tools'/'allowed_words.txt').read_text(encoding='utf-8').split()
    assert words == sorted(set(words)) and all(word == word.lower() for word in words) and len(words) < 40

# links

def test_links_of_the_prose():
    code, said = run_tool('tools/check_links.py')
    assert code == 0, said

@pytest.fixture
def small_site(tools, tmp_path, monkeypatch):
    "A repository of three documents, and what the tool says of a link in the first."
    import check_links
    import prose
    nbs = tmp_path/'nbs'
    nbs.mkdir()
    (tmp_path/'OTHER.md').write_text('# Top\n\n## What goes *wrong*?\n\n## Same\n\n## Same\n\n<a id="here"></a>\n\n```\n# no heading\n```\n', encoding='utf-8')
    (nbs/'01_words.ipynb').write_text(nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell('# Words\n\n## What to remember')])), encoding='utf-8')
    page = tmp_path/'page.md'
    for module in (check_links, prose):
        if hasattr(module, 'root'): monkeypatch.setattr(module, 'root', tmp_path)
        monkeypatch.setattr(module, 'address', lambda path: path.relative_to(tmp_path).as_posix())
    check_links.anchors.cache_clear()
    def broken(text):
        page.write_text(text, encoding='utf-8')
        return check_links.look([page])
    yield broken
    check_links.anchors.cache_clear()

def test_links_that_lead_somewhere(small_site, config):
    own = f"https://github.com/{config['user']}/{config['repo']}/blob/main"
    for link in ('OTHER.md', 'OTHER.md#what-goes-wrong', 'OTHER.md#same-1', 'OTHER.md#here', '#a-page', 'nbs/01_words.ipynb#What-to-remember',
                 'nbs/01_words.ipynb#what-to-remember', '/nbs', f'{own}/OTHER.md#top', f'{own}/nbs/01_words.ipynb'):
        assert small_site(f'# A page\n\n[x]({link})') == ([], {}), link

def test_links_that_lead_nowhere(small_site, config):
    own = f"{config['user']}/{config['repo']}/blob/main"
    for link in ('other.md', 'Other.md', 'nbs/02.ipynb', '../outside.md', f'https://github.com/{own}/GONE.md', f'https://colab.research.google.com/github/{own}/nbs/02.ipynb'):
        broken, _ = small_site(f'one\n\n![a \\[b\\]]({link} "title")')
        assert broken == [f'page.md:3: {link} leads to no file'], link
    for link in ('OTHER.md#no-heading', 'OTHER.md#gone', '#gone', 'nbs/01_words.ipynb#gone'):
        assert 'has no heading for #' in small_site(f'[x]({link})')[0][0], link
    for text in ('[x]: gone.md', '<a href="gone.md">x</a>', '<img src=\'gone.md\'>', '[![badge](gone.md)](OTHER.md)', '[![badge](OTHER.md)](gone.md)'):
        assert [line.split(': ')[1] for line in small_site(text)[0]] == ['gone.md leads to no file'], text

def test_links_in_code_are_none_and_addresses_elsewhere_are_listed(small_site):
    broken, elsewhere = small_site('`[x](gone.md)`\n\n```md\n[x](gone.md)\n```\n[a](https://example.org/a_(b)) <https://example.org/c> [m](mailto:a@b.c)')
    assert broken == [] and dict(elsewhere) == {'https://example.org/a_(b)': ['page.md:6'], 'https://example.org/c': ['page.md:6'], 'mailto:a@b.c': ['page.md:6']}

# notebooks

def test_notebooks_are_clean():
    code, said = run_tool('tools/check_notebooks.py')
    assert code == 0, said

@pytest.mark.parametrize('path', sorted((root/'nbs').rglob('*.ipynb')), ids=lambda path: path.stem)
def test_notebooks_are_what_jupyter_reads(path):
    nbformat.validate(nbformat.read(path, as_version=4))
    kinds = {cell['cell_type'] for cell in json.loads(path.read_text(encoding='utf-8'))['cells']}
    assert kinds <= {'code', 'markdown'}, kinds

def dirty_notebook():
    "A notebook with everything that an editor or a kernel leaves behind."
    widget = nbformat.v4.new_output('display_data', {'application/vnd.jupyter.widget-view+json': {'model_id': 'a'}, 'text/plain': 'Loading: 0%| |'})
    outputs = [widget, nbformat.v4.new_output('stream', name='stderr', text='a warning\n'), nbformat.v4.new_output('stream', name='stdout', text='\x1b[31mred\x1b[0m\n 50%|### | 1/2\nend\n')]
    cell = nbformat.v4.new_code_cell('1', execution_count=3, outputs=outputs, metadata={'collapsed': False, 'execution': {'iopub.execute_input': 'now'}})
    return nbformat.v4.new_notebook(cells=[cell], metadata={'kernelspec': {'name': 'myenv', 'display_name': 'My env', 'language': 'python'}, 'widgets': {}, 'colab': {'provenance': []}})

def test_what_a_session_leaves_is_named_and_mended(tools):
    from check_notebooks import clean, faults
    nb = dirty_notebook()
    said = '\n'.join(faults(nb))
    for what in ("['colab', 'widgets']", "metadata {'collapsed'", 'not cell-000', 'execution count', 'a widget', 'standard error: a warning', 'progress bar', 'colours of a terminal'): assert what in said, what
    assert faults(clean(nb, is_room=True)) == []
    assert nb.cells[0].outputs[0]['text'] == 'red\nend\n'
    assert [fault for fault in faults(clean(dirty_notebook(), is_room=False))] == ['cell 0: writes to standard error: a warning']

def test_places_of_a_computer_and_errors_are_named(tools):
    from check_notebooks import faults_of_output
    for text in ('/home/ann/x.csv', '/Users/ann/x.csv', 'C:\\Users\\ann', f'{root}/nbs'):
        assert 'a place on the computer' in ''.join(faults_of_output(nbformat.v4.new_output('stream', text=text))), text
    assert not list(faults_of_output(nbformat.v4.new_output('stream', text='https://example.org/home at 50% of rows')))
    assert list(faults_of_output(nbformat.v4.new_output('error', ename='ValueError', evalue='', traceback=[]))) == ['an error, ValueError']

# what GitHub shows

def test_citation_agrees_with_settings(config):
    cited = yaml.safe_load((root/'CITATION.cff').read_text(encoding='utf-8'))
    assert cited['version'] == config['version'] and cited['repository-code'] == config['git_url'] and cited['license'] == 'Apache-2.0'
    assert config['lib_name'] in cited['title'] and [author['name'] for author in cited['authors']] == [config['author']]
    assert {'cff-version', 'message', 'type', 'abstract', 'keywords'} <= set(cited)

@pytest.mark.parametrize('name', sorted(path.name for path in (root/'.github'/'ISSUE_TEMPLATE').glob('*.yml')))
def test_issue_templates_fit_their_schema(name):
    pytest.importorskip('check_jsonschema')
    schema = 'issue-config' if name == 'config.yml' else 'issue-forms'
    code, said = run_tool('-m', 'check_jsonschema', '--builtin-schema', f'vendor.github-{schema}', f'.github/ISSUE_TEMPLATE/{name}')
    assert code == 0, said

def test_addresses_in_templates_come_from_settings(config):
    for path in [*(root/'.github').rglob('*.y*ml'), root/'CITATION.cff']:
        for user, repo in re.findall(r'github\.com/([\w-]+)/(fastnlp[\w-]*)', path.read_text(encoding='utf-8')): assert (user, repo) == (config['user'], config['repo']), path.name

def test_a_lesson_can_be_called_unclear():
    form = yaml.safe_load((root/'.github'/'ISSUE_TEMPLATE'/'1-lesson-unclear.yml').read_text(encoding='utf-8'))
    assert 'unclear' in form['name'] and {'lesson', 'sentence', 'understood'} <= {item.get('id') for item in form['body']}

def test_fresh_check_compares_numbers_but_no_times():
    "Numbers count whatever their length; columns of seconds, hashes and file names do not."
    import sys
    sys.path.insert(0, str(root/'tools'))
    from fresh_check import difference
    assert difference('score 0.6931068301200867', 'score 0.69310683012', .01) == []
    assert difference('score 0.6931068301200867', 'score 0.8931068301200867', .01) == ['0.693107 is 0.893107 now']
    assert difference('sha256 0123456789abcdef0123', 'sha256 ffff456789abcdef0123', .01) == []
    table = ['    accuracy  seconds', 'a       0.61       60', 'b       0.62        7']
    assert difference('\n'.join(table), '\n'.join(table).replace('60', '82').replace('7', '1'), .01) == []
    assert difference('\n'.join(table), '\n'.join(table).replace('0.61', '0.71'), .01)
    ranges = ['  loader  milliseconds', '0  ours  9.7 (9.1 to 12.4)']
    assert difference('\n'.join(ranges), '\n'.join(ranges).replace('9.', '8.'), .01) == []
    narrow = ['       accuracy log loss seconds', 'ULMFiT    61.5%    0.642     142']
    assert difference('\n'.join(narrow), '\n'.join(narrow).replace('142', ' 99'), .01) == []
    assert difference('\n'.join(narrow), '\n'.join(narrow).replace('0.642', '0.742'), .01)
    fit = ['epoch  train_loss        time', '    0    0.685636       01:27']
    assert difference('\n'.join(fit), '\n'.join(fit).replace('01:27', '12:05'), .01) == []
