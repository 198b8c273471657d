"Build the wheel, install it into a clean environment without nbdev, and use it."
import subprocess, sys, tempfile, venv, zipfile
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

def check_contents(wheel):
    "Embedded data inside, notebooks outside."
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if name.endswith('.ipynb')], 'the wheel holds notebooks'
    package = root/'fastnlp_course'
    wanted = {f'fastnlp_course/{path.relative_to(package).as_posix()}' for path in [*package.rglob('*.py'), *package.glob('assets/**/*.*')]}
    assert wanted <= set(names), f'the wheel lacks {sorted(wanted - set(names))}'
    assert [name for name in names if name.startswith('fastnlp_course/assets/') and 'reviews' in name], 'the wheel lacks the embedded reviews'
    assert [name for name in names if name.startswith('fastnlp_course/assets/') and 'licen' in name.lower()], 'the wheel lacks the licence of the data'

def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        pip = [sys.executable, '-m', 'pip']
        subprocess.run([*pip, 'wheel', '-q', '--no-deps', '-w', str(folder/'dist'), str(root)], check=True)
        wheel = next((folder/'dist').glob('*.whl'))
        check_contents(wheel)
        venv.create(folder/'venv', with_pip=True)
        python = next(p for p in (folder/'venv'/'bin'/'python', folder/'venv'/'Scripts'/'python.exe') if p.exists())
        constraints = ['-c', str(root/'constraints-user.txt')] if (root/'constraints-user.txt').exists() else ['-c', str(root/'constraints.txt')]
        for what in ('torch', str(wheel)):
            subprocess.run([str(python), '-m', 'pip', 'install', '-q', *constraints, what], check=True)
        subprocess.run([str(python), '-c', smoke], check=True, cwd=folder)
        subprocess.run([str(python), '-m', 'fastnlp_course.cli', '-h'], check=True, cwd=folder, stdout=subprocess.DEVNULL)
        print(f'wheel-test: {wheel.name} works without nbdev')

if __name__ == '__main__': main()
