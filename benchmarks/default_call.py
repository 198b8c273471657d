"""The call that everybody tries first: `text_classifier_learner(dls, AWD_LSTM).fine_tune(4)` with the model in the package.

    python benchmarks/default_call.py --write
    python benchmarks/default_call.py --data films            the rows on which its rates were chosen

Beside it: the same call with fast.ai's rates, the same network with random weights (one cycle of as many epochs, one rate of 1e-2,
the better one on the films), and TF-IDF with logistic regression. The rates were chosen on film reviews inside the training part
of lesson 18; no other data set chose anything. Every run is kept in `benchmark_runs`; an interrupted call goes on.
Data sets other than the films need ../shared.
"""
import argparse, time, warnings
from pathlib import Path
import numpy as np
import pandas as pd
from common import machine, write_section
from fastnlp_course.all import AWD_LSTM, TextDataLoaders, accuracy, awd_lstm_clas_config, set_seed, text_classifier_learner
from fastnlp_course.applications.reviews import Recipe, movie_reviews
from fastnlp_course.applications.stages import settings_hash
from fastnlp_course.applications.tfidf_model import fit_tfidf, tfidf_model
from fastnlp_course.files import read_json, write_json
from fastnlp_course.models.text_learner import shipped_rates, usual_rates

title = 'The default call of ULMFiT'
shared = Path(__file__).resolve().parents[2]/'shared/data'
epochs, n_judging, label_counts = 4, 1500, (500, 4000)
candidates = {'default': 'the default call', 'usual': "the same with fast.ai's rates", 'scratch': 'the same network, random weights', 'tfidf': 'TF-IDF + logistic regression'}

def films():
    "Film reviews of the training part of lesson 18: good or bad?"
    table = movie_reviews()
    return table[~table.is_valid][['text', 'label']]

def emotions():
    "Comments with one emotion: which of the six most frequent ones?"
    table = pd.read_parquet(shared/'goemotions/train.parquet')
    labels = table.labels.map(lambda found: str(found[0]) if len(found) == 1 else '27')       # 27: neutral
    kept = labels.isin(labels[labels != '27'].value_counts().index[:6])
    return pd.DataFrame({'text': table.text[kept], 'label': labels[kept]})

def patents():
    "A phrase of a patent: which section of the classification (A to H)?"
    table = pd.read_csv(shared/'us_patent_phrase/train.csv.gz', keep_default_na=False)
    return pd.DataFrame({'text': table.target, 'label': table.context.str[0]}).drop_duplicates('text')

def imdb():
    "The first 40 words of film reviews that are longer: good or bad?"
    table = pd.read_parquet(shared/'imdb/train.parquet', columns=['text', 'label'])
    return pd.DataFrame({'text': table.text.map(lambda text: ' '.join(text.split()[:40])), 'label': table.label.map({0: 'bad', 1: 'good'})})

sources = {'films': films, 'emotions': emotions, 'patents': patents, 'imdb': imdb}
named = {'films': 'films (chose the rates)', 'emotions': 'comments, 6 emotions', 'patents': 'phrases of patents, 8 sections', 'imdb': 'IMDb, 40 words, 2 classes'}

def rows_of(name, n, seed):
    "`n` rows drawn by the seed, and the rows that judge, which are always the same."
    table = sources[name]().reset_index(drop=True)
    judging = table.sample(n_judging, random_state=99)
    drawn = table.drop(judging.index).sample(n, random_state=seed)
    return pd.concat([drawn.assign(is_valid=False), judging.assign(is_valid=True)], ignore_index=True)

def trained(candidate, table, seed):
    "A trained learner; the judging rows are looked at after each epoch and choose nothing."
    set_seed(seed)
    dls = TextDataLoaders.from_df(table, text_col='text', label_col='label', valid_col='is_valid')
    fresh = candidate == 'scratch'
    learn = text_classifier_learner(dls, AWD_LSTM, pretrained=not fresh, config={**awd_lstm_clas_config, **Recipe().sizes()} if fresh else None, metrics=accuracy)
    with learn.no_bar(), learn.no_logging():
        if fresh: learn.fit_one_cycle(epochs + 1, 1e-2)
        else: learn.fine_tune(epochs, **(usual_rates if candidate == 'usual' else {}))
    return learn

def one_run(candidate, table, seed):
    "Share of right answers, log loss, and seconds of the processor."
    began = time.process_time()
    if candidate != 'tfidf': _, loss, found = trained(candidate, table, seed).recorder.values[-1]
    else:
        train, judging, labels = table[~table.is_valid], table[table.is_valid], sorted(table.label.unique())
        model = tfidf_model(fit_tfidf(train.text, train.label.map(labels.index).to_numpy(), 'classes'), labels)
        probabilities, targets = model.probabilities(judging.text), judging.label.map(labels.index).to_numpy()
        found, loss = (probabilities.argmax(1) == targets).mean(), -np.log(probabilities[np.arange(len(targets)), targets]).mean()
    return {'accuracy': float(found), 'log_loss': float(loss), 'cpu': time.process_time() - began}

def kept_run(folder, candidate, name, n, seed):
    "A run, from the folder if it was made before."
    rates = {'default': shipped_rates, 'usual': usual_rates}.get(candidate)
    path = Path(folder)/f'default-{settings_hash([candidate, name, n, seed, epochs, rates])}.json'
    if not path.exists(): write_json(path, one_run(candidate, rows_of(name, n, seed), seed))
    return read_json(path)

def table_lines(found, names, counts, seeds):
    "The table: mean accuracy and log loss of each candidate, and what the default gains over random weights, draw by draw."
    yield '| data | labels | ' + ' | '.join(candidates.values()) + ' | default − random weights, points |'
    yield '| --- '*(len(candidates) + 3) + '|'
    for name in names:
        for n in counts:
            rows = {one: np.array([found[one, name, n, seed] for seed in seeds]) for one in candidates}
            gains = 100*(rows['default'] - rows['scratch'])[:, 0]
            cells = ['{:.1%}, {:.3f}'.format(*row.mean(0)) for row in rows.values()]
            yield f'| {named[name]} | {n:,} | ' + ' | '.join(cells) + f' | {gains.mean():+.1f} ({gains.min():+.1f} to {gains.max():+.1f}) |'

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data', nargs='+', default=list(sources), choices=list(sources))
    parser.add_argument('--labels', type=int, nargs='+', default=list(label_counts))
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--runs', default='benchmark_runs', help='folder for finished runs')
    parser.add_argument('--write', action='store_true', help='write the section of results.md')
    given = parser.parse_args()
    warnings.filterwarnings('ignore')
    Path(given.runs).mkdir(parents=True, exist_ok=True)
    seeds, found = range(given.seeds), {}
    for seed in seeds:
        for name in given.data:
            for n in given.labels:
                for candidate in candidates:
                    run = kept_run(given.runs, candidate, name, n, seed)
                    found[candidate, name, n, seed] = run['accuracy'], run['log_loss']
                    print(f"{name:9} {n:>5} labels, seed {seed}: {candidate:8} {run['accuracy']:.1%}, {run['cpu']:.0f} s", flush=True)
    lines = '\n'.join(table_lines(found, given.data, given.labels, seeds))
    print(lines)
    if given.write:
        write_section(title, f"`python benchmarks/default_call.py --write`: `text_classifier_learner(dls, AWD_LSTM).fine_tune({epochs})`, which takes base_lr={shipped_rates['base_lr']} and lr_mult={shipped_rates['lr_mult']} "
                      f"with the model in the package, beside fast.ai's {usual_rates['base_lr']} and {usual_rates['lr_mult']}. Random weights: one cycle of {epochs + 1} epochs at 1e-2. Accuracy and log loss, means of {given.seeds} draws of rows, on {n_judging:,} rows that judge; in the last column the range of the draws. {machine()}.\n\n{lines}")

if __name__ == '__main__': main()
