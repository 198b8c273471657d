"What the README promises of save_pretrained and pipeline, in fresh processes that import nothing but the door."
import json
import subprocess
import sys

make = '''
import json, sys
from fastnlp_course.all import *
loaded = 'transformers' in sys.modules
frame = pd.DataFrame({'text': ['a fine film', 'a dull film', 'fine music and story', 'dull, long and poor']*6, 'label': ['good', 'bad']*12})
dls = TextDataLoaders.from_df(frame, text_col='text', label_col='label', bs=8, seed=42)
learn = text_classifier_learner(dls, AWD_LSTM, config={**awd_lstm_clas_config, 'emb_sz': 16, 'n_hid': 16, 'n_layers': 1}, pretrained=False)
learn.save_pretrained(sys.argv[1])
label, _, probabilities = learn.predict('a fine film')
print(json.dumps([loaded, label, float(probabilities.max())]))
'''
ask = '''
import json, sys
from fastnlp_course.all import *
from transformers import pipeline
print(json.dumps(pipeline('text-classification', model=sys.argv[1])('a fine film')))
'''

def said_by(program, folder):
    done = subprocess.run([sys.executable, '-c', program, str(folder)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])

def test_a_folder_opens_in_a_pipeline(tmp_path):
    "`all` loads no transformers, and a program that loads it knows AWD-LSTMs."
    loaded, label, probability = said_by(make, tmp_path/'model')
    answer, = said_by(ask, tmp_path/'model')
    assert not loaded and answer['label'] == label and abs(answer['score'] - probability) < 1e-4
