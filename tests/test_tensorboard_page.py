"A browser opens TensorBoard on two runs and finds both on the page of scalars. Set FASTNLP_SCREENSHOT=FILE to keep a picture of it."
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request

import pytest

browser = next((found for found in map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome')) if found), None)
pytestmark = [pytest.mark.skipif(browser is None, reason='skipped: no Chromium'),
              pytest.mark.skipif(importlib.util.find_spec('tensorboard') is None, reason='skipped: no tensorboard')]

def chromium(address, folder, *options):
    "What headless Chromium prints for a page; its own clock runs ahead while the page loads."
    command = [browser, '--headless=new', '--no-sandbox', '--disable-dev-shm-usage', '--hide-scrollbars', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--no-proxy-server',
               f'--user-data-dir={folder}', '--window-size=1100,640', '--virtual-time-budget=30000', '--timeout=60000', *options, address]
    return subprocess.run(command, capture_output=True, text=True, timeout=180).stdout

@pytest.fixture
def two_runs(tmp_path):
    "Our callback's run, and Lightning's or, without Lightning, a second one of ours."
    from test_loops import learner, trainer
    from fastnlp_course.bridges.tensorboard import TensorBoardCallback
    from fastnlp_course.bridges.lightning import as_lightning
    runs = tmp_path/'runs'
    learn = learner(cbs=TensorBoardCallback(runs/'our_learner'))
    with learn.no_bar(), learn.no_logging(): learn.fit(8)
    if importlib.util.find_spec('lightning') is None:
        learn.tensor_board.log_dir = runs/'lightning'
        with learn.no_bar(), learn.no_logging(): learn.fit(8)
    else:
        from lightning.pytorch.loggers import TensorBoardLogger
        trainer(tmp_path, max_epochs=8, log_every_n_steps=1, logger=TensorBoardLogger(runs, name='lightning', version='')).fit(*as_lightning(learner()))
    return runs

@pytest.fixture
def page(two_runs):
    "The address of a TensorBoard that serves the two runs, on this machine only."
    code = ('import sys; from tensorboard import program; board = program.TensorBoard(); '
            'board.configure(logdir=sys.argv[1], host="127.0.0.1", port=0, load_fast="false", reload_interval=1); '
            'print(board.launch(), flush=True); sys.stdin.read()')
    server = subprocess.Popen([sys.executable, '-c', code, str(two_runs)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        address = server.stdout.readline().strip()
        wait_for(f'{address}data/runs', 'lightning')
        yield address
    finally:
        server.stdin.close()
        server.wait(timeout=60)

def wait_for(address, word, seconds=60):
    "Ask until the answer holds `word`: TensorBoard reads its files in the background."
    end = time.monotonic() + seconds
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < end:
        if word in opener.open(address, timeout=30).read().decode(): return
    raise AssertionError(f'{address} does not show {word} after {seconds} seconds')

def test_a_browser_sees_both_runs(page, tmp_path):
    # the page of time series, on which TensorBoard opens: that of scalars hides its text from --dump-dom in shadow roots
    text = chromium(f'{page}#timeseries', tmp_path/'profile', '--dump-dom')
    for words in ('our_learner', 'lightning', 'train_loss', 'valid_loss', 'accuracy'):
        assert re.search(rf'\b{words}\b', text), f'{words} is not on the page'
    picture = os.environ.get('FASTNLP_SCREENSHOT')
    if picture:
        chromium(f'{page}#scalars&tagFilter=loss', tmp_path/'profile', f'--screenshot={picture}')
        assert os.path.getsize(picture) > 10_000
