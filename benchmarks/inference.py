"""Inference against fastai with the same weights: classify 2,000 sentences, classify a single one, write 400 words.

    python benchmarks/inference.py --peer PYTHON    PYTHON: of an environment with fastai 2.8.12
    python benchmarks/inference.py --peer PYTHON --small    a quick look: a small network, 300 sentences, 60 words; nothing is written
    python benchmarks/inference.py --peer PYTHON --classify --processor-time    for a machine that does other work: no writing, one thread,
                                                    seconds of the processor instead of the clock; a section of its own
    python benchmarks/inference.py --accuracy       what 8 bits cost: ULMFiT, MiniLM and MiniLM with LoRA on the film reviews, their 2,014 test rows; a section of its own

Sentences are rows of the embedded reviews. Both sides get the raw texts, the same vocab and the same random weights, and as many threads as
there are cores (or --threads). The peer runs before and after ours, so that a slow moment hits both; each figure is the fastest of all repeats.
Ours is measured three times: the learner, its ONNX folder (`learn.to_onnx`, no torch), and the same with weights in 8 bits.
Where the processor computes in bf16, ours is also measured after `learn.to_fp16()`, in a row of its own, as its numbers are rounded.
"""
import argparse, json, os, subprocess, sys, tempfile
from pathlib import Path
import pandas as pd
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

def processor():
    "Seconds of the processor so far, those of workers that have ended included."
    from resource import getrusage, RUSAGE_CHILDREN, RUSAGE_SELF
    return sum(used.ru_utime + used.ru_stime for used in map(getrusage, (RUSAGE_SELF, RUSAGE_CHILDREN)))

clock = processor if task['clock'] == 'processor' else time.perf_counter

def fastest(work, repeats):
    seconds = []
    for _ in range(repeats):
        started = clock()
        value = work()
        seconds.append(clock() - started)
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
    own = torch.as_tensor(preds)[:, 0].tolist()
    for part in learn.model if {ours} else (): part.fastai_pool = True      # not timed: fastai leaves the end of some texts out
    results['many'] = {{'seconds': seconds, 'own': own, 'check': torch.as_tensor(learn.get_preds(dl=learn.dls.test_dl(new))[0])[:, 0].tolist() if {ours} else own}}
    for part in learn.model if {ours} else (): part.fastai_pool = False
    seconds, _ = fastest(lambda: [learn.predict(text) for text in new[:20]], task['repeats'])
    results['single'] = {{'seconds': seconds/20, 'check': [float(learn.predict(text)[2][0]) for text in new[:20]]}}
    for int8 in (False, True) if {ours} else ():
        from fastnlp_course.bridges.onnx_export import load_onnx
        name = 'onnx, 8 bits' if int8 else 'onnx'
        classifier = load_onnx(learn.to_onnx(folder + '/' + name.replace(', ', '_'), int8=int8), threads=task['threads'])
        classifier.probabilities(new[:1])
        seconds, preds = fastest(lambda: classifier.probabilities(new), task['repeats'])
        results['many, ' + name] = {{'seconds': seconds, 'check': preds[:, 0].tolist()}}
        seconds, preds = fastest(lambda: [classifier.probabilities([text])[0] for text in new[:20]], task['repeats'])
        results['single, ' + name] = {{'seconds': seconds/20, 'check': [float(row[0]) for row in preds]}}
    if task['bf16'] and {ours}:
        learn.to_fp16()
        seconds, preds = fastest(lambda: learn.get_preds(dl=learn.dls.test_dl(new))[0], task['repeats'])
        results['many, bf16'] = {{'seconds': seconds, 'check': torch.as_tensor(preds)[:, 0].tolist()}}
del learn
if not task['words']:
    print(json.dumps(results))
    sys.exit()
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
work_names = {'many': 'classify {sentences:,} sentences', 'many, onnx': 'the same, ONNX Runtime here', 'many, onnx, 8 bits': 'the same, ONNX Runtime in 8 bits here',
              'single': 'classify a single one', 'single, onnx': 'the same, ONNX Runtime here', 'single, onnx, 8 bits': 'the same, ONNX Runtime in 8 bits here', 'write': 'write {words} words'}

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
    rows, works = [], {name: text for name, text in work_names.items() if name != 'write' or task['words']}
    if task['bf16']:
        works['many, bf16'] = 'classify {sentences:,} sentences, to_fp16() here'
    for side, found in runs:
        for name in works:
            found.setdefault(name, found.get(name.split(',')[0]))     # the peer has no such path for an LSTM on a processor
    for work, name in works.items():
        best = {side: min(found[work]['seconds'] for other, found in runs if other == side) for side in ('peer', 'ours')}
        checks = [found[work]['check'] for _, found in runs]
        if work.startswith('many, '):
            checks[0] = runs[1][1]['many']['own']       # beside our own learner, which reads every text to its end
        same = checks[0] == checks[1] if work == 'write' else max(abs(a - b) for a, b in zip(checks[0], checks[1]))
        limit = 5e-2 if work.endswith(('bf16', '8 bits')) else 1e-4
        assert same is True or same is not False and same < limit, f'{work}: the sides differ: {same}'
        agreement = 'same words' if work == 'write' else f'{same:.0e}'
        rows.append(f"| {'/'.join(map(str, sizes))} | {name.format(**task)} | {best['peer']:.4f} | {best['ours']:.4f} | {best['peer']/best['ours']:.1f} | {agreement} |")
        print(rows[-1], flush=True)
    return rows

def as_onnx(learn, name, texts, targets):
    "Lines of a table: file, accuracy and changed labels of a trained classifier as a learner, as ONNX, and in 8 bits; and what 8 bits cost in points."
    from fastnlp_course.bridges.onnx_export import load_onnx
    with learn.no_bar(), learn.no_logging(), tempfile.TemporaryDirectory() as folder:
        before = learn.get_preds(dl=learn.dls.test_dl(texts))[0].numpy().argmax(1)
        sizes = [(name, (learn.export(Path(folder)/'learner')/'model.safetensors').stat().st_size, before)]
        for kind, int8 in (('ONNX', False), ('ONNX, 8 bits', True)):
            written = learn.to_onnx(Path(folder)/kind, int8=int8)
            sizes.append((f'the same, {kind}', (written/'model.onnx').stat().st_size, load_onnx(written, threads=1).probabilities(texts).argmax(1)))
    shares = [100*(labels == targets).mean() for _, _, labels in sizes]
    rows = [f'| {name} | {size/1e6:.1f} | {share:.2f} | {(labels != before).sum()} |' for (name, size, labels), share in zip(sizes, shares)]
    print('\n'.join(rows), flush=True)
    return rows, shares[0] - shares[-1]

def trained_ulmfit(table, epochs):
    "ULMFiT from the language model in the package."
    from fastnlp_course.data.text_data import TextDataLoaders
    from fastnlp_course.files import set_seed
    from fastnlp_course.models.awd_lstm import AWD_LSTM
    from fastnlp_course.models.ulmfit import text_classifier_learner
    dls = TextDataLoaders.from_df(table, text_col='text', label_col='label', valid_col='is_valid', bs=32)
    set_seed(0)
    learn = text_classifier_learner(dls, AWD_LSTM, drop_mult=0.3)
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(1, 2e-2)
        learn.unfreeze()
        learn.fit_one_cycle(epochs, slice(2e-3, 8e-3))
    return learn

def trained_minilm(table, lora):
    "MiniLM after one epoch, all of it or small matrices beside its layers."
    import torch
    from fastnlp_course.applications.encoders import packaged_encoder
    from fastnlp_course.bridges.hf_batches import HFTextBlock
    from fastnlp_course.bridges.hf_loading import open_tokenizer
    from fastnlp_course.bridges.transformers import hf_learner
    from fastnlp_course.data.data_block import CategoryBlock, DataBlock
    from fastnlp_course.data.getters import ColReader
    from fastnlp_course.data.splitters import ColSplitter
    from fastnlp_course.files import set_seed
    from fastnlp_course.models.lora import add_lora
    set_seed(0)
    block = DataBlock(blocks=(HFTextBlock(open_tokenizer(packaged_encoder()), max_length=64), CategoryBlock), get_x=ColReader('text'), get_y=ColReader('label'), splitter=ColSplitter('is_valid'))
    learn = hf_learner(block.dataloaders(table[['text', 'label', 'is_valid']], bs=32, device=torch.device('cpu')), packaged_encoder())
    if lora: add_lora(learn.model, r=8, alpha=16, targets=['query', 'key', 'value', 'dense'], modules_to_save=['classifier'])
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(1, 2e-3 if lora else 1e-4)
    return learn

def accuracy_in_8_bits(small=False):
    "Lines of a table, and a sentence on what 8 bits cost."
    from fastnlp_course.applications.reviews import movie_reviews
    table = movie_reviews().iloc[:400].reset_index(drop=True) if small else movie_reviews()
    test = table[table.is_valid]
    few = table[~table.is_valid].sample(100 if small else 2000, random_state=0)
    some = pd.concat([few, test], ignore_index=True)
    texts, targets = test.text.tolist(), (test.label == 'pos').to_numpy()
    rows = [f"| classifier | file, MB | accuracy on the {len(test):,} test rows, % | labels that differ from the learner's |", '| --- | --- | --- | --- |']
    print('\n'.join(rows))
    costs = {}
    for name, train in (('ULMFiT', lambda: trained_ulmfit(table, 1 if small else 3)), ('MiniLM', lambda: trained_minilm(some, False)), ('MiniLM with LoRA, merged', lambda: trained_minilm(some, True))):
        lines, costs[name.split(',')[0]] = as_onnx(train(), name, texts, targets)
        rows += lines
    high = [name for name, cost in costs.items() if cost > .2]
    over = f" For {' and '.join(high)} that is more than the 0.2 points that were aimed at: measure it on rows of your own before you use 8 bits." if high else ' Nowhere more than 0.2 points.'
    return rows, 'Points that 8 bits cost: ' + ', '.join(f'{cost:+.2f} for {name}'.replace('+', '').replace('-', '−') for name, cost in costs.items()) + ' (below zero: 8 bits were right more often).' + over

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--peer', help='python of an environment with fastai 2.8.12')
    parser.add_argument('--small', action='store_true', help='a quick look; nothing is written')
    parser.add_argument('--threads', type=int, default=os.cpu_count(), help='of torch and ONNX Runtime, on both sides')
    parser.add_argument('--classify', action='store_true', help='classify only, do not write')
    parser.add_argument('--processor-time', action='store_true', help='seconds of the processor, on one thread, once')
    parser.add_argument('--accuracy', action='store_true', help='only what 8 bits cost')
    arguments = parser.parse_args()
    if arguments.accuracy:
        rows, costs = accuracy_in_8_bits(arguments.small)
        if not arguments.small:
            write_section('Accuracy in 8 bits', f'ULMFiT from the shipped language model, one epoch of the head and three of all; MiniLM (all-MiniLM-L6-v2) one epoch on 2,000 of the reviews, texts cut at 64 tokens, all weights or LoRA (r=8 beside all dense layers, and the head); seed 0; the embedded film reviews, split as everywhere. {machine()}.\n\n'
                          + '\n'.join(rows) + f'\n\n{costs}\n\nCommand: `python benchmarks/inference.py --accuracy`.')
        return
    if not arguments.peer:
        parser.error('pass --peer PYTHON, of an environment with fastai 2.8.12')
    from fastnlp_course.training.precision import cpu_has_bf16
    threads, clock = (1, 'processor') if arguments.processor_time else (arguments.threads, 'perf_counter')
    common = {'threads': threads, 'bf16': cpu_has_bf16() and not arguments.processor_time, 'clock': clock}
    words, repeats = 0 if arguments.classify else 400, 1 if arguments.processor_time else 3
    head = ['| network | work | fastai, s | ours, s | ratio | largest difference |', '| --- | --- | --- | --- | --- | --- |']
    print('\n'.join(head))
    if arguments.small:
        compare(arguments.peer, (64, 96, 2), {'sentences': 300, 'words': min(words, 60), 'repeats': 2, 'write_repeats': 1, **common}, 2000)
        return
    rows = []
    for sizes in ((200, 400, 2), (400, 1152, 3)):
        rows += compare(arguments.peer, sizes, {'sentences': 2000, 'words': words, 'repeats': repeats, 'write_repeats': 2, **common}, 9648)
    options = ' --classify'*arguments.classify + ' --processor-time'*arguments.processor_time
    how = f"{threads} thread{'s'*(threads > 1)}; raw texts in, probabilities out."
    if arguments.processor_time:
        how += ' Seconds of the processor, not of the clock, because the machine did other work beside.'
    title = 'Inference' + ' by processor time'*arguments.processor_time + ', classifying'*(arguments.classify and not arguments.processor_time)
    write_section(title, f'{machine()}; {how}\n\n' + '\n'.join(head + rows) + f'\n\nCommand: `python benchmarks/inference.py --peer PYTHON{options}`.')

if __name__ == '__main__': main()
