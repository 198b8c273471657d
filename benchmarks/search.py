"""The recipe of ULMFiT on the embedded film reviews, tuned as a whole on development rows inside the training part.

    python benchmarks/search.py --folder FOLDER                 goes on with the search, until it is stopped
    python benchmarks/search.py --folder FOLDER --minutes 60    and stops before the trial that would begin after an hour
    python benchmarks/search.py --folder FOLDER --show          what the log says so far; trains nothing
    python benchmarks/search.py --folder FOLDER --write         the same as a section of results.md

The test rows (`RandomSplitter(0.2, seed=42)`) are taken away first and never looked at. What is left is cut into five parts; seed 1 is measured
on part 1, seed 2 on part 2, so a recipe that wins with several seeds has won on several sets of rows. Trials of one seed share their rows.

benchmarks/search.jsonl holds one line a trial, written when it has ended: kill the search at any moment, the trial that was cut off is begun
anew. It belongs to the repository, so a search goes on where another one stopped; --log takes another file. Fine-tuned language models that
trials share, and the probabilities of each trial, are kept in FOLDER.
Order: counting words and today's recipe; one factor changed at a time; mixtures of what was better; the best mixtures with more seeds.
"""
import argparse, hashlib, json, os, random, shutil, time
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
import numpy as np
import pandas as pd
from common import machine, write_section
from fastnlp_course.applications.reviews import (Recipe, classifier_dls, find_rate, fit_in_steps, language_model_dls, language_model, movie_reviews,
                                                 scores, tfidf_baseline)
from fastnlp_course.applications.stages import settings_hash
from fastnlp_course.files import atomic_write, read_json, set_seed, write_json
from fastnlp_course.locks import work_lock
from fastnlp_course.models.awd_lstm import AWD_LSTM, awd_lstm_clas_config
from fastnlp_course.models.pretrained import shipped_model
from fastnlp_course.models.rnn_callbacks import AverageWeights
from fastnlp_course.models.text_models import masked_concat_pool, PoolingLinearClassifier
from fastnlp_course.models.ulmfit import text_classifier_learner
from fastnlp_course.sources import get_data
from fastnlp_course.training.learner import Callback, CancelValidException, TrainEvalCallback
from fastnlp_course.training.losses import CrossEntropyLossFlat, LabelSmoothingCrossEntropyFlat
from fastnlp_course.training.optimizer_details import discriminative

label_counts = 50, 200, 1000
n_parts = 5

@dataclass(frozen=True)
class Trial:
    "One recipe on the development rows of one seed; the defaults are the recipe of lesson 18."
    method: str = 'ulmfit'         # or 'words' (TF-IDF and logistic regression), 'scratch'
    n_labels: int = 0              # so many labelled rows; 0 for all
    seed: int = 1                  # of rows, weights, batches and dropout
    backwards: bool = False
    lm_texts: str = 'train'        # or 'movies' (and those without a clear label), 'all' (and of other domains)
    lm_epochs: int = 3             # after one with a frozen encoder
    lm_lr: float = 0.              # 0: the finder's, between bounds
    lm_drop_mult: float = 0.5
    lm_bs: int = 32
    lm_seq_len: int = 36
    bs: int = 64
    epochs: int = 6                # once all layers train
    top: float = 1e-2              # peak rate of the head; twice that while it trains alone
    factor: float = 1.             # between the rates of neighbouring groups
    freezing: str = 'none'         # or 'head' (an epoch of the head first), 'gradual' (the head, then one and two LSTMs with it)
    schedule: str = 'one cycle'    # or 'flat'
    drop_mult: float = 1.
    wd: float = 0.1
    average: float = 0.998         # what a step keeps of the average of the weights; 0 for the last weights
    pool: str = 'concat'           # or 'mean'
    hidden: int = 50               # units between pooling and classes; 0 for none
    smoothing: float = 0.
    penalties: float = 1.          # times alpha=2, beta=1
    seq_len: int = 72

defaults = asdict(Trial())
of_the_language_model = 'seed backwards lm_texts lm_epochs lm_lr lm_drop_mult lm_bs lm_seq_len'.split()

def base(n_labels=0, **changed):
    "Today's recipe for so many labels: few labels get small batches and more epochs, as in benchmarks/ablation.py."
    few = {} if not n_labels else {'bs': 16, 'epochs': 15 if n_labels < 1000 else 10}
    return Trial(n_labels=n_labels, **{**few, **changed})

def difference(trial):
    "What sets a trial apart from today's recipe, as words."
    if trial.method == 'words':
        return 'TF-IDF and logistic regression'
    usual = asdict(base(trial.n_labels))
    return ', '.join(f'{name}={value}' for name, value in asdict(trial).items() if value != usual[name] and name != 'seed') or "today's recipe"

# The rows

def training_part():
    "The reviews without the test rows."
    table = movie_reviews()
    return table[~table.is_valid].reset_index(drop=True)

def rows_of(trial):
    "The rows of a trial with labels; `is_valid` marks the development rows."
    table = training_part()
    part = np.random.RandomState(2026).permutation(len(table)) % n_parts
    table = table.assign(is_valid=part == trial.seed % n_parts)
    if not trial.n_labels:
        return table
    kept = table[~table.is_valid].sample(trial.n_labels, random_state=trial.seed)
    return table.loc[sorted([*kept.index, *table[table.is_valid].index])].reset_index(drop=True)

def unlabelled(trial):
    "The texts that the language model reads: no test rows, no development rows."
    table = rows_of(replace(trial, n_labels=0))
    if trial.lm_texts == 'train':
        return table
    reviews, known = get_data('reviews'), set(movie_reviews().text)
    more = reviews[~reviews.text.isin(known) & ((reviews.domain == 'movie') | (trial.lm_texts == 'all'))]
    return pd.concat([table, pd.DataFrame({'text': more.text, 'label': 'neg', 'is_valid': False})], ignore_index=True)

# The stages

def recipe_of(trial):
    "A trial's share in the recipe of lesson 18, in single precision."
    same = {field.name for field in fields(Recipe)} & set(defaults)
    return replace(Recipe(half=False), **{name: value for name, value in asdict(trial).items() if name in same})

def language_model_of(trial, folder):
    "The folder of the fine-tuned encoder and its vocab, trained once."
    settings = {name: value for name, value in asdict(trial).items() if name in of_the_language_model}
    kept = folder/f'encoder-{settings_hash(settings)}'
    if not (kept/'finished.json').exists():
        begun = kept.with_suffix('.begun')
        shutil.rmtree(begun, ignore_errors=True)
        begun.mkdir(parents=True)
        write_json(begun/'finished.json', {**settings, **train_language_model(trial, begun)})
        os.replace(begun, kept)
    return kept

def train_language_model(trial, out):
    "Fine-tune the shipped language model on the texts of a trial."
    started, recipe = time.process_time(), recipe_of(trial)
    set_seed(trial.seed)
    dls = language_model_dls(unlabelled(trial), recipe)
    learn = language_model(dls, recipe)
    with learn.no_bar(), learn.no_logging():
        rate = trial.lm_lr or find_rate(learn, recipe)[0]
        fit_in_steps(learn, [(-1, 1, 2*rate), (0, trial.lm_epochs, rate)])
    learn.save_encoder(out.absolute()/'encoder')
    write_json(out/'vocab.json', list(dls.vocab))
    return {'lr': rate, 'perplexity': float(learn.recorder.values[-1][-1]), 'processor_seconds': time.process_time() - started}

class MeanHead(PoolingLinearClassifier):
    "A head that sees the mean of the outputs and nothing else."
    def forward(self, input):
        output, mask = input
        pooled = masked_concat_pool(output, mask, self.bptt)[:, 2*output.shape[2]:]
        return self.layers(pooled), output, output

def classifier_of(trial, table, vocab):
    "A classifier with random weights."
    recipe = recipe_of(trial)
    dls = classifier_dls(table, recipe, vocab)
    loss = LabelSmoothingCrossEntropyFlat(eps=trial.smoothing) if trial.smoothing else CrossEntropyLossFlat()
    hidden = [trial.hidden] if trial.hidden else []
    learn = text_classifier_learner(dls, AWD_LSTM, config={**awd_lstm_clas_config, **recipe.sizes()}, pretrained=False, drop_mult=trial.drop_mult, loss_func=loss,
                                    lin_ftrs=hidden, seq_len=trial.seq_len, backwards=trial.backwards, alpha=2*trial.penalties, beta=trial.penalties)
    if trial.pool == 'mean':
        dropouts = [awd_lstm_clas_config['output_p']*trial.drop_mult] + [.1]*len(hidden)
        learn.model[1] = MeanHead([recipe.emb_sz, *hidden, 2], dropouts, bptt=trial.seq_len)
    return learn

class WithoutValidation(Callback):
    "Development rows are looked at once, at the end: with few labels they would cost more than the training."
    order = TrainEvalCallback.order - 1
    def before_validate(self): raise CancelValidException()

def fit(learn, trial):
    "Head, then groups, then everything, as the trial says."
    rates = trial.top if trial.factor == 1 else discriminative(trial.top, trial.factor)
    average = [AverageWeights(trial.average)] if trial.average else []
    before = {'none': [], 'head': [(-1, 2*trial.top)], 'gradual': [(-1, 2*trial.top), (-2, rates), (-3, rates)]}[trial.freezing]
    for group, lr in before:
        learn.freeze_to(group)
        learn.fit_one_cycle(1, lr, wd=trial.wd, cbs=average)
    learn.unfreeze()
    last = learn.fit_flat_cos if trial.schedule == 'flat' else learn.fit_one_cycle
    last(trial.epochs, rates, wd=trial.wd, cbs=average)

def run(trial, folder):
    "Scores on the development rows, and the probabilities."
    table = rows_of(trial)
    if trial.method == 'words':
        return tfidf_baseline(table), None
    encoder = language_model_of(trial, folder) if trial.method == 'ulmfit' else None
    vocab = read_json(encoder/'vocab.json') if encoder else list(language_model_dls(unlabelled(trial), recipe_of(trial)).vocab)
    set_seed(trial.seed)
    learn = classifier_of(trial, table, vocab)
    if encoder:
        learn.load_encoder(encoder.absolute()/'encoder')
    with learn.no_bar(), learn.no_logging():
        with learn.added_cbs(WithoutValidation()):
            fit(learn, trial)
        probabilities, targets = learn.get_preds()
    perplexity = {'perplexity': read_json(encoder/'finished.json')['perplexity']} if encoder else {}
    return {**scores(probabilities, targets), **perplexity}, np.asarray(probabilities, dtype=np.float32)

# The log

class Log:
    "One line a trial; a line that was cut off, or belongs to other rows or weights, counts as none."
    def __init__(self, path, data):
        self.path, self.data = path, data      # `data`: of a trial, a short name of its rows and of the weights it begins with
        self.lines = {}
        for line in self.path.read_text(encoding='utf-8').splitlines() if self.path.exists() else []:
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if found['data'] == data(Trial(**found['trial'])):
                self.lines[found['key']] = found

    def key(self, trial):
        "A short name of trial and data."
        return settings_hash([asdict(trial), self.data(trial)])

    def of(self, trial):
        "The line of a trial, or None."
        return self.lines.get(self.key(trial))

    def add(self, trial, result):
        "Write one line, in one piece and to the disk."
        line = {'key': self.key(trial), 'data': self.data(trial), 'difference': difference(trial), **result, 'trial': asdict(trial)}
        whole = self.path.exists() and self.path.read_bytes()[-1:] not in (b'', b'\n')      # a line before it was cut off
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(file, (('\n' if whole else '') + json.dumps(line) + '\n').encode())
            os.fsync(file)
        finally:
            os.close(file)
        self.lines[line['key']] = line

    def accuracy(self, trial):
        "What a trial reached, or None if it has not ended or has failed."
        return (self.of(trial) or {}).get('accuracy')

def data_names():
    "Of a trial, a short name of the rows and of the shipped weights that it begins with, if any: a better model makes only its own trials old."
    rows = training_part().to_csv()
    weights = {backwards: hashlib.sha256((shipped_model(backwards)/'model.safetensors').read_bytes()).hexdigest() for backwards in (False, True)}
    names = {None: settings_hash([rows]), **{backwards: settings_hash([rows, weight]) for backwards, weight in weights.items()}}
    return lambda trial: names[trial.backwards if trial.method == 'ulmfit' else None]

# The order

one_factor = [('top', .005), ('freezing', 'gradual'), ('average', 0.), ('drop_mult', .5), ('schedule', 'flat'), ('smoothing', .1), ('pool', 'mean'), ('wd', .01),
              ('factor', 1.3), ('penalties', 0.), ('hidden', 0), ('top', .02), ('freezing', 'head'), ('drop_mult', 1.5), ('wd', .3), ('average', .99),
              ('seq_len', 36)]
by_epochs = {0: [('epochs', 4), ('epochs', 10), ('bs', 32), ('bs', 128)], 50: [('epochs', 40), ('bs', 8)], 200: [('epochs', 8), ('epochs', 30), ('bs', 32)],
             1000: [('epochs', 6), ('epochs', 20), ('bs', 32)]}
lm_factors = [('lm_epochs', 6), ('lm_drop_mult', 1.), ('lm_texts', 'movies'), ('lm_epochs', 1), ('lm_lr', 8e-3), ('lm_seq_len', 72), ('lm_drop_mult', .25), ('lm_bs', 64),
              ('lm_epochs', 10), ('lm_texts', 'all'), ('backwards', True)]

def baselines():
    "Counting words, from scratch, and today's recipe."
    sizes = 0, *label_counts
    yield from (Trial(method='words', n_labels=n, seed=seed) for n in sizes for seed in (1, 2, 3))
    yield from (base(n) for n in sizes)
    yield from (base(n, seed=seed) for n in sizes for seed in (2, 3))
    yield from (base(n, method='scratch') for n in sizes)

def variants(factors, sizes):
    "One factor at a time, for each number of labels in turn."
    for name, value in factors:
        yield from (base(n, **{name: value}) for n in sizes)

def gains(log, n_labels):
    "By how much each value of a factor was better than today's recipe with the same seed, the best value of each factor first."
    usual, found = log.accuracy(base(n_labels)), {}
    for name, value in one_factor + by_epochs[n_labels] + lm_factors:
        reached = log.accuracy(base(n_labels, **{name: value}))
        if None not in (usual, reached) and name != 'backwards':
            found[name, value] = reached - usual
    return dict(sorted(found.items(), key=lambda item: -item[1]))

def mixtures(log, n_labels, number=12):
    "Random mixtures of the values that were better alone; drawn again in the same way after an interruption."
    better = {}
    for (name, value), gain in gains(log, n_labels).items():
        if gain > 0: better.setdefault(name, value)
    draw, seen = random.Random(n_labels), set()
    for _ in range(number if better else 0):
        chosen = {name: value for name, value in better.items() if draw.random() < .6}
        trial = base(n_labels, **chosen)
        if trial not in seen and chosen:
            seen.add(trial)
            yield trial

def tried(log, n_labels, seed=1):
    "All ended trials of ULMFiT with so many labels, the best first."
    lines = [line for line in log.lines.values() if line['trial']['n_labels'] == n_labels and line['trial']['seed'] == seed and line['trial']['method'] == 'ulmfit' and 'accuracy' in line]
    return [Trial(**line['trial']) for line in sorted(lines, key=lambda line: (-line['accuracy'], line['log_loss']))]

def finals(log, n_labels, number=4):
    "The best of the first seed, with other seeds and so on other rows."
    for trial in [trial for trial in tried(log, n_labels) if not trial.backwards][:number]:
        yield from (replace(trial, seed=seed) for seed in (2, 3, 4))

def plan(log):
    "The order of the search; the later parts are made of what the earlier ones found."
    yield from baselines()
    yield from variants(one_factor[:8], (0, *label_counts))
    for n in label_counts: yield from variants(by_epochs[n], (n,))
    yield from variants(by_epochs[0][:2], (0,))
    yield from variants(lm_factors[:4], (0, *label_counts))
    yield from variants(one_factor[8:], (*label_counts, 0))
    yield from variants(by_epochs[0][2:], (0,))
    for n in (*label_counts, 0): yield from mixtures(log, n)
    for n in (*label_counts, 0): yield from finals(log, n)
    yield from variants(lm_factors[4:], (0, *label_counts))

def search(folder, log, until):
    "Run what the log lacks."
    for trial in plan(log):
        if log.of(trial):
            continue
        if time.monotonic() > until:
            return
        started, used = time.perf_counter(), time.process_time()
        try:
            result, probabilities = run(trial, folder)
        except (ArithmeticError, ValueError, RuntimeError) as error:
            result, probabilities = {'failed': f'{type(error).__name__}: {error}'[:300]}, None
        if probabilities is not None:
            with atomic_write(folder/f'{log.key(trial)}.npz') as handle: np.savez(handle, probabilities)
        result.update(seconds=round(time.perf_counter() - started, 1), processor_seconds=round(time.process_time() - used, 1), load=os.getloadavg()[0], ended=time.strftime('%Y-%m-%d %H:%M:%S'))
        log.add(trial, result)
        print(f"{trial.n_labels or 'all':>5} labels, seed {trial.seed}: {result.get('accuracy', float('nan')):.1%} {result.get('log_loss', float('nan')):.3f} "
              f"{result['processor_seconds']:5.0f} s  {difference(trial)} {result.get('failed', '')}", flush=True)

# What was found

def both_directions(log, folder, backward):
    "Accuracy of the mean of the probabilities of a trial that reads backwards and of the same forwards."
    forward = replace(backward, backwards=False)
    files = [folder/f'{log.key(trial)}.npz' for trial in (forward, backward)]
    if not log.of(forward) or not all(file.exists() for file in files):     # another computer has them
        return None
    mean = sum(np.load(file)['arr_0'] for file in files)/2
    table = rows_of(forward)
    return scores(mean, (table[table.is_valid].label == 'pos').to_numpy().astype(int))

def cell(accuracies):
    return f'{np.mean(accuracies):.1%}' + (f' ± {100*np.std(accuracies):.1f}' if len(accuracies) > 1 else '')

def summary(log, folder):
    "Lines of tables, one for each number of labels, sorted by the gain over today's recipe with the same seeds."
    lines = []
    for n in (*label_counts, 0):
        found = {}
        for line in log.lines.values():
            trial = Trial(**line['trial'])
            if trial.n_labels == n and 'accuracy' in line:
                found.setdefault(difference(trial), []).append((trial, line))
                if trial.backwards and (joined := both_directions(log, folder, trial)):
                    found.setdefault(f'{difference(trial)}, and forwards: mean of the probabilities', []).append((trial, joined))
        usual = {trial.seed: line['accuracy'] for trial, line in found.get("today's recipe", [])}
        def gain(runs):
            paired = [line['accuracy'] - usual[trial.seed] for trial, line in runs if trial.seed in usual]
            return float(np.mean(paired)) if paired else float('-inf')
        lines += ['', f"{n or 'All'} labels", '', "| recipe | seeds | accuracy | log loss | gain over today's with the same seeds, points |", '| --- | --- | --- | --- | --- |']
        for name, runs in sorted(found.items(), key=lambda item: -gain(item[1])):
            lines.append(f"| {name} | {len(runs)} | {cell([line['accuracy'] for _, line in runs])} | {np.mean([line['log_loss'] for _, line in runs]):.3f} | {100*gain(runs):+.1f} |")
    return lines[1:]

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--folder', default='benchmark_runs/search', help='of what trials share')
    parser.add_argument('--log', default=str(Path(__file__).with_suffix('.jsonl')), help='a line for each trial')
    parser.add_argument('--minutes', type=float, default=float('inf'), help='begin no trial after so many')
    parser.add_argument('--show', action='store_true', help='print what the log says')
    parser.add_argument('--write', action='store_true', help='write it as a section of results.md')
    given = parser.parse_args()
    folder = Path(given.folder)
    folder.mkdir(parents=True, exist_ok=True)
    log = Log(Path(given.log), data_names())
    if given.show or given.write:
        lines = summary(log, folder)
        print('\n'.join(lines))
        if given.write:
            write_section("The recipe of ULMFiT, tuned on development rows", f"`python benchmarks/search.py`: {len(log.lines)} trials on rows of the reviews' training part, a fifth of it for each seed; "
                          f"the test rows were not looked at. Values that are not named are those of lesson 18. {machine()}.\n\n" + '\n'.join(lines))
        return
    with work_lock(folder, 'search'):       # a second process would only do the same trials
        search(folder, Log(Path(given.log), data_names()), time.monotonic() + 60*given.minutes)

if __name__ == '__main__': main()
