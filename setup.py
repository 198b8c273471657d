"Reads settings.ini, the only place for name, version, requirements and addresses."
from configparser import ConfigParser
from pathlib import Path
from setuptools import find_packages, setup

here = Path(__file__).parent
parser = ConfigParser(delimiters=["="])
parser.read(here/"settings.ini", encoding="utf-8")
config = parser["DEFAULT"]

def split_list(key): return config.get(key, "").split()

extras = {name: split_list(f"{name}_requirements") for name in ("dev", "hf", "models", "lightning", "tensorboard", "onnx", "serve", "app", "report", "ray")}

setup(
    name=config["lib_name"],
    version=config["version"],
    description=config["description"],
    long_description=(here/"README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author=config["author"],
    author_email=config["author_email"],
    license="Apache-2.0",
    url=config["git_url"],
    keywords=config["keywords"],
    python_requires=f">={config['min_python']}",
    packages=find_packages(include=["fastnlp_course", "fastnlp_course.*"]),
    package_data={"fastnlp_course": ["assets/*", "assets/*/*"]},
    install_requires=split_list("requirements"),
    extras_require=extras,
    entry_points={"console_scripts": split_list("console_scripts")},
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Developers",
        "Intended Audience :: Education",
        "Natural Language :: English",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
    ],
    zip_safe=False,
)
