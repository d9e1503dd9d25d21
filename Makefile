# Needs make and Python 3.11 or newer; targets of the frontend also need Node 20.19 or newer. Everything else is
# installed into .venv and node_modules and verified by hash. Paths below are relative: a target's name cannot contain a
# space.
.DEFAULT_GOAL := help

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready

# uv uses the certificates of this machine and never downloads a Python.
export UV_SYSTEM_CERTS ?= 1
export UV_PYTHON_DOWNLOADS := never
export UV_NO_PROGRESS := 1
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps
ALONE := $(VENV)/alone
INSTALL_ALONE := $(BIN)/uv pip install --quiet --python $(ALONE)/bin/python --no-deps
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
           --no-header --no-annotate

# What the unit tests must cover; measured only there, because measuring takes half as much time again.
# Tests run in several processes (pytest-xdist): those that use servers wait more than they compute.
COVERED := --cov=domain --cov=application --cov=adapters.tokens --cov-branch --cov-fail-under=95

# The frontend's installation and build, together with the client that it uses: one npm workspace.
MODULES := node_modules/.ready
BUILT := frontend/.next/standalone/frontend/server.js
WEB_SOURCES := $(shell find frontend/src clients/typescript/src -type f -not -name "*.test.ts" 2>/dev/null) \
               frontend/next.config.ts frontend/tsconfig.json frontend/scripts/complete-standalone.mjs
export NEXT_TELEMETRY_DISABLED := 1
# The lock file has versions and hashes, and no addresses: so not the links of the workspaces either, which "npm ci" needs.
NPM_INSTALL := npm install --no-save --loglevel=error --ignore-scripts
UNLINK := const fs = require("fs"), lock = JSON.parse(fs.readFileSync("package-lock.json")); \
          for (const [place, { link }] of Object.entries(lock.packages)) if (link) delete lock.packages[place]; \
          fs.writeFileSync("package-lock.json", JSON.stringify(lock, null, 2) + "\n")

.PHONY: help
help: ## list the targets
	@echo 'make TARGET [ARGS="..."] [PYTHON=python3.13]'
	@sed -n 's/^\([a-z][a-z0-9-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-10s %s\n", $$1, $$2 }'

.PHONY: run
run: $(READY)/run ## serve on this machine, without any set-up
	@exec $(BIN)/evo-todo dev $(ARGS)

.PHONY: install
install: $(READY)/run ## install the service alone, as .venv/bin/evo-todo
	@echo 'Installed: $(BIN)/evo-todo. Next: $(BIN)/evo-todo migrate, then $(BIN)/evo-todo serve (docs/tutorial.md).'

.PHONY: web
web: $(READY)/run $(BUILT) ## serve the frontend and the API on this machine, without any set-up
	@exec node frontend/scripts/together.mjs $(BIN)/evo-todo

.PHONY: test
test: $(READY)/test ## run all tests; ARGS="-k title" selects
ifdef ARGS
	$(BIN)/python -m pytest $(ARGS)
else
	$(BIN)/python -m pytest tests/unit $(COVERED) -n 2 --dist worksteal
	$(BIN)/python -m pytest tests/integration tests/security -n 4 --dist worksteal
endif

.PHONY: e2e
e2e: $(READY)/e2e $(BUILT) ## test the frontend: units, real tokens, a real browser; ARGS="-k title" selects
	npm run --silent check
	$(BIN)/python -m pytest $(or $(ARGS),tests/interop tests/e2e)

.PHONY: compat
compat: $(READY)/e2e $(BUILT) ## test the frontend with the newest Better Auth 1.x and Next, in a copy; ARGS="better-auth@1.7.20"
	$(BIN)/python -m tests.interop.newest $(ARGS)

.PHONY: lint
lint: $(READY)/dev audit ## check style, types, the direction of imports, and known vulnerabilities
	$(BIN)/ruff check src tests benchmarks docs clients/python
	$(BIN)/ruff format --check src tests benchmarks docs clients/python
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: audit
audit: $(READY)/dev ## check the run-time dependencies for known vulnerabilities
	$(BIN)/pip-audit --requirement requirements/tracing.txt --no-deps --disable-pip --progress-spinner off

.PHONY: format
format: $(READY)/dev ## format the sources
	$(BIN)/ruff check --fix-only --quiet src tests benchmarks docs clients/python
	$(BIN)/ruff format src tests benchmarks docs clients/python
	if [ -e $(MODULES) ]; then npm run --silent format; fi

.PHONY: openapi
openapi: $(READY)/run $(MODULES) ## write the OpenAPI document to contracts/, and what is generated from it
	$(BIN)/evo-todo openapi --output contracts/api-contract.openapi.json
	$(BIN)/python -m tests.support.bruno
	npm run --silent schema --workspace clients/typescript

.PHONY: docs
docs: $(READY)/docs ## build the documentation, with search, for reading without a network: site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict $(ARGS)
	@echo 'Open site/index.html'

.PHONY: dist
dist: $(READY)/dev ## build the packages and their bill of materials (CycloneDX) in dist/
	rm -rf dist
	$(BIN)/hatchling build --directory dist
	cd clients/python && ../../$(BIN)/hatchling build --directory ../../dist
	$(BIN)/pip-audit --requirement requirements/run.txt --no-deps --disable-pip --progress-spinner off \
	    --format cyclonedx-json --output dist/evo-todo.cdx.json
	@grep -q '"components"' dist/evo-todo.cdx.json || \
	    { echo 'pip-audit found no packages: the package index could not be reached' >&2; exit 1; }

.PHONY: mutants
mutants: $(READY)/dev ## mutate src and list the mutants that the tests miss
	$(BIN)/mutmut run $(ARGS)

.PHONY: bench
bench: $(READY)/bench $(READY)/alone ## compare with peers; ARGS="attacks", "growth", "floods", "soak", "crashes", "streams", "revocation", "instructions", "steps", "files", "docs", "deployments"
	PYTHONPATH="$(CURDIR)/clients/python/src" $(BIN)/python -m benchmarks $(ARGS)

.PHONY: breaks
breaks: $(READY)/dev $(MODULES) ## break each rule of docs/security.md in a copy and see its tests fail; ARGS="R4 P" selects
	$(BIN)/python -m tests.security.break_rules $(ARGS)

.PHONY: fuzz
fuzz: $(READY)/dev ## fuzz the parsers of headers and tokens; ARGS="-max_total_time=60"
	$(BIN)/python -m tests.security.fuzz_tokens $(ARGS)

.PHONY: lock
lock: $(READY)/tools ## update the lock files
	$(COMPILE) --upgrade --group build -o requirements/build.txt
	$(COMPILE) --upgrade pyproject.toml -c requirements/build.txt -o requirements/run.txt
	$(COMPILE) --upgrade pyproject.toml --extra tracing \
	    -c requirements/build.txt -c requirements/run.txt -o requirements/tracing.txt
	$(COMPILE) --upgrade pyproject.toml --group test \
	    -c requirements/build.txt -c requirements/tracing.txt -o requirements/test.txt
	$(COMPILE) --upgrade pyproject.toml --group test --group e2e \
	    -c requirements/build.txt -c requirements/test.txt -o requirements/e2e.txt
	$(COMPILE) --upgrade pyproject.toml --group test --group e2e --group bench \
	    -c requirements/build.txt -c requirements/e2e.txt -o requirements/bench.txt
	$(COMPILE) --upgrade pyproject.toml --group test --group e2e --group bench --group dev \
	    -c requirements/build.txt -c requirements/bench.txt -o requirements/dev.txt
	$(COMPILE) --upgrade pyproject.toml --group docs -c requirements/dev.txt -o requirements/docs.txt
	npm update --loglevel=error --package-lock-only
	node -e '$(UNLINK)'
	$(NPM_INSTALL) --dry-run

.PHONY: clean
clean: ## remove what these targets create, but no data
	rm -rf $(VENV) dist site mutants .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	rm -rf node_modules frontend/.next clients/typescript/dist
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp file per step: a step is repeated when its inputs have changed.
$(READY)/tools: requirements/build.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo 'Python 3.11 or newer is needed, and "$(PYTHON)" is not: try make PYTHON=python3.13' >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' || \
	    { echo 'This Python cannot create virtual environments; on Debian: apt-get install python3-venv' >&2; exit 1; }
	"$(PYTHON)" -m venv --clear $(VENV)
	$(BIN)/python -m pip --quiet --disable-pip-version-check install --no-deps --require-hashes \
	    -r requirements/build.txt
	@mkdir $(READY) && pwd > $(READY)/at && touch $@

$(READY)/run: requirements/run.txt pyproject.toml $(READY)/tools
	$(INSTALL) --compile-bytecode --require-hashes -r requirements/run.txt
	$(INSTALL) --no-build-isolation --editable .
	@touch $@

$(READY)/test: requirements/test.txt $(READY)/run
	$(INSTALL) --require-hashes -r requirements/test.txt
	@touch $@

$(READY)/e2e: requirements/e2e.txt $(READY)/test
	$(INSTALL) --require-hashes -r requirements/e2e.txt
	@touch $@

# The service without the benchmark's peers: it would load some of their packages.
$(READY)/alone: requirements/run.txt pyproject.toml $(READY)/tools
	"$(PYTHON)" -m venv --clear --without-pip $(ALONE)
	$(INSTALL_ALONE) --compile-bytecode --require-hashes -r requirements/build.txt -r requirements/run.txt
	$(INSTALL_ALONE) --no-build-isolation --editable .
	@touch $@

$(READY)/bench: requirements/bench.txt $(READY)/e2e
	$(INSTALL) --require-hashes -r requirements/bench.txt
	@touch $@

$(READY)/dev: requirements/dev.txt $(READY)/bench
	$(INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

$(READY)/docs: requirements/docs.txt $(READY)/run
	$(INSTALL) --require-hashes -r requirements/docs.txt
	@touch $@

$(MODULES): package-lock.json
	@node -e 'const [a, b] = process.versions.node.split("."); process.exit(a * 100 + +b < 2019 ? 1 : 0)' || \
	    { echo 'Node 20.19 or newer is needed for the frontend' >&2; exit 1; }
	$(NPM_INSTALL)
	@touch $@

$(BUILT): $(MODULES) $(WEB_SOURCES)
	cd frontend && npm run --silent build
	@touch $@

# A virtual environment contains its own path: one that was moved or copied is created again.
ifneq ($(shell cat $(READY)/at 2>/dev/null),$(shell pwd))
.PHONY: $(READY)/tools
endif
