"""`from fastnlp_course.all import *`: the whole library, and the names that code of the fast.ai course expects to find.

Heavy libraries stay unloaded until a function needs them; `plt` loads matplotlib when it is first used.
"""
import functools
import inspect
import io
import itertools
import json
import math
import operator
import os
import random
import re
import shutil
import sys
import time
from collections import Counter, OrderedDict, defaultdict, namedtuple
from copy import copy, deepcopy
from functools import partial, reduce
from itertools import chain, islice
from operator import attrgetter, itemgetter
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from fastcore.basics import (AttrDict, GetAttr, Self, basic_repr, concat, even_mults, first, getattrs, ifnone, last, listify, merge, nested_attr,
                             num_cpus, patch, patch_to, range_of, risinstance, setify, store_attr, tuplify, uniqueify)
from fastcore.imports import is_iter, noop
from fastcore.foundation import L, add_docs, coll_repr, docs, mask2idxs
from fastcore.meta import delegates
from fastcore.test import is_close, test_close, test_eq, test_fail, test_is, test_ne, test_stdout
from torch import nn, optim
from torch.nn import Module

from fastnlp_course.files import *
from fastnlp_course.sources import *
from fastnlp_course.tokenization import *
from fastnlp_course.subwords import *
from fastnlp_course.numericalization import *
from fastnlp_course.dataloaders import *
from fastnlp_course.lm_dataloader import *
from fastnlp_course.losses import *
from fastnlp_course.pipeline import *
from fastnlp_course.metrics import *
from fastnlp_course.optimizer import *
from fastnlp_course.learner import *
from fastnlp_course.schedules import *
from fastnlp_course.awd_lstm import *
from fastnlp_course.ulmfit import *
from fastnlp_course.demo import *
from fastnlp_course.see_inside import *
from fastnlp_course.hf_bridge import *
from fastnlp_course.lora import *
from fastnlp_course.validation import *
from fastnlp_course.patents import *
from fastnlp_course.beyond_text import *
from fastnlp_course.loops import *
from fastnlp_course.scaling import *
from fastnlp_course.distributed import *
from fastnlp_course.pretraining import *
