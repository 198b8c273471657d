"""Make fastnlp_course/assets/phrases.csv.gz from WordNet 3.0: pairs of phrases with a score, as in the patent task.

    python tools/make_phrases.py            downloads Debian's package wordnet-base and unpacks it
    python tools/make_phrases.py FOLDER     takes data.noun and index.noun from a folder

The bytes written are the same each time, so the hash in data/phrases.README.md can be checked.
"""
import csv, gzip, hashlib, io, random, re, subprocess, sys, tempfile
from collections import Counter, namedtuple
from pathlib import Path
from project import root

hashes = {'data.noun': 'fea17d2f9656611334eac790e5d69e47645fa180c4aa481fb4cd9b3520754ca2',
          'index.noun': 'a490d99d93d017bf4822fe2f0ffa51fd73911ce271dc7535fade21f8814b5a04'}
classes = {4: 'act', 5: 'animal', 6: 'artifact', 7: 'attribute', 9: 'cognition', 10: 'communication', 11: 'event', 12: 'feeling', 13: 'food', 14: 'group', 15: 'location',
           16: 'motive', 17: 'object', 19: 'phenomenon', 20: 'plant', 21: 'possession', 22: 'process', 23: 'quantity', 24: 'relation', 25: 'shape', 26: 'state', 27: 'substance', 28: 'time'}
most_of_a_class, shares = 46, {'train': 0.7, 'valid': 0.15, 'test': 0.15}
unkind = re.compile(r'offensive|slur|disparag|derogat|vulgar|obscen|slang|sex|genital|prostitut|excre|drug|kill|murder|tortur', re.I)
Synset = namedtuple('Synset', 'name words context parents children')

def downloaded(folder):
    "The WordNet files of Debian's package."
    subprocess.run(['apt-get', 'download', '-q', 'wordnet-base'], check=True, cwd=folder)
    subprocess.run(['dpkg-deb', '-x', next(Path(folder).glob('wordnet-base*.deb')), 'wordnet'], check=True, cwd=folder)
    return Path(folder)/'wordnet/usr/share/wordnet'

def checked(path):
    "The text of a WordNet file, if it is the expected one."
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != hashes[path.name]: sys.exit(f'{path} has the hash {found}, expected {hashes[path.name]}: use wordnet-base 1:3.0-37')
    return data.decode('utf-8')

def synset_of(line):
    "One line of data.noun, or None for names of persons and places, for classes we leave out, and for unkind words."
    head, _, gloss = line.partition('|')
    fields = head.split()
    n_words = int(fields[3], 16)
    words = [word.replace('_', ' ') for word in fields[4:4 + 2*n_words:2]]
    pointers = fields[5 + 2*n_words:]
    kinds, places, parts = pointers[::4], pointers[1::4], pointers[2::4]
    words = [word for word in words if re.fullmatch(r"[a-z][a-z -]{2,29}", word)]
    context = classes.get(int(fields[1]))
    if not words or context is None or '@i' in kinds or ';u' in kinds or unkind.search(line): return None
    linked = {kind: [place for found, place, part in zip(kinds, places, parts) if found == kind and part == 'n'] for kind in '@~'}
    return Synset(fields[0], words, context, linked['@'], linked['~'])

def read_synsets(folder):
    "Synsets by number, and the number of the first meaning of each word."
    lines = [line for line in checked(folder/'data.noun').splitlines() if not line.startswith('  ')]
    synsets = {synset.name: synset for synset in map(synset_of, lines) if synset}
    first = {}
    for line in checked(folder/'index.noun').splitlines():
        if not line.startswith('  '):
            fields = line.split()
            first[fields[0].replace('_', ' ')] = next(field for field in fields if re.fullmatch(r'\d{8}', field))
    return synsets, first

def words_of(names, synsets, first):
    "A word for each synset: the first of its words whose first meaning it is."
    found = [next((word for word in synsets[name].words if first.get(word) == name), None) for name in names if name in synsets]
    return [word for word in found if word]

def ancestors(synset, synsets):
    "All that is above a synset."
    above, left = set(), list(synset.parents)
    while left:
        name = left.pop()
        if name not in above:
            above.add(name)
            left += synsets[name].parents if name in synsets else []
    return above

def candidates(synsets, first):
    "For each possible anchor its synonyms, what is above and below it, and what stands beside it."
    for synset in synsets.values():
        own = [word for word in synset.words if first.get(word) == synset.name]
        parents = words_of(synset.parents, synsets, first)
        beside = [name for parent in synset.parents if parent in synsets for name in synsets[parent].children if name != synset.name]
        siblings = words_of(beside, synsets, first)
        near = parents + words_of(synset.children, synsets, first)
        if len(own) >= 2 and len(near) >= 2 and len(siblings) >= 3:
            yield synset, own, near, siblings

def choose_anchors(found, generator):
    "At most so many anchors of a class, in an order by chance; phrases of several words first."
    found = list(found)
    generator.shuffle(found)
    found.sort(key=lambda one: not any(' ' in word for word in one[1]))
    taken, chosen = Counter(), []
    for one in found:
        if taken[one[0].context] < most_of_a_class:
            taken[one[0].context] += 1
            chosen.append(one)
    return sorted(chosen, key=lambda one: one[0].name)

def unrelated(synset, by_class, synsets, first, generator, n=3):
    "Words that share nothing below the third step up; about every second one of the same class."
    above = {synset.name, *synset.parents, *(name for parent in synset.parents if parent in synsets for name in synsets[parent].parents)}
    words = []
    while len(words) < n:
        context = synset.context if generator.random() < 0.5 else generator.choice(sorted(by_class))
        other = synsets[generator.choice(by_class[context])]
        word = words_of([other.name], synsets, first)
        if word and word[0] not in words and not above & {other.name, *ancestors(other, synsets)}: words += word
    return words

def rows_of(chosen, synsets, first, generator):
    "Anchor, target, context and score."
    by_class = {}
    for name, synset in synsets.items(): by_class.setdefault(synset.context, []).append(name)
    for synset, own, near, siblings in chosen:
        several = [word for word in own if ' ' in word]
        anchor = generator.choice(several or own)
        synonyms = [word for word in own if word != anchor]
        targets = {anchor: 1.0} if generator.random() < 0.4 else {}
        for words, n, score in ((synonyms, 2, 0.75), (near, 3, 0.5), (siblings, 3, 0.25), (unrelated(synset, by_class, synsets, first, generator), 3, 0.0)):
            words = [word for word in dict.fromkeys(words) if word != anchor and word not in targets]
            targets.update({word: score for word in generator.sample(words, min(n, len(words)))})
        yield from ((anchor, target, synset.context, score) for target, score in sorted(targets.items()))

def with_splits(rows, generator):
    "Rows with an id and a split; all rows of an anchor stand on one side."
    anchors = list(dict.fromkeys(row[0] for row in rows))
    generator.shuffle(anchors)
    n_valid, n_test = (int(share*len(anchors)) for share in (shares['valid'], shares['test']))
    split = {anchor: 'test' if i < n_test else 'valid' if i < n_test + n_valid else 'train' for i, anchor in enumerate(anchors)}
    return [(f'w{i:05}', *row, split[row[0]]) for i, row in enumerate(sorted(rows))]

def compressed(table):
    "The table as gzipped CSV without time stamp: equal input, equal bytes."
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['id', 'anchor', 'target', 'context', 'score', 'split'])
    writer.writerows(table)
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode='wb', mtime=0, compresslevel=9) as file: file.write(text.getvalue().encode('utf-8'))
    return packed.getvalue()

def main(folder=None):
    generator = random.Random(0)
    with tempfile.TemporaryDirectory() as temporary:
        synsets, first = read_synsets(Path(folder) if folder else downloaded(temporary))
    chosen = choose_anchors(candidates(synsets, first), generator)
    table = with_splits(list(rows_of(chosen, synsets, first, generator)), generator)
    target = root/'fastnlp_course'/'assets'/'phrases.csv.gz'
    target.write_bytes(compressed(table))
    scores, splits = Counter(row[4] for row in table), Counter(row[5] for row in table)
    print(f'{target.name}: {len(table)} rows, {len({row[1] for row in table})} anchors, {dict(sorted(scores.items()))}, {dict(splits)}')
    print(f'{target.stat().st_size} bytes, sha256 {hashlib.sha256(target.read_bytes()).hexdigest()}')

if __name__ == '__main__': main(*sys.argv[1:])
