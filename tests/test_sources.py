"Data sets from every place, downloads that break off, layouts of fast.ai."
import gzip
import hashlib
import io
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fastnlp_course.sources import URLs, download_file, find_data, get_data, get_text_files, untar_data

@pytest.fixture
def home(tmp_path, monkeypatch):
    "An empty cache and no other place with data."
    monkeypatch.setenv('FASTNLP_HOME', str(tmp_path/'home'))
    monkeypatch.setenv('FASTNLP_KAGGLE_INPUT', str(tmp_path/'kaggle'))
    monkeypatch.delenv('FASTNLP_DATA', raising=False)
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    return tmp_path/'home'

class Server:
    "Serves one archive from this machine; may break off after some bytes, or send other bytes."
    def __init__(self, content):
        self.content, self.stop_after, self.requests = content, None, []
        outer = self
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                start = int((self.headers.get('Range') or 'bytes=0-').split('=')[1].rstrip('-'))
                outer.requests.append(start)
                rest = outer.content[start:]
                self.send_response(206 if start else 200)
                self.send_header('Content-Length', str(len(rest)))
                self.end_headers()
                self.wfile.write(rest if outer.stop_after is None else rest[:outer.stop_after])
            def log_message(self, *args): pass
        self.server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f'http://127.0.0.1:{self.server.server_port}/little.tgz'
    def close(self):
        self.server.shutdown()
        self.server.server_close()

def archive_bytes():
    "A .tgz with one folder and one text."
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode='w:gz') as archive:
        data = np.random.default_rng(0).bytes(200_000)
        member = tarfile.TarInfo('little/train/1.txt')
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()

@pytest.fixture
def server():
    running = Server(archive_bytes())
    yield running
    running.close()

def test_download_and_unpack(home, server):
    path = untar_data(server.url)
    assert path == home/'data'/'little' and len(get_text_files(path)) == 1
    untar_data(server.url)
    assert server.requests == [0]

def test_interrupted_download_goes_on(home, server):
    server.stop_after = 50_000
    with pytest.raises(OSError, match='interrupted|cannot be reached|IncompleteRead'):
        untar_data(server.url)
    assert not (home/'archive'/'little.tgz').exists() and not (home/'data'/'little').exists()
    server.stop_after = None
    assert len(get_text_files(untar_data(server.url))) == 1
    assert server.requests == [0, 50_000]

def test_wrong_bytes_are_refused(tmp_path, server):
    right = hashlib.md5(server.content).hexdigest()
    server.content = server.content[:-5] + b'wrong'
    with pytest.raises(ValueError, match='not the expected file'):
        download_file(server.url, tmp_path/'a.tgz', len(server.content), right, show_progress=False)
    assert list(tmp_path.glob('a.tgz*')) == []

def test_damaged_archive(home, server):
    server.content = server.content[:1000]
    with pytest.raises(ValueError, match='cannot be unpacked'):
        untar_data(server.url)
    assert not (home/'data'/'little').exists()

def test_nobody_answers(home):
    with pytest.raises(OSError, match='cannot be reached'):
        untar_data('http://127.0.0.1:9/little.tgz')

def write_little_imdb(folder):
    folder.mkdir(parents=True)
    for split, labels in (('train', [0, 1]), ('test', [0, 1]), ('unsup', [-1])):
        rows = [{'text': f'{split} {label}<br />é', 'label': label, 'split': split, 'review_id': i, 'rating': 3} for i, label in enumerate(labels)]
        pd.DataFrame(rows).to_parquet(folder/f'{split}.parquet')

@pytest.mark.parametrize('place', ['FASTNLP_DATA', 'kaggle', 'cache'])
def test_imdb_in_each_place(home, tmp_path, monkeypatch, place):
    folder = {'FASTNLP_DATA': tmp_path/'mine'/'imdb', 'kaggle': tmp_path/'kaggle'/'some-set'/'imdb', 'cache': home/'data'/'imdb'}[place]
    if place == 'FASTNLP_DATA': monkeypatch.setenv('FASTNLP_DATA', str(tmp_path/'mine'))
    write_little_imdb(folder)
    assert find_data('imdb') == folder
    assert get_data('imdb')['train'].label.tolist() == [0, 1]

def test_imdb_laid_out_like_fastai(home, tmp_path, monkeypatch):
    monkeypatch.setenv('FASTNLP_DATA', str(tmp_path/'mine'))
    write_little_imdb(tmp_path/'mine'/'imdb')
    path = untar_data(URLs.IMDB)
    assert sorted(p.name for p in path.ls()) == ['test', 'train', 'unsup']
    assert (path/'train'/'pos'/'1_3.txt').read_text(encoding='utf-8') == 'train 1<br />é'
    assert len(get_text_files(path, folders=['train', 'test'])) == 4

def test_wikitext_and_mnist_layouts(home, tmp_path, monkeypatch):
    monkeypatch.setenv('FASTNLP_DATA', str(tmp_path/'mine'))
    (tmp_path/'mine'/'wikitext-2').mkdir(parents=True)
    for split in ('train', 'valid', 'test'):
        (tmp_path/'mine'/'wikitext-2'/f'{split}.txt.gz').write_bytes(gzip.compress(b' \n = One = \n \n text \n \n = Two = \n \n = = Part = = \n \n more \n'))
    path = untar_data(URLs.WIKITEXT_TINY)
    frame = pd.read_csv(path/'train.csv', header=None)
    assert len(frame) == 2 and '= = Part = =' in frame[0][1] and (path/'test.csv').exists()
    digits = tmp_path/'mine'/'mnist'
    digits.mkdir()
    for part in ('train', 't10k'):
        (digits/f'{part}-images-idx3-ubyte.gz').write_bytes(gzip.compress(bytes(16) + bytes(range(256))*784 )[:0] or gzip.compress(bytes(16) + bytes(3*784)))
        (digits/f'{part}-labels-idx1-ubyte.gz').write_bytes(gzip.compress(bytes(8) + bytes([9, 3, 9])))
    path = untar_data(URLs.MNIST)
    assert len(list((path/'training'/'9').glob('*.png'))) == 2 and (path/'testing'/'3').is_dir()

def test_one_error_for_all_places(home):
    with pytest.raises(FileNotFoundError) as caught:
        get_data('imdb')
    for word in ('FASTNLP_DATA', 'Kaggle', 'cache', 'hub'): assert word in str(caught.value)

def test_interrupted_layout_leaves_nothing(home, tmp_path, monkeypatch):
    monkeypatch.setenv('FASTNLP_DATA', str(tmp_path/'mine'))
    write_little_imdb(tmp_path/'mine'/'imdb')
    monkeypatch.setattr(Path, 'write_text', lambda *args, **kwargs: (_ for _ in ()).throw(OSError(28, 'No space left on device')))
    with pytest.raises(OSError): untar_data(URLs.IMDB)
    assert list((home/'data').iterdir()) == []

def test_real_data(home, reference, monkeypatch):
    monkeypatch.setenv('FASTNLP_DATA', str(reference/'data'))
    assert {split: len(table) for split, table in get_data('imdb').items()} == {'train': 25_000, 'test': 25_000, 'unsup': 50_000}
    assert {split: len(table) for split, table in get_data('mrpc').items()} == {'train': 3_668, 'valid': 408, 'test': 1_725}
    assert len(get_data('patents')['train']) == 36_473
    assert len(get_data('goemotions')['valid']) == 5_426
    wikitext = get_data('wikitext-2')
    assert len(wikitext['train']) > 500 and all(text.startswith(' = ') for text in wikitext['valid'].text)
    assert len(get_data('chnsenticorp')['train']) == 7_766
