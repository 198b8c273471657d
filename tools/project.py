"What the tools know of the project: settings.ini and the notebooks."
from configparser import ConfigParser
from pathlib import Path

root = Path(__file__).resolve().parent.parent
notebooks_path = root/'nbs'

def settings():
    "The section of settings.ini as a mapping."
    parser = ConfigParser(delimiters=['='])
    parser.read(root/'settings.ini', encoding='utf-8')
    return parser['DEFAULT']

def lessons():
    "The notebooks of the course in order, without the index."
    return sorted(path for path in notebooks_path.glob('[0-9]*.ipynb'))

def colab_url(path):
    "Where Colab opens the notebook at `path`."
    config = settings()
    return f"https://colab.research.google.com/github/{config['user']}/{config['repo']}/blob/{config['branch']}/nbs/{path.name}"

def kaggle_url(path):
    "Where Kaggle opens the notebook at `path`."
    config = settings()
    return f"https://kaggle.com/kernels/welcome?src=https://github.com/{config['user']}/{config['repo']}/blob/{config['branch']}/nbs/{path.name}"

def badges(path):
    "Markdown of the two badges."
    return (f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab_url(path)}) "
            f"[![Open in Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)]({kaggle_url(path)})")
