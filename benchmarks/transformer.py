"""A small GPT against an AWD-LSTM of the same size: the same books, the same pieces, the same processor time.

    python benchmarks/transformer.py --rates             a short run for each learning rate, to choose one
    python benchmarks/transformer.py --only gpt          one of the two (gpt, lstm), to run them side by side
    python benchmarks/transformer.py --write             both, and a section of results.md

Time is processor time of one thread, so that other programs on the machine do not count. Eight times on the way the loss on
unseen books is measured and a checkpoint is written to the folder --runs: an interrupted call goes on. A finished run is read.
"""
import argparse, time
from functools import partial
from pathlib import Path
from common import machine, write_section
import torch
from torch.nn.functional import cross_entropy
from fastnlp_course.data.dataloaders import DataLoaders
from fastnlp_course.data.lm_dataloader import LMDataLoader
import fastnlp_course.data.lm_loader_details  # adds the state of the loader
from fastnlp_course.files import read_json, set_seed, write_json
from fastnlp_course.models.awd_lstm import AWD_LSTM, awd_lstm_lm_config
from fastnlp_course.models.rnn_callbacks import rnn_cbs
from fastnlp_course.models.text_models import get_language_model
from fastnlp_course.models.transformer import GPT, byte_level_bpe
from fastnlp_course.training.callbacks import GradientClip
from fastnlp_course.training.learner import Callback, CancelFitException, Learner
from fastnlp_course.training.losses import CrossEntropyLossFlat
from fastnlp_course.training.optimizer import Adam
from fastnlp_course.training.precision import cpu_has_bf16
import fastnlp_course.training.full_loop

title = 'A small GPT and an AWD-LSTM'
vocab_sz, n_valid = 4096, 200_000
chosen = {'gpt': 2e-3, 'lstm': 4e-3}
rates = {'gpt': [1e-3, 2e-3, 4e-3], 'lstm': [2e-3, 4e-3, 8e-3]}
prompts = ['It was a dark night, and', '"I cannot believe it," said', 'The old man']

def books():
    "Texts of the books for training, and of three others for the loss."
    import pandas as pd
    path = Path(__file__).resolve().parent.parent.parent/'shared'/'data'/'gutenberg_books'/'books.parquet'
    if not path.exists(): raise SystemExit(f'{path.name} is not there: this benchmark needs the 24 books of ../shared/data/gutenberg_books')
    texts = pd.read_parquet(path).text.tolist()
    return texts[:-3], texts[-3:]

def as_ids(work):
    "Tokenizer, and ids of both parts; kept in the folder `work`."
    from tokenizers import Tokenizer
    train, valid = books()
    file, kept = work/'tokenizer.json', work/'ids.pt'
    if not file.exists(): byte_level_bpe((text[i:i + 10_000] for text in train for i in range(0, len(text), 50_000)), vocab_sz).save(str(file))
    tokenizer = Tokenizer.from_file(str(file))
    if not kept.exists(): torch.save([[torch.tensor([0, *tokenizer.encode(text).ids]) for text in texts] for texts in (train, valid)], kept)
    return tokenizer, *torch.load(kept, weights_only=True)

def make_model(name):
    "One of the two, with about 3.4 million weights."
    if name == 'gpt': return GPT(vocab_sz, n_positions=128, width=224, n_layers=4, n_heads=7)
    return get_language_model(AWD_LSTM, vocab_sz, {**awd_lstm_lm_config, 'emb_sz': 256, 'n_hid': 504, 'n_layers': 2}, drop_mult=0.1)

def scores_of(model, x):
    "Logits, whatever else the model hands out."
    with torch.autocast('cpu', torch.bfloat16, enabled=cpu_has_bf16()):
        out = model(x)
    return (out if torch.is_tensor(out) else out[0]).float()

@torch.no_grad()
def loss_on(model, ids, seq_len, n_tokens):
    "Mean loss per token on the first tokens of unseen books."
    training, hidden, rows = model.training, getattr(model[0], 'hidden', None) if not isinstance(model, GPT) else None, None if isinstance(model, GPT) else model[0].bs
    model.eval()
    if hidden is not None: model.reset()
    total = n = 0
    for x, y in LMDataLoader(ids, bs=16, seq_len=seq_len):
        total, n = total + cross_entropy(scores_of(model, x).flatten(0, 1), y.flatten(), reduction='sum').item(), n + y.numel()
        if n >= n_tokens: break
    model.train(training)
    if hidden is not None: model[0].hidden, model[0].bs = hidden, rows
    return total/n

class InBF16(torch.nn.Module):
    "The model, its products in 16 bits where the processor has instructions for them."
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        with torch.autocast('cpu', torch.bfloat16, enabled=cpu_has_bf16()): return self.model(x)

    def reset(self):
        if hasattr(self.model, 'reset'): self.model.reset()

class ProcessorTime(Callback):
    "Rate by the share of the seconds that are used; measures the loss on unseen books on the way; stops when the seconds are over."
    run_valid = False
    order = 90

    def __init__(self, seconds, lr, valid, seq_len, file=None, reports=8):
        self.seconds, self.lr, self.valid, self.seq_len, self.file, self.every = seconds, lr, valid, seq_len, file, seconds/reports
        self.used, self.tokens, self.curve, self.losses = 0., 0, [], []

    def before_fit(self):
        if self.file is not None and self.file.exists(): self.load()

    def before_batch(self):
        self.started, share = time.process_time(), self.used/self.seconds
        self.learn.opt.set_hyper('lr', self.lr*min(1., (share + .001)/.05)*min(1., max(0., (1 - share)/.5)))

    def after_batch(self):
        self.used += time.process_time() - self.started
        self.tokens += self.learn.yb[0].numel()
        self.losses.append(self.learn.loss.item())
        over = self.used >= self.seconds
        if over or self.used >= (len(self.curve) + 1)*self.every: self.report(n_valid if over else n_valid//5)
        if over: raise CancelFitException()

    def report(self, n_tokens):
        "Measure, say so, and write a checkpoint."
        found = {'seconds': self.used, 'tokens': self.tokens, 'train': sum(self.losses)/len(self.losses), 'loss': loss_on(self.learn.model.model, self.valid, self.seq_len, n_tokens)}
        self.curve, self.losses = [*self.curve, found], []
        print({name: round(value, 3) for name, value in found.items()}, flush=True)
        if self.file is None: return
        state = {'model': self.learn.model.state_dict(), 'opt': self.learn.opt.state_dict(), 'loader': self.learn.dls.train.state_dict(), 'used': self.used, 'tokens': self.tokens, 'curve': self.curve}
        torch.save(state, self.file.with_suffix('.tmp'))
        self.file.with_suffix('.tmp').replace(self.file)

    def load(self):
        "Go on where the last checkpoint was written."
        state = torch.load(self.file, weights_only=True)
        self.learn.model.load_state_dict(state['model'])
        self.learn.opt.load_state_dict(state['opt'])
        self.learn.dls.train.load_state_dict(state['loader'])
        self.used, self.tokens, self.curve = state['used'], state['tokens'], state['curve']
        print(f'goes on after {self.used:.0f} s', flush=True)

def train(name, data, seconds, lr, file=None, seed=0):
    "Train one model for so many seconds; the model, and what was measured."
    tokenizer, train_ids, valid_ids = data
    bs, seq_len = (16, 128) if name == 'gpt' else (32, 72)
    set_seed(seed)
    dls = DataLoaders(LMDataLoader(train_ids, bs=bs, seq_len=seq_len, shuffle=True, seed=seed), LMDataLoader(valid_ids[0][:bs*seq_len + 1].split(10**9), bs=bs, seq_len=seq_len))
    budget = ProcessorTime(seconds, lr, valid_ids, seq_len, file, 8 if file else 1)
    callbacks = [budget, GradientClip(1.), *(rnn_cbs(2., 1.) if name == 'lstm' else [])]
    learn = Learner(dls, InBF16(make_model(name)), loss_func=CrossEntropyLossFlat(), opt_func=partial(Adam, wd=.1, sqr_mom=.99), lr=lr, cbs=callbacks)
    with learn.no_bar(), learn.no_logging(): learn.fit(1000)
    return learn.model.model, {'curve': budget.curve, 'parameters': sum(p.numel() for p in learn.model.parameters()), 'lr': lr}

@torch.no_grad()
def written(model, tokenizer, prompt, n_new=40, seed=0):
    "What follows `prompt`, drawn at temperature 0.8."
    torch.manual_seed(seed)
    ids = tokenizer.encode(prompt).ids
    model.eval()
    for _ in range(n_new):
        if not isinstance(model, GPT): model.reset()
        ids.append(int(torch.multinomial((scores_of(model, torch.tensor([ids]))[0, -1]/.8).softmax(-1), 1)))
    return tokenizer.decode(ids).replace('\n', ' ')

def run(name, data, seconds, work):
    "A finished run is read; others are done or gone on with."
    done = work/f'{name}_{seconds:.0f}.json'
    if done.exists(): return read_json(done)
    model, found = train(name, data, seconds, chosen[name], work/f'{name}_{seconds:.0f}.pt')
    found |= {'written': [written(model, data[0], prompt) for prompt in prompts], 'machine': machine()}
    torch.save(model.state_dict(), work/f'{name}_{seconds:.0f}_model.pt')
    write_json(done, found)
    return found

def section(found, seconds, data):
    "The text of results.md."
    names = {'gpt': 'GPT, 4 layers, width 224, 7 heads', 'lstm': 'AWD-LSTM, 2 layers, 256 → 504 → 256'}
    marks = [seconds/8, seconds/4, seconds/2, seconds]
    at = lambda run, s: min(run['curve'], key=lambda row: abs(row['seconds'] - s))['loss']
    text = (f"`python benchmarks/transformer.py --write`: {sum(map(len, data[1])):,} tokens of 21 public-domain books to learn from, a byte-level BPE of {vocab_sz:,} pieces, {n_valid:,} tokens of three other books to be asked about (a fifth of them on the way). "
            f"{seconds/60:.0f} minutes of processor time each (one thread, {'bf16' if cpu_has_bf16() else 'fp32'}), our LMDataLoader and Learner, one seed. GPT: 16 rows of 128 tokens, learning rate {chosen['gpt']:g}; AWD-LSTM: 32 rows of 72, learning rate {chosen['lstm']:g}, a tenth of its dropouts; "
            f"both rates are guesses that were not tuned. The rate climbs for a twentieth of the time and falls in the last half. {found['gpt']['machine']}.\n\n")
    text += '| model | weights | tokens read | tokens/s | ' + ' | '.join(f'loss at {s:.0f} s' for s in marks) + ' | perplexity at the end |\n' + '| --- '*(5 + len(marks)) + '|\n'
    for name, run in found.items():
        last = run['curve'][-1]
        text += f"| {names[name]} | {run['parameters']:,} | {last['tokens']:,} | {last['tokens']/last['seconds']:,.0f} | " + ' | '.join(f'{at(run, s):.3f}' for s in marks) + f" | {2.718281828**last['loss']:.1f} |\n"
    text += '\nWhat they write at temperature 0.8:\n\n| prompt | GPT | AWD-LSTM |\n| --- | --- | --- |\n'
    clean = lambda line: line.replace('|', '/')
    for prompt, *pair in zip(prompts, found['gpt']['written'], found['lstm']['written']): text += f'| {prompt} | ' + ' | '.join(clean(line[len(prompt):]) for line in pair) + ' |\n'
    return text

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--minutes', type=float, default=4, help='processor time for each of the two')
    parser.add_argument('--only', choices=['gpt', 'lstm'])
    parser.add_argument('--rates', action='store_true', help='a short run for each rate')
    parser.add_argument('--write', action='store_true', help='write results.md')
    parser.add_argument('--runs', default='benchmark_runs/transformer', help='folder for runs')
    given = parser.parse_args()
    torch.set_num_threads(1)
    work = Path(given.runs)
    work.mkdir(parents=True, exist_ok=True)
    data = as_ids(work)
    names = [given.only] if given.only else ['gpt', 'lstm']
    if given.rates:
        for name in names:
            for lr in rates[name]: print(name, lr, train(name, data, 30, lr)[1]['curve'][-1], flush=True)
        return
    found = {name: run(name, data, 60*given.minutes, work) for name in names}
    if len(found) == 2:
        text = section(found, 60*given.minutes, data)
        write_section(title, text) if given.write else print(text)

if __name__ == '__main__': main()
