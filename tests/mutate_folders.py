"""Small models of every kind that the package writes, and every field of every JSON file in them replaced, removed or given another type.

`tests/test_mutations.py` reads each of them with our readers. By hand, for one kind and all of its fields:

    python tests/mutate_folders.py frozen
"""
import hashlib
import io
import json
import math
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from fastnlp_course.fields import fields, whole

texts = [' '.join(random.Random(i).choices([f'w{n}' for n in range(30)], k=6)) for i in range(120)]
rows = pd.DataFrame({'text': texts, 'label': ['pos', 'neg']*60, 'is_valid': [i % 5 == 0 for i in range(120)]})
sizes = dict(emb_sz=8, n_hid=8, n_layers=1)

# Folders of every kind; the names of those that `make_...` writes

def quietly(learn):
    learn.no_bar().__enter__()
    learn.no_logging().__enter__()
    return learn

def make_classifier(folder):
    from fastnlp_course.all import AWD_LSTM, TextDataLoaders, awd_lstm_clas_config, text_classifier_learner
    dls = TextDataLoaders.from_df(rows, text_col='text', label_col='label', valid_col='is_valid', bs=4, seq_len=8)
    text_classifier_learner(dls, AWD_LSTM, config={**awd_lstm_clas_config, **sizes}, pretrained=False, seq_len=8).export(folder)

def _language_model():
    from fastnlp_course.all import AWD_LSTM, awd_lstm_lm_config, language_model_learner
    return language_model_learner(_loaders(), AWD_LSTM, config={**awd_lstm_lm_config, **sizes}, pretrained=False)

def make_language_model(folder): _language_model().export(folder)

def make_pretrained(folder):
    from fastnlp_course.all import export_language_model
    export_language_model(_language_model(), folder)

def make_saved_language_model(folder):
    from fastnlp_course.all import AWD_LSTM, LMRecipe, get_language_model, save_language_model
    recipe, vocab = LMRecipe(**sizes), ['xxunk', 'xxpad', *(f'w{i}' for i in range(20))]
    save_language_model(folder, get_language_model(AWD_LSTM, len(vocab), recipe.model_config()), vocab, recipe, {'steps': 1})

def make_tfidf(folder):
    from fastnlp_course.applications.predictors import save_calibration
    from fastnlp_course.applications.tfidf_model import fit_tfidf, save_tfidf
    save_tfidf(fit_tfidf(texts, rows.label), None, folder)
    save_calibration(folder, 1.5)
    (folder/'columns.json').write_text(json.dumps({'text_cols': ['text'], 'joined_by': ' ', 'delim': None}))

def _encoder(folder):
    from fastnlp_course.applications.encoders import small_encoder
    return small_encoder(texts, folder, vocab_size=60, hidden_size=4)

def make_frozen(folder):
    from fastnlp_course.applications.frozen_model import TextEncoder, fit_frozen, save_frozen
    with tempfile.TemporaryDirectory() as place:
        save_frozen(fit_frozen(TextEncoder(_encoder(Path(place)/'encoder'), 32, 'cpu'), texts, (rows.label == 'pos').astype(int).values, ['neg', 'pos']), folder)

def _bert(folder):
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification
    with tempfile.TemporaryDirectory() as place: tokenizer = AutoTokenizer.from_pretrained(_encoder(Path(place)/'encoder'))
    config = BertConfig(vocab_size=len(tokenizer), hidden_size=4, num_hidden_layers=1, num_attention_heads=2, intermediate_size=4, max_position_embeddings=32, id2label={0: 'neg', 1: 'pos'}, label2id={'neg': 0, 'pos': 1})
    return tokenizer, BertForSequenceClassification(config)

def make_transformers(folder):
    tokenizer, model = _bert(folder)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)

def make_hf_learner(folder):
    from fastnlp_course.all import CategoryBlock, ColReader, DataBlock, HFTextBlock, RandomSplitter, hf_learner
    tokenizer, model = _bert(folder)
    blocks = DataBlock((HFTextBlock(tokenizer, max_length=16), CategoryBlock), get_x=ColReader('text'), get_y=ColReader('label'), splitter=RandomSplitter(seed=1))
    hf_learner(blocks.dataloaders(rows, bs=4, device='cpu'), model).export(folder)

def make_pairs(folder):
    from fastnlp_course.applications.pairs import PhrasePairs, pair_learner
    pairs = PhrasePairs.from_df(pd.DataFrame({'anchor': texts[:20], 'target': texts[20:40], 'score': [0., .5, 1., .25]*5}), context=None, id=None)
    with tempfile.TemporaryDirectory() as place:
        encoder = _encoder(Path(place)/'encoder')
        pair_learner(pairs.dataloaders(encoder, bs=4, device='cpu', splits=(list(range(15)), list(range(15, 20))), allow_shared=True), encoder).export(folder)

@cache
def tiny_network():
    "A class of networks for pictures that a config may name."
    from fastnlp_course.files import configurable
    class TinyEyes(torch.nn.Module):
        def __init__(self, width=2):
            super().__init__()
            self.width, self.see, self.decide = width, torch.nn.Conv2d(3, width, 3), torch.nn.Linear(width, 2)
        def forward(self, x): return self.decide(self.see(x).amax((2, 3)))      # (bs, classes)
        def to_config(self): return {'width': self.width}
        @classmethod
        def from_config(cls, config): return cls(**config)
    return configurable(TinyEyes, fields(width=whole(1, 100)))

def make_vision(folder):
    from PIL import Image
    from fastnlp_course.all import CrossEntropyLossFlat, Learner
    from fastnlp_course.vision.all import ImageDataLoaders, Normalize, Resize
    with tempfile.TemporaryDirectory() as place:
        for i in range(8):
            file = Path(place)/['cat', 'dog'][i % 2]/f'{i}.png'
            file.parent.mkdir(exist_ok=True)
            Image.new('RGB', (12, 12), (30*i, 0, 255 - 30*i)).save(file)
        dls = ImageDataLoaders.from_folder(place, valid_pct=.25, seed=1, bs=2, item_tfms=Resize(8), batch_tfms=Normalize.from_stats([.5]*3, [.2]*3))
        Learner(dls, tiny_network()(), loss_func=CrossEntropyLossFlat()).export(folder)

def make_onnx(folder):
    from fastnlp_course.training.export import load_learner
    with tempfile.TemporaryDirectory() as place:
        make_classifier(Path(place)/'model')
        load_learner(Path(place)/'model').to_onnx(folder)

def make_store(folder):
    from fastnlp_course.text.token_store import TokenStore
    TokenStore.from_documents([[1, 2], [3], [2, 2, 0]], list('abcd')).save(folder)

def make_lora(folder):
    from fastnlp_course.all import add_lora, save_lora
    save_lora(add_lora(_linear(), 2, 2, ['0']), folder)

def _linear():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 2))

def make_gpt(folder):
    from fastnlp_course.models.transformer import GPT
    from fastnlp_course.models.transformer_files import save_gpt
    from fastnlp_course.all import byte_level_bpe
    tokenizer = byte_level_bpe(texts, 280)
    save_gpt(folder, GPT(vocab_sz=tokenizer.get_vocab_size(), n_positions=8, width=4, n_layers=1, n_heads=2), tokenizer)

def make_in_transformers(folder):
    from fastnlp_course.training.export import load_learner
    import fastnlp_course.bridges.ulmfit_in_transformers
    with tempfile.TemporaryDirectory() as place:
        make_classifier(Path(place)/'model')
        load_learner(Path(place)/'model').save_pretrained(folder)

def make_run(folder):
    "What a contest leaves: figures, facts, report, stages, a model."
    from fastnlp_course.applications.train_table import contest_of_file
    folder.mkdir(parents=True)
    rows[['text', 'label']].to_csv(folder/'films.csv', index=False)
    contest_of_file(folder/'films.csv', folder/'run', ['tfidf'], log=lambda line: None, note=lambda line: None)

# Readers: what they return holds finite numbers

def predicts(folder):
    from fastnlp_course.applications.predict_table import predict_parts
    from fastnlp_course.applications.predictors import load_predictor
    predictor = load_predictor(folder)
    found = predictor.probabilities(['w1 w2 w3 unheard', 'hello', ''])
    predictor.predicted(found), predictor.unknown_share(['w1'])
    file = folder.parent/'asked.txt'
    if not file.exists(): file.write_text('w1 w2\n')
    list(predict_parts(folder, file, log=lambda line: None))
    return found

def learner_predicts(folder):
    from fastnlp_course.training.export import load_learner
    return quietly(load_learner(folder)).predict('w1 w2 hello')[2]

def writes(folder):
    from fastnlp_course.training.export import load_learner
    assert isinstance(quietly(load_learner(folder)).predict('w1 w2', 3, no_bar=True), str)
    return np.zeros(1)

def loads_language_model(folder):
    from fastnlp_course.all import load_language_model
    return next(load_language_model(folder)[0].parameters())

@cache
def _loaders():
    from fastnlp_course.all import TextDataLoaders
    return TextDataLoaders.from_df(rows, text_col='text', is_lm=True, valid_pct=.1, seed=1, bs=2, seq_len=5)

def starts_from(folder):
    from fastnlp_course.all import AWD_LSTM, awd_lstm_lm_config, language_model_learner
    return next(language_model_learner(_loaders(), AWD_LSTM, config={**awd_lstm_lm_config, **sizes}, pretrained=folder).model.parameters())

def scores_pairs(folder):
    from fastnlp_course.applications.pairs import PhrasePairs, predict_pairs
    return predict_pairs(folder, PhrasePairs.from_df(pd.DataFrame({'anchor': ['w1'], 'target': ['w2 w3']}), context=None, score=None, id=None))

def sees(folder):
    from PIL import Image
    from fastnlp_course.training.export import load_learner
    import fastnlp_course.vision.all
    learn = quietly(load_learner(folder))
    file = folder.parent/'asked.png'
    if not file.exists(): Image.new('RGB', (12, 12)).save(file)
    return learn.get_preds(dl=learn.dls.test_dl([file]))[0]

def opens_store(folder):
    from fastnlp_course.text.token_store import TokenStore
    store = TokenStore.open(folder, verify=True)
    return np.concatenate([store[i] for i in range(len(store))])

def adapts(folder):
    from fastnlp_course.all import load_lora
    net = _linear()
    load_lora(net, folder)
    return net(torch.ones(1, 4))

def continues(folder):
    from fastnlp_course.models.transformer_files import load_gpt
    model, tokenizer = load_gpt(folder)
    ids = [0] if tokenizer is None else tokenizer.encode('w1 w2').ids
    return model(torch.tensor([ids[:8]]))

def opens_in_transformers(folder):
    import fastnlp_course.bridges.ulmfit_in_transformers
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForSequenceClassification.from_pretrained(folder)
    return model(**tokenizer('w1 w2 hello', return_tensors='pt')).logits

def is_told_of(folder):
    "On its card."
    from fastnlp_course.applications.cards import write_card
    assert write_card(folder/'run'/'model').is_file()
    return np.zeros(1)

def is_run_again(folder):
    "What its report says, once more."
    from fastnlp_course.applications.reproduce import reproduce
    reproduce(folder/'run', folder/'again', log=lambda line: None)
    return np.zeros(1)

kinds = {'classifier': (make_classifier, (predicts, learner_predicts)), 'language_model': (make_language_model, (writes,)), 'pretrained': (make_pretrained, (starts_from,)),
         'saved_language_model': (make_saved_language_model, (loads_language_model,)), 'tfidf': (make_tfidf, (predicts,)), 'frozen': (make_frozen, (predicts,)), 'transformers': (make_transformers, (predicts,)),
         'hf_learner': (make_hf_learner, (predicts,)), 'pairs': (make_pairs, (scores_pairs,)), 'vision': (make_vision, (sees,)), 'onnx': (make_onnx, (predicts,)), 'store': (make_store, (opens_store,)),
         'lora': (make_lora, (adapts,)), 'gpt': (make_gpt, (continues,)), 'in_transformers': (make_in_transformers, (opens_in_transformers,)), 'facts': (make_run, (is_told_of,)), 'report': (make_run, (is_run_again,))}
files_of = {'facts': ['run/facts.json', 'run/model/columns.json'], 'report': ['run/report.json']}      # of all others every JSON file

# Changes

removed = object()

def deep(n):
    made = 1
    for _ in range(n): made = [made]
    return made

values = {'null': None, 'true': True, 'minus one': -1, 'zero': 0, 'two billion': 2**31, 'huge': 10**30, 'infinity': math.inf, 'NaN': math.nan, 'a fraction': -1e-9, 'a word': 'x', 'nothing': '', 'a path': '../x', 'a zero byte': 'a\0b', 'half a pair': '\ud800',
          'a long text': 'x'*1_000_000, 'a list': [], 'a list of lists': [[]], 'a long list': [0]*1_000_000, 'deep': deep(99), 'an object': {}, 'a class': {'__class__': 'os.system'}, 'a name with underscores': '__globals__', 'a command': {'type': 'Popen', 'args': {'dict': {}}},
          'a function': {'function': 'os.system'}, 'a mapping': {'dict': {}}, 'removed': removed}
heavy = {'a long text', 'a long list'}

def places(value, path=(), most=3):
    "The paths of all fields; of a long list the first ones and the last."
    if path: yield path
    if isinstance(value, dict): inner = list(value.items())[:60]
    elif isinstance(value, list): inner = [*enumerate(value)][:most] + ([(len(value) - 1, value[-1])] if len(value) > most else [])
    else: inner = ()
    for key, one in inner: yield from places(one, (*path, key), most)

def changed(value, path, new):
    "A copy of `value` with `new` at `path`, or without what is there."
    made = json.loads(json.dumps(value))
    inner = made
    for key in path[:-1]: inner = inner[key]
    if new is removed: del inner[path[-1]]
    else: inner[path[-1]] = new
    return made

def cases(kind, folder):
    "(file, path, name of the value) of all changes."
    for file in [folder/name for name in files_of[kind]] if kind in files_of else sorted(folder.rglob('*.json')):
        found = json.loads(file.read_text(encoding='utf-8'))
        deepest = 2 if file.name == 'tokenizer.json' else 99
        for path in ((), *(path for path in places(found) if len(path) <= deepest)):
            for name in values:
                if path or name != 'removed': yield file.relative_to(folder).as_posix(), path, name

def manifest_made_right(folder, file):
    "The checksum of a changed file as its manifest would have it."
    place = folder/'manifest.json'
    listed = json.loads(place.read_text(encoding='utf-8')) if place.is_file() and file != 'manifest.json' else {}
    if file in listed.get('files', {}):
        data = (folder/file).read_bytes()
        listed['files'][file] = {'bytes': len(data), 'sha256': hashlib.sha256(data).hexdigest()}
        place.write_text(json.dumps(listed), encoding='utf-8')

class TooSlow(KeyboardInterrupt): "Not caught by whoever catches everything."

@contextmanager
def at_most(seconds):
    "End what takes longer."
    def stop(*_): raise TooSlow()
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try: yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

def is_finite(found):
    found = torch.as_tensor(np.asarray(found.detach().float() if isinstance(found, torch.Tensor) else found, dtype=float))
    return bool(torch.isfinite(found).all())

def names_it(said, folder, file, path):
    "Does a sentence name the file, the folder, or the field?"
    names = [folder.name, Path(file).name, *(part.rstrip('s') for part in path if isinstance(part, str))]
    return any(name and name in said for name in [*names, *(name.replace('_', '-') for name in names), 'report'])

def what_is_wrong(read, folder, file, path, limit=30):
    "None if the folder is read to finite numbers, or refused in a sentence that names what is wrong with it; else a description."
    try:
        with at_most(limit), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            found = read(folder)
    except (ValueError, OSError) as error:
        said = str(error)
        is_sentence = len(said.split()) >= 6 and len(said) <= 3000 and names_it(said, folder, file, path)
        return None if is_sentence or _is_theirs(error, read) else f'{type(error).__name__}, which is no sentence: {said[:300]}'
    except TooSlow: return f'takes more than {limit} s'
    except Exception as error: return _not_as_ours_say_it(error, read)
    return None if is_finite(found) else f'numbers that are none: {str(found)[:100]}'

def _is_theirs(error, read):
    "Said by transformers before anything of ours is asked, as where AutoTokenizer reads config.json with a class of its own?"
    frames, at = [], error.__traceback__
    while at is not None: frames, at = [*frames, at.tb_frame.f_globals.get('__name__', '')], at.tb_next
    return read is opens_in_transformers and not isinstance(error, MemoryError) and not any(name.startswith('fastnlp_course') for name in frames)

def _not_as_ours_say_it(error, read):
    "None for advice on data that do not fit, and for what transformers says; else a description."
    advice = isinstance(error, (TypeError, KeyError)) and re.search(r'\b(pass|Pass|correct|Correct) ', str(error))
    return None if advice or _is_theirs(error, read) else f'{type(error).__name__}: {str(error)[:300]}'

def one(kind, base, work, file, path, name):
    "Change one field and read the folder with all readers of its kind; what is wrong, or None."
    folder = work/'changed_folder'
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base, folder)
    found = json.loads((folder/file).read_text(encoding='utf-8'))
    new = changed(found, path, values[name]) if path else values[name]
    try: (folder/file).write_text(json.dumps(new), encoding='utf-8')
    except UnicodeEncodeError: return None
    manifest_made_right(folder, file)
    for read in kinds[kind][1]:
        if (wrong := what_is_wrong(read, folder, file, path)) is not None: return f'{kind} {file} {list(path)} = {name}, {read.__name__}: {wrong}'

def limit_memory(n_bytes=3 << 30):
    "A process may take so much more than it has."
    import resource
    try: now = int(Path('/proc/self/statm').read_text().split()[0])*resource.getpagesize()
    except OSError: return
    resource.setrlimit(resource.RLIMIT_AS, (now + n_bytes, now + n_bytes))

def chosen(found, n, seed=0):
    "`n` of the cases, the same each time, rarely those that are slow to write; all of them if n is None."
    found = list(found)
    if n is None or n >= len(found): return found
    draw = random.Random(seed)
    light = [case for case in found if case[2] not in heavy]
    return draw.sample(light, n - 1) + draw.sample(found, 1)

if __name__ == '__main__':
    os.environ.update(HF_HUB_OFFLINE='1', TOKENIZERS_PARALLELISM='false')
    torch.set_num_threads(1)
    import transformers
    transformers.utils.logging.set_verbosity_error()
    work = Path(tempfile.mkdtemp(dir='/dev/shm' if os.path.isdir('/dev/shm') else None))
    for kind in sys.argv[1].split(','):
        base = work/kind
        kinds[kind][0](base)
        for read in kinds[kind][1]: assert is_finite(read(base)), kind
        limit_memory()
        began, tally = time.monotonic(), Counter()
        for case in chosen(cases(kind, base), int(sys.argv[2]) if len(sys.argv) > 2 else None):
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()): wrong = one(kind, base, work, *case)
            tally['wrong' if wrong else 'fine'] += 1
            if wrong: print(wrong, flush=True)
        print(f'== {kind}: {dict(tally)}, {time.monotonic() - began:.0f} s', flush=True)
    shutil.rmtree(work)
