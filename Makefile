SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

PORT ?= 8000
KILLS ?= 100
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --no-input
# pip's own lines, less the ones nobody reads; they come as it works.
SHORT := sed -u -n -e 's/ (from .*//' -e '/^Collecting/p' -e 's/^Installing collected packages:.*/Installing them/p'

.PHONY: help run test lint bench kills

help: ## list what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

run: .venv/.run ## install, migrate, seed and serve on http://localhost:$PORT (8000)
	@exec $(BIN)/cordillera run --port $(PORT)

test: $(if $(FAST),.venv/.test,lint) ## lint and every test; with FAST=1 only the tests that need no database
	@$(if $(FAST),true,.ci/system-packages)
	@echo "== Tests"
	@exec $(BIN)/pytest -n auto --dist loadgroup $(if $(FAST),-m "not database and not browser and not slow")

lint: .venv/.test ## style, types and import contracts
	@echo "== Style"
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@echo "== Types"
	@$(BIN)/mypy
	@echo "== Contracts"
	@$(BIN)/lint-imports --no-logo

bench: .venv/.test ## measure
	@exec $(BIN)/python -m benchmarks.run

kills: .venv/.test ## kill every kind of process under load, KILLS=100 times, and count what was lost
	@exec $(BIN)/python -m benchmarks.kills --kills $(KILLS)

.venv/.made:
	@.ci/virtual-environment
	@touch $@

.venv/.run: .venv/.made requirements/build.txt requirements/run.txt pyproject.toml
	@echo "== Installing what Cordillera runs on"
	@$(INSTALL) --no-deps --require-hashes -r requirements/build.txt -r requirements/run.txt | $(SHORT)
	@$(INSTALL) --no-deps --no-build-isolation --editable . | $(SHORT)
	@touch $@

.venv/.test: .venv/.run requirements/test.txt
	@echo "== Installing what the tests need"
	@$(INSTALL) --no-deps --require-hashes -r requirements/test.txt | $(SHORT)
	@touch $@
