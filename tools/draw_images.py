"""Draw the pictures of README.md: the way from text to prediction, and the small badges of the lesson table: draw_images.py [--check]

Tokens and ids in the picture are those that the package makes of its sentence, with the vocab of the language model that ships.
"""
import json, sys
from html import escape
from project import notebooks_path, root, write_whole

sentence = 'I loved this film!'
ink, soft, line = '#1b1f24', '#57606a', '#8c959f'
tints = ['#f6f8fa', '#ddf4ff', '#dafbe1', '#fff8c5', '#fbefff', '#ffebe9']
width, height = 900, 250

def text(x, y, words, size=13, color=ink, weight='normal', family='sans-serif', anchor='middle'):
    "A line of text."
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{color}" font-weight="{weight}" font-family="{family}" text-anchor="{anchor}">{escape(str(words))}</text>'

def box(x, y, w, h, fill, stroke=line, radius=6):
    "A rectangle with round corners."
    return f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="{radius}" fill="{fill}" stroke="{stroke}"/>'

def arrow(x1, x2, y, dashed=False):
    "A level arrow."
    turned = -1 if x2 < x1 else 1
    dash = ' stroke-dasharray="5 4"' if dashed else ''
    return (f'<line x1="{x1}" y1="{y}" x2="{x2 - 5*turned}" y2="{y}" stroke="{soft}" stroke-width="1.5"{dash}/>'
            f'<path d="M{x2} {y} l{-7*turned} -4 v8 z" fill="{soft}"/>')

def example():
    "Tokens and ids of the sentence."
    sys.path.insert(0, str(root))
    from fastnlp_course.text.tokenizer import Tokenizer
    vocab = json.loads((root/'fastnlp_course'/'assets'/'awd_lstm_fwd'/'vocab.json').read_text(encoding='utf-8'))
    tokens = list(Tokenizer.from_df('text')(sentence))
    return tokens, [vocab.index(token) for token in tokens]

def words_in(x, y, words, step=17):
    "Words below each other."
    return ''.join(text(x, y + step*i, word, 12, family='monospace') for i, word in enumerate(words))

def grid(x, y, rows):
    "A batch: rows of filled cells, and paler ones where a text has ended."
    return ''.join(f'<rect x="{x + 13*column}" y="{y + 17*row}" width="11" height="13" fill="{"#1a7f37" if column < length else "#c8e6d0"}"/>' for row, length in enumerate(rows) for column in range(8))

def network(x, y):
    "Layers with a head."
    layers = [('head', '#cf9fe8'), ('LSTM', '#d8b9ff'), ('LSTM', '#d8b9ff'), ('embedding', '#e9d8fd')]
    return ''.join(box(x - 48, y + 26*i, 96, 21, color, '#8250df', 4) + text(x, y + 15 + 26*i, name, 11) for i, (name, color) in enumerate(layers))

def bars(x, y):
    "Two probabilities."
    parts = []
    for i, (name, share) in enumerate((('pos', 62), ('neg', 14))):
        parts += [text(x - 44, y + 12 + 26*i, name, 12, anchor='start', family='monospace'), f'<rect x="{x - 14}" y="{y + 26*i}" width="{share}" height="15" fill="{"#bc4c00" if i == 0 else "#ffb77c"}"/>']
    return ''.join(parts)

def way():
    "The picture as SVG."
    tokens, ids = example()
    rooms = ['text', 'tokens', 'ids', 'batches', 'network', 'prediction']
    lessons = ['part I · first hour', 'part II · 01, 02', 'part II · 03', 'part III · 04 to 08', 'parts IV to VI · 09 to 25', 'part VII · 26 to 30']
    step, w, top = 148, 124, 52
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-labelledby="t">',
             '<title id="t">The way from text to prediction: text, tokens, ids, batches, network, prediction, and back again</title>',
             f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>']
    centers = [18 + w/2 + step*i for i in range(6)]
    for i, (center, room, lesson) in enumerate(zip(centers, rooms, lessons)):
        parts += [text(center, 28, room, 15, weight='bold'), box(center - w/2, top - 10, w, 136, tints[i]), text(center, 201, lesson, 10.5, soft)]
        if i: parts.append(arrow(centers[i - 1] + w/2 + 2, center - w/2 - 2, top + 58))
    parts += [text(centers[0], top + 62, sentence, 12), words_in(centers[1], top + 14, tokens), words_in(centers[2], top + 14, ids), grid(centers[3] - 51, top + 12, [8, 7, 7, 6, 5, 3]),
              network(centers[4], top + 6), bars(centers[5], top + 34), arrow(centers[5], centers[0], 223, dashed=True), text(width/2, 242, 'decode: every step knows the way back', 11.5, soft), '</svg>']
    return '\n'.join(parts) + '\n'

def badge(name, color):
    "A small badge with one word."
    wide = 7*len(name) + 12
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="18" role="img" aria-label="{name}"><rect width="{wide}" height="18" rx="4" fill="{color}"/>'
            f'<text x="{wide/2}" y="13" font-size="11" font-family="sans-serif" fill="#ffffff" text-anchor="middle">{name}</text></svg>\n')

def main(check):
    for name, made in {'way.svg': way(), 'colab.svg': badge('Colab', '#b35900'), 'kaggle.svg': badge('Kaggle', '#0b6fa4')}.items():
        path = notebooks_path/'images'/name
        if path.exists() and path.read_text(encoding='utf-8') == made: continue
        if check: sys.exit(f'nbs/images/{name} differs from what tools/draw_images.py draws: run it')
        write_whole(path, made)

if __name__ == '__main__': main('--check' in sys.argv[1:])
