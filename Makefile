# Everything below .venv is made from constraints.txt and pyproject.toml; nothing else on the machine is changed.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
BROWSER := $(VENV)/browser
PACKAGE := build/package
S3_SERVER := build/s3-server
TO ?= s3://BUCKET/pmpm
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# The versions and hashes of constraints.txt and nothing else: no package is built with what an index offers today.
PINNED := --require-hashes --no-deps --no-build-isolation

# Two processes, which share one Spark (tests/connect_server.py); the tests of a file share what it sets up.
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

PIN := uv pip compile --generate-hashes --upgrade --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
    --no-config --no-header --no-annotate --no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help venv demo check test prove bench bench-skew lint browser docs build package constraints clean test-s3 test-matrix test-version test-cluster
.DELETE_ON_ERROR:

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

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
	$(PYTEST) --engine embedded -m "not long"

test: lint browser ## lint, types, import direction, then all tests on the embedded engine, then on Spark
	$(PYTEST) --engine embedded
	$(PYTEST) --engine spark

test-cluster: $(READY) ## the jobs on a standalone cluster of this machine that loses executors and drivers (KILLS=20 SEED=1): an hour or more
	$(BIN)/python -m tests.cluster $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED))

prove: $(READY) ## every table equal on both engines, over many inputs and policies (PART=3/8: a part of them)
	$(BIN)/python -m tests.prove $(if $(PART),--part $(PART))

test-s3: $(READY) $(S3_SERVER)/ready ## the whole job with input and tables in a bucket of a local S3 server, beside a folder (MEMBERS=200)
	$(BIN)/python -m tests.s3 --server $(S3_SERVER)/bin/moto_server $(if $(MEMBERS),--members $(MEMBERS))

$(S3_SERVER)/ready: tests/s3/requirements.txt
	@$(PYTHON) -m venv $(S3_SERVER)
	@$(S3_SERVER)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --no-deps -r $<
	@touch $@

test-matrix: $(READY) ## the demo and the Spark half of the tests on Spark 3.5, 4.0, 4.1 and 4.2 (VERSIONS="3.5 4.2" TESTS="tests/test_store.py" MEMBERS=0: no demo)
	$(BIN)/python -m tests.versions $(if $(VERSIONS),--versions $(VERSIONS)) $(if $(MEMBERS),--members $(MEMBERS)) -- $(TESTS)

test-version: $(READY) ## the same on one version beside the default, another with each commit (TESTS=...)
	$(BIN)/python -m tests.versions --commits $$(git rev-list --count HEAD 2>/dev/null || echo 0) $(if $(MEMBERS),--members $(MEMBERS)) -- $(TESTS)

bench: $(READY) ## our job beside DuckDB, Polars and plain PySpark (SIZES="50000 200000" ONLY="duckdb spark" REPEATS=3), to docs/benchmarks.md
	$(BIN)/python -m benchmarks.bench $(if $(SIZES),--sizes $(SIZES)) $(if $(ONLY),--only $(ONLY)) $(if $(REPEATS),--repeats $(REPEATS))

bench-skew: $(READY) ## our job on Spark over odd shapes: whether a task has far more to do than others (MEMBERS=3000 SHAPES="large_member")
	$(BIN)/python -m benchmarks.skew $(if $(MEMBERS),--members $(MEMBERS)) $(if $(SHAPES),--shapes $(SHAPES))

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

constraints: ## write constraints.txt and the S3 server's requirements anew (needs uv)
	@head -2 constraints.txt > constraints.new
	@$(PIN) pyproject.toml --extra local --extra embedded --extra report --extra dev >> constraints.new
	@mv constraints.new constraints.txt
	@$(PIN) tests/s3/requirements.in > tests/s3/requirements.new
	@mv tests/s3/requirements.new tests/s3/requirements.txt

clean: ## remove what the other targets make
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
