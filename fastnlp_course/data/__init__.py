"The wing that turns numbers into batches. It opens its rooms in order, so that a class which grows in several of them is whole wherever it is imported from."
from . import (shown, collate, loader_hooks, dataloaders, loader_details, shown_batches, padding, padding_details, token_stream, lm_dataloader, transforms, item_lists, splitters, getters, targets, data_block, text_data, data_config)
