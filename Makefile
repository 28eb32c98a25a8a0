# Everything here needs Python 3.11 or newer and make, nothing else: the rest is installed into .venv.
#   make demo PYTHON=python3.12      another interpreter (for a fresh .venv)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TOO_OLD := the Python to use is too old or lacks venv: give another one, e.g. make $(MAKECMDGOALS) PYTHON=python3.12

# A local wheel folder or another index, if pip was given one: uv reads variables of its own.
ifdef PIP_FIND_LINKS
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
endif
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif

# Compiled kernels are kept between runs, where `rm -rf .venv` takes them along.
export NUMBA_CACHE_DIR ?= $(CURDIR)/$(VENV)/numba

INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt \
           --build-constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test check docs bench nightly fix lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.core ## the main job on real data: sweep, verdict, report
	@$(BIN)/grn demo

test: $(VENV)/.dev ## every test that CI runs
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: $(VENV)/.dev docs ## lint, format, types, import contracts, documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.dev ## build the documentation, warnings are errors
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

bench: $(VENV)/.dev ## sweeps and bars against their peers, equal numbers first, then the clock
	$(BIN)/python -m benchmarks.sweep
	$(BIN)/python -m benchmarks.trades
	$(BIN)/python -m benchmarks.hot_path
	$(BIN)/python -m benchmarks.published_bars
	$(BIN)/python -m benchmarks.validate
	$(BIN)/python -m benchmarks.ask

nightly: $(VENV)/.dev ## the same tests with thousands of generated cases
	GRN_NIGHTLY=1 $(BIN)/python -m pytest -n 2 --dist worksteal

fix: $(VENV)/.dev ## mend what can be mended without thinking: lint, format, generated pages
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python docs/generate.py

lock: $(VENV)/.uv ## resolve constraints.txt anew
	sed -n '/^#/p; /^[^#]/q' constraints.txt > constraints.new
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --upgrade \
	    --no-annotate --no-header --no-emit-find-links --no-emit-index-url pyproject.toml >> constraints.new
	mv constraints.new constraints.txt

clean: ## remove what can be made again, .venv excepted
	rm -rf build dist docs/_build grn-demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests benchmarks docs examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# Stamps: an install is repeated only when what it depends on has changed.
$(VENV)/.uv:
	@$(PYTHON) -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' || { echo "$(TOO_OLD)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	@touch $@

$(VENV)/.core: pyproject.toml constraints.txt | $(VENV)/.uv
	@echo "installing into $(VENV) (once)" >&2
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/.uv
	@echo "installing into $(VENV), with what the checks need (once)" >&2
	@$(INSTALL) --editable '.[dev,peers,samples]'
	@$(INSTALL) --editable '.[train]' || echo "not installed: the extra train, whose tests are skipped" >&2
	@pkg-config --exists cairo pangocairo 2>/dev/null && $(INSTALL) --editable '.[film]' \
	    || echo "not installed: the extra film, whose tests are skipped" >&2
	@touch $(VENV)/.core $@
