"`fastnlp space` from the command line: a folder that names this repository at this version, or a sentence and no folder."
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

root = Path(__file__).resolve().parent.parent

def fastnlp(*arguments):
    return subprocess.run([sys.executable, '-m', 'fastnlp_course.cli', *map(str, arguments)], capture_output=True, text=True, encoding='utf-8')

def test_a_space_names_the_repository_and_what_is_installed(tmp_path):
    from fastnlp_course.applications.space import installed_from
    from fastnlp_course.applications.tfidf_model import fit_tfidf, save_tfidf
    save_tfidf(fit_tfidf(['a fine film']*9 + ['a dull bore']*9, ['good']*9 + ['bad']*9), None, tmp_path/'run'/'model')
    done = fastnlp('space', tmp_path/'run'/'model', tmp_path/'space', '--title', 'Films', '--license', 'mit')
    assert done.returncode == 0, done.stderr
    assert 'hf upload' in done.stdout and 'Copied from' in done.stderr
    settings = ConfigParser(delimiters=['='])
    settings.read(root/'settings.ini', encoding='utf-8')
    settings = settings['DEFAULT']
    assert f"fastnlp_course[app] @ git+{settings['git_url']}@{installed_from()[0]}" in (tmp_path/'space'/'requirements.txt').read_text(encoding='utf-8')
    assert {'app_requirements', 'onnx_requirements'} <= set(settings)          # the extras that it asks for
    sys.path.insert(0, str(root/'tools'))
    from check_space import use_wheel                                          # what `make space-check` puts in place of the repository
    use_wheel(tmp_path/'space', tmp_path/'some-0.whl')
    assert (tmp_path/'space'/'requirements.txt').read_text(encoding='utf-8').splitlines()[0] == f"fastnlp_course[app] @ {(tmp_path/'some-0.whl').as_uri()}"
    assert 'title: "Films"' in (tmp_path/'space'/'README.md').read_text(encoding='utf-8')

def test_what_is_no_model_becomes_no_space(tmp_path):
    done = fastnlp('space', tmp_path, tmp_path/'space')
    assert done.returncode == 1 and 'is no model' in done.stderr and 'Traceback' not in done.stderr
    assert not (tmp_path/'space').exists()
