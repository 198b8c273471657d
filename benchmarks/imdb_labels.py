"""How many labels does ULMFiT need on long texts? IMDb with 100, 500, 2,000 and 5,000 labels from one encoder.

    python benchmarks/imdb_labels.py --write
    python benchmarks/imdb_labels.py --unlabelled 500 --test 200 --labels 100 --draws 1     a quick look

A language model reads `--unlabelled` reviews without labels, once, beginning with the model in the box. Its encoder then meets
labelled reviews, three draws of each number, beside the same network with random weights, TF-IDF with logistic regression, and
frozen MiniLM with logistic regression. All are judged by the same reviews of the test set, and nothing is chosen by these.
IMDb must be where `get_data('imdb')` finds it. Every run is kept in `benchmark_runs`, and the language model has checkpoints:
an interrupted call goes on.
"""
import argparse, time, warnings
from pathlib import Path
import numpy as np
import pandas as pd
from common import machine, write_section
from fastnlp_course.all import (AWD_LSTM, CheckpointCallback, ColReader, DataBlock, RandomSplitter, TextBlock, TextDataLoaders, accuracy, awd_lstm_clas_config, get_data,
    language_model_learner, perplexity, set_seed, text_classifier_learner)
from fastnlp_course.applications.backbones import find_checkpoint
from fastnlp_course.applications.frozen_model import TextEncoder, fit_frozen
from fastnlp_course.applications.reviews import Recipe, fit_at_once
from fastnlp_course.applications.stages import settings_hash
from fastnlp_course.applications.tfidf_model import fit_tfidf, tfidf_model
from fastnlp_course.files import read_json, write_json

title = 'IMDb by number of labels'
n_pool, max_vocab, lm_bs, lm_seq_len, lm_lr = 10_000, 12_000, 64, 72, 3e-3
epochs_of = {100: 15, 500: 8, 2000: 4, 5000: 3}       # few labels get more epochs, and smaller batches
candidates = {'tfidf': 'TF-IDF + logistic regression', 'minilm-frozen': 'frozen MiniLM + logistic regression', 'scratch': 'the same network, random weights', 'ulmfit': 'ULMFiT'}

def tables(n_unlabelled, n_test):
    "Reviews for the language model, reviews to draw labels from, reviews that judge."
    data = get_data('imdb')
    return (data['unsup'].sample(min(n_unlabelled, len(data['unsup'])), random_state=0)[['text']], *(data[name].sample(n, random_state=0)[['text', 'label']].reset_index(drop=True) for name, n in (('train', n_pool), ('test', n_test))))

def encoder_of(texts, epochs, runs):
    "Fine-tune the language model in the box on the texts, once: its folder with encoder, vocab and figures."
    folder = Path(runs).absolute()/f'imdb-language-{settings_hash([len(texts), epochs, max_vocab, lm_bs, lm_seq_len, lm_lr])}'
    if not (folder/'finished.json').exists():
        set_seed(0)
        block = TextBlock.from_df('text', is_lm=True, seq_len=lm_seq_len, max_vocab=max_vocab)
        dls = DataBlock(block, get_x=ColReader('text'), splitter=RandomSplitter(.02, seed=0)).dataloaders(texts.reset_index(drop=True), bs=lm_bs, seq_len=lm_seq_len)
        learn = language_model_learner(dls, AWD_LSTM, drop_mult=.3, metrics=[accuracy, perplexity]).to_fp16()
        learn.unfreeze()
        folder.mkdir(parents=True, exist_ok=True)
        learn.fit_one_cycle(epochs, lm_lr, cbs=CheckpointCallback(folder/'part', minutes=2, keep=True))
        learn.save_encoder(folder/'encoder')
        write_json(folder/'vocab.json', list(dls.vocab))
        write_json(folder/'finished.json', {'tokens': len(dls.train)*lm_bs*lm_seq_len, 'vocab': len(dls.vocab), 'perplexity': float(learn.recorder.values[-1][-1]), 'rows': [[float(value) for value in row] for row in learn.recorder.values]})
    return folder

def network(labelled, folder, pretrained, seed):
    "ULMFiT's classifier, or the same with random weights: a function from texts to probabilities."
    few = len(labelled) < 1000
    recipe = Recipe(epochs=epochs_of.get(len(labelled), 6), bs=16 if few else 32, seed=seed)
    set_seed(seed)
    watched = pd.concat([labelled.assign(is_valid=False), labelled.head(20).assign(is_valid=True)]).reset_index(drop=True)
    dls = TextDataLoaders.from_df(watched, text_col='text', label_col='label', valid_col='is_valid', text_vocab=read_json(folder/'vocab.json'), bs=recipe.bs, seq_len=72)
    learn = text_classifier_learner(dls, AWD_LSTM, config={**awd_lstm_clas_config, **recipe.sizes()}, pretrained=False, drop_mult=recipe.drop_mult, seq_len=72, metrics=accuracy).to_fp16()
    if pretrained: learn.load_encoder(folder/'encoder')
    with learn.no_bar(), learn.no_logging(): fit_at_once(learn, recipe)
    def probabilities(texts):
        with learn.no_bar(): return learn.get_preds(dl=learn.dls.test_dl(pd.DataFrame({'text': list(texts)}), bs=64))[0].float().numpy()
    return probabilities, list(dls.vocab[1])

def fitted(candidate, labelled, folder, encoder, seed):
    "A function from texts to probabilities, and the names of its classes."
    labels = sorted(labelled.label.unique())
    targets = labelled.label.map(labels.index).to_numpy()
    if candidate == 'tfidf':
        return tfidf_model(fit_tfidf(labelled.text, targets, 'classes'), labels).probabilities, labels
    if candidate == 'minilm-frozen':
        return fit_frozen(encoder, labelled.text, targets, labels, 'classes').probabilities, labels
    return network(labelled, folder, candidate == 'ulmfit', seed)

def encoder_for(tables_, runs):
    "MiniLM, with every text read once."
    encoder = TextEncoder(find_checkpoint('minilm-frozen'), 256)
    encoder.remember(pd.concat([table.text for table in tables_]), Path(runs)/'imdb-vectors')
    return encoder

def one_run(candidate, labelled, test, folder, encoder, seed):
    "Which test reviews are judged right, and the seconds of the processor."
    began = time.process_time()
    probabilities, labels = fitted(candidate, labelled, folder, encoder, seed)
    trained = time.process_time() - began
    return {'right': (np.asarray(probabilities(test.text)).argmax(1) == test.label.map(labels.index).to_numpy()).astype(int).tolist(), 'cpu': trained}

def interval(right, n=2000):
    "Mean over draws and reviews, and the middle 95% of means over reviews drawn again."
    rows = np.asarray(right, dtype=float).mean(0)
    means = np.random.default_rng(0).choice(rows, (n, len(rows))).mean(1)
    return rows.mean(), *np.quantile(means, [.025, .975])

def table_lines(found, counts):
    "The table: a line for each candidate."
    yield '| model | ' + ' | '.join(f'{n:,} labels' for n in counts) + f' | seconds, {counts[-1]:,} |'
    yield '| --- '*(2 + len(counts)) + '|'
    for candidate, name in candidates.items():
        runs = [[run for (one, m, _), run in found.items() if (one, m) == (candidate, n)] for n in counts]
        if not all(runs): continue
        cells = ['{:.1%} ({:.1%} to {:.1%})'.format(*interval([run['right'] for run in some])) for some in runs]
        yield f"| {name} | {' | '.join(cells)} | {np.mean([run['cpu'] for run in runs[-1]]):.0f} |"

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--unlabelled', type=int, default=20_000, help='reviews that the language model reads')
    parser.add_argument('--lm-epochs', type=int, default=2)
    parser.add_argument('--labels', type=int, nargs='+', default=list(epochs_of))
    parser.add_argument('--draws', type=int, default=3)
    parser.add_argument('--test', type=int, default=5000, help='reviews that judge')
    parser.add_argument('--models', nargs='*', default=list(candidates), choices=list(candidates))
    parser.add_argument('--runs', default='benchmark_runs', help='folder for finished runs')
    parser.add_argument('--write', action='store_true', help='write the section of results.md')
    given = parser.parse_args()
    warnings.filterwarnings('ignore')
    texts, pool, test = tables(given.unlabelled, given.test)
    folder = encoder_of(texts, given.lm_epochs, given.runs) if {'ulmfit', 'scratch'} & set(given.models) else None
    encoder = encoder_for((pool, test), given.runs) if 'minilm-frozen' in given.models else None
    found = {}
    for n in given.labels:
        for draw in range(given.draws):
            labelled = pool.sample(n, random_state=draw).reset_index(drop=True)
            for candidate in given.models:
                path = Path(given.runs)/f"imdb-{settings_hash([candidate, n, draw, given.test, str(folder and folder.name) if candidate in ('ulmfit', 'scratch') else ''])}.json"
                if not path.exists(): write_json(path, one_run(candidate, labelled, test, folder, encoder, draw))
                found[candidate, n, draw] = read_json(path)
                print(f"{candidate:14} {n:>5} labels, draw {draw}: {np.mean(found[candidate, n, draw]['right']):.1%}, {found[candidate, n, draw]['cpu']:.0f} s", flush=True)
    lines = '\n'.join(table_lines(found, given.labels))
    print(lines)
    if given.write:
        read = read_json(folder/'finished.json')
        write_section(title, f"`python benchmarks/imdb_labels.py --write`: one language model, begun from the model in the box, read {given.unlabelled:,} reviews without labels {given.lm_epochs} times ({read['tokens']*given.lm_epochs/1e6:.1f} million tokens, vocab {read['vocab']:,}; perplexity {read['perplexity']:.1f} on reviews that it did not read). "
                      f"Then {given.draws} draws of labelled reviews; mean accuracy on {given.test:,} reviews of the test set, with 95% intervals from reviews drawn again. Epochs of the networks: {', '.join(f'{epochs_of[n]} for {n:,}' for n in given.labels)}; one rate of 1e-2, weights averaged; nothing was chosen by the test set. MiniLM reads the first 256 word pieces. Seconds are those of the processor, one thread, for the training alone. {machine()}.\n\n{lines}")

if __name__ == '__main__': main()
