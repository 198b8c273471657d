"`fastnlp capstone FOLDER`: from a table to ten of ten points with the commands alone, what is said on the way, exit codes, and Chinese."
import json
import os
import random
import re
import shutil
import subprocess
import sys
import warnings

import pandas as pd
import pytest

signs = {'praise': ['lovely', 'moving', 'bright', 'warm'], 'blame': ['dull', 'noisy', 'broken', 'late']}

def letters(n=130):
    "A table whose labels can be learned, and no two texts alike."
    draw = random.Random(1)
    words = [''.join(draw.choices('abcdefghijklmnop', k=6)) for _ in range(900)]
    def sentence(label): return ' '.join(draw.sample([draw.choice(signs[label if draw.random() > .1 else 'praise']), *draw.choices(words, k=8)], 9))
    return pd.DataFrame([(sentence(label), label) for _ in range(n) for label in signs], columns=['text', 'label'])

@pytest.fixture
def ask(monkeypatch):
    "Run a command here; returns (exit code, what it said)."
    from typer.testing import CliRunner
    from fastnlp_course.cli import app
    monkeypatch.setattr(warnings, 'showwarning', warnings.showwarning)      # the command sets its own
    monkeypatch.delenv('FASTNLP_LANG', raising=False)
    def run(*arguments):
        done = CliRunner().invoke(app, [*map(str, arguments)])
        return done.exit_code, done.output
    return run

@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    "What train-classifier leaves."
    from typer.testing import CliRunner
    from fastnlp_course.cli import app
    home, shown = tmp_path_factory.mktemp('capstone'), warnings.showwarning
    letters().to_csv(home/'letters.csv', index=False)
    done = CliRunner().invoke(app, ['train-classifier', str(home/'letters.csv'), '--model', 'tfidf', '--out', str(home/'run')])
    warnings.showwarning = shown
    assert done.exit_code == 0, done.output
    return home/'run'

@pytest.fixture
def run(trained, tmp_path):
    "A copy of it, to be worked on."
    shutil.copy(trained.parent/'letters.csv', tmp_path)
    return shutil.copytree(trained, tmp_path/'run')

def fastnlp(*arguments, **variables):
    "Run the command in a process of its own."
    return subprocess.run([sys.executable, '-m', 'fastnlp_course.cli', *map(str, arguments)], capture_output=True, text=True, encoding='utf-8', env={**os.environ, 'PYTHONIOENCODING': 'utf-8', **variables})

def test_help_and_a_folder_that_is_none(tmp_path):
    done = fastnlp('capstone', '-h')
    assert done.returncode == 0 and 'Example: fastnlp capstone' in done.stdout and '--notes' in done.stdout
    done = fastnlp('capstone', tmp_path/'nowhere', FASTNLP_LANG='')
    assert done.returncode == 1 and 'nowhere is no folder' in done.stderr and 'Traceback' not in done.stderr and done.stdout == ''
    done = fastnlp('capstone', tmp_path/'nowhere', '--notes', FASTNLP_LANG='zh')
    assert done.returncode == 1 and '不是文件夹' in done.stderr and 'Traceback' not in done.stderr

def test_what_training_alone_is_worth(run, ask):
    code, said = ask('capstone', run, '--json', run.parent/'points.json')
    assert code == 1 and said.splitlines()[-1] == '6 of 10 points', said
    assert f'fastnlp capstone {run} --notes' in said and f'fastnlp card {run/"model"}' in said and f'fastnlp space {run/"model"}' in said and 'fastnlp predict' in said
    found = json.loads((run.parent/'points.json').read_text(encoding='utf-8'))
    assert [one['name'] for one in found['points'] if not one['holds']] == ['mistakes read', 'card', 'form for others', 'new text'] and (found['got'], found['of']) == (6, 10)
    assert all(re.search('[\u4e00-\u9fff]', one['zh']) and not re.search('[\u4e00-\u9fff]', one['en']) for one in found['points'])

def test_the_whole_way(run, ask):
    model = run/'model'
    assert ask('capstone', run, '--notes')[0] == 0
    notes = (run/'notes.md').read_text(encoding='utf-8')
    for i in range(6): notes = notes.replace('What is wrong: \n', f'What is wrong: sign number {i} speaks against the label\n', 1)
    (run/'notes.md').write_text(notes, encoding='utf-8')
    assert ask('card', model)[0] == 0
    with open(model/'README.md', 'a', encoding='utf-8') as card: card.write('\nFor a first look at letters to our office, sorted by hand afterwards. It must not be used to decide about a person. All writers agreed.\n')
    assert ask('space', model, run/'space')[0] == 0
    assert ask('predict', model, 'A warm evening with qwertz', '--out', run/'new.csv')[0] == 0
    code, said = ask('capstone', run)
    assert code == 0 and said.splitlines()[-1] == '10 of 10 points', said
    assert ask('capstone', run, '--notes')[0] == 1                       # notes are not written over
    assert (run/'notes.md').read_text(encoding='utf-8') == notes

def test_it_speaks_chinese(run, ask, monkeypatch):
    monkeypatch.setenv('FASTNLP_LANG', 'zh')
    code, said = ask('capstone', run)
    assert code == 1 and said.splitlines()[-1] == '6/10 分' and '没有' in said and '模型卡' in said
    assert ask('capstone', run, '--notes')[0] == 0 and '错在哪里：' in (run/'notes.md').read_text(encoding='utf-8')

def test_films_of_the_course_are_not_ones_own(tmp_path, ask):
    assert ask('sample', tmp_path/'films.csv', '--rows', 300)[0] == 0
    assert ask('train-classifier', tmp_path/'films.csv', '--model', 'tfidf', '--out', tmp_path/'films')[0] == 0
    code, said = ask('capstone', tmp_path/'films')
    assert code == 1 and '300 of the 300 texts in films.csv come with the course' in said

def test_the_table_may_lie_elsewhere(run, ask):
    moved = run.parent/'elsewhere'
    moved.mkdir()
    (run.parent/'letters.csv').rename(moved/'mine.csv')
    report = json.loads((run/'report.json').read_text(encoding='utf-8'))
    report['options']['file'] = '/no/such/place/letters.csv'
    (run/'report.json').write_text(json.dumps(report), encoding='utf-8')
    assert 'or pass --data' in ask('capstone', run)[1]
    assert ask('capstone', run, '--data', moved/'mine.csv')[1].splitlines()[-1] == '6 of 10 points'
    code, said = ask('capstone', run, '--data', run/'predictions.csv')
    assert code == 1 and 'predictions.csv has other rows than the run' in said

def test_what_a_stranger_wrote_is_only_text(run, ask):
    "Nothing reaches the terminal as a command, and nothing that lies there is run."
    (run/'space').mkdir()
    (run/'space'/'app.py').write_text('raise SystemExit(9)')
    (run/'model_onnx').mkdir()
    (run/'model_onnx'/'run.py').write_text('raise SystemExit(9)')
    for name in ('config.json', 'model.onnx'): (run/'model_onnx'/name).write_text('{"format": "fastnlp_course onnx", "labels": ["\x1b]0;gone\x07"]}')
    report = json.loads((run/'metrics.json').read_text(encoding='utf-8'))
    report['recommended'] = '\x1b[2Jgone'
    (run/'metrics.json').write_text(json.dumps(report), encoding='utf-8')
    code, said = ask('capstone', run)
    assert code == 1 and '\x1b' not in said and 'Traceback' not in said
