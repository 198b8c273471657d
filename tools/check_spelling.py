"""Spelling of the prose in notebooks and Markdown files, by codespell: check_spelling.py [FILE ...]

codespell knows frequent mistakes and nothing else, so what it finds is nearly always one. A word that is right, such as a
token of an example, goes into tools/allowed_words.txt, one a line, in small letters.
"""
import re, subprocess, sys, tempfile
from pathlib import Path
from prose import documents, prose_of, without_markup

allowed = Path(__file__).resolve().parent/'allowed_words.txt'

def misspelled(texts):
    "Line number among `texts` joined by line breaks, word and proposal, of all that codespell knows to be wrong."
    with tempfile.TemporaryDirectory() as folder:
        joined = Path(folder)/'prose.txt'
        joined.write_text('\n'.join(texts) + '\n', encoding='utf-8')
        command = [sys.executable, '-m', 'codespell_lib', '--ignore-words', str(allowed), '--builtin', 'clear,rare', str(joined)]
        done = subprocess.run(command, capture_output=True, text=True, encoding='utf-8', cwd=folder)
    if 'No module named' in done.stderr: sys.exit('codespell is not installed: pip install -c constraints.txt codespell')
    found = re.findall(r'^.*?:(\d+): (\S+) ==> (.+)$', done.stdout, re.M)
    if done.returncode not in (0, 65) or (done.returncode and not found): sys.exit(f'codespell failed: {done.stdout}{done.stderr}')
    return [(int(line), word, proposal) for line, word, proposal in found]

def findings(paths):
    "A sentence for each misspelled word, with its place."
    lines, places = [], []
    for path in paths:
        for prose in prose_of(path):
            for number, line in enumerate(without_markup(prose.text).split('\n'), 1):
                lines.append(line)
                places.append((prose, number))
    named = []
    for line, word, proposal in misspelled(lines):
        prose, number = places[line - 1]
        named.append(f'{prose.place(number)}: {word}: {proposal}?')
    return named

def main(names):
    found = findings([Path(name).resolve() for name in names] or documents())
    if found: sys.exit('\n'.join([*found, f'{len(found)} words look misspelled: mend them, or add a word that is right to tools/{allowed.name}']))
    print('spelling: nothing found')

if __name__ == '__main__': main(sys.argv[1:])
