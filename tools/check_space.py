"""Write a Space of a small model, install its requirements into a clean environment, open its page and ask it: check_space.py [--keep FOLDER]

requirements.txt of a Space names a commit of the repository on GitHub. Here that line is replaced by a wheel of this checkout, which is said; all other
lines stay. torch comes in the version of constraints.txt, everything else as pip chooses it for that file, as a Space does it. The page listens on 127.0.0.1 only, and is stopped at the end. --keep leaves the folder of the Space.
"""
import argparse, json, os, re, shutil, socket, subprocess, sys, tempfile, time, venv
from pathlib import Path
from urllib.request import build_opener, ProxyHandler, Request
from check_wheel import build
from project import root

texts = ['A moving and funny film with a fine cast.', 'A dull, long and tiresome bore.']

def train(folder):
    "A TF-IDF model of 2,000 embedded reviews, and what it says of `texts`."
    from fastnlp_course.sources import get_data
    from fastnlp_course.applications.predictors import load_predictor, save_calibration
    from fastnlp_course.applications.tfidf_model import fit_tfidf, save_tfidf
    reviews = get_data('reviews')
    table = reviews[(reviews.domain == 'movie') & (reviews.score != 0)].sample(2000, random_state=0)
    save_tfidf(fit_tfidf(table.text.tolist(), ['good' if score > 0 else 'bad' for score in table.score]), None, folder)
    save_calibration(folder, 1.5)
    predictor = load_predictor(folder)
    found = predictor.probabilities(texts)
    return [(label, dict(zip(predictor.labels, map(float, row)))) for label, row in zip(predictor.predicted(found), found)]

def use_wheel(space, wheel):
    "Replace the line of the repository in requirements.txt by a wheel."
    place = space/'requirements.txt'
    text, n = re.subn(r'^fastnlp_course(\[[\w,]+\]) @ git\+\S+$', lambda found: f'fastnlp_course{found[1]} @ {wheel.as_uri()}', place.read_text(encoding='utf-8'), flags=re.M)
    assert n == 1, f'requirements.txt has no line of the repository:\n{text}'
    place.write_text(text, encoding='utf-8')

def ask(address, text):
    "What the page answers, over the API that its own button calls: the line of the answer, and the probabilities."
    opener = build_opener(ProxyHandler({}))                      # never by way of a proxy
    call = Request(f'{address}/gradio_api/call/predict', json.dumps({'data': [text]}).encode(), {'Content-Type': 'application/json'})
    with opener.open(call, timeout=60) as answer: number = json.load(answer)['event_id']
    with opener.open(f'{address}/gradio_api/call/predict/{number}', timeout=60) as answer: said = answer.read().decode()
    found = re.search(r'event: complete\ndata: (.*)', said)
    assert found, f'the page answered with an error: {said}'
    line, _, chances = json.loads(found[1])
    return line, {one['label']: one['confidence'] for one in chances['confidences']}

def open_page(python, space, patience=300):
    "app.py in a process of its own, and the address at which it answers."
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    alone = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
    log = open(space.parent/'page.log', 'w+', encoding='utf-8')
    process = subprocess.Popen([python, 'app.py'], cwd=space, stdout=log, stderr=subprocess.STDOUT, env={**alone, 'GRADIO_SERVER_NAME': '127.0.0.1', 'GRADIO_SERVER_PORT': str(port), 'NO_PROXY': '127.0.0.1', 'no_proxy': '127.0.0.1'})
    address, opener, began = f'http://127.0.0.1:{port}', build_opener(ProxyHandler({})), time.monotonic()
    while True:
        try:
            opener.open(f'{address}/config', timeout=10).close()
            return process, address
        except OSError:
            if process.poll() is None and time.monotonic() - began < patience:
                time.sleep(1)
                continue
            stop(process)
            log.seek(0)
            raise SystemExit(f'space-check: app.py shows no page:\n{log.read()}') from None

def stop(process):
    "End the page; by force if it does not go."
    process.terminate()
    try: process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--keep', type=Path, metavar='FOLDER', help='where the folder of the Space is left')
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        expected, space = train(folder/'run'/'model'), folder/'space'
        subprocess.run([sys.executable, '-m', 'fastnlp_course.cli', 'space', str(folder/'run'/'model'), str(space), '--title', 'Films'], check=True)
        venv.create(folder/'venv', with_pip=True)
        python = str(next(p for p in (folder/'venv'/'bin'/'python', folder/'venv'/'Scripts'/'python.exe') if p.exists()))
        wheel, _ = build(python, folder/'dist')
        asked_for = (space/'requirements.txt').read_text(encoding='utf-8')
        use_wheel(space, wheel)
        print(f'space-check: requirements.txt asks for\n{asked_for}space-check: its first line becomes {wheel.name}, built from this checkout', flush=True)
        pip = [python, '-m', 'pip', 'install', '-q']
        subprocess.run([*pip, '-c', str(root/'constraints.txt'), 'torch'], check=True)
        subprocess.run([*pip, '-r', str(space/'requirements.txt')], check=True)      # without constraints.txt, which no Space has, and which gradio does not always fit
        found = subprocess.run([python, '-c', 'import fastnlp_course, gradio; print(fastnlp_course.__file__, gradio.__version__)'], cwd=space, check=True, capture_output=True, text=True).stdout
        assert 'site-packages' in found, found
        process, address = open_page(python, space)
        try:
            for text, (label, chances) in zip(texts, expected):
                line, shown = ask(address, text)
                assert line.startswith(f'Answer: **{label}**'), f'{text!r}: the model says {label}, the page {line}'
                assert all(abs(shown[name] - chance) < 1e-4 for name, chance in chances.items()), f'{text!r}: the model says {chances}, the page {shown}'
                print(f'space-check: {text!r} is {label} ({shown[label]:.3f}) on the page as in the model')
        finally: stop(process)
        print(f'space-check: app.py answers in an environment of its own, with gradio {found.split()[-1]}')
        if given.keep: shutil.copytree(space, given.keep, dirs_exist_ok=True)

if __name__ == '__main__': main()
