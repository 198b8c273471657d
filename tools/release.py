"""Make a release: release.py VERSION [--dry-run] [--no-build]

    make release VERSION=0.2.0 DRY=1    all but the end: nothing in this checkout changes
    make release VERSION=0.2.0

Works in a clone beside the checkout. There the version goes into settings.ini, the package and CITATION.cff; the part *Unreleased* of
CHANGELOG.md gets version and date, and an empty one is put above it; install cells, badges and README.md name the release instead of
the branch. Then wheel and sdist are built and used in a clean environment (tools/check_wheel.py). Only if all of that went well the
commit and its tag come into this checkout, and the files into dist/. Nothing is pushed: the last lines say how.

A tree with changes, a version that is there already, one that is not higher than the last, and a changelog without anything new are refused.
"""
import argparse, difflib, re, shutil, subprocess, sys, tempfile
from configparser import ConfigParser
from datetime import date
from pathlib import Path

root = Path(__file__).resolve().parent.parent

def git(folder, *arguments, check=True):
    "What git says in a folder."
    done = subprocess.run(['git', '-C', str(folder), *arguments], capture_output=True, text=True, encoding='utf-8')
    if check and done.returncode: raise SystemExit(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()

def settings_of(folder):
    "The section of settings.ini."
    parser = ConfigParser(delimiters=['='])
    parser.read(folder/'settings.ini', encoding='utf-8')
    return parser['DEFAULT']

def numbers(version):
    "A version as numbers that compare."
    return tuple(int(part) for part in version.split('.'))

def section(changes, title):
    "What stands in CHANGELOG.md below a title, without the title; None where there is no such title."
    found = re.search(rf'^## \[{re.escape(title)}\][^\n]*\n(.*?)(?=^## |\Z)', changes, re.M | re.S)
    return found and found[1].strip()

def refuse(folder, version):
    "Stop with a sentence where this release must not be made."
    if not re.fullmatch(r'(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)', version): raise SystemExit(f'{version} is no version: write three numbers, such as 0.2.0')
    config, changes = settings_of(folder), (folder/'CHANGELOG.md').read_text(encoding='utf-8')
    released = [tag[1:] for tag in git(folder, 'tag', '--list', 'v*').split() if re.fullmatch(r'v\d+\.\d+\.\d+', tag)]
    if version in released: raise SystemExit(f'{version} is released already: the tag v{version} is there')
    if section(changes, version) is not None: raise SystemExit(f'{version} has its part in CHANGELOG.md already: release a higher version')
    last = max([config['version'], *released], key=numbers)
    if numbers(version) < numbers(last): raise SystemExit(f'{version} is lower than {last}: versions only grow')
    if changed := git(folder, 'status', '--porcelain'):
        raise SystemExit('the tree has changes that no commit holds:\n' + '\n'.join(changed.splitlines()[:10]) + '\nCommit them, or put them away, first.')
    if (branch := git(folder, 'rev-parse', '--abbrev-ref', 'HEAD')) != config['branch']: raise SystemExit(f"this is the branch {branch}: releases are made from {config['branch']}")
    if not section(changes, 'Unreleased'): raise SystemExit('CHANGELOG.md has nothing under ## [Unreleased]: a release says what is new')

def replaced(text, pattern, new, name):
    "`text` with the one place that a pattern finds written anew."
    text, n = re.subn(pattern, lambda found: new, text, flags=re.M)
    if n != 1: raise SystemExit(f'{name}: {n} lines fit {pattern}, one was expected')
    return text

def edits(folder, version, day):
    "Path -> its text in the release, for the files that name the version."
    texts = {name: (folder/name).read_text(encoding='utf-8') for name in ('settings.ini', 'CHANGELOG.md', 'CITATION.cff')}
    package = f"{settings_of(folder)['lib_path']}/__init__.py"
    texts[package] = replaced((folder/package).read_text(encoding='utf-8'), r'^__version__ = .*$', f'__version__ = "{version}"', package)
    texts['settings.ini'] = replaced(texts['settings.ini'], r'^version = .*$', f'version = {version}', 'settings.ini')
    texts['settings.ini'] = replaced(texts['settings.ini'], r'^released =.*$', f'released = {version}', 'settings.ini')
    texts['CHANGELOG.md'] = replaced(texts['CHANGELOG.md'], r'^## \[Unreleased\].*$', f'## [Unreleased]\n\n## [{version}] - {day}', 'CHANGELOG.md')
    cited = re.sub(r'^date-released:.*\n', '', texts['CITATION.cff'], flags=re.M)
    texts['CITATION.cff'] = replaced(cited, r'^version: .*$', f'version: {version}\ndate-released: {day}', 'CITATION.cff')
    return texts

def notes(folder, version):
    "What the release says of itself: its part of the changelog."
    config = settings_of(folder)
    install = f"pip install \"{config['lib_name']} @ git+{config['git_url']}@v{version}\""
    return f"# {config['lib_name']} {version}\n\n{section((folder/'CHANGELOG.md').read_text(encoding='utf-8'), version)}\n\n## Install\n\n```sh\n{install}\n```\n"

def prepare(clone, version, day):
    "Write the release into a clone, and what the tools make from it."
    for name, text in edits(clone, version, day).items(): (clone/name).write_text(text, encoding='utf-8')
    for tool in ('notebook_headers.py', 'chinese.py', 'make_readme.py'):
        if (clone/'tools'/tool).exists(): run(sys.executable, clone/'tools'/tool, cwd=clone)

def run(*command, cwd):
    "A step of the release, which must succeed."
    if subprocess.run([str(part) for part in command], cwd=cwd).returncode: raise SystemExit(f"stopped, nothing was changed here: {' '.join(map(str, command))} failed")

def build(clone):
    "Wheel and sdist in the clone's dist/, used in a clean environment."
    run(sys.executable, clone/'tools'/'check_wheel.py', '--keep', clone/'dist', cwd=clone)
    return sorted((clone/'dist').iterdir())

def differences(folder, clone):
    "What the release changes, short: files with their number of lines, and the changed lines of the small ones."
    shown = []
    for name in git(clone, 'diff', '--name-only', 'HEAD').split('\n'):
        before, after = ((place/name).read_text(encoding='utf-8').splitlines() for place in (folder, clone))
        lines = [line for line in difflib.unified_diff(before, after, lineterm='', n=0) if not line.startswith(('---', '+++', '@@'))]
        shown.append(f'{name}: {len(lines)} lines' + ''.join(f'\n    {line[:150]}' for line in lines[:6] if not name.endswith('.ipynb')))
    return '\n'.join(shown)

def bring_back(folder, clone, version, branch):
    "The commit and the tag of the clone into the checkout, and the built files into dist/."
    git(folder, 'fetch', '--quiet', str(clone), branch, f'refs/tags/v{version}:refs/tags/v{version}')
    git(folder, 'merge', '--quiet', '--ff-only', 'FETCH_HEAD')
    if (clone/'dist').exists(): shutil.copytree(clone/'dist', folder/'dist', dirs_exist_ok=True)

def release(folder, version, dry=False, built=True, day=None, say=print):
    "Make a release of the checkout in `folder`."
    refuse(folder, version)
    day, branch = day or date.today().isoformat(), settings_of(folder)['branch']
    with tempfile.TemporaryDirectory() as place:
        clone = Path(place)/folder.name
        subprocess.run(['git', 'clone', '--quiet', '--no-hardlinks', str(folder), str(clone)], check=True)
        for key in ('user.name', 'user.email'):
            if value := git(folder, 'config', key, check=False): git(clone, 'config', key, value)
        prepare(clone, version, day)
        say(differences(folder, clone))
        if built: say('\n'.join(f'built and used: {path.name}' for path in build(clone)))
        text = notes(clone, version)
        if dry:
            say(f'\nThe notes would be:\n\n{text}\nA dry run: no file of this checkout was changed, no tag was made.')
            return text
        (clone/'dist').mkdir(exist_ok=True)
        (clone/'dist'/f'notes-{version}.md').write_text(text, encoding='utf-8')
        git(clone, 'commit', '--quiet', '--all', '--message', f'Release {version}')
        git(clone, 'tag', '--annotate', '--cleanup=verbatim', f'v{version}', '--file', f'dist/notes-{version}.md')
        bring_back(folder, clone, version, branch)
    say(f'Release {version} is committed and tagged v{version}; dist/ holds its files and notes-{version}.md. To publish it:\n    git push --follow-tags\nand put the notes and the files of dist/ on the page of the release.')
    return text

def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('version')
    parser.add_argument('--dry-run', action='store_true', help='change nothing here')
    parser.add_argument('--no-build', action='store_true', help='with --dry-run: leave out wheel, sdist and the clean environment')
    given = parser.parse_args(arguments)
    if given.no_build and not given.dry_run: parser.error('--no-build goes with --dry-run: what is released is built and tried')
    release(root, given.version, given.dry_run, not given.no_build)

if __name__ == '__main__': main()
