"""Trainings that die at random moments and go on: are they the ones that never died?

For each model, way to fit and set of callbacks: once in peace, then N times killed with SIGKILL at a random moment and run again from
the first line, until it ends. Each run is a process of its own, forked from one that has loaded the libraries. What
must be equal to the last bit: weights, state of the optimizer, losses, training table, CSV log, and the validation of the model that is
left at the end.

    python benchmarks/resume.py            # 20 kills each; some minutes
    python benchmarks/resume.py --kills 3 --models lm
    python benchmarks/resume.py --keep rows.json    # stopped and called again, it goes on
"""
import argparse, io, json, os, random, signal, sys, tempfile, time, warnings
from contextlib import redirect_stdout
from pathlib import Path

from common import machine, write_section
import pandas as pd
import torch

os.environ.setdefault('HF_HUB_OFFLINE', '1')
from fastnlp_course.all import *
from fastnlp_course.training.fit_identity import short_hash
from fastnlp_course.training.fit_state import note

sizes = dict(emb_sz=12, n_hid=16, n_layers=2)

def table(n):
    draw = random.Random(3)
    texts = [' '.join(f'w{draw.randrange(60)}' for _ in range(draw.randint(3, 14))) for _ in range(n)]
    return pd.DataFrame({'text': texts, 'label': ['pos' if i % 3 else 'neg' for i in range(n)], 'is_valid': [i % 4 == 0 for i in range(n)]})

def classifier(path):
    dls = TextDataLoaders.from_df(table(56), text_col='text', label_col='label', valid_col='is_valid', bs=8, seq_len=16, path=path)
    return text_classifier_learner(dls, AWD_LSTM, config={**awd_lstm_clas_config, **sizes}, pretrained=False, metrics=accuracy)

def lm(path):
    dls = TextDataLoaders.from_df(table(90), text_col='text', is_lm=True, valid_pct=0.2, seed=1, bs=4, seq_len=12, path=path)
    return language_model_learner(dls, AWD_LSTM, config={**awd_lstm_lm_config, **sizes}, pretrained=False, metrics=Perplexity())

def bert(path):
    import tokenizers, transformers
    words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', *(f'w{i}' for i in range(60))]
    rules = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: i for i, word in enumerate(words)}, unk_token='[UNK]'))
    rules.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=rules, pad_token='[PAD]', unk_token='[UNK]', cls_token='[CLS]', sep_token='[SEP]')
    dls = DataBlock((HFTextBlock(tokenizer), CategoryBlock), get_x=ColReader('text'), get_y=ColReader('label'), splitter=ColSplitter('is_valid')).dataloaders(table(56), bs=8, path=path)
    config = transformers.BertConfig(vocab_size=64, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, num_labels=2, max_position_embeddings=64)
    return hf_learner(dls, transformers.BertForSequenceClassification(config), metrics=accuracy)

models = {'classifier': classifier, 'lm': lm, 'bert': bert}
callbacks = {
    'none': lambda: [],
    'SaveModelCallback': lambda: [SaveModelCallback(fname='best')],
    'AverageWeights': lambda: [AverageWeights(0.95)],
    'EarlyStoppingCallback': lambda: [EarlyStoppingCallback(patience=2, min_delta=0.02)],
    'ReduceLROnPlateau': lambda: [ReduceLROnPlateau(patience=1, min_delta=0.05)],
    'all but stopping, gradients of two batches': lambda: [SaveModelCallback(fname='best', with_opt=True), AverageWeights(0.95), ReduceLROnPlateau(min_delta=0.05), GradientAccumulation(16)]}
ways = {'fit': lambda learn, cbs: learn.fit(4, 1e-2, cbs=cbs), 'fit_one_cycle': lambda learn, cbs: learn.fit_one_cycle(3, 1e-2, cbs=cbs),
        'fit_flat_cos': lambda learn, cbs: learn.fit_flat_cos(3, 1e-2, cbs=cbs), 'fine_tune': lambda learn, cbs: learn.fine_tune(2, 1e-2, cbs=cbs)}
cases = [('fit', 'all but stopping, gradients of two batches'), ('fit', 'EarlyStoppingCallback'), ('fit_one_cycle', 'SaveModelCallback'), ('fine_tune', 'SaveModelCallback'),
         ('fit', 'AverageWeights'), ('fit', 'ReduceLROnPlateau'), ('fit_flat_cos', 'none'), ('fit', 'SaveModelCallback'), ('fit', 'none')]

def one_run(model, way, cbs, folder, checkpoint):
    "Train, and write hashes of everything that must be equal."
    set_seed(5)
    learn = models[model](folder)
    learn.recorder.add_time = False             # seconds are never the same
    learn.logger = noop
    learn.remove_cbs(learn._grab_cbs(ProgressCallback))
    ways[way](learn, [*checkpoint, CSVLogger(), *callbacks[cbs]()])
    losses, values = list(learn.recorder.losses), [list(row) for row in learn.recorder.values]
    found = {'weights': [(name, weight) for name, weight in learn.model.state_dict().items()], 'optimizer': note(learn.opt.state_dict()), 'losses': losses, 'table': values}
    found = {name: short_hash(value) for name, value in found.items()}
    found['csv'] = (folder/'history.csv').read_text()
    found['validation'] = [float(value) for value in learn.validate()]
    found['left over'] = sorted(path.name for path in (folder/'models').glob('run*')) if (folder/'models').exists() else []
    (folder/'found.json').write_text(json.dumps(found))

def forked(work):
    "Number of a new process that does it."
    pid = os.fork()
    if pid: return pid
    try:
        with redirect_stdout(io.StringIO()): work()
        os._exit(0)
    except BaseException:
        import traceback; traceback.print_exc()
        os._exit(1)

def wait(pid, seconds=None):
    "Its exit status; killed when the seconds are over."
    end = None if seconds is None else time.monotonic() + seconds
    while True:
        done, status = os.waitpid(pid, os.WNOHANG if end else 0)
        if done: return status
        if time.monotonic() >= end:
            os.kill(pid, signal.SIGKILL)
            return os.waitpid(pid, 0)[1]
        time.sleep(0.002)

def measure(model, way, cbs, n_kills, folder, draw):
    "How many of the killed trainings ended as the one in peace."
    peace, kept = folder/'peace', folder/'kept'
    if wait(forked(lambda: one_run(model, way, cbs, peace, []))): raise RuntimeError(f'{model} {way} {cbs} does not even train in peace')
    started = time.monotonic()
    if wait(forked(lambda: one_run(model, way, cbs, kept, [CheckpointCallback('run', every_batches=5)]))): raise RuntimeError(f'{model} {way} {cbs} does not train with checkpoints')
    length, expected = time.monotonic() - started, json.loads((peace/'found.json').read_text())
    if json.loads((kept/'found.json').read_text()) != expected: raise RuntimeError(f'{model} {way} {cbs}: checkpoints alone change the training')
    equal, kills, wrong, trial = 0, 0, [], 0
    while min(trial, kills) < n_kills:      # a training that ends before its moment has come is none that was killed
        place = folder/f'killed{trial}'
        every = draw.choice([2, 3, 5])
        def work(): one_run(model, way, cbs, place, [CheckpointCallback('run', every_batches=every)])
        for limit in [*(draw.uniform(0.05, 1)*length for _ in range(draw.choice([1, 1, 2]))), None]:
            status = wait(forked(work), limit)
            kills += os.WIFSIGNALED(status)
            if status == 0 or not os.WIFSIGNALED(status): break
        found = json.loads((place/'found.json').read_text()) if (place/'found.json').exists() else {}
        differs = [name for name in expected if found.get(name) != expected[name]]
        equal += not differs
        if differs: wrong.append((trial, every, differs))
        trial += 1
    return {'model': model, 'way': way, 'callbacks': cbs, 'trainings': trial, 'kills': kills, 'equal': equal, 'wrong': wrong}

if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--kills', type=int, default=20, help='kills, for each case, and at least as many trainings; each is killed once or twice')
    parser.add_argument('--models', nargs='*', default=list(models), choices=list(models))
    parser.add_argument('--keep', default=None, help='JSON file that collects rows: called again, only those cases are run that it does not hold')
    given = parser.parse_args()
    warnings.simplefilter('ignore')
    torch.set_num_threads(1)
    kept = Path(given.keep) if given.keep else None
    rows = json.loads(kept.read_text()) if kept and kept.exists() else []
    draw = random.Random(time.time_ns())
    for model in given.models:
        with tempfile.TemporaryDirectory() as folder: models[model](folder)     # loads what it needs
    for way, cbs in cases:
        for model in given.models:
            if any((old['model'], old['way'], old['callbacks']) == (model, way, cbs) and min(old['trainings'], old['kills']) >= given.kills for old in rows): continue
            with tempfile.TemporaryDirectory() as folder:
                row = measure(model, way, cbs, given.kills, Path(folder), draw)
            rows = [old for old in rows if (old['model'], old['way'], old['callbacks']) != (model, way, cbs)] + [row]
            print(row, flush=True)
            if kept: kept.write_text(json.dumps(rows))
    lines = ['| model | fit | callbacks | trainings | kills | equal to the last bit |', '| --- | --- | --- | --- | --- | --- |']
    lines += [f"| {row['model']} | {row['way']} | {row['callbacks']} | {row['trainings']} | {row['kills']} | {row['equal']} |" for row in rows]
    text = ' '.join(__doc__.strip().split('\n    python')[0].split()) + f'\n\n`benchmarks/resume.py`, {machine()}.\n\n' + '\n'.join(lines)
    text += f"\n\n{sum(row['kills'] for row in rows)} kills in {sum(row['trainings'] for row in rows)} trainings; {sum(row['equal'] for row in rows)} were equal."
    write_section('Killed and resumed', text)
