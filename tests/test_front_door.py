"README.md, the front door: figures as measured, commands that exist, pictures with words, nothing that breaks on GitHub."
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

root = Path(__file__).resolve().parent.parent
readme = (root/'README.md').read_text(encoding='utf-8')
pytest.importorskip('nbformat')

@pytest.fixture
def door(monkeypatch):
    "The tool that makes the parts of README.md."
    monkeypatch.syspath_prepend(str(root/'tools'))
    import front_door
    return front_door

def blocks():
    "Language and text of the fenced and indented blocks."
    fenced = re.findall(r'^```(\w*)\n(.*?)^```', readme, re.M | re.S)
    return fenced + [('', block) for block in re.findall(r'(?:^    .*\n)+', readme, re.M)]

def test_figures_are_those_of_the_results(door, monkeypatch, tmp_path):
    table = door.figures()
    assert table in readme and table.count('**') == 6
    for command in re.findall(r'`python benchmarks/(\w+\.py)', table): assert (root/'benchmarks'/command).exists()
    small = tmp_path/'results.md'
    small.write_text('# Results\n\n## Language model loader\n\n| documents | loader |\n| --- | --- |\n| few | store |\n', encoding='utf-8')
    monkeypatch.setattr(door, 'results', small)
    with pytest.raises(SystemExit, match="no section 'Tokenization: 50,000 IMDb reviews', from which README.md takes a figure"): door.figures()
    assert door.row('Language model loader', 'few') == ['few', 'store']
    with pytest.raises(SystemExit, match='has no row many'): door.row('Language model loader', 'many')

def test_limits_are_those_of_the_results(door):
    assert door.limits() in readme and len(door.gains()) == 4 and all(re.fullmatch(r'[+−]\d+\.\d with (all|[\d,]+)', gain) for gain in door.gains())

def test_install_lines_name_a_release_once_there_is_one(door, monkeypatch):
    config = dict(door.settings())
    for released, ref in (('', config['branch']), ('0.2.0', 'v0.2.0')):
        for module in (door, door.project): monkeypatch.setattr(module, 'settings', lambda: {**config, 'released': released})
        assert f'@{ref}"' in door.install() and f'/{ref}/constraints.txt' in door.install()
    assert 'version = {0.2.0}' in door.citation()

def test_blocks_are_narrow():
    for language, text in blocks():
        for line in text.splitlines():
            limit = 200 if language in ('sh', 'python') else 160             # commands are copied whole; what is wider than this is a table that breaks
            assert len(line) <= limit, f'{len(line)} characters: {line[:80]}'

def test_pictures_have_words_and_are_there():
    pictures = re.findall(r'!\[([^\]]*)\](?:\(([^)]+)\)|\[([^\]]+)\])', readme)
    addresses = dict(re.findall(r'^\[([^\]]+)\]: (\S+)$', readme, re.M))
    assert len(pictures) > 30
    for words, path, name in pictures:
        assert words and (root/(path or addresses[name])).is_file(), (words, path, name)

def test_lessons_have_number_minutes_and_two_badges():
    addresses = dict(re.findall(r'^\[([^\]]+)\]: (\S+)$', readme, re.M))
    for path in sorted((root/'nbs').glob('[0-9]*.ipynb')):
        number = path.stem.split('_')[0]
        row = next(line for line in readme.splitlines() if line.startswith(f'| {number} | '))
        assert f'(nbs/{path.name})' in row and re.search(r'\| \d+ \| \[!\[Colab\]\[c\]\]\[c\w+\] \[!\[Kaggle\]\[k\]\]\[k\w+\] \|$', row), row
        assert len(re.sub(r'\[[^\]]*\]$', '', row)) < 400
        assert addresses[f'c{number}'].endswith(path.name) and addresses[f'k{number}'].endswith(path.name)

def test_each_lesson_takes_up_the_one_before_and_leaves_something_open():
    "The first section names the lesson before, in its first sentences; the last lines to remember say what is still open."
    sys.path.insert(0, str(root/'tools'))
    from project import lessons
    import nbformat
    paths = lessons()
    for before, path in zip([None, *paths], paths):
        texts = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == 'markdown']
        opening = next(text for text in texts if text.startswith('## ')).split('\n\n')[1]
        named = 'first hour' if before and before.stem.startswith('00') else f"lesson {before.stem.split('_')[0]}" if before else ''
        assert named in opening.lower(), (path.name, opening)
        kept = next(text for text in texts if '## What to remember' in text).split('## Questions')[0].strip()
        assert kept.split('\n\n')[-1].startswith('Still open: '), (path.name, kept[-200:])

def test_pictures_are_drawn_by_their_tool():
    done = subprocess.run([sys.executable, 'tools/draw_images.py', '--check'], cwd=root, capture_output=True, text=True, encoding='utf-8')
    assert done.returncode == 0, done.stdout + done.stderr

def test_commands_exist():
    "Every `fastnlp COMMAND --option` of README.md is one."
    import typer
    from fastnlp_course.cli import app
    commands = typer.main.get_command(app).commands
    lines = [line for language, text in blocks() if language == 'sh' for line in text.splitlines()] + re.findall(r'`(fastnlp [^`]+)`', readme)
    seen = set()
    for line in lines:
        if not (found := re.match(r'fastnlp ([\w-]+)(.*)', line.split(' #')[0])): continue
        assert found[1] in commands, line
        seen.add(found[1])
        options = {option for parameter in commands[found[1]].params for option in [*parameter.opts, *parameter.secondary_opts]}
        for option in re.findall(r'(--[\w-]+)', found[2]): assert option in options, line
    assert {'sample', 'train-classifier', 'predict', 'generate', 'doctor', 'demo'} <= seen
    listed = re.search(r'commands     fastnlp (.*?)\n application', readme, re.S)[1]
    assert set(re.findall(r'[\w-]+', listed)) == set(commands)

def test_what_a_first_screen_holds():
    first = readme.split('\n## ')[0]
    for part in ('**The fast.ai NLP course', 'For people who', '](nbs/images/way.svg)', '<!-- figures -->'): assert part in first
    headings = re.findall(r'^## (.+)$', readme, re.M)
    assert headings[:4] == ['Two commands', 'Install', 'Your own texts', 'The course'] and {'Limits', 'Ask, contribute, cite'} <= set(headings)

# README.zh.md

in_chinese = (root/'README.zh.md').read_text(encoding='utf-8')

def sections_of(text):
    "What stands below each heading of the second level, without what lessons promise and without addresses."
    text = re.sub(r'^(\| \w+ \| \[.*?\]\(.*?\) \|).*?(\| \d+ \|)', r'\1\2', text, flags=re.M)
    return re.split(r'^## .+$', re.sub(r'^\[\w+\]: \S+$|\(nbs/zh/[^)]*\)', '', text, flags=re.M), flags=re.M)

def figures_of(text):
    "All figures of a text, counted; 13.7 million and 1,370 wan are the same."
    sizes = {'million': 10**6, '万': 10**4, '亿': 10**8}
    found = re.findall(r'(?<![\w.])([−+]?\d[\d,]*(?:\.\d+)*)(?: (million|万|亿))?', text)
    return Counter(str(round(float(number.replace(',', ''))*sizes[size])) if size else number.rstrip(',') for number, size in found)

def test_chinese_readme_is_made_by_the_tool(monkeypatch):
    monkeypatch.syspath_prepend(str(root/'tools'))
    import front_door_zh
    assert front_door_zh.readme_zh(readme) == in_chinese, 'run make readme'
    with pytest.raises(SystemExit, match="0 blocks of README.md hold 'no such words'"): front_door_zh.block(readme, 'no such words')
    with pytest.raises(SystemExit, match='has 2 comments, and 1 are translated'): front_door_zh.block(readme, 'make demo    #', ['one'])
    for path in (root/'nbs').glob('[0-9]*.ipynb'): assert front_door_zh.promise(path).endswith(('。', '？', '！')), path.stem

def test_both_readmes_have_the_same_commands(monkeypatch):
    monkeypatch.syspath_prepend(str(root/'tools'))
    from front_door_zh import blocks as all_blocks, comment
    english, chinese = ([comment.sub('', block) for block in all_blocks(text)] for text in (readme, in_chinese))
    assert english == chinese and len(english) > 12
    def inline(text): return set(re.findall(r'(?<!`)`((?:fastnlp|make|pip|python|sudo|wsl)\b[^`]*)`', text))
    assert inline(readme) == inline(in_chinese)

def test_both_readmes_have_the_same_figures():
    english, chinese = sections_of(readme), sections_of(in_chinese)
    assert len(english) == len(chinese) == 9
    for ours, theirs in zip(english, chinese): assert figures_of(ours) == figures_of(theirs), theirs[:60]
    assert figures_of('13.7 million, 1,000 and −2.3 of v2') == figures_of('1,370 万、1,000 和 −2.3') == Counter(['13700000', '1,000', '−2.3'])

def test_both_readmes_have_the_same_links():
    def targets(text): return set(re.findall(r'\]\(([^)]+)\)|^\[\w+\]: (\S+)$', text, re.M))
    own = {('README.zh.md', ''), ('README.md', ''), ('nbs/glossary.md', ''), ('nbs/glossary.zh.md', '')}
    own |= {(path.relative_to(root).as_posix(), '') for path in (root/'nbs/zh').glob('*.ipynb')}
    assert targets(readme) - own == targets(in_chinese) - own
    assert '[中文](README.zh.md)' in readme.split('\n## ')[0] and '[English](README.md)' in in_chinese.split('\n## ')[0]
