"A classifier as ONNX where torch is not: the shipped program in a process of its own, and the command that writes it."
import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')

from fastnlp_course.data.data_block import CategoryBlock, DataBlock
from fastnlp_course.data.getters import ColReader
from fastnlp_course.data.splitters import RandomSplitter
from fastnlp_course.data.text_data import TextBlock
from fastnlp_course.files import set_seed
from fastnlp_course.models.awd_lstm import AWD_LSTM, awd_lstm_clas_config
from fastnlp_course.models.ulmfit import text_classifier_learner
from fastnlp_course.text.subwords import CharacterTokenizer, SubwordTokenizer
from fastnlp_course.bridges.hf_batches import HFTextBlock
from fastnlp_course.bridges.hf_tokenizers import word_piece_tokenizer
from fastnlp_course.bridges.onnx_export import load_onnx
from fastnlp_course.bridges.transformers import hf_learner

films = pd.DataFrame({'text': ['A good film', 'a bad film', 'so so GOOD', 'it is bad bad bad!!!!']*8, 'label': ['pos', 'neg']*16})
texts = ['A good film', 'BAD bad bad bad!!!! <br />10/10', 'naïve \t unknown…', '', 'a good film and '*30]

def data(block, path):
    return DataBlock((block, CategoryBlock), get_x=ColReader('text'), get_y=ColReader('label'), splitter=RandomSplitter(seed=0)).dataloaders(films, bs=8, device='cpu', path=path)

def ulmfit(path, tok=None):
    set_seed(0)
    dls = data(TextBlock.from_df('text', min_freq=1, seq_len=16, **({} if tok is None else {'tok': tok})), path)
    return text_classifier_learner(dls, AWD_LSTM, seq_len=16, max_len=40, config={**awd_lstm_clas_config, 'emb_sz': 12, 'n_hid': 16, 'n_layers': 2}, pretrained=False)

def bert(path):
    from transformers import BertConfig, BertForSequenceClassification
    set_seed(0)
    tokenizer = word_piece_tokenizer(films.text, vocab_size=80, model_max_length=24)
    config = BertConfig(vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24, max_position_embeddings=32, num_labels=2)
    return hf_learner(data(HFTextBlock(tokenizer), path), BertForSequenceClassification(config))

makers = {'words': ulmfit, 'characters': lambda path: ulmfit(path, CharacterTokenizer()), 'pieces': lambda path: ulmfit(path, SubwordTokenizer(vocab_sz=40)), 'tokenizer': bert}

def isolated(code, folder, *arguments):
    "Run code in a folder, where neither torch nor this package can be imported."
    blocked = "import sys; sys.modules.update(torch=None, fastnlp_course=None, transformers=None); sys.path.insert(0, '.')\n"
    done = subprocess.run([sys.executable, '-c', blocked + code, *arguments], cwd=folder, capture_output=True, text=True, encoding='utf-8', env={**os.environ, 'PYTHONIOENCODING': 'utf-8'})
    assert done.returncode == 0, done.stderr
    return done.stdout

@pytest.mark.parametrize('reads', makers)
def test_the_program_answers_without_torch(reads, tmp_path):
    learn = makers[reads](tmp_path)
    folder = learn.to_onnx('exported')
    with learn.no_bar(): wanted = learn.get_preds(dl=learn.dls.test_dl(texts))[0].numpy()
    code = f'import json\nfrom run import classifier\nprint(json.dumps([classifier.labels, classifier.probabilities({texts!r}).tolist(), [row["input_ids"] for row in classifier.reader.rows({texts!r})]]))'
    labels, answers, ids = json.loads(isolated(code, folder))
    assert labels == ['neg', 'pos'] and load_onnx(folder).config['reads'] == reads
    assert np.abs(np.array(answers) - wanted).max() < 1e-4
    items = learn.dls.test_dl(texts).dataset
    ours = [item[0]['input_ids'] if reads == 'tokenizer' else item[0] for item in items]
    assert ids == [row.tolist() for row in ours]                         # exactly the ids that the learner reads

def test_the_program_reads_its_command_line(tmp_path):
    folder = ulmfit(tmp_path).to_onnx('exported')
    out = isolated("import runpy; sys.argv[1:] = ['a good film', 'a bad film']; runpy.run_path('run.py', run_name='__main__')", folder)
    lines = out.splitlines()
    assert len(lines) == 2 and lines[0].startswith('a good film\tneg 0.') and '\tpos 0.' in lines[0]
    assert (folder/'requirements.txt').read_text(encoding='utf-8').split('>=')[0] == 'onnxruntime'

def test_a_damaged_folder_is_named(tmp_path):
    folder = ulmfit(tmp_path).to_onnx('exported')
    with open(folder/'model.onnx', 'r+b') as handle:
        handle.seek(200)
        handle.write(b'\0\0\0\0')
    with pytest.raises(ValueError, match='model.onnx is damaged'): load_onnx(folder)

def test_a_failed_export_leaves_nothing(tmp_path, monkeypatch):
    learn = ulmfit(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(torch.onnx, 'export', lambda *arguments, **options: (_ for _ in ()).throw(RuntimeError('no such operation')))
        with pytest.raises(ValueError, match='cannot write ReadOnce as ONNX .RuntimeError: no such operation'): learn.to_onnx('exported')
    assert list(tmp_path.glob('*')) == []

def fastnlp(*arguments):
    return subprocess.run([sys.executable, '-m', 'fastnlp_course.cli', *map(str, arguments)], capture_output=True, text=True, encoding='utf-8', env={**os.environ, 'PYTHONIOENCODING': 'utf-8'})

def test_the_command(tmp_path):
    learn = ulmfit(tmp_path)
    model = learn.export('model')
    done = fastnlp('export', model, '--onnx', '--int8')
    assert done.returncode == 0 and 'model_onnx_int8' in done.stdout and 'at most' in done.stdout and done.stderr == '', done.stdout + done.stderr
    found = load_onnx(tmp_path/'model_onnx_int8').probabilities(texts)
    with learn.no_bar(): assert np.abs(found - learn.get_preds(dl=learn.dls.test_dl(texts))[0].numpy()).max() < 0.05
    done = fastnlp('export', model)
    assert done.returncode == 1 and '--onnx' in done.stderr and 'Traceback' not in done.stderr
    done = fastnlp('export', model, '--onnx', '--out', model)
    assert done.returncode == 1 and 'holds other files' in done.stderr and (model/'model.safetensors').exists()

def test_other_learners_are_named(tmp_path):
    from torch import nn
    from fastnlp_course.training.learner import Learner
    from fastnlp_course.training.losses import CrossEntropyLossFlat
    from fastnlp_course.training.synthetic import synth_learner
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.bag = nn.EmbeddingBag(100, 2)
        def forward(self, ids): return self.bag(ids)
    own = Learner(data(TextBlock.from_df('text', min_freq=1), tmp_path), Own(), loss_func=CrossEntropyLossFlat())
    with pytest.raises(ValueError, match='The model is Own, which cannot be exported'): own.to_onnx('no')
    with pytest.raises(ValueError, match='to_onnx writes classifiers of one text'): synth_learner(path=tmp_path).to_onnx('no')
    assert not (tmp_path/'no').exists()
