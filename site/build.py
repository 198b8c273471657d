"""Build the site: build.py [--only PATTERN] [--no-epub] [--keep-going]

Notebooks are not run: their committed outputs are shown. Everything is written under _site/: source (what Sphinx reads),
html, epub, anki (the questions of the lessons, also in html/downloads). `--only` builds the pages whose address matches, to look at a change quickly.
"""
import argparse, json, re, shutil, sys
from pathlib import Path

here = Path(__file__).resolve().parent
sys.path.insert(0, str(here))
from plan import dead_links, planned, root
from anki import write_all
from project import references, settings, title, wings
from api_pages import Api
from chinese_index import as_script, notebook_entry, page_entry
from commands_page import commands_page
from course_pages import bar, book_cover, folder_page, landing, number, side_list, wing_page, wings_page, wings_with_rooms
from markdown_text import ready
from notebook_page import as_xml, site_notebook

out = root/'_site'

def heading(text, otherwise):
    "The first heading of a Markdown file."
    found = re.search(r'^# +(.+)$', text, re.M)
    return found[1].strip() if found else otherwise

def titles_of(pages):
    "Title of each page, by its address in the repository."
    def named(path): return f'{number(path)} {title(path)}' if path.stem[0].isdigit() and number(path) not in title(path) else title(path)
    return {address: named(root/address) if address.endswith('ipynb') else heading((root/address).read_text(encoding='utf-8'), name) for address, name in pages.items()}

def write(source, name, text):
    "Write one page."
    path = source/name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding='utf-8')

def module_page(text, api):
    "The page of the module that a notebook writes, or nothing."
    found = re.search(r'#\| default_exp ([\w.]+)', text)
    name = f'fastnlp_course.{found[1]}' if found else ''
    return api.page_of(name) if api and name in api.modules else ''

def write_notebooks_and_files(source, pages, titles, api=None):
    "Write every page that has a file in the repository, as XML for a book, which has no API; give back the Chinese they hold."
    pictures, chinese = set(), []
    for address, name in pages.items():
        text = (root/address).read_text(encoding='utf-8')
        if address.endswith('ipynb'):
            nb = site_notebook(json.loads(text), address, pages, bar(root/address, pages, module_page(text, api)), pictures)
            if api is None: nb = as_xml(nb)
            write(source, f'{name}.ipynb', json.dumps(nb, ensure_ascii=False))
            chinese.append(notebook_entry(name, titles[address], nb))
        else:
            done = ready(text, address, pages, pictures)
            write(source, f'{name}.md', done)
            chinese.append(page_entry(name, titles[address], [done]))
    for picture in pictures:
        (source/'pictures'/picture).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root/picture, source/'pictures'/picture)
    return [entry for entry in chinese if entry]

def write_made_pages(source, pages, api, downloads=()):
    "Write the pages that come from all the others."
    extra = [f'/{page}' for page in pages.values() if '/' not in page]
    for folder, words, said in (('solutions', 'Solutions', 'Worked exercises, lesson by lesson.'), ('zh', '中文', '本课程的中文页面。')):
        names = sorted(page for page in pages.values() if page.startswith(f'{folder}/') and page != f'{folder}/index')
        if f'{folder}/index' not in pages.values() and names: write(source, f'{folder}/index.md', folder_page(words, said, names))
        elif names:
            path = source/f'{folder}/index.md'
            path.write_text(path.read_text(encoding='utf-8') + '\n' + folder_page(words, '', names).split('\n\n', 2)[2], encoding='utf-8')
        if names or f'{folder}/index' in pages.values(): extra.append(f'/{folder}/index')
    write(source, 'index.md', landing(pages, extra, downloads))
    write(source, 'reference/index.md', wings_page(pages))
    for wing in wings_with_rooms(pages): write(source, f'reference/{wing}.md', wing_page(wing, pages))
    write(source, 'api/index.md', api.index_page(wings))
    for module in api.modules.values(): write(source, f'{api.page_of(module.name)}.md', api.module_page(module))
    write(source, 'commands.md', commands_page((root/'fastnlp_course/cli.py').read_text(encoding='utf-8')))

def chosen_pages(only):
    "The planned pages whose name matches."
    return {address: name for address, name in planned().items() if only is None or re.search(only, name)}

def begin(source, groups):
    "An empty source folder with the settings of Sphinx."
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(here/'static', source/'_static')
    shutil.copytree(here/'templates', source/'_templates')
    for name in ('conf.py', 'site_extension.py', 'markdown_text.py', 'plan.py'): shutil.copyfile(here/name, source/name)
    config = settings()
    facts = {name: config[name] for name in ('git_url', 'version', 'author', 'copyright')} | {'groups': groups}
    (source/'facts.json').write_text(json.dumps(facts, ensure_ascii=False), encoding='utf-8')

def prepare(source, only=None, downloads=()):
    "Write all that Sphinx reads for the site into the folder `source`; `downloads` are files that lie beside the pages."
    pages = chosen_pages(only)
    titles = titles_of(pages)
    api = Api(root, pages, titles)
    if only: api.modules = {name: module for name, module in api.modules.items() if re.search(only, api.page_of(name))}
    begin(source, side_list(pages, api, titles))
    chinese = write_notebooks_and_files(source, pages, titles, api)
    (source/'_static/chinese_index.js').write_text(as_script(chinese), encoding='utf-8')
    write_made_pages(source, pages, api, downloads)

def prepare_book(source, only=None):
    "Write what Sphinx reads for the book: the lessons and the glossary; links to all else lead to GitHub."
    pages = {address: name for address, name in chosen_pages(only).items() if name.startswith('lessons/') or name == 'glossary'}
    begin(source, [])
    write_notebooks_and_files(source, pages, titles_of(pages))
    write(source, 'index.md', book_cover(pages))

def run_sphinx(builder, source, target, *more):
    "Build with Sphinx; a warning is an error."
    from sphinx.cmd.build import main
    shutil.rmtree(target, ignore_errors=True)
    return main(['-q', '-W', '--keep-going', '-b', builder, '-d', str(out/f'doctrees-{builder}'), *more, str(source), str(target)])

def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--only', help='Build only pages whose name matches this regular expression.')
    parser.add_argument('--no-epub', action='store_true', help='Leave the book out.')
    chosen = parser.parse_args()
    source = out/'source'
    prepare(source, chosen.only, write_all(out/'anki')[1])
    failed = run_sphinx('html', source, out/'html')
    shutil.copytree(out/'anki', out/'html/downloads')
    if not chosen.no_epub:
        prepare_book(out/'book', chosen.only)
        failed = run_sphinx('epub', out/'book', out/'epub') or failed
        if (out/'epub/fastnlp_course.epub').exists(): shutil.copyfile(out/'epub/fastnlp_course.epub', out/'html/fastnlp_course.epub')
    for sentence in dead_links: print(f'Dead link: {sentence}', file=sys.stderr)
    if failed or dead_links: sys.exit(f'{"Sphinx found faults" if failed else f"{len(dead_links)} dead links"}: see above')
    (out/'html/.nojekyll').touch()
    print(f"Built {sum(1 for _ in (out/'html').rglob('*.html'))} pages: open {out.relative_to(root)}/html/index.html")

if __name__ == '__main__': main()
