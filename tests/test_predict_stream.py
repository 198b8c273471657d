"`fastnlp predict --file`: part by part in the same memory for ten times the rows, and the file is written whole or not at all."
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pandas as pd
import pytest

from fastnlp_course.applications.predict_table import predict_parts
from fastnlp_course.applications.tfidf_model import fit_tfidf, save_tfidf

texts = ['a fine film', 'a fine story, a fine cast', 'a dull film', 'dull and long', 'fine music', 'long, dull, poor']
asked = ['a fine film', 'dull', '', 'zebras graze', 'fine "music", and\nmore', '=1+1']

@pytest.fixture(scope='module')
def model(tmp_path_factory):
    "A small model of weighted words."
    return save_tfidf(fit_tfidf(texts*3, ['good', 'good', 'bad', 'bad', 'good', 'bad']*3), None, tmp_path_factory.mktemp('films')/'model')

def rows(path, n):
    "A table of `n` short texts, no two of the same words."
    with open(path, 'w', encoding='utf-8') as handle:
        handle.write('id,text\n')
        handle.writelines(f'{i},{texts[i % 6].replace(",", "")} {i}\n' for i in range(n))
    return path

def fastnlp(*arguments, **variables):
    return subprocess.run([sys.executable, '-m', 'fastnlp_course.cli', *map(str, arguments)], capture_output=True, text=True, encoding='utf-8', env={**os.environ, **variables})

def test_memory_does_not_follow_the_rows(model, tmp_path):
    def peak(n):
        parts = predict_parts(model, rows(tmp_path/f'{n}.csv', n), log=lambda line: None, bs=100)
        next(parts)
        tracemalloc.start()
        answered = 100 + sum(map(len, parts))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert answered == n
        return found
    peak(300)
    few, many = peak(2000), peak(14_000)
    assert many < 2*few, f'{few:,} bytes for 2,000 rows, {many:,} for 14,000'      # one number of Python kept per row would be 400,000 bytes

def test_lines_are_read_as_they_are_answered(model, tmp_path):
    "A text file, one text a line: its parts come before the file has been read to a line that cannot be read."
    (tmp_path/'new.txt').write_bytes(b'a fine film\n'*20_000 + b'caf\xe9\n')
    parts = predict_parts(model, tmp_path/'new.txt', log=lambda line: None)
    assert len(next(parts)) == 2000
    with pytest.raises(ValueError, match='--encoding cp1252'): list(parts)

def test_the_file_is_written_whole_or_not_at_all(model, tmp_path):
    table, out = tmp_path/'new.csv', tmp_path/'out.csv'
    pd.DataFrame({'id': range(6), 'text': asked}).to_csv(table, index=False)
    out.write_text('what was there', encoding='utf-8')
    killed = fastnlp('predict', model, '--file', table, '--out', out, FASTNLP_FAULT='before_replace:out.csv')
    assert killed.returncode == 137 and out.read_text(encoding='utf-8') == 'what was there' and len(list(tmp_path.iterdir())) == 3
    with open(table, 'a', encoding='utf-8') as handle: handle.write('7,"a row that does not end\n')
    failed = fastnlp('predict', model, '--file', table, '--out', out)
    assert failed.returncode == 1 and 'do not close' in failed.stderr and out.read_text(encoding='utf-8') == 'what was there'
    pd.DataFrame({'id': range(6), 'text': asked}).to_csv(table, index=False)
    done = fastnlp('predict', model, '--file', table, '--out', out)
    assert done.returncode == 0 and '6 predictions written' in done.stdout and '1 of the 6 texts of new.csv are empty' in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ['new.csv', 'out.csv']       # what the killed one left is swept away
    found = pd.read_csv(out, keep_default_na=False, dtype=str)
    assert found.text.tolist() == asked[:5] + ["'=1+1"] and found.predicted.tolist()[:3] == ['good', 'bad', '']
    assert found.note.tolist()[2:4] == ['empty text', 'all words are unknown']

def test_a_table_may_be_answered_in_place(model, tmp_path):
    table = rows(tmp_path/'new.csv', 4500)
    done = fastnlp('predict', model, '--file', table, '--out', table)
    assert done.returncode == 0, done.stderr
    found = pd.read_csv(table)
    assert found.id.tolist() == list(range(4500)) and list(found) == ['id', 'text', 'predicted', 'p_bad', 'p_good', 'unknown', 'note']

@pytest.mark.parametrize('engine, said', [('dask', "there is no engine 'dask'"), ('', "there is no engine ''")])
def test_an_engine_that_is_not_there(model, tmp_path, engine, said):
    done = fastnlp('predict', model, '--file', rows(tmp_path/'new.csv', 3), '--engine', engine)
    assert done.returncode == 1 and said in done.stderr and '--engine ray' in done.stderr and 'Traceback' not in done.stderr

def test_one_text_needs_no_engine(model):
    done = fastnlp('predict', model, 'a fine film', '--engine', 'ray')
    assert done.returncode == 1 and 'one text was given' in done.stderr

@pytest.mark.skipif(os.name == 'nt', reason='needs pipes of a POSIX system')
def test_a_reader_that_has_seen_enough(model, tmp_path):
    "`fastnlp predict ... | head -1`: no word about the pipe."
    command = [sys.executable, '-m', 'fastnlp_course.cli', 'predict', str(model), '--file', str(rows(tmp_path/'new.csv', 30_000))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith('id,text,predicted')
        process.stdout.close()
        assert process.stderr.read() == '' and process.wait() == 141
