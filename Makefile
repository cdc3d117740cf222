# Every target makes .venv ready by itself; the first run installs, later ones take a moment.
PYTHON ?= python3
VENV := .venv/bin
# Others may be using the machine: `make test WORKERS=4`, or 0 for one process.
WORKERS ?= 2
# One of them: make bench BENCH=ingest ARGS="--seconds 20 --json"
BENCH ?= all

# A plant is many Python processes: without kept byte code each compiles every module that it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev setup-later demo up test check bench lock messages clean

help:
	@echo "make setup   make .venv ready"
	@echo "make demo    the demo plant in your browser (Ctrl-C stops it)"
	@echo "make up      your own plant, empty at first"
	@echo "make test    all tests, with real engines"
	@echo "make check   format, lint, types, import contracts, message catalogues"
	@echo "make bench   measure ingest, latency, queries and losses"
	@echo "make lock    write the lock files anew"

setup:
	@$(PYTHON) tools/bootstrap.py

setup-dev:
	@$(PYTHON) tools/bootstrap.py --dev

setup-later:
	@$(PYTHON) tools/bootstrap.py --later

demo: setup-later
	@$(VENV)/yuheng up --demo $(ARGS)

up: setup-later
	@$(VENV)/yuheng up $(ARGS)

test: setup-dev
	@$(VENV)/python -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

check: setup-dev
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy
	$(VENV)/lint-imports
	$(VENV)/python tools/messages.py --check
	$(VENV)/python tools/vendor.py --check

bench: setup-dev
	@$(VENV)/yuheng bench $(BENCH) $(ARGS)

lock: setup-dev
	$(VENV)/uv pip compile pyproject.toml --extra build --upgrade --generate-hashes --universal --python-version 3.11 \
	  --no-emit-index-url --no-header --quiet -o requirements.lock
	$(VENV)/uv pip compile pyproject.toml --extra build --extra dev -c requirements.lock --generate-hashes --universal \
	  --python-version 3.11 --no-emit-index-url --no-header --quiet -o requirements-dev.lock

messages: setup-dev
	$(VENV)/python tools/messages.py
	$(VENV)/python tools/compile_messages.py

clean:
	rm -rf .venv .mypy_cache .ruff_cache .hypothesis .import_linter_cache
