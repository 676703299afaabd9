# Everything one does with Mitosis. `make` alone lists it.
#
# Settings go into the environment or behind the target: make demo PORT=0 ONCE=1, make test ARGS="-k saga",
# make up TOPOLOGY='orders|payments|users,inventory'.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo up down test test-apart proof chaos-money chaos-neighbours chaos-restart image troubles simulate mutants topologies leaks check bench clean distclean

PYTHON_IN_VENV := .venv/bin/python
MANAGE := $(PYTHON_IN_VENV) manage.py

# In a bare checkout there is nothing to stop and nothing to remove, and no need to install anything for it.
IF_STATE := if [ ! -e "$${STATE_DIR:-var}" ]; then echo "Nothing was started here."; else scripts/setup.sh run &&

help: ## List what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup ## Start everything, place real orders, show what happened, stay up (ONCE=1: stop after the table)
	@$(MANAGE) demo $(if $(filter-out 0,$(ONCE)),--once)

up: setup ## Start everything and stay in the foreground
	@$(MANAGE) up

down: ## Stop what runs, also what a crashed run left behind
	@$(IF_STATE) $(MANAGE) down; fi

test: setup-dev ## Run the whole test suite (ARGS= adds arguments for pytest)
	@$(PYTHON_IN_VENV) -m pytest -n 2 $(ARGS)

test-apart: setup-dev ## The tests of whole split shops under faults, restarts and moves, which take a quarter of an hour
	@$(PYTHON_IN_VENV) -m pytest -n 2 -m apart $(ARGS)

troubles: setup-dev ## Ten things go wrong in a split shop: each on the console's first page, half of them set right there
	@$(PYTHON_IN_VENV) -m pytest -n 0 -m apart tests/browser/test_troubles.py $(ARGS)

image: setup-dev ## Build the image without Docker, and run a shop in it (as root, with buildah and debootstrap)
	@$(PYTHON_IN_VENV) -m pytest -n 0 -m image tests/deploy $(ARGS)

proof: setup-dev ## The long proofs: nine months of sales, a million products (ARGS= adds arguments for pytest)
	@$(PYTHON_IN_VENV) -m pytest -n 0 -m proof -s tests/proofs tests/journeys/test_kill.py $(ARGS)

chaos-money: setup-dev ## Faults of the provider, kills, lost commits, sleepers: the money compared from outside (CHAOS_SEED=)
	@CHAOS=full $(PYTHON_IN_VENV) -m pytest -n 0 -s --timeout 7200 tests/chaos $(ARGS)

chaos-neighbours: setup-dev ## One domain gone, stalled, crashing or talking rubbish: what the others lose by it (ROUNDS=3 SECONDS=30)
	@NEIGHBOURS=full NEIGHBOURS_ROUNDS="$(ROUNDS)" NEIGHBOURS_SECONDS="$(SECONDS)" \
		$(PYTHON_IN_VENV) -m pytest -n 0 -s -m apart tests/neighbours $(ARGS)

chaos-restart: setup-dev ## Every process started anew under orders: no request may fail (RATE=20 a second)
	@RESTART_RATE="$(or $(RATE),20)" $(PYTHON_IN_VENV) -m pytest -n 0 -s -m apart tests/restarts $(ARGS)

simulate: setup-dev ## A shop in trouble, played from a seed: SEED=123 tells one, SEEDS=5000 FROM=0 plays many
	@SEED="$(SEED)" SEEDS="$(SEEDS)" FROM="$(FROM)" $(PYTHON_IN_VENV) -m tests.simulation

mutants: setup-dev ## Take each guard of the messaging out, one at a time, and see which test fails for it
	@$(PYTHON_IN_VENV) -m tests.mutants

topologies: setup-dev ## Play one script of requests on all fifteen groupings: the same shop as the monolith? (TOPOLOGY= plays one)
	@$(PYTHON_IN_VENV) -m tests.topologies

leaks: setup-dev ## Plant what only one process forgives, one at a time, and see which answer of a split shop tells
	@$(PYTHON_IN_VENV) -m tests.topologies leaks

check: setup-dev ## Lint, formatting, types, import walls, missing migrations, drift of OpenAPI and contracts
	$(PYTHON_IN_VENV) -m ruff check .
	$(PYTHON_IN_VENV) -m ruff format --check .
	$(PYTHON_IN_VENV) -m mypy
	$(PYTHON_IN_VENV) .venv/bin/lint-imports --config importlinter.ini
	$(MANAGE) makemigrations --check --dry-run
	$(MANAGE) check
	$(MANAGE) openapi --check
	$(MANAGE) contracts check --strict

bench: setup ## Measure what an order costs (ROUNDS=5 ORDERS=500 CONCURRENCY=1,8 EVENTS=1000,100000); writes bench.json and bench.svg
	@$(PYTHON_IN_VENV) -m benchmarks

setup: ## Make .venv and install what it takes to run
	@scripts/setup.sh run

setup-dev:
	@scripts/setup.sh dev

clean: ## Stop what runs and remove its state: var/ with all data
	@$(IF_STATE) $(MANAGE) down --clean; fi

distclean: clean ## Like clean, and remove .venv and the tools' caches too
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
