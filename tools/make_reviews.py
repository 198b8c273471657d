"""Make fastnlp_course/assets/reviews.csv.gz from the source distribution of vaderSentiment 3.3.2 (MIT licence).

    python tools/make_reviews.py              downloads the source distribution with pip
    python tools/make_reviews.py FILE.tar.gz  takes it from a file

The bytes written are the same each time, so the hash in reviews.README.md can be checked.
"""
import csv, gzip, hashlib, io, subprocess, sys, tarfile, tempfile
from pathlib import Path
from project import root

version = '3.3.2'
source_sha256 = '5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9'
parts = {'movie': 'movieReviewSnippets', 'product': 'amazonReviewSnippets', 'tweets': 'tweets', 'newspaper': 'nytEditorialSnippets'}

def download(folder):
    "The source distribution, fetched by package name."
    subprocess.run([sys.executable, '-m', 'pip', 'download', '-q', '--no-deps', '--no-binary', ':all:', '--no-build-isolation', '-d', str(folder), f'vaderSentiment=={version}'], check=True)
    return next(Path(folder).glob('*.tar.gz'))

def inner_archive(path):
    "The data archive inside the source distribution, as bytes."
    with tarfile.open(path) as outer:
        member = next(m for m in outer.getmembers() if m.name.endswith('additional_resources/hutto_ICWSM_2014.tar.gz'))
        return outer.extractfile(member).read()

def decoded(line):
    "A line as UTF-8, as most files are; a line that is none (there is no such line today) as Latin-1. Reading all as Latin-1 made `Ã©` of every é."
    try: return line.decode('utf-8')
    except UnicodeDecodeError: return line.decode('latin-1')

def rows(data):
    "Text, score and domain of every sentence, in the order of the files."
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for domain, stem in parts.items():
            member = next(m for m in archive.getmembers() if m.name.endswith(f'{stem}_GroundTruth.txt'))
            for line in archive.extractfile(member).read().replace(b'\r\n', b'\n').split(b'\n'):
                if line:
                    _, score, text = decoded(line).split('\t', 2)
                    yield text, score, domain

def compressed(table):
    "The table as gzipped CSV without time stamp: equal input, equal bytes."
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['text', 'score', 'domain'])
    writer.writerows(table)
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode='wb', mtime=0, compresslevel=9) as file: file.write(text.getvalue().encode('utf-8'))
    return packed.getvalue()

def main(path=None):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(path) if path else download(folder)
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != source_sha256: sys.exit(f'{path.name} has the hash {found}, expected {source_sha256}')
        table = list(rows(inner_archive(path)))
    target = root/'fastnlp_course'/'assets'/'reviews.csv.gz'
    target.write_bytes(compressed(table))
    print(f'{target.name}: {len(table)} rows, {target.stat().st_size} bytes, sha256 {hashlib.sha256(target.read_bytes()).hexdigest()}')

if __name__ == '__main__': main(*sys.argv[1:])
