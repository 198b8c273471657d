"Pictures: fast.ai's ten lines after changing the import, what is not a picture, and weights under the names of others."
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import fastnlp_course.all as lib
globals().update({name: getattr(lib, name) for name in vars(lib) if not name.startswith(('_', 'test'))})
from fastnlp_course.bridges.images import *
from fastnlp_course.bridges.vision import *

def write_digits(path, n=360, size=16):
    "The first digits of scikit-learn in fast.ai's layout of MNIST: training/3/17.png, testing/5/301.png."
    from sklearn.datasets import load_digits
    digits = load_digits()
    for i in range(n):
        parent = path/('training' if i < n*5//6 else 'testing')/str(digits.target[i])
        parent.mkdir(parents=True, exist_ok=True)
        pixels = (digits.images[i]*255/16).round().astype(np.uint8)
        Image.fromarray(pixels).resize((size, size)).save(parent/f'{i}.png')
    return path

@pytest.fixture(scope='module')
def digits(tmp_path_factory):
    return write_digits(tmp_path_factory.mktemp('pictures')/'mnist_png')

@pytest.fixture(autouse=True)
def closed_figures():
    import matplotlib.pyplot as plt
    yield
    plt.close('all')

def quiet(learn):
    learn.logger = lambda row: None
    return learn

def test_ten_lines(digits, monkeypatch):
    "The lines of the lesson as they stand; only the path is another."
    import matplotlib.pyplot as plt
    monkeypatch.chdir(digits)
    set_seed(0)
    path = digits
    fnames = get_image_files(path)
    def label_func(x): return x.parent.name
    dls = ImageDataLoaders.from_path_func(path, fnames=fnames, label_func=label_func, num_workers=0)
    dls.show_batch()
    assert len(plt.gcf().axes) == 9
    learn = cnn_learner(dls, arch=resnet18, metrics=accuracy)
    suggested = learn.lr_find(num_it=10)
    assert suggested.valley > 0
    learn.fine_tune(epochs=2, base_lr=1e-2, freeze_epochs=1)
    assert len(learn.recorder.values) == 2
    learn.show_results()
    assert len(plt.gcf().axes) == 9 and plt.gcf().axes[0].get_title().split('\n')[0] in dls.vocab
    interp = Interpretation.from_learner(learn)
    interp.plot_top_losses(9, figsize=(15,10))
    figure = plt.gcf()
    assert tuple(figure.get_size_inches()) == (15, 10)
    prediction, target, loss, probability = figure.axes[0].get_title().split(' / ')
    assert prediction in dls.vocab and target in dls.vocab and 0 < float(probability) <= 1
    assert float(loss) == pytest.approx(float(interp.losses.max()), abs=0.01)
    confusion = ClassificationInterpretation.from_learner(learn)
    matrix = confusion.confusion_matrix()
    assert matrix.shape == (10, 10) and matrix.sum() == len(dls.valid_ds)
    confusion.plot_confusion_matrix(figsize=(5, 5))

def test_names_of_fastai(digits):
    "Argument names, the order of arguments, and defaults of `fastai.vision`."
    import inspect
    def arguments(function): return list(inspect.signature(function).parameters)
    assert arguments(ImageDataLoaders.from_path_func)[:8] == ['path', 'fnames', 'label_func', 'valid_pct', 'seed', 'item_tfms', 'batch_tfms', 'img_cls']
    assert arguments(ImageDataLoaders.from_folder)[:9] == ['path', 'train', 'valid', 'valid_pct', 'seed', 'vocab', 'item_tfms', 'batch_tfms', 'img_cls']
    assert arguments(ImageDataLoaders.from_name_func)[:3] == ['path', 'fnames', 'label_func']
    assert inspect.signature(ImageDataLoaders.from_path_func).parameters['valid_pct'].default == 0.2
    folder = ImageDataLoaders.from_folder(digits, train='training', valid='testing', img_cls=PILImageBW)
    assert (len(folder.train_ds), len(folder.valid_ds), folder.bs) == (300, 60, 64)
    by_name = ImageDataLoaders.from_name_func(digits, get_image_files(digits), label_func=lambda name: name[0] == '1', seed=1)
    assert list(by_name.vocab) == [False, True]
    by_pattern = ImageDataLoaders.from_path_re(digits, get_image_files(digits), r'(\d)/\d+\.png$', seed=1)
    assert list(by_pattern.vocab) == list('0123456789')

def test_table_with_several_labels(digits):
    files = sorted(get_image_files(digits))[:60]
    table = pd.DataFrame({'name': [str(file.relative_to(digits)) for file in files], 'labels': [f'digit {file.parent.name}' if i % 3 else '' for i, file in enumerate(files)]})
    dls = ImageDataLoaders.from_df(table, path=digits, label_delim=' ', seed=0, bs=8)
    x, y = dls.one_batch()
    assert x.shape == (8, 3, 16, 16) and y.shape == (8, len(dls.vocab)) and 'digit' in dls.vocab
    dls.show_batch(max_n=2)

def test_real_digits(reference, tmp_path, monkeypatch):
    "fast.ai's URLs.MNIST_TINY, laid out from the data at hand."
    monkeypatch.setenv('FASTNLP_DATA', str(reference/'data'))
    path = untar_data(URLs.MNIST_TINY, base=tmp_path)
    dls = ImageDataLoaders.from_folder(path, img_cls=PILImageBW)
    x, y = dls.one_batch()
    assert x.shape == (64, 1, 28, 28) and list(dls.vocab) == ['3', '7']

# what is no picture

def test_file_that_is_no_picture(digits, tmp_path):
    for name, content in {'text.png': b'not a picture', 'empty.png': b'', 'cut.png': next(iter(get_image_files(digits))).read_bytes()[:60]}.items():
        (tmp_path/name).write_bytes(content)
        with pytest.raises(ValueError, match=f'{name} is not a picture that PIL can read') as error:
            PILImage.create(tmp_path/name)
        assert '\n' not in str(error.value)
    with pytest.raises(FileNotFoundError, match='there is no file .*nowhere.png'):
        PILImage.create(tmp_path/'nowhere.png')
    with pytest.raises(TypeError, match='cannot be made from a int'):
        PILImage.create(3)
    good = get_image_files(digits)[:2]
    assert verify_images([*good, *sorted(tmp_path.iterdir())]) == sorted(tmp_path.iterdir())

def test_one_bad_file_among_many(digits, tmp_path):
    "Training names the file."
    import shutil
    files = sorted(get_image_files(digits))[:40]
    for i, file in enumerate(files):
        shutil.copy(file, tmp_path/f'{file.parent.name}_{i}.png')
    (tmp_path/'7_broken.png').write_bytes(b'no picture')
    dls = ImageDataLoaders.from_name_func(tmp_path, get_image_files(tmp_path), lambda name: name[0], valid_pct=0.5, seed=3, bs=4)
    with pytest.raises(ValueError, match='7_broken.png is not a picture'):
        for loader in dls:
            list(loader)

def test_mixed_sizes(digits, tmp_path):
    for i in range(12):
        Image.new('RGB', (20, 20 + i % 2)).save(tmp_path/f'{i % 3}_{i}.png')
    dls = ImageDataLoaders.from_name_func(tmp_path, get_image_files(tmp_path), lambda name: name[0], seed=0, bs=8)
    with pytest.raises(RuntimeError, match=r'_\d+\.png has 20 by 2[01] pixels and .*_\d+\.png has 20 by 2[01] pixels: pass item_tfms=Resize') as error:
        dls.one_batch()
    assert '\n' not in str(error.value)
    dls = ImageDataLoaders.from_name_func(tmp_path, get_image_files(tmp_path), lambda name: name[0], seed=0, bs=8, item_tfms=Resize(16))
    assert dls.one_batch()[0].shape == (8, 3, 16, 16)

def test_mixed_modes(tmp_path):
    "Everything PIL can write becomes three channels of a byte, or one."
    levels = np.linspace(0, 255, 16).astype(np.uint8).reshape(4, 4)
    grey = Image.fromarray(levels)
    for mode in ('L', 'RGB', 'RGBA', 'P', 'LA', 'CMYK', '1'):
        grey.convert(mode).save(tmp_path/f'{mode}.tiff')
    Image.fromarray(levels.astype(np.uint16)*257).save(tmp_path/'16bit.png')
    Image.fromarray(levels.astype(np.int32)*257).save(tmp_path/'32bit.tiff')
    colour = [PILImage.create(file) for file in sorted(tmp_path.iterdir())]
    assert {image.mode for image in colour} == {'RGB'} and {image.shape for image in colour} == {(4, 4)}
    for file in sorted(tmp_path.iterdir()):
        image = PILImageBW.create(file)
        assert image.mode == 'L' and isinstance(image, PILImageBW)
        if file.stem not in ('1', 'CMYK'):
            assert np.abs(np.asarray(image).astype(int) - levels).max() <= 1, file.name

def test_one_class(digits):
    only = [file for file in get_image_files(digits) if file.parent.name == '4']
    with pytest.raises(ValueError, match=r"all labels of the training set are the same: \['4'\]"):
        ImageDataLoaders.from_path_func(digits, only, parent_label, seed=0)

def test_empty_folder(tmp_path):
    with pytest.raises(ValueError, match='there are no pictures to load: fnames is empty'):
        ImageDataLoaders.from_path_func(tmp_path, get_image_files(tmp_path), parent_label)
    with pytest.raises(ValueError, match=f"{tmp_path} holds no image file in its folders 'train' and 'valid'"):
        ImageDataLoaders.from_folder(tmp_path)
    with pytest.raises(ValueError, match='holds no image file'):
        ImageDataLoaders.from_folder(tmp_path/'not_there', valid_pct=0.2)

def test_label_function_that_raises(digits):
    files = sorted(get_image_files(digits))
    def label_func(file):
        return {'0': 'even', '1': 'odd'}[file.parent.name]
    with pytest.raises(ValueError, match=r"label_func raised KeyError \('\d'\) at .*\.png: correct it") as error:
        ImageDataLoaders.from_path_func(digits, files, label_func, seed=0)
    assert '\n' not in str(error.value)
    with pytest.raises(ValueError, match=r'label_func returned None for .*\.png'):
        ImageDataLoaders.from_path_func(digits, files, lambda file: None, seed=0)
    with pytest.raises(ValueError, match='does not fit'):
        ImageDataLoaders.from_name_re(digits, files, r'(letter)', seed=0)

def test_learner_refuses(digits):
    dls = ImageDataLoaders.from_folder(digits, train='training', valid='testing', img_cls=PILImageBW)
    with pytest.raises(ValueError, match="architecture 'resnet99' is not known"):
        vision_learner(dls, 'resnet99', pretrained=False)
    with pytest.raises(TypeError, match='does not make a nn.Sequential'):
        vision_learner(dls, lambda n_in: nn.Linear(n_in, 3), pretrained=False)
    with pytest.raises(FileNotFoundError, match='there is no file of weights nowhere'):
        vision_learner(dls, resnet18, weights='nowhere')
    with pytest.raises(ValueError, match='are missing'):
        vision_learner(dls, resnet18, weights={'conv1.weight': torch.zeros(64, 3, 7, 7)})
    texts = DataLoaders([(torch.zeros(4, 7), torch.zeros(4))], [])
    with pytest.raises(TypeError, match=r'of shape \(7,\), not a picture'):
        vision_learner(texts, resnet18, n_out=2, pretrained=False)

# sizes

@pytest.mark.parametrize('method', ['crop', 'pad', 'squish'])
@pytest.mark.parametrize('shape', [(1, 1), (3, 50), (40, 7), (33, 64), (200, 200)])
def test_every_size_becomes_the_size(method, shape):
    for cls in (PILImage, PILImageBW):
        image = cls.create(np.full(shape, 77, np.uint8))
        for mode in ('zeros', 'border', 'reflection') if method == 'pad' else ('reflection',):
            resized = Resize((12, 20), method=method, pad_mode=mode)(image)
            assert resized.shape == (12, 20) and type(resized) is cls
            if mode != 'zeros':
                assert np.abs(np.asarray(resized).astype(int) - 77).max() <= 1

def test_bytes_and_floats_round_trip():
    "What goes in comes out: bytes to floats, normalized, and back."
    x = torch.randint(256, (4, 3, 5, 5), dtype=torch.uint8)
    y = torch.tensor([1, 2, 3, 0])
    steps = [IntToFloatTensor(), Normalize.from_stats(*imagenet_stats)]
    b = (x, y)
    for step in steps: b = step(b)
    assert b[0].dtype == torch.float32 and b[1] is y
    assert torch.allclose(b[0], (x/255 - torch.tensor(imagenet_stats[0]).view(3, 1, 1))/torch.tensor(imagenet_stats[1]).view(3, 1, 1), atol=1e-6)
    for step in reversed(steps): b = step.decode(b)
    assert torch.equal(b[0], x) and b[1] is y
    assert torch.equal(ToTensor()(ToTensor().decode(x[0])), x[0])

def test_augmentation_is_for_training(digits):
    dls = ImageDataLoaders.from_folder(digits, train='training', valid='testing', batch_tfms=aug_transforms(max_rotate=30., size=20), bs=8)
    assert dls.train.one_batch()[0].shape == dls.valid.one_batch()[0].shape == (8, 3, 20, 20)
    first, again = dls.valid.one_batch()[0], dls.valid.one_batch()[0]
    assert torch.equal(first, again) and first.min() >= 0 and first.max() <= 1
    x = torch.rand(16, 3, 9, 9)
    assert torch.allclose(Augment(do_flip=False, max_rotate=0, max_zoom=1, max_lighting=0)._moved(x), x, atol=1e-5)
    mirrored = Augment(do_flip=True, max_rotate=0, max_zoom=1)._moved(x)
    same = [torch.allclose(a, b, atol=1e-5) for a, b in zip(mirrored, x)]
    assert all(good or torch.allclose(a, b.flip(-1), atol=1e-5) for good, a, b in zip(same, mirrored, x)) and 0 < sum(same) < 16

# weights

def test_equal_to_transformers():
    "Ours with the weights of a ResNet of transformers gives the same outputs, in training too."
    transformers = pytest.importorskip('transformers')
    for depths, make in (([2, 2, 2, 2], resnet18), ([3, 4, 6, 3], resnet34)):
        torch.manual_seed(0)
        config = transformers.ResNetConfig(layer_type='basic', depths=depths, hidden_sizes=[64, 128, 256, 512], num_labels=7)
        theirs = transformers.ResNetForImageClassification(config)
        ours = make(n_out=7)
        weights = resnet_names(theirs.state_dict())
        assert set(weights) == set(ours.state_dict())
        ours.load_state_dict(weights)
        x = torch.randn(2, 3, 64, 64)
        for mode in (True, False):
            theirs.train(mode), ours.train(mode)
            assert torch.allclose(theirs(x).logits, ours(x), atol=1e-5)

def test_names_of_torchvision():
    "The names and shapes that torchvision and timm publish for ResNet-18."
    state = resnet18().state_dict()
    assert len(state) == 122 and sum(p.numel() for p in resnet18().parameters()) == 11_689_512
    assert state['layer2.0.downsample.0.weight'].shape == (128, 64, 1, 1) and state['fc.weight'].shape == (1000, 512)
    assert state['layer4.1.bn2.running_var'].shape == (512,) and state['conv1.weight'].shape == (64, 3, 7, 7)
    assert sum(p.numel() for p in resnet34().parameters()) == 21_797_672

def test_grey_weights_for_colour_and_back(digits):
    "A grey picture gives the same features through the network for colour and through its grey version."
    dls = ImageDataLoaders.from_folder(digits, train='training', valid='testing')
    colour = vision_learner(dls, resnet18, pretrained=False).model[0].eval()
    grey = load_body(resnet18(n_in=1)[:-3], colour.state_dict()).eval()
    back = load_body(resnet18(n_in=3)[:-3], grey.state_dict()).eval()
    x = torch.rand(2, 1, 32, 32)
    assert torch.allclose(colour(x.expand(-1, 3, -1, -1)), grey(x), atol=1e-4)
    assert torch.allclose(back(x.expand(-1, 3, -1, -1)), grey(x), atol=1e-4)

def test_saved_body_is_frozen_and_equal(digits, tmp_path):
    dls = ImageDataLoaders.from_folder(digits, train='training', valid='testing', img_cls=PILImageBW)
    first = vision_learner(dls, resnet18, pretrained=False, path=tmp_path)
    file = first.save('first')
    second = vision_learner(dls, resnet18, weights=file)
    for name, tensor in first.model[0].state_dict().items():
        assert torch.equal(second.model[0].state_dict()[name], tensor)
    frozen = [p.requires_grad for name, p in second.model.named_parameters() if name.startswith('0.') and 'bn' not in name and 'downsample.1' not in name]
    assert not any(frozen) and all(p.requires_grad for p in second.model[1].parameters())
    assert second.factory[0] == 'vision_learner' and len(second.opt.param_lists) == 3

def test_export(digits, tmp_path):
    "An exported learner predicts the same, from a path, a picture or an array, in a process of its own."
    dls = ImageDataLoaders.from_folder(digits, train='training', valid='testing', img_cls=PILImageBW, item_tfms=Resize(16), batch_tfms=[Normalize(), *aug_transforms(size=18)])
    learn = quiet(vision_learner(dls, resnet18, pretrained=False, path=tmp_path, metrics=accuracy))
    learn.fit(1, 1e-3)
    file = sorted(get_image_files(digits))[5]
    expected = learn.predict(file)
    assert expected[0] in dls.vocab
    folder = learn.export('digits')
    program = ('import sys, json; from fastnlp_course.all import *\n'
               'learn = load_learner(sys.argv[1]); picture = PILImage.create(sys.argv[2])\n'
               'print(json.dumps([learn.predict(item)[2].tolist() for item in (sys.argv[2], picture, PILImageBW.create(picture))]))')
    done = subprocess.run([sys.executable, '-c', program, str(folder), str(file)], stdout=subprocess.PIPE, text=True, check=True)
    for probabilities in json.loads(done.stdout.splitlines()[-1]):
        assert torch.allclose(torch.tensor(probabilities), expected[2], atol=1e-5)

def test_no_name_twice():
    "What `import *` brings hides nothing that another room brings."
    import importlib
    from fastnlp_course.bridges import images as ours
    for module in Path(lib.__file__).parent.glob('*.py'):
        if module.stem in ('beyond_text', 'all', '__init__', '_modidx', 'cli', 'hf_models'): continue
        other = importlib.import_module(f'fastnlp_course.{module.stem}')
        assert not set(ours.__all__) & set(getattr(other, '__all__', [])), module.stem
