"""`fastnlp predict MODEL --file FILE --out FILE` by the number of rows: memory and speed: python benchmarks/predict_rows.py [--rows 10000 100000 1000000] [--write]

The cheapest model (TF-IDF on the shipped reviews), and rows of about 60 characters cut from these reviews: every hundredth is
empty, every fiftieth has only new words. Each size runs in a process of its own; memory is looked up fifty times a second. The
largest size comes again with --engine ray where Ray is installed. Needs Linux.
"""
import argparse, csv, importlib.util, json, os, random, subprocess, sys, tempfile, time
from pathlib import Path
from common import machine, write_section
from corpus_memory import memory, Peak

title = 'Predicting a million rows'

def make_model(folder):
    "Weighted words on the shipped reviews; the texts to cut rows from."
    from fastnlp_course.applications.reviews import movie_reviews
    from fastnlp_course.applications.tfidf_model import fit_tfidf, save_tfidf
    table = movie_reviews()
    save_tfidf(fit_tfidf(table.text.tolist(), table.label.tolist()), None, folder)
    return table.text.tolist()

def write_rows(path, texts, n):
    "A table of `n` short rows."
    draw = random.Random(0)
    with open(path, 'w', encoding='utf-8', newline='') as handle:
        table = csv.writer(handle)
        table.writerow(['id', 'text'])
        for i in range(n):
            text = draw.choice(texts)
            start = draw.randrange(max(1, len(text) - 60))
            table.writerow([i, '' if i % 100 == 99 else f'zq{i}x zq{i}y' if i % 50 == 49 else text[start:start + 60]])

def measure(model, table, engine):
    "Answer one table in this process."
    import pandas, sklearn.feature_extraction.text, sklearn.linear_model   # what the command loads belongs to the value just after imports
    import fastnlp_course.applications.predict_table
    from fastnlp_course.cli import predict
    base, out = memory('RssAnon'), Path(table).with_suffix('.out.csv')
    began = time.perf_counter()
    with Peak() as peak: predict(model, text=None, file=Path(table), text_col=None, sep=None, encoding=None, out=out, engine=engine, guard=True)
    seconds = time.perf_counter() - began
    with open(out, encoding='utf-8', newline='') as handle: notes = [row['note'] for row in csv.DictReader(handle)]
    return {'rows': len(notes), 'empty': notes.count('empty text'), 'unknown': sum(note.endswith('unknown') for note in notes), 'base': base,
            'peak': peak.anonymous - base, 'seconds': seconds, 'megabytes': Path(table).stat().st_size/1e6}

def report(runs, model_mb, load):
    lines = ['| rows | engine | table (MB) | peak anonymous memory above imports (MB) | seconds | rows per second | empty, marked | new words, marked |', '| --- | --- | --- | --- | --- | --- | --- | --- |']
    lines += [f"| {run['rows']:,} | {run['engine'] or 'this process'} | {run['megabytes']:.1f} | {run['peak']:.0f} | {run['seconds']:.1f} | {run['rows']/run['seconds']:,.0f} | {run['empty']:,} | {run['unknown']:,} |" for run in runs]
    alone = [run for run in runs if run['engine'] is None]
    text = (f"`python benchmarks/predict_rows.py`: `fastnlp predict MODEL --file rows.csv --out answers.csv`, TF-IDF on the shipped reviews ({model_mb:.0f} MB on disk), rows of about 60 characters. "
            f"Loading the model is part of memory and time. Load average {load:.0f} at the start: above 1, seconds are too many. {machine()}.\n\n" + '\n'.join(lines))
    if any(run['engine'] for run in runs): text += '\n\nWith Ray, memory is that of the process that asks; the start of a cluster on this machine is part of the time.'
    if len(alone) > 1: text += f"\n\nPeak at {alone[-1]['rows']:,} rows to peak at {alone[0]['rows']:,}: {alone[-1]['peak']/alone[0]['peak']:.2f}. Just after imports: {alone[0]['base']:.0f} MB anonymous."
    return text

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rows', type=int, nargs='+', default=[10_000, 100_000, 1_000_000])
    parser.add_argument('--write', action='store_true')
    parser.add_argument('--one', nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one: return print(json.dumps(measure(given.one[0], given.one[1], given.one[2] if given.one[2] != '-' else None)))
    runs, load = [], os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as place:
        model = Path(place)/'model'
        texts = make_model(model)
        for n, engine in [*((n, None) for n in given.rows), *([(given.rows[-1], 'ray')] if importlib.util.find_spec('ray') else [])]:
            table = Path(place)/f'{n}.csv'
            if not table.exists(): write_rows(table, texts, n)
            done = subprocess.run([sys.executable, __file__, '--one', str(model), str(table), engine or '-'], stdout=subprocess.PIPE, check=True, text=True)
            runs.append({**json.loads(done.stdout.splitlines()[-1]), 'engine': engine})
            print(runs[-1], flush=True)
        text = report(runs, sum(file.stat().st_size for file in model.iterdir())/1e6, load)
    print(text)
    if given.write: write_section(title, text)

if __name__ == '__main__': main()
