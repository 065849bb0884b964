# Two commands do everything on a fresh machine:  make run  and  make test.  Both keep to their own .venv.
VENV  := .venv
PY    := $(VENV)/bin/python
STAMP := $(VENV)/.installed
JOBS  ?= 2
STUDY ?= runs/study
N     ?= 20000
KILLS ?= 200
SEED  ?= 0

# The venv's own kernel and nothing from the user's folders; one torch thread for each of the JOBS test workers.
export JUPYTER_PREFER_ENV_PATH := 1
export JUPYTER_PLATFORM_DIRS := 1
export PYDEVD_DISABLE_FILE_VALIDATION := 1

.PHONY: help install run test fast lint unit fuzz audit notebooks student assignment lab wheel book results gpu repo-url clean
help:
	@echo "make run      install, then notebooks 00-09 (quick preset, shipped weights) -> outputs/index.html"
	@echo "make test     install, then every test: ruff, import-linter, mypy, unit, CLI, notebooks with the smoke preset"
	@echo "make fast     for daily work: lint, types and the tests that train nothing, about a minute"
	@echo "make fuzz     N=20000 KILLS=200 SEED=0: damaged files read, trainings killed at their file operations"
	@echo "make audit    known vulnerabilities of every installed package; needs the network"
	@echo "make install  only the set-up: .venv with everything in pyproject.toml (make PYTHON=/path/to/python3.12 ...)"
	@echo "make lab      install, then JupyterLab on the first restored face and your own photograph"
	@echo "make student  for maintainers: the students' copies, notebooks/student/, from the notebooks"
	@echo "make assignment NB=02: a student's copy of one notebook and its autograder -> outputs/assignments/"
	@echo "make wheel    the package as one file, dist/*.whl, to upload where there is no address to install from"
	@echo "make book     notebooks and docs as one static site, nothing executed -> outputs/book/index.html"
	@echo "make results  for maintainers: trains the study in STUDY, rewrites results/, figures/, weights"
	@echo "make gpu      for whoever gets a GPU: its tests, its bench, the large weights (a call goes on where the last stopped)"
	@echo "make repo-url URL=https://github.com/OWNER/NAME: the address in notebooks, badges, README; empty removes it"
	@echo "make clean    removes .venv, outputs/ and caches; never a tracked file, never your own runs"

install: $(STAMP)

# Installs again only when pyproject.toml has changed. A candidate counts only if it runs, is new enough and can make
# a venv: a pyenv shim or a Debian python3 without python3-venv can be on the PATH and fail at that.
$(STAMP): pyproject.toml
	@set -e; if ! $(PY) -m pip --version >/dev/null 2>&1; then \
	  for p in $(or $(PYTHON),python3.13 python3.12 python3.11 python3.10 python3 python); do \
	    if $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; then \
	      found=$$p; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "make: needs Python 3.10 or newer that can make a venv, found none$(if $(PYTHON), at $(PYTHON))." >&2; \
	    echo "      Debian, Ubuntu: sudo apt install python3 python3-venv; else: make PYTHON=/path/to/python3 $(or $(MAKECMDGOALS),install)" >&2; \
	    exit 1; fi; \
	  echo "$(VENV): made with $$($$found --version)"; $$found -m venv --clear $(VENV); \
	fi
	@echo "Installing into $(VENV): a few minutes, several GB where torch comes with CUDA"
	$(PY) -m pip install $(if $(CI),--quiet) --disable-pip-version-check -e ".[all]"
	@touch $@

run: $(STAMP)
	$(PY) tools/site/run_notebooks.py --preset quick --out outputs

test: $(STAMP)
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory notebooks

lint: $(STAMP)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(VENV)/bin/lint-imports
	$(PY) -m mypy

# Leaves out what trains, starts a Python of its own or takes long (tests/conftest.py): those are for make test.
fast: $(STAMP)
	@$(MAKE) --no-print-directory lint
	OMP_NUM_THREADS=1 $(PY) -m pytest -q -n $(JOBS) --fast

unit: $(STAMP)
	OMP_NUM_THREADS=1 $(PY) -m pytest -q -n $(JOBS) --durations 10

# What make test does with a few hundred damaged files and ten kills, with N and KILLS of them: hours on one core.
fuzz: $(STAMP)
	OMP_NUM_THREADS=1 $(PY) -m tests.faults.fuzz --n $(N) --seed $(SEED)
	OMP_NUM_THREADS=1 $(PY) -m tests.faults.fuzz --n $(N) --seed $(SEED) --what datasets
	OMP_NUM_THREADS=1 $(PY) -m tests.faults.kills --n $(KILLS) --seed $(SEED)

# Of the versions that are installed, without the tag of a build (+cpu). Strict: a package that the service does not
# know is a failure, where pip-audit by itself would skip it and call the set clean. It stays out of the venv.
audit: $(STAMP)
	@mkdir -p .scratch/audit
	$(PY) -m pip install --quiet --disable-pip-version-check --upgrade --target .scratch/audit pip-audit
	$(PY) -m pip freeze --exclude-editable | sed 's/+[a-z0-9.]*$$//' > .scratch/audit.txt
	PYTHONPATH=.scratch/audit $(PY) -m pip_audit --strict --no-deps --disable-pip --progress-spinner off -r .scratch/audit.txt

# On a copy, so that runs and figures land in .scratch and the committed notebooks stay as they are; the students'
# copies too, with nothing filled in, in a folder of their own.
notebooks: $(STAMP)
	@rm -rf .scratch/notebooks && mkdir -p .scratch/notebooks/student
	@cp notebooks/*.ipynb .scratch/notebooks/ && cp notebooks/student/*.ipynb .scratch/notebooks/student/
	HLGAN_PRESET=smoke MPLBACKEND=agg OMP_NUM_THREADS=1 $(PY) -m pytest -q -n $(JOBS) --dist loadscope \
	  --nbval-lax --nbval-current-env --nbval-cell-timeout 300 .scratch/notebooks

student: $(STAMP)
	$(PY) tools/site/student.py

# A copy to hand out and what otter-grader grades it with; docs/teaching.md, Hand-in.
assignment: $(STAMP)
	@$(PY) tools/site/assignment.py $(NB)

# In a container one is often root, which Jupyter refuses unless told that it is meant.
lab: $(STAMP)
	$(PY) -m jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) notebooks/00_first_face.ipynb

# For whoever has no address to install from: upload it beside a notebook on Colab, and name it as its SOURCE.
wheel: $(STAMP)
	$(PY) -m pip wheel --quiet --no-deps --wheel-dir dist .

book: $(STAMP)
	$(PY) tools/site/make_book.py outputs/book

results: $(STAMP)
	$(VENV)/bin/hlgan ablate --preset study --jobs $(JOBS) --out $(STUDY)
	$(VENV)/bin/hlgan compare --preset study --jobs $(JOBS) --out $(STUDY)
	$(PY) tools/results/publish.py $(STUDY)
	$(VENV)/bin/hlgan figures --results results --out figures --overwrite
	OMP_NUM_THREADS=1 $(PY) tools/results/why.py $(STUDY)
	for tool in card trust protocols teaching; do OMP_NUM_THREADS=1 $(PY) tools/results/$$tool.py || exit 1; done

# Three steps of under ten minutes; each also runs alone, without make or venv: python tools/results/gpu.py tests
gpu: $(STAMP)
	$(PY) tools/results/gpu.py tests
	$(PY) tools/results/gpu.py bench
	$(PY) tools/results/gpu.py weights runs/gpu

# Needs only a Python, no venv. Without URL= the present address goes into notebooks that are new.
repo-url:
	@$(or $(wildcard $(PY)),python3) tools/site/repo_url.py $(if $(filter undefined,$(origin URL)),,"$(URL)")

# git clean never touches a tracked file and prints each thing that it removes.
clean:
	@git rev-parse --is-inside-work-tree >/dev/null 2>&1 || { \
	  echo "make clean asks git what is tracked, and this is no git checkout: delete $(VENV), outputs and .scratch by hand." >&2; exit 1; }
	@git clean -ffdx -- $(VENV) outputs .scratch build dist hlgan_lib.egg-info .pytest_cache .ruff_cache .import_linter_cache .mypy_cache
	@find . -type d \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec git clean -ffdxq -- {} +
	@echo "Kept: tracked files, and untracked files of your own (runs, folders of pictures); git status --ignored lists them."
