"""What each part of ULMFiT is worth on the embedded movie reviews: stage by stage, and by number of labels.

    python benchmarks/ablation.py --write
    python benchmarks/ablation.py --directions --write    forwards, backwards, and both together

Every run is kept in `benchmark_runs`; an interrupted call goes on. Rates, dropout and epochs were chosen on a tenth of the training rows.
"""
import argparse, hashlib, shutil, tempfile, time
from dataclasses import asdict, replace
from pathlib import Path
import numpy as np
from common import machine, write_section
from fastnlp_course.applications.reviews import Recipe, classifier, classifier_dls, describe_tokens, fit_at_once, fit_gradually, movie_reviews, scores, tfidf_baseline, train_from_scratch, train_language_model
from fastnlp_course.applications.stages import settings_hash
from fastnlp_course.applications.tables import table_hash
from fastnlp_course.files import atomic_write, read_json, set_seed, write_json
from fastnlp_course.training.saving import load_weights
from fastnlp_course.models.pretrained import shipped_model

label_counts = 50, 200, 1000
of_the_language_model = 'pretrained emb_sz n_hid n_layers lm_bs lm_seq_len lm_epochs lm_drop_mult min_freq half backwards seed'.split()

def settings(name, recipe):
    "What of the recipe matters for a row."
    unused = ['epochs', 'lr', 'drop_mult'] if name.startswith('+ gradual') else []
    return {key: value for key, value in asdict(recipe).items() if key not in unused}

def pretrained_weights(backwards=False):
    "A short name for the weights in the package."
    weights, _ = load_weights(shipped_model(backwards)/'model.safetensors')
    return hashlib.sha256(b''.join(weights[name].numpy().tobytes() for name in sorted(weights))).hexdigest()[:12]

def few_labels(table, n, seed):
    "`n` training rows with labels, drawn anew for each seed, and all test rows."
    train = table[~table.is_valid]
    kept = train.sample(n, random_state=seed)
    return table.loc[sorted([*kept.index, *table[table.is_valid].index])].reset_index(drop=True)

def fitting(recipe, n):
    "The recipe for `n` labels: smaller batches and more epochs where there are few, so that there are steps enough."
    return recipe if n is None else replace(recipe, bs=16, epochs=15 if n < 1000 else 10)

class Encoders:
    "Fine-tuned language models by seed, trained once and kept."
    def __init__(self, runs, table): self.runs, self.table = Path(runs), table
    def __call__(self, recipe):
        folder = self.runs/f"encoder-{settings_hash([{key: asdict(recipe)[key] for key in of_the_language_model}, table_hash(self.table), pretrained_weights(recipe.backwards)])}"
        if not (folder/'finished.json').exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            describe_tokens(self.table, folder, recipe)
            started = time.perf_counter()
            done = train_language_model(self.table, folder, recipe)
            write_json(folder/'finished.json', {'seconds': time.perf_counter() - started, 'perplexity': done['perplexity']})
        return folder

def predictions(table, recipe, encoder, vocab, plan):
    "Probabilities and targets of a classifier with this encoder, trained by `plan`, a function of the learner."
    set_seed(recipe.seed)
    learn = classifier(classifier_dls(table, recipe, vocab), recipe)
    learn.load_encoder(Path(encoder).absolute())
    with learn.no_bar(), learn.no_logging(): plan(learn)
    return [np.asarray(values) for values in learn.get_preds()]

def trained(*given):
    "Scores of such a classifier."
    return scores(*predictions(*given))

def at_once(recipe): return lambda learn: fit_at_once(learn, recipe)

def gradual(recipe, spread):
    return lambda learn: fit_gradually(learn, 5, 2e-2, recipe.wd, spread, recipe.average)

def general_encoder(table, recipe):
    "The encoder as it was shipped, its rows in the order of the vocab of these texts."
    from fastnlp_course.applications.reviews import language_model, language_model_dls
    set_seed(recipe.seed)
    dls = language_model_dls(table, recipe)
    folder = Path(tempfile.mkdtemp())
    language_model(dls, recipe).save_encoder(folder/'encoder')
    return folder/'encoder', list(dls.vocab)

def rows_of(table, encoders):
    "name -> function of (rows, recipe)."
    def fine_tuned(rows, recipe, plan):
        base = replace(Recipe(), seed=recipe.seed)
        folder = encoders(base)
        return trained(rows, recipe, folder.absolute()/'encoder', read_json(folder/'vocab.json'), plan)
    return {
        'TF-IDF + logistic regression': lambda rows, recipe: tfidf_baseline(rows),
        'from scratch': lambda rows, recipe: train_from_scratch(rows, recipe),
        'pretrained, all layers at once': lambda rows, recipe: trained(rows, recipe, *general_encoder(table, recipe), at_once(recipe)),
        '+ language model fine-tuned': lambda rows, recipe: fine_tuned(rows, recipe, at_once(recipe)),
        **{name: lambda rows, recipe, spread=spread: fine_tuned(rows, replace(recipe, drop_mult=.4), gradual(recipe, spread)) for name, spread in spreads.items()}}

# The last four rows are controls of each other: one factor between neighbouring groups, from the head downwards.
spreads = {'+ gradual unfreezing, equal rates': 1., '+ gradual, rates by 1.6': 1.6, '+ gradual, rates by 2.6': 2.6, '+ gradual, rates reversed (1/1.6)': 1/1.6}
by_labels = 'TF-IDF + logistic regression', 'from scratch', '+ language model fine-tuned'

def remembered(path, work):
    "The result of `work`, or what an earlier call left."
    if not path.exists():
        started = time.perf_counter()
        result = {name: value for name, value in work().items() if isinstance(value, float)}
        write_json(path, {**result, 'seconds': time.perf_counter() - started})
    return read_json(path)

def one_direction(table, encoders, recipe):
    "Probabilities and targets of the test rows, kept for another call."
    path = encoders.runs/f"direction-{settings_hash([asdict(recipe), table_hash(table), pretrained_weights(recipe.backwards)])}.npz"
    if not path.exists():
        folder = encoders(replace(recipe, drop_mult=Recipe().drop_mult))
        made = predictions(table, recipe, folder.absolute()/'encoder', read_json(folder/'vocab.json'), gradual(recipe, 1.))
        with atomic_write(path) as handle: np.savez(handle, *made)
    with np.load(path) as kept: return kept['arr_0'], kept['arr_1']

def directions(table, encoders, seeds):
    "Lines of a table: forwards, backwards, the mean of the probabilities of both."
    found = {'forwards': [], 'backwards': [], 'both, mean of the probabilities': []}
    for seed in seeds:
        recipe = replace(Recipe(), seed=seed, drop_mult=.4)
        (ahead, targets), (back, same) = (one_direction(table, encoders, replace(recipe, backwards=value)) for value in (False, True))
        assert (targets == same).all()
        for name, probabilities in zip(found, (ahead, back, (ahead + back)/2)):
            found[name].append(scores(probabilities, targets))
            print(f"{name:35} seed {seed}: {found[name][-1]['accuracy']:.1%}", flush=True)
    return ['| reads | accuracy | log loss |', '| --- | --- | --- |',
            *(f"| {name} | {cell([run['accuracy'] for run in runs])} | {np.mean([run['log_loss'] for run in runs]):.3f} |" for name, runs in found.items())]

def cell(found):
    return f"{np.mean(found):.1%} ± {np.std(found)*100:.1f}"

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seeds', type=int, nargs='*', default=[42, 43, 44])
    parser.add_argument('--rows', nargs='*', type=int, help='numbers of the rows to run, from 0; all if left out')
    parser.add_argument('--labels', nargs='*', type=int, default=list(label_counts), help='numbers of labels beside all')
    parser.add_argument('--runs', default='benchmark_runs', help='folder for finished runs')
    parser.add_argument('--write', action='store_true', help='write the section of results.md')
    parser.add_argument('--directions', action='store_true', help='the table of the two directions, and nothing else')
    given = parser.parse_args()
    table = movie_reviews()
    encoders = Encoders(given.runs, table)
    if given.directions:
        lines = directions(table, encoders, given.seeds)
        print('\n'.join(lines))
        if given.write:
            write_section('ULMFiT in both directions', f"`python benchmarks/ablation.py --directions --write`: test rows of lesson 18 (2,014), mean ± standard deviation of {len(given.seeds)} seeds. Each direction has its own language model, fine-tuned on the training texts, and its own classifier, unfrozen gradually. {machine()}." + '\n\n' + '\n'.join(lines))
        return
    rows = rows_of(table, encoders)
    shipped = pretrained_weights()
    chosen = list(rows) if given.rows is None else [list(rows)[i] for i in given.rows]
    found = {}
    for n in [None, *given.labels]:
        for name in chosen:
            if n is not None and name not in by_labels: continue
            for seed in given.seeds:
                recipe = fitting(replace(Recipe(), seed=seed), n)
                key = settings_hash([name, n, settings(name, recipe), table_hash(table), shipped if 'TF' not in name and 'scratch' not in name else ''])
                result = remembered(Path(given.runs)/f'ablation-{key}.json', lambda: rows[name](table if n is None else few_labels(table, n, seed), recipe))
                found.setdefault((name, n), []).append(result)
                print(f"{name:35} {n or 'all':>5} labels, seed {seed}: {result['accuracy']:.1%} {result['log_loss']:.3f} {result['seconds']:.0f} s", flush=True)
    lines = ['| model | accuracy | log loss |', '| --- | --- | --- |']
    lines += [f"| {name} | {cell([run['accuracy'] for run in found[name, None]])} | {np.mean([run['log_loss'] for run in found[name, None]]):.3f} |" for name in chosen if (name, None) in found]
    lines += ['', '| labels | ' + ' | '.join(name for name in by_labels if name in chosen) + ' |', '| --- ' * (1 + sum(name in chosen for name in by_labels)) + '|']
    for n in [*given.labels, None]:
        lines.append(f"| {n or 'all'} | " + ' | '.join(cell([run['accuracy'] for run in found[name, n]]) for name in by_labels if name in chosen) + ' |')
    print('\n'.join(lines))
    if given.write:
        text = (f"`python benchmarks/ablation.py --write`: test rows of lesson 18 (2,014), mean ± standard deviation of {len(given.seeds)} seeds. Each row down to the first of gradual unfreezing adds one thing to the row above it; the rows of gradual unfreezing differ in one factor, by which a group's rate exceeds that of the group below. "
                f"With few labels the language model still reads all training texts, without labels; the labelled rows are drawn anew for each seed. {machine()}.")
        write_section('ULMFiT stage by stage, and by number of labels', text + '\n\n' + '\n'.join(lines))

if __name__ == '__main__': main()
