"The wing that turns text into numbers. It opens its rooms in order, so that a class which grows in several of them is whole wherever it is imported from."
from . import (table_files, tokenization, marks, fast_tokenization, token_rows, tokenizer, subwords, subword_models, numericalization, token_store, read_texts, counting, ray_blocks, corpus)
