"The page of the commands: what `fastnlp COMMAND -h` prints, read from the text of cli.py."
import ast
from api_pages import code, doc_markdown, words, written

def value(node):
    "A value of the code; text where it is none."
    try: return ast.literal_eval(node)
    except ValueError: return written(node)

def called(node, constants):
    "The call of typer behind a default: Option or Argument, perhaps under a name."
    if isinstance(node, ast.Name): node = constants.get(node.id)
    return node if isinstance(node, ast.Call) and getattr(node.func, 'attr', '') in ('Option', 'Argument') else None

def option_row(argument, default, constants):
    "Name, default and help of one option."
    call = called(default, constants)
    if call is None: return None
    keywords = {word.arg: value(word.value) for word in call.keywords}
    names = [value(node) for node in call.args[1:]]
    is_argument = call.func.attr == 'Argument'
    name = argument.arg.upper() if is_argument else ', '.join(names) or f"--{argument.arg.replace('_', '-')}"
    first = value(call.args[0]) if call.args else None
    shown = '' if first in (None, ..., False, []) or is_argument and first == 'Ellipsis' else code(str(first).removeprefix("Path('").removesuffix("')") if not isinstance(first, list) else ' '.join(map(str, first)))
    return code(name), shown, words(keywords.get('help', '')).replace('|', '\\|')

def commands(tree):
    "Name and function of each command."
    for statement in tree.body:
        for decorator in getattr(statement, 'decorator_list', []):
            if isinstance(decorator, ast.Call) and getattr(decorator.func, 'attr', '') == 'command':
                yield value(decorator.args[0]) if decorator.args else statement.name.replace('_', '-'), statement

def example_or_words(paragraph):
    "A paragraph of a docstring; an example is code."
    before, is_example, command = ' '.join(paragraph.split()).partition('Example: ')
    return f'```sh\n{command}\n```' if is_example and not before else doc_markdown(paragraph)

def commands_page(text):
    "Markdown of all commands in the text of cli.py."
    tree = ast.parse(text)
    constants = {statement.targets[0].id: statement.value for statement in tree.body if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)}
    parts = ['# Commands', 'The package brings the command `fastnlp`. Each command explains itself with `-h`; here is the same on one page.']
    for name, function in commands(tree):
        arguments = function.args.args
        defaults = [None]*(len(arguments) - len(function.args.defaults)) + function.args.defaults
        rows = [row for argument, default in zip(arguments, defaults) if (row := option_row(argument, default, constants))]
        table = ['| option | default | what it is |', '| --- | --- | --- |', *(f"| {' | '.join(row)} |" for row in rows)] if rows else []
        parts += [f'## fastnlp {name}', *map(example_or_words, (ast.get_docstring(function) or '').split('\n\n')), '\n'.join(table)]
    return '\n\n'.join(part for part in parts if part) + '\n'
