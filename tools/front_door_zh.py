"""README.zh.md from tools/readme.zh.md: commands and figures come from where README.md has them, so the two cannot drift apart.

In the template `<!-- block: WORDS -->` stands for the block of README.md, fenced or indented, that holds these words; further lines of the
marker are its comments in Chinese, in their order. `<!-- figures -->` and its like stand for what is made below.
"""
import re
from pathlib import Path
import nbformat
import front_door
from project import address, lessons, minutes, notebooks_path, parts_in_chinese, title
from tables import hours, reference_table

template = Path(__file__).resolve().parent/'readme.zh.md'
comment = re.compile(r'(?<=\S)( +)# (.+)$', re.M)

def blocks(text):
    "The fenced and the indented blocks of a Markdown text, in their order."
    return [match[0].strip('\n') for match in re.finditer(r'^```\w*\n.*?^```$|(?:^    [^\n]*(?:\n|\Z))+', text, re.M | re.S)]

def block(readme, words, comments=()):
    "The only block of README.md that holds `words`, its comments replaced."
    found = [text for text in blocks(readme) if words in text]
    if len(found) != 1: raise SystemExit(f'tools/readme.zh.md: {len(found)} blocks of README.md hold {words!r}, and one should')
    written = comment.findall(found[0])
    if comments and len(written) != len(comments): raise SystemExit(f'tools/readme.zh.md: the block with {words!r} has {len(written)} comments, and {len(comments)} are translated')
    chinese = iter(comments)
    return comment.sub(lambda match: f'{match[1]}# {next(chinese)}', found[0]) if comments else found[0]

def time(total): return hours(total).replace(' minutes', ' 分钟').replace(' hours', ' 小时')

def figures():
    "The three figures against fastai."
    cold, loader, many, single, step = front_door.measured()
    table = [('50,000 条影评切成同样的词元，单进程', f'**{cold} 倍**'), ('从编号仓库读一轮语言模型的批次', f'**{loader} 倍**'), ('给 2,000 句分类；单独一句', f'**{many} 倍**；{single} 倍')]
    lines = ['| 与 fastai 2.8.12 相比，同一台机器，结果相同 | 速度 | 命令 |', '| --- | --- | --- |']
    lines += [f'| {what} | {times} | `python benchmarks/{command}` |' for (what, times), command in zip(table, front_door.figure_commands)]
    return '\n'.join(lines) + (f'\n\n两个核，没有 GPU；全部数字见 [benchmarks/results.md](benchmarks/results.md)，其中有单精度语言模型的一步训练（{step} 倍），也有没占到便宜的几项。'
                               '`PYTHON` 指装有 fastai 的环境里的 Python。')

def install(readme):
    "The commands of the installation."
    activated = ['Windows：.venv\\Scripts\\activate']
    return f"""{block(readme, 'python3 -m venv', activated)}

要有一个单独的环境，因为 Debian 和 Ubuntu 自带的 Python 不让 pip 直接安装；如果没有 `venv`，先运行 `sudo apt install python3-venv`。装 `torch` 的那一行取的是只用处理器的版本，大约 200 MB。在 Linux 上直接 `pip install torch` 会把 CUDA 一起装上，有 4.7 GB；如果你有 NVIDIA 显卡，就去掉那个地址。`constraints.txt` 列出了测试时用的版本。附加依赖写在方括号里：`pip install -c constraints.txt ".[models]"` 会带上小型句子编码器 MiniLM。

不克隆仓库，在你自己的环境里：

{block(readme, 'raw.githubusercontent.com')}"""

def promise(path):
    "How the Chinese introduction of a lesson begins: its first sentence, and the next ones where that is short."
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == 'markdown' and cell.source.startswith('**中文导读**'):
            text, said = ''.join(line.strip() for line in cell.source.split('\n')[1:]), ''
            for sentence in re.findall(r'.+?[。？！](?=[^”）]|$)', text):
                if len(said) < 30: said += sentence
            return said.replace('|', '\\|')
    return ''

def lesson_table():
    "Number, title, what it is about, minutes and badges of every lesson, by part."
    return front_door.lessons_by_part(['| | 课 | 讲什么 | 分钟 | 打开 |', '| --- | --- | --- | ---: | --- |'], parts_in_chinese.get, promise, time)

def whole_lessons():
    "The lessons that are whole in Chinese."
    paths = sorted((notebooks_path/'zh').glob('[0-9]*.ipynb'))
    return f"全文译成中文的课：{'、'.join(f'[{title(path)}]({address(path)})' for path in paths)}。"

def reading_time():
    "How many lessons there are, and how long they take."
    return (f'{len(lessons())} 课，阅读 {round(sum(map(minutes, lessons()))/60)} 小时，运行、改动和想明白还要同样多的时间：每课一个晚上。你需要会 Python，并且训练过某个网络，或者读过损失和梯度是什么。'
            '线性代数到两个矩阵的乘积为止。下面的分钟数是数出来的，不是估计的：180 个词或 13 行代码算一分钟。')

def limits():
    "What this course and its library cannot do, or have not shown."
    gained = [re.match(r'(\S+) with (\S+)', gain).groups() for gain in front_door.gains()]
    said = '，'.join(f"{'全部' if labels == 'all' else f'{labels} 个'}标签时 {points}" for points, labels in gained)
    return f"""- **还没有在 GPU 上测过任何数字。** 代码可以搬到 GPU 上运行，需要 GPU 的地方都有标明；这里和课文里的数字全部来自 CPU。
- **随包的语言模型很小**：宽 224 和 512，读过 1,370 万个词元，每个 14 MB。正向的那个（2026-11-28）换成了新模型，它的嵌入不再从随机数开始，而是从 MiniLM 学到的词开始（第 20 课）；用换下的那个，影评上 ULMFiT 比加权词频高出的百分点是：{said}（见[结果](benchmarks/results.md)的 “ULMFiT stage by stage” 一节）。`'wt103-fwd'` 会下载 fast.ai 的模型，它读过 1.03 亿个词元。
- **以英文为主。** 中文和其他语言可以切成子词来训练，但没有随包的模型。
- **这是课程，不是服务。** 它设想的用户会去读代码。接口与 fast.ai 相同；有意不同之处，课文里都有说明。"""

def readme_zh(readme):
    "The text of README.zh.md, given that of README.md."
    made = {'figures': figures, 'install': lambda: install(readme), 'reading time': reading_time, 'lessons': lesson_table, 'whole lessons': whole_lessons, 'reference rooms': reference_table,
            'limits': limits, 'citation': lambda: block(readme, '@software')}
    def filled(match):
        name, *lines = match[1].strip().split('\n')
        if name.startswith('block: '): return block(readme, name.removeprefix('block: ').strip(), lines)
        return f'<!-- {name} -->\n\n{made[name]()}'
    text = re.sub(r'<!-- (.*?)-->', filled, template.read_text(encoding='utf-8'), flags=re.S)
    return f'<!-- Made from tools/readme.zh.md by tools/make_readme.py: edit that. -->\n\n{text}'
