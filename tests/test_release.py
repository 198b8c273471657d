"make release: what it refuses, what it changes, and that a dry run changes nothing; on a small repository, without building."
import subprocess
import sys
from pathlib import Path

import pytest

root = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(subprocess.run(['git', '--version'], capture_output=True).returncode != 0, reason='no git')
ini = '[DEFAULT]\nrepo = small\nlib_name = small\nlib_path = small\nbranch = main\n# a comment\nversion = 0.1.0\nreleased =\ngit_url = https://example.org/small\n'
changelog = '# Changelog\n\nVersions.\n\n## [Unreleased]\n\nNew things.\n\n### Added\n\n- One.\n\n## [0.0.1] - 2020-01-01\n\nOld.\n'

@pytest.fixture
def release(monkeypatch):
    "The tool."
    monkeypatch.syspath_prepend(str(root/'tools'))
    import release
    return release

@pytest.fixture
def git(tmp_path, monkeypatch):
    "Git in a small repository with one commit, whatever the settings of this computer."
    for key in ('GIT_CONFIG_GLOBAL', 'GIT_CONFIG_SYSTEM'): monkeypatch.setenv(key, '/dev/null' if sys.platform != 'win32' else 'NUL')
    folder = tmp_path/'small'
    (folder/'small').mkdir(parents=True)
    (folder/'settings.ini').write_text(ini, encoding='utf-8')
    (folder/'CHANGELOG.md').write_text(changelog, encoding='utf-8')
    (folder/'CITATION.cff').write_text('cff-version: 1.2.0\nversion: 0.1.0\n', encoding='utf-8')
    (folder/'small'/'__init__.py').write_text('__version__ = "0.1.0"\n\nfrom . import x\n', encoding='utf-8')
    (folder/'.gitignore').write_text('dist/\n', encoding='utf-8')
    def git(*arguments): return subprocess.run(['git', '-C', str(folder), *arguments], capture_output=True, text=True, check=True, encoding='utf-8').stdout.strip()
    git.folder = folder
    subprocess.run(['git', 'init', '--quiet', '-b', 'main', str(folder)], check=True)
    for key, value in (('user.name', 'Ann'), ('user.email', 'ann@example.org'), ('commit.gpgsign', 'false')): git('config', key, value)
    git('add', '--all')
    git('commit', '--quiet', '-m', 'Begin')
    return git

def contents(folder): return {path.relative_to(folder): path.read_bytes() for path in folder.rglob('*') if path.is_file() and '.git' not in path.parts}

def test_a_dry_run_changes_nothing_and_shows_all(release, git):
    before, head = contents(git.folder), git('rev-parse', 'HEAD')
    said = []
    text = release.release(git.folder, '0.2.0', dry=True, built=False, day='2030-01-02', say=said.append)
    assert contents(git.folder) == before and git('rev-parse', 'HEAD') == head and git('tag') == '' and git('status', '--porcelain') == ''
    said = '\n'.join(said)
    for line in ('+version = 0.2.0', '+released = 0.2.0', '+__version__ = "0.2.0"', '+## [0.2.0] - 2030-01-02', '+date-released: 2030-01-02'): assert line in said, line
    assert text.startswith('# small 0.2.0\n\nNew things.\n\n### Added\n\n- One.\n\n## Install') and 'Old.' not in text and 'git+https://example.org/small@v0.2.0' in text
    assert 'A dry run' in said

def test_a_release_is_a_commit_with_a_tag(release, git):
    text = release.release(git.folder, '0.2.0', built=False, day='2030-01-02', say=lambda line: None)
    read = lambda name: (git.folder/name).read_text(encoding='utf-8')
    assert git('log', '-1', '--format=%s %an') == 'Release 0.2.0 Ann' and git('tag') == 'v0.2.0' and git('status', '--porcelain') == ''
    assert git('rev-list', '-n1', 'v0.2.0') == git('rev-parse', 'HEAD') and git('cat-file', '-t', 'v0.2.0') == 'tag'
    assert git('tag', '--list', '--format=%(contents)', 'v0.2.0') == text.strip()          # headings of the notes are no comments of git
    assert read('CHANGELOG.md') == changelog.replace('## [Unreleased]\n', '## [Unreleased]\n\n## [0.2.0] - 2030-01-02\n')
    assert read('settings.ini') == ini.replace('version = 0.1.0\nreleased =\n', 'version = 0.2.0\nreleased = 0.2.0\n')
    assert read('CITATION.cff') == 'cff-version: 1.2.0\nversion: 0.2.0\ndate-released: 2030-01-02\n' and '"0.2.0"' in read('small/__init__.py')
    assert read('dist/notes-0.2.0.md') == text
    for version, why in (('0.2.0', 'is released already: the tag v0.2.0'), ('0.1.9', 'is lower than 0.2.0'), ('0.3.0', 'nothing under')):
        with pytest.raises(SystemExit, match=why): release.release(git.folder, version, dry=True, built=False)
    (git.folder/'CHANGELOG.md').write_text(read('CHANGELOG.md').replace('[Unreleased]\n', '[Unreleased]\n\n- Two.\n'), encoding='utf-8')
    git('commit', '--quiet', '--all', '-m', 'Two')
    assert '- Two.' in release.release(git.folder, '0.10.0', built=False, day='2030-02-02', say=lambda line: None)          # numbers, not letters
    assert read('CITATION.cff').count('date-released') == 1 and git('tag') == 'v0.10.0\nv0.2.0'

def test_what_is_refused(release, git):
    def refused(version, why):
        with pytest.raises(SystemExit, match=why): release.release(git.folder, version, dry=True, built=False)
    for version in ('v0.2.0', '0.2', '0.2.0rc1', '1.02.0', '', '0.2.0\n'): refused(version, 'is no version')
    refused('0.0.1', 'has its part in CHANGELOG.md already')
    refused('0.0.9', 'is lower than 0.1.0')
    (git.folder/'new.txt').write_text('x')
    refused('0.2.0', 'changes that no commit holds:\n.* new.txt')
    git('add', 'new.txt')
    refused('0.2.0', 'changes that no commit holds')
    git('commit', '--quiet', '-m', 'New')
    git('checkout', '--quiet', '-b', 'other')
    refused('0.2.0', 'this is the branch other: releases are made from main')
    git('checkout', '--quiet', 'main')
    git('tag', 'v0.2.0')
    refused('0.2.0', 'the tag v0.2.0 is there')

def test_a_step_that_fails_leaves_everything(release, git):
    (git.folder/'tools').mkdir()
    (git.folder/'tools'/'make_readme.py').write_text('raise SystemExit("no")', encoding='utf-8')
    git('add', '--all')
    git('commit', '--quiet', '-m', 'A tool that fails')
    before, head = contents(git.folder), git('rev-parse', 'HEAD')
    with pytest.raises(SystemExit, match='stopped, nothing was changed here'): release.release(git.folder, '0.2.0', built=False, say=lambda line: None)
    assert contents(git.folder) == before and git('rev-parse', 'HEAD') == head and git('tag') == ''

def test_this_repository_is_ready(release):
    "What the release of this repository would write: every place that names the version is found."
    texts = release.edits(root, '9.9.9', '2030-01-02')
    assert len(texts) == 4 and all('9.9.9' in text for text in texts.values())
    changes = (root/'CHANGELOG.md').read_text(encoding='utf-8')
    assert release.section(changes, 'Unreleased') is not None and release.section(changes, '9.9.9') is None

def test_built_is_what_is_released(release):
    with pytest.raises(SystemExit): release.main(['0.2.0', '--no-build'])
