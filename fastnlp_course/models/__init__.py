"The wing that holds the models. It opens its rooms in order, so that a class which grows in several of them is whole wherever it is imported from."
from . import (layers, awd_lstm, weight_dropout, text_models, pictures, rnn_callbacks, pretrained, generation, ulmfit, text_learner, writing, see_inside, pretraining, lm_files, lm_runs, lora, lora_files, lora_plain, attention, transformer)
