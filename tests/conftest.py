"What the tests share: a cache home of their own, and the folder of reference data when it is there."
import os
from pathlib import Path

import pytest

shared = Path(__file__).resolve().parent.parent.parent/'shared'

@pytest.fixture(autouse=True, scope='session')
def own_home(tmp_path_factory):
    "No test reads or writes the user's cache, and none asks a hub."
    before = {name: os.environ.get(name) for name in ('FASTNLP_HOME', 'HF_HUB_OFFLINE', 'MPLBACKEND')}
    os.environ.update(FASTNLP_HOME=str(tmp_path_factory.mktemp('home')), HF_HUB_OFFLINE='1', MPLBACKEND='agg')
    yield
    for name, value in before.items():
        if value is None: os.environ.pop(name, None)
        else: os.environ[name] = value

@pytest.fixture(scope='session')
def reference():
    "The folder of reference data, or a skip."
    if not shared.exists(): pytest.skip('skipped: no ../shared')
    return shared

def pytest_terminal_summary(terminalreporter):
    "How many hostile cases were tried, in all processes together."
    reports = [report for found in terminalreporter.stats.values() for report in found if getattr(report, 'when', None) == 'teardown']
    tried = sum(number for report in reports for name, number in report.user_properties if name == 'fuzz cases')
    if tried: terminalreporter.write_line(f'{tried:,} hostile files and configs were tried')
