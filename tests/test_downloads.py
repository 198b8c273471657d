"Downloads under attack: files that change between two halves, two at once, full disks, addresses without a name."
import errno
import hashlib
import io
import json
import multiprocessing
import os
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import fastnlp_course.downloads
from fastnlp_course.downloads import download_file
from fastnlp_course.sources import untar_data

needs_fork = pytest.mark.skipif('fork' not in multiprocessing.get_all_start_methods(), reason='needs fork')
old, new = bytes(range(256))*600, bytes(reversed(range(256)))*600

class Server:
    "Serves one file; knows ranges, and as much of versions as it is told."
    def __init__(self):
        self.content, self.stop_after, self.requests, self.barrier = old, None, [], None
        self.headers, self.minds_versions, self.ranges = {}, False, True
        outer = self
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                start = int((self.headers.get('Range') or 'bytes=0-').split('=')[1].rstrip('-'))
                version = self.headers.get('If-Range')
                if not outer.ranges or outer.minds_versions and version not in (None, outer.headers.get('ETag'), outer.headers.get('Last-Modified')): start = 0
                outer.requests.append(start)
                if start and start >= len(outer.content): return self.send_error(416)
                rest = outer.content[start:]
                self.send_response(206 if start else 200)
                for name, value in outer.headers.items(): self.send_header(name, value)
                if start: self.send_header('Content-Range', f'bytes {start}-{len(outer.content) - 1}/{len(outer.content)}')
                self.send_header('Content-Length', str(len(rest)))
                self.end_headers()
                if outer.barrier: outer.barrier.wait(10)
                self.wfile.write(rest if outer.stop_after is None else rest[:outer.stop_after])
            def log_message(self, *args): pass
        self.server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f'http://127.0.0.1:{self.server.server_port}/little.tgz'
    def interrupted(self, dest, **known):
        "A download that stops after 50,000 bytes."
        self.stop_after = 50_000
        with pytest.raises(OSError, match='interrupted|cannot be reached'): download_file(self.url, dest, show_progress=False, **known)
        self.stop_after = None

@pytest.fixture
def server():
    running = Server()
    yield running
    running.server.shutdown()
    running.server.server_close()

@pytest.mark.parametrize('before, after, minds', [
    ({'ETag': '"1"'}, {'ETag': '"2"'}, True), ({'ETag': '"1"'}, {'ETag': '"2"'}, False), ({'ETag': 'W/"1"'}, {'ETag': 'W/"2"'}, False),
    ({'Last-Modified': 'Mon, 01 Jan 2024 00:00:00 GMT'}, {'Last-Modified': 'Tue, 02 Jan 2024 00:00:00 GMT'}, False)])
def test_the_file_has_changed_in_between(tmp_path, server, before, after, minds):
    server.headers, server.minds_versions = before, minds
    server.interrupted(tmp_path/'a')
    server.content, server.headers = new, after
    assert download_file(server.url, tmp_path/'a', show_progress=False).read_bytes() == new
    assert server.requests[-1] == 0 and [path.name for path in tmp_path.iterdir()] == ['a']

def test_only_the_size_tells_that_it_has_changed(tmp_path, server):
    server.interrupted(tmp_path/'a')
    server.content = new + b'more'
    assert download_file(server.url, tmp_path/'a', show_progress=False).read_bytes() == new + b'more'
    assert server.requests == [0, 50_000, 0]

def test_only_the_hash_tells_that_it_has_changed(tmp_path, server):
    known = {'size': len(new), 'md5': hashlib.md5(new).hexdigest()}
    server.interrupted(tmp_path/'a', **known)
    server.content = new
    with pytest.raises(ValueError, match='not the expected file'): download_file(server.url, tmp_path/'a', show_progress=False, **known)
    assert list(tmp_path.iterdir()) == []
    assert download_file(server.url, tmp_path/'a', show_progress=False, **known).read_bytes() == new

def test_the_same_file_goes_on(tmp_path, server):
    server.headers, server.minds_versions = {'ETag': '"1"'}, True
    server.interrupted(tmp_path/'a')
    assert download_file(server.url, tmp_path/'a', show_progress=False).read_bytes() == old and server.requests == [0, 50_000]

@pytest.mark.parametrize('ranges', [True, False])
def test_what_is_not_known_to_belong_to_it_is_not_gone_on_from(tmp_path, server, ranges):
    "A beginning of unknown origin, of another address, or longer than the file."
    server.ranges = ranges
    (tmp_path/'a.part').write_bytes(b'strange')
    assert download_file(server.url, tmp_path/'a', show_progress=False).read_bytes() == old
    (tmp_path/'a.part').write_bytes(b'strange')
    (tmp_path/'a.part.json').write_text(json.dumps({'url': 'http://other/', 'size': len(old)}))
    assert download_file(server.url, tmp_path/'a', show_progress=False).read_bytes() == old
    (tmp_path/'a.part').write_bytes(b'x'*(len(old) + 5))
    (tmp_path/'a.part.json').write_text(json.dumps({'url': server.url, 'size': len(old)}))
    assert download_file(server.url, tmp_path/'a', show_progress=False).read_bytes() == old
    (tmp_path/'a.part').write_bytes(old)   # all of it had arrived when the process died
    (tmp_path/'a.part.json').write_text(json.dumps({'url': server.url, 'size': len(old)}))
    assert download_file(server.url, tmp_path/'a', show_progress=False).read_bytes() == old
    assert [path.name for path in tmp_path.iterdir()] == ['a']

def archive(text=b'fine'):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode='w:gz') as file:
        member = tarfile.TarInfo('little/1.txt')
        member.size = len(text)
        file.addfile(member, io.BytesIO(text))
    return packed.getvalue()

@needs_fork
def test_two_at_once_are_one_download(tmp_path, server):
    server.content, server.barrier = archive(), threading.Barrier(2)
    context = multiprocessing.get_context('fork')
    def wanted():
        os._exit((untar_data(server.url, base=tmp_path)/'1.txt').read_bytes() != b'fine')
    children = [context.Process(target=wanted) for _ in range(3)]
    for child in children: child.start()
    server.barrier.wait(10)                # the first request has come; the others wait for whoever sent it
    for child in children: child.join()
    assert [child.exitcode for child in children] == [0, 0, 0] and server.requests == [0]
    assert sorted(path.name for path in (tmp_path/'data').iterdir()) == ['little'] and [path.name for path in (tmp_path/'archive').iterdir()] == ['little.tgz']

def test_threads_at_once_are_one_download(tmp_path, server):
    found = []
    threads = [threading.Thread(target=lambda: found.append(download_file(server.url, tmp_path/'a', show_progress=False))) for _ in range(3)]
    server.barrier = threading.Barrier(2)
    for thread in threads: thread.start()
    server.barrier.wait(10)
    for thread in threads: thread.join()
    assert found == [tmp_path/'a']*3 and server.requests == [0]

def test_forced_download_keeps_the_old_data_until_the_new_are_whole(tmp_path, server):
    server.content = archive(b'old')
    path = untar_data(server.url, base=tmp_path)
    for content in (archive(b'new')[:40], b'no archive', b''):
        server.content = content
        with pytest.raises((ValueError, OSError)): untar_data(server.url, base=tmp_path, force_download=True)
        assert (path/'1.txt').read_bytes() == b'old' and [file.name for file in path.parent.iterdir()] == ['little']
    server.content, server.stop_after = archive(b'new'), 20
    with pytest.raises(OSError): untar_data(server.url, base=tmp_path, force_download=True)
    assert (path/'1.txt').read_bytes() == b'old'
    server.stop_after = None
    assert (untar_data(server.url, base=tmp_path, force_download=True)/'1.txt').read_bytes() == b'new'
    (tmp_path/'plain').mkdir()
    assert path.stat().st_mode == (tmp_path/'plain').stat().st_mode

def test_a_full_disk_is_not_the_archives_fault(tmp_path, server, monkeypatch):
    monkeypatch.setenv('FASTNLP_FAULT', 'raise:extract:1.txt')
    server.content = archive()
    with pytest.raises(OSError, match=r'cannot be written \(No space left on device\)') as caught: untar_data(server.url, base=tmp_path)
    assert caught.value.errno == errno.ENOSPC and 'download' not in str(caught.value)
    monkeypatch.undo()
    def full(fd): raise OSError(errno.ENOSPC, 'No space left on device')
    monkeypatch.setattr(fastnlp_course.downloads.os, 'fsync', full)
    with pytest.raises(OSError, match='cannot be written'): download_file(server.url, tmp_path/'a', show_progress=False)
    assert not (tmp_path/'a').exists()

@pytest.mark.parametrize('end', ['/', '/..', '/.', '/.tgz', '/...zip', '/a/..', '/a/', '/a\\..'])
def test_an_address_without_a_name_touches_nothing(tmp_path, end):
    (tmp_path/'data'/'mine').mkdir(parents=True)
    with pytest.raises(ValueError, match='no name of an archive'): untar_data(f'http://127.0.0.1:9{end}', base=tmp_path, force_download=True)
    assert [path.name for path in tmp_path.rglob('*')] == ['data', 'mine']
