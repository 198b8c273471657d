"The map of the course, drawn as SVG: parts as rooms in a row, what walks from room to room on the arrows, a link for each lesson."
import html, textwrap
from dataclasses import dataclass

# What leaves a part, by its numeral.
leaves = {'I': 'raw text', 'II': 'ids', 'III': 'batches', 'IV': 'a trained network', 'V': 'a language model', 'VI': 'any model', 'VII': 'a prediction'}
line, head, pad, gap = 21, 58, 14, 66  # heights of a line and of a box's head; space within and between boxes

@dataclass
class Part:
    "A part of the course as it is drawn."
    name: str      # numeral and title
    hours: str     # as one says it
    lessons: list  # (number, title, address) of each lesson

def short(title):
    "A title without what follows the colon."
    return title.split(':')[0].split(', from')[0]

def rows_of(part, width):
    "Lines of text in a part's box: (number, words, address); a long title goes on in the next line."
    rows = []
    for number, title, address in part.lessons:
        for i, words in enumerate(textwrap.wrap(short(title), int((width - 2*pad - 34)/6.9))): rows.append(('' if i else number, words, address))
    return rows

def tallest_column(rows, columns):
    "How many of `rows` stand in a column; a title is not torn apart."
    count = -(-len(rows)//columns)
    while columns > 1 and count < len(rows) and not rows[count][0]: count += 1
    return count

def text(x, y, words, kind, anchor='start'):
    return f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{html.escape(words)}</text>'

def box(part, x, y, width, height, columns=1):
    "One part: its head, and its lessons as links, in one column or more."
    numeral, _, name = part.name.partition(' ')
    drawn = [f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="10" class="map-room"/>',
             f'<path d="M{x} {y + height - 10}V{y + 10}a10 10 0 0 1 6 -9V{y + height - 1}a10 10 0 0 1 -6 -9z" class="map-edge"/>',
             text(x + pad + 4, y + 25, f'{numeral}  {name}', 'map-part'), text(x + pad + 4, y + 45, f'{len(part.lessons)} lesson{"s"*(len(part.lessons) > 1)}, {part.hours}', 'map-time')]
    opened, rows = None, rows_of(part, width/columns)
    for i, (number, words, address) in enumerate(rows):
        column, i = divmod(i, tallest_column(rows, columns))
        if address != opened: drawn.append(('</a>' if opened else '') + f'<a href="{html.escape(address)}">')
        opened = address
        at, left = y + head + line*i + 13, x + pad + width/columns*column
        drawn += [text(left + 4, at, number, 'map-number')]*bool(number) + [text(left + 40, at, words, 'map-lesson')]
    return drawn + ['</a>']*bool(opened)

def arrow(x, y, to_x, to_y, words, name):
    "What walks from one room to the next."
    upright = x == to_x
    label = text(x + 10, (y + to_y)/2 + 4, words, 'map-thing') if upright else ''
    if not upright:
        middle, lines = (x + to_x)/2, textwrap.wrap(words, 9, break_long_words=False)
        label = ''.join(text(middle, y - 10 - 14*(len(lines) - 1 - i), part, 'map-thing', 'middle') for i, part in enumerate(lines))
    return [f'<path d="M{x} {y}L{to_x} {to_y}" class="map-way" marker-end="url(#{name})"/>', label]

def drawing(parts, columns, width, name):
    "The SVG of a map with so many boxes in a row; the way runs to the right, then below to the left, and so on."
    rows = [parts[i:i + columns] for i in range(0, len(parts), columns)]
    spread = columns - 1 if columns > 2 and len(rows[-1]) == 1 else 1  # a part alone in the last row takes the room of more
    spans = [spread if row is rows[-1] else 1 for row in rows]
    widths = [width*span + gap*(span - 1) for span in spans]
    heights = [max(head + line*tallest_column(rows_of(part, wide/span), span) + 8 for part in row) for row, wide, span in zip(rows, widths, spans)]
    drawn, y, before = [], 6, None
    for i, (row, tallest) in enumerate(zip(rows, heights)):
        for j, part in enumerate(row):
            column = j if i % 2 == 0 else columns - 1 - j
            x = 6 + column*(width + gap)
            if before: drawn += way(before, (x, y, width, tallest), name)
            drawn += box(part, x, y, widths[i], tallest, spans[i])
            before = (x, y, widths[i], tallest, leaves[part.name.split(' ')[0]])
        y += tallest + (gap if columns > 1 else 44)
    x, top, wide, tall, words = before
    if columns > 1:
        to_right = len(rows) % 2 == 1
        drawn += arrow(x + wide + 4, top + head, x + wide + gap - 6, top + head, words, name) if to_right else arrow(x - 4, top + head, x - gap + 6, top + head, words, name)
    total = (12 + columns*(width + gap) - gap, y - (gap if columns > 1 else 44) + 8)
    return svg(drawn, total, name, parts)

def way(before, after, name):
    "The arrow between two boxes."
    x, y, width, height, words = before
    to_x, to_y = after[:2]
    if to_y > y: return arrow(x + width/2, y + height + 4, x + width/2, to_y - 6, words, name)
    if to_x > x: return arrow(x + width + 4, y + head, to_x - 6, y + head, words, name)
    return arrow(x - 4, y + head, to_x + width + 6, y + head, words, name)

def svg(drawn, total, name, parts):
    "All that is drawn, with a title for those who do not see it."
    said = f"Map of the course: {', then '.join(part.name for part in parts)}."
    marker = f'<defs><marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" class="map-tip"/></marker></defs>'
    return f'<svg class="course-map {name}" viewBox="0 0 {total[0]:g} {total[1]:g}" role="group" aria-label="{html.escape(said)}">{marker}{"".join(drawn)}</svg>'

def course_map(parts):
    "Two drawings of the same map: for wide pages, and for phones."
    return drawing(parts, 3, 248, 'map-wide') + drawing(parts, 1, 330, 'map-tall')
