# `make repro` and `make test` do all set-up on a fresh machine; both are quick when repeated.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

BASE ?= HEAD~1

.PHONY: repro test gpu slow lint smoke conformance verify site bench clean help

help: ## what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(READY): pyproject.toml constraints.txt
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	touch $(READY)

repro: $(READY) ## run the default pipeline; ends with results/site/index.html
	headroom check params
	dvc repro
	@headroom status || true
	@echo "open results/site/index.html"

test: $(READY) ## the fast test suite
	OMP_NUM_THREADS=1 pytest -n 2 --dist loadfile

slow: $(READY) ## the tests that take minutes; those that need data or wheels skip where there are none
	OMP_NUM_THREADS=1 pytest -n 2 --dist loadfile -m slow

gpu: $(READY) ## on a machine with a GPU: what only it can show, and real shapes timed on it
	pytest -m gpu
	dvc repro profiles/shapes/dvc.yaml

lint: $(READY) ## style, types, direction of dependency
	ruff check .
	ruff format --check .
	mypy
	lint-imports

smoke: $(READY) ## toy models through the whole pipeline
	dvc repro profiles/smoke/dvc.yaml
	headroom status --params profiles/smoke/params.yaml --strict

conformance: $(READY) ## headroom check of the methods that changed since BASE, a commit
	git diff --name-only --diff-filter=d $(BASE) -- methods | sed -n 's|methods/\(.*\)\.py|\1|p' | tr _ - \
		| xargs --no-run-if-empty headroom check

verify: $(READY) ## compute a sample of the rows again that changed since BASE, a commit
	headroom verify --since $(BASE) --sample 3

site: $(READY) ## the pages of every profile that has results, in build/site
	headroom site --publish build/site

bench: $(READY) ## how fast Headroom is here, beside the committed baseline; about ten minutes on a quiet machine
	python -m benchmarks

clean: ## forget everything computed; keeps what is in git
	rm -rf work .dvc/cache .dvc/tmp
