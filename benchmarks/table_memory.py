"""How much memory do the candidates of `fastnlp train-classifier` need for a large table?

    python benchmarks/table_memory.py --rows 100000 --write     four minutes of the processor
    python benchmarks/table_memory.py --rows 2000       a quick look
    python benchmarks/table_memory.py --counting --rows 10000 --write     TF-IDF's counting alone, beside scikit-learn's

IMDb's reviews, all 100,000 (labels by chance for those that have none: memory does not ask). Each step in a process of its
own: the table alone, TF-IDF fitted and asked, ULMFiT's two pairs of loaders built one after the other, as the command does, and
ten steps of training. What is counted is the largest resident memory of the process.
"""
import argparse, resource, subprocess, sys, time
from common import machine, write_section
import numpy as np
import pandas as pd

title = 'Memory for a table of 100,000 rows'
steps = {'table': 'the table, read and split', 'tfidf': 'TF-IDF: fitted on 80%, asked about 20%', 'ulmfit': "ULMFiT: both stages' loaders and ten steps of each"}

counting = 'Memory for counting pairs of words'
ways = {'alone': 'the table, and scikit-learn imported', 'ours': '`count_terms`: terms of one text are left out before they are numbered', 'theirs': '`fit_transform` of scikit-learn: they are numbered, and taken away at the end'}

def reviews(n):
    "The first `n` reviews of IMDb as the command's table."
    from fastnlp_course.all import get_data
    data = get_data('imdb')
    table = pd.concat([data[name] for name in ('train', 'test', 'unsup')], ignore_index=True).head(n)
    return pd.DataFrame({'text': table.text.astype(str), 'label': np.where(np.arange(len(table))%2, 'neg', 'pos'), 'is_valid': np.arange(len(table))%5 == 0})

def fit_some(learn, n=10):
    "A few steps of training."
    from fastnlp_course.all import ShortEpochCallback
    with learn.no_bar(), learn.no_logging(): learn.fit(1, 1e-3, cbs=ShortEpochCallback(n/len(learn.dls.train)))

def count(step, texts):
    "Weighted counts of words and pairs that are in two texts at least, in one of two ways; how many terms, and seconds of the processor."
    from fastnlp_course.applications.tfidf_model import _vectorizer, count_terms
    vectorizer, started = _vectorizer('words', min_df=2), time.process_time()
    if step == 'alone': return 0, 0
    count_terms(vectorizer, texts) if step == 'ours' else vectorizer.fit_transform(texts)
    return len(vectorizer.vocabulary_), time.process_time() - started

def work(step, n):
    "One step; prints what else it found, then megabytes at most, and of text."
    table = reviews(n)
    if step in ways: print(*count(step, table.text.tolist()))
    if step == 'tfidf':
        from fastnlp_course.applications.tfidf_model import fit_tfidf, tfidf_model
        train = table[~table.is_valid]
        model = tfidf_model(fit_tfidf(train.text, (train.label == 'pos').astype(int).to_numpy(), 'classes'), ['neg', 'pos'])
        model.probabilities(table.text[table.is_valid])
    if step == 'ulmfit':
        from fastnlp_course.applications.backbones import Setting, ulmfit_classifier, ulmfit_language_loaders
        from fastnlp_course.applications.reviews import language_model
        from fastnlp_course.applications.text_task import TextTask
        task, setting = TextTask(table, 'classes', ['neg', 'pos']), Setting()
        learn = language_model(ulmfit_language_loaders(task, setting), setting.recipe)
        fit_some(learn)
        vocab = list(learn.dls.vocab)
        del learn
        fit_some(ulmfit_classifier(task, setting, vocab))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss//1000, round(table.text.str.len().sum()/1e6))

def compare_ways(n, write):
    "The table of the two ways to count."
    told = {step: subprocess.run([sys.executable, __file__, '--work', step, '--rows', str(n)], capture_output=True, text=True, check=True).stdout.split() for step in ways}
    if told['ours'][0] != told['theirs'][0]: sys.exit(f"{told['ours'][0]} terms one way, {told['theirs'][0]} the other")
    alone, lines = int(told['alone'][-2]), ['| way | MB beside the texts | seconds of the processor |', '| --- | --- | --- |']
    lines += [f"| {ways[step]} | {int(told[step][-2]) - alone:,} | {float(told[step][1]):.0f} |" for step in ('ours', 'theirs')]
    print('\n'.join(lines))
    if write: write_section(counting, f"`python benchmarks/table_memory.py --counting --rows {n} --write`: {n:,} reviews of IMDb, {told['alone'][-1]} MB of text, {int(told['ours'][0]):,} words and pairs that are in two of them at least. {machine()}.\n\n" + '\n'.join(lines))

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rows', type=int, nargs='*', default=[100_000])
    parser.add_argument('--write', action='store_true', help='write the section of results.md')
    parser.add_argument('--counting', action='store_true', help='counting words and pairs alone, in two ways')
    parser.add_argument('--work', choices=list({**steps, **ways}), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work: return work(given.work, given.rows[0])
    if given.counting: return compare_ways(given.rows[0], given.write)
    def ask(step, n): return [int(part) for part in subprocess.run([sys.executable, __file__, '--work', step, '--rows', str(n)], capture_output=True, text=True, check=True).stdout.split()[-2:]]
    found = {(step, n): ask(step, n) for n in given.rows for step in steps}
    lines = ['| step | ' + ' | '.join(f"{n:,} rows ({found['table', n][1]} MB of text)" for n in given.rows) + ' |', '| --- '*(1 + len(given.rows)) + '|']
    lines += [f"| {name} | {' | '.join(f'{found[step, n][0]:,} MB' for n in given.rows)} |" for step, name in steps.items()]
    print('\n'.join(lines))
    if given.write: write_section(title, f"`python benchmarks/table_memory.py --rows {' '.join(map(str, given.rows))} --write`: largest resident memory of a process, python, torch and the table included; IMDb's reviews. {machine()}.\n\n" + '\n'.join(lines))

if __name__ == '__main__': main()
