"""The addresses that modules had before the wings: `from fastnlp_course.lora import add_lora` finds `fastnlp_course.models.lora`.

An old address is a module made when somebody asks for it. It holds the public names of the rooms that its code went to, and says
in a DeprecationWarning where they are. `tests/test_old_layout.py` asks each for every name that it had.
"""
import importlib
import sys
import warnings
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec

rooms_of = {
    'awd_lstm': 'models.awd_lstm models.text_models',
    'beyond_text': 'bridges.images bridges.picture_files bridges.augment bridges.image_grid bridges.vision',
    'dataloaders': 'data.collate data.loader_hooks data.shown data.dataloaders data.padding',
    'demo': 'applications.stages applications.reviews applications.tables text.table_files applications.report applications.commands',
    'distributed': 'bridges.sharing bridges.distributed',
    'hf_bridge': 'bridges.hf_tokenizers bridges.transformers bridges.hf_batches bridges.checks data.block_checks',
    'hf_models': 'bridges.ulmfit_models bridges.ulmfit_tokenizer bridges.ulmfit_in_transformers',
    'learner': 'training.learner training.full_loop training.outputs training.optimizer training.recorder training.hooks training.predictions training.callbacks training.groups models.rnn_callbacks training.precision training.saving training.checkpoint training.export training.interpret',
    'lm_dataloader': 'data.token_stream data.lm_dataloader',
    'loops': 'bridges.lightning bridges.tensorboard',
    'lora': 'models.lora models.lora_files',
    'losses': 'training.losses training.loss_details',
    'metrics': 'training.metrics training.sklearn_metrics training.more_metrics',
    'numericalization': 'text.numericalization text.token_store',
    'optimizer': 'training.optimizer training.more_optimizers',
    'patents': 'applications.pairs applications.cpc applications.kaggle applications.encoders applications.pair_columns applications.pair_folds applications.joint applications.pair_errors',
    'pipeline': 'data.overloads data.transforms data.shown data.item_lists data.new_items data.splitters data.getters data.text_data data.targets data.data_block data.data_config',
    'pretraining': 'models.pretraining models.lm_files models.lm_runs',
    'scaling': 'text.read_texts text.counting text.corpus',
    'schedules': 'training.schedules training.more_schedules training.lr_finder',
    'see_inside': 'models.see_inside',
    'subwords': 'text.subwords text.subword_models',
    'tokenization': 'text.tokenization text.fast_tokenization text.tokenizer',
    'ulmfit': 'models.pretrained models.ulmfit models.generation',
    'validation': 'training.validation training.guards training.calibration',
}

class OldAddress(MetaPathFinder, Loader):
    "Finds and fills the modules of `rooms_of`."
    def find_spec(self, fullname, path=None, target=None):
        package, _, name = fullname.rpartition('.')
        return ModuleSpec(fullname, self) if package == 'fastnlp_course' and name in rooms_of else None

    def create_module(self, spec): return None

    def exec_module(self, module):
        names = rooms_of[module.__name__.rpartition('.')[2]].split()
        rooms = [importlib.import_module(f'fastnlp_course.{name}') for name in names]
        for room in reversed(rooms):
            module.__dict__.update({name: value for name, value in vars(room).items() if not name.startswith('_')})
        module.__all__ = list(dict.fromkeys(name for room in rooms for name in room.__all__))
        where = ', '.join(f'fastnlp_course.{name}' for name in names)
        warnings.warn(f'{module.__name__} is an old address: import from fastnlp_course.all, or from {where}', DeprecationWarning, stacklevel=2)

if not any(isinstance(finder, OldAddress) for finder in sys.meta_path): sys.meta_path.append(OldAddress())
