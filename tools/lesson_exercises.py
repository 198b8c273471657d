"""Write the section `## Exercises` of lessons from their solutions: lesson_exercises.py NAME ...

An exercise in nbs/solutions/NAME.ipynb is a Markdown cell `## 1. Title` with the task, a code cell with the stub that ends with
`stub = my_answer`, and the exported cell of the check. The lesson gets the task, and the stub with `check.NAME(my_answer);`.
"""
import re, sys
import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell
from project import notebooks_path, parted, write_whole

remember = '## What to remember'

def intro(stem):
    "The cell that begins the section."
    return (f'## Exercises\n\nReplace `...` and run the cell: `check` says what is missing, and never the solution. Solutions are [here](solutions/{stem}.ipynb), with reasons. '
            '把 `...` 换成你的答案再运行；先运行 `%env FASTNLP_LANG=zh`，提示就用中文。')

def section(solutions, stem):
    "The cells of the section, from the cells of the solutions."
    cells, task, stub = [new_markdown_cell(intro(stem)), new_code_cell('from fastnlp_course.exercises import check')], None, None
    for cell in solutions:
        text, is_code = cell.source, cell.cell_type == 'code'
        if not is_code and re.match(r'## \d+\. ', text): task, stub = f'#{text}', None
        elif task and is_code and (last := re.search(r'^stub = (\w+)$', text, re.M)): stub = text[:last.start()], last[1]
        elif stub and is_code and (made := re.search(r'^@exercise\(.*?^def (\w+)', text, re.M | re.S)):
            cells += [new_markdown_cell(task), new_code_cell(f'{stub[0]}check.{made[1]}({stub[1]});')]
            task = stub = None
    return [*cells, new_code_cell(f"# differs: what you have solved\ncheck.progress('{stem.split('_')[0]}')")]

def with_section(lesson, solutions, stem):
    "`lesson` with its section new, before what to remember. A cell that is as it was keeps its output."
    kept, old = parted(lesson.cells)
    made = section(solutions.cells, stem)
    before = {cell.source: cell for cell in old}
    made = [before.get(cell.source, cell) for cell in made]
    at = [i for i, cell in enumerate(kept) if cell.cell_type == 'markdown' and re.search(f'^{remember}', cell.source, re.M)]
    if len(at) != 1: sys.exit(f'{stem}: {len(at)} cells hold `{remember}`, and one is expected')
    ahead, _, behind = kept[at[0]].source.partition(remember)
    kept[at[0]].source = remember + behind
    kept[at[0]:at[0]] = [*([new_markdown_cell(ahead.strip())] if ahead.strip() else []), *made]
    lesson.cells = kept
    for i, cell in enumerate(kept): cell['id'] = f'cell-{i:03d}'
    return lesson

def main(names):
    for stem in names:
        path = notebooks_path/f'{stem}.ipynb'
        lesson, solutions = (nbformat.reads(place.read_text(encoding='utf-8'), as_version=4) for place in (path, notebooks_path/'solutions'/path.name))
        write_whole(path, nbformat.writes(with_section(lesson, solutions, stem)) + '\n')
        print(f'{stem}: {sum(cell.source.startswith("### ") for cell in section(solutions.cells, stem))} exercises')

if __name__ == '__main__': main(sys.argv[1:] or sys.exit(__doc__))
