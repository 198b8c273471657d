"""Files that somebody made to do harm, each with the words of the sentence that refuses it.

`python tests/make_hostile.py FOLDER` writes them all. Whatever one of them would run, it would write the file FLAG in its
folder; no test and no sane program ever makes that file.
"""
import copy
import io
import json
import pickle
import shutil
import struct
import sys
import tarfile
import zipfile
from pathlib import Path

old = Path(__file__).resolve().parent/'old_layout'
cases = []      # (name, how it is read, what makes it, words of the sentence)

def case(name, reader, words, make): cases.append((name, reader, make, words))

def part(kind, **arguments): return {'type': kind, 'args': {'dict': arguments}}
def mapping(**values): return {'dict': values}
def partial(name, *args, **kwargs): return {'partial': {'function': name}, 'args': list(args), 'kwargs': mapping(**kwargs)}

# Exported learners: one change in a config that was good

def learner(name, words, change, base='classifier'):
    def make(folder):
        shutil.copytree(old/base, folder)
        config = json.loads((folder/'config.json').read_text(encoding='utf-8'))
        changed = change(config, folder)
        (folder/'config.json').write_text(json.dumps(config if changed is None else changed), encoding='utf-8')
    case(name, 'learner', words, make)

def steps(config, i=0): return config['dls']['pipelines'][i]['steps']
def put(config, kind, **values):
    next(step for step in steps(config) + steps(config, -1) if step.get('type') == kind)['args']['dict'].update(values)

getters = [part('AttrGetter', nm='zzz', default={'function': 'fastnlp_course.files.write_json'}), part('AttrGetter', nm='__globals__', default=None), part('ItemGetter', i='os'), part('AttrGetter', nm='system', default=None)]

def rules(name, words, *made): learner(f'rules-{name}', words, lambda c, f: put(c, 'Tokenizer', rules=list(made)))
rules('getters', 'the name of a rule', *getters, {'partial': {'function': 'fastnlp_course.pipeline._call_step'}, 'args': [], 'kwargs': mapping(x='touch FLAG', split_idx=None)})
rules('one-getter', 'the name of a rule', getters[0])
rules('item', 'the name of a rule', part('ItemGetter', i=0))
rules('write-json', 'not a registered rule', {'function': 'fastnlp_course.files.write_json'})
rules('os-system', "outside fastnlp_course's registry", {'function': 'os.system'})
rules('builtins', 'not a registered rule', {'function': 'builtins.eval'})
rules('dunder', 'not a registered rule', {'function': '__import__'})
rules('relative', 'not a registered rule', {'function': '.os.system'})
rules('through-module', 'not a registered rule', {'function': 'fastnlp_course.files.os.system'})
rules('untar', 'not a registered rule', {'function': 'fastnlp_course.sources.untar_data'})
rules('metric', 'not a registered rule', {'function': 'fastnlp_course.metrics.accuracy'})
rules('partial-of-rule', 'no options', partial('fastnlp_course.tokenization.lowercase', add_bos=False))
rules('partial-with-place', 'the name of a rule', partial('fastnlp_course.tokenization.lowercase', 'ls'))
rules('partial-of-partial', 'the name of a rule', {'partial': partial('lowercase'), 'args': [], 'kwargs': mapping()})
rules('number', 'the name of a rule', 3)
rules('text', 'the name of a rule', 'lowercase')
rules('nested', 'the name of a rule', [{'function': 'lowercase'}])
rules('list-as-name', 'not a registered rule', {'function': ['lowercase']})
rules('many', 'a list of 0 to 100', *[{'function': 'lowercase'}]*5000)
rules('labeller', 'the name of a rule', part('FileLabeller', label_func={'function': 'parent_label'}, by_name=False))
rules('tokenizer', 'the name of a rule', part('TokenizeWithRules', tok=part('BaseTokenizer', split_char=' '), rules=None, post_rules=None))
rules('class', 'the name of a rule', {'class': 'Perplexity'})

learner('mode', "one of None, 'df', 'folder'", lambda c, f: put(c, 'Tokenizer', mode='../x'))
learner('encoding', 'the name of an encoding', lambda c, f: put(c, 'Tokenizer', encoding='../evil'))
learner('sep', 'a text of at most', lambda c, f: put(c, 'Tokenizer', sep='x'*10_000))
learner('unknown-argument', 'one of the arguments', lambda c, f: put(c, 'Tokenizer', path='/etc'))
learner('cache-dir', 'one of the arguments', lambda c, f: put(c, 'Tokenizer', tok=part('SentencePieceTokenizer', model='', cache_dir='/tmp/x')))
learner('untrained-subwords', 'a text of at most', lambda c, f: put(c, 'Tokenizer', tok=part('SentencePieceTokenizer', model=None)))
learner('sp-model', 'one of the arguments', lambda c, f: put(c, 'Tokenizer', tok=part('SentencePieceTokenizer', model='', sp_model='/etc/passwd')))
learner('language', 'the code of a language', lambda c, f: put(c, 'Tokenizer', tok=part('SpacyTokenizer', lang='..', special_toks=[], buf_sz=1)))
learner('splitter-is-a-loss', 'a splitter', lambda c, f: put(c, 'Tokenizer', tok=part('CrossEntropyLossFlat')))
learner('buffer', 'a whole number', lambda c, f: put(c, 'Tokenizer', tok=part('SpacyTokenizer', lang='en', special_toks=[], buf_sz=10**15)))
learner('vocab-of-numbers', 'a text of at most', lambda c, f: put(c, 'Numericalize', vocab=[1, 2, 3]))
learner('vocab-of-parts', 'a text of at most', lambda c, f: put(c, 'Numericalize', vocab=[getters[0]]))
learner('vocab-is-a-text', 'a list of', lambda c, f: put(c, 'Numericalize', vocab='/etc/passwd'))
learner('min-freq', 'a whole number', lambda c, f: put(c, 'Numericalize', min_freq='3'))
learner('suffix', 'without a path', lambda c, f: put(c, 'ColReader', suff='/../../etc/passwd'))
learner('columns', 'a list of', lambda c, f: put(c, 'ColReader', cols={'function': 'lowercase'}))
learner('categories', 'a text of at most', lambda c, f: put(c, 'Categorize', vocab=[part('LazyFunction', module='os', name='system'), 'a']))
learner('token-twice', "the token 'film' twice", lambda c, f: put(c, 'Numericalize', vocab=['xxunk', 'xxpad', *['film']*22, *['xxfake']*8]))
learner('token-twice-among-good', "the token 'the' twice, the second time as id 11", lambda c, f: next(step for step in steps(c) if step['type'] == 'Numericalize')['args']['dict']['vocab'].__setitem__(11, 'the'))
learner('no-vocab', 'holds no vocab', lambda c, f: put(c, 'Numericalize', vocab=None))
learner('categories-three', '3 classes, and the model has 2 outputs', lambda c, f: put(c, 'Categorize', vocab=['neg', 'pos', 'evil']))
learner('categories-one', '1 class, and the model has 2 outputs', lambda c, f: put(c, 'Categorize', vocab=['neg']))
learner('categories-none', 'has no names of classes', lambda c, f: put(c, 'Categorize', vocab=[]))
learner('categories-null', 'has no names of classes', lambda c, f: put(c, 'Categorize', vocab=None))
learner('categories-twice', "the name 'neg' twice", lambda c, f: put(c, 'Categorize', vocab=['neg', 'neg']))
learner('categories-na', '3 classes, and the model has 2 outputs', lambda c, f: put(c, 'Categorize', add_na=True))
learner('categories-of-outputs', '2 classes, and the model has 3 outputs', lambda c, f: c['arguments'].update(n_out=3))
learner('categories-hf-twice', "the name 'neg' twice", lambda c, f: put(c, 'Categorize', vocab=['neg', 'neg']), 'hf_classifier')
learner('categories-hf-three', 'The data have 3 labels', lambda c, f: put(c, 'Categorize', vocab=['neg', 'pos', 'evil']), 'hf_classifier')
learner('padding', 'a whole number', lambda c, f: c['dls']['loader']['hooks']['before_batch'][0]['args']['dict'].update(seq_len=10**18))
learner('padding-of-zero', 'a whole number', lambda c, f: c['dls']['loader']['hooks']['before_batch'][0]['args']['dict'].update(seq_len=0))
learner('hook', 'one of the arguments', lambda c, f: c['dls']['loader']['hooks']['before_batch'][0]['args']['dict'].update(before_call={'function': 'lowercase'}))

def step(name, words, made): learner(f'step-{name}', words, lambda c, f: steps(c).insert(1, made))
step('private-attribute', 'does not begin with an underscore', part('AttrGetter', nm='__class__', default=None))
step('underscore', 'does not begin with an underscore', part('AttrGetter', nm='_data', default=None))
step('dotted-attribute', 'does not begin with an underscore', part('AttrGetter', nm='a.__class__', default=None))
step('default-function', 'a mapping', part('AttrGetter', nm='a', default={'function': 'fastnlp_course.files.write_json'}))
step('default-part', 'a mapping', part('AttrGetter', nm='a', default=part('ItemGetter', i=0)))
step('item-part', 'a slice', part('ItemGetter', i=part('ItemGetter', i=0)))
step('slow-pattern', 'that is quick on any name', part('RegexLabeller', pat='(a+)+$', match=False))
step('slow-choice', 'that is quick on any name', part('RegexLabeller', pat='(a|a)*b', match=False))
step('bad-pattern', 'a regular expression', part('RegexLabeller', pat='(', match=False))
step('template-attribute', 'a template of', part('PairText', template='{anchor.__class__}{target}', sep='', contexts=[], n_others=0, seed=1))
step('template-width', 'a template of', part('PairText', template='{anchor:>999999999}{target}', sep='', contexts=[], n_others=0, seed=1))
step('unknown-class', 'not a registered class', part('Popen', args='touch FLAG'))
step('dotted-class', 'not a registered class', part('subprocess.Popen', args='touch FLAG'))
step('loss', 'a step', part('FocalLossFlat'))
step('callback', 'a step', part('ModelResetter'))
step('class-itself', 'an object, not a class', {'class': 'Tokenizer'})
step('open-image', 'one of', part('OpenImage', cls='Popen'))
step('huge-picture', 'a whole number', part('Resize', size=[10**9, 10**9], method='crop', pad_mode='zeros'))
step('hf-special', 'one of the arguments', part('TransformersTokenizer', json='{}', special=mapping(tokenizer_file='/etc/passwd'), sides=['left', 'left'], model_max_length=3, input_names=[]))
step('hf-json', 'cannot be read', part('TransformersTokenizer', json='{}', special=mapping(), sides=['left', 'left'], model_max_length=3, input_names=[]))
step('plain-function', 'not a registered step or rule or label', {'encodes': {'function': 'fastnlp_course.files.write_json'}, 'decodes': None, 'order': 0, 'split_idx': None})
step('plain-more', 'an object with', {'encodes': {'function': 'lowercase'}, 'decodes': None, 'order': 0, 'split_idx': None, 'setups': 'x'})
step('list', 'a step', [part('ItemGetter', i=0)])
step('empty', 'a step', {})

learner('type-name', 'one of', lambda c, f: c['dls']['pipelines'][0].update(types=[['Popen']]))
learner('loader-name', 'one of', lambda c, f: c['dls']['loader'].update(type='Process'))
learner('loader-workers', 'an object with', lambda c, f: c['dls']['loader'].update(num_workers=99))
learner('batch-size', 'a whole number', lambda c, f: c['dls']['loader'].update(bs=10**12))
learner('no-pipelines', 'a list of 1', lambda c, f: c['dls'].update(pipelines=[]))
learner('n-inputs', 'a whole number', lambda c, f: c['dls'].update(n_inp=-1))
learner('path-of-data', 'an object with', lambda c, f: c['dls'].update(path='/etc'))

def argument(name, words, **values): learner(f'argument-{name}', words, lambda c, f: c['arguments'].update(values))
argument('pretrained', 'nothing', pretrained='somebody/their-model')
argument('pretrained-true', 'nothing', pretrained=True)
argument('pretrained-files', 'one of the arguments', pretrained_fnames=['/etc/passwd', '/etc/passwd'])
argument('model-dir', 'one of the arguments', model_dir='/tmp/x')
argument('path', 'one of the arguments', path='/tmp/x')
argument('callbacks', 'one of the arguments', cbs=[part('ModelResetter')])
argument('arch', "one of 'AWD_LSTM'", arch={'function': 'fastnlp_course.hf_bridge.load_hf_model'})
argument('arch-dotted', "one of 'AWD_LSTM'", arch='torch.hub.load')
argument('classes', 'a whole number', n_out=10**12)
argument('seq-len', 'a whole number', seq_len=0)
argument('seq-len-fraction', 'a whole number', seq_len=72.5)
argument('dropout', 'a number from', drop_mult=float('nan'))
argument('head', 'a whole number', lin_ftrs=[10**9])
argument('heads', 'a list of', lin_ftrs=[50]*10_000)
argument('max-len', 'a whole number', max_len=-5)
argument('config-name', 'one of the arguments', config=mapping(emb_sz=8, n_hid=12, n_layers=2, weights='/etc/passwd'))
argument('config-layers', 'a whole number', config=mapping(emb_sz=8, n_hid=12, n_layers=10**9))
argument('config-bomb', 'describes a model of', config=mapping(emb_sz=400, n_hid=20_000, n_layers=90, pad_token=1, bidir=False, output_p=.1, hidden_p=.1, input_p=.1, embed_p=.1, weight_p=.1))
argument('config-dropout', 'a number from', config=mapping(emb_sz=8, n_hid=12, n_layers=2, hidden_p=2))

learner('vision-arch', 'not a registered network', lambda c, f: c.update(factory='vision_learner', arguments={'n_out': 2, 'n_in': 3, 'pretrained': False, 'arch': partial('fastnlp_course.hf_bridge.load_hf_model', trust_remote_code=True)}))
learner('vision-weights', 'one of the arguments', lambda c, f: c.update(factory='vision_learner', arguments={'n_out': 2, 'n_in': 3, 'arch': 'resnet18', 'weights': 'somebody/their-model'}))
learner('vision-head', 'not a registered class', lambda c, f: c.update(factory='vision_learner', arguments={'n_out': 2, 'n_in': 3, 'arch': 'resnet18', 'custom_head': part('Module')}))
learner('factory', 'not known here', lambda c, f: c.update(factory='os.system'))
learner('factory-list', 'not known here', lambda c, f: c.update(factory=['Learner']))
learner('model-function', "outside fastnlp_course's registry", lambda c, f: c.update(factory='Learner', arguments={'model': {'function': 'os.system'}}))
learner('model-is-a-step', 'a model', lambda c, f: c.update(factory='Learner', arguments={'model': part('ItemGetter', i=0)}))
learner('model-splitter', 'not a registered grouping', lambda c, f: c.update(factory='Learner', arguments={'model': part('BagOfWords', n_words=3), 'splitter': {'function': 'untar_data'}}))

def hf(name, words, architecture='BertForSequenceClassification', **values):
    learner(f'hf-{name}', words, lambda c, f: (c['arguments']['model']['dict'].update(architecture=architecture), c['arguments']['model']['dict']['config']['dict'].update(values))[:0] or None, 'hf_classifier')
hf('auto-map', 'nothing', auto_map=mapping(AutoModel='evil.M'))
hf('trust', 'nothing', trust_remote_code=True)
hf('kernel', 'one of', attn_implementation='somebody/kernel')
hf('backbone', 'nothing', backbone='somebody/their-model')
hf('pretrained-backbone', 'nothing', use_pretrained_backbone=True)
hf('quantization', 'nothing', quantization_config=mapping(quant_method='evil'))
hf('path', 'without a path', tokenizer_class='/etc/passwd')
hf('function', 'is not a model of transformers', architecture='AutoModel')
hf('private-class', 'the name of a class', architecture='_LazyModule')
hf('dotted-class', 'the name of a class', architecture='models.bert.BertModel')
hf('other-model', 'whose model_type', architecture='GPT2LMHeadModel')

learner('loss', 'not a registered class', lambda c, f: c.update(loss_func=part('Popen')))
learner('loss-name', 'one of', lambda c, f: c.update(loss_func=part('BaseLoss', loss='Module')))
learner('loss-weight', 'a number from', lambda c, f: c['loss_func']['args']['dict'].update(weight=mapping(tensor=['a'])))
learner('loss-is-a-metric', 'a loss', lambda c, f: c.update(loss_func=part('Dice')))
learner('optimizer', 'not a registered optimizer', lambda c, f: c.update(opt_func={'function': 'fastnlp_course.sources.download_file'}))
learner('optimizer-option', 'a number from', lambda c, f: c.update(opt_func=partial('Adam', mom='x')))
learner('optimizer-object', 'a number from', lambda c, f: c.update(opt_func=partial('Adam', opt={'function': 'lowercase'})))
learner('metric', 'not a registered metric', lambda c, f: c.update(metrics=[{'function': 'fastnlp_course.metrics.optim_metric'}]))
learner('metric-module', "one of 'sklearn.metrics'", lambda c, f: c.update(metrics=[part('AccumMetric', func=part('LazyFunction', module='os', name='system'))]))
learner('metric-name', 'one of', lambda c, f: c.update(metrics=[part('AccumMetric', func=part('LazyFunction', module='sklearn.metrics', name='get_scorer'))]))
learner('metric-argument', 'one of the arguments', lambda c, f: c.update(metrics=[part('AccumMetric', func={'function': 'mse'}, out='/etc')]))
learner('metric-attribute', 'does not begin with an underscore', lambda c, f: c.update(metrics=[part('LossMetric', attr='__init__', nm='x')]))
learner('callback-events', 'one of the arguments', lambda c, f: c.update(cbs=[part('ModelResetter', after_fit={'function': 'lowercase'})]))
learner('callback-is-a-step', 'a callback', lambda c, f: c.update(cbs=[part('ItemGetter', i=0)]))
learner('setting', 'an object with', lambda c, f: c['settings'].update(model_dir='/etc'))
learner('rate', 'a list of', lambda c, f: c['settings'].update(lr='1e-3'))
learner('rate-infinite', 'a list of', lambda c, f: c['settings'].update(lr=float('inf')))
learner('more', 'an object with', lambda c, f: c.update(after_load='touch FLAG'))
learner('deep', 'a list of 2 to 2', lambda c, f: c['arguments'].update(y_range=deep_list(60)))
learner('deep-default', 'less nested', lambda c, f: steps(c).insert(1, part('AttrGetter', nm='a', default=deep_list(60))))
learner('deep-part', 'nested more than', lambda c, f: steps(c).insert(1, part('AttrGetter', nm='a', default=deep_list(900))))
learner('list', 'does not describe a learner', lambda c, f: [c])
learner('version', 'format version', lambda c, f: c.update(version=[1]))

def deep_list(n):
    made = 1
    for _ in range(n): made = [made]
    return made

# A tokenizer for transformers

def tokenizer(name, words, change):
    def make(folder):
        shutil.copytree(old/'in_transformers', folder)
        config = json.loads((folder/'tokenizer_config.json').read_text(encoding='utf-8'))
        change(config)
        (folder/'tokenizer_config.json').write_text(json.dumps(config), encoding='utf-8')
    case(f'tokenizer-{name}', 'tokenizer', words, make)

tokenizer('getters', 'the name of a rule', lambda c: c['steps']['args']['dict'].update(rules=getters))
tokenizer('other-step', 'but a Tokenizer was expected', lambda c: c.update(steps=part('ItemGetter', i=0)))
tokenizer('function', 'a step', lambda c: c.update(steps={'function': 'lowercase'}))
tokenizer('command', 'not a registered class', lambda c: c.update(steps=part('Popen')))
tokenizer('splitter', 'a splitter', lambda c: c['steps']['args']['dict'].update(tok=getters[0]))

# Pickles

class Asks:
    def __init__(self, function, *arguments): self.function, self.arguments = function, arguments
    def __reduce__(self): return self.function, self.arguments

def pickled(name, obj, protocol=4, words='was not read'):
    def make(path): path.write_bytes(pickle.dumps(obj, protocol))
    case(f'pickle-{name}.pkl', 'pickle', words, make)

import builtins, os, subprocess
for number, asks in enumerate((Asks(os.system, 'touch FLAG'), Asks(builtins.eval, '1'), Asks(builtins.exec, ''), Asks(subprocess.Popen, 'touch FLAG'), Asks(builtins.getattr, 'a', 'upper'), Asks(builtins.__import__, 'os'))):
    pickled(f'asks-{number}', ['the', asks], protocol=number % 5)
pickled('path', Path('/etc/passwd'))
case('pickle-cut.pkl', 'pickle', 'was not read', lambda path: path.write_bytes(pickle.dumps(['the', 'film'])[:-4]))
case('pickle-text.pkl', 'pickle', 'was not read', lambda path: path.write_text('cos\nsystem\n(S"touch FLAG"\ntR.'))
case('pickle-empty.pkl', 'pickle', 'was not read', lambda path: path.write_bytes(b''))
case('weights-pickle.pth', 'weights', 'cannot be read as weights', lambda path: path.write_bytes(pickle.dumps(Asks(os.system, 'touch FLAG'))))
case('weights-text.pth', 'weights', 'cannot be read as weights', lambda path: path.write_text('cos\nsystem\n(S"touch FLAG"\ntR.'))
case('weights-empty.pth', 'weights', 'cannot be read as weights', lambda path: path.write_bytes(b''))

def zipped_pickle(path):
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('archive/data.pkl', pickle.dumps(Asks(os.system, 'touch FLAG'), 2))
        archive.writestr('archive/version', '3\n')
case('weights-zip.pth', 'weights', 'cannot be read as weights', zipped_pickle)

# safetensors: eight bytes with the length of a header, the header, the numbers

def tensors(name, header, data=b'\0'*16, length=None, words='cannot be read as weights'):
    def make(path):
        written = header if isinstance(header, bytes) else json.dumps(header).encode()
        path.write_bytes(struct.pack('<Q', len(written) if length is None else length) + written + data)
    case(f'tensors-{name}.safetensors', 'weights', words, make)

one = {'dtype': 'F32', 'shape': [4], 'data_offsets': [0, 16]}
tensors('header-too-long', {'a': one}, length=2**62)
tensors('header-longer-than-file', {'a': one}, length=10_000)
tensors('not-json', b'{"a": ')
tensors('list', [one])
tensors('beyond-the-end', {'a': {**one, 'data_offsets': [0, 1600]}})
tensors('negative', {'a': {**one, 'data_offsets': [-16, 0]}})
tensors('backwards', {'a': {**one, 'data_offsets': [16, 0]}})
tensors('overlap', {'a': one, 'b': one})
tensors('shape', {'a': {**one, 'shape': [2**40, 2**40]}})
tensors('shape-negative', {'a': {**one, 'shape': [-4]}})
tensors('dtype', {'a': {**one, 'dtype': 'OBJECT'}})
tensors('no-shape', {'a': {'dtype': 'F32', 'data_offsets': [0, 16]}})
tensors('empty', b'', b'')
tensors('cut', {'a': one}, b'\0'*7)
tensors('shared-with-nothing', {'a': one, '__metadata__': {'shared': '{"b": "c"}'}})
tensors('metadata', {'a': one, '__metadata__': {'shared': '[1'}})

# Archives

def tar(name, words, *members, mode='w:gz'):
    def make(path):
        with tarfile.open(path, mode) as archive:
            for member, content in members:
                member = copy.copy(member)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    case(f'archive-{name}.tgz', 'archive', words, make)

def member(name, **values):
    made = tarfile.TarInfo(name)
    for key, value in values.items(): setattr(made, key, value)
    return made

tar('climbs', 'which points outside its folder', (member('../FLAG'), b'x'))
tar('climbs-later', 'which points outside its folder', (member('a/../../FLAG'), b'x'))
tar('absolute', 'which points outside its folder', (member('/tmp/fastnlp_FLAG'), b'x'))
tar('link', 'is a device, a pipe, or a link', (member('a', type=tarfile.SYMTYPE, linkname='/etc'), b''), (member('a/FLAG'), b'x'))
tar('link-up', 'which points outside its folder', (member('a', type=tarfile.SYMTYPE, linkname='..'), b''), (member('a/FLAG'), b'x'))
tar('hard-link', 'which points outside its folder', (member('a', type=tarfile.LNKTYPE, linkname='/etc/passwd'), b''))
tar('device', 'is a device, a pipe, or a link', (member('a', type=tarfile.CHRTYPE, devmajor=1, devminor=3), b''))
tar('pipe', 'is a device, a pipe, or a link', (member('a', type=tarfile.FIFOTYPE), b''))
case('archive-cut.tgz', 'archive', 'It is damaged or no archive', lambda path: (tar_of(path, b'x'*100_000), path.write_bytes(path.read_bytes()[:60])))
case('archive-empty.tgz', 'archive', 'It is damaged or no archive', lambda path: path.write_bytes(b''))
case('archive-text.tgz', 'archive', 'It is damaged or no archive', lambda path: path.write_text('no archive'))

def tar_of(path, content):
    with tarfile.open(path, 'w:gz') as archive:
        made = tarfile.TarInfo('a.txt')
        made.size = len(content)
        archive.addfile(made, io.BytesIO(content))

def flipped(path):
    tar_of(path, os.urandom(50_000))
    data = bytearray(path.read_bytes())
    data[-6] ^= 0xff
    path.write_bytes(data)
case('archive-flipped.tgz', 'archive', 'It is damaged or no archive', flipped)

def zipped(name, words, *names):
    def make(path):
        with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
            for one in names: archive.writestr(one, 'x')
    case(f'archive-{name}.zip', 'archive', words, make)
zipped('climbs', 'which points outside its folder', '../FLAG')
zipped('absolute', 'which points outside its folder', '/tmp/fastnlp_FLAG')
zipped('climbs-later', 'which points outside its folder', 'a/../../FLAG')
case('archive-cut.zip', 'archive', 'It is damaged or no archive', lambda path: path.write_bytes(b'PK\x03\x04' + b'\0'*40))

def bomb(path):
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive: archive.writestr('zeros', b'\0'*200_000_000)
case('archive-bomb.zip', 'archive', 'would unpack to more than', bomb)

def link_in_zip(path):
    with zipfile.ZipFile(path, 'w') as archive:
        made = zipfile.ZipInfo('link')
        made.external_attr = 0o120777 << 16
        archive.writestr(made, '/etc')
        archive.writestr('link/FLAG', 'x')
case('archive-link.zip', 'archive', 'is a link', link_in_zip)

# JSON, vocabs, language models, stores

def text(name, reader, words, content): case(name, reader, words, lambda path: path.write_bytes(content if isinstance(content, bytes) else content.encode()))
text('deep.json', 'json', 'nested more than 100', '['*200_000)
text('deep-objects.json', 'json', 'nested more than 100', '{"a":'*100_000)
text('cut.json', 'json', 'is not valid JSON', '{"a": 1')
text('latin.json', 'json', 'is not utf-8', 'café'.encode('latin-1'))
text('empty.json', 'json', 'is not valid JSON', '')
text('long-number.json', 'json', 'is not valid JSON', '9'*100_000)
text('vocab-numbers.json', 'vocab', 'holds no vocab', '[1, 2]')
text('vocab-object.json', 'vocab', 'holds no vocab', '{"the": 1}')
text('vocab-nested.json', 'vocab', 'holds no vocab', '[["the"]]')
text('vocab-twice.json', 'vocab', "the token 'the' twice", '["the", "film", "the"]')

def language_model(name, words, change):
    def make(folder):
        shutil.copytree(old/'saved_language_model', folder)
        config = json.loads((folder/'config.json').read_text(encoding='utf-8'))
        change(config, folder)
        (folder/'config.json').write_text(json.dumps(config), encoding='utf-8')
    case(f'lm-{name}', 'language model', words, make)

language_model('layers', 'a whole number from 1 to 100', lambda c, f: c['config'].update(n_layers=10**6))
language_model('bomb', 'describes a model of', lambda c, f: c['config'].update(n_hid=60_000, n_layers=99))
language_model('unknown', 'is no size or dropout', lambda c, f: c['config'].update(weights='/etc/passwd'))
language_model('dropout', 'a number from 0 to 1', lambda c, f: c['config'].update(hidden_p='x'))
language_model('vocab', 'has 1 tokens', lambda c, f: (f/'vocab.json').write_text('["xxunk"]'))
language_model('vocab-size', 'does not say the sizes', lambda c, f: c.update(vocab_sz='32'))

def store(name, words, change):
    def make(folder):
        shutil.copytree(old/'plain_store', folder)
        manifest = json.loads((folder/'manifest.json').read_text(encoding='utf-8'))
        changed = change(manifest, folder)
        (folder/'manifest.json').write_text(json.dumps(manifest if changed is None else changed), encoding='utf-8')
    case(f'store-{name}', 'store', words, make)

def flip(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)

store('file-is-a-number', 'a shard is not described', lambda m, f: m['shards'][0]['ids'].update(file=3))
store('file-is-above', 'a shard is not described', lambda m, f: m['shards'][0]['ids'].update(file='..'))
store('file-elsewhere', 'has 0 bytes', lambda m, f: m['shards'][0]['ids'].update(file='/etc/passwd'))
store('no-shards', 'its shards have 0', lambda m, f: m.update(shards=[]))
store('twice', 'its shards have 6', lambda m, f: m.update(shards=m['shards']*2))
store('flipped', 'its checksum is not', lambda m, f: flip(f/'00000.ids.npy'))
store('list', 'is not the manifest', lambda m, f: [1])
store('pickled', 'has 48 bytes', lambda m, f: (f/'00000.ids.npy').write_bytes(pickle.dumps(Asks(os.system, 'touch FLAG'))) and None)

def adapter(name, words, **changes):
    def make(folder):
        folder.mkdir()
        (folder/'adapter_config.json').write_text(json.dumps({'peft_type': 'LORA', 'r': 2, 'lora_alpha': 4, 'target_modules': ['a'], **changes}), encoding='utf-8')
        data = json.dumps({'base_model.model.a.lora_A.weight': one}).encode()
        (folder/'adapter_model.safetensors').write_bytes(struct.pack('<Q', len(data)) + data + bytes(16))
    case(f'adapter-{name}', 'adapter', words, make)

adapter('rank', 'a whole number', r=10**12)
adapter('rank-text', 'a whole number', r='2')
adapter('slow-pattern', 'that is quick on any name', target_modules='(a+)+$')
adapter('targets', 'a text of at most', target_modules=[3])
adapter('dropout', 'a number from 0 to 1', lora_dropout=7)
adapter('mapping', 'which this course does not build', layers_pattern='evil')
adapter('other-kind', 'not a LoRA adapter', peft_type='IA3')
adapter('list', 'does not say', target_modules=[])

def sizes(name, words, **changes):
    "A classifier for transformers with other sizes."
    def make(folder):
        shutil.copytree(old/'in_transformers', folder)
        config = json.loads((folder/'config.json').read_text(encoding='utf-8'))
        (folder/'config.json').write_text(json.dumps({**config, **changes}), encoding='utf-8')
    case(f'sizes-{name}', 'classifier in transformers', words, make)

sizes('layers', 'a whole number from 1 to 100', n_layers=10**9)
sizes('units', 'a whole number from 1 to', n_hid=10**9)
sizes('chunks', 'a whole number from 1 to', seq_len=-72)
sizes('dropout', 'a number from 0 to 1', hidden_p=-1.)

def write_all(folder):
    "Write every file below `folder`: {name: (path, how it is read, words of the sentence)}."
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for name, reader, make, words in cases:
        make(folder/name)
        written[name] = folder/name, reader, words
    return written

if __name__ == '__main__':
    written = write_all(sys.argv[1])
    print(f'{len(written)} files in {sys.argv[1]}')
