"The command line: help, a small run that stops and goes on, prediction, generation, errors."
import gc
import json
import os
import subprocess
import sys

import pandas as pd
import pytest

def fastnlp(*arguments, cwd=None, **variables):
    "Run the command in a process of its own."
    return subprocess.run([sys.executable, '-m', 'fastnlp_course.cli', *map(str, arguments)], capture_output=True, text=True,
                          encoding='utf-8', cwd=cwd, env={**os.environ, 'PYTHONIOENCODING': 'utf-8', **variables})

@pytest.fixture(scope='module')
def table(tmp_path_factory):
    "A CSV with texts that can be told apart."
    folder = tmp_path_factory.mktemp('cli')
    good = [f'a wonderful and moving film number {i}' for i in range(60)]
    bad = [f'a dull and tiresome bore number {i}' for i in range(60)]
    frame = pd.DataFrame({'review': good + bad, 'verdict': ['good']*60 + ['bad']*60, 'part': (['train']*4 + ['valid'])*24})
    frame.to_csv(folder/'films.csv', index=False)
    return folder/'films.csv'

@pytest.fixture(scope='module')
def trained(table):
    "The result of train-classifier on it."
    done = fastnlp('train-classifier', table, '--text-col', 'review', '--label-col', 'verdict', '--valid-col', 'part', '--lm-epochs', 1, '--epochs', 1)
    assert done.returncode == 0, done.stdout + done.stderr
    return table.with_name('films_classifier')

@pytest.mark.parametrize('command', [[], ['demo'], ['train-classifier'], ['predict'], ['generate'], ['doctor'], ['reproduce'], ['export'], ['serve'], ['app'], ['space']])
def test_help_has_an_example(command):
    done = fastnlp(*command, '-h')
    assert done.returncode == 0 and 'Example: fastnlp' in done.stdout

def test_garbage_is_looked_for_again():
    "A command that answers and ends does not look for garbage; a program that calls it does afterwards, whatever happens."
    from fastnlp_course.cli import nothing_is_garbage
    assert gc.isenabled()
    with pytest.raises(ValueError), nothing_is_garbage():
        assert not gc.isenabled()
        raise ValueError
    assert gc.isenabled()
    gc.disable()
    with nothing_is_garbage(): pass
    was_on = gc.isenabled()
    gc.enable()
    assert not was_on

def test_doctor():
    done = fastnlp('doctor')
    assert done.returncode == 0 and 'torch' in done.stdout

def test_results_of_training(trained):
    metrics = json.loads((trained/'metrics.json').read_text(encoding='utf-8'))
    assert set(metrics['models']) == {'majority', 'TF-IDF + logistic regression', 'ULMFiT'}
    assert {'accuracy', 'macro_f1', 'intervals', 'seconds'} <= set(metrics['models']['ULMFiT'])
    assert len(pd.read_csv(trained/'predictions.csv')) == 24

def test_without_a_model_it_is_the_contest_of_ulmfit(trained):
    "The winner is kept, whichever it is, and the report is the full one: it was ULMFiT in any case, with pictures and no intervals."
    metrics = json.loads((trained/'metrics.json').read_text(encoding='utf-8'))
    config = json.loads((trained/'model'/'config.json').read_text(encoding='utf-8'))
    assert (metrics['recommended'], config['kind']) == ('TF-IDF + logistic regression', 'tfidf')
    assert json.loads((trained/'model'/'calibration.json').read_text(encoding='utf-8'))['temperature'] > 0
    page = (trained/'report.html').read_text(encoding='utf-8')
    for part in ('name="viewport"', 'prefers-color-scheme:dark', 'id="classes"', 'id="calibration"', 'id="learning"', 'id="duplicates"', 'id="suspicious"', 'id="data"', 'id="environment"', 'id="command"', 'majority'): assert part in page, part
    assert not [name for name in ('tfidf_model', 'language_model', 'vocab.json') if (trained/name).exists()]
    done = fastnlp('card', trained/'model')
    assert done.returncode == 0 and '# films.csv: TF-IDF + logistic regression' in (trained/'model'/'README.md').read_text(encoding='utf-8'), done.stderr
    (trained/'model'/'README.md').unlink()

def test_a_run_of_another_kind_is_refused(trained, table, tmp_path):
    "What an earlier version, or fastnlp demo, has left half done: a sentence, or a new start where it is asked for."
    (tmp_path/'old'/'stages').mkdir(parents=True)
    for name in ('vocab.json', 'stages/tokens.json'): (tmp_path/'old'/name).write_text('{}')
    command = ['train-classifier', table, '--text-col', 'review', '--label-col', 'verdict', '--valid-col', 'part', '--model', 'tfidf', '--out', tmp_path/'old']
    done = fastnlp(*command)
    assert done.returncode == 1 and 'holds a run of fastnlp demo, or of train-classifier in an earlier version' in done.stderr and not (tmp_path/'old'/'candidates').exists()
    done = fastnlp(*command, '--fresh')
    assert done.returncode == 0 and (tmp_path/'old'/'model').is_dir() and not (tmp_path/'old'/'vocab.json').exists(), done.stderr

def test_dry_run_plans_what_is_trained(trained, table):
    "Without --model too; nothing is written."
    done = fastnlp('train-classifier', table, '--text-col', 'review', '--label-col', 'verdict', '--valid-col', 'part', '--lm-epochs', 1, '--epochs', 1, '--dry-run', '--out', table.with_name('dry'))
    metrics = json.loads((trained/'metrics.json').read_text(encoding='utf-8'))
    assert done.returncode == 0 and f"({metrics['plans']['ulmfit']['about']})" in done.stdout and not table.with_name('dry').exists(), done.stdout + done.stderr

def test_second_run_trains_nothing(trained, table):
    done = fastnlp('train-classifier', table, '--text-col', 'review', '--label-col', 'verdict', '--valid-col', 'part', '--lm-epochs', 1, '--epochs', 1)
    assert done.returncode == 0 and done.stdout.count('finished earlier') == 4          # TF-IDF, ULMFiT's two stages, the learning curve

def test_an_unfinished_stage_is_repeated(trained, table):
    (trained/'stages'/'ulmfit classifier.json').unlink()
    (trained/'predictions.csv').unlink()
    done = fastnlp('train-classifier', table, '--text-col', 'review', '--label-col', 'verdict', '--valid-col', 'part', '--lm-epochs', 1, '--epochs', 1)
    assert done.returncode == 0 and done.stdout.count('finished earlier') == 3
    assert (trained/'predictions.csv').exists()

def test_predict_text_and_file(trained, tmp_path):
    one = fastnlp('predict', trained/'model', 'a wonderful film')
    assert one.returncode == 0 and 'predicted' in one.stdout
    kept = fastnlp('predict', trained/'model', '=1+1 wonderful', '--out', tmp_path/'one.csv')
    assert kept.returncode == 0 and pd.read_csv(tmp_path/'one.csv').text[0] == "'=1+1 wonderful"      # one text is guarded as many are
    (tmp_path/'new.txt').write_text('a wonderful film\na dull bore\n', encoding='utf-8')
    many = fastnlp('predict', trained/'model', '--file', tmp_path/'new.txt', '--out', tmp_path/'out.csv')
    assert many.returncode == 0, many.stderr
    assert len(pd.read_csv(tmp_path/'out.csv')) == 2

def test_a_table_of_new_texts_keeps_its_rows(trained, tmp_path):
    "Tabs, an empty text, the word NA and a code: five rows in, five rows out."
    texts = ['a wonderful film', '', 'NA', '007', 'a dull bore']
    (tmp_path/'new.tsv').write_text('label\ttext\n' + ''.join(f'x\t{text}\n' for text in texts), encoding='utf-8')
    done = fastnlp('predict', trained/'model', '--file', tmp_path/'new.tsv', '--text-col', 'text', '--out', tmp_path/'out.csv')
    assert done.returncode == 0, done.stderr
    assert '1 of the 5 texts of new.tsv are empty' in done.stderr
    assert pd.read_csv(tmp_path/'out.csv', keep_default_na=False, dtype=str).text.tolist() == texts
    other = fastnlp('predict', trained/'model', '--file', tmp_path/'new.tsv', '--text-col', 'label')
    assert other.stdout.splitlines()[1].startswith('x,')

def test_tables_are_sniffed_named_and_counted(tmp_path):
    "Semicolons are found and named; what is too small to judge by is said before anything is trained."
    (tmp_path/'semi.csv').write_text('text;label\n' + 'fine, really;good\npoor, really;bad\n'*40, encoding='utf-8')
    done = fastnlp('train-classifier', tmp_path/'semi.csv')
    assert done.returncode == 1 and 'semi.csv is separated by semicolons' in done.stderr and '--valid-pct 0.26' in done.stderr
    assert not (tmp_path/'semi_classifier').exists()
    done = fastnlp('train-classifier', tmp_path/'semi.csv', '--sep', ',')
    assert done.returncode == 1 and "has 2 cells for the 1 column ['text;label']" in done.stderr
    (tmp_path/'old.csv').write_bytes('text,label\ncaf\xe9,good\n'.encode('cp1252'))
    done = fastnlp('train-classifier', tmp_path/'old.csv')
    assert done.returncode == 1 and '--encoding cp1252' in done.stderr
    done = fastnlp('train-classifier', tmp_path/'old.csv', '--encoding', 'cp1252')
    assert done.returncode == 1 and "only the label 'good'" in done.stderr

def test_generate(trained):
    first, second = (fastnlp('generate', trained/'candidates'/'ulmfit'/'language_model', 'a wonderful', '--words', 5, '--seed', 3) for _ in range(2))
    assert first.returncode == 0 and first.stdout == second.stdout

@pytest.mark.parametrize('arguments, message', [
    (['train-classifier', 'missing.csv'], 'missing.csv does not exist'),
    (['predict', 'nowhere', 'text'], 'nowhere'),
    (['generate', 'nowhere', 'text'], 'nowhere'),
    (['predict', 'nowhere'], 'either a text or --file'),
])
def test_errors_are_one_sentence(arguments, message, tmp_path):
    done = fastnlp(*arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr and 'Traceback' not in done.stderr and done.stderr.count('\n') == 1

def test_wrong_column_is_named(table):
    done = fastnlp('train-classifier', table, '--text-col', 'nothing')
    assert done.returncode == 1 and "column 'nothing' is not in films.csv" in done.stderr and "'verdict'" in done.stderr

def test_printed_texts_are_only_texts(capsys):
    "What a stranger wrote reaches no terminal as a command."
    from fastnlp_course.cli import say
    say('a film\x1b]0;gone\x07 with \ud83d')
    assert capsys.readouterr().out == 'a film\\x1b]0;gone\\x07 with \\ud83d\n'
