"What README.md shows that is made, not written: figures from benchmarks/results.md, the commands of the installation, the lessons, the citation."
import re
import project
from project import address, colab_url, kaggle_url, lessons, minutes, part_of, parts, promise, ref, root, settings
from tables import hours, linked

results = root/'benchmarks'/'results.md'

def section(title):
    "A section of results.md."
    found = re.search(rf'^## {re.escape(title)}\n(.*?)(?=^## |\Z)', results.read_text(encoding='utf-8'), re.M | re.S)
    if not found: raise SystemExit(f'benchmarks/results.md has no section {title!r}, from which README.md takes a figure')
    return found[1]

def row(title, *starts):
    "The cells of the first row of a section's tables that begins with these cells."
    for line in section(title).splitlines():
        cells = [cell.strip() for cell in line.strip('|').split('|')]
        if line.startswith('|') and cells[:len(starts)] == list(starts): return cells
    raise SystemExit(f"the section {title!r} of benchmarks/results.md has no row {' | '.join(starts)}")

def ratio(cell):
    "The ratio at the beginning of a cell, such as 10.9 of `10.9 (10.4 to 12.5)`."
    return re.match(r'[\d.]+', cell)[0]

figure_commands = ['tokenize_text.py --peer PYTHON', 'lm_loader.py --peer PYTHON', 'inference.py --peer PYTHON --classify']

def measured():
    "Ratios against fastai: tokens, batches, many texts, a single one, a training step."
    cold = ratio(row('Tokenization: 50,000 IMDb reviews', 'ours, cold')[3])
    loader = row('Language model loader', '23,767 paragraphs, 87 tokens each', 'store')[4]
    many, single = (row('Inference, classifying', '200/400/2', work)[4] for work in ('classify 2,000 sentences', 'classify a single one'))
    return cold, loader, many, single, row('Training on a CPU', '200/400/2', 'ours fp32')[4]

def figures():
    "Three figures against fastai, with the commands that measure them."
    cold, loader, many, single, step = measured()
    table = [('50,000 reviews to the same tokens, one process', f'**{cold} times**'), ('an epoch of language-model batches from a store of ids', f'**{loader} times**'),
             ('2,000 sentences classified; one alone', f'**{many} times**; {single} times')]
    lines = ['| against fastai 2.8.12, same machine, same results | speed | command |', '| --- | --- | --- |']
    lines += [f'| {what} | {times} | `python benchmarks/{command}` |' for (what, times), command in zip(table, figure_commands)]
    return '\n'.join(lines) + f'\n\nTwo cores, no GPU; all figures are in [benchmarks/results.md](benchmarks/results.md), among them a training step of a language model in single precision, {step} times, and those where nothing is gained. `PYTHON` is that of an environment with fastai.'

def requirement(extras=''):
    "What pip installs without a clone."
    config = settings()
    return f"{config['lib_name']}{extras} @ git+{config['git_url']}@{ref()}"

def raw(path):
    "The address of a file as it is."
    config = settings()
    return f"https://raw.githubusercontent.com/{config['user']}/{config['repo']}/{ref()}/{path}"

def install():
    "The commands of the installation."
    config = settings()
    return f"""```sh
git clone {config['git_url']}
cd {config['repo']}
python3 -m venv .venv
source .venv/bin/activate      # Windows: .venv\\Scripts\\activate
pip install -c constraints.txt torch --index-url https://download.pytorch.org/whl/cpu
pip install -c constraints.txt .
fastnlp doctor
```

Use an environment of its own: the Python of Debian and Ubuntu refuses pip; if `venv` is missing there, `sudo apt install python3-venv`. The line with `torch` takes the build for processors, about 200 MB. A bare `pip install torch` on Linux brings CUDA along, 4.7 GB; leave the address out if you have an NVIDIA card. `constraints.txt` holds the versions this was tested with. Extras go in brackets: `pip install -c constraints.txt ".[models]"` brings MiniLM, a small sentence encoder.

Without a clone, in an environment of your own:

```sh
pip install torch=={torch_version()} --index-url https://download.pytorch.org/whl/cpu
pip install -c {raw('constraints.txt')} \\
    "{requirement()}"
```"""

def torch_version():
    "The version of torch in constraints.txt."
    return re.search(r'^torch==(\S+)', (root/'constraints.txt').read_text(encoding='utf-8'), re.M)[1]

def lessons_by_part(head, name_of, promise, time):
    "A table of every lesson by part, below the two lines of `head`; addresses of the badges stand below the table."
    rows, addresses = list(head), []
    for part in parts:
        paths = [path for path in lessons() if part_of(path) == part]
        if not paths: continue
        rows.append(f'| | **{name_of(part)}** | | {time(sum(map(minutes, paths)))} | |')
        for path in paths:
            number = path.stem.split('_')[0]
            rows.append(f'| {number} | {linked(path)} | {promise(path)} | {minutes(path)} | [![Colab][c]][c{number}] [![Kaggle][k]][k{number}] |')
            addresses += [f'[c{number}]: {colab_url(path)}', f'[k{number}]: {kaggle_url(path)}']
    return '\n'.join([*rows, '', '[c]: nbs/images/colab.svg', '[k]: nbs/images/kaggle.svg', *addresses])

def lesson_table():
    "Number, title, promise, minutes and badges of every lesson, by part."
    return lessons_by_part(['| | lesson | what you get | minutes | open in |', '| --- | --- | --- | ---: | --- |'], str, promise, hours)

def reading_time():
    "How many lessons there are, and how long they take."
    total = sum(map(minutes, lessons()))
    return f'{len(lessons())} lessons, {round(total/60)} hours of reading and as much again for running, changing and understanding: an evening each. You should know Python and have trained some network once, or have read what a loss and a gradient are. Linear algebra stops at the product of two matrices. The minutes below are counted, not guessed: 180 words or 13 lines of code take one.'

def gains():
    "By how many points ULMFiT from the model that ships differs from weighted words, by number of labels."
    title, found = 'ULMFiT stage by stage, and by number of labels', []
    for labels in ('50', '200', '1000', 'all'):
        words, ulmfit = (float(cell.split('%')[0]) for cell in row(title, labels)[1::2][:2])
        found.append(f"{ulmfit - words:+.1f}".replace('-', '−') + f" with {'all' if labels == 'all' else f'{int(labels):,}'}")
    return found

def limits():
    "What this course and its library cannot do, or have not shown."
    return f"""- **No figure has been measured on a GPU yet.** The code moves to one, and what needs one is marked; every number here and in the lessons comes from a CPU.
- **The language models that ship are small**: 224 and 512 units wide, 13.7 million tokens read, 14 MB each. The forward one was exchanged (2026-11-28) for one whose embeddings begin with known words (lesson 20); with the one before it, the points of ULMFiT over weighted words on the film reviews were {', '.join(gains()[:-1])} and {gains()[-1]} labels ([results](benchmarks/results.md), "ULMFiT stage by stage"). `'wt103-fwd'` fetches fast.ai's, which read 103 million.
- **English first.** Chinese and other languages are cut into sub-words and trained on; no model for them ships.
- **A course, not a service.** It has users in mind who read its code. Interfaces are fast.ai's; where we differ on purpose, the lesson says so."""

def citation():
    "How to cite, from the same settings as CITATION.cff."
    config = settings()
    version = config.get('released', '').strip() or config['version']
    year = config['copyright'].split()[0]
    return f"""```bibtex
@software{{{config['lib_name']},
  title   = {{{config['lib_name']}: the fast.ai NLP course rebuilt from scratch}},
  author  = {{{{{config['author']}}}}},
  year    = {{{year}}},
  version = {{{version}}},
  url     = {{{config['git_url']}}}
}}
```"""

made = {'<!-- figures -->': figures, '<!-- install -->': install, '<!-- lessons -->': lesson_table, '<!-- reading time -->': reading_time, '<!-- limits -->': limits, '<!-- citation -->': citation}
