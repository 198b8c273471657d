"""The same texts to ids on disk by one process, two local processes, a Ray cluster of two workers, and `datasets.map` with two: python benchmarks/engines.py [--write]

25,000 IMDb reviews from ../shared/data (50,000: --files train test), with one given vocab; every engine in a fresh process, each once, its own start counted.
All four must give the same ids. Then a few thousand short texts, and a worker is killed by SIGKILL in the middle: who goes on?
An engine that is not installed is left out.
"""
import argparse, hashlib, importlib.util, json, os, random, signal, subprocess, sys, tempfile, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from common import machine, write_section

title = 'Engines'
default_data = Path(__file__).resolve().parent.parent.parent/'shared'/'data'

start_and_end = {'seconds': 0.}   # of the cluster

def dies_once(text):
    "A rule that changes nothing, and kills the worker that meets the word `deadly` first."
    mark = os.environ.get('FASTNLP_BENCHMARK_DIES')
    if mark and 'deadly' in text:
        try: os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
        except FileExistsError: return text
        os.kill(os.getpid(), signal.SIGKILL)
    return text

def one_process(files, path, options):
    from fastnlp_course.text.corpus import build_store
    return build_store(files, path, **options)

def two_processes(files, path, options):
    from fastnlp_course.text.corpus import build_store, join_stores
    with ProcessPoolExecutor(2, mp_context=get_context('spawn')) as pool:
        parts = [rank.result() for rank in [pool.submit(build_store, files, path, rank=rank, world=2, **options) for rank in range(2)]]
    return join_stores(path, parts)

def ray_cluster(files, path, options):
    from fastnlp_course.text.corpus import build_store
    from fastnlp_course.text.ray_blocks import ray_cluster as cluster   # what build_store opens by itself; here to take its time
    times = [time.perf_counter()]
    with cluster():
        times.append(time.perf_counter())
        store = build_store(files, path, engine='ray', **options)
        times.append(time.perf_counter())
    start_and_end['seconds'] = times[1] - times[0] + time.perf_counter() - times[2]
    return store

def datasets_map(files, path, options):
    import datasets
    from fastnlp_course.text.fast_tokenization import TextToIds
    datasets.disable_progress_bars()
    encode = TextToIds(rules=options.get('rules'), vocab=options['vocab'])
    found = datasets.Dataset.from_parquet([str(file) for file in files], columns=['text'], cache_dir=str(path))
    return found.map(lambda batch: {'ids': encode.encode_batch(batch['text'])}, batched=True, num_proc=2, remove_columns=['text'],
                     features=datasets.Features({'ids': datasets.List(datasets.Value('uint16'))}))

engines = {'one process': one_process, 'two local processes': two_processes, 'Ray, two workers': ray_cluster, 'datasets.map, num_proc=2': datasets_map}

def ids_of(found):
    "The ids of all documents, one after the other, as bytes."
    import numpy as np
    if hasattr(found, 'with_format'): return (np.asarray(ids, np.uint16).tobytes() for ids in found.with_format('numpy')['ids'])
    return (np.asarray(ids, np.uint16).tobytes() for ids in found)

def measure(name, files, place, vocab_file, killed):
    "Run one engine in this process."
    import datasets, spacy   # imports are no engine's work
    import fastnlp_course.text.corpus
    if importlib.util.find_spec('ray') and 'Ray' not in name: import ray
    path, vocab = Path(place)/'result', json.loads(Path(vocab_file).read_text())
    options = dict(vocab=vocab, block_chars=20_000, rules=[dies_once]) if killed else dict(vocab=vocab, block_chars=1 << 22)
    if name.startswith('datasets'): path.mkdir()
    began, stopped = time.perf_counter(), None
    try:
        found = engines[name](files, path, options)
    except Exception as error:
        finished = [*Path(place).glob('result.rank-*/block-*.json'), *path.rglob('cache-*.arrow')]
        kept = [os.open(file, os.O_RDONLY) for file in finished]      # held open: a file that is written anew is another one
        before = [os.fstat(handle).st_ino for handle in kept]
        stopped = f'stops ({type(error).__name__}); finished parts that are kept: {len(finished)}'
        found = engines[name](files, path, options)
        if name.startswith('datasets') and [file.stat().st_ino for file in finished] != before: stopped = f'stops ({type(error).__name__}); begins again'
    seconds, digest = time.perf_counter() - began, hashlib.sha256()
    for part in ids_of(found): digest.update(part)
    size = sum(file.stat().st_size for file in path.rglob('*') if file.is_file() and (not name.startswith('datasets') or file.name.startswith('cache-')))
    return {'engine': name, 'seconds': seconds, 'digest': digest.hexdigest(), 'documents': len(found), 'disk': size/1e6, 'start': start_and_end['seconds'], 'killed': stopped or 'goes on by itself'}

def short_texts(path):
    "4,000 texts in two files, with one that kills in the second half of the first file."
    import pandas as pd
    draw = random.Random(0)
    texts = [' '.join(draw.choices('the film was good and a bad one too'.split() + [f'rare{i}' for i in range(200)], k=30)) for _ in range(4000)]
    texts[1500] += ' deadly'
    files = [path/'first.parquet', path/'second.parquet']
    for file, part in zip(files, (texts[:2000], texts[2000:])): pd.DataFrame({'text': part}).to_parquet(file)
    return files

def fresh(name, files, vocab_file, place, killed=False):
    "Measure one engine in a process of its own."
    with tempfile.TemporaryDirectory(dir=place) as work:
        variables = {'FASTNLP_BENCHMARK_DIES': str(Path(work)/'died')} if killed else {}
        command = [sys.executable, __file__, '--one', json.dumps([name, [str(file) for file in files], work, str(vocab_file), killed])]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env={**os.environ, **variables, 'HF_HUB_OFFLINE': '1'})
        assert not killed or name == 'one process' or Path(work, 'died').exists(), f'{name}: nothing was killed'
    found = json.loads(done.stdout.splitlines()[-1])
    print({key: value for key, value in found.items() if key != 'digest'}, flush=True)
    return found

def report(runs, killed, load):
    alone = runs[0]['seconds']
    lines = ['| engine | seconds | to one process | on disk (MB) | a worker is killed |', '| --- | --- | --- | --- | --- |']
    lines += [f"| {run['engine']} | {run['seconds']:.1f} | {run['seconds']/alone:.2f} | {run['disk']:.0f} | {killed.get(run['engine'], '–')} |" for run in runs]
    same = len({run['digest'] for run in runs}) == 1
    return (f"`python benchmarks/engines.py`: {runs[0]['documents']:,} IMDb reviews to ids on disk, vocab given, each engine once in a fresh process, its start counted; load average {load:.0f} at the start, so seconds are too many where it is above 1. Ids of all engines: {'the same' if same else 'DIFFERENT'}. "
            f"\"A worker is killed\": SIGKILL in the middle of 4,000 short texts. {machine()}.\n\n" + '\n'.join(lines) + ''.join(f"\n\nOf the seconds of Ray, {run['start']:.1f} are the start and the end of its cluster; without them {(run['seconds'] - run['start'])/alone:.2f} of one process." for run in runs if run['start'])), same

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data', type=Path, default=default_data)
    parser.add_argument('--files', nargs='+', default=['train'], help='of IMDb: train, test, unsup')
    parser.add_argument('--short', action='store_true', help='only the short texts, for a look at the script')
    parser.add_argument('--write', action='store_true')
    parser.add_argument('--one', help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        name, files, place, vocab_file, killed = json.loads(given.one)
        return print(json.dumps(measure(name, [Path(file) for file in files], place, vocab_file, killed)))
    if not given.short and not (given.data/'imdb').exists(): sys.exit(f'skipped: {given.data} does not hold imdb')
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as place:
        from fastnlp_course.text.corpus import build_store
        from fastnlp_course.text.read_texts import read_texts
        short = short_texts(Path(place))
        files = short if given.short else [given.data/'imdb'/f'{name}.parquet' for name in given.files]
        texts = read_texts(files[0])
        vocab_file = Path(place)/'vocab.json'
        vocab_file.write_text(json.dumps(list(build_store([next(texts) for _ in range(1000)], Path(place)/'few').vocab)))
        there = [name for name in engines if 'Ray' not in name or importlib.util.find_spec('ray')]
        runs = [fresh(name, files, vocab_file, place) for name in there]
        killed = {name: fresh(name, short, vocab_file, place, killed=True)['killed'] for name in there[1:]}
        text, same = report(runs, killed, load)
    print(text)
    if not same: sys.exit('the engines gave different ids')
    if given.write: write_section(title, text)

if __name__ == '__main__': main()
