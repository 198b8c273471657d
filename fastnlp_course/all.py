"""`from fastnlp_course.all import *`: the whole library, and the names that code of the fast.ai course expects to find.

Heavy libraries stay unloaded until a function needs them; `plt` loads matplotlib when it is first used, `pd` pandas.
"""
import bz2
import collections
import concurrent.futures
import csv
import enum
import functools
import glob
import hashlib
import inspect
import io
import itertools
import json
import math
import mimetypes
import multiprocessing
import numbers
import operator
import os
import pickle
import platform
import random
import re
import shutil
import string
import sys
import tarfile
import tempfile
import threading
import time
import types
import typing
import urllib.request
import warnings
import zipfile
from collections import Counter, OrderedDict, defaultdict, namedtuple
from collections.abc import MutableMapping, MutableSequence
from concurrent.futures import as_completed
from contextlib import contextmanager, redirect_stdout
from copy import copy, deepcopy
from datetime import datetime
from enum import Enum, IntEnum
from functools import partial, reduce
from itertools import chain, dropwhile, islice, starmap, takewhile, zip_longest
from multiprocessing import Lock, Process, Queue, queues
from numbers import Number, Real
from operator import attrgetter, itemgetter, methodcaller
from pathlib import Path
from pdb import set_trace
from textwrap import TextWrapper
from types import BuiltinFunctionType, BuiltinMethodType, FunctionType, LambdaType, MethodDescriptorType, MethodType, MethodWrapperType, NoneType, SimpleNamespace, WrapperDescriptorType
from typing import Any, Callable, Dict, Generator, Iterable, Iterator, List, Optional, Sequence, Set, Tuple, TypeVar, Union
from urllib.request import urlopen
from warnings import warn

import numpy as np
import torch
import torch.nn.functional as F
from fastcore.basics import *
from fastcore.foundation import *
from fastcore.imports import *
from fastcore.meta import *
from fastcore.parallel import *
from fastcore.script import *
from fastcore.test import *
from fastcore.xtras import *
from numpy import array, ndarray
from torch import ByteTensor, DoubleTensor, FloatTensor, HalfTensor, LongTensor, Tensor, as_tensor, nn, optim
from torch.utils.data import BatchSampler, IterableDataset, RandomSampler, Sampler, SequentialSampler, default_collate, default_convert, get_worker_info

from fastnlp_course.lazy_modules import *
from fastnlp_course.archives import *
from fastnlp_course.files import *
from fastnlp_course.folders import *
from fastnlp_course.downloads import *
from fastnlp_course.registry import *
from fastnlp_course.sources import *
from fastnlp_course.text.table_files import *
from fastnlp_course.text.tokenization import *
from fastnlp_course.text.marks import *
from fastnlp_course.text.fast_tokenization import *
from fastnlp_course.text.tokenizer import *
from fastnlp_course.text.subwords import *
from fastnlp_course.text.subword_models import *
from fastnlp_course.text.numericalization import *
from fastnlp_course.text.token_store import *
from fastnlp_course.text.read_texts import *
from fastnlp_course.text.counting import *
from fastnlp_course.text.ray_blocks import *
from fastnlp_course.text.corpus import *
from fastnlp_course.data.borrowed import *
from fastnlp_course.data.shown import *
from fastnlp_course.data.tensor_tools import *
from fastnlp_course.data.collate import *
from fastnlp_course.data.loader_hooks import *
from fastnlp_course.data.dataloaders import *
from fastnlp_course.data.padding import *
from fastnlp_course.data.token_stream import *
from fastnlp_course.data.lm_dataloader import *
from fastnlp_course.data.overloads import *
from fastnlp_course.data.transforms import *
from fastnlp_course.data.item_lists import *
from fastnlp_course.data.splitters import *
from fastnlp_course.data.new_items import *
from fastnlp_course.data.getters import *
from fastnlp_course.data.targets import *
from fastnlp_course.data.block_checks import *
from fastnlp_course.data.data_block import *
from fastnlp_course.data.block_details import *
from fastnlp_course.data.weighted import *
from fastnlp_course.data.text_data import *
from fastnlp_course.data.data_config import *
from fastnlp_course.training.losses import *
from fastnlp_course.training.loss_details import *
from fastnlp_course.training.metrics import *
from fastnlp_course.training.sklearn_metrics import *
from fastnlp_course.training.more_metrics import *
from fastnlp_course.training.directions import *
from fastnlp_course.training.optimizer import *
from fastnlp_course.training.optimizer_details import *
from fastnlp_course.training.more_optimizers import *
from fastnlp_course.training.outputs import *
from fastnlp_course.training.learner import *
from fastnlp_course.training.full_loop import *
from fastnlp_course.training.contexts import *
from fastnlp_course.training.groups import *
from fastnlp_course.training.recorder import *
from fastnlp_course.training.synthetic import *
from fastnlp_course.training.hooks import *
from fastnlp_course.training.predictions import *
from fastnlp_course.training.tta import *
from fastnlp_course.training.callbacks import *
from fastnlp_course.training.precision import *
from fastnlp_course.training.saving import *
from fastnlp_course.training.checkpoint import *
from fastnlp_course.training.export import *
from fastnlp_course.training.schedules import *
from fastnlp_course.training.more_schedules import *
from fastnlp_course.training.lr_finder import *
from fastnlp_course.training.interpret import *
from fastnlp_course.training.validation import *
from fastnlp_course.training.guards import *
from fastnlp_course.training.calibration import *
from fastnlp_course.models.layers import *
from fastnlp_course.models.awd_lstm import *
from fastnlp_course.models.text_models import *
from fastnlp_course.models.pictures import *
from fastnlp_course.models.rnn_callbacks import *
from fastnlp_course.models.pretrained import *
from fastnlp_course.models.generation import *
from fastnlp_course.models.ulmfit import *
from fastnlp_course.models.chunked_decoder import *
from fastnlp_course.models.see_inside import *
from fastnlp_course.models.pretraining import *
from fastnlp_course.models.known_words import *
from fastnlp_course.models.lm_files import *
from fastnlp_course.models.lm_runs import *
from fastnlp_course.models.lora import *
from fastnlp_course.models.lora_files import *
from fastnlp_course.models.lora_plain import *
from fastnlp_course.models.attention import *
from fastnlp_course.models.transformer import *
from fastnlp_course.models.transformer_speed import *
from fastnlp_course.models.transformer_files import *
from fastnlp_course.bridges.hf_tokenizers import *
from fastnlp_course.bridges.hf_batches import *
from fastnlp_course.bridges.hf_lazy import *
from fastnlp_course.bridges.transformers import *
from fastnlp_course.bridges.checks import *
from fastnlp_course.bridges.more_checks import *
from fastnlp_course.bridges.lightning import *
from fastnlp_course.bridges.tensorboard import *
from fastnlp_course.bridges.sharing import *
from fastnlp_course.bridges.onnx_export import *
from fastnlp_course.bridges.distributed import *
from fastnlp_course.bridges.picture_files import *
from fastnlp_course.bridges.images import *
from fastnlp_course.bridges.augment import *
from fastnlp_course.bridges.image_grid import *
from fastnlp_course.bridges.picture_rows import *
from fastnlp_course.bridges.vision import *
from fastnlp_course.applications.tables import *
from fastnlp_course.applications.stages import *
from fastnlp_course.applications.report import *
from fastnlp_course.applications.reviews import *
from fastnlp_course.applications.commands import *
from fastnlp_course.applications.cpc import *
from fastnlp_course.applications.encoders import *
from fastnlp_course.applications.pair_columns import *
from fastnlp_course.applications.pairs import *
from fastnlp_course.applications.pair_folds import *
from fastnlp_course.applications.pair_errors import *
from fastnlp_course.applications.joint import *
from fastnlp_course.applications.pair_baselines import *
from fastnlp_course.applications.kaggle import *
from fastnlp_course.applications.tfidf_model import *
from fastnlp_course.applications.onnx_folder import *
from fastnlp_course.applications.frozen_model import *
from fastnlp_course.applications.text_task import *
from fastnlp_course.applications.predictors import *
from fastnlp_course.applications.serving import *
from fastnlp_course.applications.backbones import *
from fastnlp_course.applications.contest import *
from fastnlp_course.applications.train_table import *
from fastnlp_course.applications.reproduce import *
from fastnlp_course.applications.predict_table import *
from fastnlp_course.applications.languages import *
from fastnlp_course.applications.judging import *
from fastnlp_course.applications.row_checks import *
from fastnlp_course.applications.page import *
from fastnlp_course.applications.app import *
from fastnlp_course.applications.space import *
from fastnlp_course.applications.deploy import *
from fastnlp_course.applications.cards import *
from fastnlp_course.applications.contest_report import *
from fastnlp_course.exercises.core import *
from fastnlp_course.exercises.capstone import *

register_when_loaded()      # an AWD-LSTM is known to transformers when a program loads that
