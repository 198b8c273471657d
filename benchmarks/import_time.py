"""What `from fastnlp_course.all import *` adds to `import torch`, and how long `fastnlp predict` takes from a cold start.

    python benchmarks/import_time.py --peer PYTHON --write
    python benchmarks/import_time.py --predict --write      the command instead

Seconds of the processor, medians over fresh processes: other work beside it does not count.
"""
import argparse, os, statistics, subprocess, sys, tempfile
from pathlib import Path
from common import machine, write_section

limit, answer_limit = 0.45, 4  # seconds
parts = {'torch': 'import torch', 'the package': 'from fastnlp_course.applications.predict_table import answer_rows; from fastnlp_course.applications.predictors import load_predictor', 'pandas': 'import pandas',
         'loading': 'predictor = load_predictor({model!r})', 'answering': 'answer_rows(predictor, [{text!r}], pandas.DataFrame(dict(text=[{text!r}])))'}

def run(arguments, compiled):
    "What a fresh process prints, and its seconds of the processor. With compiled files, as pip leaves them."
    env = {**{name: value for name, value in os.environ.items() if name != 'PYTHONDONTWRITEBYTECODE'}, 'PYTHONPYCACHEPREFIX': compiled}
    before = os.times()
    said = subprocess.run(arguments, capture_output=True, text=True, check=True, env=env).stdout
    after = os.times()
    return said, after.children_user + after.children_system - before.children_user - before.children_system

def seconds(statement, repeats, python=sys.executable):
    "Median seconds of `statement` after `import torch`, each time in a fresh process."
    program = f"import torch, time; start = time.process_time(); exec({statement!r}); print(time.process_time() - start)"
    with tempfile.TemporaryDirectory() as compiled:
        runs = [float(run([python, '-c', program], compiled)[0]) for _ in range(repeats + 1)]
    return statistics.median(runs[1:])

def two_models(folder):
    "TF-IDF and ULMFiT on some of the embedded reviews, as `train-classifier` writes them; ULMFiT untrained, which takes as long to ask."
    import numpy as np
    from fastnlp_course.applications.backbones import Setting, ulmfit_classifier, ulmfit_language_loaders
    from fastnlp_course.applications.reviews import movie_reviews
    from fastnlp_course.applications.text_task import TextTask
    from fastnlp_course.applications.tfidf_model import fit_tfidf, save_tfidf
    table = movie_reviews().sample(1000, random_state=0).reset_index(drop=True)
    train = table[~table.is_valid]
    save_tfidf(fit_tfidf(train.text, (train.label == 'pos').astype(int).to_numpy()), ['neg', 'pos'], folder/'tfidf')
    task, setting = TextTask(table, 'classes', ['neg', 'pos']), Setting()
    ulmfit_classifier(task, setting, list(ulmfit_language_loaders(task, setting).vocab)).export((folder/'ulmfit').absolute())
    return {'TF-IDF': folder/'tfidf', 'ULMFiT': folder/'ulmfit'}

def answer_row(name, model, repeats, compiled, text='A moving and funny film.'):
    "A line of the table, and the seconds of the command."
    code = ['import time; moments = [time.process_time()]'] + [f'{part.format(model=str(model), text=text)}; moments.append(time.process_time())' for part in parts.values()] + ['print(*moments)']
    command = [sys.executable, '-c', 'from fastnlp_course.cli import app; app()', 'predict', str(model), text]
    both = [(run([sys.executable, '-c', '\n'.join(code)], compiled)[0], run(command, compiled)[1]) for _ in range(repeats + 1)][1:]
    moments = [[float(moment) for moment in said.split()] for said, _ in both]
    each = [statistics.median(moment[i + 1] - moment[i] for moment in moments) for i in range(len(parts))]
    whole = statistics.median(taken for _, taken in both)
    return f"| {name} | {' | '.join(f'{one:.2f}' for one in each)} | {whole:.2f} |", whole

def predict(given):
    "The command with a cold start."
    with tempfile.TemporaryDirectory() as folder:
        rows = [answer_row(name, model, given.repeats, f'{folder}/compiled') for name, model in two_models(Path(folder)).items()]
    text = '\n'.join([f"| model | {' | '.join(parts)} | the whole command (budget {answer_limit} s) |", '| --- '*(len(parts) + 2) + '|'] + [row for row, _ in rows])
    print(text)
    if given.write: write_section('A first answer', f'`python benchmarks/import_time.py --predict --write`: `fastnlp predict MODEL "A moving and funny film."`, seconds of the processor, medians of {given.repeats} fresh processes with compiled files. The parts are measured in a program of their own; the command also reads its arguments, prints and ends. {machine()}.\n\n{text}')
    over = [whole for _, whole in rows if whole > answer_limit]
    if over: sys.exit(f'{max(over):.2f} s is over the budget of {answer_limit} s')

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--repeats', type=int, default=7)
    parser.add_argument('--peer', help='python of an environment with fastai')
    parser.add_argument('--predict', action='store_true', help='measure the command instead')
    parser.add_argument('--write', action='store_true', help='write the section of results.md')
    given = parser.parse_args()
    if given.predict: return predict(given)
    ours = seconds('from fastnlp_course.all import *', given.repeats)
    with_pandas = seconds('from fastnlp_course.all import *; pd.DataFrame', given.repeats)
    lines = ['| import | seconds on top of `import torch` | ratio |', '| --- | --- | --- |', f'| `from fastnlp_course.all import *` (budget {limit} s) | {ours:.2f} | 1 |',
             f'| and pandas, which loads when a table is touched | {with_pandas:.2f} | {with_pandas/ours:.1f} |']
    if given.peer:
        peer = seconds('from fastai.text.all import *', given.repeats, given.peer)
        lines.append(f'| `from fastai.text.all import *` | {peer:.2f} | {peer/ours:.1f} |')
    print('\n'.join(lines))
    if given.write:
        write_section('Import', f'`python benchmarks/import_time.py --peer PYTHON --write`, seconds of the processor, medians of {given.repeats} fresh processes with compiled files. {machine()}.\n\n' + '\n'.join(lines))
    if ours > limit: sys.exit(f'{ours:.2f} s is over the budget of {limit} s')

if __name__ == '__main__': main()
