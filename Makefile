# `make` lists the targets. They need Python 3.11 or newer and nothing else: the environment is made on the way.
PORT ?= 8000
PYTHON ?=
WORKERS ?= 2
PYTEST_ARGS ?=
REAL_ENGINE ?= .local/real-engine

export PYTHON
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(PYTEST_ARGS)

.DEFAULT_GOAL := help
.PHONY: help up test check again lint format bench real-engine

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: ## run everything on this machine (PORT=8000; the gateway takes the next port); Ctrl-C stops it
	@console/local/bootstrap run && exec $(BIN)/python manage.py up --stop-with-parent --port "$(PORT)"

test: ## run the tests on a real PostgreSQL and Valkey (PYTEST_ARGS="-k name", WORKERS=0 for one process)
	@console/local/bootstrap dev
	@console/local/chromium
	$(PYTEST)

check: ## everything that must hold before a change is merged: lint, types, imports, migrations, tests
	@console/local/bootstrap dev
	@$(MAKE) --no-print-directory lint
	@console/local/chromium
	$(PYTEST)

again: ## run the tests that failed last, one after the other
	$(BIN)/python -m pytest -n 0 -p no:randomly --last-failed --last-failed-no-failures none

lint: ## check style, types, import contracts, templates, migrations and settings
	@console/local/bootstrap dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/djlint templates --lint --quiet
	$(BIN)/python -m console.local.checks

format: ## put the code into its standard form
	@console/local/bootstrap dev
	$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

bench: ## measure what must not grow: one "name: value" per line
	@console/local/bootstrap dev
	@$(BIN)/python -m tests.bench $(BENCH)

real-engine: ## try the gateway and the ledger on a real vLLM: about 3 GB, kept in REAL_ENGINE=.local/real-engine
	@console/local/bootstrap dev
	@$(BIN)/python -m tests.real_engine "$(REAL_ENGINE)"
	SLIPWAY_REAL_ENGINE="$(REAL_ENGINE)" $(BIN)/python -m pytest -n 0 -v tests/real_engine
