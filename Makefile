# Everything runs in .venv, made here from constraints.txt; nothing else is needed but Python 3.11+.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
NATIVE := .venv/.native
CRATE := native/Cargo.toml native/Cargo.lock native/pyproject.toml $(wildcard native/src/*.rs)

# The commands that the tests type start Python hundreds of times: half of each start is compiling, unless it may be kept.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install native demo test soak oracle lint format bench bench-copy bench-follow clean

help:  ## say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP) $(NATIVE)  ## make .venv with the pinned dependencies, and the native core where cargo is there

native: $(NATIVE)  ## build and install the native core

$(STAMP): pyproject.toml constraints.txt backend/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --group dev -e '.[app,embedded]'
	cd backend && ../$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

# All works without the native core, so without cargo, or where it can't be built, we go on.
$(NATIVE): $(STAMP) $(CRATE)
	@if ! command -v cargo >/dev/null; then echo "no cargo here: liteshift does without its native core"; \
	elif $(BIN)/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps ./native; then touch $@; \
	else echo "the native core can't be built here: liteshift does without it"; fi

demo: $(STAMP)  ## move a service under load from an embedded PostgreSQL to SQLite, back, and there again
	$(BIN)/liteshift demo

test: $(STAMP) $(NATIVE)  ## all tests but the long ones
	@if command -v cargo >/dev/null; then cd native && cargo test --quiet; fi
	$(BIN)/python -m pytest -n 3 --dist loadfile -m 'not soak' tests
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m 'not soak' backend/tests

soak: $(STAMP)  ## the long tests
	$(BIN)/python -m pytest -m soak tests
	LITESHIFT_TIMES=50 $(BIN)/python -m pytest -n 2 --timeout 3600 tests/native/test_builder.py tests/sqlite/test_capture_property.py

oracle: $(STAMP) $(NATIVE)  ## 100,000 generated values of all types there and back, counted type by type
	$(BIN)/python -m pytest -q -m soak tests/oracle -k many

lint: $(STAMP)  ## ruff, mypy --strict, the house's floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src tests benchmarks
	cd backend && ../$(BIN)/mypy app scripts tests
	$(BIN)/lint-imports
	@if command -v cargo >/dev/null; then cd native && cargo fmt --check && cargo clippy --quiet --all-targets --features python -- -D warnings; fi

format: $(STAMP)  ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## the benchmarks; the figures go to benchmarks/results
	$(BIN)/liteshift bench --json | tail -n 1 | $(BIN)/python -m json.tool > benchmarks/results/bench.json
	$(BIN)/python benchmarks/migrate_parties.py

bench-copy: $(STAMP) $(NATIVE)  ## the copy against the floor and against other tools: about an hour; may be stopped, and goes on
	$(BIN)/python benchmarks/copy.py --install

bench-follow: $(STAMP) $(NATIVE)  ## how fast a file follows its source, against pg_recvlogical: some ten minutes
	$(BIN)/python benchmarks/follow.py

clean:  ## remove what was made here
	rm -rf .venv .venv-bench .benchmarks demo dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
