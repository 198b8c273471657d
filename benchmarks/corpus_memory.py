"""Text to a store on disk: memory and speed at 250 MB and at 1 GB of text with a growing vocabulary, and opening a billion tokens.

    python benchmarks/corpus_memory.py                          for the report; needs Linux and ../shared/data
    python benchmarks/corpus_memory.py --megabytes 20 60 --dry  small, writes nothing

Wikipedia and IMDb are streamed again and again until the size is reached. The letters of every third document are rotated, by another
distance every 20,000 documents, so that new words keep coming at the same pace. Each size runs in a process of its own.
"""
import argparse, itertools, json, string, subprocess, sys, tempfile, threading, time
from pathlib import Path
from common import machine, write_section

title = 'Corpora larger than memory'
default_data = Path(__file__).resolve().parent.parent.parent/'shared'/'data'

def documents(data, megabytes):
    "Texts of about so many million characters in all."
    from fastnlp_course.text.read_texts import read_texts
    files = sorted((data/'wikipedia_en_slice').glob('train-*.parquet')) + [data/'imdb'/f'{name}.parquet' for name in ('train', 'test', 'unsup')]
    left, letters = megabytes*1e6, string.ascii_lowercase
    rotated = [letters[distance:] + letters[:distance] for distance in range(26)]
    tables = [str.maketrans(letters + letters.upper(), turned + turned.upper()) for turned in rotated]
    for number, text in enumerate(itertools.chain.from_iterable(read_texts(files) for _ in itertools.count())):
        yield text if number % 3 else text.translate(tables[1 + number//20_000 % 25])
        left -= len(text)
        if left <= 0: return

def memory(kind):
    "Megabytes of this process: RssAnon, VmRSS."
    line = next(line for line in Path('/proc/self/status').read_text().splitlines() if line.startswith(kind + ':'))
    return int(line.split()[1])/1024

class Peak:
    "The most memory in use while a `with` block runs, looked up fifty times a second."
    def __enter__(self):
        self.anonymous = self.resident = 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self
    def watch(self):
        while not self.stop.wait(0.02):
            self.anonymous, self.resident = max(self.anonymous, memory('RssAnon')), max(self.resident, memory('VmRSS'))
    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

def measure(data, megabytes, place):
    "Build one store in this process."
    import pyarrow.parquet, spacy  # the libraries that the build loads belong to the value just after imports
    from fastnlp_course.text.token_store import TokenStore
    from fastnlp_course.text.corpus import build_store
    from fastnlp_course.files import read_json
    spacy.blank('en')
    base, resident, marks, read = memory('RssAnon'), memory('VmRSS'), [(time.process_time(), 0)], 0
    def watched():
        nonlocal read
        for text in documents(data, megabytes):
            read += len(text)
            if read - marks[-1][1] > megabytes*1e6/20: marks.append((time.process_time(), read))
            yield text
        marks.append((time.process_time(), read))
    began = time.perf_counter()
    with Peak() as peak: store = build_store(watched(), Path(place)/f'store_{megabytes}')
    ended = time.perf_counter()
    per_character = store.n_tokens/read
    def speed(first, last): return (last[1] - first[1])/(last[0] - first[0])*per_character
    manifest = read_json(store.path/'manifest.json')
    return {'megabytes': read/1e6, 'documents': len(store), 'tokens': store.n_tokens, 'types': manifest['types'], 'shards': len(store.shards), 'base': base,
            'peak': peak.anonymous - base, 'resident': peak.resident, 'resident_base': resident, 'start': speed(marks[0], marks[2]), 'end': speed(marks[-4], marks[-2]),
            'first_pass': marks[-1][0] - marks[0][0], 'seconds': ended - began, 'disk': sum(file.stat().st_size for file in store.path.iterdir())/1e6}

def measure_opening(place, tokens=10**9, documents=10**6, shards=15, vocab_size=60000):
    "Seconds to open a store of a billion tokens (sparse files), the median of seven."
    import numpy as np
    from fastnlp_course.files import write_json
    from fastnlp_course.text.token_store import TokenStore, write_array, write_manifest
    folder, parts, share = Path(place)/'billion', [], tokens//shards
    for number in range(shards):
        file = folder/f'{number:05d}.ids.npy'
        file.parent.mkdir(exist_ok=True)
        with open(file, 'wb') as handle:
            np.lib.format.write_array_header_1_0(handle, {'descr': '<u2', 'fortran_order': False, 'shape': (share,)})
            handle.truncate(handle.tell() + 2*share)
        offsets = np.linspace(0, share, documents//shards + 1).astype(np.int64)
        parts.append({'documents': documents//shards, 'tokens': share, 'ids': {'file': file.name, 'bytes': file.stat().st_size, 'sha256': None},
                      'offsets': write_array(folder/f'{number:05d}.offsets.npy', np.int64, len(offsets), [offsets])})
    write_manifest(folder, parts, [f'token{i}' for i in range(vocab_size)])
    times = []
    for _ in range(7):
        started = time.perf_counter()
        store = TokenStore.open(folder)
        times.append(time.perf_counter() - started)
        assert len(store[len(store)//2]) > 0
    return sorted(times)[3], store.n_tokens

def report(runs, opening):
    lines = ['| text (MB) | tokens | types | peak anonymous memory above imports (MB) | resident at most (MB) | tokens per CPU second, first tenth | last tenth | first pass (CPU s) | all (s) | on disk (MB) |',
             '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |']
    lines += [f"| {run['megabytes']:.0f} | {run['tokens']:,} | {run['types']:,} | {run['peak']:.0f} | {run['resident']:.0f} | {run['start']:,.0f} | {run['end']:,.0f} | {run['first_pass']:.0f} | {run['seconds']:.0f} | {run['disk']:.0f} |" for run in runs]
    text = f'`python benchmarks/corpus_memory.py`: `build_store`, one process, default settings. {machine()}.\n\n' + '\n'.join(lines)
    if len(runs) > 1: text += f"\n\nPeak at {runs[-1]['megabytes']:.0f} MB to peak at {runs[0]['megabytes']:.0f} MB: {runs[-1]['peak']/runs[0]['peak']:.2f}. Just after imports: {runs[0]['base']:.0f} MB anonymous, {runs[0]['resident_base']:.0f} MB resident."
    return text + f'\n\nOpening {opening[1]:,} tokens (15 shards, a vocab of 60,000, sparse files): {opening[0]*1e3:.0f} ms, median of seven.'

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--megabytes', type=int, nargs='+', default=[250, 1000])
    parser.add_argument('--data', type=Path, default=default_data)
    parser.add_argument('--place', help='folder for the stores, with room for 3 GB; a temporary one if left out')
    parser.add_argument('--dry', action='store_true', help='print, and leave results.md as it is')
    parser.add_argument('--one', action='store_true', help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not (given.data/'imdb').exists(): sys.exit(f'skipped: {given.data} does not hold imdb and wikipedia_en_slice')
    if given.one: return print(json.dumps(measure(given.data, given.megabytes[0], given.place)))
    runs = []
    for megabytes in given.megabytes:
        with tempfile.TemporaryDirectory(dir=given.place) as place:
            command = [sys.executable, __file__, '--one', '--megabytes', str(megabytes), '--data', str(given.data), '--place', place]
            runs.append(json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()[-1]))
            print({name: round(value, 1) for name, value in runs[-1].items()}, flush=True)
    with tempfile.TemporaryDirectory(dir=given.place) as place: opening = measure_opening(place)
    text = report(runs, opening)
    print(text)
    if not given.dry: write_section(title, text)

if __name__ == '__main__': main()
