"The index behind the search for Chinese words, which Sphinx cannot find: the Chinese lines of every page that has any."
import html, json, re
from markdown_text import has_chinese, join_chinese

def lines_of(text):
    "Lines with Chinese, without Markdown's marks."
    plain = re.sub(r'^```.*?^```|<[^>]*>', '', join_chinese(text), flags=re.M | re.S)
    plain = re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', plain)
    lines = (' '.join(re.sub(r'[*`#>|]+', ' ', line).split()) for line in plain.split('\n'))
    return [html.unescape(line) for line in lines if has_chinese(line)]

def code_lines(source):
    "Lines of code with Chinese, where a comment or a string is what a reader looks for."
    return [line.strip() for line in source.split('\n') if has_chinese(line)]

def page_entry(name, title, texts, codes=()):
    "What the index holds of a page; None for one without Chinese."
    lines = [line for text in texts for line in lines_of(text)] + [line for source in codes for line in code_lines(source)]
    return {'page': name, 'title': title, 'lines': lines} if lines else None

def notebook_entry(name, title, nb):
    "What the index holds of a notebook of the site."
    of_kind = lambda kind: [''.join(cell['source']) for cell in nb['cells'] if cell['cell_type'] == kind]
    return page_entry(name, title, of_kind('markdown'), of_kind('code'))

def as_script(entries):
    "The index as a script: it also works where pages are opened as files."
    return f"window.chinesePages = {json.dumps([entry for entry in entries if entry], ensure_ascii=False, separators=(',', ':'))};\n"
