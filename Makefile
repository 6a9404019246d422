# Needs Python (with its venv module) and make. Everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
# With --verifytypes it heeds no --pythonpath, only an activated environment.
PYRIGHT := PATH="$(CURDIR)/$(BIN):$$PATH" pyright
DRIVERS := aiomysql,aiosqlite,asyncmy,asyncpg,psycopg,psycopg2,pymysql
# Some of them are for Debian's Python only, whose sqlite3 loads extensions.
ECOSYSTEM := $(VENV)-ecosystem
ECOSYSTEM_PYTHON ?= $(firstword $(wildcard /usr/bin/python3) $(PYTHON))
ARGS ?=
LANE ?= all
# Options of pytest-cov.
COVERAGE ?=
# Whoever is done first takes tests from the others, so that all are busy to the end. Tests
# wait for databases and processes a third of the time.
PYTEST := $(BIN)/pytest
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 2)
PARALLEL := -n $(WORKERS) --dist worksteal
# Faults and round trips reach no code that the other tests don't, and would take twice as
# long while coverage is measured.
CAMPAIGNS := tests/faults tests/round_trips
# These wait for timeouts most of the time, so more of them than cores can run at once.
NETWORK := tests/network
# Many tests start processes, which would compile everything again.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help:  ## Show this
	@echo "Usage: make TARGET [ARGS=...] [PYTHON=python3]"
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

.PHONY: demo
demo: $(STAMPS)/demo  ## Run the notes example: a Quart app on SQLite
	$(BIN)/python examples/notes/demo.py

.PHONY: test
test: $(STAMPS)/tests  ## Run the quick lane of the tests, or some: ARGS="-k sqlite -x"
ifdef ARGS
	$(PYTEST) $(ARGS)
else
	$(PYTEST) $(PARALLEL) --lane=quick $(COVERAGE)
endif

.PHONY: test-all
test-all: COVERAGE = --cov --cov-report=term-missing
test-all: $(STAMPS)/tests  ## Run all tests, with branch coverage, or a lane: LANE=rest
	$(PYTEST) $(PARALLEL) --lane=$(LANE) $(COVERAGE) \
		$(addprefix --ignore=,$(CAMPAIGNS) $(NETWORK))
	$(PYTEST) $(PARALLEL) --lane=all $(CAMPAIGNS)
	$(PYTEST) -n 6 --dist loadgroup --lane=$(LANE) $(NETWORK)

.PHONY: ecosystem
ecosystem: $(STAMPS)/ecosystem  ## Test packages that extend Alembic, in an environment of their own
	$(ECOSYSTEM)/bin/python -m pytest -n 2 -p no:pytest_alembic tests/ecosystem/packages.py tests/ecosystem/tools.py $(ARGS)

.PHONY: lint
lint: $(STAMPS)/lint  ## Check style, formatting and spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/codespell

.PHONY: types
types: $(STAMPS)/typing  ## Check the types with mypy and pyright
	$(BIN)/mypy
	$(PYRIGHT)
	$(PYRIGHT) --verifytypes async_alembic --ignoreexternal

.PHONY: dist
dist: $(STAMPS)/lint  ## Build the package into dist, and check what PyPI will show
	rm -rf dist
	$(BIN)/python -m build --outdir dist >/dev/null
	$(BIN)/twine check --strict dist/*

.PHONY: docs
docs: $(STAMPS)/docs  ## Build the documentation into docs/_build/html
	$(BIN)/sphinx-build --quiet --fail-on-warning --fresh-env docs docs/_build/html

.PHONY: bench
bench: $(STAMPS)/bench  ## Run the benchmarks, side by side with the peers
	$(BIN)/python -m benchmarks $(ARGS)
	$(BIN)/python -m benchmarks.boot $(ARGS)
	$(BIN)/python -m benchmarks.guarantees

.PHONY: blocking
blocking: $(STAMPS)/lint  ## Make extension/blocking.py of extension/awaited.py
	$(BIN)/python tools/make_blocking.py

.PHONY: setup
setup: $(STAMPS)/dev  ## Install what all targets but bench need, at once

.PHONY: clean
clean:  ## Remove everything that is made
	rm -rf $(VENV) $(ECOSYSTEM) build dist docs/_build htmlcov .coverage* .hypothesis
	rm -rf .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMPS)/venv:
	$(PYTHON) -m venv $(VENV)
	mkdir -p $(STAMPS)
	touch $@

# Dependency groups need pip 25.1.
$(STAMPS)/pip: | $(STAMPS)/venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	touch $@

$(STAMPS)/demo: pyproject.toml | $(STAMPS)/venv
	$(BIN)/python -m pip install --quiet --editable ".[quart,aiosqlite]"
	touch $@

$(STAMPS)/lint: pyproject.toml | $(STAMPS)/pip
	$(BIN)/python -m pip install --quiet --group lint
	touch $@

$(STAMPS)/tests $(STAMPS)/typing $(STAMPS)/docs $(STAMPS)/bench: pyproject.toml | $(STAMPS)/pip
	$(BIN)/python -m pip install --quiet --editable ".[quart,$(DRIVERS)]" --group $(notdir $@)
	touch $@

$(STAMPS)/ecosystem: pyproject.toml | $(STAMPS)/pip
	$(ECOSYSTEM_PYTHON) -m venv --clear --without-pip $(ECOSYSTEM)
	$(BIN)/python -m pip --python $(ECOSYSTEM) install --quiet \
		--editable ".[quart,aiosqlite,asyncpg,psycopg2]" --group ecosystem
	touch $@

$(STAMPS)/dev: pyproject.toml | $(STAMPS)/pip
	$(BIN)/python -m pip install --quiet --editable ".[quart,$(DRIVERS)]" --group dev
	touch $@ $(addprefix $(STAMPS)/,demo docs lint tests typing)
