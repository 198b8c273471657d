"What lesson 30 cannot show: several processes on plain and sorted loaders, metrics of uneven parts, resuming, files written once. Skipped where gloo cannot run."
import json
import os
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from fastnlp_course.data.dataloaders import DataLoader
from fastnlp_course.data.padding import SortedDL, pad_input
from fastnlp_course.bridges.sharing import EveryNthBatch, ShardedRows, collected_names, merge_collected, own_items, shard_loader
from fastnlp_course.data.lm_dataloader import LMDataLoader
from fastnlp_course.training.metrics import AvgSmoothLoss, Metric, accuracy, mk_metric
from fastnlp_course.training.sklearn_metrics import F1Score

can_run = torch.distributed.is_available() and torch.distributed.is_gloo_available() and find_spec('accelerate') is not None
needs_processes = pytest.mark.skipif(not can_run, reason='skipped: no gloo, or no accelerate')

program = '''
import json, sys
from pathlib import Path
import torch
from torch.utils.data import DataLoader as TorchLoader
from fastnlp_course.data.dataloaders import DataLoaders
from fastnlp_course.data.padding import SortedDL, pad_input
from fastnlp_course.bridges.distributed import Accelerate
from fastnlp_course.bridges.sharing import is_main, rank_and_world
from fastnlp_course.files import set_seed
from fastnlp_course.training.learner import CancelFitException, Callback, Learner
from fastnlp_course.training.checkpoint import CheckpointCallback
from fastnlp_course.training.recorder import CSVLogger
from fastnlp_course.training.callbacks import GradientAccumulation, SaveModelCallback
from fastnlp_course.training.losses import CrossEntropyLossFlat
from fastnlp_course.training.sklearn_metrics import F1Score
from fastnlp_course.training.metrics import accuracy
torch.set_num_threads(1)
generator = torch.Generator().manual_seed(0)
rows = [(torch.randint(2, 90, (4 + i % 9,), generator=generator), torch.tensor(i % 3 % 2)) for i in range(101)]

class Mean(torch.nn.Module):
    def __init__(self, p=0.):
        super().__init__()
        self.vectors, self.drop, self.head = torch.nn.Embedding(90, 8, padding_idx=1), torch.nn.Dropout(p), torch.nn.Linear(8, 2)
    def forward(self, x):
        words = (x != 1).unsqueeze(-1)
        return self.head(self.drop((self.vectors(x)*words).sum(1)/words.sum(1)))

class StopAfter(Callback):
    order = 90
    def __init__(self, n): self.n = n
    def after_epoch(self):
        if self.epoch + 1 == self.n: raise CancelFitException()

def collate(items):
    return torch.nn.utils.rnn.pad_sequence([x for x, _ in items], batch_first=True, padding_value=1), torch.stack([y for _, y in items])

def loaders(kind, bs):
    if kind == 'torch':
        return (TorchLoader(rows[:64], batch_size=bs, collate_fn=collate, shuffle=True, generator=torch.Generator().manual_seed(1)), TorchLoader(rows[64:], batch_size=bs, collate_fn=collate))
    return SortedDL(rows[:64], bs=bs, shuffle=True, drop_last=True, before_batch=pad_input), SortedDL(rows[64:], bs=bs, before_batch=pad_input)

def run(kind, bs, cbs, path='.', p=0., epochs=3):
    set_seed(0)
    learn = Learner(DataLoaders(*loaders(kind, bs), device='cpu'), Mean(p), loss_func=CrossEntropyLossFlat(), metrics=[accuracy, F1Score()], cbs=cbs, lr=1e-2, path=path)
    set_seed(0)
    with learn.no_bar(), learn.no_logging(): learn.fit(epochs)
    return learn

def numbers(learn):
    return {'values': [[float(value) for value in row] for row in learn.recorder.values], 'losses': [float(loss) for loss in learn.recorder.losses],
            'weights': float(sum(p.abs().sum() for p in learn.model.parameters())), 'model': type(learn.model).__name__}

if __name__ == '__main__':
    folder = Path(sys.argv[1])
    found = {kind: numbers(run(kind, 4, [Accelerate()])) for kind in ('torch', 'sorted')}
    found['accumulated'] = numbers(run('torch', 2, [Accelerate(), GradientAccumulation(4)]))
    writers = run('torch', 4, [Accelerate(), CSVLogger(), SaveModelCallback(fname='best')], path=folder/'writers')
    found['validate'] = [float(value) for value in writers.validate()]
    found['n_preds'] = len(writers.get_preds()[0])
    found['half'] = numbers(run('sorted', 4, [Accelerate(), CheckpointCallback('half'), StopAfter(2)], path=folder))
    dropped = run('torch', 4, [Accelerate()], p=0.5)
    (folder/f'state{rank_and_world()[0]}.json').write_text(json.dumps({'random': float(torch.rand(1)), **numbers(dropped)}))
    if is_main(): (folder/'found.json').write_text(json.dumps(found))
'''

@pytest.fixture(scope='module')
def lesson(tmp_path_factory):
    "The module of the program, what two processes found, and their folder."
    if not can_run: pytest.skip('skipped: no gloo, or no accelerate')
    folder = tmp_path_factory.mktemp('distributed')
    script = folder/'two_processes.py'
    script.write_text(program, encoding='utf-8')
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        port = one.getsockname()[1]
    command = [sys.executable, '-m', 'accelerate.commands.launch', '--multi_gpu', '--num_processes', '2', '--num_machines', '1', '--mixed_precision', 'no', '--dynamo_backend', 'no',
               '--num_cpu_threads_per_process', '1', '--main_process_port', str(port), str(script), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, env={**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''})
    if not (folder/'found.json').exists() and 'gloo' in done.stderr.lower() and 'interface' in done.stderr.lower(): pytest.skip('skipped: gloo cannot open a connection here')
    assert done.returncode == 0, done.stderr[-3000:]
    sys.path.insert(0, str(folder))
    import two_processes
    yield two_processes, json.loads((folder/'found.json').read_text()), folder
    sys.path.remove(str(folder))

def close(a, b, most=1e-4):
    return max(abs(x - y) for x, y in zip(a, b, strict=True)) < most

def same(found, expected):
    return all(close(a, b) for a, b in zip(found['values'], expected['values'], strict=True)) and close(found['losses'], expected['losses'])

@pytest.mark.parametrize('kind', ['torch', 'sorted'])
def test_two_processes_are_one_with_the_doubled_batch(kind, lesson):
    program, found, _ = lesson
    assert same(found[kind], program.numbers(program.run(kind, 8, [])))
    assert found[kind]['model'] == 'Mean'                 # the plain model again

def test_accumulation_on_two_processes(lesson):
    program, found, _ = lesson
    expected = program.numbers(program.run('torch', 8, []))
    assert close([row[1] for row in found['accumulated']['values']], [row[1] for row in expected['values']])

def test_half_a_run_goes_on_alone(lesson):
    program, _, folder = lesson
    assert (folder/'models/half.safetensors').exists()
    assert same(program.numbers(program.run('sorted', 8, [program.CheckpointCallback('half')], path=folder)), program.numbers(program.run('sorted', 8, [])))

def test_one_process_writes(lesson):
    _, _, folder = lesson
    lines = (folder/'writers/history.csv').read_text().splitlines()
    assert [line.split(',')[0] for line in lines] == ['epoch', '0', '1', '2'] and (folder/'writers/models/best.safetensors').exists()

def test_weights_agree_and_dropout_does_not(lesson):
    _, found, folder = lesson
    states = [json.loads((folder/f'state{rank}.json').read_text()) for rank in range(2)]
    assert states[0]['weights'] == states[1]['weights'] and states[0]['values'] == states[1]['values']
    assert states[0]['random'] != states[1]['random']
    assert found['n_preds'] == 37                         # get_preds: all rows in each process

@needs_processes
def test_one_process_changes_nothing(tmp_path):
    from fastnlp_course.bridges.distributed import Accelerate
    from fastnlp_course.training.learner import Learner
    made = {}
    for name, cbs in (('with', [Accelerate(cpu=True)]), ('without', [])):
        torch.manual_seed(0)
        items = [(torch.randn(3), torch.tensor(i % 2)) for i in range(20)]
        learn = Learner((torch.utils.data.DataLoader(items, batch_size=4), torch.utils.data.DataLoader(items, batch_size=4)), torch.nn.Linear(3, 2), torch.nn.CrossEntropyLoss(), metrics=accuracy, cbs=cbs)
        with learn.no_bar(), learn.no_logging(): learn.fit(2)
        made[name] = [list(map(float, row)) for row in learn.recorder.values]
    assert made['with'] == made['without']

@pytest.mark.parametrize('world', [1, 2, 3, 5])
@pytest.mark.parametrize('n', [0, 1, 7, 30, 31])
def test_parts(n, world):
    whole = [own_items(list(range(n)), 3, rank, world, even=False) for rank in range(world)]
    assert sorted(sum(whole, [])) == list(range(n))
    even = [own_items(list(range(n)), 3, rank, world) for rank in range(world)]
    assert len({len(part) for part in even}) == 1 and len(set(sum(even, []))) == n - n % (3*world) % world

def test_rows_of_a_language_model():
    text = [torch.arange(500)]
    whole = list(LMDataLoader(text, bs=6, seq_len=7))
    parts = [list(ShardedRows(LMDataLoader(text, bs=2, seq_len=7), rank, 3)) for rank in range(3)]
    for number, (x, y) in enumerate(whole):
        assert torch.equal(torch.cat([part[number][0] for part in parts]), x) and torch.equal(torch.cat([part[number][1] for part in parts]), y)

def test_streams():
    parts = [list(EveryNthBatch(list('abcde'), rank, 2)) for rank in range(2)]
    assert parts == [['a', 'c'], ['b', 'd']]
    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self): return iter(range(10))
        def __len__(self): return 10
    assert [x.tolist() for x in shard_loader(torch.utils.data.DataLoader(Stream(), batch_size=2), 1, 2, even=False)] == [[2, 3], [6, 7]]

def test_own_metric_is_merged():
    class Longest(Metric):
        def reset(self): self.seen, self.n = {}, 0
        def accumulate(self, learn): self.n += 1
        @property
        def value(self): return self.n
    assert collected_names(Longest()) == ['seen', 'n']
    assert merge_collected('seen', [{'a': 1}, {'a': 2, 'b': 3}]) == {'a': 3, 'b': 3}
    assert collected_names(mk_metric(accuracy)) == ['total', 'count'] and collected_names(AvgSmoothLoss()) == ['count', 'val']
    assert merge_collected('preds', [None, None]) is None
    with pytest.raises(TypeError, match='not known how to merge'): merge_collected('names', ['a', 'b'])
