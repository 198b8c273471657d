"""The language model loader: an epoch against fastai's, and the time per batch for stores of a million to a billion tokens.

    python benchmarks/lm_loader.py --peer PYTHON    PYTHON: of an environment with fastai 2.8.12
    python benchmarks/lm_loader.py --small          a quick look: part of the text, stores of up to 10^7 tokens, nothing is written

An epoch is the construction of the loader and a pass that reads every x and y as contiguous int64 batches (bs 64, seq_len 72).
The text is WikiText-2's train file, split at white space, once with a document per paragraph and once per article.
"""
import argparse, gzip, json, subprocess, sys, tempfile
from collections import Counter
from pathlib import Path
from time import perf_counter
import numpy as np
from common import machine, write_section

n_batches, n_warm = 200, 64   # of a sample: few enough for the smallest store, and short, so that other programs seldom cut in
wikitext = Path(__file__).resolve().parents[2]/'shared'/'data'/'wikitext-2'/'train.txt.gz'

# the same program for both: `make` is what differs
epochs = """
import hashlib, json, statistics, sys
from time import perf_counter
import numpy as np, torch
{imports}
torch.set_num_threads(1)
folder, repeats = sys.argv[1], int(sys.argv[2])
ids, offsets = np.load(folder + '/ids.npy'), np.load(folder + '/offsets.npy')
documents = list(torch.from_numpy(ids.astype(np.int64)).split(np.diff(offsets).tolist()))

def epoch(make, shuffle):
    "Seconds and tokens of one epoch, construction included."
    start, tokens = perf_counter(), 0
    for x, y in make(shuffle):
        x, y = x.contiguous(), y.contiguous()
        tokens += x.numel()
    return perf_counter() - start, tokens

def digest(make):
    "A hash of all batches, to see that both loaders give the same ones."
    total = hashlib.sha256()
    for x, y in make(False):
        assert x.dtype == y.dtype == torch.int64
        for part in (x, y):
            total.update(np.ascontiguousarray(np.asarray(part)).tobytes())
    return total.hexdigest()

result = {{}}
for name, make in {makers}.items():
    digest_of_all = digest(make)
    for shuffle in (False, True):
        runs = [epoch(make, shuffle) for _ in range(repeats)]
        result[name + (', shuffled' if shuffle else '')] = {{'seconds': [run[0] for run in runs], 'tokens': runs[0][1], 'digest': digest_of_all}}
print(json.dumps(result))
"""

programs = {
    'peer': epochs.format(imports='from fastai.text.data import LMDataLoader', makers="{'fastai': lambda shuffle: LMDataLoader(documents, bs=64, seq_len=72, shuffle=shuffle)}"),
    'ours': epochs.format(imports='from fastnlp_course.data.lm_dataloader import LMDataLoader\nfrom fastnlp_course.text.token_store import TokenStore',
                          makers="{'store': lambda shuffle: LMDataLoader(TokenStore([(ids, offsets)]), bs=64, seq_len=72, shuffle=shuffle), "
                                 "'list of tensors': lambda shuffle: LMDataLoader(documents, bs=64, seq_len=72, shuffle=shuffle)}")}

def texts(small):
    "Name -> documents as lists of words: paragraphs, and the same text by article."
    if not wikitext.exists():
        sys.exit(f'{wikitext} is not there. Put WikiText-2 where CONTRIBUTING.md says, or ask for the stores only with --stores-only.')
    with gzip.open(wikitext, 'rt', encoding='utf-8') as file:
        lines = [line.split() + ['<eos>'] for line in file if line.strip()]
    lines = lines[:2000] if small else lines
    articles = []
    for words in lines:
        if not articles or words[0] == '=' and words[1] != '=':   # a title, not a heading
            articles.append([])
        articles[-1] += words
    return {'paragraphs': lines, 'articles': articles}

def save(documents, folder):
    "Write the documents as ids and offsets."
    counts = Counter(word for words in documents for word in words)
    number = {word: i for i, (word, _) in enumerate(counts.most_common())}
    np.save(folder/'ids.npy', np.array([number[word] for words in documents for word in words], dtype=np.uint16 if len(number) <= 2**16 else np.int32))
    np.save(folder/'offsets.npy', np.cumsum([0] + [len(words) for words in documents], dtype=np.int64))

def run(python, program, folder, repeats):
    "What `program` prints."
    return json.loads(subprocess.run([python, '-c', program, str(folder), str(repeats)], capture_output=True, text=True, check=True).stdout.splitlines()[-1])

def compare(peer, small, repeats):
    "Lines of the table of epochs. Each loader's median; the peer runs before and after ours, so that a slow moment hits both."
    rows = ['| documents | loader | seconds per epoch | million tokens/s | ratio to fastai |', '| --- | --- | --- | --- | --- |']
    for name, documents in texts(small).items():
        with tempfile.TemporaryDirectory() as folder:
            save(documents, Path(folder))
            runs = [run(python, program, folder, repeats) for python, program in ((peer, programs['peer']), (sys.executable, programs['ours']), (peer, programs['peer'])) if python]
        seconds = {}
        for results in runs:
            for loader, values in results.items():
                seconds.setdefault(loader, []).extend(values['seconds'])
        tokens = {values['tokens'] for results in runs for values in results.values()}
        same = len({values['digest'] for results in runs for values in results.values()}) == 1
        assert same and len(tokens) == 1, 'the loaders give different batches'
        described = f'{len(documents):,} {name}, {sum(map(len, documents))/len(documents):,.0f} tokens each'
        for loader, values in sorted(seconds.items(), key=lambda item: 'shuffled' in item[0]):
            base = seconds.get('fastai, shuffled' if 'shuffled' in loader else 'fastai')
            ratio = f'{np.median(base)/np.median(values):.0f}' if base else '-'
            rows.append(f'| {described} | {loader} | {np.median(values):.4f} ({min(values):.4f} to {max(values):.4f}) | {tokens.copy().pop()/np.median(values)/1e6:.1f} | {ratio} |')
            print(rows[-1], flush=True)
    return rows

def sparse_store(folder, tokens, document, per_shard):
    "A store on disk of files without content: as long as real ones, all ids are 0."
    from fastnlp_course.text.token_store import TokenStore
    shards = []
    for first in range(0, tokens, per_shard):
        length, path = min(per_shard, tokens - first), folder/f'{tokens}-{document}-{first}.npy'
        if not path.exists():
            np.lib.format.open_memmap(path, 'w+', np.uint16, (length,)).flush()
        shards.append((np.load(path, mmap_mode='r'), np.append(np.arange(0, length, document, dtype=np.int64), length)))
    return TokenStore(shards)

def microseconds(loader, part):
    "Mean time of a batch, over 136 batches at this part of the epoch."
    loader.skip(int(part * (loader.n_batches - n_batches)))
    for done, (x, y) in enumerate(loader, 1):
        if done == n_warm:
            start = perf_counter()   # what comes before opens pages of the file
        if done == n_batches:
            return (perf_counter() - start) / (n_batches - n_warm) * 1e6

def by_size(sizes, rounds, per_shard=None):
    "Lines of the table of sizes. The sizes take turns, so that a slow moment hits all."
    from fastnlp_course.data.lm_dataloader import LMDataLoader
    rows = ['| tokens | shards | tokens per document | order | construction, ms | start of an epoch, ms | microseconds per batch: median (fastest) | to the smallest store |',
            '| --- | --- | --- | --- | --- | --- | --- | --- |']
    with tempfile.TemporaryDirectory() as folder:
        for document, shuffle in ((200, False), (4000, True), (200, True)):
            cases, times = [], {}
            for tokens in sizes:
                store = sparse_store(Path(folder), tokens, document, per_shard or tokens)
                start = perf_counter()
                loader = LMDataLoader(store, shuffle=shuffle, seed=0)
                made = perf_counter() - start
                next(iter(loader))                    # the pages of a file without content are made when they are first read
                start = perf_counter()
                next(iter(loader))
                cases.append((tokens, loader, made, perf_counter() - start))
            parts = [part for part in np.linspace(0, 1, 5) for _ in range(max(1, rounds//5))]
            for part in [*np.linspace(0, 1, 5), *parts]:          # the first turn is not counted
                for tokens, loader, *_ in cases:
                    times.setdefault(tokens, []).append(microseconds(loader, part))
            times = {tokens: values[5:] for tokens, values in times.items()}
            least = np.median(times[sizes[0]])
            for tokens, loader, made, begun in cases:
                values = times[tokens]
                rows.append(f"| {tokens:,} | {len(loader.stream.shards)} | {document} | {'shuffled' if shuffle else 'as they lie'} | {made*1e3:.1f} | {begun*1e3:.1f} | "
                            f"{np.median(values):.1f} ({min(values):.1f}) | {np.median(values)/least:.2f} |")
                print(rows[-1], flush=True)
    return rows

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--peer', help='python of an environment with fastai')
    parser.add_argument('--small', action='store_true', help='a quick look, nothing is written')
    parser.add_argument('--stores-only', action='store_true', help='only the time per batch by size of the store, nothing is written')
    parser.add_argument('--repeats', type=int, default=5, help='epochs of each loader')
    parser.add_argument('--rounds', type=int, default=25, help='samples of each store')
    given = parser.parse_args()
    sizes = [10**6, 10**7] if given.small else [10**6, 10**7, 10**8, 10**9]
    tables = [] if given.stores_only else [compare(given.peer, given.small, given.repeats)]
    tables.append(by_size(sizes, given.rounds))
    tables.append(by_size(sizes[-1:], given.rounds, per_shard=sizes[-1]//10))
    text = '\n\n'.join([f'`python benchmarks/lm_loader.py`, bs 64, seq_len 72, one torch thread. An epoch is construction and reading every x and y as contiguous int64; '
                        f'medians (fastest to slowest); all loaders gave the same batches. {machine()}.',
                        *('\n'.join(table) for table in tables[:-2]),
                        'Time per batch by size of the store (sparse files, mapped; a batch is 4,608 tokens):',
                        *('\n'.join(table) for table in tables[-2:-1]), 'The largest one again, in ten shards:', '\n'.join(tables[-1])])
    if given.peer and not given.small and not given.stores_only:
        write_section('Language model loader', text)
    else:
        print('nothing written: that takes a full run with --peer')

if __name__ == '__main__': main()
