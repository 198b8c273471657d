"""Lessons in Chinese: nbs/zh/NAME.ipynb has the code of nbs/NAME.ipynb and Markdown that people wrote.

    chinese.py                  code, outputs, badges, map and version of every Chinese lesson again, from the originals (make badges)
    chinese.py --check          do they differ from that?
    chinese.py --missing NAME   the English cells of a lesson that have no Chinese yet, or changed since
    chinese.py NAME FILE        take their Chinese from FILE, and write the lesson

--missing prints blocks that FILE has, too: a line `%%%% HASH`, and the Markdown below it; HASH is that of the English cell. Links
are written as in the original. A Markdown cell keeps in its metadata which English it translates, so one whose English
changed is found. So does a code cell whose first line, `#| fig-alt: ...`, says what its picture shows: that sentence is
translated, too. Code comes without `#| export` and `#| default_exp`: a translation exports nothing.
"""
import argparse, hashlib, re, sys
import nbformat
from front_door_zh import promise, time
from project import address, alternative, badges, lessons, marker, measures, minutes, notebooks_path, part_of, parts, parts_in_chinese, settings, title, without_alternative, write_whole

folder = notebooks_path/'zh'
introduction, map_marker = '**中文导读**', '<!-- map -->'
exporting = re.compile(r'^\s*#\s*\|\s*(?:export\w*|default_exp)\b.*\n?', re.M)
version_line = re.compile(r'\n*^\*译自 .*\*$\n*', re.M)
target = re.compile(r'(?<=\]\()[^)\s]+|(?<=href=")[^"]+|(?<=src=")[^"]+')

def hash_of(source):
    "What names an English cell."
    return hashlib.sha256(source.encode('utf-8')).hexdigest()[:12]

def translations():
    "The lessons that there are in Chinese, in reading order."
    return sorted(folder.glob('[0-9]*.ipynb'))

def original(name):
    "The lesson with this name, or a sentence."
    found = [path for path in lessons() if path.stem == name]
    if not found: sys.exit(f"there is no lesson {name!r}: its name is that of its file without ending, such as {lessons()[1].stem}")
    return found[0]

def plain_code(source):
    "Code without what exports it."
    return exporting.sub('', source).strip('\n')

def is_made(cell):
    "Is a Markdown cell written by a tool, or in Chinese already?"
    return cell.source.startswith((marker, map_marker, introduction))

def prose_of(cell):
    "What is translated of a cell: Markdown that people wrote, or what is said of a picture; None if there is nothing."
    if cell.cell_type == 'code': return alternative(cell.source)
    return None if is_made(cell) else cell.source

def to_translate(nb):
    "The English of a lesson by its hashes, cell by cell."
    return {hash_of(english): english for cell in nb.cells if (english := prose_of(cell))}

def kept(path):
    "The Chinese cells of a notebook by the hashes of their English; nothing where there is no notebook."
    if not path.exists(): return {}
    cells = nbformat.read(path, as_version=4).cells
    return {cell.metadata.translates: version_line.sub('', prose_of(cell)) for cell in cells if 'translates' in cell.metadata}

def blocks(text):
    "The blocks `%%%% HASH` of a text: Markdown by hash."
    before, *found = re.split(r'^%%%%[ \t]*([0-9a-f]{12})[ \t]*$', text, flags=re.M)
    if before.strip(): sys.exit(f'the file begins with {before.strip().splitlines()[0]!r}, not with a line `%%%% HASH` as --missing prints it')
    return {name: body.strip('\n') for name, body in zip(found[::2], found[1::2])}

# What the tool writes

def link(path, own=''):
    "The place of a lesson, seen from nbs/zh: in Chinese where there is one."
    return path.name if path.stem == own or (folder/path.name).exists() else f'../{path.name}'

def moved(text, own):
    "Links of a lesson as they are right in nbs/zh; those that are right there stay."
    def replaced(match):
        if re.match(r'[a-z][a-z+.-]*:|#|/', match[0], re.I): return match[0]
        where, mark, place = match[0].partition('#')
        above = where.removeprefix('../')
        is_lesson = re.fullmatch(r'\d+[a-z]?_\w+\.ipynb', above)
        if is_lesson and (above == f'{own}.ipynb' or (folder/above).exists()): return above if not place or not place.isascii() else f'../{above}{mark}{place}'
        if is_lesson or (not (folder/where).exists() and (notebooks_path/where).exists()): where = f'../{above if is_lesson else where}'
        return where + mark + place
    return target.sub(replaced, text)

def chinese_title(path):
    "The heading of a lesson: in Chinese where there is one."
    return title(folder/path.name if (folder/path.name).exists() else path)

def version(path, nb):
    "Which text a translation translates."
    check = hash_of('\n'.join(to_translate(nb)))
    return f"*译自 [{path.name}](../{path.name})，版本 {settings()['version']}，校验 {check}。代码和运行结果与原文相同。*"

def header(path, nb):
    "The cell of badges."
    found, paths = measures(nb), lessons()
    here = [f'**{parts_in_chinese[part]}**' if part == part_of(path) else parts_in_chinese[part] for part in parts]
    i = paths.index(path)
    steps = [f'{word}：[{other.stem.split("_")[0]} {chinese_title(other)}]({link(other)})' for word, other in
             [('上一课', paths[i - 1] if i else None), ('下一课', paths[i + 1] if i + 1 < len(paths) else None)] if other]
    length = f"阅读约 {round(found['minutes'])} 分钟" + f"，另有 {found['exercises']} 道练习"*bool(found['exercises'])
    return (f"{marker}\n{badges(folder/path.name)}\n\n*{length}。* {' → '.join(here)}\n\n"
            f"{' · '.join([*steps, f'名词：[术语表](../glossary.zh.md)', f'[English](../{path.name})'])}")

def course_map(own):
    "What every lesson behind the first is about, by part."
    rows = ['| | 课 | 讲什么 | 分钟 |', '| --- | --- | --- | --- |']
    for part in parts:
        paths = [path for path in lessons()[1:] if part_of(path) == part]
        if not paths: continue
        rows.append(f'| | **{parts_in_chinese[part]}** | | {time(sum(map(minutes, paths)))} |')
        rows += [f"| {path.stem.split('_')[0]} | [{chinese_title(path)}]({link(path, own)}) | {moved(promise(path), own)} | {minutes(path)} |" for path in paths]
    return '\n'.join([map_marker, '', *rows])

def chinese_cell(cell, path, nb, texts):
    "The Chinese lesson's cell for a cell of the lesson, or None for one that has no place in it."
    new = nbformat.v4.new_markdown_cell
    if cell.cell_type == 'code':
        source, metadata = plain_code(cell.source), {}
        if english := alternative(source):
            metadata = {'translates': hash_of(english)}
            source = f'#| fig-alt: {texts[hash_of(english)]}\n{without_alternative(source)}'
        return nbformat.v4.new_code_cell(source, outputs=cell.outputs, metadata=metadata) if source else None
    if cell.source.startswith(introduction): return None
    if cell.source.startswith(marker): return new(header(path, nb))
    if cell.source.startswith(map_marker): return new(course_map(path.stem))
    name = hash_of(cell.source)
    text = moved(texts[name], path.stem)
    return new(f'{text}\n\n{version(path, nb)}' if cell is nb.cells[0] else text, metadata={'translates': name})

def built(path, texts):
    "The Chinese notebook of a lesson."
    nb = nbformat.read(path, as_version=4)
    cells = [made for cell in nb.cells if (made := chinese_cell(cell, path, nb, texts))]
    for i, cell in enumerate(cells): cell['id'] = f'cell-{i:03d}'
    return nbformat.v4.new_notebook(cells=cells, metadata=nb.metadata)

def missing(path, texts):
    "The English cells of a lesson without Chinese, by hash."
    return {name: source for name, source in to_translate(nbformat.read(path, as_version=4)).items() if not texts.get(name)}

def advice(path):
    "What is to be done for a lesson that changed."
    return f'`python tools/chinese.py --missing {path.stem}` prints them, `python tools/chinese.py {path.stem} FILE` takes their Chinese'

def without_outputs(nb):
    "The cells of a notebook, but for what they printed."
    return [(cell.cell_type, cell.id, cell.source, dict(cell.metadata)) for cell in nb.cells]

def write(path, texts):
    "Write the Chinese notebook of a lesson if it is another."
    there, text = folder/path.name, nbformat.writes(built(path, texts)) + '\n'
    folder.mkdir(exist_ok=True)
    if not there.exists() or there.read_text(encoding='utf-8').rstrip() != text.rstrip(): write_whole(there, text)

def faults(only_check):
    "Bring every Chinese lesson up to date, or only look; yields a sentence for each that is not."
    for there in translations():
        path = original(there.stem)
        texts = kept(there)
        if changed := missing(path, texts): yield f'{address(there)}: {len(changed)} cells of {address(path)} changed. {advice(path)}'
        elif not only_check: write(path, texts)
        elif without_outputs(built(path, texts)) != without_outputs(nbformat.read(there, as_version=4)): yield f'{address(there)} is not made from {address(path)}: run make badges'

def print_missing(path):
    "Print what is to be translated, and below it the Chinese whose English is gone: most of it can be used again."
    texts = kept(folder/path.name)
    found = missing(path, texts)
    for name, source in found.items(): print(f'%%%% {name}\n{source}\n')
    english = to_translate(nbformat.read(path, as_version=4))
    for name, text in texts.items():
        if name not in english: print(f'# no English cell has the hash {name} now; its Chinese was:\n{text}\n')
    if not found: print(f'{path.stem}: every cell has its Chinese', file=sys.stderr)

def take(path, file):
    "Write the lesson with the Chinese of a file, and what there was."
    english, given = to_translate(nbformat.read(path, as_version=4)), blocks(open(file, encoding='utf-8').read())
    if strange := set(given) - set(english): sys.exit(f"no English cell of {path.stem} has the hash {', '.join(sorted(strange))}: {advice(path)}")
    texts = {**kept(folder/path.name), **given}
    if lacking := missing(path, texts): sys.exit(f"{path.stem}: {len(lacking)} cells have no Chinese, {', '.join(lacking)}. {advice(path)}")
    write(path, texts)
    for said in faults(False): print(said, file=sys.stderr)     # links to this lesson lead here now

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('name', nargs='?', help='a lesson, such as 01_tokenization')
    parser.add_argument('file', nargs='?', help='Chinese Markdown in blocks')
    parser.add_argument('--missing', action='store_true', help='print what is to be translated')
    parser.add_argument('--check', action='store_true', help='write nothing')
    given = parser.parse_args()
    if given.missing: return print_missing(original(given.name)) if given.name else parser.error('--missing wants a lesson')
    if given.name: return take(original(given.name), given.file) if given.file else parser.error(f'which file? {advice(original(given.name))}')
    if said := list(faults(given.check)): sys.exit('\n'.join(said))

if __name__ == '__main__': main()
