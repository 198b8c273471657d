"""Run the notebooks that compute in bf16 as on a processor without AVX-512: check_avx2.py [WORKERS]

Many laptops and clouds have no bf16 for LSTMs; oneDNN then raises "could not create a primitive descriptor". The variable
ONEDNN_MAX_CPU_ISA makes this machine one of them. First it is shown that the variable does that here, then the notebooks
whose code asks for bf16, mixed precision or autocast are tested under it.
"""
import os, re, subprocess, sys
import nbformat
from project import lessons, references

words = re.compile(r'bfloat16|bf16|autocast|to_fp16|to_bf16|MixedPrecision')
question = """
import torch
try:
    with torch.autocast('cpu', torch.bfloat16): torch.nn.LSTM(4, 4)(torch.randn(2, 3, 4))
except RuntimeError as error: print('refused:', error)
else: print('computed')
"""

def asks_for_bf16(path):
    "Does a code cell of the notebook speak of bf16?"
    return any(cell.cell_type == 'code' and words.search(cell.source) for cell in nbformat.read(path, as_version=4).cells)

def main(workers='2'):
    env = {**os.environ, 'ONEDNN_MAX_CPU_ISA': 'AVX2', 'OMP_NUM_THREADS': '1'}
    answer = subprocess.run([sys.executable, '-c', question], env=env, capture_output=True, text=True).stdout.strip()
    print(f'an LSTM in bf16 under AVX2: {answer}')
    found = [path.stem for path in [*lessons(), *references()] if asks_for_bf16(path)]
    print(f'{len(found)} notebooks: {", ".join(found)}', flush=True)
    if not answer.startswith('refused'): print('this machine computes it all the same: the notebooks are run, but they show less than they should')
    sys.exit(subprocess.run(['nbdev_test', '--n_workers', workers, '--file_re', f"^({'|'.join(found)})\\.ipynb$"], env=env).returncode)

if __name__ == '__main__': main(*sys.argv[1:])
