# Every target sets up what it needs. `make demo` and `make test` need Python 3.11+, make and pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Versions of the dependencies: constraints-lowest.txt for the lowest, /dev/null for the newest.
CONSTRAINTS ?= constraints.txt
PACKAGES := runcrate_core langchain_runcrate llamaindex_runcrate runcrate_mcp runcrate_emulator
SOURCES := $(PACKAGES) tests tools examples benchmarks docs

.DEFAULT_GOAL := help

.PHONY: help
help:  ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(READY): pyproject.toml constraints.txt
	@echo "Setting up $(VENV) (once, a minute or two) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint $(CONSTRAINTS) --editable ".[all]" --group dev
	@touch $@

.PHONY: setup
setup: $(READY)  ## Make the virtual environment

.PHONY: demo
demo: $(READY)  ## Run the three uses; on the emulator unless LIVE=1 and RUNCRATE_API_KEY are set
	@$(BIN)/python -m examples

.PHONY: test
test: $(READY)  ## Run the tests, without network
	@# Compiled modules are kept, or each of the many processes of the tests would compile them.
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --durations=15

.PHONY: check
check: $(READY)  ## Lint, check formatting and types
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/mypy

.PHONY: format
format: $(READY)  ## Format and fix what can be fixed
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

.PHONY: coverage
coverage: $(READY)  ## Run the tests and report what no test reaches
	@$(BIN)/python -m coverage run --parallel-mode -m pytest -q
	@$(BIN)/python -m coverage combine -q
	@$(BIN)/python -m coverage report

.PHONY: cassettes
cassettes: $(READY)  ## Record the cassettes again; LIVE=1 with RUNCRATE_LIVE_KEY: from the service, within a limit
ifeq ($(LIVE),1)
	@$(BIN)/python -m tools.live_recording $(ARGUMENTS)
else
	@RECORD_CASSETTES=1 $(BIN)/python -m pytest -q -m vcr
endif

.PHONY: docs
docs: $(READY)  ## Build the documentation into site/; a broken link is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "Open site/index.html"

.PHONY: wheel-check
wheel-check: $(READY)  ## Build the wheel and try it with each extra alone in empty environments
	@$(BIN)/python tools/wheel_check.py $(PYTHONS)

.PHONY: soak
soak: $(READY)  ## Launch 500 instances from 4 processes that are killed at random, on one ledger
	@SOAK_LAUNCHES=500 $(BIN)/python -m pytest -q -s tests/core/test_spend_soak.py

.PHONY: mcp-clients
mcp-clients: $(READY)  ## Try the MCP server with its clients (installs them in environments of their own)
	@$(BIN)/python -m tools.mcp_clients

.PHONY: bench
bench: $(READY)  ## Measure against the peers (installs them in an environment of their own)
	@$(BIN)/python -m benchmarks
	@$(BIN)/python -m benchmarks.load

.PHONY: clean
clean:  ## Remove what was built
	rm -rf $(VENV) build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage demo-output
