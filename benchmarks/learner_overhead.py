"""What a `Learner` costs on top of a plain loop: the same network, batches and optimizer; ours, and fastai's in the same run.

    python benchmarks/learner_overhead.py --peer PYTHON --write
"""
import argparse, json, subprocess, sys, time
from functools import partial
from statistics import median
import torch
from torch import nn
from torch.nn import functional as F

limit = 0.03  # share of a step of one millisecond
bs, n_inputs, n_classes = 64, 128, 10

def network(width):
    "A network whose training step takes about a millisecond."
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(n_inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, n_classes))

def batches(steps):
    "Ready-made batches: no time of a loader is measured."
    torch.manual_seed(1)
    return [(torch.randn(bs, n_inputs), torch.randint(n_classes, (bs,))) for _ in range(steps)]

class Loaders:
    "As little as a Learner of both libraries asks of its data."
    device, path, n_inp = torch.device('cpu'), '.', 1
    def __init__(self, train): self.train, self.valid = train, train[:1]
    def __getitem__(self, i): return (self.train, self.valid)[i]

def plain_loop(width, data):
    "Seconds per step of the loop that everybody writes, which keeps its losses."
    model = network(width)
    opt = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    model.train()
    losses = []
    started = time.perf_counter()
    for x, y in data:
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
        opt.zero_grad()
        losses.append(loss.detach())
    return (time.perf_counter() - started)/len(data)

def learner_loop(library, bar, width, data):
    "Seconds per step of the training part of `Learner.fit`, with the default callbacks."
    if library == 'ours':
        from fastnlp_course.training.learner import Callback, Learner
        from fastnlp_course.training.more_optimizers import OptimWrapper
    else:
        from fastai.callback.core import Callback
        from fastai.callback.progress import ProgressCallback
        from fastai.learner import Learner
        from fastai.optimizer import OptimWrapper
    class Clock(Callback):
        "Reads the clock before the first training batch and after the last."
        order = 1000
        def before_train(self): self.started = time.perf_counter()
        def after_train(self): self.seconds = time.perf_counter() - self.started
    clock = Clock()
    sgd = partial(OptimWrapper, opt=torch.optim.SGD, momentum=0.9)
    learn = Learner(Loaders(data), network(width), loss_func=F.cross_entropy, opt_func=lambda params, lr: sgd(params, lr=lr), lr=1e-3, cbs=clock)
    with learn.no_logging():
        if bar: learn.fit(1)
        else:
            with learn.no_bar(): learn.fit(1)
    return clock.seconds/len(data)

def kinds(library): return ['no bar', 'with bar'] if library == 'ours' else ['no bar']

def serve(library, width, steps):
    "For each line of the standard input one round: all ways of one library, one after the other."
    torch.set_num_threads(1)
    data = batches(steps)
    ways = {'plain': plain_loop, **{kind: partial(learner_loop, library, kind == 'with bar') for kind in kinds(library)}}
    for _ in sys.stdin:
        print(json.dumps({name: way(width, data) for name, way in ways.items()}), flush=True)

def ask(worker):
    "One round of a worker."
    worker.stdin.write('go\n')
    worker.stdin.flush()
    return json.loads(worker.stdout.readline())

def start(python, library, given):
    command = [python, __file__, '--serve', library, '--width', str(given.width), '--steps', str(given.steps)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None if given.verbose else subprocess.DEVNULL, text=True)

def measure_once(given):
    "library -> way -> fastest seconds per step over all rounds, in fresh processes; the libraries take turns."
    workers = {'ours': start(sys.executable, 'ours', given)}
    if given.peer: workers['fastai'] = start(given.peer, 'fastai', given)
    best = {library: {} for library in workers}
    for number in range(given.rounds + 1):
        for library, worker in workers.items():
            for way, seconds in ask(worker).items():
                if number: best[library][way] = min(seconds, best[library].get(way, seconds))  # the first round only warms up
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    return best

def measure(given):
    "library -> way -> (seconds per step, seconds over the plain loop of the same process), medians over processes: where a process happens to lie in memory is worth 20 microseconds."
    runs = [measure_once(given) for _ in range(given.processes)]
    return {library: {way: (median(run[library][way] for run in runs), median(run[library][way] - run[library]['plain'] for run in runs)) for way in ways} for library, ways in runs[0].items()}

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--peer', help='python of an environment with fastai')
    parser.add_argument('--processes', type=int, default=5, help='fresh processes of each library')
    parser.add_argument('--rounds', type=int, default=10, help='in each process')
    parser.add_argument('--steps', type=int, default=300, help='steps per round')
    parser.add_argument('--width', type=int, default=256, help='of the network: makes the step longer or shorter')
    parser.add_argument('--write', action='store_true', help='write the section of results.md')
    parser.add_argument('--verbose', action='store_true', help='show what the workers complain about')
    parser.add_argument('--serve', choices=['ours', 'fastai'], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        sys.path.insert(0, str(__import__('pathlib').Path(__file__).resolve().parent.parent))
        return serve(given.serve, given.width, given.steps)
    best = measure(given)
    lines = ['| loop | microseconds per step | overhead, microseconds | of a 1 ms step |', '| --- | --- | --- | --- |']
    for library, ways in best.items():
        for way, (seconds, over) in ways.items():
            name = f'plain loop, process of {library}' if way == 'plain' else f'Learner, {library}, {way}'
            lines.append(f'| {name} | {seconds*1e6:.0f} | ' + ('| |' if way == 'plain' else f'{over*1e6:.0f} | {over/1e-3:.1%} |'))
    print('\n'.join(lines))
    over = best['ours']['no bar'][1]
    if given.write:
        from common import machine, write_section
        text = (f'`python benchmarks/learner_overhead.py --peer PYTHON --write`: {n_inputs} to {given.width} to {given.width} to {n_classes}, bs {bs}, SGD with momentum of `torch.optim`, '
                f'default callbacks, one thread; in each process the fastest of {given.rounds} rounds of {given.steps} steps, libraries and loops in turn; the median of {given.processes} processes. {machine()}.')
        write_section("What a Learner costs per step", text + '\n\n' + '\n'.join(lines))
    if over > limit*1e-3: sys.exit(f'{over*1e6:.0f} microseconds are over the {limit:.0%} of a millisecond')

if __name__ == '__main__': main()
