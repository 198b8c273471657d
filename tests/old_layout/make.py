"""Writes the folders beside it, with the package as it was at commit 6dcfae6: PYTHONPATH=CHECKOUT make.py

Small models on invented sentences, and what they said. `tests/test_old_layout.py` asks today's package to load them and to
say the same. Run it under another commit and it refuses: these files are only worth something because they are old.
"""
import json
import random
import shutil
import sys
import tempfile
from pathlib import Path

import torch
from PIL import Image

import fastnlp_course
from fastnlp_course import files, hf_models
from fastnlp_course.all import *
from fastnlp_course.files import to_config

here = Path(__file__).resolve().parent
if not (Path(fastnlp_course.__file__).parent/'learner.py').exists(): sys.exit('this is not the package of commit 6dcfae6: set PYTHONPATH to a checkout of it')
torch.set_num_threads(1)
sizes = {'emb_sz': 8, 'n_hid': 12, 'n_layers': 2}
asked = ['a GOOD and moving film', 'dull dull dull acting .', 'the plot is not so bad', 'a fine little story , and good music !!!']

def sentences(n=240):
    "Invented reviews and their labels."
    draw = random.Random(0)
    good, bad = 'good fine moving funny great'.split(), 'bad dull slow Boring weak'.split()
    things = 'film story plot acting music'.split()
    made = []
    for i in range(n):
        words = good if i % 2 else bad
        made.append((f"The {draw.choice(things)} is {draw.choice(words)} and the {draw.choice(things)} {draw.choice(words)} <br />", 'pos' if i % 2 else 'neg'))
    return pd.DataFrame(made, columns=['text', 'label']).assign(score=lambda t: np.linspace(0, 1, len(t)).round(3), tags=lambda t: np.where(t.index % 3, 'a;b', 'b'))

table = sentences()
said = {}

def folder_for(name):
    "An empty place for `name`."
    shutil.rmtree(here/name, ignore_errors=True)
    return here/name

def probabilities(learn):
    "What `learn` says to the questions."
    with learn.no_bar(): return learn.get_preds(dl=learn.dls.test_dl(asked))[0].double().numpy().round(7).tolist()

def fit(learn, epochs=2, lr=2e-2):
    "Trained, so that no weight is what it began with."
    with learn.no_bar(), learn.no_logging(): learn.fit(epochs, lr)
    return learn

def classifier(backwards):
    "A classifier with metrics and callbacks that a config has to name."
    set_seed(1)
    dls = TextDataLoaders.from_df(table, text_col='text', label_col='label', bs=16, seq_len=16, seed=1, backwards=backwards)
    learn = text_classifier_learner(dls, AWD_LSTM, config={**awd_lstm_clas_config, **sizes}, pretrained=False, metrics=[accuracy, error_rate, F1Score(), Perplexity()],
                                    cbs=[GradientClip(0.1), EarlyStoppingCallback(patience=9)], loss_func=LabelSmoothingCrossEntropyFlat() if backwards else None, backwards=backwards)
    return fit(learn)

def language_model():
    "A language model and the logits it gives."
    set_seed(2)
    dls = TextDataLoaders.from_df(table, text_col='text', is_lm=True, bs=8, seq_len=12, seed=1)
    return fit(language_model_learner(dls, AWD_LSTM, config={**awd_lstm_lm_config, **sizes}, pretrained=False, metrics=[accuracy, Perplexity()], opt_func=partial(Adam, mom=0.8)))

def logits(learn):
    "The language model's scores of the first question's words, without the loaders."
    vocab = learn.dls.vocab
    words = ['xxbos', 'the', 'film', 'is', 'good']
    model = learn.model.eval()
    model.reset()
    with torch.no_grad(): out = model(torch.tensor([[vocab.index(word) for word in words]]))
    return out[0][0, -1].double().numpy().round(6).tolist()

def data_configs():
    "Loaders of every kind as configs, without models."
    splitter = RandomSplitter(0.2, seed=0)
    blocks = {
        'many labels': DataBlock((TextBlock.from_df('text', seq_len=16), MultiCategoryBlock), get_x=ColReader('text'), get_y=ColReader('tags', label_delim=';'), splitter=splitter),
        'a number': DataBlock((TextBlock.from_df('text', seq_len=16), RegressionBlock), get_x=ColReader('text'), get_y=ColReader('score'), splitter=splitter),
    }
    configs = {name: block.dataloaders(table, bs=8).to_config() for name, block in blocks.items()}
    with tempfile.TemporaryDirectory() as folder:
        for i in range(8): Image.new('L', (8, 8), 30*i).save(f'{folder}/{"ab"[i % 2]}_{i}.png')
        dls = ImageDataLoaders.from_name_re(folder, get_image_files(folder), r'^(\w)_', valid_pct=0.25, seed=0, bs=2, item_tfms=Resize(8), batch_tfms=Normalize.from_stats(*mnist_stats, cuda=False))
        configs['pictures'] = dls.to_config()
    return configs

def hf_classifier():
    "A transformer with its tokenizer inside the loaders' config."
    import transformers
    tokenizer = word_piece_tokenizer(list(table.text), 80, model_max_length=24)
    block = DataBlock([HFTextBlock(tokenizer), CategoryBlock], get_x=ColReader('text'), get_y=ColReader('label'), splitter=RandomSplitter(0.2, seed=0))
    dls = block.dataloaders(table, bs=16, device='cpu')
    set_seed(3)
    config = transformers.BertConfig(vocab_size=len(tokenizer), max_position_embeddings=24, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    return fit(hf_learner(dls, transformers.BertForSequenceClassification(config), metrics=accuracy), lr=1e-3)

def named_things():
    "Every class and function that a config can name, by the address that the old package writes."
    modules = [sys.modules[name] for name in sorted(sys.modules) if name.startswith('fastnlp_course.') and name not in ('fastnlp_course.all', 'fastnlp_course.cli')]
    functions = {files._function_name(value) for module in modules for value in (getattr(module, name) for name in module.__all__) if callable(value)}
    functions |= {f'fastnlp_course.metrics.{name}' for name in ('_rmse', '_exp_rmspe', '_pearson', '_spearman')}  # inside of exported metrics
    return {'classes': sorted(files._registered), 'functions': sorted(functions - {None} - {f'{c.__module__}.{c.__name__}' for c in files._registered.values()})}

def metrics_and_losses():
    "What metrics and losses a config describes, and their values of the same predictions."
    set_seed(4)
    scores, labels, numbers = torch.randn(40, 2), torch.arange(40) % 2, torch.rand(40)
    over_classes = {'f1': F1Score(), 'mcc': MatthewsCorrCoef(), 'recall': Recall(), 'kappa': CohenKappa(weights='linear')}
    over_numbers = {'rmse': rmse, 'exp_rmspe': exp_rmspe, 'pearson': PearsonCorrCoef(), 'spearman': SpearmanCorrCoef(), 'r2': R2Score(), 'variance': ExplainedVariance()}
    losses = {'cross entropy': CrossEntropyLossFlat(weight=torch.tensor([1., 2.])), 'smoothed': LabelSmoothingCrossEntropyFlat(eps=0.2), 'focal': FocalLossFlat(gamma=1.)}
    described = {name: {'config': to_config(metric), 'value': float(metric(scores.argmax(-1), labels))} for name, metric in over_classes.items()}
    described |= {name: {'config': to_config(metric), 'value': float(metric(numbers, numbers**2))} for name, metric in over_numbers.items()}
    described |= {name: {'config': to_config(loss), 'value': float(loss(scores, labels))} for name, loss in losses.items()}
    return {'scores': scores.tolist(), 'labels': labels.tolist(), 'numbers': numbers.tolist(), 'over classes': list(over_classes), 'over numbers': list(over_numbers), 'described': described}

def main():
    forwards, backwards, lm = classifier(False), classifier(True), language_model()
    for name, learn in {'classifier': forwards, 'classifier_backwards': backwards}.items():
        learn.export(folder_for(name))
        said[name] = {'probabilities': probabilities(learn), 'vocab': list(learn.dls.vocab[1])}
    forwards.save(here/'weights_and_optimizer')
    lm.export(folder_for('language_model'))
    export_language_model(lm, folder_for('exported_language_model'), half=True, note='made for a test')
    said['language_model'] = {'logits': logits(lm)}
    recipe = make_recipe(emb_sz=8, n_hid=12, n_layers=2, head=0, sample=0)
    save_language_model(folder_for('saved_language_model'), get_language_model(AWD_LSTM, len(lm.dls.vocab), recipe.model_config(), drop_mult=0.), lm.dls.vocab, recipe, {'steps': 0})
    (here/'saved_language_model'/'README.md').unlink()
    said['saved_language_model'] = {'vocab': list(lm.dls.vocab)}
    hf = hf_classifier()
    hf.export(folder_for('hf_classifier'))
    said['hf_classifier'] = {'probabilities': probabilities(hf)}
    forwards.save_pretrained(folder_for('in_transformers'))
    texts = list(table.text[:40])
    store = build_store(texts, folder_for('store'), min_freq=1)
    said['store'] = {'texts': texts, 'documents': [store.decode(i) for i in range(len(store))], 'tokens': store.n_tokens}
    build_store(texts, folder_for('store_of_two'), min_freq=1, rank=0, world=2, block_chars=300)
    documents = [[1, 2, 3], [4, 5], [6]]
    TokenStore.from_documents(documents, vocab=[f'token{i}' for i in range(8)]).save(folder_for('plain_store'), settings={'rule': 'none'})
    folder = folder_for('tokenized')
    folder.mkdir()
    table.head(12).to_csv(folder/'reviews.csv', index=False)
    tokenize_csv(folder/'reviews.csv', 'text')
    said.update(data_configs=data_configs(), named_things=named_things(), metrics_and_losses=metrics_and_losses())
    (here/'said.json').write_text(json.dumps({'asked': asked, **said}, indent=1) + '\n', encoding='utf-8')

if __name__ == '__main__': main()
