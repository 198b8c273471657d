"""Build wheel and sdist, install each into a clean environment without nbdev, and use it: check_wheel.py [--keep FOLDER]

--keep leaves the two files in a folder.
"""
import argparse, shutil, subprocess, sys, tarfile, tempfile, venv, zipfile
from pathlib import Path
from project import root

smoke = """
import importlib.util, sys
assert importlib.util.find_spec('nbdev') is None
from fastnlp_course.text.all import *
from fastnlp_course.all import *
import fastnlp_course
assert 'site-packages' in fastnlp_course.__file__, fastnlp_course.__file__
reviews = get_data('reviews')
assert len(reviews) == 23703, len(reviews)
table = reviews[reviews.domain == 'movie'].head(300).assign(label=lambda t: np.where(t.score > 0, 'pos', 'neg'))
dls = TextDataLoaders.from_df(table, text_col='text', label_col='label', bs=16, seq_len=32)
config = {**awd_lstm_clas_config, 'emb_sz': 8, 'n_hid': 12, 'n_layers': 2}
learn = text_classifier_learner(dls, AWD_LSTM, config=config, pretrained=False, metrics=accuracy)
learn.fit_one_cycle(1, 1e-2)
print(learn.predict('A moving and funny film.'))
"""

def check_contents(wheel, package):
    "Embedded data inside, notebooks outside, and every module of the package it was built from."
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if name.endswith('.ipynb')], 'the wheel holds notebooks'
    wanted = {f'fastnlp_course/{path.relative_to(package).as_posix()}' for path in [*package.rglob('*.py'), *package.glob('assets/**/*.*')]}
    assert wanted <= set(names), f'the wheel lacks {sorted(wanted - set(names))}'
    assert [name for name in names if name.startswith('fastnlp_course/assets/') and 'reviews' in name], 'the wheel lacks the embedded reviews'
    assert [name for name in names if name.startswith('fastnlp_course/assets/') and 'licen' in name.lower()], 'the wheel lacks the licence of the data'

def check_source(sdist):
    "What a build from the sdist needs is inside, and what tells people who made it."
    with tarfile.open(sdist) as archive: names = {name.partition('/')[2] for name in archive.getnames()}
    wanted = {'setup.py', 'pyproject.toml', 'settings.ini', 'README.md', 'LICENSE', 'CHANGELOG.md', 'CITATION.cff', 'fastnlp_course/assets/reviews.csv.gz'}
    assert wanted <= names, f'the sdist lacks {sorted(wanted - names)}'
    assert not [name for name in names if name.endswith('.ipynb')], 'the sdist holds notebooks'

def build(python, folder):
    "Wheel and sdist of the project in `folder`, each checked for what it holds."
    copy = folder.parent/'source'                                 # setuptools writes beside what it builds
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns('.*', '*.egg-info', 'build', 'dist', 'nbs', 'tests', 'benchmark_runs', 'tmp', '__pycache__'))
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([python, '-m', 'pip', 'install', '-q', 'setuptools>=68'], check=True)
    made = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    subprocess.run([python, '-c', made, str(folder)], cwd=copy, check=True, stdout=subprocess.DEVNULL)
    sdist = next(folder.glob('*.tar.gz'))
    check_source(sdist)
    # the wheel is built from the sdist, as it is for those who get only that
    subprocess.run([python, '-m', 'pip', 'wheel', '-q', '--no-deps', '-w', str(folder), str(sdist)], check=True)
    wheel = next(folder.glob('*.whl'))
    check_contents(wheel, copy/'fastnlp_course')
    return wheel, sdist

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--keep', type=Path, metavar='FOLDER', help='where wheel and sdist are left')
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        venv.create(folder/'venv', with_pip=True)
        python = str(next(p for p in (folder/'venv'/'bin'/'python', folder/'venv'/'Scripts'/'python.exe') if p.exists()))
        files = build(python, folder/'dist')
        pip = [python, '-m', 'pip', 'install', '-q', '-c', str(root/'constraints.txt')]
        subprocess.run([*pip, 'torch'], check=True)
        for file, options in zip(files, ([], ['--force-reinstall', '--no-deps'])):
            subprocess.run([*pip, *options, str(file)], check=True)
            subprocess.run([python, '-c', smoke], check=True, cwd=folder)
            subprocess.run([python, '-m', 'fastnlp_course.cli', '-h'], check=True, cwd=folder, stdout=subprocess.DEVNULL)
            print(f'wheel-test: {file.name} works without nbdev')
        if given.keep: shutil.copytree(folder/'dist', given.keep, dirs_exist_ok=True)

if __name__ == '__main__': main()
