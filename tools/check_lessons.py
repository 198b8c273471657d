"""How the notebooks are cut: a table, and an error where a bound is broken. check_lessons.py [NAME ...]

With names, only the notebooks whose names begin so. Lessons: at most 50 honest minutes (the first hour 25), no exported cell over 30 lines, the
median code cell at most 6 lines, nine of ten at most 20. Reference rooms: no code cell over 60 lines. Lines are those that are not
empty. The exercises of a lesson are counted apart, and its solutions not at all.
"""
import sys
import nbformat
from project import lessons, measures, references

bounds = {'minutes': 50, 'median': 6, 'p90': 20, 'longest exported': 30}
longest_in_reference = 60
first_hour, its_minutes = '00_first_hour', 25
columns = f"{'minutes':>8}{'cells':>7}{'median':>8}{'p90':>5}{'longest':>9}{'exported':>10}{'over 30':>9}{'share':>7}{'exercises':>11}"

def row(name, found):
    "One line of the table."
    share = sum(found['over 30'])/max(1, found['exported'])
    return (f"{name:34}{found['minutes']:8.1f}{found['cells']:7}{found['median']:8g}{found['p90']:5}{found['longest']:9}{found['longest exported']:10}"
            f"{len(found['over 30']):9}{share:7.0%}{found['exercises']:11}")

def broken(name, found, is_lesson):
    "The bounds that a notebook breaks, as sentences."
    if not is_lesson: return [f"{name}: a cell has {found['longest']} lines, at most {longest_in_reference}"] if found['longest'] > longest_in_reference else []
    own = {**bounds, 'minutes': its_minutes} if name == first_hour else bounds
    return [f'{name}: {what} {found[what]:.4g}, at most {most}' for what, most in own.items() if found[what] > most]

def main(names):
    chosen = {kind: [path for path in paths if not names or any(path.name.startswith(name) for name in names)]
              for kind, paths in {'lessons': lessons(), 'reference rooms': references()}.items()}
    problems = []
    for kind, paths in chosen.items():
        if not paths: continue
        print(f'{kind:34}{columns}')
        total = 0
        for path in paths:
            found = measures(nbformat.read(path, as_version=4))
            total += found['minutes']
            print(row(path.stem, found))
            problems += broken(path.stem, found, kind == 'lessons')
        print(f'{len(paths)} {kind}: {total/60:.1f} honest hours\n')
    if not any(chosen.values()): sys.exit(f'no notebook is called {names}')
    if problems: sys.exit('\n'.join(problems))
    print('lessons-check: every bound is kept')

if __name__ == '__main__': main(sys.argv[1:])
