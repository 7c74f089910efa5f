# `make demo` and `make test` need nothing but Python 3.11-3.13, git and make: they create .venv, install, and go.
.DEFAULT_GOAL := help
.PHONY: help install demo view gi-results test check types docstrings pages test-slow docs bench clean

VENV ?= .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt
# Workers for pytest-xdist; each runs torch on one thread.
WORKERS ?= 2
# The first interpreter that is new enough, not too new, and able to make virtual environments.
PYTHON ?= $(shell for candidate in python3 python3.13 python3.12 python3.11 python; do \
	$$candidate -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		>/dev/null 2>&1 && { echo $$candidate; break; }; done)
# Files whose docstrings are checked.
DOCUMENTED = $(shell find nip scripts benchmarks doc/examples -name "*.py")
RUN := $(BIN)/python scripts/run_experiment.py
# In the order of the folders: what is large comes first, so that no worker is left alone with it.
PYTEST := $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder
# Checks of one process each, of which each prints its output when it is done.
BESIDE_EACH_OTHER = $(MAKE) --no-print-directory --jobs=$(WORKERS) --output-sync=target
# What an old processor does: other kernels, which add in another order.
OTHER_INSTRUCTIONS := ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 MKL_ENABLE_INSTRUCTIONS=SSE4_2

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "No suitable Python found: nip needs Python 3.11, 3.12 or 3.13 with the venv module" >&2; \
		echo "(on Debian and Ubuntu: apt install python3-venv). Or name one: make PYTHON=/path/to/python3.12" >&2; \
		exit 1; \
	fi
	@echo "Creating $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-core: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing nip into $(VENV) (about a minute)"
	@$(PIP_INSTALL) -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing nip and its development tools into $(VENV) (one or two minutes)"
	@$(PIP_INSTALL) -e '.[dev,docs]'
	@touch $@ $(VENV)/.installed-core

install: $(VENV)/.installed-dev  ## Create .venv with nip, the tests' and the documentation's tools

# The published mix of difficulties, on which two layers alone are right in 64 % of the cases at best.
data/graph_isomorphism/demo: | $(VENV)/.installed-core
	$(BIN)/python scripts/create_gi_dataset.py demo --score-fractions 0.08 0.2

demo: $(VENV)/.installed-core | data/graph_isomorphism/demo  ## Train a verifier with a learnt and with a random prover, and plot both
	$(RUN) experiment=gi_demo run_id=demo
	$(RUN) experiment=gi_demo_random_prover run_id=demo_random_prover
	@$(BIN)/python scripts/plot_learning_curves.py demo demo_random_prover \
		--label "prover that learns" --label "prover that talks at random" \
		--line "0.64:ceiling of the verifier alone" --title "Accuracy of the verifier" \
		--smooth 3 --output runs/demo.png
	@echo
	@echo "Both curves and the ceiling: runs/demo.png"
	@echo "Each run, with its parameters, metrics and checkpoints: runs/demo, runs/demo_random_prover"
	@echo "Curves, parameters and episodes of both in the browser: make view"

view: $(VENV)/.installed-core  ## Show all runs, and what the agents said, in the browser
	$(BIN)/python scripts/view_runs.py

# For example: make gi-results PROTOCOL=debate
PROTOCOL ?= nip
GI_RUNS := $(foreach seed,6198 820 8144,gi_$(PROTOCOL)-seed-$(seed))

gi-results: $(VENV)/.installed-core | data/graph_isomorphism/demo  ## Train and measure three seeds of PROTOCOL on graph isomorphism, and print their row of the results
	$(RUN) experiment=gi_results_$(PROTOCOL) run_id=gi_$(PROTOCOL) seed=6198,820,8144 --multirun
	$(BIN)/python scripts/attack.py $(GI_RUNS) --no-training
	$(BIN)/python scripts/robustness_table.py --row $(PROTOCOL) $(GI_RUNS) --output runs/gi_$(PROTOCOL).md

test: $(VENV)/.installed-dev  ## Everything that continuous integration checks (nothing is modified)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@$(BESIDE_EACH_OTHER) pages types docstrings
	$(PYTEST) -m "not slow"
	$(OTHER_INSTRUCTIONS) $(PYTEST) -m "numerics and not slow"

check: $(VENV)/.installed-dev  ## The quick inner loop: format, lint, types, unit tests (the last failures first)
	$(BIN)/ruff format .
	$(BIN)/ruff check .
	@$(BESIDE_EACH_OTHER) types docstrings
	HYPOTHESIS_PROFILE=check $(PYTEST) -x --failed-first -m "not slow and not whole_run and not grid" \
		--ignore=tests/doc --ignore=tests/end_to_end --ignore=tests/rollout_analysis --ignore=tests/scripts

types:
	$(BIN)/mypy

docstrings:
	$(BIN)/numpydoc lint $(DOCUMENTED)

pages:
	$(BIN)/python -m sphinx -W --keep-going -q -b html doc doc/_build/html

test-slow: $(VENV)/.installed-dev  ## The tests that take minutes
	$(PYTEST) -m slow

docs: $(VENV)/.installed-dev  ## Build the documentation into doc/_build/html
	$(BIN)/python -m sphinx -W --keep-going -b html doc doc/_build/html
	@echo "Open doc/_build/html/index.html"

bench: $(VENV)/.installed-core  ## Measure speed and memory, as ratios in one run
	$(BIN)/python benchmarks/bench_tensor.py --json benchmarks/result.json
	$(BIN)/python benchmarks/bench_text.py --json benchmarks/result_text.json
	$(BIN)/python benchmarks/bench_local.py --json benchmarks/result_local.json
	$(BIN)/python benchmarks/bench_parallel_seeds.py --json benchmarks/result_seeds.json
	$(BIN)/python benchmarks/nested_array_ratio.py --json benchmarks/result_arrays.json

clean:  ## Remove caches and built documentation; .venv, data and runs stay
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist doc/_build doc/generated
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
