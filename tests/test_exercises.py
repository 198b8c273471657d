"""Exercises fit together: lessons, their solutions and the checks that are exported from these.

That each solution passes, and each stub and each wrong answer fails with its hint, the notebooks under nbs/solutions hold.
"""
import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fastnlp_course.exercises import check
from fastnlp_course.exercises.core import Exercise, hint, known_checks

root = Path(__file__).resolve().parent.parent
solutions = sorted((root/'nbs'/'solutions').glob('*.ipynb'))
chinese = re.compile(r'[\u4e00-\u9fff]')
quoted = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|\{[^{}]*\}")

def cells_of(path):
    "The cells of a notebook, as (is it code?, source)."
    return [(cell['cell_type'] == 'code', ''.join(cell['source'])) for cell in json.loads(path.read_text(encoding='utf-8'))['cells']]

def exercises_in(cells):
    "The exercises of a solutions notebook: name of the check -> (task, stub without its last line, name of the answer)."
    found, task, stub = {}, None, None
    for is_code, source in cells:
        if not is_code and re.match(r'## \d+\. ', source): task = source.removeprefix('## ')
        elif is_code and (last := re.search(r'^stub = (\w+)$', source, re.M)): stub = source[:last.start()].strip(), last[1]
        elif is_code and (made := re.search(r'^@exercise\(.*?^def (\w+)', source, re.M | re.S)): found[made[1]] = task, *stub
    return found

def section(cells):
    "The section of exercises of a lesson."
    found, inside = [], False
    for is_code, source in cells:
        if not is_code and re.match(r'##? ', source): inside = source.startswith('## Exercises')
        if inside: found.append((is_code, source))
    return found

def stubs_in(cells):
    "The exercises of a lesson: name of the check -> (task, stub without its last line, name of the answer)."
    found, task = {}, None
    for is_code, source in section(cells):
        if not is_code: task = source.removeprefix('### ')
        elif called := re.search(r'^check\.(\w+)\((\w+)\);?\Z', source, re.M): found[called[1]] = task, source[:called.start()].strip(), called[2]
    return found

def texts_in(tree):
    "The pairs of texts, English and Chinese, that the calls of a module hold."
    at = {'exercise': (1, 2), 'hint': (0, 1), 'expect': (1, 2), 'same_values': (2, 3), 'need_kind': (2, 3)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (places := at.get(getattr(node.func, 'id', None))) and len(node.args) > places[1]:
            yield tuple(ast.unparse(node.args[place]) if isinstance(node.args[place], (ast.Constant, ast.JoinedStr)) else None for place in places)

@pytest.mark.parametrize('path', solutions, ids=lambda path: path.stem)
def test_lesson_and_solutions_have_the_same_exercises(path):
    lesson = root/'nbs'/path.name
    assert lesson.exists(), f'there are solutions for {path.stem}, and no such lesson'
    wanted, there = exercises_in(cells_of(path)), stubs_in(cells_of(lesson))
    assert len(wanted) >= 4, f'{path.stem} has {len(wanted)} exercises, at least 4 are wanted'
    assert there == wanted, 'the section of the lesson differs from its solutions'
    for name, (task, stub, answer) in wanted.items():
        made = getattr(check, name)
        assert isinstance(made, Exercise) and made.lesson == path.stem.split('_')[0]
        assert made.task.en.rstrip('.') in task and made.task.zh.rstrip('。') in task, f'{name}: the task in the notebook is not that of the check'
        assert name != answer, f'{name}: the answer has the name of its check'

@pytest.mark.parametrize('path', solutions, ids=lambda path: path.stem)
def test_a_stub_fails_and_is_told_why(path, capsys):
    for name, (_, stub, answer) in exercises_in(cells_of(path)).items():
        scope = {}
        exec(stub, scope)
        assert getattr(check, name)(scope[answer]) is False
        assert re.match(r'not yet: \S', capsys.readouterr().out)

@pytest.mark.parametrize('path', solutions, ids=lambda path: path.stem)
def test_hints_are_said_in_both_languages(path):
    module = next(module for module, lesson in known_checks().values() if lesson == path.stem.split('_')[0])
    tree = ast.parse((root/'fastnlp_course'/'exercises'/f'{module}.py').read_text(encoding='utf-8'))
    pairs = [pair for pair in texts_in(tree) if None not in pair]
    assert pairs
    for en, zh in pairs:
        en, zh = (text[1:].strip('\'"') if text[0] == 'f' else text.strip('\'"') for text in (en, zh))
        assert not chinese.search(quoted.sub('', en)), en
        assert chinese.search(zh) or '{zh' in zh or zh == en, zh        # a name of code is the same in both

@pytest.mark.parametrize('path', solutions, ids=lambda path: path.stem)
def test_no_solution_is_in_the_package(path):
    "No line of a solution that says something stands in a module."
    cells = [source for is_code, source in cells_of(path) if is_code]
    exported = {line.strip() for source in cells if re.match(r'#\|\s*export', source) for line in source.splitlines()}
    own = {line.strip() for source in cells if not source.startswith('#|') for line in source.splitlines()}
    assert not {line for line in exported & own if len(line) > 25 and not line.startswith(('import ', 'from '))}

@pytest.mark.parametrize('path', solutions, ids=lambda path: path.stem)
def test_each_check_is_held(path):
    sources = '\n'.join(source for is_code, source in cells_of(path) if is_code)
    for name in exercises_in(cells_of(path)): assert re.search(rf'^held\({name}, solution=', sources, re.M), f'{name} is not held'

def questions_in(cells):
    "The questions of a lesson, and the cell behind the one that asks for a number."
    asked, behind = [], None
    for (is_code, source), following in zip(cells, [*cells[1:], (False, '')]):
        if is_code or '<details>' not in source: continue
        found = re.findall(r'<details><summary>(.+?)</summary>(.+?)</details>', source, re.S)
        asked += found
        if found and found[-1][0].startswith('Predict'): behind = following
    return asked, behind

@pytest.mark.parametrize('path', solutions, ids=lambda path: path.stem)
def test_a_lesson_asks_eight_questions(path):
    "Half of them ask why, one for a number that the cell behind it prints, and each has an answer below its fold."
    asked, behind = questions_in(cells_of(root/'nbs'/path.name))
    assert len(asked) >= 8, f'{len(asked)} questions'
    whys = sum(bool(re.search(r'\bwhy\b', question, re.I)) for question, _ in asked)
    assert 2*whys >= len(asked) - 1, f'{whys} of {len(asked)} ask why'
    assert behind and behind[0], 'the last question asks to predict a number, and a code cell stands behind it'
    assert not any('`' in text for pair in asked for text in pair), 'Markdown is not read below a fold: write <code>'

def test_every_check_has_its_notebook():
    "No name is there twice, and every module of checks has its notebook."
    names = [name for path in solutions for name in exercises_in(cells_of(path))]
    assert sorted(names) == sorted(known_checks()), set(names) ^ set(known_checks())
    assert set(dir(check)) == {'progress', 'reset', *names}

def python(code, **environment):
    "What a fresh process prints."
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, encoding='utf-8', env={**os.environ, 'PYTHONIOENCODING': 'utf-8', **environment})
    assert done.returncode == 0, done.stderr
    return done.stdout

def test_only_one_lesson_is_loaded(tmp_path):
    said = python("""import sys
from fastnlp_course.exercises import check
def loaded(): return sorted(name.split('.')[-1] for name in sys.modules if name.startswith('fastnlp_course.exercises.'))
print(loaded(), len(dir(check)) > 5, loaded())
print(check.mends_words(None), loaded())
try: check.mend_word
except AttributeError as error: print(error)""", FASTNLP_HOME=str(tmp_path), FASTNLP_LANG='zh')
    lines = said.splitlines()
    assert lines[0] == "['core'] True ['core']"
    assert lines[1].startswith('还没好'), lines
    assert lines[2] == "False ['core', 'tokenization']" and '是不是想写 check.mends_words？' in lines[3]
    assert not list(tmp_path.iterdir()), 'a wrong answer leaves nothing behind'

def in_chinese(said):
    "Is every line Chinese, but for code, what it quotes, and the rows of the board?"
    for line in said.splitlines():
        if re.match(r'\d+[a-z]? +\w+ +[✓·]', line) or not line.strip(): continue
        plain = re.sub(r'✓ \w+', '', quoted.sub('', line))
        assert chinese.search(plain) or not plain.strip(), line
        assert not re.search(r'\b(?:the|is|are|of|not|you|and|should|gives|exercises?|lesson)\b', plain), line

@pytest.fixture
def speaks_chinese(tmp_path, monkeypatch):
    monkeypatch.setenv('FASTNLP_HOME', str(tmp_path))
    monkeypatch.setenv('FASTNLP_LANG', 'zh')
    return tmp_path

@pytest.mark.parametrize('lesson', sorted({lesson for _, lesson in known_checks().values()}))
def test_every_check_answers_in_chinese(lesson, speaks_chinese, capsys):
    "Whatever comes: nothing, things of the wrong kind, functions that fail, that give nothing or nonsense."
    def fails(*_, **__): raise RuntimeError('')
    for name in [name for name, (_, where) in known_checks().items() if where == lesson]:
        made = getattr(check, name)
        for answer in (None, ..., 0, 'x', [], {}, fails, lambda *_, **__: None, lambda *_, **__: 'x'): assert made(answer) is False, name
        said = capsys.readouterr().out
        assert said.count('还没好：') == 9
        in_chinese(re.sub(r'\b\w+Error\b', '', said))
        assert chinese.search(repr(made)) and made.task.zh in repr(made)

def test_the_board_and_its_faults_speak_chinese(speaks_chinese, capsys):
    check.progress()
    check.progress('01')
    check.progress('99')
    check.reset()
    (speaks_chinese/'progress.json').write_text('{"solved": []}', encoding='utf-8')
    check.progress('01')
    said = capsys.readouterr().out
    said = said.replace(str(speaks_chinese), '')
    for words in ('已完成 0/', '没有练习', '重新打开', '无法读取进度记录', '不是进度记录'): assert words in said
    in_chinese(said)
    assert '道练习' in repr(check) and '第 01 课的练习' in repr(check.mends_words)
    with pytest.raises(ValueError, match='既不是课的编号'): check.reset('no_such')
    with pytest.raises(AttributeError, match='没有名为'): check.nothing_like_it_at_all
    (speaks_chinese/'progress.json.damaged').unlink()
    Exercise(lambda answer: None, '01', hint('a', '甲'), None, 1)(3)
    assert capsys.readouterr().out == '✓ <lambda>\n'

@pytest.mark.parametrize('language, first', [('', 'not yet'), ('en', 'not yet'), ('zh', '还没好'), ('zh_CN', '还没好'), ('ZH-Hans', '还没好')])
def test_the_language_is_asked_for_at_each_call(language, first, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('FASTNLP_HOME', str(tmp_path))
    monkeypatch.setenv('FASTNLP_LANG', language)
    check.mends_words(None)
    assert capsys.readouterr().out.startswith(first)

@pytest.fixture
def solved_board(tmp_path, monkeypatch):
    "A home of its own, in which one exercise is solved."
    monkeypatch.setenv('FASTNLP_HOME', str(tmp_path))
    monkeypatch.delenv('FASTNLP_LANG', raising=False)
    assert check.mends_words(lambda text: ' '.join(mended(word) for word in text.split(' '))) is True
    return tmp_path/'progress.json'

def mended(word):
    try: return word.encode('latin-1').decode('utf-8')
    except UnicodeError: return word

def test_the_score_board(solved_board, capsys):
    check.progress('01')
    said = capsys.readouterr().out
    assert '✓ mends_words' in said and '· bounded_memory' in said and '1 of 5 exercises solved' in said
    check.progress()
    assert len(capsys.readouterr().out.splitlines()) >= 2
    check.progress('99')
    assert "lesson '99' has no exercises" in capsys.readouterr().out
    with pytest.raises(ValueError, match='neither a lesson nor an exercise'): check.reset('no_such')
    check.reset('00')
    assert '0 exercises' in capsys.readouterr().out
    check.reset('01')
    assert '1 exercises' in capsys.readouterr().out and json.loads(solved_board.read_text(encoding='utf-8'))['solved'] == {}

@pytest.mark.parametrize('content', [b'', b'{"solved": ', b'[]', b'{"solved": {"mends_words": 3}}', b'\xff\xfe', b'{"solved": []}'])
def test_a_damaged_score_board_is_set_aside(content, solved_board, capsys):
    solved_board.write_bytes(content)
    check.progress('01')
    said = capsys.readouterr().out
    assert 'set aside' in said and '0 of 5' in said
    assert solved_board.with_name('progress.json.damaged').read_bytes() == content

def test_a_home_that_cannot_be_written_costs_the_score_only(tmp_path, monkeypatch, capsys):
    (tmp_path/'file').write_text('')
    monkeypatch.setenv('FASTNLP_HOME', str(tmp_path/'file'/'home'))
    monkeypatch.delenv('FASTNLP_LANG', raising=False)
    Exercise(lambda answer: None, '01', hint('a', '甲'), None, 1)(3)
    said = capsys.readouterr().out
    assert said.startswith('✓') and 'not written' in said
