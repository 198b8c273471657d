"fastnlp sample writes a table that the other commands read."
import pandas as pd
from typer.testing import CliRunner

from fastnlp_course.cli import app

def fastnlp(*arguments): return CliRunner().invoke(app, ['sample', *map(str, arguments)])

def test_sample_writes_reviews(tmp_path):
    done = fastnlp(tmp_path/'few.csv', '--rows', 60)
    assert done.exit_code == 0 and '60 reviews written to' in done.output
    table = pd.read_csv(tmp_path/'few.csv', keep_default_na=False)
    assert list(table) == ['text', 'label'] and len(table) == 60 and set(table.label) == {'pos', 'neg'} and table.text.str.len().min() > 0
    assert fastnlp(tmp_path/'again.csv', '--rows', 60).exit_code == 0
    assert (tmp_path/'again.csv').read_bytes() == (tmp_path/'few.csv').read_bytes() and b'\r' not in (tmp_path/'few.csv').read_bytes()

def test_sample_says_what_is_wrong(tmp_path):
    there = tmp_path/'there.csv'
    there.write_text('mine')
    for arguments, said in (((there,), 'is there already'), ((tmp_path,), 'is a folder. Name a file in it'), ((tmp_path/'many.csv', '--rows', 10**6), 'there are 10072 reviews')):
        done = fastnlp(*arguments)
        assert done.exit_code == 1 and said in done.output and there.read_text() == 'mine', done.output
    assert not (tmp_path/'many.csv').exists() and fastnlp(there, '--rows', 2, '--force').exit_code == 0
