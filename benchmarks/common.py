"Shared by the benchmarks: what machine this is, and sections of results.md."
import os, platform, re, sys
from datetime import date
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
results_path = Path(__file__).resolve().parent/'results.md'
packaged_path = results_path.parent.parent/'fastnlp_course'/'assets'/'results.md'   # what lessons read, in Colab too
heading = '# Results\n\nWritten by the scripts in this folder; each section says what was run.\n'

def machine():
    "One line: processor, cores, versions."
    from fastnlp_course.files import cpu_features
    features = cpu_features()
    name = features.get('model') or platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}, torch {version('torch')}, {date.today()}"

def write_section(title, text):
    "Replace the section `title` of results.md, or add it; a short run (benchmarks/all.py) has a section of its own."
    if os.environ.get('FASTNLP_SHORT_RUN'): title += ', short run'
    before = results_path.read_text(encoding='utf-8') if results_path.exists() else heading
    section = f'## {title}\n\n{text.strip()}\n'
    parts = [part for part in re.split(r'(?m)^(?=## )', before) if not part.startswith(f'## {title}\n')]
    for path in (results_path, packaged_path):
        path.write_text('\n'.join([part.rstrip() + '\n' for part in parts] + [section]), encoding='utf-8')
