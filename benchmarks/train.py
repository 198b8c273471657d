"""Training speed on a CPU against fastai: a language model on WikiText-2, equal initial weights and batches.

    python benchmarks/train.py --peer PYTHON --data FOLDER    PYTHON: of an environment with fastai 2.8.12; FOLDER: with train.txt.gz and valid.txt.gz
    python benchmarks/train.py --peer PYTHON --data FOLDER --steps 12 --bs 8 --no-write    a quick look

Three sides train the same network: the peer in single precision, ours in single precision, ours with `to_fp16()`, which is bf16 on a CPU;
without the third one where the processor does not compute in bf16.
They take turns, a few steps each, so that a slow moment hits all; while one computes, the others wait. A figure is the median of the turns' fastest steps.
Before that, dropout 0 and single precision: the losses of 20 steps must be equal to 1e-4.
"""
import argparse, json, os, statistics, subprocess, sys, tempfile, time
from pathlib import Path
from common import machine, write_section

seq_len, vocab_size = 72, 9648
sizes_of = {'400/1152/3': (400, 1152, 3), '200/400/2': (200, 400, 2)}

# the same program for all sides; only the imports differ
program = """
import json, sys, time
import numpy as np, torch
{imports}
folder, task = sys.argv[1], json.loads(sys.argv[2])
torch.set_num_threads(task['threads'])
bs, seq_len = task['bs'], task['seq_len']
clock = time.process_time if task['processor_time'] else time.perf_counter

def batches(name, n):
    ids = torch.from_numpy(np.load(folder + '/' + name + '.npy').astype(np.int64))
    row = (len(ids) - 1)//bs
    rows = torch.stack([ids[i*row:i*row + row + 1] for i in range(bs)])
    starts = range(0, row - seq_len + 1, seq_len)
    return [(rows[:, i:i + seq_len], rows[:, i + 1:i + 1 + seq_len]) for i in starts][:n]

class Turns(Callback):
    "Waits for its turn every few steps; writes down how long the steps took."
    order, reads_pred = 1000, False     # nobody here looks at the scores, see fastnlp_course.models.chunked_decoder
    def before_fit(self):
        self.seen, self.curve = [], []
    def before_train(self):
        self.wait()
    def wait(self):
        sys.stdin.readline()
        self.started = clock()
    def after_batch(self):
        if not self.training: return
        self.curve.append(self.learn.loss.item())
        now = clock()
        self.seen.append(now - self.started)
        self.started = now
        if len(self.seen) == task['turn']:
            print(json.dumps(self.seen), flush=True)
            self.seen = []
            if len(self.curve) < task['steps']: self.wait()

config = {{**awd_lstm_lm_config, **dict(zip(('emb_sz', 'n_hid', 'n_layers'), task['sizes']))}}
if task['drop_mult'] == 0:
    config['weight_p'], task['drop_mult'] = 1e-12, 1.   # fastai's WeightDropout fails at exactly 0; this drops nothing either
    config.update({{name: 0. for name in config if name.endswith('_p') and name != 'weight_p'}})
model = get_language_model(AWD_LSTM, task['vocab'], config=config, drop_mult=task['drop_mult'])
model.load_state_dict(torch.load(folder + '/weights.pth', weights_only=True))
torch.manual_seed(0)
dls = DataLoaders(batches('train', task['steps']), batches('valid', task['valid']))
turns = Turns()
learn = LMLearner(dls, model, alpha=2., beta=1., moms=(.8, .7, .8), loss_func=CrossEntropyLossFlat(), cbs=turns, splitter=awd_lstm_lm_split)
{half}
with learn.no_bar(), learn.no_logging():
    learn.fit(1, task['lr'])
print(json.dumps({{'curve': turns.curve, 'valid': float(learn.recorder.values[-1][1])}}), flush=True)
"""
peer_imports = 'from fastai.text.all import *'
sides = {'fastai fp32': program.format(imports=peer_imports, half=''),
         'ours fp32': program.format(imports='from fastnlp_course.all import *', half=''),
         'ours bf16': program.format(imports='from fastnlp_course.all import *', half='learn.to_fp16()')}

def prepare(folder, data, tokens):
    "Ids of the training and the validation text."
    import numpy as np
    from fastnlp_course.text.corpus import build_store
    from fastnlp_course.text.read_texts import text_lines
    lines, characters = [], 0
    for line in text_lines(data/'train.txt.gz'):
        lines.append(line)
        characters += len(line)
        if characters > 8*tokens:   # a token has fewer than 8 characters, a space included
            break
    store = build_store(lines, folder/'train_store', max_vocab=vocab_size, min_freq=1)
    asked = build_store(list(text_lines(data/'valid.txt.gz')), folder/'valid_store', vocab=store.vocab)
    for name, ids in (('train', store.ids), ('valid', asked.ids)):
        np.save(folder/f'{name}.npy', ids)
    return len(store.vocab)

def initial_weights(folder, sizes, vocab):
    "One random start for all sides."
    import torch
    from fastnlp_course.models.awd_lstm import AWD_LSTM, awd_lstm_lm_config
    from fastnlp_course.models.text_models import get_language_model
    torch.manual_seed(0)
    config = {**awd_lstm_lm_config, **dict(zip(('emb_sz', 'n_hid', 'n_layers'), sizes))}
    torch.save(get_language_model(AWD_LSTM, vocab, config=config).state_dict(), folder/'weights.pth')

def race(pythons, folder, task, names):
    "All sides, turn by turn: seconds of their steps, losses, validation loss."
    children = {name: subprocess.Popen([pythons[name], '-c', sides[name], str(folder), json.dumps(task)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                       env={**os.environ, 'OMP_NUM_THREADS': str(task['threads'])}) for name in names}
    found = {name: {'turns': []} for name in names}
    try:
        for turn in range(task['steps']//task['turn']):
            # the first one of a turn is another one each time
            for name in names[turn % len(names):] + names[:turn % len(names)]:
                found[name]['turns'].append(_ask(children[name], name))
        for name in names:
            found[name].update(_answer(children[name], name))
    finally:
        for child in children.values():
            child.kill()
    return found

def _ask(child, name):
    child.stdin.write('go\n')
    child.stdin.flush()
    return _answer(child, name)

def _answer(child, name):
    line = child.stdout.readline()
    if not line:
        raise SystemExit(f'{name} ended early; see its message above')
    return json.loads(line)

def flops_of_step(sizes, vocab, bs):
    "Multiplications and additions of the matrix products of a step, forward and twice that backward."
    emb_sz, n_hid, n_layers = sizes
    widths = [emb_sz] + [n_hid]*(n_layers - 1) + [emb_sz]
    weights = sum(4*n_out*(n_in + n_out) for n_in, n_out in zip(widths[:-1], widths[1:])) + vocab*emb_sz
    return 3*2*weights*bs*seq_len

def gemm_rates(threads, clock=time.perf_counter):
    "GFLOP/s of one large product in both formats."
    import torch
    torch.set_num_threads(threads)
    rates = {}
    for name, dtype in (('fp32', torch.float32), ('bf16', torch.bfloat16)):
        a, b = torch.randn(4608, 1152).to(dtype), torch.randn(1152, 4608).to(dtype)
        a@b
        seconds = []
        for _ in range(8):
            started = clock()
            a@b
            seconds.append(clock() - started)
        rates[name] = 2*4608*1152*4608/min(seconds)/1e9
    return rates

def seconds_of(turns):
    "The first turn warms up; of the others the fastest step, and of those the median."
    return statistics.median(min(turn) for turn in (turns[1:] or turns))

def report(size, found, vocab, rates, bs):
    rows, peer = [], seconds_of(found['fastai fp32']['turns'])
    for name, result in found.items():
        seconds = seconds_of(result['turns'])
        rate = flops_of_step(sizes_of[size], vocab, bs)/seconds/1e9
        rows.append(f"| {size} | {name} | {seconds:.3f} | {bs*seq_len/seconds:,.0f} | {peer/seconds:.2f} | {rate:.0f} ({rate/rates['bf16' if 'bf16' in name else 'fp32']:.0%}) | {result['curve'][-1]:.3f} | {result['valid']:.4f} |")
    return rows

def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--peer', required=True, help='python of an environment with fastai 2.8.12')
    parser.add_argument('--data', type=Path, required=True, help='folder with train.txt.gz and valid.txt.gz of WikiText-2')
    parser.add_argument('--steps', type=int, default=200, help='training steps of each side')
    parser.add_argument('--bs', type=int, default=64, help='rows of a batch')
    parser.add_argument('--turn', type=int, default=4, help='steps before the next side has its turn')
    parser.add_argument('--valid', type=int, default=20, help='batches of the validation text')
    parser.add_argument('--threads', type=int, default=os.cpu_count(), help='of each side')
    parser.add_argument('--size', choices=list(sizes_of), action='append', help='only this one')
    parser.add_argument('--no-parity', action='store_true', help='without the comparison of 20 steps')
    parser.add_argument('--processor-time', action='store_true', help='seconds of the processor, on one thread: for a machine that does other work')
    parser.add_argument('--no-write', action='store_true', help='print only')
    args = parser.parse_args()
    from fastnlp_course.training.precision import cpu_has_bf16
    if args.processor_time: args.threads = 1
    steps = max(args.turn, args.steps//args.turn*args.turn)
    pythons = {name: args.peer if name.startswith('fastai') else sys.executable for name in sides}
    racing = [name for name in sides if 'bf16' not in name or cpu_has_bf16()]
    lines = ['| size | side | s per step | tokens/s | times the peer | GFLOP/s (share of GEMM) | last loss | validation loss |', '| --- | --- | --- | --- | --- | --- | --- | --- |']
    notes = [] if len(racing) == len(sides) else ['This processor does not compute in bf16, so `to_fp16()` would stay in single precision: two sides.']
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        vocab = prepare(folder, args.data, args.bs*(seq_len*max(steps, 20) + 200))
        for size in args.size or list(sizes_of):
            initial_weights(folder, sizes_of[size], vocab)
            task = {'sizes': sizes_of[size], 'vocab': vocab, 'bs': args.bs, 'seq_len': seq_len, 'threads': args.threads, 'lr': 2e-3, 'turn': args.turn, 'valid': args.valid, 'processor_time': args.processor_time}
            if not args.no_parity:
                equal = race(pythons, folder, {**task, 'steps': 20, 'turn': 5, 'drop_mult': 0., 'valid': 1}, ['fastai fp32', 'ours fp32'])
                worst = max(abs(a - b) for a, b in zip(equal['fastai fp32']['curve'], equal['ours fp32']['curve']))
                notes.append(f'{size}, dropout 0, 20 steps: losses differ by at most {worst:.1e}.')
                print(notes[-1], flush=True)
            before = gemm_rates(args.threads, time.process_time if args.processor_time else time.perf_counter)
            found = race(pythons, folder, {**task, 'steps': steps, 'drop_mult': 1.}, racing)
            after = gemm_rates(args.threads, time.process_time if args.processor_time else time.perf_counter)
            rates = {name: max(before[name], after[name]) for name in before}
            lines += report(size, found, vocab, rates, args.bs)
            notes.append(f"{size}: one large matrix product reaches {rates['fp32']:.0f} GFLOP/s in fp32 and {rates['bf16']:.0f} in bf16.")
            print('\n'.join(lines + notes), flush=True)
    if args.processor_time: notes.append('Seconds of the processor, not of the clock, because the machine did other work beside.')
    text = f"{machine()}. {args.threads} thread{'s'*(args.threads > 1)}, batches of {args.bs} x {seq_len}, vocab {vocab:,}, {steps} steps of each side in turns of {args.turn}.\n\n" + '\n'.join(lines) + '\n\n' + '\n'.join(notes)
    if not args.no_write:
        write_section('Training on a CPU', text)

if __name__ == '__main__':
    main()
