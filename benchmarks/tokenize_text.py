"""Text to tokens and ids: our fast path, the plain composition, fastai, spaCy alone and the Rust tokenizers, in one run.

    python benchmarks/tokenize_text.py --peer PYTHON [--paragraphs N] [--reviews N] [--parity] [--write]
    python benchmarks/tokenize_text.py --processes [--write]    two processes against one
    python benchmarks/tokenize_text.py --tricks [--write]       each trick of the fast path taken away alone

PYTHON is an interpreter with fastai. Each line is measured in a fresh process; ratios come from processes that ran one after the other.
(It is not called tokenize.py, because that would hide the standard module of this name from all scripts of this folder.)"""
import argparse, gzip, hashlib, json, random, re, resource, subprocess, sys, time
from itertools import islice
from pathlib import Path

here = Path(__file__).resolve()
data = here.parent.parent.parent/'shared'/'data'

def paragraphs(split):
    "Paragraphs of WikiText-2."
    return [line for line in gzip.open(data/'wikitext-2'/f'{split}.txt.gz', 'rt', encoding='utf-8').read().split('\n') if line.strip()]

def column(name, files, n):
    "`n` texts of Parquet files, in an order of their own."
    import pandas as pd
    texts = pd.concat([pd.read_parquet(data/name/file, columns=['text']) for file in files]).text
    return texts.sample(frac=1, random_state=0).tolist()[:n]

def load(name, n):
    if name == 'wikitext':
        texts = paragraphs('train')
        random.Random(0).shuffle(texts)
        return texts[:n]
    return column('imdb', ['train.parquet', 'test.parquet'], n)

def parity_texts():
    "The texts of the comparison: every paragraph of WikiText-2, 5,000 reviews, 2,000 lines of GoEmotions."
    texts = {f'WikiText-2 {split}': paragraphs(split) for split in ('train', 'valid', 'test')}
    return {**texts, 'IMDb': column('imdb', ['train.parquet', 'test.parquet'], 5000), 'GoEmotions': column('goemotions', ['train.parquet'], 2000)}

def digest(tokens):
    return hashlib.sha256(json.dumps(list(tokens), ensure_ascii=False).encode()).hexdigest()[:16]

# -- what one process does: prints one JSON line
def timed(work, texts):
    "Seconds on the clock, and those of the processor: other work on the machine counts for the first alone."
    start, cpu = time.perf_counter(), time.process_time()
    tokens = sum(len(found) for found in work(texts))
    return {'tokens': tokens, 'seconds': time.perf_counter() - start, 'cpu': time.process_time() - cpu, 'MB': sum(len(text.encode()) for text in texts)/1e6,
            'resident MB': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1e3}

def fastai_tokenizer():
    from fastai.text.core import TokenizeWithRules, WordTokenizer, defaults
    split = WordTokenizer()
    return split, TokenizeWithRules(split, rules=defaults.text_proc_rules, post_rules=defaults.text_postproc_rules)

def work_fastai(texts):
    split, tokenize = fastai_tokenizer()
    return [timed(tokenize, texts)]

def work_fastai_ids(texts):
    from collections import Counter
    from fastai.text.data import Numericalize, make_vocab
    split, tokenize = fastai_tokenizer()
    vocab = make_vocab(Counter(token for tokens in tokenize(texts[:1000]) for token in tokens))
    numericalize = Numericalize(vocab)
    return [timed(lambda texts: (numericalize(tokens) for tokens in tokenize(texts)), texts)]

def splitter():
    "Ours with spaCy loaded, as fastai's is when it is made."
    from fastnlp_course.text.tokenization import WordTokenizer
    made = WordTokenizer()
    made.split
    return made

def work_ours(texts):
    "Cold over all and once again; then another, cold over a half and warm over the other."
    from fastnlp_course.text.tokenization import TokenizeWithRules
    tokenize = TokenizeWithRules(splitter())
    found = [timed(tokenize, texts), timed(tokenize, texts)]
    tokenize, half = TokenizeWithRules(splitter()), len(texts)//2
    return found + [timed(tokenize, texts[:half]), timed(tokenize, texts[half:])]

def work_ours_ids(texts):
    from collections import Counter
    from fastnlp_course.text.numericalization import make_vocab
    from fastnlp_course.text.fast_tokenization import TextToIds
    from fastnlp_course.text.tokenization import TokenizeWithRules
    vocab = make_vocab(Counter(token for tokens in TokenizeWithRules(splitter())(texts[:1000]) for token in tokens))
    encoder, half = TextToIds(splitter(), vocab=vocab), len(texts)//2
    found = [timed(TextToIds(splitter(), vocab=vocab).encode_all, texts), timed(encoder.encode_all, texts[:half])]
    return found + [timed(encoder.encode_all, texts[half:])]

def work_ours_plain(texts):
    from fastnlp_course.text.tokenization import TokenizeWithRules
    return [timed(TokenizeWithRules(splitter()).plain, texts)]

def in_processes(texts, n):
    "All texts, tokens given back, from the start."
    from fastnlp_course.text.tokenizer import parallel_tokenize
    words = splitter()
    return [timed(lambda texts: (tokens for _, tokens in parallel_tokenize(texts, words, n_workers=n)), texts)]

def work_one(texts): return in_processes(texts, 1)
def work_two(texts): return in_processes(texts, 2)

def store(texts, world):
    "Seconds for a store of ids on disk: each of `world` processes writes the blocks of its rank, one call joins them."
    from functools import partial
    from multiprocessing import get_context
    from tempfile import TemporaryDirectory
    from fastnlp_course.text.corpus import build_store, join_stores
    words = splitter()
    with TemporaryDirectory() as folder:
        start = time.perf_counter()
        build = partial(build_store, texts, Path(folder)/'store', words, world=world, block_chars=2**21)
        others = [get_context('fork').Process(target=build, kwargs={'rank': rank}) for rank in range(1, world)]
        for process in others: process.start()
        build(rank=0)
        for process in others:
            process.join()
            if process.exitcode: sys.exit(f'a process ended with code {process.exitcode}; its message stands above')
        if world > 1: join_stores(Path(folder)/'store')
        return [{'seconds': time.perf_counter() - start}]

def work_one_store(texts): return store(texts, 1)
def work_two_stores(texts): return store(texts, 2)

def work_limit(texts):
    "The machine's own limit: two processes with a half each, which give nothing back."
    from concurrent.futures import ProcessPoolExecutor
    with ProcessPoolExecutor(2) as pool:
        return [{'seconds': max(pool.map(half_alone, [texts[::2], texts[1::2]]))}]

def half_alone(texts):
    "Seconds for tokenizing `texts` in this process, apart from its start."
    from fastnlp_course.text.tokenization import TokenizeWithRules
    return timed(TokenizeWithRules(splitter()), texts)['seconds']

def work_spacy(texts):
    return [timed(splitter().split.pipe, texts)]

def work_split(texts):
    return [timed(lambda texts: map(str.split, texts), texts)]

def work_rust(texts):
    "Word level and byte-pair, trained on these texts; one thread."
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    found = []
    for model, trainer, before in ((models.WordLevel(unk_token='[UNK]'), trainers.WordLevelTrainer(special_tokens=['[UNK]']), pre_tokenizers.Whitespace()),
                                   (models.BPE(), trainers.BpeTrainer(vocab_size=10_000, show_progress=False), pre_tokenizers.ByteLevel())):
        tokenizer = Tokenizer(model)
        tokenizer.pre_tokenizer = before
        tokenizer.train_from_iterator(texts[:5000], trainer)
        found.append(timed(lambda texts: (encoding.tokens for encoding in tokenizer.encode_batch(texts)), texts))
    return found

def work_roofline(texts):
    "Shares of the warm path: what Python's split, comparison, look-up and list take when nothing else is done."
    from itertools import chain
    from operator import eq
    from fastnlp_course.text.tokenization import TokenizeWithRules
    from fastnlp_course.text.fast_tokenization import fast_path
    tokenize = TokenizeWithRules(splitter())
    for tokens in tokenize(texts): pass
    memory = fast_path(tokenize.tok, tokenize.rules, tokenize.post_rules).memory
    known = [[chunk if chunk in memory else 'the' for chunk in text.split()] for text in texts]
    lookup = memory.__getitem__
    def neighbours(texts):
        for chunks in known:
            any(map(eq, chunks, islice(chunks, 1, None)))
            yield chunks
    return [timed(tokenize, texts), timed(lambda texts: map(str.split, texts), texts), timed(neighbours, texts),
            timed(lambda texts: (list(chain.from_iterable(map(lookup, chunks))) for chunks in known), texts)]

def without_tricks():
    "What the fast path is without one of its tricks: {description: function that takes it away}."
    from fastnlp_course.text import fast_tokenization as fast
    def paragraphs(path):
        fast._between_chunks = re.compile(r'(?<=\S) ').split
        path._keys = lambda text: (fast._chunks(path._whole(text)), text.split())
    def usual_words(path): path.splitter.usual = lambda form: None
    def own_vocab(path): path.splitter.spacy = path.split
    def runs(path): path._reaches = lambda chunk, words=(): True
    return {'all tricks': lambda path: None, 'blank lines looked up like words': paragraphs,
            'signs with two letters beside them instead of a question to spaCy': usual_words, "an empty vocab instead of the language's": own_vocab, 'runs such as `well!!!` and `2000` written out once': runs}

def work_tricks(texts):
    "Cold over a half and warm over the other, with all tricks but one; the same for `replace_rep` and `replace_wrep` on each text, and for no memory at all."
    from fastnlp_course.text import fast_tokenization as fast
    from fastnlp_course.text.fast_tokenization import make_fast
    from fastnlp_course.text.tokenization import TokenizeWithRules, defaults, replace_rep, replace_wrep
    rules, half, found = defaults.text_proc_rules, len(texts)//2, {}
    def seconds(tokenize, texts):
        "Of the processor, not of the clock: other work on the machine counts for neither."
        start = time.process_time()
        for tokens in tokenize(texts): pass
        return time.process_time() - start
    as_they_are = [rules[0], lambda text: replace_rep(text), lambda text: replace_wrep(text), *rules[3:]]
    variants, between_chunks = without_tricks(), fast._between_chunks
    seconds(make_fast(splitter(), rules, defaults.text_postproc_rules), texts)  # the first run of a process is slower
    for name, take_away in [*variants.items(), ('all tricks, again', variants['all tricks'])]:
        path = make_fast(splitter(), rules, defaults.text_postproc_rules)
        fast._between_chunks = between_chunks
        take_away(path)
        found[name] = [seconds(path, texts[:half]), seconds(path, texts[half:])]
    path = make_fast(splitter(), as_they_are, defaults.text_postproc_rules)
    found['equal neighbours looked for before `replace_rep` and `replace_wrep`'] = [seconds(path, texts[:half]), seconds(path, texts[half:])]
    plain, few = TokenizeWithRules(splitter()).plain, texts[:half//6]
    found['each chunk once: the memory'] = [6*seconds(plain, few)]*2
    return found

def work_parity_fastai(_):
    split, tokenize = fastai_tokenizer()
    return {name: [digest(tokens) for tokens in tokenize(texts)] for name, texts in parity_texts().items()}

def work_parity_ours(_):
    from fastnlp_course.text.tokenization import TokenizeWithRules
    tokenize = TokenizeWithRules(splitter())
    return {name: [digest(tokens) for tokens in tokenize(texts)] for name, texts in parity_texts().items()}

# -- what the whole run does
def ask(python, work, name='', n=None):
    "One kind of work in a fresh process."
    process = subprocess.run([python, str(here), '--work', work, '--corpus', name, '--n', str(n or 0)], capture_output=True, text=True,
                             env={**__import__('os').environ, 'OMP_NUM_THREADS': '1', 'TOKENIZERS_PARALLELISM': 'false', 'PYTHONPATH': str(here.parent.parent) if python == sys.executable else ''})
    if process.returncode:
        raise SystemExit(f'{work} failed in {python}:\n{process.stderr[-2000:]}')
    return json.loads(process.stdout.splitlines()[-1])

def speed(found):
    return found['MB']/found['cpu']

def in_turns(name, n, part, peer, times):
    "All measures of ours, each `times` times with fastai just before: a slow moment of the machine hits both. {row: [(ours, fastai)]}"
    found = {}
    for _ in range(times):
        for work, rows in (('', ('cold', 'second pass', None, 'warm')), ('_ids', ('text to ids, cold', None, 'text to ids, warm'))):
            fastai = ask(peer, f'fastai{work}', name, part)[0]
            for row, ours in zip(rows, ask(sys.executable, f'ours{work}', name, n), strict=True):
                found.setdefault(row, []).append((ours, fastai))
    del found[None]
    return {row: sorted(pairs, key=lambda pair: speed(pair[0])/speed(pair[1])) for row, pairs in found.items()}

def rate(found):
    return found['tokens']/found['cpu']

def line(what, found, fastai, spread=''):
    return f"| {what} | {rate(found):,.0f} | {speed(found):.2f} | {speed(found)/speed(fastai):.1f}{spread} | {found['resident MB']:,.0f} |"

def line_of_turns(row, pairs):
    "The turn in the middle, and the lowest and highest ratio."
    ratios = [speed(ours)/speed(fastai) for ours, fastai in pairs]
    return line(f'ours, {row}', *pairs[len(pairs)//2], f' ({ratios[0]:.1f} to {ratios[-1]:.1f})')

def processes_against_one(name, n):
    "Seconds of one process, before and after two: a machine that becomes slower meanwhile counts against neither."
    first, two, limit, last = (ask(sys.executable, work, name, n)[0]['seconds'] for work in ('one', 'two', 'limit', 'one'))
    return {'one': (first + last)/2, 'two': two, 'limit': limit}

def stores_against_one(name, n):
    "The same for stores on disk."
    first, two, last = (ask(sys.executable, work, name, n)[0]['seconds'] for work in ('one_store', 'two_stores', 'one_store'))
    return {'one': (first + last)/2, 'two': two}

def middle(measure, name, n):
    "Of three runs of `measure`, that with the ratio in the middle."
    return sorted((measure(name, n) for _ in range(3)), key=lambda found: found['one']/found['two'])[1]

def table(name, n, peer):
    "The lines for one corpus, with ratios against fastai."
    # fastai on a part: its rate does not depend on the size, and a turn should be short
    part = min(n, 5000 if name == 'imdb' else 12_000)
    turns = in_turns(name, n, part, peer, 5)
    fastai, fastai_ids = (sorted((pair[1] for pair in turns[row]), key=speed)[2] for row in ('cold', 'text to ids, cold'))
    level, bpe = ask(sys.executable, 'rust', name, n)
    lines = ['| work | tokens/s | MB/s | times fastai (range) | peak resident MB |', '| --- | --- | --- | --- | --- |', line('fastai, tokens', fastai, fastai)]
    lines += [line('ours, plain composition', ask(sys.executable, 'ours_plain', name, part)[0], fastai)] + [line_of_turns(row, turns[row]) for row in ('cold', 'second pass', 'warm')]
    lines += [line('fastai, text to ids', fastai_ids, fastai_ids)] + [line_of_turns(row, turns[row]) for row in ('text to ids, cold', 'text to ids, warm')]
    others = ('spaCy alone', ask(sys.executable, 'spacy', name, n)[0]), ('tokenizers (Rust), words', level), ('tokenizers (Rust), byte-level BPE', bpe), ('str.split', ask(sys.executable, 'split', name, n)[0])
    lines += [line(what, found, fastai) for what, found in others]
    whole, split, pairs, lookup = ask(sys.executable, 'roofline', name, n)
    spent = [part['cpu']/whole['cpu'] for part in (split, pairs, lookup)]
    lines += ['',
              f"Of the warm time, `str.split` takes {spent[0]:.0%}, comparing neighbours {spent[1]:.0%}, look-ups and lists {spent[2]:.0%}; {1 - sum(spent):.0%} is left for rules on the text and for the few texts that need a second look. "
              f"In words: {speed(whole):.0f} MB of text per second, where `str.split` alone does {speed(split):.0f}."]
    return '\n'.join(lines)

def two_processes(corpora):
    "Two processes against one, in both ways of working together."
    lines = ['| texts | tokens given back: one, two | ratio | limit | store on disk: one, two and joined | ratio |', '| --- | --- | --- | --- | --- | --- |']
    for title, name, n in corpora:
        given, stores = middle(processes_against_one, name, n), middle(stores_against_one, name, n)
        lines.append(f"| {title} | {given['one']:.1f} s, {given['two']:.1f} s | {given['one']/given['two']:.2f} | {given['one']/given['limit']:.2f} | {stores['one']:.1f} s, {stores['two']:.1f} s | {stores['one']/stores['two']:.2f} |")
    return '\n'.join(lines + ['', 'The middle of three runs, one process before and after two, each in a fresh process. "Limit": two processes with a half each, which learn each for itself and give nothing back. '
                              '"Store": each of two processes writes the blocks of its rank, one call joins them into the store that one would have made; the joining is counted.'])

def tricks(n):
    "What the fast path costs without each of its tricks, the middle of three runs."
    runs = [ask(sys.executable, 'tricks', 'imdb', n) for _ in range(3)]
    lines = ['| trick taken away | cold, times as long | warm, times as long |', '| --- | --- | --- |']
    for name in [name for name in runs[0] if not name.startswith('all tricks')]:
        cold, warm = (sorted(2*run[name][i]/(run['all tricks'][i] + run['all tricks, again'][i]) for run in runs) for i in (0, 1))
        lines.append(f'| {name} | {cold[1]:.2f} ({cold[0]:.2f} to {cold[2]:.2f}) | {warm[1]:.2f} ({warm[0]:.2f} to {warm[2]:.2f}) |')
    return '\n'.join(lines + ['', f'{n:,} IMDb reviews: the first half cold, the other warm. Seconds of the processor; the middle of three runs, each in a fresh process, and their range. Without a memory: a sixth of the first half, times six.'])

def parity(peer):
    "How many texts have the same tokens."
    theirs, ours = ask(peer, 'parity_fastai'), ask(sys.executable, 'parity_ours')
    lines = ['| texts | compared | different |', '| --- | --- | --- |']
    return '\n'.join(lines + [f'| {name} | {len(found):,} | {sum(a != b for a, b in zip(found, theirs[name], strict=True)):,} |' for name, found in ours.items()])

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--peer', help='Python with fastai')
    parser.add_argument('--paragraphs', type=int, default=10**9, help='of WikiText-2 train')
    parser.add_argument('--reviews', type=int, default=50_000, help='of IMDb; 0 for none')
    parser.add_argument('--parity', action='store_true', help='compare all tokens with fastai, and measure nothing')
    parser.add_argument('--processes', action='store_true', help='measure two processes against one, and nothing else')
    parser.add_argument('--tricks', action='store_true', help='take the tricks of the fast path away, one at a time, and measure nothing else')
    parser.add_argument('--write', action='store_true', help='write results.md')
    for hidden in ('--work', '--corpus'): parser.add_argument(hidden, help=argparse.SUPPRESS)
    parser.add_argument('--n', type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        texts = load(options.corpus, options.n) if options.corpus else None
        print(json.dumps(globals()[f'work_{options.work}'](texts)))
        return
    if not options.peer and not options.processes and not options.tricks:
        raise SystemExit('--peer is missing. Pass the Python of an environment with fastai.')
    corpora = [('WikiText-2 train', 'wikitext', options.paragraphs)] + [(f'{options.reviews:,} IMDb reviews', 'imdb', options.reviews)]*bool(options.reviews)
    if options.processes:
        sections = {'Tokenization: two processes': two_processes(corpora)}
    elif options.tricks:
        sections = {'Tokenization: what each trick brings': tricks(min(options.reviews, 20_000))}
    elif options.parity:
        sections = {'Tokens: the same as fastai': parity(options.peer)}
    else:
        sections = {f'Tokenization: {title}': table(name, n, options.peer) for title, name, n in corpora}
    from common import machine, write_section
    for title, text in sections.items():
        note = '' if options.parity or options.processes or options.tricks else ' "Cold" is a fresh process, "second pass" the same texts once more, "warm" are unseen documents of the same corpus after a first pass over others; one thread. Five turns of fastai and ours, one after the other: the turn in the middle and, in brackets, the range (fastai and the plain composition on 12,000 paragraphs or 5,000 reviews). Times fastai is by bytes of text per second of the processor (one thread: on an idle machine that is the clock).'
        print(f'## {title}\n\n{text}\n')
        if options.write:
            write_section(title, f'`benchmarks/tokenize_text.py`, {machine()}.{note}\n\n{text}')

if __name__ == '__main__':
    main()
