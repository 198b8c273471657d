"What `from fastnlp_course.all import *` adds to `import torch`: medians over fresh processes, and the ratio to fastai if it is installed."
import argparse, statistics, subprocess, sys

limit = 0.5  # seconds, the budget in the design

def seconds(statement, repeats, python=sys.executable):
    "Median seconds of `statement` after `import torch`, each time in a fresh process."
    program = f"import torch, time; start = time.perf_counter(); exec({statement!r}); print(time.perf_counter() - start)"
    runs = [float(subprocess.run([python, '-c', program], capture_output=True, text=True, check=True).stdout) for _ in range(repeats)]
    return statistics.median(runs)

def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--repeats', type=int, default=7)
    parser.add_argument('--peer', help='python of an environment with fastai')
    given = parser.parse_args()
    ours = seconds('from fastnlp_course.all import *', given.repeats)
    print(f'from fastnlp_course.all import *: +{ours:.2f} s on top of import torch (budget {limit} s)')
    if given.peer:
        peer = seconds('from fastai.text.all import *', given.repeats, given.peer)
        print(f'from fastai.text.all import *:    +{peer:.2f} s, ratio {peer/ours:.1f}')
    if ours > limit: sys.exit(f'{ours:.2f} s is over the budget of {limit} s')

if __name__ == '__main__': main()
