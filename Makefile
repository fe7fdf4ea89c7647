# Sets up, runs, tests and checks Sightline; `make help` lists what there is.

SHELL := /bin/sh
PYTHON ?=
PORT ?= 8000
JOBS ?= 3
SIGHTLINE_HOME ?= $(CURDIR)/.sightline
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
PIP := $(PY) -m pip --disable-pip-version-check install --quiet

# A copied or moved folder holds an environment that points back at the old place: set it up afresh.
ifneq ($(shell cat $(STAMP) 2>/dev/null),$(CURDIR))
.PHONY: $(STAMP)
endif

.PHONY: help setup run test test-cuda lint soak bench baselines pictures storybook lock licences clean
.DEFAULT_GOAL := help

help: ## List these commands.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

setup: $(STAMP) ## Set up .venv from requirements.lock, where it is not up to date.

$(STAMP): requirements.lock pyproject.toml
	@set -e; \
	for python in $(if $(PYTHON),"$(PYTHON)",python3 python3.13 python3.12 python3.11 python); do \
	  if "$$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    found=$$python; break; \
	  fi; \
	done; \
	if [ -z "$${found:-}" ]; then \
	  echo "Sightline needs Python 3.11 or newer with its venv module, and found none$(if $(PYTHON), in $(PYTHON))." >&2; \
	  echo "Install one (on Debian: apt-get install python3 python3-venv), or name one: make PYTHON=/path/to/python3" >&2; \
	  exit 2; \
	fi; \
	echo "Setting up $(VENV) with $$("$$found" --version); this takes a minute or two the first time."; \
	here=$$(cat $(STAMP) 2>/dev/null || echo "$(CURDIR)"); \
	if [ "$$here" != "$(CURDIR)" ] || ! $(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	  "$$found" -m venv --clear $(VENV); \
	fi; \
	rm -f $(STAMP); \
	$(PIP) --require-hashes -r requirements.lock; \
	$(PIP) --no-deps --no-build-isolation --editable .; \
	printf '%s\n' "$(CURDIR)" > $(STAMP)

run: setup ## Serve Sightline with its demo job on http://127.0.0.1:8000 (PORT=… for another port).
	@SIGHTLINE_HOME="$(SIGHTLINE_HOME)" exec $(PY) -m app serve --demo --port $(PORT)

test: lint ## Lint, run every test but the soak tests, see that all promised ones ran (JOBS=3 at once; ARGS=… goes to pytest).
	@$(PY) -m pytest -m "not soak" -n $(JOBS) --dist loadfile $(ARGS)
	@$(if $(ARGS),,$(PY) -m app check requirements)

test-cuda: setup ## Run the tests that need an NVIDIA GPU; each says why where it is skipped.
	@$(PY) -m pytest -m cuda -rsA $(ARGS)

lint: setup ## Check style, formatting, types and the direction of imports.
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports

soak: setup ## Run the long, repeated and destructive tests (JOBS=3 files at once).
	@$(PY) -m pytest -m soak -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS); code=$$?; \
	if [ $$code -eq 5 ]; then echo "There are no soak tests yet."; exit 0; fi; exit $$code

bench: setup ## Measure the bounds of DESIGN on this machine, and keep the results in tests/bench/RESULTS.md (ARGS=--small to try).
	@$(PY) -m tests.bench.engine $(ARGS)

baselines: setup ## Accept what the program shows now as tests/baselines and docs/SETTINGS.md (BECAUSE="…" where it breaks something).
	@$(PY) -m app check --accept all --because "$(BECAUSE)"
	@git --no-pager diff --stat -- tests/baselines docs/SETTINGS.md

pictures: setup ## Accept what the stories look like now as tests/baselines/stories (needs Chromium).
	@$(PY) -m pytest -q tests/web/test_stories.py -k looks --accept-baselines
	@git --no-pager diff --stat -- tests/baselines/stories

storybook: setup ## Build the stories as a Storybook in tests/storybook/built (needs Node).
	@cd tests/storybook && npm ci --ignore-scripts --no-audit --no-fund --loglevel error
	@$(PY) -m tests.storybook.export
	@cd tests/storybook && STORYBOOK_DISABLE_TELEMETRY=1 npx --no-install storybook build --disable-telemetry --quiet --output-dir built

lock: ## Pin every dependency with its hashes in requirements.lock (needs uv).
	@uv pip compile --universal --python-version 3.11 --group dev --all-extras --generate-hashes \
	  --no-emit-index-url -q pyproject.toml -o requirements.lock

licences: setup ## Write docs/LICENCES.md from requirements.lock and the installed packages.
	@$(PY) -m tests.licences

clean: ## Remove the environment and every cache; the history in .sightline stays.
	@rm -rf $(VENV) build dist tests/storybook/node_modules tests/storybook/stories tests/storybook/built .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
