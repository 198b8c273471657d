"The wing that leads to other libraries, and other data than text. It opens its rooms in order, so that a class which grows in several of them is whole wherever it is imported from."
# ulmfit_in_transformers loads the library transformers when it is imported: it opens by its own name, or when hf_lazy sees that a program loads transformers.
from . import (hf_tokenizers, hf_batches, hf_saving, hf_loading, hf_lazy, transformers, checks, more_checks, lightning, tensorboard, sharing, onnx_runner, onnx_graph,
               onnx_export, distributed, picture_files, images, image_config, augment, image_grid, picture_rows, vision)
