# Needs Python (with its venv module) and make. Everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
# With --verifytypes it heeds no --pythonpath, only an activated environment.
PYRIGHT := PATH="$(CURDIR)/$(BIN):$$PATH" pyright
DRIVERS := aiomysql,aiosqlite,asyncmy,asyncpg,psycopg,psycopg2,pymysql
# Without arguments, all tests run and must cover the code. The campaigns of faults and the
# round trips reach nothing that the others don't, and would take twice as long while that
# is measured.
ARGS ?=
# What to leave out of all tests, as pytest's -k has it.
SKIP ?= no_such_test
COVERING := -n logical --cov --cov-report=term-missing \
	-k "not (test_faults or test_round_trips or ($(SKIP)))"
CAMPAIGNS := -n logical tests/faults tests/round_trips \
	-k "not ($(SKIP))"

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help:  ## Show this
	@echo "Usage: make TARGET [ARGS=...] [PYTHON=python3]"
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

.PHONY: demo
demo: $(STAMPS)/demo  ## Run the notes example: a Quart app on SQLite
	$(BIN)/python examples/notes/demo.py

.PHONY: test
test: $(STAMPS)/tests  ## Run the tests, or some: make test ARGS="-k sqlite -x"
ifdef ARGS
	$(BIN)/pytest $(ARGS)
else
	$(BIN)/pytest $(COVERING)
	$(BIN)/pytest $(CAMPAIGNS)
endif

.PHONY: lint
lint: $(STAMPS)/lint  ## Check style and formatting
	$(BIN)/ruff check
	$(BIN)/ruff format --check

.PHONY: types
types: $(STAMPS)/typing  ## Check the types with mypy and pyright
	$(BIN)/mypy
	$(PYRIGHT)
	$(PYRIGHT) --verifytypes async_alembic --ignoreexternal

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

.PHONY: clean
clean:  ## Remove everything that is made
	rm -rf $(VENV) build dist docs/_build htmlcov .coverage* .hypothesis
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
