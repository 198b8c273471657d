"""Every candidate of `fastnlp train-classifier` on 50, 200 and 1,000 labels of three kinds of texts.

    python benchmarks/few_labels.py --write
    python benchmarks/few_labels.py --data hotels --seeds 42

The candidates are planned and trained by the functions that the command calls. The rows that judge stay the same;
the labelled rows are drawn anew for each seed, the smaller draws from the larger ones. The language model of ULMFiT
reads all texts of the pool, as with `--unlabelled`, once per seed. Every run is kept in `benchmark_runs`; an
interrupted call goes on. Without ../shared only the reviews are there.
"""
import argparse, shutil, time, warnings
from dataclasses import replace
from pathlib import Path
import numpy as np
import pandas as pd
from common import machine, write_section
from fastnlp_course.applications.backbones import Setting, candidate_title, find_checkpoint, fit_frozen_candidate, fit_hf, fit_tfidf_candidate, fit_ulmfit_classifier, fit_ulmfit_language, recipe_for, starts_pretrained
from fastnlp_course.applications.contest import choose_models, plan_candidate
from fastnlp_course.applications.predictors import load_predictor
from fastnlp_course.applications.reviews import movie_reviews
from fastnlp_course.applications.stages import settings_hash
from fastnlp_course.applications.tables import table_hash
from fastnlp_course.applications.text_task import TextTask
from fastnlp_course.applications.train_table import quiet_transformers
from fastnlp_course.files import read_json, write_json

title = 'Few labels on three kinds of texts'
label_counts = 50, 200, 1000
shared = Path(__file__).resolve().parents[2]/'shared/data'
n_pool, n_test, n_watched = 2000, 1000, 40      # texts to draw labels from; rows that judge; rows that a training looks at

def reviews():
    "Sentences of film reviews: good or bad?"
    table = movie_reviews()
    return table[~table.is_valid], table[table.is_valid], 'en'

def patents():
    "Two phrases of a patent: which section of the classification (A to H)? The judged ones have other first phrases."
    pairs = pd.read_csv(shared/'us_patent_phrase/train.csv.gz', keep_default_na=False)
    table = pd.DataFrame({'text': pairs.anchor + ' | ' + pairs.target, 'label': pairs.context.str[0], 'anchor': pairs.anchor})
    table = table.drop_duplicates('text', keep=False)
    anchors = pd.Series(table.anchor.unique()).sample(frac=.3, random_state=0)
    held_out = table.anchor.isin(set(anchors))
    return table[~held_out], table[held_out], 'en'

def hotels():
    "Chinese reviews of hotels, their first 100 characters: good or bad?"
    table = pd.read_csv(shared/'chnsenticorp_htl/ChnSentiCorp_htl_all.csv.gz', encoding='utf-8-sig', keep_default_na=False)
    table = pd.DataFrame({'text': table.review.str.slice(0, 100), 'label': table.label.map({0: 'bad', 1: 'good'})}).drop_duplicates('text')
    test = table.sample(n_test, random_state=0)
    return table.drop(test.index), test, 'zh'

sources = {'reviews': (reviews, ('tfidf', 'minilm-frozen', 'ulmfit', 'minilm')), 'patents': (patents, ('tfidf', 'minilm-frozen', 'ulmfit', 'minilm')),
           'hotels': (hotels, ('tfidf', 'ulmfit', 'ulmfit, pieces'))}
named = {'reviews': 'film reviews, 2 classes', 'patents': 'phrases of patents, 8 sections', 'hotels': 'Chinese hotels, 2 classes'}

def drawn(rows, n, seed, least=2):
    "`n` rows with the shares of the classes as they are, at least two of each."
    shares = rows.label.value_counts(normalize=True)
    counts = (shares*n).round().astype(int).clip(lower=least)
    counts[counts.idxmax()] += n - counts.sum()
    return pd.concat([rows[rows.label == label].sample(count, random_state=seed) for label, count in counts.items()]).sample(frac=1, random_state=seed)

def rows_of(name):
    "(texts to draw labels from, rows that judge, rows a training looks at, rows to choose by, language), the same for every seed."
    train, test, lang = sources[name][0]()
    pool = drawn(train[['text', 'label']], n_pool, 0, 20)
    watched = drawn(train.drop(pool.index)[['text', 'label']], n_watched, 0)
    others = train.drop([*pool.index, *watched.index])[['text', 'label']]
    return pool, test[['text', 'label']].sample(min(n_test, len(test)), random_state=0), watched, others.sample(min(n_test, len(others)), random_state=0), lang

def task_of(labelled, watched):
    "The labelled rows, and a few to look at while training: nothing is chosen by them."
    table = pd.concat([labelled.assign(is_valid=False), watched.assign(is_valid=True)]).reset_index(drop=True)
    return TextTask(table, 'classes', sorted(labelled.label.unique()))

def setting_of(candidate, task, pool, lang, seed):
    "What the command hands to a candidate."
    more = tuple(text for text in pool.text if text not in set(task.table.text[~task.table.is_valid])) if candidate.startswith('ulmfit') else ()
    setting = Setting(lang=lang, seed=seed, unlabelled=more, **({'unit': 'pieces' if 'pieces' in candidate else 'characters'} if candidate.startswith('ulmfit') and lang == 'zh' else {}))
    setting = replace(setting, recipe=replace(setting.recipe, seed=seed))
    if candidate.startswith('ulmfit'):
        setting = replace(setting, recipe=replace(recipe_for(task, setting), pretrained=starts_pretrained(task, lang, setting.unit)[0]))
    return setting

def fitted(candidate, task, setting, folder, language):
    "Train one candidate into `folder`; seconds of the processor, and what it says of itself."
    source = find_checkpoint(candidate) if candidate.startswith('minilm') else None
    plan = plan_candidate('ulmfit' if candidate.startswith('ulmfit') else candidate, task, setting, source)
    began = time.process_time()
    if candidate == 'tfidf': answer = fit_tfidf_candidate(task, setting, folder)
    elif candidate == 'minilm-frozen': answer = fit_frozen_candidate(task, setting, source, folder, plan['max_length'])
    elif candidate == 'minilm': answer = fit_hf(task, setting, source, folder, plan)
    else:
        read = language(plan['lm_epochs'])
        began = time.process_time() - read['cpu']
        shutil.copytree(read['folder'], folder, dirs_exist_ok=True)
        answer = fit_ulmfit_classifier(task, setting, folder, plan['epochs'])
    return time.process_time() - began, answer['about']

class Languages:
    "Language models of a data set by candidate and seed, trained once and kept."
    def __init__(self, runs, key): self.runs, self.key = Path(runs), key
    def __call__(self, candidate, task, setting, epochs):
        folder = self.runs/f"few-language-{settings_hash([self.key, candidate, setting.seed, epochs])}"
        if not (folder/'finished.json').exists():
            shutil.rmtree(folder, ignore_errors=True)
            began = time.process_time()
            fit_ulmfit_language(task, setting, folder/'language', epochs)
            write_json(folder/'finished.json', {'cpu': time.process_time() - began})
        return {'folder': folder/'language', **read_json(folder/'finished.json')}

def one_run(candidate, labelled, rows, lang, seed, languages, scratch):
    "A row of the table as a dict."
    pool, test, watched, others = rows
    task = task_of(labelled, watched)
    setting = setting_of(candidate, task, pool, lang, seed)
    shutil.rmtree(scratch, ignore_errors=True)
    seconds, about = fitted(candidate, task, setting, scratch, lambda epochs: languages(candidate, task, setting, epochs))
    model = load_predictor(scratch/'model' if candidate.startswith('ulmfit') else scratch)
    def accuracy(rows): return float((np.asarray(model.probabilities(list(rows.text))).argmax(1) == np.array([task.labels.index(label) for label in rows.label])).mean())
    chosen_by = {'development': accuracy(others)} if lang == 'zh' and candidate.startswith('ulmfit') else {}      # characters or pieces?
    return {'accuracy': accuracy(test), **chosen_by, 'cpu': seconds, 'about': about, 'majority': float((test.label == labelled.label.mode()[0]).mean())}

def left_out(pool, lang):
    "Why `auto` leaves candidates out for this language."
    said, table = [], pool.head(300).assign(is_valid=False)
    choose_models(['auto'], TextTask(table, 'classes', sorted(table.label.unique())), lang, said.append)
    return said

def cell(values): return f'{np.mean(values):.1%} ± {100*np.std(values):.1f}'

def shown(candidate): return {'ulmfit, pieces': 'ULMFiT, SentencePiece', 'ulmfit, characters': 'ULMFiT, characters', 'majority': 'the most frequent class'}.get(candidate, candidate_title(candidate))

def table_lines(found, data):
    "A table for each data set: candidates by labels, and the seconds of the processor for the most labels."
    for name in data:
        runs = {key[1:]: value for key, value in found.items() if key[0] == name}
        counts = sorted({n for _, n, _ in runs})
        if not counts: continue
        yield from ('', f'### {named[name].capitalize()}', '', '| model | ' + ' | '.join(f'{n:,} labels' for n in counts) + ' | ' + ' | '.join(f'seconds, {n:,}' for n in counts) + ' |', '| --- '*(1 + 2*len(counts)) + '|')
        candidates = list(dict.fromkeys(candidate for candidate, _, _ in runs))
        of = lambda candidate, n, what: [run[what] for (one, m, _), run in runs.items() if (one, m) == (candidate, n)]
        yield f'| {shown("majority")} | ' + ' | '.join(f'{np.mean(of("tfidf", n, "majority")):.1%}' for n in counts) + ' |' + ' |'*len(counts)
        for candidate in candidates:
            yield f'| {shown(candidate)} | ' + ' | '.join(cell(of(candidate, n, 'accuracy')) if of(candidate, n, 'accuracy') else '–' for n in counts) + ' | ' + ' | '.join(f"{np.mean(of(candidate, n, 'cpu')):.1f}" if of(candidate, n, 'cpu') else '–' for n in counts) + ' |'

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seeds', type=int, nargs='*', default=[42, 43, 44])
    parser.add_argument('--data', nargs='*', default=list(sources), choices=list(sources))
    parser.add_argument('--labels', nargs='*', type=int, default=list(label_counts))
    parser.add_argument('--models', nargs='*', help='some of the candidates')
    parser.add_argument('--runs', default='benchmark_runs', help='folder for finished runs')
    parser.add_argument('--write', action='store_true', help='write the section of results.md')
    parser.add_argument('--only-finished', action='store_true', help='make the table of what is there')
    given = parser.parse_args()
    warnings.filterwarnings('ignore')
    quiet_transformers()
    data = [name for name in given.data if name == 'reviews' or shared.is_dir()]
    loaded = {name: rows_of(name) for name in data}
    found = {}
    for seed in given.seeds:
        for n in given.labels:
            for name in data:
                pool, test, watched, others, lang = loaded[name]
                labelled = drawn(drawn(pool, max(label_counts), seed), n, seed) if n < max(label_counts) else drawn(pool, n, seed)
                languages = Languages(given.runs, [name, table_hash(pool), given.runs])
                for candidate in sources[name][1]:
                    if given.models and candidate not in given.models: continue
                    key = settings_hash([name, candidate, n, seed, table_hash(pool), table_hash(test)])
                    path = Path(given.runs)/f'few-{key}.json'
                    if not path.exists():
                        if given.only_finished: continue
                        write_json(path, one_run(candidate, labelled, (pool, test, watched, others), lang, seed, languages, Path(given.runs)/f'few-model-{name}-{seed}'))
                    run = found[name, candidate, n, seed] = read_json(path)
                    print(f"{name:8} {candidate:15} {n:>5} labels, seed {seed}: {run['accuracy']:.1%} {run['cpu']:.1f} s {run['about']}", flush=True)
    reasons = [line for name in data if loaded[name][4] != 'en' for line in left_out(loaded[name][0], loaded[name][4])]
    lines = list(table_lines(found, data))
    for kind in ('ulmfit', 'ulmfit, pieces'):
        told = [[run['development'] for (name, one, m, _), run in found.items() if (name, one, m) == ('hotels', kind, n) and 'development' in run] for n in given.labels]
        if any(told): reasons.append(f"On other rows, to choose by, {shown(kind)} had {', '.join(f'{np.mean(values):.1%}' for values in told if values)} ({', '.join(f'{n:,}' for n, values in zip(given.labels, told) if values)} labels).")
    print('\n'.join([*lines, *reasons]))
    if given.write:
        seeds = {len({seed for _, _, _, seed in found})}
        text = (f"`python benchmarks/few_labels.py --write`: the candidates of `fastnlp train-classifier`, planned and trained by its functions; accuracy on 1,000 rows that stay the same, mean ± standard deviation of {max(seeds)} draws of the labels and seeds. "
                f"The language model of ULMFiT reads the {n_pool:,} texts of the pool that the labels are drawn from (`--unlabelled`). Hotels: the first 100 characters of a review; `auto` says of the other candidates, and of what ULMFiT reads: {' '.join(reasons)} Patents: no first phrase of a judged row was trained on. Seconds are those of the processor, one thread, for the training, beside other work. {machine()}.")
        write_section(title, text + '\n' + '\n'.join(lines))

if __name__ == '__main__': main()
