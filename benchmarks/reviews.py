"""The embedded movie reviews, three models, several seeds: mean and spread of accuracy and log loss.

    python benchmarks/reviews.py                 the test rows (RandomSplitter(0.2, seed=42)), for the report
    python benchmarks/reviews.py --development   a tenth of the training rows instead, for choosing a recipe
"""
import argparse, json, subprocess, tempfile, time
from pathlib import Path
from dataclasses import asdict, fields, replace
from common import machine, write_section
import numpy as np
from fastnlp_course.applications.reviews import Recipe, describe_tokens, movie_reviews, tfidf_baseline, train_from_scratch, train_language_model, train_ulmfit
from fastnlp_course.applications.stages import settings_hash
from fastnlp_course.applications.tables import with_split
from fastnlp_course.files import read_json, write_json

def development_rows(table):
    "The training rows alone, a tenth of them marked for choosing."
    return with_split(table[~table.is_valid].drop(columns='is_valid').reset_index(drop=True), valid_pct=0.1, seed=7)

def timed(work):
    "The result of `work`, with its seconds."
    started = time.perf_counter()
    return {**work(), 'seconds': time.perf_counter() - started}

def remembered(runs, name, work):
    "The result of `work`; one that an earlier call with the same settings finished is read from the folder `runs`."
    path = Path(runs)/f'{name}.json'
    if path.exists(): return read_json(path)
    result = {key: value for key, value in work().items() if isinstance(value, float)}
    write_json(path, result)
    return result

def from_scratch(table, recipe):
    return timed(lambda: train_from_scratch(table, recipe))

def ulmfit(table, recipe):
    "All three stages, in a folder that is gone afterwards."
    with tempfile.TemporaryDirectory() as out:
        describe_tokens(table, out, recipe)
        language = timed(lambda: train_language_model(table, out, recipe))
        classifier = timed(lambda: train_ulmfit(table, out, recipe, read_json(Path(out)/'vocab.json')))
    return {**classifier, 'seconds': language['seconds'] + classifier['seconds'], 'perplexity': language['perplexity']}

def peer(python, table, recipe):
    "fastai's scores from scratch with the same rows, sizes, epochs and rates; its weights are those of the last step."
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder)/'rows.csv'
        table.to_csv(rows, index=False)
        program = Path(__file__).with_name('peer_reviews.py')
        done = subprocess.run([python, str(program), str(rows), json.dumps(asdict(recipe)), json.dumps([recipe.seed])], stdout=subprocess.PIPE, text=True, check=True)
    return next(json.loads(line) for line in done.stdout.splitlines() if line.startswith('{'))

def summary(name, runs):
    "One line of the table."
    accuracy = [run['accuracy'] for run in runs]
    loss = [run['log_loss'] for run in runs]
    seconds = np.mean([run['seconds'] for run in runs])
    return f'| {name} | {np.mean(accuracy):.1%} ± {np.std(accuracy)*100:.1f} | {np.mean(loss):.3f} ± {np.std(loss):.3f} | {seconds:.0f} |'

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--development', action='store_true')
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--peer', help='python of an environment with fastai')
    parser.add_argument('--runs', default='benchmark_runs', help='folder for finished runs: an interrupted call goes on')
    for field in fields(Recipe):
        kind = {'action': argparse.BooleanOptionalAction} if isinstance(field.default, bool) else {'type': type(field.default)}
        if field.name != 'seed': parser.add_argument(f'--{field.name}', default=None, **kind)
    given = parser.parse_args()
    changes = {field.name: getattr(given, field.name) for field in fields(Recipe) if getattr(given, field.name, None) is not None and field.name != 'seed'}
    table = movie_reviews()
    if given.development: table = development_rows(table)
    started = time.perf_counter()
    baseline = tfidf_baseline(table)
    collected = {'TF-IDF + logistic regression': [{**baseline, 'seconds': time.perf_counter() - started}]}
    rows = {'classifier from scratch': from_scratch}
    if given.peer: rows['fastai, classifier from scratch'] = lambda table, recipe: peer(given.peer, table, recipe)
    rows['ULMFiT, language model of these reviews only'] = lambda table, recipe: ulmfit(table, replace(recipe, pretrained=False))
    rows['ULMFiT'] = ulmfit
    for name, work in rows.items():
        for seed in range(42, 42 + given.seeds):
            recipe = replace(Recipe(seed=seed), **changes)
            key = f"{name.replace(' ', '_')}-{settings_hash([asdict(recipe), given.development])}"
            scores = remembered(given.runs, key, lambda: work(table, recipe))
            collected.setdefault(name, []).append(scores)
            print(seed, name, {key: round(value, 4) for key, value in scores.items()}, flush=True)
    lines = ['| model | accuracy | log loss | seconds |', '| --- | --- | --- | --- |'] + [summary(name, runs) for name, runs in collected.items()]
    text = f'`python benchmarks/reviews.py --peer PYTHON`, {given.seeds} seeds, mean ± standard deviation; {(~table.is_valid).sum():,} rows to train, {table.is_valid.sum():,} to test. {machine()}.\n\n' + '\n'.join(lines)
    print(text)
    if not given.development: write_section('Movie reviews', text)

if __name__ == '__main__': main()
