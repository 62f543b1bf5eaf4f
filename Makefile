# Needs Python 3.11 or later (with venv) and make. Everything else is set up in .venv, which `make clean` removes.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/ready
TARGET = $(shell PYTHONPATH=packaging $(RUN) -c 'from bundle.targets import this_target; print(this_target().rust)')
# What the tests mount. The shipped executable has no services: a second one has these.
TEST_MODULES := tests.peers.endless tests.peers.odd_handlers tests.peers.resumable tests.peers.service tests.peers.streaming

.DEFAULT_GOAL := help
.PHONY: help demo test check bench frozen test-frozen dist vectors clean

help: ## what there is
	@grep -E '^[a-z-]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 13

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

frozen: $(READY) ## the executable that an app ships, in dist
	$(RUN) packaging/build.py

test-frozen: frozen ## all tests that start a process, against that executable
	$(RUN) packaging/build.py --no-archive --max-size 230M --name arrow-sidecar-tests $(TEST_MODULES:%=--include %)
	$(RUN) -m pytest --sidecar-cmd=dist/arrow-sidecar-$(TARGET)/arrow-sidecar \
		--services-cmd=dist/arrow-sidecar-tests-$(TARGET)/arrow-sidecar-tests

dist: $(READY) ## what pip installs: an sdist and a wheel, in dist/python
	PIP_CONSTRAINT=constraints.txt $(RUN) -m build --outdir dist/python

vectors: $(READY) ## write tests/vectors anew
	$(RUN) tests/vectors/generate.py

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	PIP_CONSTRAINT=constraints.txt $(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[test,freeze]'
	$(RUN) -m compileall -q sidecar
	@touch $(READY)

clean: ## remove what make has set up
	rm -rf $(VENV) .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
