"""Our Learner and the Trainer of transformers: the same small BERT, rows, order, optimizer and schedule, each in a process of its own.

    python benchmarks/hf_trainer.py [--rows 4000] [--repeats 3]

Reports steps per second of the clock and of the processor (the second does not fall when other programs run), peak memory above the value after imports and making the model, and the largest difference of a loss. Needs accelerate.
"""
import argparse, json, resource, statistics, subprocess, sys, tempfile, time

def small_bert(tokenizer):
    "A BERT of four layers without dropout: both loops draw no random numbers."
    import torch, transformers
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=len(tokenizer), hidden_size=128, num_hidden_layers=4, num_attention_heads=4, intermediate_size=512, max_position_embeddings=128,
                                     hidden_dropout_prob=0., attention_probs_dropout_prob=0.)
    return transformers.BertForSequenceClassification(config)

def make_tokenizer(folder):
    "Write a tokenizer to `folder`: training one is not deterministic between processes, so both loops read the same."
    from fastnlp_course.bridges.hf_tokenizers import word_piece_tokenizer
    from fastnlp_course.sources import get_data
    word_piece_tokenizer(get_data('reviews').text, 4000, model_max_length=128).save_pretrained(folder)

def encoded_rows(n, folder):
    "Rows of the embedded reviews, encoded once, and what makes a batch of them."
    import transformers
    from fastnlp_course.sources import get_data
    table = get_data('reviews').sample(n, random_state=0)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    rows = [{**tokenizer(text, truncation=True), 'labels': int(score > 0)} for text, score in zip(table.text, table.score)]
    return tokenizer, rows, transformers.DataCollatorWithPadding(tokenizer)

def train_ours(rows, collate, model, bs, lr):
    "The losses of one epoch in our loop."
    from functools import partial
    from torch.utils.data import DataLoader
    from fastnlp_course.data.dataloaders import DataLoaders
    from fastnlp_course.bridges.transformers import HFCallback
    from fastnlp_course.training.learner import Callback, Learner
    from fastnlp_course.training.optimizer import Adam
    class Linear(Callback):
        run_valid = False
        losses = []
        def before_batch(self): self.opt.set_hypers(lr=lr*(1 - self.train_iter/(self.n_epoch*self.n_iter)))
        def after_loss(self): self.losses.append(self.loss.detach())
    loader = DataLoader(rows, batch_size=bs, collate_fn=collate)
    adam = partial(Adam, mom=0.9, sqr_mom=0.999, eps=1e-8, wd=0.)
    learn = Learner(DataLoaders(loader, DataLoader(rows[:1], collate_fn=collate), device='cpu'), model, opt_func=adam, cbs=[HFCallback, Linear])
    started, worked = time.perf_counter(), time.process_time()
    with learn.no_bar(), learn.no_logging(): learn.fit(1, lr)
    return time.perf_counter() - started, time.process_time() - worked, [float(loss) for loss in Linear.losses]

def train_theirs(rows, collate, model, bs, lr):
    "The losses of one epoch in `Trainer`."
    from torch.utils.data import SequentialSampler
    from transformers import Trainer, TrainingArguments
    class InOrder(Trainer):
        losses = []
        def _get_train_sampler(self, *args): return SequentialSampler(self.train_dataset)
        def compute_loss(self, *args, **kwargs):
            loss = super().compute_loss(*args, **kwargs)
            self.losses.append(loss.detach())
            return loss
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(folder, per_device_train_batch_size=bs, num_train_epochs=1, learning_rate=lr, weight_decay=0., max_grad_norm=0., use_cpu=True, report_to=[],
                                     save_strategy='no', logging_strategy='no', disable_tqdm=True, remove_unused_columns=False)
        trainer = InOrder(model, settings, train_dataset=rows, data_collator=collate)
        started, worked = time.perf_counter(), time.process_time()
        trainer.train()
        return time.perf_counter() - started, time.process_time() - worked, [float(loss) for loss in InOrder.losses]

def run_one(which, n, bs, lr, folder):
    "One run, for a process of its own: prints a line of JSON."
    import transformers
    transformers.logging.set_verbosity_error()
    tokenizer, rows, collate = encoded_rows(n, folder)
    model = small_bert(tokenizer)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, processor, losses = (train_ours if which == 'ours' else train_theirs)(rows, collate, model, bs, lr)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({'seconds': seconds, 'processor': processor, 'losses': losses, 'megabytes': (after - before)/1024}))

def measured(which, given, folder):
    "What a run in a new process printed."
    command = [sys.executable, __file__, '--one', which, '--rows', str(given.rows), '--bs', str(given.bs), '--lr', str(given.lr), '--tokenizer', folder]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rows', type=int, default=4000)
    parser.add_argument('--bs', type=int, default=16)
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--lr', type=float, default=1e-4)
    parser.add_argument('--one', choices=['ours', 'trainer'], help='for the script itself')
    parser.add_argument('--tokenizer', help='for the script itself')
    parser.add_argument('--dry', action='store_true', help='print, and leave results.md alone')
    given = parser.parse_args()
    if given.one:
        from common import machine   # puts the package on the path
        return run_one(given.one, given.rows, given.bs, given.lr, given.tokenizer)
    from common import machine, write_section
    runs = {'ours': [], 'trainer': []}
    with tempfile.TemporaryDirectory() as folder:
        make_tokenizer(folder)
        for repeat in range(given.repeats):
            for which in ('ours', 'trainer') if repeat % 2 == 0 else ('trainer', 'ours'):   # whoever goes first warms the machine
                runs[which].append(measured(which, given, folder))
    n_steps = len(runs['ours'][0]['losses'])
    apart = max(abs(a - b) for a, b in zip(runs['ours'][0]['losses'], runs['trainer'][0]['losses']))
    rates = {which: [n_steps/run['seconds'] for run in found] for which, found in runs.items()}
    worked = {which: n_steps/min(run['processor'] for run in found) for which, found in runs.items()}
    memory = {which: statistics.median(run['megabytes'] for run in found) for which, found in runs.items()}
    lines = ['| loop | steps per second | steps per second of the processor, best run | memory above imports and model |', '| --- | --- | --- | --- |']
    lines += [f'| {name} | {statistics.mean(rates[which]):.2f} ({min(rates[which]):.2f} to {max(rates[which]):.2f}) | {worked[which]:.2f} | {memory[which]:.0f} MB |' for name, which in (('Learner', 'ours'), ('Trainer', 'trainer'))]
    ratio = statistics.mean(rates['ours'])/statistics.mean(rates['trainer'])
    work_ratio = worked['ours']/worked['trainer']
    text = (f'`python benchmarks/hf_trainer.py --rows {given.rows}`, {given.repeats} runs each in turns, {n_steps} steps of {given.bs} rows. {machine()}.\n\n' + '\n'.join(lines)
            + f'\n\nSteps per second, ours to theirs: {ratio:.2f}; of the processor: {work_ratio:.2f}. Largest difference of a loss at any step: {apart:.1e}.')
    print(text)
    if not given.dry: write_section('Learner and Trainer', text)

if __name__ == '__main__': main()
