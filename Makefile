# On a fresh Debian 12 with Python, git and make, `make demo` and `make test` do all of their own set-up.

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -m
STAMP := $(VENV)/.installed
# Tests wait for servers half of the time.
WORKERS := $(shell expr $$(nproc 2>/dev/null || echo 2) + 1)

# Files that are written by a program of ours and committed: each has a rule below.
DEPLOYED := deploy/chart/files deploy/chart/crds deploy/chart/templates/_rules.tpl deploy/install.yaml deploy/monitoring.yaml docs/permissions.md
ALERTING := alerts/rules/upgrade.yaml alerts/rules/objectives.yaml deploy/prometheusrule.yaml
ASKING := exporter/verify/verification.yaml docs/verify.md
DASHBOARDS := dashboards/kubevirt-upgrade.json \
	$(patsubst %,dashboards/kubevirt-upgrade-%.json,guests api objectives exporter)
GENERATED := docs/metrics.md $(ASKING) docs/cli.md $(ALERTING) $(DASHBOARDS) $(DEPLOYED)
RULES := $(wildcard alerts/rules/*.yaml)

# One lock for all supported Pythons and platforms. No header: it would name paths.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header

.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

.PHONY: help
help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

.PHONY: demo
demo: $(STAMP) ## A simulated upgrade and the exporter watching it; ARGS="--scenario ..."
	$(RUN) exporter demo $(ARGS)

.PHONY: test
test: $(STAMP) ## All tests but those of `make endurance`; ARGS="-k name" for some
	scripts/install-test-programs
	$(RUN) pytest --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder $(ARGS)

.PHONY: endurance
endurance: $(STAMP) ## What takes minutes: every scenario pages, daemons are killed; ARGS="--kills 50 --seed 7"
	scripts/install-test-programs
	$(RUN) pytest tests/endurance/paging.py
	$(RUN) pytest --numprocesses=4 tests/endurance/kills.py $(ARGS)

.PHONY: image
image: $(STAMP) ## Build the image and try it, as root on Debian, without a registry of images
	scripts/make-image-base
	IMAGE=wanted $(RUN) pytest tests/deploy/test_image.py $(ARGS)

.PHONY: lint
lint: $(STAMP) ## Style, format, types, import contracts
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy
	$(BIN)/lint-imports --no-logo

.PHONY: check
check: lint test generate ## Everything to run before a push
	git diff --exit-code -- $(GENERATED)
	$(if $(RULES),$(if $(shell command -v promtool),promtool check rules --lint=all --lint-fatal $(RULES),@echo "promtool is not installed: rules not checked"))

.PHONY: generate
generate: $(GENERATED) ## Write the generated files anew

docs/metrics.md: $(STAMP) FORCE
	$(RUN) exporter metrics-docs > $@

# Wheels hold what is in the package, so the questions are copied into it.
exporter/verify/verification.yaml: alerts/verification.yaml FORCE
	cp $< $@

docs/verify.md: exporter/verify/verification.yaml $(STAMP) FORCE
	$(RUN) exporter verify-docs > $@

docs/cli.md: $(STAMP) FORCE
	$(RUN) exporter cli-docs > $@

$(ALERTING) &: $(STAMP) FORCE
	$(RUN) alerts.src

$(DASHBOARDS) &: $(STAMP) FORCE
	$(RUN) dashboards.src

# Last: it packs what others have made.
$(DEPLOYED) &: $(STAMP) FORCE
	$(RUN) deploy.src

.PHONY: bench
bench: $(STAMP) ## Time and memory, as a table
	$(RUN) bench $(ARGS)

.PHONY: venv
venv: $(STAMP) ## The virtual environment, exactly as locked

# The stamp is a copy of the lock: a lock that is only newer installs nothing.
$(STAMP): requirements/dev.txt
	@cmp -s $< $@ || scripts/make-venv $(PYTHON) $(VENV) $<
	@cp $< $@

.PHONY: lock
lock: $(STAMP) ## Pin the dependencies of pyproject.toml; ARGS=--upgrade for newer ones
	$(LOCK) $(ARGS) pyproject.toml --output-file requirements/run.txt
	$(LOCK) $(ARGS) pyproject.toml --group dev --constraints requirements/run.txt --output-file requirements/dev.txt

.PHONY: clean
clean: ## Remove all that was made here
	rm -rf $(VENV) dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: FORCE
FORCE:
