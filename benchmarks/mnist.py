"""MNIST as in the lesson "Beyond text": ResNet-18 from scratch, 60,000 pictures to train, accuracy on the 10,000 test digits, on two cores.

    python benchmarks/mnist.py --data ../shared/data --write     the whole; an interrupted call goes on with the next epoch
    python benchmarks/mnist.py --train 2000 --epochs 1           a try
"""
import argparse, os, random, sys, time
from pathlib import Path
from common import machine, write_section
import torch
from fastnlp_course.bridges.vision import ImageBlock, resnet18, vision_learner
from fastnlp_course.bridges.images import PILImageBW
from fastnlp_course.files import read_json, set_seed, write_json
from fastnlp_course.training.learner import Callback
from fastnlp_course.training.checkpoint import CheckpointCallback
from fastnlp_course.training.metrics import accuracy
from fastnlp_course.data.data_block import CategoryBlock, DataBlock
from fastnlp_course.data.splitters import GrandparentSplitter
from fastnlp_course.data.getters import parent_label
from fastnlp_course.training.schedules import fit_flat_cos# noqa: F401, adds the schedules to Learner
from fastnlp_course.sources import URLs, get_image_files, untar_data

limit_seconds, limit_accuracy = 600, 0.99

class Clock(Callback):
    "Adds up the seconds of all calls in a file: what an interrupted call did counts too."
    order = 90  # after the checkpoint is written
    def __init__(self, file, started):
        self.file, self.last = file, started
    @property
    def seconds(self): return read_json(self.file)['seconds'] if self.file.exists() else 0.
    def note(self):
        now = time.perf_counter()
        write_json(self.file, {'seconds': self.seconds + now - self.last})
        self.last = now
    def after_epoch(self):
        if self.epoch >= self.learn.checkpoint.start: self.note()

def pictures(folder, n_train, bs, seed):
    "Loaders for the training and the test files, perhaps only some."
    files = sorted(get_image_files(folder))
    if n_train:
        chance = random.Random(seed)
        train = [file for file in files if file.parent.parent.name == 'training']
        test = [file for file in files if file.parent.parent.name == 'testing']
        files = chance.sample(train, n_train) + chance.sample(test, min(len(test), max(100, n_train//6)))
    block = DataBlock(blocks=(ImageBlock(PILImageBW), CategoryBlock), get_y=parent_label, splitter=GrandparentSplitter(train_name='training', valid_name='testing'))
    return block.dataloaders(files, bs=bs, val_bs=500)

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data', help='folder that holds mnist/ with the idx files; downloaded if left out')
    parser.add_argument('--train', type=int, help='so many training pictures, and a sixth of that for testing; all if left out')
    parser.add_argument('--epochs', type=int, default=3)
    parser.add_argument('--bs', type=int, default=128)
    parser.add_argument('--lr', type=float, default=5e-3)
    parser.add_argument('--seed', type=int, default=42)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--runs', default='benchmark_runs', help='folder for the PNG files, the checkpoint and the clock')
    parser.add_argument('--write', action='store_true', help='write the section of results.md')
    given = parser.parse_args()
    if given.data: os.environ['FASTNLP_DATA'] = given.data
    torch.set_num_threads(given.threads)
    folder = untar_data(URLs.MNIST, base=given.runs)      # writing 70,000 files is not timed
    started = time.perf_counter()
    set_seed(given.seed)
    name = f'mnist-{given.train or "all"}-{given.epochs}-{given.bs}-{given.lr}-{given.seed}'
    learn = vision_learner(pictures(folder, given.train, given.bs, given.seed), resnet18, pretrained=False, metrics=accuracy, path=Path(given.runs), model_dir='.')
    clock = Clock(Path(given.runs)/f'{name}.clock.json', started)
    learn.fit_one_cycle(given.epochs, given.lr, cbs=[CheckpointCallback(name), clock])
    share, seconds = float(learn.final_record[-1]), clock.seconds
    clock.file.unlink()
    n_train, n_test = len(learn.dls.train_ds), len(learn.dls.valid_ds)
    text = (f'`python benchmarks/mnist.py --data FOLDER --write`: ResNet-18 from random weights, {n_train:,} PNG files of 28 by 28 pixels, {given.epochs} epochs of one-cycle training, bs {given.bs}, '
            f'top rate {given.lr}, seed {given.seed}, {given.threads} threads. The test digits were looked at after each epoch, and nothing was chosen by them. {machine()}.\n\n'
            f'| test digits | accuracy | seconds, with reading and testing |\n| --- | --- | --- |\n| {n_test:,} | {share:.2%} | {seconds:.0f} |')
    print(text)
    if given.write: write_section('MNIST', text)
    if not given.train and (share < limit_accuracy or seconds > limit_seconds):
        sys.exit(f'{share:.2%} in {seconds:.0f} s misses {limit_accuracy:.0%} in {limit_seconds} s')

if __name__ == '__main__': main()
