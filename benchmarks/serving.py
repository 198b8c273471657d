"""How long an answer of `fastnlp serve` takes, by the number of clients: python benchmarks/serving.py [--requests 500] [--write]

A real server process on loopback; each client sends one review at a time and waits for its answer. Beside it the same
server with --wait-ms 0, and as a bound the learner in this process, asked one text at a time.
"""
import argparse, os, re, subprocess, sys, tempfile, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from common import machine, write_section
import numpy as np

def small_model(folder):
    "A classifier of the recipe's size on the shipped reviews; what it has learned does not matter here."
    from fastnlp_course.applications.reviews import movie_reviews
    from fastnlp_course.all import AWD_LSTM, text_classifier_learner, TextDataLoaders
    table = movie_reviews()
    dls = TextDataLoaders.from_df(table, text_col='text', label_col='label', seed=1)
    text_classifier_learner(dls, AWD_LSTM, pretrained=False).export(folder)
    return table.text.tolist()

def ask(address, texts):
    "Seconds of each request of one client."
    import httpx
    seconds = []
    with httpx.Client(base_url=address, timeout=120, trust_env=False) as http:
        for text in texts:
            begin = time.perf_counter()
            http.post('/predict', json={'texts': [text]}).raise_for_status()
            seconds.append(time.perf_counter() - begin)
    return seconds

def measure(folder, texts, clients, wait_ms):
    "(p50, p99, requests per second, texts per call of the model)"
    import httpx
    command = [sys.executable, '-m', 'fastnlp_course.cli', 'serve', str(folder), '--port', '0', '--wait-ms', str(wait_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, 'PYTHONUNBUFFERED': '1'}) as process:
        try:
            address = re.search(r'http://\S+', process.stdout.readline())[0]
            ask(address, texts[:20])                                     # warm
            begin = time.perf_counter()
            with ThreadPoolExecutor(clients) as pool:
                parts = list(pool.map(lambda n: ask(address, texts[n::clients]), range(clients)))
            wall = time.perf_counter() - begin
            calls = httpx.get(f'{address}/health', trust_env=False).json()['calls']
        finally:
            process.terminate()
            process.stdout.read()
    seconds = np.concatenate(parts)
    return *np.percentile(seconds, [50, 99])*1000, len(texts)/wall, len(texts)/max(calls - 20, 1)

def alone(folder, texts):
    "The same for the learner in this process."
    from fastnlp_course.applications.predictors import load_predictor
    predictor = load_predictor(folder)
    seconds = []
    for text in texts:
        begin = time.perf_counter()
        predictor.probabilities([text])
        seconds.append(time.perf_counter() - begin)
    return *np.percentile(seconds, [50, 99])*1000, len(texts)/sum(seconds), 1

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--requests', type=int, default=500)
    parser.add_argument('--clients', type=int, nargs='+', default=[1, 8, 32])
    parser.add_argument('--write', action='store_true')
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)/'model'
        texts = small_model(folder)[:given.requests]
        rows = [('learner, one text at a time, no server', 1, '', *alone(folder, texts))]
        for wait in (5, 0):
            rows += [(f'fastnlp serve --wait-ms {wait}', clients, wait, *measure(folder, texts, clients, wait)) for clients in given.clients]
    lines = ['| what | clients | p50, ms | p99, ms | requests per second | texts per call |', '| --- | --- | --- | --- | --- | --- |']
    lines += [f'| {what} | {clients} | {p50:.1f} | {p99:.1f} | {rate:.0f} | {together:.1f} |' for what, clients, _, p50, p99, rate, together in rows]
    text = f"`benchmarks/serving.py`: {len(texts)} reviews, one a request, to an AWD-LSTM classifier of the default size behind `fastnlp serve` on loopback; clients and server share the machine. {machine()}\n\n" + '\n'.join(lines)
    print(text)
    if given.write: write_section('Serving', text)

if __name__ == '__main__':
    main()
