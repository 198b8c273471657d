"Pages of the API, written from the modules' text: nothing is imported. Parameter tables come from the comment beside each parameter."
import ast, html, io, re, tokenize
from pathlib import Path
from markdown_text import without_strange_tags
from notebook_page import anchor, assigned, patched_class

born = re.compile(r'^# %% (?:\.\./)+(nbs/\S+)')
package = 'fastnlp_course'

def module_name(path, base):
    "Dotted name of a file of the package, with the package in front."
    return '.'.join(path.relative_to(base).with_suffix('').parts).removesuffix('.__init__')

def comments(text):
    "Line -> comment on it; the second mapping holds lines on which nothing else stands."
    beside, alone = {}, {}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT: (alone if not token.line[:token.start[1]].strip() else beside)[token.start[0]] = token.string.lstrip('# ').strip()
    return beside, alone

def arguments_of(function):
    "Argument nodes with the text of their default, in order; stars are in the name."
    args = function.args
    plain = [*args.posonlyargs, *args.args]
    defaults = [None]*(len(plain) - len(args.defaults)) + args.defaults
    rows = [(arg.arg, arg, default) for arg, default in zip(plain, defaults)]
    if args.vararg: rows.append((f'*{args.vararg.arg}', args.vararg, None))
    elif args.kwonlyargs: rows.append(('*', None, None))
    rows += [(arg.arg, arg, default) for arg, default in zip(args.kwonlyargs, args.kw_defaults)]
    if args.kwarg: rows.append((f'**{args.kwarg.arg}', args.kwarg, None))
    return rows

def written(node):
    "The code of a node, or nothing."
    return '' if node is None else ast.unparse(node)

def kind_of(node):
    "An annotation; one that is written as a text without its quotes."
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else written(node)

class Source:
    "A module's text with its statements, comments, and the notebook cells that they come from."
    def __init__(self, path, base):
        self.text = path.read_text(encoding='utf-8')
        self.name, self.tree = module_name(path, base), ast.parse(self.text)
        self.beside, self.alone = comments(self.text)
        self.births = [(i, found[1]) for i, line in enumerate(self.text.split('\n'), 1) if (found := born.match(line))]
        self.public = next((ast.literal_eval(statement.value) for statement in self.tree.body if isinstance(statement, ast.Assign)
                            and written(statement.targets[0]) == '__all__' and isinstance(statement.value, ast.List)), [])

    def notebook_of(self, statement):
        "The notebook in which a statement is written, or None for a module written by hand."
        return next((notebook for line, notebook in reversed(self.births) if line < statement.lineno), None)

    def comment_of(self, node, others):
        "The comment of a parameter: beside it if it ends its line, and above it."
        line = node.end_lineno
        if any(other is not node and other.lineno == line and other.col_offset > node.col_offset for other in others): return ''
        above, first = [], node.lineno - 1
        while first in self.alone:
            above.insert(0, self.alone[first])
            first -= 1
        return ' '.join([*above, self.beside.get(line, '')]).strip()

    def parameters(self, function, skip_first=False):
        "Rows of a function's table: name, type, default, comment; the value it returns last."
        rows = arguments_of(function)
        nodes = [node for name, node, default in rows if node] + ([function.returns] if function.returns else [])
        last_of_line = [default for name, node, default in rows if default is not None]
        table = []
        for name, node, default in rows[1 if skip_first and rows else 0:]:
            if node is None: continue
            spot = default if default is not None and default.end_lineno != node.lineno else node
            comment = self.comment_of(spot, [*nodes, *last_of_line] if spot is default else nodes)
            table.append((name, kind_of(node.annotation), written(default), comment))
        if function.returns and (comment := self.beside.get(function.returns.end_lineno, '')) and not any(node.lineno == function.returns.end_lineno for node in nodes[:-1]):
            table.append(('returns', kind_of(function.returns), '', comment))
        elif function.returns and kind_of(function.returns) != 'None': table.append(('returns', kind_of(function.returns), '', ''))
        return table

def signature(function, skip_first=False):
    "Names and defaults in brackets."
    rows = arguments_of(function)[1 if skip_first else 0:]
    return '(' + ', '.join(name if default is None else f'{name}={written(default)}' for name, node, default in rows) + ')'

def code(text):
    "Code within a line of Markdown; a bar is escaped for tables."
    if not text: return ''
    ticks = '`'*(max(map(len, re.findall('`+', text)), default=0) + 1)
    space = ' ' if '`' in text else ''
    return f'{ticks}{space}{text}{space}{ticks}'.replace('|', '\\|')

def words(text):
    "A docstring or comment as Markdown: code in backticks stays, other marks are shown as they are."
    pieces = re.split(r'(`[^`\n]+`)', ' '.join(text.split()))
    shown = [piece if i % 2 else re.sub(r'([*_\[\]$~^{}#\\])', r'\\\1', piece) for i, piece in enumerate(pieces)]
    text = without_strange_tags(''.join(shown))
    return re.sub(r'^(\d+)([.)])', r'\1\\\2', re.sub(r'^([-+>])', r'\\\1', text))

def doc_markdown(text):
    "A docstring: its paragraphs; what is indented is code."
    blocks = []
    for block in re.split(r'\n\s*\n', (text or '').strip()):
        lines = block.split('\n')
        blocks.append(f"```python\n{block}\n```" if lines[0].startswith(('    ', '>>>')) else words(block))
    return '\n\n'.join(block for block in blocks if block)

def table(rows):
    "A Markdown table of parameters; columns that hold nothing are left out."
    if not any(kind or comment for name, kind, default, comment in rows): return ''
    heads = ['', 'type', 'default', 'what it is']
    kept = [i for i in range(4) if i == 0 or any(row[i] for row in rows)]
    lines = [' | '.join('parameter' if i == 0 else heads[i] for i in kept), ' | '.join('---' for i in kept)]
    for name, kind, default, comment in rows:
        cells = ['*returns*' if name == 'returns' else code(name), code(kind), code(default), words(comment).replace('|', '\\|')]
        lines.append(' | '.join(cells[i] for i in kept))
    return '\n'.join(f'| {line} |' for line in lines)

def is_property(function):
    "Is it read without brackets?"
    marks = [written(decorator) for decorator in function.decorator_list]
    return any(mark == 'property' or mark.endswith('_property') or 'as_prop=True' in mark for mark in marks)

def first_is_self(function, in_class=True):
    "Is the first argument the object itself, or the class?"
    return in_class and not any(written(decorator) == 'staticmethod' for decorator in function.decorator_list)

functions = (ast.FunctionDef, ast.AsyncFunctionDef)

def is_public(name): return not name.startswith('_')

class Api:
    "All public names of the package: where each is defined, and what is patched into which class."
    def __init__(self, base, pages, titles):
        self.base, self.pages, self.titles = Path(base), pages, titles
        paths = sorted((self.base/package).rglob('*.py'))
        self.modules = {source.name: source for source in (Source(path, self.base) for path in paths if not path.name.startswith('_')) if source.public}
        self.classes, self.patches = {}, []
        for source in self.modules.values():
            for statement in source.tree.body:
                if isinstance(statement, ast.ClassDef) and statement.name in source.public: self.classes.setdefault(statement.name, source.name)
                if isinstance(statement, functions) and is_public(statement.name):
                    self.patches += [(owner, source, statement) for owner in patched_class(statement) or []]

    def page_of(self, module):
        "Name of a module's page."
        return f"api/{module.removeprefix(package + '.')}"

    def birth(self, source, statement, name):
        "The sentence that leads to the lesson or room where a name is written."
        notebook = source.notebook_of(statement)
        if notebook not in self.pages: return 'Written by hand.' if notebook is None else ''
        kind = 'lesson' if self.pages[notebook].startswith('lessons/') else 'reference room'
        return f'<p class="born">Born in {kind} <a href="../{self.pages[notebook]}.html#{anchor(name)}">{html.escape(self.titles[notebook])}</a></p>'

    def reference(self, owner, name=''):
        "A link to a class of the package or one of its methods; plain code for what lies outside."
        module = self.classes.get(owner)
        if name: module = next((source.name for other, source, statement in self.patches if (other, statement.name) == (owner, name)), module)
        shown = f'{owner}.{name}' if name else owner
        return f'{{py:obj}}`{shown} <{module}.{shown}>`' if module else code(shown)

    def entry(self, source, function, name, level, seen, skip_first, birth):
        "Heading, signature, docstring and table of a function or method."
        role = 'py:property' if is_property(function) else 'py:method' if '.' in name else 'py:function'
        call = '' if is_property(function) else signature(function, skip_first)
        return self.described(source, name, role, call, ast.get_docstring(function), source.parameters(function, skip_first), level, seen, birth)

    def described(self, source, name, role, call, doc, rows, level, seen, birth, more=''):
        "One entry of a page. The second of the same name, for another type, is not indexed again."
        options = [f':module: {source.name}'] + ([':no-index:'] if (source.name, name) in seen else [])
        seen.add((source.name, name))
        body = '\n\n'.join(part for part in (doc_markdown(doc), more, table(rows) if rows and role != 'py:property' else '', birth) if part)
        return '#'*level + f' {name}\n\n````{{{role}}} {name}{call}\n' + '\n'.join(options) + f'\n\n{body}\n````'

    def class_entry(self, source, statement, seen):
        "A class: how it is made, its methods, and those that other rooms add to it."
        inner = {node.name: node for node in statement.body if isinstance(node, functions)}
        made, fields = inner.get('__init__'), []
        if made is None:
            made = next((function for owner, other, function in self.all_patches('__init__') if owner == statement.name and other is source), None)
        if made is None and any('dataclass' in written(decorator) for decorator in statement.decorator_list):
            fields = [(written(node.target), kind_of(node.annotation), written(node.value), source.beside.get(node.end_lineno, '')) for node in statement.body if isinstance(node, ast.AnnAssign)]
        call = signature(made, True) if made else '(' + ', '.join(name if not default else f'{name}={default}' for name, kind, default, comment in fields) + ')' if fields else ''
        bases = [self.reference(written(base)) for base in statement.bases if isinstance(base, (ast.Name, ast.Attribute))]
        elsewhere = sorted({function.name for owner, other, function in self.patches if owner == statement.name and other is not source})
        more = [f"A kind of {', '.join(bases)}."]*bool(bases) + [f"Other rooms add {', '.join(self.reference(statement.name, name) for name in elsewhere)}."]*bool(elsewhere)
        rows = source.parameters(made, True) if made else fields
        parts = [self.described(source, statement.name, 'py:class', call, ast.get_docstring(statement), [row for row in rows if row[0] != 'returns'], 2, seen,
                                self.birth(source, statement, statement.name), '\n\n'.join(more))]
        parts += [self.entry(source, node, f'{statement.name}.{node.name}', 3, seen, first_is_self(node), '') for node in inner.values() if is_public(node.name)]
        return parts

    def all_patches(self, name):
        "Patches of one name, private ones too."
        return [(owner, source, statement) for source in self.modules.values() for statement in source.tree.body
                if isinstance(statement, functions) and statement.name == name for owner in patched_class(statement) or []]

    def patch_entry(self, source, function, owner, seen, level):
        name = f'{owner}.{function.name}'
        return self.entry(source, function, name, level, seen, True, self.birth(source, function, name))

    def module_page(self, source):
        "Markdown of a module's page."
        seen = set()
        mine = {name for name, module in self.classes.items() if module == source.name}
        parts = [f"# {source.name.removeprefix(package + '.')}", doc_markdown(ast.get_docstring(source.tree)), f'```python\nfrom {source.name} import *\n```']
        added = {}
        for statement in source.tree.body:
            if isinstance(statement, ast.ClassDef) and statement.name in source.public:
                parts += self.class_entry(source, statement, seen)
                parts += [self.patch_entry(source, function, owner, seen, 3) for owner, other, function in self.patches if other is source and owner == statement.name]
            elif isinstance(statement, functions) and (owners := patched_class(statement)):
                for owner in owners:
                    if is_public(statement.name) and owner not in mine and is_public(owner): added.setdefault(owner, []).append(statement)
            elif isinstance(statement, functions) and statement.name in source.public:
                parts.append(self.entry(source, statement, statement.name, 2, seen, False, self.birth(source, statement, statement.name)))
        for owner, methods in added.items():
            parts.append(f'## Added to {owner}\n\nMethods of {self.reference(owner)} that this room adds.')
            parts += [self.patch_entry(source, method, owner, seen, 3) for method in methods]
        if values := dict(self.values(source)): parts += ['## Values', *(self.value_entry(source, name, statement) for name, statement in values.items())]
        return '\n\n'.join(part for part in parts if part) + '\n'

    def values(self, source):
        "Public names that are given a value: (name, statement)."
        others = {statement.name for statement in source.tree.body if isinstance(statement, (ast.ClassDef, *functions))}
        for statement in source.tree.body:
            yield from ((name, statement) for name in assigned(statement) if name in source.public and name not in others)

    def value_entry(self, source, name, statement):
        "One public value: its code, and the comment beside it."
        lines = ast.get_source_segment(source.text, statement).split('\n')
        shown = '\n'.join(lines[:6] + ['...']*(len(lines) > 6))
        comment = words(source.beside.get(statement.end_lineno, ''))
        return f'````{{py:data}} {name}\n:module: {source.name}\n\n{comment}\n\n```python\n{shown}\n```\n\n{self.birth(source, statement, name)}\n````'

    def wing_of(self, module):
        "The wing of a module; the ground's modules lie in no folder."
        parts = module.split('.')
        return parts[1] if len(parts) > 2 else 'ground'

    def index_page(self, wings):
        "Markdown of the list of modules."
        parts = ['# API', 'Every public name with its parameters. The text comes from the comments beside the parameters, and each name leads to the lesson or reference room where it is written.']
        for wing in wings:
            names = [name for name in self.modules if self.wing_of(name) == wing]
            if not names: continue
            rows = ['| module | what it holds |', '| --- | --- |']
            for name in names:
                first = doc_markdown((ast.get_docstring(self.modules[name].tree) or '').split('\n\n')[0])
                rows.append(f"| [{name.removeprefix(package + '.')}](/{self.page_of(name)}.md) | {first.replace('|', chr(92) + '|')} |")
            parts += [f'## {wing.capitalize()}', '\n'.join(rows), toctree([f'/{self.page_of(name)}' for name in names])]
        return '\n\n'.join(parts) + '\n'

def toctree(pages, hidden=True, caption=''):
    "A list of pages for Sphinx."
    options = [':hidden:']*hidden + [f':caption: {caption}']*bool(caption) + [':maxdepth: 1']
    return '\n'.join(['```{toctree}', *options, '', *pages, '```'])
