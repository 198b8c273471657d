"Pretraining: what a notebook cannot show, such as a killed process, a longer budget afterwards, a damaged checkpoint."
import os
import random
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings, strategies as st

from fastnlp_course.training.saving import load_weights
from fastnlp_course.models.pretraining import LMRecipe, LMRun, full_cross_entropy, perplexity_of, sampled_cross_entropy
from fastnlp_course.models.lm_files import load_language_model
from fastnlp_course.models.lm_runs import train_lm

tiny = LMRecipe(emb_sz=8, n_hid=12, max_vocab=100, min_freq=1, bs=4, seq_len=10, warmup=2, head=20, sample=30, drop_mult=.5)

@pytest.fixture(scope='module')
def corpus(tmp_path_factory):
    "A CSV file of 80 short texts."
    draw = random.Random(0)
    words = [f'word{i}' for i in range(80)]
    file = tmp_path_factory.mktemp('corpus')/'texts.csv'
    file.write_text('text\n' + '\n'.join(' '.join(draw.choices(words, k=25)) for _ in range(80)), encoding='utf-8')
    return file

def weights(folder): return load_weights(folder/'model.safetensors')[0]

def equal(one, other): return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)

def test_a_killed_run_goes_on_exactly(corpus, tmp_path):
    "The process dies right behind a checkpoint; the same command finishes with the weights of a run that was left alone."
    def call(out, fault=''):
        command = [sys.executable, '-m', 'fastnlp_course.cli', 'train-lm', str(corpus), '--out', str(out), '--max-vocab', '100', '--emb-sz', '8', '--n-hid', '12',
                   '--bs', '2', '--tokens', '1500', '--save-minutes', '0' if fault else '10', '--about', 'made up']
        return subprocess.run(command, env={**os.environ, 'FASTNLP_FAULT': fault, 'OMP_NUM_THREADS': '1'}, capture_output=True, text=True)
    killed = call(tmp_path/'killed', 'pretraining:checkpoint')
    assert killed.returncode == 137, killed.stderr
    assert not (tmp_path/'killed').exists()
    resumed = call(tmp_path/'killed')
    assert resumed.returncode == 0 and 'Going on at step' in resumed.stdout, resumed.stderr
    assert call(tmp_path/'alone').returncode == 0
    assert equal(weights(tmp_path/'killed'), weights(tmp_path/'alone'))
    card = (tmp_path/'killed'/'README.md').read_text(encoding='utf-8')
    assert 'made up' in card and 'fastnlp train-lm' in card and 'perplexity' in card

def test_a_missing_file_is_one_sentence(tmp_path):
    done = subprocess.run([sys.executable, '-m', 'fastnlp_course.cli', 'train-lm', str(tmp_path/'no.txt'), '--out', str(tmp_path/'out')], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith('Error:') and 'Traceback' not in done.stderr

def test_more_tokens_go_on_before_the_fall(corpus, tmp_path):
    "A finished run is continued from its flat part, and equals a run that was long from the start."
    quiet = dict(recipe=tiny, log=lambda line: None, report_steps=10**9)
    train_lm(corpus, tmp_path/'short', tokens=1000, **quiet)
    train_lm(corpus, tmp_path/'long', tokens=2000, work=tmp_path/'short_work', **quiet)
    train_lm(corpus, tmp_path/'once', tokens=2000, **quiet)
    assert equal(weights(tmp_path/'long'), weights(tmp_path/'once'))
    assert not equal(weights(tmp_path/'long'), weights(tmp_path/'short'))

def test_fewer_tokens_than_read_let_the_rate_fall_now(corpus, tmp_path):
    lines = []
    train_lm(corpus, tmp_path/'m', recipe=tiny, tokens=4000, log=lambda line: None)
    assert train_lm(corpus, tmp_path/'m', recipe=tiny, tokens=500, log=lines.append) == tmp_path/'m'
    assert any('Going on at step 80' in line for line in lines), lines
    assert any('From step 80 to 83' in line for line in lines), lines

def test_a_cut_checkpoint_is_one_sentence(corpus, tmp_path):
    train_lm(corpus, tmp_path/'m', recipe=tiny, tokens=400, log=lambda line: None)
    checkpoint = tmp_path/'m_work'/'checkpoint.safetensors'
    checkpoint.write_bytes(checkpoint.read_bytes()[:2000])
    with pytest.raises(ValueError, match='cannot be read as weights'):
        train_lm(corpus, tmp_path/'m', recipe=tiny, tokens=400, log=lambda line: None)

def test_another_recipe_is_refused(corpus, tmp_path):
    train_lm(corpus, tmp_path/'m', recipe=tiny, tokens=400, log=lambda line: None)
    with pytest.raises(ValueError, match='another value of n_hid'):
        train_lm(corpus, tmp_path/'m', recipe=replace(tiny, n_hid=16), tokens=400, log=lambda line: None)

def test_backwards_reads_from_the_end(corpus, tmp_path):
    train_lm(corpus, tmp_path/'m', recipe=replace(tiny, backwards=True), tokens=400, log=lambda line: None)
    model, vocab, config = load_language_model(tmp_path/'m')
    assert config['backwards'] and len(vocab) == config['vocab_sz']

def test_measuring_does_not_disturb_a_run(corpus, tmp_path):
    "A look at the perplexity in between changes nothing."
    from fastnlp_course.text.corpus import build_store
    store = build_store(corpus, tmp_path/'store', min_freq=1)
    def losses(watched):
        run, found = LMRun(store, tiny), []
        for _ in range(6):
            found.append(run.one_step())
            if watched:
                perplexity_of(run.model, store, bs=2, seq_len=7, max_tokens=100)
        return found
    assert losses(watched=False) == losses(watched=True)

@given(seed=st.integers(0, 10**6), n=st.integers(1, 30), vocab=st.integers(4, 60), share=st.floats(.1, .9))
@settings(max_examples=30, deadline=None)
def test_the_sampled_loss_is_exact_when_all_are_drawn(seed, n, vocab, share):
    generator = torch.Generator().manual_seed(seed)
    head = max(1, min(vocab - 1, int(vocab*share)))
    hidden, weight = torch.randn(n, 5, generator=generator), torch.randn(vocab, 5, generator=generator)
    bias, targets = torch.randn(vocab, generator=generator), torch.randint(0, vocab, (n,), generator=generator)
    order = torch.randperm(vocab - head, generator=generator) + head
    torch.testing.assert_close(sampled_cross_entropy(hidden, targets, weight, bias, head, order), full_cross_entropy(hidden, targets, weight, bias), rtol=1e-4, atol=1e-4)

def test_the_command_begins_with_the_pieces_of_an_encoder(corpus, tmp_path):
    "--vectors says where a run begins; to go on without them is refused."
    from fastnlp_course.applications.encoders import small_encoder
    encoder = small_encoder(corpus.read_text(encoding='utf-8').splitlines()[1:], tmp_path/'encoder', vocab_size=200, hidden_size=16)
    def call(*more):
        command = [sys.executable, '-m', 'fastnlp_course.cli', 'train-lm', str(corpus), '--out', str(tmp_path/'out'), '--max-vocab', '100', '--emb-sz', '8', '--n-hid', '12', '--bs', '2', '--tokens', '1500', *more]
        return subprocess.run(command, env={**os.environ, 'OMP_NUM_THREADS': '1'}, capture_output=True, text=True)
    begun = call('--minutes', '0', '--vectors', str(encoder), '--emb-lr', '0.1')
    assert begun.returncode == 0, begun.stderr
    other = call('--emb-lr', '0.1')
    assert other.returncode == 1 and 'begun with other embeddings' in other.stderr and 'Traceback' not in other.stderr
    done = call('--vectors', str(encoder), '--emb-lr', '0.1')
    assert done.returncode == 0 and 'Going on at step' in done.stdout, done.stderr
    assert '| emb_lr | 0.1 |' in (tmp_path/'out'/'README.md').read_text(encoding='utf-8')
