"Which file of the repository becomes which page of the site, and where its links lead."
import posixpath, re, sys
from pathlib import Path

root = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(root/'tools'))
from project import settings

# Files at fixed places -> their page. A file that is not there gives no page.
fixed = {'README.md': 'start', 'README.zh.md': 'zh/index', 'CHANGELOG.md': 'changelog', 'CONTRIBUTING.md': 'contributing', 'SECURITY.md': 'security',
         'CODE_OF_CONDUCT.md': 'code_of_conduct', 'benchmarks/results.md': 'results', 'nbs/glossary.zh.md': 'zh/glossary'}
# Other names of a page: a lesson that cites nbs/index.ipynb means the front door, and the package carries a copy of the results.
same = {'nbs/index.ipynb': 'README.md', 'fastnlp_course/assets/results.md': 'benchmarks/results.md'}
dead_links = []  # sentences, told when the site is built
folders = {'nbs/[0-9]*.ipynb': 'lessons', 'nbs/reference/*.ipynb': 'reference', 'nbs/solutions/*.ipynb': 'solutions', 'nbs/zh/*.ipynb': 'zh', 'nbs/zh/*.md': 'zh', 'nbs/*.md': ''}

def planned(base=root):
    "Address in the repository -> name of the page, without ending."
    pages = {address: page for address, page in fixed.items() if (base/address).exists()}
    for pattern, folder in folders.items():
        for path in sorted(base.glob(pattern)):
            address = path.relative_to(base).as_posix()
            pages.setdefault(address, posixpath.join(folder, path.stem))
    return pages

def on_github(address, kind='blob'):
    "Where a file of the repository is shown."
    config = settings()
    return f"{config['git_url']}/{kind}/{config['branch']}/{address}"

def link_to(target, address, pages, base=root):
    """Where `target`, as it stands in the file at `address`, leads on the site.

    Addresses of the web and places on the same page stay. A file that has a page becomes that page, any other file of the
    repository its address on GitHub. What is nowhere is noted in `dead_links`, which ends the build.
    """
    if re.match(r'[a-z][a-z+.-]*:|#|//', target, re.I): return target
    path, mark, place = target.partition('#')
    wanted = posixpath.normpath(posixpath.join(posixpath.dirname(address), path))
    wanted = same.get(wanted, wanted)
    if wanted in pages: return f'/{pages[wanted]}.{"ipynb" if wanted.endswith("ipynb") else "md"}{mark}{place}'
    there = base/wanted
    if wanted.startswith('..') or not there.exists(): dead_links.append(f'{address} links to {target}, and {wanted} is not in the repository')
    return on_github(wanted, 'tree' if there.is_dir() else 'blob') + mark + place
