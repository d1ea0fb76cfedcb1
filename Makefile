# Everything sets itself up: on a fresh Debian 12 with Python and make, `make demo` and `make test` are all there is to know.

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -m
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

.PHONY: help
help: ## This list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

.PHONY: venv
venv: $(STAMP) ## The virtual environment, exactly as locked

$(STAMP): requirements/dev.txt
	scripts/make-venv $(PYTHON) $(VENV) requirements/dev.txt
	@touch $@

.PHONY: lint
lint: $(STAMP) ## Style, format, types, import contracts
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy
	$(BIN)/lint-imports --no-logo

.PHONY: test
test: $(STAMP) ## All tests, after installing what they need
	scripts/install-test-programs
	$(RUN) pytest $(ARGS)

.PHONY: lock
lock: $(STAMP) ## Pin all dependencies again; ARGS=--upgrade for newer ones
	$(BIN)/uv pip compile $(LOCK_FLAGS) $(ARGS) pyproject.toml --output-file requirements/run.txt
	$(BIN)/uv pip compile $(LOCK_FLAGS) $(ARGS) pyproject.toml --group dev --constraints requirements/run.txt \
		--output-file requirements/dev.txt

# One lock for every supported Python and platform; no header, which would name the command line.
LOCK_FLAGS := --quiet --universal --python-version 3.11 --generate-hashes --no-header

.PHONY: clean
clean: ## Remove all that was made
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
