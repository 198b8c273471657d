"Run by benchmarks/reviews.py with the python of an environment that has fastai: its classifier from scratch on the same rows."
import json, sys, time
import pandas as pd
from fastai.text.all import (AWD_LSTM, TextDataLoaders, accuracy, awd_lstm_clas_config, set_seed, text_classifier_learner)

def main():
    "Read a table (text, label, is_valid) and a recipe; print a line of JSON per seed."
    table, recipe, seeds = pd.read_csv(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
    config = {**awd_lstm_clas_config, **{name: recipe[name] for name in ('emb_sz', 'n_hid', 'n_layers')}}
    for seed in seeds:
        set_seed(seed)
        started = time.perf_counter()
        dls = TextDataLoaders.from_df(table, text_col='text', label_col='label', valid_col='is_valid', bs=recipe['bs'], seq_len=recipe['seq_len'])
        learn = text_classifier_learner(dls, AWD_LSTM, config=config, pretrained=False, drop_mult=recipe['drop_mult'], metrics=accuracy)
        learn.unfreeze()
        with learn.no_bar(), learn.no_logging():
            learn.fit_one_cycle(recipe['epochs'], recipe['lr'], wd=recipe['wd'])
        _, loss, accuracy_ = learn.recorder.values[-1]
        print(json.dumps({'accuracy': float(accuracy_), 'log_loss': float(loss), 'seconds': time.perf_counter() - started}), flush=True)

if __name__ == '__main__': main()
