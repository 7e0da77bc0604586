# Every target makes its own .venv when it is missing: `make demo` and `make test` work alone on a fresh clone.
PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -n auto --dist worksteal

.PHONY: demo test test-slow faults fuzz coverage lint docs release format clean

demo: .venv/installed
	$(BIN)/rmae pretrain demo

test: .venv/installed-dev
	$(PYTEST)

test-slow: .venv/installed-dev
	$(PYTEST) -m "slow or browser"

# What is done stays done in benchmarks/fuzz.json: `make fuzz SECONDS=500` does a piece, and the next call goes on.
fuzz: .venv/installed-dev
	PYTHONPATH=tests OMP_NUM_THREADS=1 $(BIN)/python -m fuzz $(if $(SECONDS),--seconds $(SECONDS))

# Piece after piece; interrupted, the same call goes on. STOP_AFTER=9 ends after about nine minutes, with an error where
# there is more to do.
faults: .venv/installed-dev
	$(BIN)/python benchmarks/faults/campaign.py $(if $(STOP_AFTER),--stop-after $(STOP_AFTER))

# Which lines of src/ the fast tests do not run. What numba compiled cannot be seen. A few tests fail, which limit files or
# count processes: measuring writes files and watches processes itself.
coverage: .venv/installed-dev
	$(BIN)/coverage erase
	-$(BIN)/coverage run -m pytest -n auto --dist worksteal
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report > benchmarks/coverage.txt

lint: .venv/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

docs: .venv/installed-docs
	$(BIN)/mkdocs build --strict

# Builds wheel and source distribution, and runs the fast tests on the wheel in a new environment. LOWEST=1 takes the
# oldest torch, torchvision and timm that are promised.
release: .venv/installed-dev
	$(BIN)/python benchmarks/release.py --json benchmarks/release.json $(if $(LOWEST),--lowest)

format: .venv/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv site

.venv/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

.venv/installed-docs: .venv/installed
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	touch $@
