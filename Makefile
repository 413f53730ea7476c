# Each target sets up what it needs; set-up runs again only when a lock or the project file changes.
# Paths may hold spaces and quotes: they are relative here, or reach the shell as variables of the environment.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= $(firstword $(foreach v,3.11 3.12 3.13,$(if $(shell python$(v) -V 2>/dev/null),python$(v))) python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# What is typed is a text: without this, make would run `$$(shell ...)` in it.
TYPED := BOOK NAME ROWS RATE OUT SOURCE TARGET KEY DATE DATE_FORMAT ENCODING FILE REPLACE MAY_SHRINK IGNORE_QUARANTINED \
  PORT MLFLOW_PORT SERVE_PORT LOAN_PLATFORM_HOME
$(foreach v,$(TYPED),$(if $(filter command,$(origin $v)),$(eval override $v := $$(value $v))$(eval export $v)))
is_typed = $(filter override,$(origin $(1)))

LOAN_PLATFORM_HOME ?= $(CURDIR)/.loan_platform
ifeq ($(filter /%,$(firstword $(LOAN_PLATFORM_HOME))),)
override LOAN_PLATFORM_HOME := $(CURDIR)/$(LOAN_PLATFORM_HOME)
endif
export LOAN_PLATFORM_HOME
export DAGSTER_HOME := $(LOAN_PLATFORM_HOME)/dagster
export DAGSTER_DISABLE_TELEMETRY := yes
export MLFLOW_DISABLE_TELEMETRY := true
export BENTOML_DO_NOT_TRACK := True
export DO_NOT_TRACK := true
export OMP_WAIT_POLICY := passive
PORT ?= 3000
MLFLOW_PORT ?= 5000
SERVE_PORT ?= 8000
export PORT MLFLOW_PORT SERVE_PORT

# make puts the variables of its command line into the environment of the recipes: "$$SOURCE" is as it was typed.

# One process more than cores: tests also wait for services. Files that take longest come first (see conftest.py).
TEST_PROCESSES ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
PYTEST = $(BIN)/python -m pytest -n $(TEST_PROCESSES) --maxprocesses 8 --dist loadfile --no-loadscope-reorder

.PHONY: help setup demo book score dev serve bento key key-name audit-key audit mlflow data check
.PHONY: test test-packages test-fast attack fuzz coverage integration thorough faults wheel-check lint format typecheck lock docs clean

help: ## Show the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 18 \
	  | awk '{ for (n in ENVIRON) if (n ~ /PORT$$/ && (i = index($$0, "$$(" n ")"))) \
	      $$0 = substr($$0, 1, i - 1) ENVIRON[n] substr($$0, i + length(n) + 3); print }'

setup: $(READY) ## Create the virtual environment from the locked requirements

$(READY): requirements.lock pyproject.toml infra/uv-requirements.txt
	@infra/setup.sh "$(PYTHON)" $(VENV)
	@touch $(READY)

demo: $(READY) ## Run the whole graph of a book on generated data: make demo BOOK=retail_loans
	@$(BIN)/loan-platform demo --book "$${BOOK:-lending_club}" $${ROWS:+--rows "$$ROWS"}

book: $(READY) ## Draft a book from a file of loans: make book NAME=my_book SOURCE=loans.csv
	@test -n "$$SOURCE" || { echo "SOURCE is missing: make book NAME=my_book SOURCE=loans.csv" >&2; exit 2; }
	@$(BIN)/loan-platform book $(if $(call is_typed,NAME),"$$NAME",my_book) --source "$$SOURCE" $${TARGET:+--target "$$TARGET"} $${KEY:+--key "$$KEY"} $${DATE:+--date "$$DATE"} $${DATE_FORMAT:+--date-format "$$DATE_FORMAT"} $${ENCODING:+--encoding "$$ENCODING"}

test: $(READY) ## Run all tests except those of make thorough and make integration
	@$(PYTEST) -m "not integration and not thorough"

test-packages: $(READY) ## Run the tests of every package, without whole jobs and service starts
	@$(PYTEST) -m "not end_to_end and not integration and not thorough"

test-fast: $(READY) ## Run the quick tests of core, settings and layering
	@$(PYTEST) -m "not slow and not thorough and not integration" loan_platform_tests/core loan_platform_tests/test_*.py

attack: $(READY) ## Try every known attack on a service, stores, files and pages of its own, and print a table
	@$(PYTEST) -m attack -p loan_platform_tests.support.attack_table

# Drafting and staging read files through the warehouse, so their tests are there.
coverage: $(READY) ## Run the tests of core, warehouse and drafting, and show the share of core's lines that they reach
	@$(PYTEST) -m "not integration and not thorough" --cov=loan_platform/core --cov-report=term:skip-covered --cov-fail-under=90 \
	  loan_platform_tests/core loan_platform_tests/adapters/warehouse loan_platform_tests/adapters/drafting

integration: $(READY) ## Test webserver, daemon, command line and service together, for real
	@$(PYTEST) -m integration

thorough: $(READY) ## Run the fuzz, fault and sweep tests at their usual size
	@$(PYTEST) -m thorough

fuzz: $(READY) ## Give every parser edited inputs for a minute in all: make fuzz SECONDS_EACH=600 takes an hour
	@FUZZ_SECONDS="$${SECONDS_EACH:-12}" $(BIN)/python -m pytest -q loan_platform_tests/fuzz

faults: $(READY) ## Run the fault tests at full size, and the fuzz tests for an hour (about two hours)
	@LOAN_FAULTS=full FUZZ_FILES=2000 FUZZ_BOOKS=200 $(BIN)/python -m pytest loan_platform_tests/service \
	  loan_platform_tests/adapters
	@FUZZ_SECONDS=600 $(BIN)/python -m pytest -q loan_platform_tests/fuzz

# What removes applications is typed: of the environment only BOOK counts, and the rest is told.
told = $(if $(filter environment%,$(origin $(1))),$(warning $(1) of the environment is ignored: write make score $(1)=...))
typed = $(call told,$(1))$(if $(call is_typed,$(1)),$${$(1):+$(2) "$$$(1)"})
switch = $(if $(filter 1 yes true,$(1)),--ignore-quarantined,$(if $(filter-out 0 no false,$(1)),$(error IGNORE_QUARANTINED is '$(1)': write 1, yes, true, 0, no or false)))
score: $(READY) ## Score a book's applications: make score BOOK=lending_club FILE=new.csv REPLACE=2018-01
	@$(BIN)/loan-platform score --book "$${BOOK:-lending_club}" $(call typed,FILE,--file) $(call typed,REPLACE,--replace) $(call typed,MAY_SHRINK,--may-shrink) $(call told,IGNORE_QUARANTINED)$(if $(call is_typed,IGNORE_QUARANTINED),$(call switch,$(IGNORE_QUARANTINED)))

dev: $(READY) ## Start the Dagster UI and daemon on http://127.0.0.1:$(PORT)
	@$(BIN)/loan-platform init
	umask 077; $(BIN)/dagster dev --workspace workspace.yaml --host 127.0.0.1 --port "$$PORT"

serve: $(READY) ## Start the HTTP service of a book on http://127.0.0.1:$(SERVE_PORT): make serve BOOK=lending_club
	@$(BIN)/loan-platform serve --book "$${BOOK:-lending_club}" --port "$$SERVE_PORT"

bento: $(READY) ## Build the champion of a book into a Bento and check it: make bento BOOK=lending_club
	@$(BIN)/loan-platform bento --book "$${BOOK:-lending_club}"

# A NAME of the environment does not count: WSL sets one.
key: key-name $(READY) ## Create an API key, shown once: make key NAME=my_client RATE=600/minute
	@$(BIN)/loan-platform key "$$NAME" $${RATE:+--rate "$$RATE"}

key-name:
	@$(if $(call is_typed,NAME),test -n "$$NAME",false) \
	  || { echo "NAME is missing: make key NAME=my_client" >&2; exit 2; }

audit-key: $(READY) ## Create the key that encrypts the inputs in the audit log
	@$(BIN)/loan-platform audit create-key

audit: $(READY) ## Verify the audit log of a book's service: make audit BOOK=lending_club
	@$(BIN)/loan-platform audit verify --book "$${BOOK:-lending_club}"

mlflow: $(READY) ## Start the MLflow UI on http://127.0.0.1:$(MLFLOW_PORT)
	@$(BIN)/loan-platform init
	umask 077; MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(BIN)/mlflow server --host 127.0.0.1 --port "$$MLFLOW_PORT" \
	  --backend-store-uri "sqlite:///$$LOAN_PLATFORM_HOME/mlflow.db" \
	  --artifacts-destination "$$LOAN_PLATFORM_HOME/mlartifacts"

data: $(READY) ## Generate raw loan files: make data ROWS=2260000 OUT=/tmp/loans
	@$(BIN)/python -m loan_platform.sample_data.lending_club --rows "$${ROWS:-60000}" \
	  --out "$${OUT:-$$LOAN_PLATFORM_HOME/data/lending_club}"

check: $(READY) ## List every mistake in the files of a book, or of all books: make check BOOK=my_book
	@$(BIN)/loan-platform check $${BOOK:+"$$BOOK"}

lint: $(READY) ## Check style and import rules
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

format: $(READY) ## Format the code
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

typecheck: $(READY) ## Check the types, strictly in core
	@$(BIN)/pyright

docs: $(READY) ## Write docs/contract.md, docs/settings.md and loan_platform/schemas from the models
	@$(BIN)/python -m loan_platform.core.checking.reference_page > docs/contract.md
	@$(BIN)/python -m loan_platform.settings.reference > docs/settings.md
	@$(BIN)/python -m loan_platform.core.checking.json_schemas

wheel-check: $(READY) ## Build the wheel and use it in a bare environment, outside the checkout
	@infra/wheel-check.sh "$(PYTHON)" $(VENV)

COMPILE = $$(command -v uv || echo $(BIN)/uv) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet
lock: ## Write the locks from pyproject.toml and bento/*.in 
	$(COMPILE) pyproject.toml --extra cpu --group dev --no-strip-extras -o requirements.lock
	for name in requirements extras; do \
	  $(COMPILE) bento/$$name.in --constraints requirements.lock --no-annotate -o bento/$$name.lock; done
	$(COMPILE) infra/uv-requirements.in --no-annotate -o infra/uv-requirements.txt

clean: ## Remove the environment and the checkout's own platform home
	rm -rf $(VENV) .loan_platform .pytest_cache .ruff_cache
