# The task runner. Works with GNU make 3.81 (macOS) and later.
# `make run HOST=… PORT=… ARGS="…"` passes these to the server; PYTHON=… chooses the interpreter of a new .venv.

BIN := .venv/bin

# Some shells export HOST as the name of the machine, so it is taken from the command line only.
HOST =
PORT ?=
ARGS ?=

# Tests start hundreds of processes, so compiled modules are kept on disk instead of being compiled by each process.
unexport PYTHONDONTWRITEBYTECODE

# A failing test runs once more; the summary names it if the second run passes.
TRIES := --reruns 1 -raR

# Tests wait part of the time, so two cores can serve more than two workers. A worker takes one file at a time; in `make e2e`,
# a worker that has no tests left takes some from another one.
WORKERS := --numprocesses 4 --dist loadfile --no-loadscope-reorder
UNIT_WORKERS := --numprocesses 3 --dist loadfile --no-loadscope-reorder
E2E_WORKERS := --numprocesses 4 --dist worksteal

# In a new clone, each worker would compile all tests, for a quarter of a minute. This does it once.
COMPILE := [ -d tests/support/__pycache__ ] || $(BIN)/pytest --collect-only -q >/dev/null 2>&1 || true

.DEFAULT_GOAL := help
.PHONY: help run test long quick lint types unit e2e browsers soak soak-cold soak-year chaos fleet integrations schemathesis bench screenshots format venv browser lock wheel sbom container clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: venv ## start the server with its demo, on http://127.0.0.1:8000 (HOST=, PORT=)
	@exec $(BIN)/signalbox serve --demo $(if $(HOST),--host $(HOST)) $(if $(PORT),--port $(PORT)) $(ARGS)

# All tests share one pool: no core is idle at the end of the first part. The browser tests come last.
# mypy uses one core, for a minute without its cache, so it runs beside the tests. Its report comes after theirs.
test: lint browser ## run the checks that belong to every change
	@report=$$(mktemp); $(BIN)/mypy >"$$report" 2>&1 & types=$$!; trap 'kill $$types' INT TERM; \
	$(COMPILE); echo $(BIN)/pytest $(WORKERS) $(TRIES) $(ARGS); $(BIN)/pytest $(WORKERS) $(TRIES) $(ARGS); tests=$$?; \
	wait $$types; types=$$?; echo $(BIN)/mypy; cat "$$report"; rm -f "$$report"; exit $$((tests ? tests : types))

# These are fewer than a tenth of the tests and take as long as all others.
long: venv browser ## run the tests that `make test` leaves out because each takes long; the hosted check runs both
	@$(COMPILE)
	$(BIN)/pytest -m "long and not soak and not browsers" $(WORKERS) $(TRIES) $(ARGS)

quick: venv ## run the unit and API tests that start no programs and are not long
	@$(COMPILE)
	$(BIN)/pytest tests -m "not soak and not browsers and not programs and not long" $(UNIT_WORKERS) $(TRIES) $(ARGS)

lint: venv ## check style and format with ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: venv ## check types with mypy in strict mode
	$(BIN)/mypy

unit: venv ## run the tests without a browser
	@$(COMPILE)
	$(BIN)/pytest tests bench $(UNIT_WORKERS) $(TRIES) $(ARGS)

e2e: venv browser ## run the browser tests
	@$(COMPILE)
	$(BIN)/pytest e2e $(E2E_WORKERS) $(TRIES) $(ARGS)

soak: venv browser ## run the tests that take minutes
	SIGNALBOX_TEST_EXAMPLES=10 $(BIN)/pytest -m 'soak or examples' -o faulthandler_timeout=0 $(ARGS)

soak-year: venv ## live through a year of a small team with retention, in minutes (ARGS="--runs 250 --events 500000")
	@$(BIN)/python -m bench.year $(ARGS)

soak-cold: venv ## kill 100 processes that move tasks, and 100 that delete them, for each kind of store
	$(BIN)/pytest -m soak -o faulthandler_timeout=0 -s tests/store/cold/test_killed_cold_moves.py tests/store/cold/test_killed_deletions.py $(ARGS)

browsers: venv ## run the core flows in Firefox and WebKit (Debian: firefox-esr, webkit2gtk-driver, xvfb)
	$(BIN)/pytest -m browsers e2e/browsers $(ARGS)

chaos: venv browser ## inject 2,000 random faults and check everything after each (ARGS="--seed 7 --faults 250")
	@$(BIN)/python -m e2e.chaos $(ARGS)

fleet: venv browser ## kill parts of three processes with PostgreSQL and Redis, with 300 viewers (ARGS="--seed 7 --seconds 60")
	@$(BIN)/python -m e2e.fleet $(ARGS)

integrations: venv ## test the integrations with the real libraries (ARGS=light for one folder of tests/libraries)
	@scripts/integrations $(ARGS)

schemathesis: venv ## test every route against the OpenAPI document (ARGS="--seed 7")
	@$(BIN)/python -m scripts.schemathesis $(ARGS)

bench: venv browser ## measure, and print a table (ARGS="--against REV" compares with another version)
	$(BIN)/python -m bench $(ARGS)

screenshots: venv browser ## take the pictures of the docs from the real app
	@$(BIN)/python -m scripts.screenshots

format: venv ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

venv: ## create .venv with the locked dependencies, if it is missing or old
	@scripts/make_venv .venv

browser: venv ## install a Chromium for the browser tests, if there is none
	@$(BIN)/python -m scripts.install_browser

lock: venv ## update requirements.lock from pyproject.toml (ARGS=--upgrade for newer versions)
	@scripts/lock $(ARGS)

wheel: venv ## build the source distribution and the wheel into dist/
	@$(BIN)/python -m pip --disable-pip-version-check --quiet install 'uv>=0.9'
	@$(BIN)/uv build --quiet --out-dir dist .
	@ls dist

sbom: venv ## write a bill of materials with licences (CycloneDX, dist/sbom.cdx.json)
	@scripts/sbom

container: venv ## perform the steps of the Containerfile without a container engine
	@folder=$$(mktemp -d) && $(BIN)/python -m scripts.container_steps "$$folder"; code=$$?; rm -rf "$$folder"; exit $$code

clean: ## remove everything that make created
	rm -rf .venv .venv-schemathesis .schemathesis build dist test-results *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
