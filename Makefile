# Needs Python 3.11 or later (with venv) and make. Everything else is set up in .venv, which `make clean` removes.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/ready

.DEFAULT_GOAL := help
.PHONY: help demo test check bench vectors clean

help: ## what there is
	@grep -E '^[a-z]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 10

demo: $(READY) ## start a sidecar, load a table three ways, page through it
	@$(RUN) -m sidecar demo

test: $(READY) check ## lint, types and all tests
	$(RUN) -m pytest

check: $(READY) ## lint and types only
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

bench: $(READY) ## speed, as ratios against a reference in the same run
	$(RUN) -m tests.benchmarks

vectors: $(READY) ## write tests/vectors anew
	$(RUN) tests/vectors/generate.py

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	PIP_CONSTRAINT=constraints.txt $(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	$(RUN) -m compileall -q sidecar
	@touch $(READY)

clean: ## remove what make has set up
	rm -rf $(VENV) .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
