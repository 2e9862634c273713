# Everything below .venv is made from constraints.txt and pyproject.toml; nothing else on the machine is changed.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
BROWSER := $(VENV)/browser
PACKAGE := build/package
TO ?= s3://BUCKET/pmpm
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# The versions and hashes of constraints.txt and nothing else: no package is built with what an index offers today.
PINNED := --require-hashes --no-deps --no-build-isolation

# Two processes, which share one Spark (tests/connect_server.py); the tests of a file share what it sets up.
TESTS := $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help venv demo check test prove bench lint browser docs build package constraints clean
.DELETE_ON_ERROR:

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

venv: $(READY) ## prepare .venv (then: .venv/bin/pmpm)

$(READY): constraints.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is not on the PATH: install Python 3.11, or make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@echo "preparing $(VENV): some 600 MB of packages the first time, a few minutes"
	@$(PYTHON) -m venv $(VENV) || { echo "error: $(PYTHON) cannot make a virtual environment (Debian, Ubuntu: apt-get install python3.11-venv)" >&2; exit 2; }
	@awk '/^(setuptools|wheel)==/{on=1} on; !/\\$$/{on=0}' constraints.txt > $(VENV)/build-tools.txt
	@$(PIP) install $(PINNED) -r $(VENV)/build-tools.txt
	@$(PIP) install $(PINNED) -r constraints.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY) ## the whole job on sample data in the real format, then where its result is (ENGINE=spark: on Spark)
	$(BIN)/pmpm demo $(if $(ENGINE),--engine $(ENGINE))

check: lint ## lint, types, import direction, then all but the long tests on the embedded engine: a minute
	$(TESTS) --engine embedded -m "not long"

test: lint browser ## lint, types, import direction, then all tests on the embedded engine, then on Spark
	$(TESTS) --engine embedded
	$(TESTS) --engine spark

prove: $(READY) ## every table equal on both engines, over many inputs and policies (PART=3/8: a part of them)
	$(BIN)/python -m tests.prove $(if $(PART),--part $(PART))

bench: $(READY) ## our job beside DuckDB, Polars and plain PySpark (SIZES="50000 200000" ONLY="duckdb spark" REPEATS=3), to docs/benchmarks.md
	$(BIN)/python -m benchmarks.bench $(if $(SIZES),--sizes $(SIZES)) $(if $(ONLY),--only $(ONLY)) $(if $(REPEATS),--repeats $(REPEATS))

lint: $(READY) ## ruff, mypy and the import contracts
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

browser: $(BROWSER)/ready ## the Chromium that reads the report in tests (needs npm; without it those tests are left out)

$(BROWSER)/ready: tests/chromium/package-lock.json tests/chromium/unpack.mjs $(READY)
	@mkdir -p $(BROWSER)
	@cp tests/chromium/* $(BROWSER)
	@cd $(BROWSER) && npm ci --ignore-scripts --no-audit --no-fund --silent && TMPDIR="$$PWD" node unpack.mjs >/dev/null \
	&& touch ready || echo "npm brought no Chromium: the tests that read the report in a browser are left out"

docs: $(READY) ## write the data dictionary and the lineage diagram anew, from contracts and stages
	$(BIN)/pmpm tables --write docs

build: $(READY) ## the wheel and the source archive, in dist
	$(BIN)/python -m build --no-isolation

package: $(READY) ## what EMR reads from a bucket, in build/package (TO=s3://bucket/folder: where it will be uploaded to)
	@rm -rf $(PACKAGE)
	@$(BIN)/python -m build --no-isolation --wheel --outdir $(PACKAGE) >/dev/null
	@$(BIN)/python deploy/package.py $(PACKAGE) $(TO)
	@echo "$(PACKAGE) is ready: aws s3 cp --recursive $(PACKAGE) $(TO)"

constraints: ## write constraints.txt anew (needs uv)
	@head -2 constraints.txt > constraints.new
	@uv pip compile pyproject.toml --extra local --extra embedded --extra report --extra dev --generate-hashes --upgrade --quiet \
	    --python-version 3.11 --python-platform x86_64-manylinux_2_28 --no-config --no-header --no-annotate \
	    --no-emit-index-url --no-emit-find-links >> constraints.new
	@mv constraints.new constraints.txt

clean: ## remove what the other targets make
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
