# Everything runs in .venv, made here from constraints.txt; nothing else is needed but Python 3.11+.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: help install demo test soak lint format bench clean

help:  ## say what there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

install: $(STAMP)  ## make .venv with the pinned dependencies

$(STAMP): pyproject.toml constraints.txt backend/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --group dev -e '.[app,embedded]'
	cd backend && ../$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

demo: $(STAMP)  ## move 100,000 parties from an embedded PostgreSQL to SQLite and compare the answers
	$(BIN)/liteshift demo

test: $(STAMP)  ## all tests but the long ones
	$(BIN)/python -m pytest -n 2 --dist loadfile -m 'not soak'

soak: $(STAMP)  ## the long tests
	$(BIN)/python -m pytest -m soak

lint: $(STAMP)  ## ruff, mypy --strict, the house's floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src tests benchmarks
	cd backend && ../$(BIN)/mypy app scripts tests
	$(BIN)/lint-imports

format: $(STAMP)  ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## the benchmarks; the figures go to benchmarks/results
	$(BIN)/liteshift bench --json | tail -n 1 | $(BIN)/python -m json.tool > benchmarks/results/bench.json
	$(BIN)/python benchmarks/migrate_parties.py

clean:  ## remove what was made here
	rm -rf .venv demo dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
