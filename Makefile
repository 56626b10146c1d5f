# All tasks of developers and CI; PYTHON may name any interpreter from 3.11 to 3.13.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: help demo test check docs bench clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

# Each stamp file records an installation, so that nothing is installed twice.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 14) else f"error: Python 3.11 to 3.13 is needed, this is {v.major}.{v.minor}\n\nhint: make $(MAKECMDGOALS) PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(VENV)/.installed  ## install, then fetch, train, predict and plot the shipped AAPL sample
	$(BIN)/lstm-stock demo

# One worker more than cores: a fifth of the time, tests wait for processes that they started.
test: $(VENV)/.installed-dev  ## run the tests
	$(BIN)/python -m pytest -n $$($(BIN)/python -c 'import os; print(min(os.cpu_count() + 1, 4))') --dist worksteal --cov --cov-report=term --cov-fail-under=90

check: $(VENV)/.installed-dev  ## formatting, lint, types, architecture, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.installed-dev  ## regenerate the CLI reference, the schema and the configs
	$(BIN)/python docs/generate.py

bench: $(VENV)/.installed-dev  ## measure memory, speed, and how often the verdict is wrong
	$(BIN)/python benchmarks/dataset_memory.py
	$(BIN)/python benchmarks/price_reading.py
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/cold_start.py
	$(BIN)/python benchmarks/epoch.py
	$(BIN)/python benchmarks/fetch_speed.py
	$(BIN)/python benchmarks/fetch_kill.py
	OPENBLAS_NUM_THREADS=1 $(BIN)/python benchmarks/verdict_size_power.py 100
	$(BIN)/python benchmarks/garch_panel.py
	$(BIN)/python benchmarks/backtest_jobs.py
	$(BIN)/python benchmarks/many_tickers.py

clean:  ## remove the virtual environment and caches, but neither data nor runs
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
