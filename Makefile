# Each target sets up what it needs: a virtual environment, made once and used again until pyproject.toml changes.
#   make demo    explain a few images of the embedded data set and write a page about them
#   make test    ruff, pyright, doctests, notebooks, documentation and all tests
#   make docs    the documentation, into site/
#   make bench   a benchmark, with its arguments: BENCH="benchmarks/pointing.py resnet50 --photographs 50"
#   make lint    ruff and pyright alone
PYTHON ?= python3
VENV ?= .venv
OUT ?= demo_output
BENCH ?= benchmarks/sobol.py time
# Tests spend most of their time in tracing, which one process does on one core.
WORKERS ?= 2

BIN := $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check

export TF_CPP_MIN_LOG_LEVEL ?= 3

.DEFAULT_GOAL := help
.PHONY: help demo test docs bench lint clean

help:
	@sed -n 's/^#   //p' Makefile

$(VENV)/.stamp-package: pyproject.toml
	@echo "Installing xsparks into $(VENV) (once; TensorFlow makes it large)"
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --upgrade "pip>=25.1"
	$(INSTALL) --editable .
	@touch $@

# One resolution for the package and the tools, so that a tool never moves what the package chose.
$(VENV)/.stamp-dev: $(VENV)/.stamp-package
	@echo "Installing the tools for tests and documentation into $(VENV) (once)"
	$(INSTALL) --editable . --group dev
	@touch $@

demo: $(VENV)/.stamp-package
	$(BIN)/xsparks demo --out $(OUT)

# ruff, pyright and the documentation are tests as well (tests/building), so that pytest's closing line sums up everything.
test: $(VENV)/.stamp-dev
	$(BIN)/python -m pytest -n $(WORKERS)

docs: $(VENV)/.stamp-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --clean

bench: $(VENV)/.stamp-dev
	$(BIN)/python $(BENCH)

lint: $(VENV)/.stamp-dev
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m pyright --pythonpath $(BIN)/python

clean:
	rm -rf $(VENV) site build dist $(OUT) .pytest_cache .ruff_cache
