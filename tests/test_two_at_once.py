"""Two processes, one folder: the second waits until the first has finished, and what lies there at the end is of one of them, whole.

The first process stops in the middle of its work and says so through a pipe; the second is started and says, through another,
that it found somebody at work. Only then may the first go on. So no test sleeps, and none can pass by luck.
"""
import json
import multiprocessing
import os
import select
import traceback
import warnings
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

import fastnlp_course.archives
import fastnlp_course.folders
import fastnlp_course.locks
from fastnlp_course.applications.cards import write_card
from fastnlp_course.applications.predictors import load_predictor
from fastnlp_course.applications.space import write_space
from fastnlp_course.applications.tfidf_model import fit_tfidf, save_tfidf
from fastnlp_course.applications.train_table import contest_of_file
from fastnlp_course.archives import safe_extract
from fastnlp_course.files import write_json
from fastnlp_course.folders import check_folder, model_digest
from fastnlp_course.training.export import load_learner

pytestmark = pytest.mark.skipif('fork' not in multiprocessing.get_all_start_methods(), reason='needs fork')

def child(work):
    "Run `work` in a process of its own; its number. What it raises is its exit code 1."
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)          # Python 3.12 on forks with threads
        pid = os.fork()
    if pid: return pid
    code = 1
    try:
        work()
        code = 0
    except BaseException: traceback.print_exc()
    finally: os._exit(code)

def code_of(pid): return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

class Bell:
    "One process waits until another one rings."
    def __init__(self): self.reading, self.writing = os.pipe()
    def ring(self): os.write(self.writing, b'x')
    def wait(self):
        if not select.select([self.reading], [], [], 30)[0]: raise TimeoutError('nobody rang')
        os.read(self.reading, 1)

def one_in_the_middle_of_the_other(first, second, point):
    "`first` pauses at `point` (of `fault_point`), `second` begins and has to wait; (exit codes, what was done in which order)."
    middle, waits, told = Bell(), Bell(), Bell()
    order = os.pipe()
    def in_the_middle():
        original, stopped = fastnlp_course.locks.fault_point, []
        def pause(name):
            if name == point and not stopped:
                stopped.append(name)
                middle.ring()
                waits.wait()
            original(name)
        for module in (fastnlp_course.locks, fastnlp_course.archives, fastnlp_course.folders, fastnlp_course.files): module.fault_point = pause
        try: first()
        finally: middle.ring()                     # also if it never came to the point
        os.write(order[1], b'1')
    def has_to_wait():
        seen = []
        def sleep(seconds, original=fastnlp_course.locks.time.sleep):
            if not seen: waits.ring()
            seen.append(seconds)
            original(min(seconds, .01))
        fastnlp_course.locks.time.sleep = sleep
        try: second()
        finally: waits.ring()
        os.write(order[1], b'2' if seen else b'!')
    one = child(in_the_middle)
    middle.wait()
    other = child(has_to_wait)
    codes = code_of(one), code_of(other)
    os.close(order[1])                             # where both failed, nothing is to be read
    return codes, os.read(order[0], 9).decode()

def table(folder, name, words):
    texts = [f'{a} {words[i % 2]} film about number {i}' for i, a in enumerate(['a', 'this', 'that']*40)]
    pd.DataFrame({'text': texts, 'label': ['good', 'bad']*60}).to_csv(folder/name, index=False)
    return folder/name

def contest(file, out):
    contest_of_file(file, out, ['tfidf'], log=lambda line: None, note=lambda line: None)

def whole(out):
    "The model, its facts and figures are of one run; which one, by the words of its model."
    facts, metrics, report = (json.loads((out/name).read_text(encoding='utf-8')) for name in ('facts.json', 'metrics.json', 'report.json'))
    digest = model_digest(out/'model')
    assert facts['folders']['model'] == metrics['folders']['model'] == digest
    assert facts['reading'] == metrics['reading'] and report['data'] == metrics['data'] and report['options']['file'] == metrics['file']
    assert sorted(pd.read_csv(out/'predictions.csv').text)[0].split()[1] in json.loads((out/'model'/'terms.json').read_text(encoding='utf-8'))
    check_folder(out/'model', ['config.json'])
    assert write_card(out/'model').is_file()
    return metrics['file'].rsplit('/', 1)[-1]

@pytest.fixture
def tables(tmp_path):
    return [table(tmp_path, 'one.csv', ('moving', 'tiresome')), table(tmp_path, 'two.csv', ('lovely', 'dreary'))]

def left_over(folder): return [path.name for path in folder.rglob('.*') if path.name != '.gitattributes']

@pytest.mark.parametrize('point', ['before_replace:columns.json', 'before_replace:facts.json'])
def test_two_equal_contests(tmp_path, tables, point):
    "The second waits until all files of the first are there, and finds everything finished."
    codes, order = one_in_the_middle_of_the_other(lambda: contest(tables[0], tmp_path/'out'), lambda: contest(tables[0], tmp_path/'out'), point)
    assert (codes, order) == ((0, 0), '12')
    assert whole(tmp_path/'out') == 'one.csv' and not left_over(tmp_path)

def test_two_different_contests(tmp_path, tables):
    "The second waits, and then everything is its own."
    codes, order = one_in_the_middle_of_the_other(lambda: contest(tables[0], tmp_path/'out'), lambda: contest(tables[1], tmp_path/'out'), 'before_replace:metrics.json')
    assert (codes, order) == ((0, 0), '12')
    assert whole(tmp_path/'out') == 'two.csv' and not left_over(tmp_path)

@pytest.mark.parametrize('point', ['before_replace:predictions.csv', 'before_replace:facts.json'])
def test_a_contest_that_was_killed_between_its_files(tmp_path, tables, point, monkeypatch):
    "OUT/model is new and the facts are old, or none: the card says so, and the same command again mends it."
    out = tmp_path/'out'
    contest(tables[0], out)
    def killed():
        os.environ['FASTNLP_FAULT'] = point
        contest(tables[1], out)
    assert code_of(child(killed)) == 137
    with pytest.raises(ValueError, match='facts.json tells of another model than the one in') as error: write_card(out/'model')
    assert 'Run the command that trained it again' in str(error.value) and not (out/'model'/'README.md').exists()
    contest(tables[1], out)
    assert whole(out) == 'two.csv' and not left_over(tmp_path)

def test_what_people_wrote_on_a_card_outlives_a_second_training(tmp_path, tables):
    out, said = tmp_path/'out', []
    contest(tables[0], out)
    card = write_card(out/'model')
    card.write_text(card.read_text(encoding='utf-8') + '\nJane answers questions.\n', encoding='utf-8')
    contest_of_file(tables[1], out, ['tfidf'], log=said.append, note=said.append)
    assert any(f'fastnlp card {out/"model"} writes its figures anew' in line for line in said)
    assert whole(out) == 'two.csv' and 'Jane answers questions.' in card.read_text(encoding='utf-8') and 'two.csv: TF-IDF' in card.read_text(encoding='utf-8')

def models(folder):
    "Two TF-IDF models with other words."
    for name, word in (('one', 'fine'), ('two', 'lovely')): save_tfidf(fit_tfidf([f'a {word} film', 'a dull film']*5, ['good', 'bad']*5), None, folder/name/'model')
    return folder/'one'/'model', folder/'two'/'model'

@pytest.mark.parametrize('point', ['before_replace:app.py', 'before_replace:README.md', 'before_swap:space'])
def test_two_spaces_in_one_folder(tmp_path, point):
    one, two = models(tmp_path)
    said = []
    codes, order = one_in_the_middle_of_the_other(lambda: write_space(one, tmp_path/'space', 'One', log=said.append), lambda: write_space(two, tmp_path/'space', 'Two', log=said.append), point)
    assert (codes, order) == ((0, 0), '12')
    assert model_digest(tmp_path/'space'/'model') == model_digest(two) and "title='Two'" in (tmp_path/'space'/'app.py').read_text(encoding='utf-8')
    assert '# Two' in (tmp_path/'space'/'README.md').read_text(encoding='utf-8') and load_predictor(tmp_path/'space'/'model') and not left_over(tmp_path)

def exports():
    from fastnlp_course.files import set_seed
    from fastnlp_course.training.learner import Learner
    from fastnlp_course.training.toy import BagOfWords, film_data
    dls = film_data(60)
    made = []
    for seed in (1, 2):
        set_seed(seed)
        made.append(Learner(dls, BagOfWords(len(dls.vocab[0]))))
        made[-1].create_opt()
    return made

@pytest.mark.parametrize('point', ['before_replace:config.json', 'before_swap:model'])
def test_two_exports_into_one_folder(tmp_path, point):
    one, two = exports()
    folder = (tmp_path/'model').resolve()
    codes, order = one_in_the_middle_of_the_other(lambda: one.export(folder), lambda: two.export(folder), point)
    assert (codes, order) == ((0, 0), '12')
    found = load_learner(folder)
    assert all(a.equal(b) for a, b in zip(found.model.state_dict().values(), two.model.state_dict().values())) and not left_over(tmp_path)

def test_a_card_waits_for_the_model(tmp_path, tables):
    "While a new model is put in its place, no card is written from the one of before; the facts come later, so the card may have to say that they are not of this model."
    out = tmp_path/'out'
    contest(tables[0], out)
    codes, order = one_in_the_middle_of_the_other(lambda: contest(tables[1], out), lambda: write_card(out/'model'), 'before_replace:columns.json')
    assert codes[0] == 0 and '!' not in order
    if codes[1] == 0: assert 'two.csv: TF-IDF' in (out/'model'/'README.md').read_text(encoding='utf-8')
    assert whole(out) == 'two.csv'

def archive_of(folder, name, words):
    import io
    import tarfile
    with tarfile.open(folder/name, 'w:gz') as archive:
        for i, word in enumerate(words):
            member = tarfile.TarInfo(f'{i}.txt')
            member.size = len(word)
            archive.addfile(member, io.BytesIO(word.encode()))
    return folder/name

def texts_of(folder): return [path.read_text() for path in sorted(folder.iterdir())]

@pytest.mark.parametrize('point', ['extract:0.txt', 'before_replace:texts'])
def test_two_unpack_into_one_folder(tmp_path, point):
    "The second waits, and then says that the folder is there."
    one, two = archive_of(tmp_path, 'one.tgz', ['fine', 'lovely']), archive_of(tmp_path, 'two.tgz', ['dull'])
    def second():
        with pytest.raises(ValueError, match='texts exists already'): safe_extract(two, tmp_path/'texts')
    codes, order = one_in_the_middle_of_the_other(lambda: safe_extract(one, tmp_path/'texts'), second, point)
    assert (codes, order) == ((0, 0), '12')
    assert texts_of(tmp_path/'texts') == ['fine', 'lovely'] and not left_over(tmp_path)

@pytest.mark.parametrize('point', ['extract:0.txt', 'before_replace:texts'])
def test_a_file_is_written_beside_what_is_unpacked(tmp_path, point):
    "It need not wait, and does not sweep away what the other process unpacks."
    archive = archive_of(tmp_path, 'one.tgz', ['fine', 'lovely'])
    def second():
        write_json(tmp_path/'notes.json', {})
        assert safe_extract(archive, tmp_path/'others')
    codes, order = one_in_the_middle_of_the_other(lambda: safe_extract(archive, tmp_path/'texts'), second, point)
    assert (codes, sorted(order)) == ((0, 0), ['!', '1'])
    assert texts_of(tmp_path/'texts') == texts_of(tmp_path/'others') == ['fine', 'lovely'] and not left_over(tmp_path)
