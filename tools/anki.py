"""The questions of all lessons as cards for Anki, and on one page to print: anki.py [FOLDER]

Writes fastnlp_course.tsv, which Anki reads by File > Import, fastnlp_course.apkg, which it opens (only if genanki is installed,
as in the environment of the site), and questions.html, which opens offline: on a screen the answers are folded, on paper they
stand behind all questions. A card keeps its id as long as its lesson and its question stay, so that a new import updates it.
"""
import csv, html, io, sys
from pathlib import Path
from project import lessons, part_of, root, write_whole
from questions import lesson_name, lesson_url, questions

folder = root/'_site'/'anki'
deck_name = 'fastnlp_course'
deck_id, model_id = 1_847_203_661, 1_302_918_457   # any numbers, as long as they stay
columns = ['id', 'Front', 'Back', 'Tags']
headers = ['#separator:tab', '#html:true', f'#deck:{deck_name}', '#notetype:Basic', f"#columns:{chr(9).join(columns)}", '#guid column:1', '#tags column:4']

def back(question):
    "The answer, and the lesson it belongs to."
    path = question.lesson
    return f'{question.answer}<div class="lesson"><small><a href="{lesson_url(path)}">{html.escape(lesson_name(path))}</a></small></div>'

def rows(asked):
    "The cells of each card."
    return [[question.id, question.question, back(question), ' '.join(question.tags)] for question in asked]

def tsv(asked):
    "What Anki imports as text."
    written = io.StringIO()
    csv.writer(written, delimiter='\t', lineterminator='\n').writerows(rows(asked))
    return '\n'.join(headers) + '\n' + written.getvalue()

def write_apkg(asked, path):
    "A deck that Anki opens."
    import genanki
    model = genanki.Model(model_id, 'fastnlp_course question', fields=[{'name': 'Front'}, {'name': 'Back'}],
                          templates=[{'name': 'Card', 'qfmt': '{{Front}}', 'afmt': '{{FrontSide}}<hr id="answer">{{Back}}'}],
                          css='.card { font: 1.2em/1.5 system-ui, sans-serif; max-width: 40em; margin: auto; text-align: left } .lesson { margin-top: 1em } code { font-size: .9em }')
    deck = genanki.Deck(deck_id, deck_name, 'Questions of the lessons of fastnlp_course')
    for name, front, answer, tags in rows(asked): deck.add_note(genanki.Note(model=model, fields=[front, answer], tags=tags.split(), guid=name))
    genanki.Package(deck).write_to_file(str(path))

style = """body { font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 0 auto; padding: 1rem; color: #1b1b1b; background: #fff; overflow-wrap: anywhere }
a { color: #0b57a4 } code { font-size: .92em; background: #f0f0f0 } pre { overflow-x: auto; background: #f0f0f0; padding: .5rem } h2 { margin: 2rem 0 0 } h3 { margin: 1.2rem 0 .3rem }
ol { padding-left: 2rem } li { margin: .4rem 0 } summary { cursor: pointer } .answers { display: none }
@media (prefers-color-scheme: dark) { body { color: #e8e8e8; background: #16181b } a { color: #8cc4ff } code, pre { background: #2a2d31 } }
@media print { body { max-width: none; font-size: 10pt; color: #000; background: #fff } a { color: inherit; text-decoration: none } code, pre { background: none }
  .fold > .answer, .screen { display: none } summary { list-style: none } .answers { display: block; break-before: page } h2, h3 { break-after: avoid } li { break-inside: avoid } }"""

def section(asked, item):
    "Lists of a part, lesson by lesson; `item` gives the line of a question."
    said, part = [], None
    for path in lessons():
        own = [question for question in asked if question.lesson == path]
        if not own: continue
        if part_of(path) != part: said.append(f'<h2>{html.escape(part := part_of(path))}</h2>')
        said.append(f'<h3><a href="{lesson_url(path)}">{html.escape(lesson_name(path))}</a></h3>\n<ol>\n' + '\n'.join(map(item, own)) + '\n</ol>')
    return '\n'.join(said)

def page(asked):
    "One page with all questions; it needs nothing from elsewhere."
    folded = section(asked, lambda question: f'<li><details class="fold"><summary>{question.question}</summary><div class="answer">{question.answer}</div></details></li>')
    answers = section(asked, lambda question: f'<li>{question.answer}</li>').replace('h3>', 'h4>').replace('h2>', 'h3>')
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>Questions of fastnlp_course</title>
<style>
{style}
</style>
</head>
<body>
<main>
<h1>Questions of fastnlp_course</h1>
<p>{len(asked)} questions, lesson by lesson. <span class="screen">A click shows the answer. Printed, the answers stand behind all questions.</span></p>
{folded}
<section class="answers">
<h2>Answers</h2>
{answers}
</section>
</main>
</body>
</html>
"""

def write_all(target):
    "Write deck and page into a folder; the names of the files."
    asked = questions()
    target.mkdir(parents=True, exist_ok=True)
    write_whole(target/'fastnlp_course.tsv', tsv(asked))
    write_whole(target/'questions.html', page(asked))
    try: write_apkg(asked, target/'fastnlp_course.apkg')
    except ImportError: return len(asked), ['fastnlp_course.tsv', 'questions.html']
    return len(asked), ['fastnlp_course.tsv', 'fastnlp_course.apkg', 'questions.html']

def main(target):
    n, names = write_all(target)
    print(f"{n} questions in {target}: {', '.join(names)}" + ('' if len(names) == 3 else '. No .apkg: genanki is not installed (pip install genanki==0.13.1)'))

if __name__ == '__main__': main(Path(sys.argv[1]) if sys.argv[1:] else folder)
