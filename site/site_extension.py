"What the site needs from Sphinx beyond its settings: formulas without the network, the language of Chinese text, the list beside each page."
import html, re
from markdown_text import chinese, has_chinese

def mathml(latex, as_block=False):
    "A formula in the browser's own language."
    from docutils.utils.math.latex2mathml import tex2mathml
    named = re.compile(r'&(?!amp;|lt;|gt;|quot;|apos;|#)\w+;')  # books are XML and know no other names
    return named.sub(lambda match: html.unescape(match[0]), tex2mathml(latex, as_block=as_block))

def inline_formula(self, node):
    from docutils import nodes
    self.body.append(mathml(node.astext()))
    raise nodes.SkipNode

def block_formula(self, node):
    from docutils import nodes
    self.body.append(f'<div class="math-block">{mathml(node.astext(), True)}</div>')
    raise nodes.SkipNode

def share_of_chinese(text):
    "How much of a text's letters is Chinese."
    letters = re.findall(rf'[A-Za-z]|[{chinese}]', text)
    return sum(has_chinese(letter) for letter in letters)/len(letters) if letters else 0

def mark_language(body):
    "HTML in which paragraphs, headings and cells of Chinese say so: fonts and readers of screens need to know."
    def marked(match):
        words = html.unescape(re.sub('<[^>]*>', '', match[0]))
        return match[0] if 'lang=' in match[2] or share_of_chinese(words) < .3 else f'<{match[1]}{match[2]} lang="zh-Hans">{match[3]}'
    return re.sub(r'<(p|h[1-6]|li|td|th|summary|dd)((?:\s[^<>]*)?)>((?:(?!</\1>).)*</\1>)', marked, body, flags=re.S) if has_chinese(body) else body

def say_what_is_folded(body):
    "Folded code is named by what stands on it, not by a label that says less."
    return re.sub(r'<summary aria-label="[^"]*">', '<summary>', body)

def with_language(app, pagename, templatename, context, doctree):
    "Called for each page before it is written."
    if context.get('body'): context['body'] = say_what_is_folded(context['body'])
    if pagename.startswith('zh/'): context['language'] = 'zh-Hans'
    elif context.get('body'): context['body'] = mark_language(context['body'])

def groups_for(page, groups, wing):
    "Groups of the list beside `page`."
    for group in groups:
        inside = group['inside']
        if not inside or inside == f'api {wing}' and page.startswith('api/') or page == inside or page.startswith((f'{inside}_', f'{inside}/')):
            yield {**group, 'open': any(name == page for name, words in group['links']) or bool(inside)}

def with_list(app, pagename, templatename, context, doctree):
    facts = app.course_facts
    wing = next((group['inside'].removeprefix('api ') for group in facts['groups'] if group['inside'].startswith('api ') and pagename in [name for name, words in group['links']]), '')
    if pagename == 'search': app.add_js_file('chinese_index.js')
    context['course_groups'] = list(groups_for(pagename, facts['groups'], wing))

def setup(app):
    import json
    from pathlib import Path
    app.course_facts = json.loads((Path(app.confdir)/'facts.json').read_text(encoding='utf-8'))
    app.add_html_math_renderer('mathml', (inline_formula, None), (block_formula, None))
    app.connect('html-page-context', with_language)
    app.connect('html-page-context', with_list)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
