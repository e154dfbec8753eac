# Thin names for commands that work without make too: all set-up logic is in run.py.
PYTHON ?= python3
PY := .venv/bin/python
SEEDS ?= 200
MINUTES ?= 60
KILLS ?= 300

.DEFAULT_GOAL := run
.PHONY: run demo test setup dev lock bench bench-peers prove garden soak crash faults halts load fuzz clean help

run: setup  #-- set up on first use, then start the bot with its console (paper, embedded venue if there is no config.yaml)
	@$(PYTHON) run.py $(ARGS)

demo: setup  #-- the embedded venue with every kind of event: no files, no keys, own ledger
	@$(PYTHON) run.py demo $(ARGS)

test:  #-- lint, types, import arrows and tests (ARGS go to pytest)
	@$(PYTHON) run.py test $(ARGS)

setup:  #-- create .venv from the hash-locked requirements/run.txt (milliseconds when it is there)
	@$(PYTHON) run.py setup

dev:  #-- the same with the tools for tests and checks
	@$(PYTHON) run.py setup --dev

bench: dev  #-- the pipeline beside a raw loop in one run; writes bench/results.json
	@$(PY) -m bench.run $(ARGS)

bench-peers: dev  #-- beside published clients and frameworks, installed in a scratch environment
	@$(PY) -m bench.peers $(ARGS)

prove: dev  #-- the deterministic simulator over SEEDS seeds
	@$(PY) -m tests.prove --seeds $(SEEDS) $(ARGS)

garden: dev  #-- plant every bug of the garden and find it by the simulator
	@$(PY) -m tests.garden $(ARGS)

soak: dev  #-- live on the simulated exchange under faults for MINUTES minutes
	@$(PY) -m tests.soak --minutes $(MINUTES) $(ARGS)

crash: dev  #-- kill -9 at KILLS random instants, restart, reconcile
	@$(PY) -m tests.crash --kills $(KILLS) $(ARGS)

load: dev  #-- as many frames a second as the bot can take and more, halts meanwhile; wants a quiet machine
	@$(PY) -m tests.load $(ARGS)

faults: dev  #-- five minutes live while everything goes wrong, then ledger against venue (ARGS="--dialect polymarket")
	@$(PY) -m tests.live_faults $(ARGS)

halts: dev  #-- 10,000 halts that race an order, then every condition that halts a live bot by itself
	@$(PY) -m tests.halts $(ARGS)
	@$(PY) -m tests.live_halts

fuzz: dev  #-- hostile bytes into every parser
	@$(PY) -m tests.fuzz $(ARGS)

lock:  #-- write requirements/*.txt from requirements/*.in (needs uv, a maintainer's tool)
	cd requirements && for name in run dev; do \
	  uv pip compile --no-config --quiet --upgrade --universal --generate-hashes --python-version 3.11 \
	    --no-annotate --custom-compile-command 'make lock' $$name.in -o $$name.txt || exit 1; done

clean:  #-- remove the environment and the tools' caches; data/ and config.yaml stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:  #-- this list
	@sed -n 's/^\([a-z-]*\):.*#-- /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '%-12s %s\n' "$$name" "$$text"; done
