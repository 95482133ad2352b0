# The task runner. Works with GNU make 3.81 (macOS) and later.
# `make run HOST=… PORT=… ARGS="…"` passes on what is given; PYTHON=… chooses the interpreter of a new .venv.

BIN := .venv/bin

# Some shells export HOST as the machine's own name, so only the command line sets it.
HOST =
PORT ?=
ARGS ?=

# Tests start hundreds of processes: each module is compiled once, and not by each of them.
unexport PYTHONDONTWRITEBYTECODE

# A test that fails is tried once more, and named at the end if that passes.
TRIES := --reruns 1 -raR

# Most tests wait more than they work, so two cores have work for more workers. A worker of the unit tests takes a file at
# a time. A worker of the browser tests that has run out of tests takes some of another's.
UNIT_WORKERS := --numprocesses 3 --dist loadfile --no-loadscope-reorder
E2E_WORKERS := --numprocesses 4 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help run test quick lint types unit e2e soak chaos schemathesis bench screenshots format venv browser lock wheel sbom container clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: venv ## the server with its demo, on http://127.0.0.1:8000 (HOST=, PORT=)
	@exec $(BIN)/signalbox serve --demo $(if $(HOST),--host $(HOST)) $(if $(PORT),--port $(PORT)) $(ARGS)

test: lint types unit e2e ## everything that must be green

quick: venv ## unit and API tests that start no programs of their own
	$(BIN)/pytest tests -m "not soak and not programs" $(UNIT_WORKERS) $(TRIES) $(ARGS)

lint: venv ## style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: venv ## the strict type check
	$(BIN)/mypy

unit: venv ## unit, API and contract tests, and those of the bench
	$(BIN)/pytest tests bench $(UNIT_WORKERS) $(TRIES) $(ARGS)

e2e: venv browser ## browser tests
	$(BIN)/pytest e2e $(E2E_WORKERS) $(TRIES) $(ARGS)

soak: venv browser ## the minutes-long tests
	$(BIN)/pytest -m soak -o faulthandler_timeout=0 $(ARGS)

chaos: venv browser ## 2,000 random faults, and after each a check of everything (ARGS="--seed 7 --faults 250")
	@$(BIN)/python -m e2e.chaos $(ARGS)

schemathesis: venv ## every route against the OpenAPI document, with thousands of requests (ARGS="--seed 7")
	@$(BIN)/python -m scripts.schemathesis $(ARGS)

bench: venv browser ## what it costs, as a table (ARGS="--against REV" beside another version)
	$(BIN)/python -m bench $(ARGS)

screenshots: venv browser ## the pictures of the docs, taken from the real app
	@$(BIN)/python -m scripts.screenshots

format: venv ## put the code into the style that lint asks for
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

venv: ## .venv with the locked dependencies (nothing to do when it is current)
	@scripts/make_venv .venv

browser: venv ## a Chromium for the browser tests (nothing to do when one is there)
	@$(BIN)/python -m scripts.install_browser

lock: venv ## requirements.lock again from pyproject.toml (ARGS=--upgrade for newer versions)
	@scripts/lock $(ARGS)

wheel: venv ## the source distribution and the wheel, into dist/
	@$(BIN)/python -m pip --disable-pip-version-check --quiet install 'uv>=0.9'
	@$(BIN)/uv build --quiet --out-dir dist .
	@ls dist

sbom: venv ## what an installation consists of, with licences (CycloneDX, dist/sbom.cdx.json)
	@scripts/sbom

container: venv ## the steps of the Containerfile in an empty folder, without a container engine
	@folder=$$(mktemp -d) && $(BIN)/python -m scripts.container_steps "$$folder"; code=$$?; rm -rf "$$folder"; exit $$code

clean: ## remove what make made
	rm -rf .venv .venv-schemathesis build dist test-results *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
