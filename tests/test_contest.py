"The command train-classifier with several models: one table, the same rows, an honest choice, and a run that goes on."
import json
import random

import pandas as pd
import pytest
from typer.testing import CliRunner

from fastnlp_course.applications.encoders import small_encoder
from fastnlp_course.cli import app

def fastnlp(*arguments):
    "Run the command in this process."
    return CliRunner().invoke(app, list(map(str, arguments)))

texts = ['a fine film', 'a fine story and a fine cast', 'a dull film', 'dull and long', 'fine music', 'long, dull, poor']*20
labels = ['good', 'good', 'bad', 'bad', 'good', 'bad']*20

@pytest.fixture(scope='module')
def films(tmp_path_factory):
    "A table with everything that an option can name."
    folder = tmp_path_factory.mktemp('contest')
    frame = pd.DataFrame({'text': texts, 'label': labels, 'title': ['fine', 'good', 'dull', 'poor', 'good', 'poor']*20, 'stars': [4, 5, 1, 2, 4.5, 0]*20,
                          'tags': ['plot;praise', 'praise', 'plot', 'plot', 'music;praise', 'plot']*20, 'praise': [1, 1, 0, 0, 1, 0]*20, 'long': ['no', 'yes', 'no', 'yes', 'no', 'no']*20,
                          'author': [f'author {i//6}' for i in range(120)], 'day': [f'2024-{1 + i//28:02}-{1 + i%28:02}' for i in range(120)]})
    frame.to_csv(folder/'films.csv', index=False)
    small_encoder(texts, folder/'small', vocab_size=200, hidden_size=32)
    return folder

def test_several_models_and_the_winner(films, monkeypatch):
    "TF-IDF, ULMFiT and a checkpoint on the same rows; the cheapest of equals is kept; a second call trains nothing."
    command = ['train-classifier', films/'films.csv', '--model', 'tfidf', '--model', 'ulmfit', '--model', films/'small', '--epochs', 1, '--lm-epochs', 1, '--lm-bs', 4, '--bs', 16, '--out', films/'run']
    monkeypatch.setattr('fastnlp_course.applications.reviews.Recipe.sizes', lambda self: {'emb_sz': 24, 'n_hid': 24, 'n_layers': 1})
    monkeypatch.setattr('fastnlp_course.applications.contest.starts_pretrained', lambda *given: (False, 'not in this test'))
    done = fastnlp(*command)
    assert done.exit_code == 0, done.output
    metrics = json.loads((films/'run'/'metrics.json').read_text(encoding='utf-8'))
    assert set(metrics['models']) == {'majority', 'TF-IDF + logistic regression', 'ULMFiT', f"{films/'small'}, fine-tuned"}
    assert all({'accuracy', 'macro_f1', 'intervals', 'seconds'} <= set(model) for model in metrics['models'].values())
    assert metrics['recommended'] == 'TF-IDF + logistic regression' and metrics['models']['TF-IDF + logistic regression']['accuracy'] == 1
    assert json.loads((films/'run'/'model'/'config.json').read_text(encoding='utf-8'))['kind'] == 'tfidf'
    assert 'ULMFiT: about' in done.output and 'Recommended: TF-IDF' in done.output
    again = fastnlp(*command)
    assert again.output.count('finished earlier') == 5
    told = fastnlp('predict', films/'run'/'model', 'a fine film')
    assert told.exit_code == 0 and 'good' in told.output

def test_dry_run_leaves_nothing(films):
    done = fastnlp('train-classifier', films/'films.csv', '--model', films/'small', '--epochs', 2, '--dry-run', '--out', films/'dry')
    assert done.exit_code == 0, done.output
    assert '120 rows: 96 to train, 24 to judge (20% at random, the same share of each class)' in done.output
    assert 'Language: en (detected)' in done.output and '2 epochs' in done.output and not (films/'dry').exists()

@pytest.mark.parametrize('options, kind, split', [
    (['--text-col', 'title', '--text-col', 'text'], 'classes', '20% at random, the same share of each class'),
    (['--label-col', 'tags', '--delim', ';'], 'several labels', '20% at random'),
    (['--label-col', 'praise', '--label-col', 'long'], 'several labels', '20% at random'),
    (['--label-col', 'stars', '--regression'], 'number', '20% at random'),
    (['--kfold', 3], 'classes', 'every row once, in 3 parts'),
    (['--kfold', 3, '--group-col', 'author'], 'classes', 'every row once, in 3 parts of whole groups'),
    (['--group-col', 'author', '--class-weights'], 'classes', '20% of the groups, at random'),
    (['--time-col', 'day'], 'classes', 'the latest 20%'),
])
def test_options_of_rows_and_targets(films, options, kind, split):
    out = films/'-'.join(map(str, options)).replace('--', '')
    done = fastnlp('train-classifier', films/'films.csv', '--model', 'tfidf', '--out', out, *options)
    assert done.exit_code == 0, done.output
    metrics = json.loads((out/'metrics.json').read_text(encoding='utf-8'))
    assert (metrics['kind'], metrics['split']) == (kind, split)
    assert (out/'model'/'config.json').is_file() and (out/'report.html').stat().st_size > 5000 and len(pd.read_csv(out/'predictions.csv')) == metrics['rows']['judged']
    assert metrics['rows']['judged'] == 120 if '--kfold' in options else metrics['rows']['judged'] < 30

def test_chinese_is_cut_into_characters(films):
    "What English rules would take for one word is noticed before anything is trained."
    draw = random.Random(0)
    rows = [(''.join(draw.choices('这部电影不如书的故事', k=10)) + word, label) for word, label in [('很好', 'good'), ('太差', 'bad')]*60]
    pd.DataFrame(rows, columns=['text', 'label']).to_csv(films/'chinese.csv', index=False)
    done = fastnlp('train-classifier', films/'chinese.csv', '--model', 'tfidf', '--model', 'auto')
    assert done.exit_code == 0, done.output
    assert 'Language: zh (detected), cut into characters' in done.output and 'MiniLM was trained on English' in done.output
    metrics = json.loads((films/'chinese_classifier'/'metrics.json').read_text(encoding='utf-8'))
    assert metrics['models']['TF-IDF + logistic regression']['accuracy'] > .9
    wrong = fastnlp('train-classifier', films/'chinese.csv', '--model', 'ulmfit', '--lang', 'en', '--out', films/'wrong')
    assert wrong.exit_code == 1 and 'pass --lang zh' in wrong.output and not (films/'wrong').exists()

@pytest.mark.parametrize('options, message', [
    (['--model', 'no such model'], 'no folder with a config.json'),
    (['--model', 'majority'], 'Leave it out'),
    (['--model', 'tfidf', '--epochs', 3], '--epochs belongs to'),
    (['--model', 'tfidf', '--unlabelled', 'x.txt'], 'Add --model ulmfit'),
    (['--kfold', 3, '--valid-pct', .5], '--kfold says which rows'),
    (['--kfold', 3, '--time-col', 'day'], 'Pass one of them'),
    (['--group-col', 'author', '--time-col', 'day'], 'Pass one of them'),
    (['--label-col', 'title', '--regression'], 'which is not a number'),
    (['--lang', 'klingon'], 'not known'),
    (['--group-col', 'nobody'], 'Pass --group-col'),
])
def test_errors_name_options(films, options, message):
    done = fastnlp('train-classifier', films/'films.csv', '--out', films/'errors', *options)
    assert done.exit_code == 1 and message in done.output and 'Traceback' not in done.output
    assert not (films/'errors').exists()

def test_pairs_with_a_split_of_their_own(films):
    "train-pairs judges what it was told, beside what the untrained encoder says; its errors name options."
    from fastnlp_course.sources import get_data
    pairs = get_data('phrases')['train'].head(200)
    pairs['part'] = (['train']*3 + ['dev'])*50
    pairs.to_csv(films/'pairs.csv', index=False)
    small_encoder([*pairs.anchor, *pairs.target], films/'pair_model', vocab_size=300, hidden_size=16)
    command = ['train-pairs', films/'pairs.csv', '--model', films/'pair_model', '--epochs', 1, '--valid-col', 'part', '--out', films/'pairs']
    done = fastnlp(*command)
    assert done.exit_code == 0, done.output
    metrics = json.loads((films/'pairs'/'metrics.json').read_text(encoding='utf-8'))
    assert (metrics['train'], metrics['valid']) == (150, 50) and set(metrics['baselines']) == {'cosine of TF-IDF', 'untrained cosine'} and len(metrics['spearman']) == 3
    assert metrics['reading'] in done.output and 'groups to judge by are in training too' in done.output
    for options, message in ((['--valid-pct', .3], 'Pass one of them'), (['--low', 3, '--high', 2], '--low is 3'), (['--anchor', 'first'], 'Pass --anchor with the name of yours')):
        wrong = fastnlp(*command, *options)
        assert wrong.exit_code == 1 and message in wrong.output, wrong.output
    scored = fastnlp('predict', films/'pairs'/'model', '--file', films/'pairs.csv', '--out', films/'scored.csv')
    assert scored.exit_code == 0 and pd.read_csv(films/'scored.csv').predicted.between(0, 1).all()

def test_predict_keeps_columns_and_reads_the_input(films):
    frame = pd.DataFrame({'id': [1, 2, 3], 'text': ['a fine film', ' ', 'zebras graze'], 'label': ['x', 'y', 'z']})
    frame.to_csv(films/'new.csv', index=False)
    fastnlp('train-classifier', films/'films.csv', '--model', 'tfidf', '--out', films/'for_predict')
    done = fastnlp('predict', films/'for_predict'/'model', '--file', films/'new.csv', '--out', films/'told.csv')
    assert done.exit_code == 0, done.output
    told = pd.read_csv(films/'told.csv', keep_default_na=False)
    assert list(told) == ['id', 'text', 'label', 'predicted', 'p_bad', 'p_good', 'unknown', 'note'] and told.predicted[0] == 'good'
    assert told.predicted[1] == '' and told.note.tolist() == ['', 'empty text', 'all words are unknown']
    piped = CliRunner().invoke(app, ['predict', str(films/'for_predict'/'model'), '-'], input='a fine film\na dull film\n')
    assert piped.exit_code == 0 and [line.split(',')[1] for line in piped.stdout.splitlines()[1:]] == ['good', 'bad']

def test_version():
    from fastnlp_course import __version__
    assert fastnlp('--version').output.strip() == f'fastnlp_course {__version__}'

def test_a_contest_comes_out_again(films):
    "reproduce reads report.json of a contest, with the plans in place of the minutes; a figure that somebody touched is noticed."
    done = fastnlp('train-classifier', films/'films.csv', '--model', 'tfidf', '--model', films/'small', '--epochs', 1, '--minutes', 5, '--resume', '--out', films/'again')
    assert done.exit_code == 0, done.output
    told = fastnlp('reproduce', films/'again')
    assert told.exit_code == 0 and 'equal to the last bit' in told.output, told.output
    report = json.loads((films/'again'/'report.json').read_text(encoding='utf-8'))
    assert set(report['plans']) == {str(films/'small')} and report['options']['models'][0] == 'tfidf'
    report['found']['models']['majority']['accuracy'] = .9
    (films/'again'/'report.json').write_text(json.dumps(report), encoding='utf-8')
    told = fastnlp('reproduce', films/'again')
    assert told.exit_code == 1 and 'majority: accuracy: 0.9 in the report' in told.output

def test_pieces_for_any_language(films):
    "SentencePiece for ULMFiT: refused where there is too little text, and where nobody would read them."
    for options, message in ((['--model', 'tfidf', '--unit', 'pieces'], '--unit says what ulmfit cuts texts into'), (['--model', 'ulmfit', '--unit', 'words', '--lang', 'zh'], 'no spaces between words'),
                             (['--model', 'ulmfit', '--unit', 'syllables'], 'pass one of words, characters, pieces')):
        wrong = fastnlp('train-classifier', films/'films.csv', '--out', films/'errors', *options)
        assert wrong.exit_code == 1 and message in wrong.output, wrong.output
    few = fastnlp('train-classifier', films/'films.csv', '--model', 'ulmfit', '--unit', 'pieces', '--out', films/'few')
    assert few.exit_code == 1 and '10,000 are needed' in few.output
