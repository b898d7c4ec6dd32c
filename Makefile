# Everything happens in .venv, made from the lock files; no root is needed. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

RESULTS ?= penstock-bench

.DEFAULT_GOAL := help
.PHONY: help run test check bench bench-report lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: $(STAMP) ## set up, then show it at work: four simulated cameras over RTSP, a detector, three rules, clips
	$(BIN)/penstock demo $(ARGS)

test: $(DEV_STAMP) ## set up, then run all tests; integration tests say what they need where they skip
	$(BIN)/python -m pytest $(ARGS)

check: $(DEV_STAMP) ## lint, format, types, and the walls between the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(DEV_STAMP) ## measure, and write JSON to bench-out/
	$(BIN)/python -m bench $(ARGS)

bench-report: $(DEV_STAMP) ## execute docs/report.ipynb on what `penstock bench --out RESULTS` measured
	@test -f $(RESULTS)/summary.csv || { echo "$(RESULTS) holds no results: run $(BIN)/penstock bench --all --runs 3 --out $(RESULTS), or name another folder with make bench-report RESULTS=DIR" >&2; exit 1; }
	PENSTOCK_BENCH=$(abspath $(RESULTS)) $(BIN)/jupyter-execute --inplace docs/report.ipynb

lock: ## choose the newest versions anew and write them down, by name and version only
	$(PYTHON) tools/lock.py

clean: ## remove everything that the other targets made
	rm -rf $(VENV) build dist bench-out penstock-bench penstock-demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Penstock needs Python 3.11 or newer; this is %s. Choose one with make PYTHON=/path/to/python" % sys.version.split()[0])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --requirement requirements.lock
	$(PIP) install --no-deps --editable .
	@touch $@

$(DEV_STAMP): $(STAMP) requirements-dev.lock
	$(PIP) install --requirement requirements-dev.lock
	@touch $@
