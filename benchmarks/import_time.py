"What `from fastnlp_course.all import *` adds to `import torch`: medians over fresh processes, and the ratio to fastai if it is installed."
import argparse, os, statistics, subprocess, sys, tempfile
from common import machine, write_section

limit = 0.5  # seconds, the budget in the design

def seconds(statement, repeats, python=sys.executable):
    """Median seconds of `statement` after `import torch`, each time in a fresh process.

    With compiled files, as pip leaves them: PYTHONDONTWRITEBYTECODE would have every process compile everything again."""
    program = f"import torch, time; start = time.perf_counter(); exec({statement!r}); print(time.perf_counter() - start)"
    with tempfile.TemporaryDirectory() as compiled:
        env = {**{name: value for name, value in os.environ.items() if name != 'PYTHONDONTWRITEBYTECODE'}, 'PYTHONPYCACHEPREFIX': compiled}
        runs = [float(subprocess.run([python, '-c', program], capture_output=True, text=True, check=True, env=env).stdout) for _ in range(repeats + 1)]
    return statistics.median(runs[1:])

def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--repeats', type=int, default=7)
    parser.add_argument('--peer', help='python of an environment with fastai')
    parser.add_argument('--write', action='store_true', help='write the section of results.md')
    given = parser.parse_args()
    ours = seconds('from fastnlp_course.all import *', given.repeats)
    lines = ['| import | seconds on top of `import torch` | ratio |', '| --- | --- | --- |', f'| `from fastnlp_course.all import *` (budget {limit} s) | {ours:.2f} | 1 |']
    if given.peer:
        peer = seconds('from fastai.text.all import *', given.repeats, given.peer)
        lines.append(f'| `from fastai.text.all import *` | {peer:.2f} | {peer/ours:.1f} |')
    print('\n'.join(lines))
    if given.write:
        write_section('Import', f'`python benchmarks/import_time.py --peer PYTHON --write`, medians of {given.repeats} fresh processes. {machine()}.\n\n' + '\n'.join(lines))
    if ours > limit: sys.exit(f'{ours:.2f} s is over the budget of {limit} s')

if __name__ == '__main__': main()
