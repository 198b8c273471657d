"""Writers under attack: every step of every writer, with a kill, a full disk and a missing right; writes faults.md.

    python benchmarks/faults.py            # all, a few minutes
    python benchmarks/faults.py export     # those whose name holds `export`

A step is an open for writing, a write, an fsync, a rename, an exchange of names, a new folder, a removed file, or the beginning and the
middle of a file that the library safetensors writes by itself, in Rust. A process of its own is ended at the step, or the step raises
OSError (safetensors: an error of its own); half of a write is written before. Then what lies there is compared with what a write
without faults leaves: all of the old (or nothing, where nothing was), all of the new, or, if neither, the reader must say so in a sentence.
A log that grows line by line, or batch by batch, may end early, and counts as new if what it holds is the beginning of the whole.
At last the same write is done again, without a fault: it must give the new, and nothing may be left over.
"""
import builtins, errno, io, os, pickle, random, shutil, sys, tempfile, threading, warnings
from collections import Counter
from contextlib import redirect_stdout
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault('HF_HUB_OFFLINE', '1')
os.environ.setdefault('TOKENIZERS_PARALLELISM', 'false')
quick_disk = '/dev/shm' if os.path.isdir('/dev/shm') else None    # what is tested is the order of steps, not the disk
kinds = {'kill': None, 'full disk': errno.ENOSPC, 'no right': errno.EACCES}

class Injector:
    "Counts the steps below a folder; at step `at` it ends the process or raises."
    def __init__(self, root, at=None, kind='kill'):
        self.root, self.at, self.kind, self.steps = str(root), at, kind, []

    def step(self, name, half=lambda: None):
        self.steps.append(name)
        if len(self.steps) - 1 != self.at: return
        self.at = None
        half()
        if kinds[self.kind] is None: os._exit(137)
        raise OSError(kinds[self.kind], os.strerror(kinds[self.kind]))

    def below(self, path):
        return isinstance(path, (str, os.PathLike)) and os.path.abspath(path).startswith(self.root)

    def opened(self, original):
        def opens(file, mode='r', *args, **kwargs):
            if not set(mode) & set('wax+') or not self.below(file): return original(file, mode, *args, **kwargs)
            self.step(f'open')
            return Handle(original(file, mode, *args, **kwargs), self)
        return opens

    def calls(self, name, original, n_paths=1):
        def call(*args, **kwargs):
            if any(self.below(path) for path in args[:n_paths]): self.step(name)
            return original(*args, **kwargs)
        return call

    def install(self):
        "For the rest of this process."
        import fastnlp_course.folders
        builtins.open = io.open = self.opened(builtins.open)
        for name, n_paths in (('replace', 2), ('rename', 2), ('link', 2), ('mkdir', 1), ('unlink', 1), ('rmdir', 1)): setattr(os, name, self.calls(name, getattr(os, name), n_paths))
        fsync = os.fsync
        def flushed(fd):
            self.step('fsync')
            return fsync(fd)
        os.fsync = flushed
        self.into_safetensors()
        fastnlp_course.folders._exchange = self.calls('exchange', fastnlp_course.folders._exchange, 2)
        return self

    def into_safetensors(self):
        "`save_file` of safetensors writes in Rust: before it, and with half of the file there."
        import safetensors, safetensors.numpy, safetensors.torch
        def raised(step, half=lambda: None):
            try: self.step(step, half)
            except OSError as error: raise safetensors.SafetensorError(f'Error while serializing: I/O error: {error.strerror} (os error {error.errno})') from None
        def writer(original):
            def serialize_file(tensors, file, *args, **kwargs):
                if not self.below(file): return original(tensors, file, *args, **kwargs)
                raised('safetensors begins')
                original(tensors, file, *args, **kwargs)
                raised('safetensors', lambda: os.truncate(file, os.path.getsize(file)//2))
            return serialize_file
        for library in (safetensors.torch, safetensors.numpy): library.serialize_file = writer(library.serialize_file)

class Handle:
    "A file whose writes are steps."
    def __init__(self, file, injector): self.__dict__.update(file=file, injector=injector)
    def __getattr__(self, name): return getattr(self.file, name)
    def __enter__(self): return self
    def __exit__(self, *error): self.file.close()
    def __iter__(self): return iter(self.file)
    def write(self, data):
        def half():
            if hasattr(data, '__getitem__') and not isinstance(data, memoryview): self.file.write(data[:len(data)//2])
            self.file.flush()
        self.injector.step('write', half)
        return self.file.write(data)

def in_child(work):
    "Run `work` in a process of its own; (exit code, what it returned or the sentence it raised)."
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        code, said = 0, None
        try: said = work()
        except OSError as error: code, said = (3 if not str(error).startswith('[Errno') else 4), f'{type(error).__name__}: {error}'
        except (ValueError, RuntimeError, TypeError) as error: code, said = 5, f'{type(error).__name__}: {error}'
        except Exception as error: code, said = 6, f'{type(error).__name__}: {error}'
        os.write(writing, pickle.dumps(said)[:60000])
        os._exit(code)
    os.close(writing)
    with os.fdopen(reading, 'rb') as pipe: data = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), pickle.loads(data) if data else None

def contents(folder):
    "Name -> bytes of all files that are not hidden; lists of checksums beside them do not count."
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob('*')) if path.is_file()}
    return {name: data for name, data in files.items() if not any(part.startswith('.') for part in name.split('/')) and not name.endswith(('manifest.json', '.part', '.part.json')) and '.rank-' not in name}

def left_over(folder):
    return sorted(path.name for path in folder.rglob('*') if path.name.startswith('.') and path.name != '.gitattributes' or path.name.endswith(('.part', '.part.json')) or '.rank-' in path.name)

def write_next(folder):
    from fastnlp_course.files import write_json
    for place in [folder, *(path for path in folder.iterdir() if path.is_dir())]: write_json(place/'next.json', 1)

class Writer:
    "One writer: `write(folder, 'old' or 'new')`, and `read(folder)`, which raises a sentence if what is there does not belong together."
    def __init__(self, name, write, read=lambda folder: None, old=True, copies=(), grows=False, seen=lambda data: data):
        self.name, self.write, self.read, self.old, self.copies, self.grows, self.seen = name, write, read, old, copies, grows, seen

    def contents(self, folder):
        "Names and what is seen of the bytes, without `copies` of what is there under another name."
        return {name: self.seen(data) for name, data in contents(folder).items() if Path(name).name not in self.copies}

    def prepare(self, place):
        "What lies there before, and after, a write without faults; the steps it takes."
        self.before, after = place/'before', place/'after'
        self.before.mkdir(parents=True)
        if self.old: self.write(self.before, 'old')
        shutil.copytree(self.before, after)
        def count():
            injector = Injector(after).install()
            self.write(after, 'new')
            return injector.steps
        code, self.steps = in_child(count)
        assert code == 0, (self.name, code, self.steps)
        self.states = {'old': self.contents(self.before), 'new': self.contents(after)}
        assert self.states['old'] != self.states['new'], self.name

    def judge(self, folder):
        "old, new, said or LOST, with the reason."
        found = self.contents(folder)
        state = next((name for name, files in self.states.items() if files == found), None)
        if state: return state, ''
        if self.grows and all(name in self.states['new'] and self.states['new'][name].startswith(data) for name, data in found.items()): return 'new', ''
        try: self.read(folder)
        except (ValueError, FileNotFoundError) as error: return ('said', str(error)) if not str(error).startswith('[Errno') else ('LOST', str(error))
        except Exception as error: return 'LOST', f'{type(error).__name__}: {error}'
        return 'LOST', f'a mixture of {sorted(found)} was read without a word'

    def attack(self, folder, at, kind):
        "One fault; (what happened, details)."
        shutil.copytree(self.before, folder)
        def work():
            warnings.simplefilter('ignore')
            Injector(folder, at, kind).install()
            self.write(folder, 'new')
        code, said = in_child(work)
        state, why = self.judge(folder)
        if kind != 'kill' and code not in (0, 3): return 'no sentence', f'exit {code}: {said}'
        if state == 'LOST': return state, why
        try: self.write(folder, 'new')
        except Exception as error: return 'LOST', f'a second write gave {type(error).__name__}: {error}'
        if self.contents(folder) != self.states['new']: return 'LOST', 'a second write gave something else'
        write_next(folder)                        # whatever is written next sweeps
        if left_over(folder): return 'left over', str(left_over(folder))
        shutil.rmtree(folder)
        return state, why

def run(writer, place, chosen=None):
    "All faults, or those that `chosen(steps)` picks; Counter of outcomes, and what went wrong."
    writer.prepare(place)
    outcomes, wrong = {kind: Counter() for kind in kinds}, []
    for at in range(len(writer.steps)) if chosen is None else chosen(writer.steps):
        for kind in kinds:
            what, why = writer.attack(place/f'{at}-{kind[:4]}', at, kind)
            outcomes[kind][what] += 1
            if what not in ('old', 'new', 'said'): wrong.append((writer.steps[at], kind, what, why))
    return outcomes, wrong

def light_writers():
    "Those that need no model."
    import numpy as np, pandas as pd
    from fastnlp_course.files import write_json, read_json, atomic_write
    from fastnlp_course.folders import atomic_folder, check_folder
    from fastnlp_course.archives import safe_extract
    from fastnlp_course.text.tokenization import BaseTokenizer
    from fastnlp_course.text.tokenizer import tokenize_csv, tokenize_folder, load_tokenized_csv
    from fastnlp_course.text.token_store import TokenStore
    from fastnlp_course.text.corpus import build_store, join_stores
    from fastnlp_course.text.subwords import SentencePieceTokenizer
    texts = {'old': ['an old text', 'and a second'], 'new': ['the new text', 'and another', 'and a third']}
    how = dict(tok=BaseTokenizer(), rules=[])
    inputs = Path(tempfile.mkdtemp())
    import tarfile
    for what in texts:
        (inputs/what/'texts').mkdir(parents=True)
        for i, text in enumerate(texts[what]): (inputs/what/'texts'/f'{i}.txt').write_text(text)
        pd.DataFrame({'text': texts[what]}).to_csv(inputs/what/'films.csv', index=False)
        with tarfile.open(inputs/f'{what}.tgz', 'w:gz') as archive: archive.add(inputs/what/'texts', 'texts')
    def files_into_folder(folder, what):
        with atomic_folder(folder/'model') as new:
            for name in ('config.json', 'vocab.json'): write_json(new/name, [what, name])
    def lines(folder, what):
        with atomic_write(folder/'a.txt', 'w') as file:
            for i in range(3): file.write(f'{what} {i}\n')
    yield Writer('atomic_write', lines)
    yield Writer('write_json', lambda folder, what: write_json(folder/'a.json', texts[what]), lambda folder: read_json(folder/'a.json'))
    yield Writer('atomic_folder', files_into_folder, lambda folder: check_folder(folder/'model', ['config.json', 'vocab.json']))
    yield Writer('tokenize_csv', lambda folder, what: tokenize_csv(inputs/what/'films.csv', 'text', folder/'tok.csv', **how), lambda folder: load_tokenized_csv(folder/'tok.csv'))
    yield Writer('tokenize_folder', lambda folder, what: tokenize_folder(inputs/what/'texts', output_dir=folder/'tok', skip_if_exists=False, **how))
    yield Writer('TokenStore.save', lambda folder, what: (folder/'store'/'manifest.json').exists() or TokenStore.from_documents([[1, 2], [3]], list('abcd')).save(folder/'store'), lambda folder: TokenStore.open(folder/'store', verify=True), old=False)
    yield Writer('build_store', lambda folder, what: build_store(texts[what], folder/'store', min_freq=1, block_chars=20, shard_tokens=6, **how), lambda folder: TokenStore.open(folder/'store', verify=True), old=False, copies=[f'{i:05d}.json' for i in range(9)])    # notes of a build that was ended just before it would remove them
    parts = [build_store([*texts['new'], *texts['old']], inputs/'parts'/'store', min_freq=1, block_chars=20, rank=rank, world=2, **how) for rank in range(2)]
    yield Writer('join_stores', lambda folder, what: join_stores(folder/'store', parts), lambda folder: TokenStore.open(folder/'store', verify=True), old=False, copies=[f'{i:05d}.json' for i in range(9)])
    yield Writer('safe_extract', lambda folder, what: (folder/'data').exists() or safe_extract(inputs/f'{what}.tgz', folder/'data'), old=False)
    def subwords(folder, what):
        SentencePieceTokenizer(vocab_sz=60, cache_dir=folder/'spm').setup(texts['new']*40)
    from fastnlp_course.applications.languages import learn_pieces
    films = {what: [f'{texts[what][i % 2]} of number {i}' for i in range(600)] for what in texts}
    yield Writer('learn_pieces', lambda folder, what: learn_pieces(films[what], folder/'pieces.model'))
    import gzip
    from fastnlp_course.sources import URLs, untar_data
    (inputs/'wikitext-2').mkdir()
    for name in ('train', 'valid', 'test'): (inputs/'wikitext-2'/f'{name}.txt.gz').write_bytes(gzip.compress(b' \n = A film = \n \n A text about it . \n'*3))
    def laid_out(folder, what):
        os.environ['FASTNLP_DATA'] = str(inputs)
        try: untar_data(URLs.WIKITEXT_TINY, base=folder)
        finally: del os.environ['FASTNLP_DATA']
    yield Writer('untar_data, laid out from local data', laid_out, old=False)
    yield Writer('SentencePieceTokenizer.setup', subwords, lambda folder: SentencePieceTokenizer(sp_model=next((folder/'spm').glob('*.model'), folder/'none')), old=False, copies=['spm.model'])

def served(content):
    "The address of a file on this machine."
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            start = int((self.headers.get('Range') or 'bytes=0-').split('=')[1].rstrip('-'))
            self.send_response(206 if start else 200)
            self.send_header('ETag', '"1"')
            self.send_header('Content-Length', str(len(content) - start))
            self.end_headers()
            self.wfile.write(content[start:])
        def log_message(self, *args): pass
    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f'http://127.0.0.1:{server.server_port}/data.tgz'

def download_writers():
    import tarfile
    from fastnlp_course.downloads import download_file
    from fastnlp_course.sources import untar_data
    urls = {}
    for what in ('old', 'new'):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode='w:gz') as archive:
            for i in range(2):
                data = f'{what} {i}'.encode()*1000
                member = tarfile.TarInfo(f'data/{i}.txt')
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        urls[what] = served(packed.getvalue())
    yield Writer('download_file', lambda folder, what: download_file(urls[what], folder/'data.tgz', show_progress=False))
    # the archive is a copy of what is in the data: the old data with the new archive are whole
    yield Writer('untar_data(force_download=True)', lambda folder, what: untar_data(urls[what], base=folder, force_download=True), copies=['data.tgz'])

def model_writers():
    "Those that need a model."
    import torch
    from fastnlp_course.all import (AWD_LSTM, CheckpointCallback, CSVLogger, Learner, LMRecipe, TextDataLoaders, add_lora, awd_lstm_lm_config, export_language_model, get_language_model,
                                    kaggle_folder, language_model_learner, load_language_model, load_learner, load_lora, load_weights, make_submission, save_language_model, save_lora, save_weights, set_seed)
    from fastnlp_course.models.pretrained import PretrainedText
    from fastnlp_course.training.toy import BagOfWords, film_data
    import pandas as pd
    warnings.simplefilter('ignore')
    def tensors(what): return {'a': torch.full((50,), float(what == 'new')), 'b': torch.ones(3)}
    yield Writer('save_weights', lambda folder, what: save_weights(folder/'a.safetensors', tensors(what)), lambda folder: load_weights(folder/'a.safetensors'))
    dls = film_data(60)
    learners = {}
    for what, seed in (('old', 1), ('new', 2)):
        set_seed(seed)
        learners[what] = Learner(dls, BagOfWords(len(dls.vocab[0])))
        learners[what].create_opt()
    yield Writer('Learner.save', lambda folder, what: learners[what].save((folder/'model').resolve()), lambda folder: learners['old'].load((folder/'model').resolve()))
    yield Writer('Learner.save(.pth)', lambda folder, what: learners[what].save((folder/'model.pth').resolve()), lambda folder: learners['old'].load((folder/'model.pth').resolve()))
    from safetensors import SafetensorError
    from safetensors.torch import load
    def tensors_in(data):
        try: return [(name, tensor.numpy().tobytes()) for name, tensor in sorted(load(data).items())]
        except SafetensorError: return 'damaged'
    def fitted(folder):
        "A small learner that is made anew, as in a new process."
        set_seed(3)
        learn = Learner(dls, BagOfWords(len(dls.vocab[0])), path=folder.resolve(), model_dir='.')
        dls.rng.seed(3)
        return learn
    def checkpointed(folder, what):
        learn = fitted(folder)
        with learn.no_bar(), learn.no_logging(): learn.fit(1, cbs=CheckpointCallback(keep=True))
    def logged(folder, what):
        learn = fitted(folder)
        with learn.no_bar(), learn.no_logging(): learn.fit(2, cbs=CSVLogger())
    def predicted(folder, what):
        with learners[what].no_bar(), learners[what].no_logging(): learners[what].get_preds(save_preds=folder/'preds')
    yield Writer('CheckpointCallback', checkpointed, lambda folder: load_weights(folder/'checkpoint.safetensors'), old=False, seen=tensors_in)      # its metadata hold seconds
    yield Writer('CSVLogger', logged, old=False, grows=True)
    yield Writer('get_preds(save_preds=)', predicted, old=False, grows=True)
    yield Writer('Learner.export', lambda folder, what: learners[what].export((folder/'model').resolve()), lambda folder: load_learner(folder/'model'))
    exported = learners['new'].export(Path(tempfile.mkdtemp())/'model')
    yield Writer('kaggle_folder', lambda folder, what: (folder/'kaggle').exists() or kaggle_folder(exported, folder/'kaggle'), old=False)
    yield Writer('make_submission', lambda folder, what: make_submission(['a', 'b'], torch.tensor([0.1, 0.2 if what == 'old' else 0.3]), folder/'submission.csv'))
    recipe = LMRecipe(emb_sz=8, n_hid=12, n_layers=2)
    models, vocab = {}, [f'w{i}' for i in range(20)]
    for what, seed in (('old', 1), ('new', 2)):
        set_seed(seed)
        models[what] = get_language_model(AWD_LSTM, len(vocab), recipe.model_config())
    yield Writer('save_language_model', lambda folder, what: save_language_model(folder/'lm', models[what], vocab, recipe, {'steps': 1}), lambda folder: load_language_model(folder/'lm'))
    from fastnlp_course.models.pretraining import LMRun
    from fastnlp_course.text.token_store import TokenStore
    def checkpoint_of(what):
        run = LMRun(TokenStore.from_documents([[2, 3, 4, 5]*20]*4, vocab), LMRecipe(emb_sz=8, n_hid=12, n_layers=2, bs=2, seq_len=5))
        for _ in range(2 if what == 'old' else 3): run.one_step()
        return run
    runs = {what: checkpoint_of(what) for what in ('old', 'new')}
    yield Writer('checkpoint of train_lm', lambda folder, what: runs[what].save(folder/'checkpoint.safetensors'), lambda folder: load_weights(folder/'checkpoint.safetensors'))
    from fastnlp_course.models.transformer import GPT, byte_level_bpe
    from fastnlp_course.models.transformer_files import load_gpt, save_gpt
    gpts, cut = {}, byte_level_bpe(['an old text', 'a new text'], 280)
    for what, seed in (('old', 1), ('new', 2)):
        set_seed(seed)
        gpts[what] = GPT(vocab_sz=cut.get_vocab_size(), n_positions=8, width=4, n_layers=1, n_heads=2)
    yield Writer('save_gpt', lambda folder, what: save_gpt(folder/'gpt', gpts[what], cut), lambda folder: load_gpt(folder/'gpt'))
    lm_dls = TextDataLoaders.from_df(pd.DataFrame({'text': ['one two three four five six seven']*40}), text_col='text', is_lm=True, bs=4, seq_len=5)
    lms = {}
    for what, seed in (('old', 1), ('new', 2)):
        set_seed(seed)
        lms[what] = language_model_learner(lm_dls, AWD_LSTM, config={**awd_lstm_lm_config, 'emb_sz': 8, 'n_hid': 12, 'n_layers': 2}, pretrained=False)
    yield Writer('export_language_model', lambda folder, what: export_language_model(lms[what], folder/'lm'), lambda folder: PretrainedText(folder/'lm', False, None, {}))
    yield Writer('save_encoder', lambda folder, what: lms[what].save_encoder((folder/'enc').resolve()), lambda folder: load_weights(folder/'enc.safetensors'))
    adapted = {}
    for what, seed in (('old', 1), ('new', 2)):
        set_seed(seed)
        adapted[what] = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 2))
        add_lora(adapted[what], targets=['0'])
    yield Writer('save_lora', lambda folder, what: save_lora(adapted[what], folder/'lora'), lambda folder: load_lora(torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 2)), folder/'lora'))
    from fastnlp_course.applications.stages import Stages
    yield Writer('Stages.run', lambda folder, what: Stages(folder, what, log=lambda line: None).run('one', lambda: {'text': what}), old=True)

def application_writers():
    "What the commands write beside models: folders, pages, cards."
    from types import SimpleNamespace
    import numpy as np
    from fastnlp_course.all import AWD_LSTM, TextDataLoaders, awd_lstm_clas_config, set_seed, text_classifier_learner
    from fastnlp_course.files import write_json
    from fastnlp_course.folders import model_digest
    from fastnlp_course.applications.cards import write_card
    from fastnlp_course.applications.contest import save_winner
    from fastnlp_course.applications.page import write_page
    from fastnlp_course.applications.predictors import load_predictor, save_calibration
    from fastnlp_course.applications.space import write_space
    from fastnlp_course.applications.tfidf_model import fit_tfidf, load_tfidf, save_tfidf
    import pandas as pd
    warnings.simplefilter('ignore')
    texts, labels = {'old': ['fine film', 'dull plot']*4, 'new': ['lovely film', 'awful plot', 'fine']*4}, {'old': ['good', 'bad']*4, 'new': ['good', 'bad', 'good']*4}
    made = Path(tempfile.mkdtemp())
    models = {what: fit_tfidf(texts[what], labels[what]) for what in texts}
    for what in texts: save_tfidf(models[what], None, made/'candidates'/what/'model')
    yield Writer('save_tfidf', lambda folder, what: save_tfidf(models[what], None, folder/'model'), lambda folder: load_tfidf(folder/'model'))
    from fastnlp_course.cli import predict
    for what in texts: pd.DataFrame({'text': texts[what]}).to_csv(made/f'{what}.csv', index=False)
    def answered(folder, what):
        with redirect_stdout(io.StringIO()): predict.__wrapped__(made/'candidates'/what/'model', None, made/f'{what}.csv', None, None, None, folder/'answers.csv', None, True)
    yield Writer('fastnlp predict --out', answered)
    def winner(folder, what):
        if not (folder/'candidates').exists(): shutil.copytree(made/'candidates', folder/'candidates')
        answer = {'probabilities': [[.9, .1], [.2, .8], [.6, .4]], 'targets': [0, 1, 1]}
        save_winner(what, SimpleNamespace(folds=None, text_cols=['text'], delim=None, kind='classes'), answer, folder)
    yield Writer('train-classifier: OUT/model', winner, lambda folder: load_predictor(folder/'model'))
    def winner_and_facts(folder, what):
        winner(folder, what)
        write_json(folder/'facts.json', {'reading': what, 'folders': {'model': model_digest(folder/'model')}})
    yield Writer('OUT/model, then facts.json', winner_and_facts, lambda folder: write_card(folder/'model'))
    yield Writer('fastnlp space', lambda folder, what: write_space(made/'candidates'/what/'model', folder/'space', title=what, log=lambda line: None), lambda folder: load_predictor(folder/'space'/'model'))
    def card(folder, what):
        if not (folder/'run').exists(): shutil.copytree(made/'candidates'/'old', folder/'run')
        write_card(folder/'run'/'model', license={'old': 'other', 'new': 'mit'}[what])
    yield Writer('fastnlp card', card)
    yield Writer('report.html', lambda folder, what: write_page(folder, {'title': what, 'reading': what*1000}))
    yield Writer('calibration.json', lambda folder, what: save_calibration(folder, {'old': 1., 'new': 2.}[what]))
    dls = TextDataLoaders.from_df(pd.DataFrame({'text': texts['new']*4, 'label': labels['new']*4}), text_col='text', label_col='label', valid_pct=.2, seed=1, bs=4, seq_len=12)
    learners = {}
    for what, seed in (('old', 1), ('new', 2)):
        set_seed(seed)
        learners[what] = text_classifier_learner(dls, AWD_LSTM, config={**awd_lstm_clas_config, 'emb_sz': 4, 'n_hid': 4, 'n_layers': 1}, pretrained=False, seq_len=12)
    yield Writer('Learner.to_onnx', lambda folder, what: learners[what].to_onnx((folder/'onnx').resolve()), lambda folder: load_predictor(folder/'onnx'))

def transformers_writers():
    import logging
    from transformers import BertConfig, BertForSequenceClassification
    from fastnlp_course.all import set_seed
    from fastnlp_course.bridges.hf_saving import write_for_transformers
    from fastnlp_course.bridges.hf_tokenizers import word_piece_tokenizer
    logging.disable(logging.WARNING)
    tokenizer, models = word_piece_tokenizer(['an old text', 'a new text'], 60, model_max_length=16), {}
    for what, seed in (('old', 1), ('new', 2)):
        set_seed(seed)
        models[what] = BertForSequenceClassification(BertConfig(vocab_size=len(tokenizer), hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, max_position_embeddings=16))
    from fastnlp_course.applications.encoders import small_encoder
    from fastnlp_course.applications.frozen_model import TextEncoder, fit_frozen, load_frozen, save_frozen
    from fastnlp_course.bridges.transformers import load_hf_model
    texts, frozen = ['an old text', 'a new text', 'one of many words', 'and another']*3, {}
    yield Writer('small_encoder', lambda folder, what: small_encoder(texts, folder/'encoder', 60, 8, seed=len(what) + ord(what[0])), lambda folder: load_hf_model(folder/'encoder', 'AutoModel'))
    made = Path(tempfile.mkdtemp())
    for what, seed in (('old', 1), ('new', 2)): frozen[what] = fit_frozen(TextEncoder(small_encoder(texts, made/what, 60, 8, seed=seed), 16, 'cpu'), texts, [0, 1]*6, ['bad', 'good'])
    yield Writer('save_frozen', lambda folder, what: save_frozen(frozen[what], folder/'model'), lambda folder: load_frozen(folder/'model', 'cpu'))
    import pandas as pd
    from fastnlp_course.all import AWD_LSTM, TextDataLoaders, awd_lstm_clas_config, text_classifier_learner
    from fastnlp_course.applications.predictors import load_predictor
    dls, judges = TextDataLoaders.from_df(pd.DataFrame({'text': texts*4, 'label': ['bad', 'good']*24}), text_col='text', label_col='label', valid_pct=.2, seed=1, bs=4, seq_len=12), {}
    for what, seed in (('old', 1), ('new', 2)):
        set_seed(seed)
        judges[what] = text_classifier_learner(dls, AWD_LSTM, config={**awd_lstm_clas_config, 'emb_sz': 4, 'n_hid': 4, 'n_layers': 1}, pretrained=False, seq_len=12)
    yield Writer('TextLearner.save_pretrained', lambda folder, what: judges[what].save_pretrained(folder/'model'), lambda folder: load_predictor(folder/'model'))
    yield Writer('hf_save', lambda folder, what: write_for_transformers(models[what], tokenizer, {}, folder/'model'))

report = Path(__file__).resolve().parent/'faults.md'

def main(wanted=''):
    "Run the writers, keep their rows; True if nothing was lost."
    fine = True
    for group in (light_writers, download_writers, model_writers, application_writers, transformers_writers):
        for writer in group():
            if wanted not in writer.name: continue
            place = Path(tempfile.mkdtemp(prefix='faults-', dir=quick_disk))
            outcomes, wrong = run(writer, place)
            total, steps = sum(outcomes.values(), Counter()), Counter(writer.steps)
            row = [writer.name, ', '.join(f'{n} {name}' for name, n in steps.items()), *map(str, (sum(total.values()), total['old'], total['new'], total['said'], total['LOST'], total['no sentence'], total['left over']))]
            print(*row, sep=' | ', flush=True)
            for one in wrong[:6]: print('   ', *one, sep=' | ')
            keep(row)
            fine = fine and not wrong
            shutil.rmtree(place, ignore_errors=True)
    return fine

def keep(row):
    "Put the row of a writer into faults.md."
    from common import machine
    lines = report.read_text(encoding='utf-8').split('\n') if report.exists() else []
    rows = {cells[0]: cells for cells in ([cell.strip() for cell in line.strip('|').split('|')] for line in lines if line.startswith('| ')) if len(cells) == 9 and cells[2].isdigit()}
    rows[row[0]] = row
    sums = [sum(int(cells[i]) for cells in rows.values()) for i in range(2, 9)]
    text = ['# Faults', '', __doc__.strip().split('\n\n', 2)[2], '', f'{machine()}; temporary folders in {quick_disk or "the usual place"}.', '',
            '| writer | its steps | faults tried | the old is whole | the new is whole | neither, and the reader says so | lost or mixed | no sentence | left over |', '| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
            *('| ' + ' | '.join(cells) + ' |' for cells in rows.values()), '', f'{len(rows)} writers: tried {sums[0]:,}, survived {sums[1] + sums[2] + sums[3]:,}, lost or mixed {sums[4]}, without a sentence {sums[5]}, with something left over {sums[6]}.', '',
            'Written by `python benchmarks/faults.py`.', '']
    report.write_text('\n'.join(text), encoding='utf-8')

if __name__ == '__main__':
    sys.exit(not main(sys.argv[1] if len(sys.argv) > 1 else ''))
