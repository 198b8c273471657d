"Writers under attack: a kill, a full disk, a missing right at the steps that matter; all steps of all writers are tried by benchmarks/faults.py."
import multiprocessing
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent/'benchmarks'))
import faults

pytestmark = pytest.mark.skipif('fork' not in multiprocessing.get_all_start_methods(), reason='needs fork')

def telling(steps):
    "The first write, the last fsync, what gives files their names, and the middle of a file that safetensors writes itself."
    last_flush = max(i for i, step in enumerate(steps) if step == 'fsync')
    names = [i for i, step in enumerate(steps) if step in ('replace', 'rename', 'exchange')]
    by_itself = [i for i, step in enumerate(steps) if step == 'safetensors']
    return sorted({steps.index('write'), last_flush, *names[-2:], *by_itself})

def survives(writer, tmp_path, monkeypatch, kinds=('kill', 'full disk')):
    monkeypatch.setattr(faults, 'kinds', {kind: faults.kinds[kind] for kind in kinds})
    outcomes, wrong = faults.run(writer, tmp_path, telling)
    assert not wrong and sum(map(lambda found: sum(found.values()), outcomes.values())) >= 6, (writer.steps, wrong)

@pytest.mark.parametrize('name', ['atomic_write', 'atomic_folder', 'tokenize_csv', 'tokenize_folder', 'TokenStore.save', 'build_store', 'safe_extract', 'SentencePieceTokenizer.setup'])
def test_files_and_folders(tmp_path, monkeypatch, name):
    survives(next(writer for writer in faults.light_writers() if writer.name == name), tmp_path, monkeypatch)

@pytest.mark.parametrize('name', ['download_file', 'untar_data(force_download=True)'])
def test_downloads(tmp_path, monkeypatch, name):
    survives(next(writer for writer in faults.download_writers() if writer.name == name), tmp_path, monkeypatch)

@pytest.mark.parametrize('name', ['Learner.save(.pth)', 'Learner.export', 'save_language_model', 'export_language_model', 'save_lora', 'kaggle_folder', 'CheckpointCallback', 'save_gpt'])
def test_models(tmp_path, monkeypatch, name):
    survives(next(writer for writer in faults.model_writers() if writer.name == name), tmp_path, monkeypatch)

@pytest.mark.parametrize('name', ['save_tfidf', 'train-classifier: OUT/model', 'OUT/model, then facts.json', 'fastnlp space', 'fastnlp card'])
def test_what_commands_write(tmp_path, monkeypatch, name):
    survives(next(writer for writer in faults.application_writers() if writer.name == name), tmp_path, monkeypatch)

def test_what_safetensors_writes_itself(tmp_path, monkeypatch):
    pytest.importorskip('transformers')
    writer = next(writer for writer in faults.transformers_writers() if writer.name == 'small_encoder')
    survives(writer, tmp_path, monkeypatch)
    assert 'safetensors' in writer.steps
