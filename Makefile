# make demo: set up .venv and run the main job.   make test: set up .venv and pass all tests.
PYTHON ?= python3
VENV ?= .venv
CONSTRAINTS ?= constraints.txt
WORKERS ?= 2
# Where pip looks for torch; on Linux without an NVIDIA card https://download.pytorch.org/whl/cpu spares 4.5 GB.
TORCH_INDEX ?=

ifeq ($(OS),Windows_NT)
BIN = $(VENV)/Scripts
SEPARATOR = ;
else
BIN = $(VENV)/bin
SEPARATOR = :
endif
RUN = $(BIN)/python
INPUTS = settings.ini setup.py pyproject.toml $(CONSTRAINTS)

# nbdev's commands start kernels and other commands by name, so the environment's own come first.
export PATH := $(abspath $(BIN))$(SEPARATOR)$(PATH)

.PHONY: help demo test export-check lessons-check notebook-test avx2-test unit-test fuzz fresh-check notebooks readme badges wheel-test space-check nbdev3-test test-newest test-oldest workflow-check benchmark site site-test clean spell links notebooks-check release bench colab-check kaggle-check anki glossary

help:
	@echo "make demo            set up $(VENV), train on the embedded reviews, write demo_output/report.html"
	@echo "make test            set up $(VENV), pass all tests"
	@echo "make lessons-check   how long the lessons are and how they are cut, held to their bounds"
	@echo "make notebooks       run all notebooks and keep their outputs"
	@echo "make avx2-test       the notebooks that compute in bf16, as on a processor without AVX-512"
	@echo "make fuzz            100,000 hostile files and configs: each is read, or refused in a sentence"
	@echo "make fresh-check     run notebooks again: do they print what is committed? CHANGED=COMMIT for those that differ from it"
	@echo "make badges          write badges, minutes and the install cell into the notebooks, and their code into the Chinese ones"
	@echo "make readme          fill the tables of nbs/index.ipynb, write README.md from it"
	@echo "make glossary        write the glossaries, English and Chinese, from tools/glossary.csv; LOOK=1 names terms used too early"
	@echo "make spell           spelling of the prose"
	@echo "make links           do links and anchors lead somewhere? NETWORK=1 asks addresses elsewhere too"
	@echo "make notebooks-check notebooks without traces of the session that ran them; CLEAN=1 mends them"
	@echo "make colab-check     lessons as Colab runs them, from the first cell on; NAMES=\"00 04\" for some; CUDA=1 takes 5 GB; kaggle-check likewise"
	@echo "make wheel-test      build wheel and sdist and use them in an environment without nbdev"
	@echo "make space-check     write a Space, install its requirements into an environment of its own, open the page and ask it"
	@echo "make release         VERSION=0.2.0: build, try, write notes, commit and tag; DRY=1 changes nothing"
	@echo "make nbdev3-test     export and test the notebooks under nbdev 3"
	@echo "make test-newest     all tests with the newest versions of everything"
	@echo "make test-oldest     all tests with the oldest versions that settings.ini allows"
	@echo "make workflow-check  hold .github/workflows against the schema"
	@echo "make bench           all benchmarks in an hour, into results.md; PEER=PYTHON with fastai, DRY=1 shows the plan"
	@echo "make benchmark       what import costs"
	@echo "make site            the course as a site, offline: _site/html/index.html"
	@echo "make anki            the questions of all lessons as cards for Anki, and on a page to print: _site/anki"
	@echo "make site-test       every page of the site in a headless Chromium: links, headings, contrast, phones"

$(VENV)/user-ready: $(INPUTS)
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install -q -c $(CONSTRAINTS) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(RUN) -m pip install -q -c $(CONSTRAINTS) -e .
	$(RUN) -c "open('$(VENV)/user-ready', 'w').close()"

$(VENV)/dev-ready: $(VENV)/user-ready
	$(RUN) -m pip install -q -c $(CONSTRAINTS) -e ".[dev]"
	$(RUN) -c "open('$(VENV)/dev-ready', 'w').close()"

demo: $(VENV)/user-ready
	$(RUN) -m fastnlp_course.cli demo

test: export-check lessons-check notebook-test unit-test

export-check: $(VENV)/dev-ready
	$(RUN) tools/check_export.py

lessons-check: $(VENV)/dev-ready
	$(RUN) tools/check_lessons.py

# A hundred thousand files that nobody would write, in about ten minutes, then every field of every kind of model; `make test` takes 2,000 of them.
fuzz: $(VENV)/dev-ready
	FASTNLP_FUZZ=100000 OMP_NUM_THREADS=1 $(RUN) -m pytest -q -n $(WORKERS) tests/test_fuzz.py tests/test_mutations.py

# One torch thread for each worker: more would fight for the same cores.
notebook-test: $(VENV)/dev-ready
	OMP_NUM_THREADS=1 $(BIN)/nbdev_test --n_workers $(WORKERS)

# A processor without AVX-512 (laptops, many clouds) has no bf16 for LSTMs.
avx2-test: $(VENV)/dev-ready
	$(RUN) tools/check_avx2.py $(WORKERS)

unit-test: $(VENV)/dev-ready
	OMP_NUM_THREADS=1 $(RUN) -m pytest -q -n $(WORKERS) tests

# Prose and figures agree only as long as the figures are those of a run: words equal, numbers but for rounding.
fresh-check: $(VENV)/dev-ready
	$(RUN) tools/fresh_check.py $(if $(CHANGED),--changed $(CHANGED)) $(NAMES)

notebooks: $(VENV)/dev-ready
	$(RUN) tools/notebook_headers.py
	$(RUN) tools/chinese.py
	$(RUN) tools/run_notebooks.py

readme: $(VENV)/dev-ready
	$(RUN) tools/make_readme.py

badges: $(VENV)/dev-ready
	$(RUN) tools/notebook_headers.py
	$(RUN) tools/chinese.py

# Terms, their Chinese, and where they are explained first; LOOK=1 only names those that are used before.
glossary: $(VENV)/dev-ready
	$(RUN) tools/glossary.py $(if $(LOOK),--look)

# Frequent misspellings in the prose of notebooks and Markdown files; words that are right: tools/allowed_words.txt.
spell: $(VENV)/dev-ready
	$(RUN) tools/check_spelling.py $(FILES)

# Offline: links and anchors that stay in the repository. NETWORK=1 asks the others too, LIST=1 prints them.
links: $(VENV)/dev-ready
	$(RUN) tools/check_links.py $(if $(NETWORK),--network) $(if $(LIST),--list) $(FILES)

notebooks-check: $(VENV)/dev-ready
	$(RUN) tools/check_notebooks.py $(if $(CLEAN),--clean) $(FILES)

# Wheel and sdist are built and used in a clean environment; then a commit and a tag. DRY=1 changes nothing here.
release: $(VENV)/dev-ready
	$(RUN) tools/release.py $(VERSION) $(if $(DRY),--dry-run)

# Lessons in environments like those of today; NAMES="00 04 12" for some. What they have stands in tools/places/. A place's Python
# whose torch there is only with CUDA (5 GB) is replaced by this one, unless CUDA=1; PLACES=folder keeps the environments elsewhere.
PLACE_OPTIONS = $(if $(CUDA),--cuda) $(if $(PLACES),--envs $(PLACES)) $(NAMES)

colab-check: $(VENV)/dev-ready
	$(RUN) tools/check_places.py colab $(PLACE_OPTIONS)

kaggle-check: $(VENV)/dev-ready
	$(RUN) tools/check_places.py kaggle $(PLACE_OPTIONS)

wheel-test:
	$(PYTHON) tools/check_wheel.py

# The folder that `fastnlp space` writes, by its own requirements, as a Space would run it; gradio and torch come from the index of pip.
space-check: $(VENV)/dev-ready
	$(RUN) tools/check_space.py

nbdev3-test:
	$(PYTHON) tools/check_nbdev3.py

test-newest:
	$(MAKE) test VENV=.venv-newest CONSTRAINTS=constraints-newest.txt

test-oldest:
	$(MAKE) test VENV=.venv-oldest CONSTRAINTS=constraints-oldest.txt

workflow-check: $(VENV)/dev-ready
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/test.yaml .github/workflows/site.yaml

# Every script of benchmarks/ at a size for two cores, in less than an hour; called again it goes on. PEER=PYTHON with fastai, DRY=1 shows the plan.
bench: $(VENV)/dev-ready
	$(RUN) benchmarks/all.py $(if $(PEER),--peer $(PEER)) $(if $(DRY),--dry-run) $(if $(AGAIN),--again) $(NAMES)

benchmark: $(VENV)/user-ready
	$(RUN) benchmarks/import_time.py

# The site has an environment of its own: Sphinx wants other versions than the course. Notebooks are not run again.
SITE_VENV ?= .venv-site
SITE_RUN = $(if $(filter Windows_NT,$(OS)),$(SITE_VENV)/Scripts,$(SITE_VENV)/bin)/python
AXE = axe-core-4.14.1

$(SITE_VENV)/ready: site/requirements.txt
	$(PYTHON) -m venv $(SITE_VENV)
	$(SITE_RUN) -m pip install -q -r site/requirements.txt
	$(SITE_RUN) -c "open('$(SITE_VENV)/ready', 'w').close()"

site: $(SITE_VENV)/ready
	$(SITE_RUN) site/build.py $(if $(ONLY),--only '$(ONLY)')

# The questions of the lessons; genanki, which writes the .apkg, is in the environment of the site.
anki: $(SITE_VENV)/ready
	$(SITE_RUN) tools/anki.py

# axe-core judges contrast and names; without npm or the network its test says that it was skipped.
$(SITE_VENV)/axe.min.js: $(SITE_VENV)/ready
	-cd $(SITE_VENV) && npm pack --silent $(AXE:axe-core-%=axe-core@%) && tar -xzf $(AXE).tgz --strip-components=1 package/axe.min.js

site-test: site $(SITE_VENV)/axe.min.js
	FASTNLP_SITE=_site/html $(SITE_RUN) -m pytest -q -p no:cacheprovider --noconftest tests/test_site.py tests/test_anki.py

clean:
	rm -rf .venv .venv-newest .venv-oldest .venv-site _site build dist *.egg-info
