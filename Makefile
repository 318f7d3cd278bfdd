# One word a habit. The environment is .venv, made by whichever target needs it first.
SHELL := /bin/sh
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
T ?= tests
PYTEST_ARGS ?=
PROTOS := $(shell find protos -name '*.proto' 2>/dev/null)
.DEFAULT_GOAL := help
.PHONY: help .venv demo test protos lint types unit check bench traceability up down lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.ready ## the whole story on this machine: register, approve, move, audit, rebuild
	@$(PY) demo/demo.py

test: $(VENV)/.ready ## all tests; T=tests/unit picks some, PYTEST_ARGS='-k name' passes options
	@$(PY) -m pytest $(T) $(PYTEST_ARGS)

unit: $(VENV)/.ready ## the quick tests: rules, properties, architecture
	@$(PY) -m pytest $(wildcard tests/unit tests/property tests/architecture) $(PYTEST_ARGS)

protos: $(VENV)/.installed ## generate the Python of protos/ again, and docs/events.md
	@$(PY) hatch_build.py && $(PY) tools/event_catalogue.py && touch build/.protos

lint: $(VENV)/.ready ## format and lint the code and the protos, mending what can be mended
	@$(VENV)/bin/ruff format
	@$(VENV)/bin/ruff check --fix
	@$(VENV)/bin/lint-imports
	@tools/proto_deps && $(VENV)/bin/buf lint

types: $(VENV)/.ready ## mypy, strict
	@$(VENV)/bin/mypy

check: $(VENV)/.ready ## what CI checks without starting a server; mends nothing
	@tools/check

bench: $(VENV)/.ready ## measure the speed ratios of docs/performance.md
	@$(PY) -m tests.bench

traceability: $(VENV)/.ready ## run the tests that prove a requirement; a line for each, and build/traceability.html
	@$(PY) tools/traceability.py

up: $(VENV)/.ready ## start the whole stack on ./.assay
	@$(VENV)/bin/assay up --data ./.assay

down: $(VENV)/.ready ## stop it
	@$(VENV)/bin/assay down --data ./.assay

lock: $(VENV)/.installed ## pin requirements/*.txt again
	@$(PIP) install --quiet uv && tools/lock

clean: ## remove everything that is made here, but for ./.assay
	@rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find libs services tests -name '*_pb2*' -delete -o -name __pycache__ -prune -exec rm -rf {} +

# ---- the environment: hashed packages, then Assay itself in place, then fresh protos ----
.venv: $(VENV)/.ready

$(VENV)/.installed: requirements/dev.txt
	@test -x $(PY) && $(PY) -c '' 2>/dev/null || tools/make_venv
	@echo "Installing the pinned packages into $(VENV) (a few minutes the first time)…"
	@$(PIP) install --quiet --require-hashes --no-deps -r requirements/dev.txt
	@touch $@

$(VENV)/.editable: $(VENV)/.installed pyproject.toml hatch_build.py
	@$(PIP) install --quiet --no-build-isolation --no-deps -e .
	@touch $@

build/.protos: $(PROTOS) hatch_build.py $(VENV)/.editable
	@$(PY) hatch_build.py && mkdir -p build && touch $@

$(VENV)/.ready: $(VENV)/.editable build/.protos
	@touch $@
