"Markdown of notebooks and files, made ready for the site: links, images, line breaks between Chinese characters."
import posixpath, re
from plan import link_to, root

chinese = '\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff'
wide_marks = '\u3000-\u303f\uff00-\uffef'  # full stops, commas and brackets as wide as a character
shared_marks = '\u2014\u2018-\u201d\u2026'  # dashes and quotation marks that English has, too
fence = re.compile(r'^([ >]*(?P<mark>`{3,}|~{3,}).*?^[ >]*(?P=mark)[`~]*[ \t]*$)', re.M | re.S)
code_span = re.compile(r'((?<!`)(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`))', re.S)
ending = r'<?([^)\s>]+)>?((?:\s+"[^"]*")?\))'
image_pattern = re.compile(r'(!\[[^\]]*\]\()' + ending)
link_pattern = re.compile(r'((?<!!)\[(?:[^\[\]]|\[[^\[\]]*\]|!\[[^\]]*\]\([^)]*\))*\]\()' + ending)
definition_pattern = re.compile(r'^( {0,3}\[[^\]^][^\]]*\]:\s+)(\S+)(.*)$', re.M)
starts_block = re.compile(r'\s*(?:[-*+]\s|\d+[.)]\s|#{1,6}\s|[|<>]|:{3,}|-{3,}|={3,})')
tags = set('a abbr b blockquote br code dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p picture pre q s samp '
           'small source span strong sub summary sup table tbody td tfoot th thead tr u ul var'.split())

def has_chinese(text):
    "Does it hold a Chinese character?"
    return re.search(f'[{chinese}]', text) is not None

def between(pattern, change, text):
    "`text` with `change` made to all that `pattern` does not match."
    pieces, end = [], 0
    for match in pattern.finditer(text):
        pieces += [change(text[end:match.start()]), match[0]]
        end = match.end()
    return ''.join([*pieces, change(text[end:])])

def outside_fences(change, text):
    "`text` with `change` made to all that is no fenced code."
    return between(fence, change, text)

def outside_code(change, text):
    "`text` with `change` made to all that is neither fenced code nor code within a line."
    return outside_fences(lambda prose: between(code_span, change, prose), text)

def touches(before, after):
    "Would a space between two lines be one too many?"
    last, first = before.rstrip('*_')[-1:], after.lstrip('*_ >')[:1]
    if re.search(f'[{wide_marks}]', last + first): return True
    return re.fullmatch(f'[{chinese}{shared_marks}]{{2}}', last + first) is not None and has_chinese(last + first)

def goes_on(before, after):
    "Is a line the next one of the same paragraph, without a wanted break?"
    if not before.strip() or not after.strip() or before.endswith(('  ', '\\')): return False
    if re.match(r'\s*(?:#{1,6}\s|[|<]|:{3,})', before): return False
    quoted = re.match(r' {0,3}>', before) and re.match(r' {0,3}> ?\S', after)
    return bool(quoted and not starts_block.match(after.lstrip(' >'))) or not starts_block.match(after)

def join_chinese(text):
    "Paragraphs without line breaks between Chinese characters: a browser shows each as a space."
    def joined(prose):
        lines = []
        for line in prose.split('\n'):
            if lines and goes_on(lines[-1], line) and touches(lines[-1], line): lines[-1] += line.lstrip(' >')
            else: lines.append(line)
        return '\n'.join(lines)
    return outside_fences(joined, text)

def without_remote_images(text):
    "Badges become plain links, other pictures of the web go: the site works offline."
    text = re.sub(r'\[!\[([^\]]*)\]\(https?:[^)]*\)\]\(([^)]*)\)', r'[\1](\2)', text)
    return re.sub(r'!\[[^\]]*\]\(https?:[^)]*\)', '', text)

def without_strange_tags(text):
    "What looks like HTML and is none, such as <unk>, as the characters it is."
    def shown(match): return match[0] if match[1].lower() in tags else match[0].replace('<', '&lt;').replace('>', '&gt;')
    return outside_code(lambda prose: re.sub(r'</?([A-Za-z][\w-]*)(?=[\s/>])[^<>]*>', shown, prose), text)

def with_links(text, address, pages, pictures=None):
    """Links and pictures of the file at `address` as those of the site; pictures of the repository are noted in `pictures`.

    Pictures come first: one may be what a link shows. Then links, and the lines `[name]: target` that links refer to.
    """
    def picture(target):
        if re.match(r'[a-z][a-z+.-]*:|//', target, re.I): return target
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(address), target))
        if not (root/wanted).exists(): raise FileNotFoundError(f'{address} shows {target}, and {wanted} is not in the repository')
        if pictures is not None: pictures.add(wanted)
        return f'/pictures/{wanted}'
    def link(target): return target if target.startswith('/pictures/') else link_to(target, address, pages)
    def named(target): return picture(target) if re.search(r'\.(?:svg|png|jpe?g|gif|webp)$', target, re.I) else link(target)
    for pattern, change in ((image_pattern, picture), (link_pattern, link), (definition_pattern, named)):
        text = outside_code_links(pattern, lambda match: match[1] + change(match[2]) + match[3], text)
    return text

def outside_code_links(pattern, link, text):
    "Links are replaced wherever they stand but in code; the words of a link may hold code."
    def prose(piece):
        spans = [match.span() for match in code_span.finditer(piece)]
        def change(match):
            inside = any(start <= match.start() and match.end() <= end for start, end in spans)
            return match[0] if inside else link(match)
        return pattern.sub(change, piece)
    return outside_fences(prose, text)

def ready(text, address, pages, pictures=None):
    "Markdown of the repository as Markdown of the site."
    text = re.sub(r'<!--.*?-->[ \t]*\n?', '', text, flags=re.S)
    return join_chinese(without_strange_tags(with_links(without_remote_images(text), address, pages, pictures)))
