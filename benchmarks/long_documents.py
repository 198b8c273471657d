"""ULMFiT's classifier and a small transformer on the same IMDb sub-sample, by document length: accuracy, seconds, memory.

    FASTNLP_DATA=... python benchmarks/long_documents.py --model FOLDER [--encoder WEIGHTS VOCAB] [--train 2000] [--test 1500]

Lengths are counted in word pieces: under 512, 512 to 2,000, over 2,000. The transformer reads the first 512 pieces (truncated), or windows of 512 whose logits are averaged (sliding).
Without --model a transformer with random weights is made, without --encoder ULMFiT starts from random weights: fit for trying the script, not for a claim.
"""
import argparse, json, resource, subprocess, sys, time
from common import machine, write_section

bounds = [('under 512', 0, 512), ('512 to 2,000', 512, 2000), ('over 2,000', 2000, 10**9)]

def sample(given):
    "Train and test rows; long documents are rare, so the test takes equal shares of the three lengths as far as there are any."
    import pandas as pd
    from fastnlp_course.sources import get_data
    data = get_data('imdb')
    train = data['train'].sample(given.train, random_state=0)
    test = data['test'].sample(frac=1, random_state=0)
    words = test.text.str.count(' ')*1.3      # pieces per word, for the draw only
    parts = [test[(words >= low) & (words < high)].head(given.test//3) for _, low, high in bounds]
    return train.reset_index(drop=True), pd.concat(parts).reset_index(drop=True)

def tokenizer_and_model(given, texts):
    "From the folder, or new ones."
    import transformers
    from fastnlp_course.files import set_seed
    from fastnlp_course.hf_bridge import word_piece_tokenizer
    set_seed(given.seed)
    if given.model:
        tokenizer = transformers.AutoTokenizer.from_pretrained(given.model)
        return tokenizer, transformers.AutoModelForSequenceClassification.from_pretrained(given.model, num_labels=2)
    tokenizer = word_piece_tokenizer(texts, 4000)
    sizes = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=128, max_position_embeddings=512)
    return tokenizer, transformers.BertForSequenceClassification(transformers.BertConfig(vocab_size=len(tokenizer), num_labels=2, **sizes))

def windows_of(tokenizer, text, size=512, stride=128):
    "The pieces of a document in overlapping windows."
    found = tokenizer(text, truncation=True, max_length=size, stride=stride, return_overflowing_tokens=True)
    return [tokenizer.decode(ids, skip_special_tokens=True) for ids in found['input_ids']]

def run_transformer(given):
    "Correct or not for each test document, truncated and sliding."
    import numpy as np
    import torch
    from fastnlp_course.hf_bridge import HFTextBlock, hf_learner
    from fastnlp_course.pipeline import CategoryBlock, ColReader, DataBlock, RandomSplitter
    from fastnlp_course.schedules import fit_one_cycle
    train, test = sample(given)
    tokenizer, model = tokenizer_and_model(given, train.text)
    block = DataBlock([HFTextBlock(tokenizer, max_length=512, keep=False), CategoryBlock], get_x=ColReader('text'), get_y=ColReader('label'), splitter=RandomSplitter(0.1, seed=42))
    learn = hf_learner(block.dataloaders(train, bs=given.bs), model)
    with learn.no_bar(), learn.no_logging():
        started = time.perf_counter()
        learn.fit_one_cycle(given.epochs, given.lr)
        trained = time.perf_counter() - started
        found = {}
        for name in ('truncated', 'sliding'):
            started = time.perf_counter()
            parts = [[text] if name == 'truncated' else windows_of(tokenizer, text) for text in test.text]
            probs, _ = learn.get_preds(dl=learn.dls.test_dl([part for rows in parts for part in rows], rm_type_tfms=1))
            means = torch.stack([rows.mean(0) for rows in probs.split([len(rows) for rows in parts])])
            right = (np.array(list(learn.dls.vocab))[means.argmax(-1)] == test.label.to_numpy()).tolist()
            found[name] = {'right': right, 'train': trained, 'predict': time.perf_counter() - started}
    return found

def run_ulmfit(given):
    "Correct or not for each test document."
    import numpy as np
    from fastnlp_course.awd_lstm import AWD_LSTM
    from fastnlp_course.files import read_json, set_seed
    from fastnlp_course.pipeline import TextDataLoaders
    from fastnlp_course.schedules import fit_one_cycle
    from fastnlp_course.ulmfit import text_classifier_learner
    train, test = sample(given)
    set_seed(given.seed)
    vocab = read_json(given.encoder[1]) if given.encoder else None
    dls = TextDataLoaders.from_df(train, text_col='text', label_col='label', valid_pct=0.1, seed=42, bs=given.bs, text_vocab=vocab)
    learn = text_classifier_learner(dls, AWD_LSTM, drop_mult=0.5, pretrained=False)
    if given.encoder: learn.load_encoder(given.encoder[0])
    with learn.no_bar(), learn.no_logging():
        started = time.perf_counter()
        learn.fit_one_cycle(given.epochs, 1e-2)
        trained = time.perf_counter() - started
        started = time.perf_counter()
        probs, _ = learn.get_preds(dl=dls.test_dl(test))
    right = (np.array(list(dls.vocab[1]))[probs.argmax(-1)] == test.label.to_numpy()).tolist()
    return {'ULMFiT': {'right': right, 'train': trained, 'predict': time.perf_counter() - started}}

def piece_counts(given):
    "Length of each test document in word pieces."
    train, test = sample(given)
    tokenizer, _ = tokenizer_and_model(given, train.text)
    return [len(ids) for ids in tokenizer(test.text.tolist(), truncation=False, verbose=False)['input_ids']]

def measured(which):
    "What a run in a process of its own printed: its memory is its own too."
    done = subprocess.run([sys.executable, __file__, *sys.argv[1:], '--one', which], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--model', help='folder of a pretrained transformer')
    parser.add_argument('--encoder', nargs=2, help='encoder of save_encoder, and its vocab as JSON')
    for name, default in (('train', 2000), ('test', 1500), ('bs', 16), ('epochs', 2), ('seed', 42)): parser.add_argument(f'--{name}', type=int, default=default)
    parser.add_argument('--lr', type=float, default=5e-5)
    parser.add_argument('--one', choices=['transformer', 'ulmfit'], help='for the script itself')
    parser.add_argument('--dry', action='store_true', help='print, and leave results.md alone')
    given = parser.parse_args()
    if given.one:
        found = (run_transformer if given.one == 'transformer' else run_ulmfit)(given)
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1024
        print(json.dumps({name: {**run, 'megabytes': megabytes} for name, run in found.items()}))
        return
    lengths = piece_counts(given)
    runs = {**measured('ulmfit'), **measured('transformer')}
    groups = {name: [i for i, n in enumerate(lengths) if low <= n < high] for name, low, high in bounds}
    lines = ['| model | ' + ' | '.join(f'{name} ({len(rows)})' for name, rows in groups.items()) + ' | train s | predict s | peak MB |', '| --- |' + ' --- |'*(len(groups) + 3)]
    for name, run in runs.items():
        shares = [f"{sum(run['right'][i] for i in rows)/len(rows):.1%}" if rows else '-' for rows in groups.values()]
        lines.append(f"| {name} | {' | '.join(shares)} | {run['train']:.0f} | {run['predict']:.0f} | {run['megabytes']:.0f} |")
    origin = f"transformer {'pretrained' if given.model else 'random'}, ULMFiT {'pretrained' if given.encoder else 'random'}"
    text = f'`python benchmarks/long_documents.py`, {given.train:,} training reviews, seed {given.seed}, {origin}. {machine()}.\n\n' + '\n'.join(lines)
    print(text)
    if not given.dry: write_section('Long documents', text)

if __name__ == '__main__': main()
