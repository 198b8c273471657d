"Files under attack: processes that die while writing, full disks, read-only folders."
import os
import subprocess
import sys

import pytest

from fastnlp_course.files import atomic_write, read_json, safe_unpickle, write_json

def run(program, **variables):
    "Run a program in a process of its own."
    return subprocess.run([sys.executable, '-c', program], capture_output=True, text=True, env={**os.environ, **variables})

def test_a_process_that_dies_leaves_the_old_file(tmp_path):
    path = tmp_path/'a.json'
    write_json(path, {'old': 1})
    done = run(f"from fastnlp_course.files import write_json; write_json({str(path)!r}, {{'new': 2}})", FASTNLP_FAULT='before_replace:a.json')
    assert done.returncode == 137
    assert read_json(path) == {'old': 1}
    write_json(path, {'new': 2})
    assert read_json(path) == {'new': 2}

def test_no_space_left(tmp_path):
    path = tmp_path/'a.json'
    write_json(path, {'old': 1})
    done = run(f"from fastnlp_course.files import write_json; write_json({str(path)!r}, {{'new': 2}})", FASTNLP_FAULT='raise:before_replace:a.json')
    assert done.returncode == 1 and 'a.json cannot be written' in done.stderr and 'No space left' in done.stderr
    assert read_json(path) == {'old': 1} and [p.name for p in tmp_path.iterdir()] == ['a.json']

@pytest.mark.skipif(os.name == 'nt' or os.geteuid() == 0, reason='needs a user whom permissions bind')
def test_read_only_folder(tmp_path):
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(OSError, match='cannot be written'), atomic_write(tmp_path/'a') as file: file.write(b'x')
    finally: tmp_path.chmod(0o755)

def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path/'file').write_text('x')
    with pytest.raises(OSError, match='cannot be written'), atomic_write(tmp_path/'file'/'a') as file: file.write(b'x')

@pytest.mark.parametrize('program', [b"cos\nsystem\n(S'true'\ntR.", b'\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.', b'not a pickle', b''])
def test_hostile_pickles(tmp_path, program):
    (tmp_path/'vocab.pkl').write_bytes(program)
    with pytest.raises(ValueError, match='vocab.pkl was not read'): safe_unpickle(tmp_path/'vocab.pkl')

def test_json_holds_half_a_surrogate_pair(tmp_path):
    write_json(tmp_path/'a.json', ['\ud800', 'é'])
    assert read_json(tmp_path/'a.json') == ['\ud800', 'é']
