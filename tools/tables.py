"The tables that are made from the notebooks: lessons by part, reference rooms by wing, the map in the first lesson."
from project import address, badges, lessons, minutes, part_of, parts, promise, references, title, wing_of, wings

def linked(path, start=''):
    "A link with the title of a notebook, from a place in the repository."
    return f"[{title(path)}]({address(path).removeprefix(start)})"

def hours(total):
    "A number of minutes, as one says it."
    return f'{total} minutes' if total < 90 else f'{total/60:.1f} hours'

def lesson_table():
    "Number, title, promise, minutes and badges of every lesson, by part; for README.md."
    rows = ['| | lesson | what you get | minutes | open |', '| --- | --- | --- | --- | --- |']
    for part in parts:
        paths = [path for path in lessons() if part_of(path) == part]
        if not paths: continue
        rows.append(f"| | **{part}** | | {hours(sum(map(minutes, paths)))} | |")
        rows += [f"| {path.stem.split('_')[0]} | {linked(path)} | {promise(path)} | {minutes(path)} | {badges(path)} |" for path in paths]
    return '\n'.join(rows)

def reference_table():
    "The reference rooms of each wing."
    rows = ['| wing | reference rooms |', '| --- | --- |']
    for wing in wings:
        paths = [path for path in references() if wing_of(path) == wing]
        if paths: rows.append(f"| {wing} | {' · '.join(map(linked, paths))} |")
    return '\n'.join(rows)

def course_map():
    "Title and minutes of every lesson behind the first, by part; links lead from nbs/. What each promises says README.md."
    rows = ['| | lesson | minutes |', '| --- | --- | --- |']
    for part in parts:
        paths = [path for path in lessons()[1:] if part_of(path) == part]
        if not paths: continue
        rows.append(f"| | **{part}** | {hours(sum(map(minutes, paths)))} |")
        rows += [f"| {path.stem.split('_')[0]} | {linked(path, 'nbs/')} | {minutes(path)} |" for path in paths]
    return '\n'.join(rows)

made = {'<!-- lessons -->': lesson_table, '<!-- reference rooms -->': reference_table, '<!-- map -->': course_map}

def with_tables(nb):
    "`nb` with its marked cells filled: a Markdown cell that begins with a marker holds the marker and its table, nothing else."
    for cell in nb.cells:
        first = cell.source.split('\n')[0].strip()
        if cell.cell_type == 'markdown' and first in made: cell.source = f'{first}\n\n{made[first]()}'
    return nb
