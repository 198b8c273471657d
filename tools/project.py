"What the tools know of the project: settings.ini, the notebooks, how long they are, the parts of the course."
import os, re, statistics
from configparser import ConfigParser
from pathlib import Path
import nbformat

root = Path(__file__).resolve().parent.parent
notebooks_path = root/'nbs'
# Part of the course -> number of its first lesson.
parts = {'I First hour': 0, 'II Text to numbers': 1, 'III Numbers to batches': 4, 'IV Training': 9, 'V Language models': 16, 'VI Transformers': 21, 'VII Projects and beyond': 26}
parts_in_chinese = dict(zip(parts, ['I 第一个小时', 'II 从文本到数字', 'III 从数字到批次', 'IV 训练', 'V 语言模型', 'VI Transformer', 'VII 项目与延伸']))
wings = ['ground', 'text', 'data', 'training', 'models', 'bridges', 'applications', 'exercises']
marker = '<!-- badges -->'
install_mark = 'In Colab and Kaggle this installs'
alternative_line = re.compile(r'#\| fig-alt: *(.+)\n')

def settings():
    "The section of settings.ini as a mapping."
    parser = ConfigParser(delimiters=['='])
    parser.read(root/'settings.ini', encoding='utf-8')
    return parser['DEFAULT']

def lessons():
    "The lessons in reading order, without the index."
    return sorted(notebooks_path.glob('[0-9]*.ipynb'))

def ref():
    "What install cells and badges name: the tag of the last release, or the branch while there is none."
    config = settings()
    return f"v{config['released']}" if config.get('released', '').strip() else config['branch']

def rooms_of(wing):
    "The rooms of a wing in their order, as its `__init__.py` opens them."
    path = root/'fastnlp_course'/wing/'__init__.py'
    opened = re.search(r'^from \. import \(?([\w\s,]+)', path.read_text(encoding='utf-8'), re.M) if path.exists() else None
    return re.findall(r'\w+', opened[1]) if opened else []

def references():
    "The reference rooms, in the order of wings and rooms."
    order = {f'{wing}_{room}': (i, j) for i, wing in enumerate(wings) for j, room in enumerate(rooms_of(wing))}
    def place(path):
        wing = wing_of(path)
        return order.get(path.stem, (wings.index(wing) if wing in wings else len(wings), len(order))), path.name
    return sorted(notebooks_path.glob('reference/*.ipynb'), key=place)

def solutions():
    "The notebooks with the worked exercises and their checks, in the order of the lessons."
    return sorted(notebooks_path.glob('solutions/*.ipynb'))

def number_of(path):
    "The number of a lesson."
    return int(re.match(r'\d+', path.stem)[0])

def part_of(path):
    "The part of the course that a lesson belongs to."
    return [part for part, first in parts.items() if first <= number_of(path)][-1]

def wing_of(path):
    "The wing that a reference room belongs to."
    return path.stem.split('_')[0]

def first_cell(path):
    "The source of the cell with title and promise; the name of the file where there is none yet."
    first = nbformat.read(path, as_version=4).cells[0]
    return first.source if first.cell_type == 'markdown' and first.source.startswith('# ') else f'# {path.stem}'

def title(path):
    "The heading of a notebook, without a number that stands in it."
    return re.sub(r'^#+\s*(\d+[a-z]?\s*[.:·]?\s+)?', '', first_cell(path).splitlines()[0])

def promise(path):
    "The line below the heading."
    lines = [line for line in first_cell(path).splitlines()[1:] if line.strip()]
    return lines[0].lstrip('> ').strip('*') if lines else ''

def code_lines(source):
    "Lines of a cell that are not empty; what it says of its picture to those who do not see it is no line to read."
    return sum(bool(line.strip()) for line in without_alternative(source).split('\n'))

def alternative(source):
    "What a code cell says of its picture to those who do not see it, or None."
    found = alternative_line.match(source)
    return found and found[1]

def without_alternative(source):
    "A code cell without that line."
    return alternative_line.sub('', source, count=1)

def is_exported(source):
    "Does a code cell go into the package?"
    return re.search(r'^\s*#\s*\|\s*export', source, re.M) is not None

def count_words(text):
    "Words of a text; a Chinese character is one."
    return len(re.findall(r"[A-Za-z0-9']+|[\u4e00-\u9fff]", text))

def parted(cells):
    "The cells of a lesson without its section of exercises, and that section: it ends where the next heading begins a cell."
    read, practised, inside = [], [], False
    for cell in cells:
        if cell.cell_type == 'markdown' and re.match(r'##? ', cell.source): inside = bool(re.match(r'## Exercises\s*$', cell.source.split('\n')[0]))
        (practised if inside else read).append(cell)
    return read, practised

def checked_in(cells):
    "The names of the checks that cells call, in their order."
    return [name for cell in cells if cell.cell_type == 'code' for name in re.findall(r'^check\.(?!progress\b|reset\b)(\w+)\(', cell.source, re.M)]

def measures(nb):
    """How long a notebook is, and how it is cut.

    Honest minutes: 180 words and 13 lines of code (4.5 seconds each) take a minute, whatever cell they stand in. The line
    that says the minutes is left out: it would count itself. So is the section of exercises, whose time nobody can count; their number stands beside.
    """
    cells, practised = parted(nb.cells)
    words = sum(count_words(without_minutes_line(cell.source)) for cell in cells if cell.cell_type == 'markdown')
    code = [cell.source for cell in cells if cell.cell_type == 'code']
    lines = [n for n in map(code_lines, code) if n] or [0]
    exported = [code_lines(source) for source in code if is_exported(source)]
    ranked = sorted(lines)
    return {'minutes': words/180 + sum(lines)*4.5/60, 'cells': len(lines), 'median': statistics.median(lines), 'p90': ranked[int(.9*(len(ranked) - 1))],
            'longest': ranked[-1], 'longest exported': max(exported, default=0), 'over 30': [n for n in exported if n > 30], 'exported': sum(exported),
            'exercises': len(checked_in(practised))}

def without_minutes_line(source):
    "A cell of badges without the line that says the minutes."
    return source.split('\n\n')[0] if source.startswith(marker) else source

def minutes(path):
    "Honest minutes of the notebook at `path`, as they are printed."
    return round(measures(nbformat.read(path, as_version=4))['minutes'])

def write_whole(path, text):
    "Replace the file at once: others may read it meanwhile."
    temporary = path.with_suffix('.tmp')
    temporary.write_text(text, encoding='utf-8')
    os.replace(temporary, path)

def address(path):
    "Where the notebook lies in the repository."
    return path.relative_to(root).as_posix()

def colab_url(path):
    "Where Colab opens the notebook at `path`."
    config = settings()
    return f"https://colab.research.google.com/github/{config['user']}/{config['repo']}/blob/{ref()}/{address(path)}"

def kaggle_url(path):
    "Where Kaggle opens the notebook at `path`."
    config = settings()
    return f"https://kaggle.com/kernels/welcome?src=https://github.com/{config['user']}/{config['repo']}/blob/{ref()}/{address(path)}"

def badges(path):
    "Markdown of the two badges."
    return (f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab_url(path)}) "
            f"[![Open in Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)]({kaggle_url(path)})")
