# Each target sets up what it needs; set-up runs again only when the lock or the project file changes.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

LOAN_PLATFORM_HOME ?= $(CURDIR)/.loan_platform
override LOAN_PLATFORM_HOME := $(abspath $(LOAN_PLATFORM_HOME))
export LOAN_PLATFORM_HOME
export DAGSTER_HOME := $(LOAN_PLATFORM_HOME)/dagster
export DAGSTER_DISABLE_TELEMETRY := yes
export MLFLOW_DISABLE_TELEMETRY := true
export BENTOML_DO_NOT_TRACK := True
export DO_NOT_TRACK := true
export OMP_WAIT_POLICY := passive
ROWS ?=
OUT ?= $(LOAN_PLATFORM_HOME)/data/lending_club
PORT ?= 3000
MLFLOW_PORT ?= 5000
SERVE_PORT ?= 8000

NAME ?= my_book

# One process more than cores: tests also wait for services. Files that take longest come first (see conftest.py).
TEST_PROCESSES ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
PYTEST = $(BIN)/python -m pytest -n $(TEST_PROCESSES) --maxprocesses 8 --dist loadfile --no-loadscope-reorder

.PHONY: help setup demo book test test-fast coverage integration faults dev serve bento key audit-key audit mlflow data lint format typecheck lock docs check clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(READY) ## virtual environment from the hash-locked requirements, bytecode compiled

$(READY): requirements.lock pyproject.toml
	@echo "Setting up $(VENV) from requirements.lock (once; takes a minute or two)"
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --allow-existing --python "$(PYTHON)" $(VENV) && \
	  uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock && \
	  uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable . ; \
	else \
	  "$(PYTHON)" -m venv $(VENV) && \
	  $(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements.lock && \
	  $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable . ; \
	fi
	@$(BIN)/python -m compileall -q loan_platform
	@touch $(READY)

demo: $(READY) ## run the whole graph on generated data and show what it did; make demo BOOK=retail_loans
	@$(BIN)/loan-platform demo --book $(or $(BOOK),lending_club) $(if $(ROWS),--rows $(ROWS))

# TARGET and KEY reach the command as they were typed, quotes included.
book: export BOOK_SOURCE = $(SOURCE)
book: export BOOK_TARGET = $(TARGET)
book: export BOOK_KEY = $(KEY)
book: $(READY) ## a book drafted from a file: make book NAME=my_book SOURCE=loans.csv
	@test -n "$$BOOK_SOURCE" || { echo "Name the file of loans: make book NAME=my_book SOURCE=loans.csv" >&2; exit 2; }
	@$(BIN)/loan-platform book "$(NAME)" --source "$$BOOK_SOURCE" \
	  $${BOOK_TARGET:+--target "$$BOOK_TARGET"} $${BOOK_KEY:+--key "$$BOOK_KEY"}

test: $(READY) ## all tests but those of make integration
	@$(PYTEST) -m "not integration"

test-fast: $(READY) ## the quick tests of core, settings and layering
	@$(PYTEST) -m "not slow and not integration" loan_platform_tests/core loan_platform_tests/test_*.py

coverage: $(READY) ## the tests of core, with the share of its lines that they reach
	@$(PYTEST) --cov=loan_platform/core --cov-report=term:skip-covered --cov-fail-under=90 loan_platform_tests/core

integration: $(READY) ## Dagster's webserver, daemon and command line, and the service, for real
	@$(PYTEST) -m integration

faults: $(READY) ## the tests of what goes wrong, at full size (an hour)
	@LOAN_FAULTS=full FUZZ_FILES=2000 FUZZ_BOOKS=200 $(BIN)/python -m pytest loan_platform_tests/service \
	  loan_platform_tests/adapters

dev: $(READY) ## Dagster UI and daemon on http://127.0.0.1:$(PORT)
	@$(BIN)/loan-platform init
	$(BIN)/dagster dev --workspace workspace.yaml --host 127.0.0.1 --port $(PORT)

serve: $(READY) ## the HTTP service of a book on http://127.0.0.1:$(SERVE_PORT): make serve BOOK=lending_club
	@$(BIN)/loan-platform init
	LOAN_PORTFOLIO=$(or $(BOOK),lending_club) BENTOML_HOME=$(LOAN_PLATFORM_HOME)/bentoml $(BIN)/bentoml serve bento.service:LoanService \
	  --host 127.0.0.1 --port $(SERVE_PORT)

bento: $(READY) ## the champion of a book built into a Bento, and checked: make bento BOOK=lending_club
	@$(BIN)/loan-platform bento --book $(or $(BOOK),lending_club)

key: $(READY) ## an API key of the service, told once: make key NAME=my_client RATE=600/minute
	@$(BIN)/loan-platform key "$(NAME)" $(if $(RATE),--rate "$(RATE)")

audit-key: $(READY) ## the key of the service's records, for encrypted inputs
	@$(BIN)/loan-platform audit create-key

audit: $(READY) ## verify the records of a book's service: make audit BOOK=lending_club
	@$(BIN)/loan-platform audit verify --book $(or $(BOOK),lending_club)

mlflow: $(READY) ## MLflow UI on http://127.0.0.1:$(MLFLOW_PORT)
	@$(BIN)/loan-platform init
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(BIN)/mlflow server --host 127.0.0.1 --port $(MLFLOW_PORT) \
	  --backend-store-uri "sqlite:///$(LOAN_PLATFORM_HOME)/mlflow.db" \
	  --artifacts-destination "$(LOAN_PLATFORM_HOME)/mlartifacts"

data: $(READY) ## generated raw files: make data ROWS=2260000 OUT=/tmp/loans
	@$(BIN)/python -m loan_platform.sample_data.lending_club --rows $(or $(ROWS),60000) --out "$(OUT)"

lint: $(READY) ## style and import rules
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

format: $(READY) ## format the code
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

typecheck: $(READY) ## types, strict in core
	@$(BIN)/pyright

docs: $(READY) ## write docs/contract.md, docs/settings.md and loan_platform/schemas from the models
	@$(BIN)/python -m loan_platform.core.checking.reference_page > docs/contract.md
	@$(BIN)/python -m loan_platform.settings.reference > docs/settings.md
	@$(BIN)/python -m loan_platform.core.checking.json_schemas

check: $(READY) ## every mistake in the files of the books: make check BOOK=my_book
	@$(BIN)/loan-platform check $(BOOK)

lock: ## requirements.lock from pyproject.toml, and the image's (needs uv)
	uv pip compile pyproject.toml --extra cpu --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-strip-extras --no-emit-index-url --no-header --quiet -o requirements.lock
	for name in requirements extras; do uv pip compile bento/$$name.in --constraints requirements.lock --universal \
	  --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet \
	  -o bento/$$name.lock; done

clean: ## remove the environment and the checkout's own platform home (one set elsewhere stays)
	rm -rf $(VENV) .loan_platform .pytest_cache .ruff_cache
