"""Inference against fastai with the same weights: classify 2,000 sentences, classify a single one, write 400 words.

    python benchmarks/inference.py --peer PYTHON    PYTHON: of an environment with fastai 2.8.12
    python benchmarks/inference.py --peer PYTHON --small    a quick look: a small network, 300 sentences, 60 words; nothing is written

Sentences are rows of the embedded reviews. Both sides get the raw texts, the same vocab and the same random weights, and as many threads as
there are cores (or --threads). The peer runs before and after ours, so that a slow moment hits both; each figure is the fastest of all repeats.
Where the processor computes in bf16, ours is also measured after `learn.to_fp16()`, in a row of its own, as its numbers are rounded.
"""
import argparse, json, os, subprocess, sys, tempfile
from pathlib import Path
from common import machine, write_section

# the same program for both; only the imports differ
program = """
import json, sys, time
import pandas as pd, torch
{imports}
folder, task = sys.argv[1], json.loads(sys.argv[2])
torch.set_num_threads(task['threads'])
table = pd.read_csv(folder + '/table.csv', keep_default_na=False)
vocab = open(folder + '/vocab.txt', encoding='utf-8').read().splitlines()
new, results = table.text.tolist()[-task['sentences']:], {{}}
sizes = dict(zip(('emb_sz', 'n_hid', 'n_layers'), task['sizes']))

def fastest(work, repeats):
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        value = work()
        seconds.append(time.perf_counter() - started)
    return min(seconds), value

def weights_into(model, name):
    model.load_state_dict(torch.load(folder + '/' + name + '.pth', weights_only=True))

known = table.iloc[:400].assign(label=['pos', 'neg']*200)
dls = TextDataLoaders.from_df(known, text_col='text', label_col='label', valid_pct=.2, seed=0, text_vocab=vocab, device=torch.device('cpu'))
learn = text_classifier_learner(dls, AWD_LSTM, config={{**awd_lstm_clas_config, **sizes}}, pretrained=False)
weights_into(learn.model, 'classifier')
with learn.no_bar(), learn.no_logging():
    learn.predict(new[0])                                   # the first call loads the tokenizer
    seconds, preds = fastest(lambda: learn.get_preds(dl=learn.dls.test_dl(new))[0], task['repeats'])
    results['many'] = {{'seconds': seconds, 'check': torch.as_tensor(preds)[:, 0].tolist()}}
    seconds, _ = fastest(lambda: [learn.predict(text) for text in new[:20]], task['repeats'])
    results['single'] = {{'seconds': seconds/20, 'check': [float(learn.predict(text)[2][0]) for text in new[:20]]}}
    if task['bf16'] and {ours}:
        learn.to_fp16()
        seconds, preds = fastest(lambda: learn.get_preds(dl=learn.dls.test_dl(new))[0], task['repeats'])
        results['many, bf16'] = {{'seconds': seconds, 'check': torch.as_tensor(preds)[:, 0].tolist()}}
del learn
dls = TextDataLoaders.from_df(known, text_col='text', is_lm=True, valid_pct=.2, seed=0, text_vocab=vocab, bs=8, device=torch.device('cpu'))
learn = language_model_learner(dls, AWD_LSTM, config={{**awd_lstm_lm_config, **sizes}}, pretrained=False)
weights_into(learn.model, 'language_model')
with learn.no_bar(), learn.no_logging():
    learn.predict(new[0], 2, no_bar=True)
    seconds, _ = fastest(lambda: learn.predict('The film is', task['words'], no_bar=True), task['write_repeats'])
    torch.manual_seed(0)
    results['write'] = {{'seconds': seconds, 'check': learn.predict('The film is', 20, no_bar=True)}}
print(json.dumps(results))
"""
peer_program = program.format(imports='from fastai.text.all import *', ours=False)
our_program = program.format(imports='from fastnlp_course.all import *', ours=True)
work_names = {'many': 'classify {sentences:,} sentences', 'single': 'classify a single one', 'write': 'write {words} words'}

def prepare(folder, sizes, vocab_size, sentences):
    "Texts, vocab and random weights for both sides."
    import torch
    from fastnlp_course.models.awd_lstm import AWD_LSTM, awd_lstm_clas_config, awd_lstm_lm_config
    from fastnlp_course.models.text_models import get_language_model, get_text_classifier
    from fastnlp_course.files import set_seed
    from fastnlp_course.data.text_data import TextDataLoaders
    from fastnlp_course.sources import get_data
    texts = get_data('reviews').text.sample(400 + sentences, random_state=0).reset_index(drop=True).to_frame()
    texts.to_csv(folder/'table.csv', index=False)
    vocab = list(TextDataLoaders.from_df(get_data('reviews')[['text']].assign(label='x'), text_col='text', is_lm=True).vocab)
    vocab = (vocab + [f'filler{i}' for i in range(max(0, vocab_size - len(vocab)))])[:vocab_size]
    (folder/'vocab.txt').write_text('\n'.join(vocab), encoding='utf-8')
    config = dict(zip(('emb_sz', 'n_hid', 'n_layers'), sizes))
    set_seed(0)
    torch.save(get_text_classifier(AWD_LSTM, len(vocab), 2, config={**awd_lstm_clas_config, **config}).state_dict(), folder/'classifier.pth')
    torch.save(get_language_model(AWD_LSTM, len(vocab), config={**awd_lstm_lm_config, **config}).state_dict(), folder/'language_model.pth')

def run(python, code, folder, task):
    "What a side measured."
    done = subprocess.run([python, '-c', code, str(folder), json.dumps(task)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    return json.loads(done.stdout.splitlines()[-1])

def compare(peer, sizes, task, vocab_size):
    "Rows of the table for one network."
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), sizes, vocab_size, task['sentences'])
        task = {**task, 'sizes': sizes}
        sides = [('peer', peer, peer_program), ('ours', sys.executable, our_program), ('peer', peer, peer_program)]
        runs = [(side, run(python, code, folder, task)) for side, python, code in sides]
    rows, works = [], dict(work_names)
    if task['bf16']:
        works['many, bf16'] = 'the same, to_fp16() here'
        for side, found in runs:
            found.setdefault('many, bf16', found['many'])     # the peer has no such path for an LSTM on a processor
    for work, name in works.items():
        best = {side: min(found[work]['seconds'] for other, found in runs if other == side) for side in ('peer', 'ours')}
        checks = [found[work]['check'] for _, found in runs]
        same = checks[0] == checks[1] if work == 'write' else max(abs(a - b) for a, b in zip(checks[0], checks[1]))
        limit = 5e-2 if work == 'many, bf16' else 1e-4
        assert same is True or same is not False and same < limit, f'{work}: the sides differ: {same}'
        agreement = 'same words' if work == 'write' else f'{same:.0e}'
        rows.append(f"| {'/'.join(map(str, sizes))} | {name.format(**task)} | {best['peer']:.4f} | {best['ours']:.4f} | {best['peer']/best['ours']:.1f} | {agreement} |")
        print(rows[-1], flush=True)
    return rows

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--peer', required=True, help='python of an environment with fastai 2.8.12')
    parser.add_argument('--small', action='store_true', help='a quick look; nothing is written')
    parser.add_argument('--threads', type=int, default=os.cpu_count(), help='of torch, on both sides')
    arguments = parser.parse_args()
    from fastnlp_course.training.precision import cpu_has_bf16
    common = {'threads': arguments.threads, 'bf16': cpu_has_bf16()}
    head = ['| network | work | fastai, s | ours, s | ratio | largest difference |', '| --- | --- | --- | --- | --- | --- |']
    print('\n'.join(head))
    if arguments.small:
        compare(arguments.peer, (64, 96, 2), {'sentences': 300, 'words': 60, 'repeats': 2, 'write_repeats': 1, **common}, 2000)
        return
    rows = []
    for sizes in ((200, 400, 2), (400, 1152, 3)):
        rows += compare(arguments.peer, sizes, {'sentences': 2000, 'words': 400, 'repeats': 3, 'write_repeats': 2, **common}, 9648)
    write_section('Inference', f'{machine()}; {arguments.threads} threads; raw texts in, probabilities out.\n\n' + '\n'.join(head + rows) + '\n\nCommand: `python benchmarks/inference.py --peer PYTHON`.')

if __name__ == '__main__': main()
