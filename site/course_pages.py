"Pages that are made from all others: the landing page with its map, the wings, the list beside each page."
import html, posixpath
from plan import root
from project import address, colab_url, kaggle_url, lessons, minutes, notebooks_path, part_of, parts, parts_in_chinese, promise, references, title, wing_of, wings
from tables import hours
from api_pages import toctree
from course_map import Part, course_map
from markdown_text import ready
from plan import on_github

wing_lines = {
    'ground': 'safe files, and where text comes from', 'text': 'words, sub-words, ids, stores of ids', 'data': 'batches, pipelines, splits, data blocks',
    'training': 'losses, metrics, optimizers, the learner, schedules, saving', 'models': 'AWD-LSTM, ULMFiT, transformers, LoRA',
    'bridges': 'transformers, Lightning, ONNX, images', 'applications': 'commands, contests, patents, serving', 'exercises': 'checks of the exercises'}
# Pages with text of their own, in the order of the list beside each page: page -> its name there.
more = {'start': 'Install and use', 'commands': 'Commands', 'results': 'Benchmarks', 'glossary': 'Glossary', 'changelog': 'Changelog', 'contributing': 'Contribute',
        'security': 'Security', 'code_of_conduct': 'Code of conduct'}

def number(path):
    "Number of a lesson, with its letter."
    return path.stem.split('_')[0]

def bar(path, pages, module_page=''):
    "The lines below a notebook's title: where it stands, how long it takes, where it opens, and the page of the module that it writes."
    where = address(path)
    is_lesson = pages[where].startswith('lessons/')
    wing = wing_of(path) if pages[where].startswith('reference/') else ''
    place = f'Part {part_of(path)} · about {minutes(path)} minutes' if is_lesson else f'[Reference rooms: {wing}](/reference/{wing}.md)' if wing else ''
    is_chinese = pages[where].startswith('zh/')
    if is_chinese: place = f'{parts_in_chinese[part_of(path)]} · 阅读约 {minutes(notebooks_path/path.name)} 分钟'
    words = ['在 Colab 中打开', '在 Kaggle 中打开', 'GitHub 上的笔记本'] if is_chinese else ['Open in Colab', 'Open in Kaggle', 'Notebook on GitHub']
    links = [f'[{said}]({url})' for said, url in zip(words, (colab_url(path), kaggle_url(path), on_github(where)))]
    if module_page: links.append(f'[API](/{module_page}.md)')
    glossary = 'zh/glossary' if is_chinese else 'glossary'
    if (is_lesson or is_chinese) and glossary in pages.values(): links.append(f"[{'术语表' if is_chinese else 'Glossary'}](/{glossary}.md)")
    for folder, words in (('nbs/solutions', '解答' if is_chinese else 'Solutions'), ('nbs/zh', '中文版'), ('nbs', 'English' if is_chinese else 'The lesson')):
        other = f'{folder}/{path.name}'
        if other != where and other in pages and not wing: links.append(f'[{words}](/{pages[other]}.ipynb)')
    return f"{{.place}}\n{place}\n\n{{.launch}}\n{' '.join(links)}" if place else f"{{.launch}}\n{' '.join(links)}"

def course_parts(pages):
    "The parts of the course with their lessons, as the map draws them."
    for part in parts:
        paths = [path for path in lessons() if part_of(path) == part and address(path) in pages]
        if paths: yield Part(part, hours(sum(map(minutes, paths))), [(number(path), title(path), f'{pages[address(path)]}.html') for path in paths]), paths

def lesson_cards(pages):
    "Lessons by part, with promise and minutes."
    for part, paths in course_parts(pages):
        yield f'## {part.name}\n\n{{.part-time}}\n{len(paths)} lesson{"s"*(len(paths) > 1)}, {part.hours}'
        rows = [f'- {number(path)} [{title(path)}](/{pages[address(path)]}.ipynb) *{minutes(path)} min*\n\n  {ready(promise(path), address(path), pages)}' for path in paths]
        yield '\n'.join(['::::{container} lesson-list', *rows, '::::'])
        yield toctree([f'/{pages[address(path)]}' for path in paths])

said_of = {'questions.html': 'on one page, to read or to print', 'fastnlp_course.apkg': 'as a deck for Anki', 'fastnlp_course.tsv': 'as text that Anki imports'}

def questions_line(downloads):
    "A point of a list that leads to the questions of the lessons in each form there is, or nothing."
    links = [f'<a href="downloads/{name}">{words}</a>' for name, words in said_of.items() if name in downloads]
    return [f"- Questions of all lessons with their answers: {', '.join(links)}"] if links else []

def landing(pages, extra, downloads=()):
    "Markdown of the first page; `extra` are pages without a place among the lessons, for the list of contents; `downloads` names of files with the questions."
    drawn = course_map([part for part, paths in course_parts(pages)])
    total = hours(sum(minutes(path) for part, paths in course_parts(pages) for path in paths))
    first = pages[address(lessons()[0])]
    install = ' [Install](/start.md)' if 'start' in pages.values() else ''
    chinese = ' [中文](/zh/index.md)' if 'zh/index' in pages.values() else ''
    return '\n\n'.join([
        '# From text to prediction', '{.promise}\nThe fast.ai NLP course, rebuilt from scratch in notebooks that are at once the lessons, the library and its tests. '
        f'Raw text walks through a row of rooms and comes out as a prediction; each lesson builds one room in front of your eyes. {total} of reading, on a laptop, with no GPU.',
        f'{{.launch}}\n[Begin with the first hour](/{first}.ipynb){install} <a href="fastnlp_course.epub">EPUB for reading offline</a>{chinese}',
        f'<div class="map-frame">{drawn}</div>', *lesson_cards(pages),
        '## To look things up', '\n'.join(['- [Reference rooms](/reference/index.md): what is there for robustness, for speed and for fastai\'s other arguments',
            '- [API](/api/index.md): every public name with its parameters', '- [Commands](/commands.md): `fastnlp` and its options', *questions_line(downloads),
            *(f'- [{more[page]}](/{page}.md)' for page in more if page in pages.values() and page != 'start')]),
        toctree(['/reference/index', '/api/index', '/commands', *extra])]) + '\n'

def book_cover(pages):
    "Markdown of the first page of the book."
    parts = [f'# From text to prediction', 'The lessons of fastnlp_course: the fast.ai NLP course, rebuilt from scratch. Code that was long is folded where your reader can fold; '
             'reference rooms and the API are on the site.']
    parts += [toctree([f'/{pages[address(path)]}' for path in paths], hidden=False, caption=part.name) for part, paths in course_parts(pages)]
    return '\n\n'.join([*parts, *([toctree(['/glossary'], hidden=False)] if 'glossary' in pages.values() else [])]) + '\n'

def wings_with_rooms(pages):
    "The wings that have a reference room among `pages`."
    return [wing for wing in wings if any(wing_of(path) == wing and address(path) in pages for path in references())]

def wing_page(wing, pages):
    "Markdown of the list of a wing's rooms."
    paths = [path for path in references() if wing_of(path) == wing and address(path) in pages]
    rows = ['| room | what it is about |', '| --- | --- |']
    rows += [f"| [{title(path)}](/{pages[address(path)]}.ipynb) | {ready(promise(path), address(path), pages).replace('|', chr(92) + '|')} |" for path in paths]
    return '\n\n'.join([f'# Reference rooms: {wing}', f'{wing_lines[wing].capitalize()}.'.replace('Awd-lstm, ulmfit', 'AWD-LSTM, ULMFiT'), '\n'.join(rows), toctree([f'/{pages[address(path)]}' for path in paths])]) + '\n'

def wings_page(pages):
    "Markdown of the list of wings."
    rows = [f'- [{wing.capitalize()}](/reference/{wing}.md): {wing_lines[wing]}' for wing in wings_with_rooms(pages)]
    return '\n\n'.join(['# Reference rooms', 'Rooms hold what is there for robustness, for speed and for fastai\'s other arguments: exported and tested like the lessons, to look things up in, '
                        'not to be read in a row. A wing knows only the wings before it.', '\n'.join(rows), toctree([f'/reference/{wing}' for wing in wings_with_rooms(pages)])]) + '\n'

def folder_page(heading, words, names):
    "Markdown of a list of pages."
    return '\n\n'.join([f'# {heading}', words, toctree([f'/{name}' for name in names], hidden=False)]) + '\n'

def side_list(pages, api, titles):
    """The list beside each page: groups of (page, words), each with the beginning of the pages for which it is open.

    Rooms and modules stand in it only beside pages of their own wing: three hundred links on every page help nobody.
    """
    groups = [{'title': part.name, 'inside': '', 'links': [(pages[address(path)], f'{number(path)} {title(path)}') for path in paths]} for part, paths in course_parts(pages)]
    groups.append({'title': 'Reference rooms', 'inside': '', 'links': [(f'reference/{wing}', wing.capitalize()) for wing in wings_with_rooms(pages)]})
    groups += [{'title': f'Rooms: {wing}', 'inside': f'reference/{wing}', 'links': [(pages[address(path)], title(path)) for path in references() if wing_of(path) == wing and address(path) in pages]} for wing in wings]
    groups += [{'title': f'API: {wing}', 'inside': f'api {wing}', 'links': [(api.page_of(name), name.removeprefix('fastnlp_course.')) for name in api.modules if api.wing_of(name) == wing]} for wing in wings]
    rest = [('api/index', 'API')] + [(page, words) for page, words in more.items() if page in pages.values() or page == 'commands']
    groups.append({'title': 'More', 'inside': '', 'links': rest})
    for folder, words in (('solutions', 'Solutions'), ('zh', '中文')):
        inside = sorted((page, titles[where]) for where, page in pages.items() if page.startswith(folder + '/') and page != f'{folder}/index')
        if inside or f'{folder}/index' in pages.values(): rest.append((f'{folder}/index', words))
        if inside: groups.append({'title': words, 'inside': folder, 'links': [(f'{folder}/index', words), *inside]})
    return groups
