"A real page of a model in a process of its own: asked over its HTTP interface, and opened in headless Chromium."
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

pytest.importorskip('gradio')
import httpx

browser = next((found for found in map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome')) if found), None)

@pytest.fixture(scope='module')
def model(tmp_path_factory):
    "A TF-IDF model with a temperature."
    from fastnlp_course.applications.predictors import save_calibration
    from fastnlp_course.applications.tfidf_model import fit_tfidf, save_tfidf
    folder = tmp_path_factory.mktemp('app')/'model'
    save_tfidf(fit_tfidf(['a fine and moving film']*9 + ['a dull and tiresome bore']*9, ['good']*9 + ['bad']*9), None, folder)
    save_calibration(folder, 2.)
    return folder

@pytest.fixture(scope='module')
def address(model):
    "Where `fastnlp app` shows its page."
    command = [sys.executable, '-m', 'fastnlp_course.cli', 'app', str(model), '--port', '0', '--no-browser']
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding='utf-8', env={**os.environ, 'PYTHONUNBUFFERED': '1', 'NO_PROXY': '*', 'no_proxy': '*'})
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            if found := re.search(r'The page is at (http://\S+?)\. ', line): break
        else: raise AssertionError(''.join(said))
        yield found[1]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()

def ask(address, name, *values):
    "What the page answers, over its HTTP interface: the values of the outputs, or None after an error."
    with httpx.Client(base_url=address, timeout=60, trust_env=False) as http:
        number = http.post(f'/gradio_api/call/{name}', json={'data': values}).raise_for_status().json()['event_id']
        said = http.get(f'/gradio_api/call/{name}/{number}').text
    return json.loads(re.search(r'event: complete\ndata: (.*)', said)[1]) if 'event: complete' in said else None

def test_a_text_gets_the_models_answer(address, model):
    from fastnlp_course.applications.predictors import load_predictor
    line, html, chances = ask(address, 'predict', 'a fine <b>bore</b>')
    predictor = load_predictor(model)
    wanted = predictor.probabilities(['a fine <b>bore</b>'])
    found = {one['label']: one['confidence'] for one in chances['confidences']}
    assert line.startswith(f'Answer: **{predictor.predicted(wanted)[0]}**') and found == pytest.approx(dict(zip(predictor.labels, wanted[0])))
    assert '<b>' not in html and html.count('<span') == 5

def test_a_text_that_is_too_long_is_refused(address): assert ask(address, 'predict', 'x'*20_001) is None

@pytest.mark.skipif(browser is None, reason='skipped: no Chromium')
def test_the_page_opens_in_a_browser(address, tmp_path):
    command = [browser, '--headless=new', '--no-sandbox', '--disable-dev-shm-usage', '--no-proxy-server', f'--user-data-dir={tmp_path}', '--virtual-time-budget=15000', '--timeout=40000', '--dump-dom', address]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=90).stdout
    assert 'calibrated on validation rows' in shown and 'one of bad, good' in shown and re.search(r'<button[^>]*role="tab"[^>]*>\s*A table', shown)

def test_what_has_no_page_says_so(tmp_path):
    done = subprocess.run([sys.executable, '-m', 'fastnlp_course.cli', 'app', str(tmp_path)], capture_output=True, text=True, encoding='utf-8')
    assert done.returncode == 1 and 'is no model' in done.stderr and 'Traceback' not in done.stderr
