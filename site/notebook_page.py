"A notebook as the site shows it: without cells and lines that are for nbdev, long exported code folded, outputs as committed."
import ast, re, sys
from markdown_text import ready

longest_open = 20  # lines of an exported cell that is shown at once
directive = re.compile(r'^\s*#\s*\|\s*([\w-]+):?[ \t]*(.*)$', re.M)
badges = '<!-- badges -->'

def directives(source):
    "The lines `#| name value` of a cell."
    return {name: value.strip() for name, value in directive.findall(source)}

def without_directives(source):
    "A cell without its lines `#| ...`."
    return '\n'.join(line for line in source.split('\n') if not directive.match(line)).strip('\n')

def parsed(source):
    "The statements of a cell; none where it holds a notebook's own commands."
    try: return ast.parse(source).body
    except SyntaxError: return []

def patched_class(statement):
    "The class that a function is patched into, or None."
    for decorator in statement.decorator_list:
        name = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(name, ast.Name) and name.id.startswith('patch'):
            first = [*statement.args.posonlyargs, *statement.args.args][0]
            return [node.id for node in ast.walk(first.annotation) if isinstance(node, ast.Name)] if first.annotation else None

def assigned(statement):
    "Names to which a statement gives a value."
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target] if isinstance(statement, ast.AnnAssign) else []
    return [name.id for target in targets for name in (target.elts if isinstance(target, ast.Tuple) else [target]) if isinstance(name, ast.Name)]

def defined(source):
    "Names that a cell defines: functions, classes, values, and methods that it patches into a class."
    names = []
    for statement in parsed(source):
        if isinstance(statement, ast.ClassDef): names.append(statement.name)
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            classes = patched_class(statement)
            names += [f'{owner}.{statement.name}' for owner in classes] if classes else [statement.name]
        names += assigned(statement)
    return names

def anchor(name):
    "The place in a page where a name is defined."
    return f'def-{name}'

def fold_prompt(source):
    "What stands on a folded cell."
    names = [name for name in defined(source) if not name.rpartition('.')[2].startswith('_')] or defined(source)
    shown = ', '.join(names[:3]) + (' ...' if len(names) > 3 else '')
    return f"{shown or 'Code'}: {len(source.splitlines())} lines"

def only_imports(source):
    "Does a cell do nothing but import, in more than three lines?"
    return len(source.splitlines()) > 3 and all(isinstance(statement, (ast.Import, ast.ImportFrom)) for statement in parsed(source) or [None])

def labels(source):
    "What a cell writes on its pictures: titles, then what runs to the right and up."
    found = {}
    for node in (node for statement in parsed(source) for node in ast.walk(statement)):
        if not isinstance(node, ast.Call): continue
        name = getattr(node.func, 'attr', '')
        pairs = [(name, node.args[0])] if node.args else []
        pairs += [(word.arg, word.value) for word in node.keywords]
        for kind, value in pairs:
            kind = re.sub('^set_', '', kind or '')
            if kind in ('title', 'suptitle', 'xlabel', 'ylabel') and (text := text_of(value)): found.setdefault(kind, []).append(text)
    return {kind: list(dict.fromkeys(texts)) for kind, texts in found.items()}

def text_of(node):
    "The words of a string in code; a value that is filled in becomes dots."
    if isinstance(node, ast.Constant) and isinstance(node.value, str): return ' '.join(node.value.split())
    if isinstance(node, ast.JoinedStr): return ' '.join(''.join(part.value if isinstance(part, ast.Constant) else '…' for part in node.values).split())

def last_call(source):
    "The last line of a cell, as it names what draws."
    lines = [line.strip() for line in without_directives(source).split('\n') if line.strip() and not line.strip().startswith('#')]
    return re.sub(r'\s+#\s.*$', '', lines[-1]).rstrip(';') if lines else 'the cell above'

def alternative_text(source, heading):
    "What a picture shows, for those who do not see it: `#| fig-alt:` if the cell has one, else its titles and axes."
    if own := directives(source).get('fig-alt'): return own.strip('\'"')
    words = labels(source)
    titles = [*words.get('suptitle', []), *words.get('title', [])]
    axes = [f"{side}: {', '.join(words[kind])}" for kind, side in (('xlabel', 'to the right'), ('ylabel', 'upwards')) if kind in words]
    said = '; '.join([*titles[:4], *axes]) or f'drawn by {last_call(source)}'
    return plain(f'Picture in “{heading}”: {said}')

def plain(text):
    "One line without Markdown's marks."
    return ' '.join(re.sub(r'[`*\[\]\\]|\((?:\S+\.ipynb\S*|https?:\S*)\)', '', text).split())

def clean_output(output):
    "An output as a reader sees it: no widgets, the end of a line that was overwritten, no machine's folders."
    if output['output_type'] == 'stream':
        text = ''.join(output['text'])
        text = re.sub(r'[^\n]*\r(?!\n)', '', text)
        output['text'] = re.sub(r'(?:/[\w.~-]+)+/(?=(?:fastnlp_course|transformers|torch|ipykernel_\d+)/)', '', text)
        return output if output['text'].strip() else None
    if any('widget' in kind for kind in output.get('data', {})): return None
    return output

def code_cell(cell, heading, exported_too=True):
    "A code cell of the site, or None for one that is left out."
    source = ''.join(cell['source'])
    said = directives(source)
    if 'hide' in said or 'default_exp' in said: return None
    is_exported = any(name in said for name in ('export', 'exporti', 'exports'))
    shown = without_directives(source)
    tags, settings = [], {}
    if said.get('echo') == 'false': tags.append('remove-input')
    elif is_exported and (len(shown.splitlines()) > longest_open or only_imports(shown)):
        tags.append('hide-input')
        prompt = 'imports' if only_imports(shown) else fold_prompt(shown)
        settings = {'code_prompt_show': f'Show {prompt}', 'code_prompt_hide': f'Hide {prompt}'}
    outputs = [done for output in cell['outputs'] if (done := clean_output(dict(output)))]
    if not shown and not outputs: return None
    if any('image/png' in output.get('data', {}) or 'image/jpeg' in output.get('data', {}) for output in outputs):
        settings['image'] = {'alt': alternative_text(source, heading)}
    metadata = {key: value for key, value in (('tags', tags), ('mystnb', settings)) if value}
    return {'cell_type': 'code', 'execution_count': None, 'metadata': metadata, 'source': shown, 'outputs': outputs}, defined(shown) if is_exported else []

def markdown_cell(source): return {'cell_type': 'markdown', 'metadata': {}, 'source': source}

def anchors(names):
    "Places that pages of the API link to."
    return markdown_cell('\n'.join(f'<span id="{anchor(name)}"></span>' for name in names))

def site_notebook(nb, address, pages, bar='', pictures=None):
    "The notebook at `address`, read as JSON, as one of the site; `bar` is the line below its title."
    cells, heading = [], ''
    for i, cell in enumerate(nb['cells']):
        source, kind = ''.join(cell['source']), cell['cell_type']
        if kind == 'md':
            print(f"{address}: cell {i} is of the kind 'md', which Jupyter refuses; shown as 'markdown'", file=sys.stderr)
            kind = 'markdown'
        if kind == 'markdown':
            if source.startswith(badges):
                if bar: cells.append(markdown_cell(bar))
                continue
            found = re.findall(r'^#{1,6} +(.+)$', re.sub(r'^```.*?^```', '', source, flags=re.M | re.S), re.M)
            heading = plain(found[-1]) if found else heading
            cells.append(markdown_cell(ready(source, address, pages, pictures)))
        elif kind == 'code' and (done := code_cell(cell, heading)):
            shown, names = done
            if names: cells.append(anchors(names))
            cells.append(shown)
    for i, cell in enumerate(cells): cell['id'] = f'cell-{i:03d}'
    kernel = {'display_name': 'Python 3', 'language': 'python', 'name': 'python3'}
    return {'cells': cells, 'metadata': {'kernelspec': kernel, 'language_info': {'name': 'python'}}, 'nbformat': 4, 'nbformat_minor': 5}

def as_xml(nb):
    "A notebook of the site for a book, whose pages are XML: no tag stays open, no tag that books do not know."
    from bs4 import BeautifulSoup
    def closed(text):
        soup = BeautifulSoup(text, 'html.parser')
        for tag in soup.find_all('style'): tag.decompose()
        for tag in soup.find_all(True): tag.attrs = {name: value for name, value in tag.attrs.items() if name in ('class', 'colspan', 'rowspan', 'src', 'alt', 'href', 'title', 'value', 'max')}
        return str(soup)
    for cell in nb['cells']:
        for output in cell.get('outputs', []):
            if 'text/html' in output.get('data', {}): output['data'] = {**output['data'], 'text/html': closed(''.join(output['data']['text/html']))}
        if cell['cell_type'] == 'markdown': cell['source'] = re.sub(r'<(br|hr|img)([^<>]*?)\s*/?>', r'<\1\2/>', cell['source'])
    return nb
