"""Weight decay, L2 and dropout on the embedded movie reviews: grids of small runs, several seeds.

    python benchmarks/weight_decay_dropout.py            both grids, written into results.md
    python benchmarks/weight_decay_dropout.py --small    a corner of them with few rows, to try the script

A finished run is kept in the folder --runs: an interrupted call goes on. All rows are training rows of the
course's split: some to train, some to choose a setting, the others to report it.
"""
import argparse, re, time
from collections import Counter
from dataclasses import replace
from functools import partial
from itertools import product
from common import machine, write_section
import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset
from reviews import remembered
from fastnlp_course.data.dataloaders import DataLoaders
from fastnlp_course.applications.reviews import Recipe, classifier, classifier_dls, movie_reviews
from fastnlp_course.applications.stages import settings_hash
from fastnlp_course.files import set_seed
from fastnlp_course.training.learner import Learner
from fastnlp_course.training.losses import CrossEntropyLossFlat
from fastnlp_course.training.optimizer import Adam
import fastnlp_course.training.schedules  # adds fit_one_cycle to the Learner

title = 'Weight decay against dropout'
n_words, length = 5000, 40
optimizers = {'Adam, decoupled': partial(Adam, decouple_wd=True), 'Adam, L2': partial(Adam, decouple_wd=False)}
word_grid = [
    *product(['Adam, decoupled'], [0., 0.1, 0.3, 1., 3., 10.], [0., 0.25, 0.5, 0.75]),
    *product(['Adam, L2'], [1e-5, 1e-4, 3e-4, 1e-3, 3e-3], [0., 0.25, 0.5, 0.75]),
]
lstm_grid = list(product(['AWD-LSTM, Adam, decoupled'], [0., 0.1, 1.], [0., 0.5, 1., 1.5]))

def shuffled_rows():
    "The training rows of the course's split, in one random order."
    table = movie_reviews()
    return table[~table.is_valid].sample(frac=1, random_state=7).reset_index(drop=True)

def as_tensors(table, n_train):
    "Word numbers of each text (0 pads, 1 is unknown) and labels; the words of the first `n_train` texts count."
    texts = [re.findall(r"[a-z']+", text.lower()) for text in table.text]
    counts = Counter(word for text in texts[:n_train] for word in text).most_common(n_words)
    number = {word: i for i, (word, _) in enumerate(counts, start=2)}
    x = torch.zeros(len(texts), length, dtype=torch.long)
    for row, text in enumerate(texts):
        numbers = [number.get(word, 1) for word in text][:length] or [1]
        x[row, :len(numbers)] = torch.tensor(numbers)
    return x, torch.tensor((table.label == 'pos').to_numpy()).long()

def word_model(dropout):
    "Word vectors, their mean, a hidden layer; dropout before each linear layer."
    vectors = nn.EmbeddingBag(n_words + 2, 100, padding_idx=0)
    nn.init.normal_(vectors.weight, std=0.1)
    return nn.Sequential(vectors, nn.Dropout(dropout), nn.Linear(100, 100), nn.ReLU(), nn.Dropout(dropout), nn.Linear(100, 2))

def scores_of(logits, y, n_choose):
    "Log loss on the rows for choosing; log loss and accuracy on the rows for reporting."
    return dict(choose_loss=cross_entropy(logits[:n_choose], y[:n_choose]).item(), loss=cross_entropy(logits[n_choose:], y[n_choose:]).item(),
                accuracy=(logits[n_choose:].argmax(-1) == y[n_choose:]).float().mean().item())

def root_mean_square(weight):
    "The usual size of an entry."
    return weight.detach().square().mean().sqrt().item()

def run_words(x, y, n_train, n_choose, name, wd, dropout, seed, epochs):
    "One run of the word-vector classifier."
    set_seed(seed)
    train = DataLoader(TensorDataset(x[:n_train], y[:n_train]), batch_size=50, shuffle=True)
    dls = DataLoaders(train, DataLoader(TensorDataset(x[n_train:n_train+100], y[n_train:n_train+100]), batch_size=100))
    learn = Learner(dls, word_model(dropout), loss_func=CrossEntropyLossFlat(), opt_func=optimizers[name])
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(epochs, 5e-3, wd=wd)
    model = learn.model.eval()
    with torch.no_grad():
        logits, train_loss = model(x[n_train:]), cross_entropy(model(x[:n_train]), y[:n_train]).item()
        zeros = (model[:4](x[n_train:]) == 0).float().mean().item()
    return {**scores_of(logits, y[n_train:], n_choose), 'train_loss': train_loss, 'zeros': zeros,
            'vectors': root_mean_square(model[0].weight), 'hidden': root_mean_square(model[2].weight)}

def run_lstm(dls, recipe, n_choose, wd, drop_mult, seed, epochs):
    "One run of the AWD-LSTM classifier from scratch."
    set_seed(seed)
    learn = classifier(dls, replace(recipe, drop_mult=drop_mult))
    learn.unfreeze()
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(epochs, recipe.lr, wd=wd)
        probabilities, y = learn.get_preds()
        on_train, y_train = learn.get_preds(ds_idx=0)
    encoder = learn.model[0].module.encoder.weight
    return {**scores_of(probabilities.log(), y, n_choose), 'train_loss': cross_entropy(on_train.log(), y_train).item(), 'vectors': root_mean_square(encoder)}

def table_row(name, wd, dropout, runs):
    "One line of the table: means over seeds, and the spread of the loss and of the accuracy."
    values = {key: np.array([run[key] for run in runs]) for key in runs[0]}
    parts = [f"{values['choose_loss'].mean():.3f}", f"{values['loss'].mean():.3f} ± {values['loss'].std():.3f}", f"{values['accuracy'].mean():.1%} ± {values['accuracy'].std()*100:.1f}",
             f"{values['train_loss'].mean():.3f}", f"{values['vectors'].mean():.4f}"]
    parts += [f"{values['hidden'].mean():.3f}", f"{values['zeros'].mean():.0%}"] if 'zeros' in values else ['', '']
    return f'| {name} | {wd:g} | {dropout:g} | ' + ' | '.join(parts) + ' |'

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--small', action='store_true', help='few rows, one seed, a corner of the grids; writes nothing')
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--runs', default='benchmark_runs', help='folder for finished runs')
    given = parser.parse_args()
    torch.set_num_threads(1)
    n_train, n_choose, epochs, seeds = (2000, 2058, 8, given.seeds) if not given.small else (300, 300, 2, 1)
    table = shuffled_rows()[:n_train + n_choose + (300 if given.small else 4000)]
    table['is_valid'] = np.arange(len(table)) >= n_train
    x, y = as_tensors(table, n_train)
    recipe = Recipe(emb_sz=64, n_hid=128, n_layers=1, seed=0)
    dls = classifier_dls(table, recipe)
    grid = [*word_grid, *lstm_grid] if not given.small else [word_grid[0], word_grid[-1], lstm_grid[0]]
    lines, started = [], time.perf_counter()
    for name, wd, dropout in grid:
        runs = []
        for seed in range(seeds):
            if name.startswith('AWD-LSTM'):
                work = partial(run_lstm, dls, recipe, n_choose, wd, dropout, seed, epochs)
            else:
                work = partial(run_words, x, y, n_train, n_choose, name, wd, dropout, seed, epochs)
            runs.append(remembered(given.runs, f'weight_decay_dropout-{settings_hash([name, wd, dropout, seed, epochs, len(table)])}', work))
        lines.append(table_row(name, wd, dropout, runs))
        print(f'{time.perf_counter()-started:5.0f} s', lines[-1], flush=True)
    heading = ['| model, decay | wd | dropout | log loss, choosing | log loss | accuracy | training loss | size of word vectors | size of hidden weights | activations at zero |', '| --- '*10 + '|']
    text = (f'`python benchmarks/weight_decay_dropout.py`, {seeds} seeds, mean ± standard deviation. {n_train:,} reviews to train, {n_choose:,} to choose a setting ("log loss, choosing"), '
            f'{len(table)-n_train-n_choose:,} to report it (log loss, accuracy); all from the training part of the course\'s split. {epochs} epochs of one cycle. '
            'Word-vector classifier: mean of 100-dimensional vectors, 100 hidden units, dropout before both linear layers; Adam 0.005. '
            f'AWD-LSTM classifier from scratch: 64 and 128 wide, one layer, Adam 0.01, "dropout" is `drop_mult`. Sizes are root mean squares. No decay on biases. {machine()}.\n\n' + '\n'.join(heading + lines))
    if not given.small:
        write_section(title, text)

if __name__ == '__main__':
    main()
