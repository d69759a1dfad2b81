# `make demo` and `make test` need git, make and Python 3.11 to 3.13, nothing else. `make check` is what must pass.
SHELL := /bin/sh
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,$(shell \
	$(p) -c 'import sys; print("$(p)" if (3, 11) <= sys.version_info < (3, 14) else "")' 2>/dev/null)))
UV := $(or $(shell command -v uv 2>/dev/null),.uv/bin/uv)
RUN := .venv/bin/
export UV_PYTHON_DOWNLOADS := never
unexport PYTHONDONTWRITEBYTECODE  # the tests start many children: none should compile its imports anew

.PHONY: help env demo test check format docs bench lock clean

help:
	@echo 'make demo    the whole way on three small films, in ./mhmd-demo'
	@echo 'make test    the default tests'
	@echo 'make check   format, lint, types, layers, generated docs, all tests that need no GPU'
	@echo 'make format  mend what can be mended by itself'
	@echo 'make docs    write the generated pages'
	@echo 'make bench   the benchmarks; BENCH_ARGS is passed on'
	@echo 'make lock    resolve requirements.lock anew from pyproject.toml'

env: .venv/.synced

.uv/bin/uv:
	@test -n '$(PYTHON)' || { echo 'found no Python 3.11 to 3.13 on PATH; install one, or name it: make PYTHON=...'; exit 1; }
	@$(PYTHON) -m venv .uv && .uv/bin/python -m pip install -q uv || $(PYTHON) -m pip install -q --target .uv uv || \
		{ echo 'could not get uv: $(PYTHON) has neither venv nor pip; on Debian: apt install python3-venv'; exit 1; }

.venv/.synced: requirements.lock pyproject.toml | $(UV)
	@test -n '$(PYTHON)' || { echo 'found no Python 3.11 to 3.13 on PATH; install one, or name it: make PYTHON=...'; exit 1; }
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	$(UV) pip sync --quiet --python .venv/bin/python --require-hashes requirements.lock
	$(UV) pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: env
	$(RUN)mhmd demo mhmd-demo

test: env
	$(RUN)pytest

check: env
	$(RUN)ruff format --check .
	$(RUN)ruff check .
	$(RUN)mypy
	$(RUN)lint-imports
	$(RUN)python docs/generate.py --check
	$(RUN)pytest -m 'not gpu and not browser'

format: env
	$(RUN)ruff format .
	$(RUN)ruff check --fix .

docs: env
	$(RUN)python docs/generate.py

bench: env
	$(RUN)python -m tests.bench $(BENCH_ARGS)

lock: | $(UV)
	$(UV) pip compile pyproject.toml --universal --generate-hashes --all-extras --group dev --no-header \
		--no-emit-index-url --quiet --output-file requirements.lock

clean:
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache .hypothesis mhmd-demo
