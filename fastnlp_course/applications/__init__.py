"The wing that does whole jobs. It opens its rooms in order, so that a class which grows in several of them is whole wherever it is imported from."
from . import (tables, stages, report, reviews, reproduce, commands, cpc, encoders, pair_columns, pairs, pair_folds, pair_errors, joint, kaggle, judging, row_checks, tfidf_model, languages, frozen_model, text_task, predictors, backbones, contest)
