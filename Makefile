# Each target sets itself up: a virtual environment from pinned requirements, made once and reused.

PYTHON ?= python3
CORES ?= 4
DIRECTORY ?= .
VENV := .venv
BIN := $(VENV)/bin
COMPILE := $(BIN)/uv pip compile pyproject.toml --extra score --extra report --no-emit-package videomae --quiet \
           --generate-hashes --no-header --no-annotate --python-version 3.11 --python-platform linux

.PHONY: help setup resume status report rehearsal releases test test-full test-releases test-report test-storage \
        test-pythons test-torchvision test-slurm test-kubernetes test-container test-long mutations fuzz faults bench lint docs dry-run schema lock format clean

help:            ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

setup: $(VENV)/workflow.done   ## make the environment that converts

$(VENV)/workflow.done: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[score,report]'
	touch $@

$(VENV)/development.done: $(VENV)/workflow.done
	$(BIN)/python -m pip install --quiet --editable '.[score,report,development]'
	touch $@

resume: $(VENV)/workflow.done      ## go on with a run that was killed (DIRECTORY=rehearsal: that one)
	$(BIN)/videomae resume --cores $(CORES) --directory $(DIRECTORY)

status: $(VENV)/workflow.done      ## show how far every variant is, during a run too (DIRECTORY=rehearsal: that one's; RESULTS=s3://…)
	@$(BIN)/videomae status --directory $(DIRECTORY) $(if $(RESULTS),--results $(RESULTS))

report: $(VENV)/workflow.done      ## draw report.html of what is there (DIRECTORY=rehearsal: that one's)
	$(BIN)/snakemake --cores $(CORES) --directory $(DIRECTORY) pages
	$(BIN)/snakemake --directory $(DIRECTORY) --report report.html

rehearsal: $(VENV)/workflow.done   ## run the whole job offline: the thirteen at full size
	$(BIN)/snakemake --cores $(CORES) --directory rehearsal

# The second run puts into the cards what the first one found.
releases: $(VENV)/workflow.done    ## load every folder in every release of transformers (DIRECTORY=rehearsal: that one's)
	$(BIN)/snakemake --cores $(CORES) --directory $(DIRECTORY) releases
	$(BIN)/snakemake --cores $(CORES) --directory $(DIRECTORY)

test: $(VENV)/development.done     ## run the tests (tiny models, about six minutes)
	$(BIN)/python -m pytest

test-full: rehearsal $(VENV)/development.done   ## check the rehearsal's thirteen folders in fresh processes
	$(BIN)/python -m pytest -m full tests/integration/full

test-releases: $(VENV)/development.done   ## check tiny folders in every release of transformers (8 GB, four minutes)
	$(BIN)/python -m pytest -n 0 -m full tests/integration/releases

test-report: $(VENV)/development.done   ## open the report of tiny variants in Chromium (installs Debian's, as root)
	command -v chromium > /dev/null || (apt-get update && apt-get install --yes --no-install-recommends chromium)
	$(BIN)/python -m pytest -n 0 -m full tests/integration/browser

test-pythons: $(VENV)/development.done   ## run the tests on each other supported Python that is here (6 GB and a quarter of an hour each)
	$(BIN)/python -m pytest -n 0 -m full tests/integration/pythons

test-torchvision: $(VENV)/development.done   ## run tiny folders and their cards' programs with torchvision (a minute)
	$(BIN)/python -m pytest -n 0 -m full tests/integration/torchvision

test-slurm: $(VENV)/development.done   ## run tiny variants on a Slurm cluster of one node, here (installs Debian's, as root; twelve minutes)
	command -v slurmctld > /dev/null || (apt-get update && apt-get install --yes --no-install-recommends slurm-wlm munge)
	$(BIN)/python -m pip install --quiet --editable '.[slurm]'
	$(BIN)/python -m pytest -n 0 -m full tests/integration/slurm

test-storage: $(VENV)/development.done   ## run tiny variants with their results on an S3 server, here (a minute)
	$(BIN)/python -m pip install --quiet --editable '.[storage]'
	$(BIN)/python -m pytest -n 0 -m full tests/integration/storage

test-kubernetes: $(VENV)/development.done   ## run profiles/kubernetes with stand-ins of the cluster and of S3 (three minutes)
	$(BIN)/python -m pip install --quiet --editable '.[kubernetes]'
	$(BIN)/python -m pytest -n 0 -m full tests/integration/kubernetes

test-container: $(VENV)/development.done   ## install what envs/Containerfile does, and convert with it (6 GB, three minutes)
	$(BIN)/python -m pytest -n 0 -m full tests/integration/container

test-long: $(VENV)/development.done   ## run the longer of the tests (tiny models, ten minutes)
	$(BIN)/python -m pytest -m full tests/unit tests/proof tests/workflow tests/adversarial

mutations: $(VENV)/development.done   ## count how many wrong conversions verification catches
	$(BIN)/python -m tests.proof.mutations

fuzz: $(VENV)/development.done     ## try 600 hostile files: each is refused clearly, or converted rightly
	$(BIN)/python -m tests.adversarial.fuzz

faults: $(VENV)/development.done   ## kill 100 runs and fill disks: each comes right by `make resume` (root, half an hour)
	$(BIN)/python -m tests.adversarial.faults

bench: $(VENV)/development.done    ## measure time and memory at full size and for 1,000 variants (25 GB, half an hour)
	$(BIN)/python -m tests.bench

lint: $(VENV)/development.done     ## check style, types and the workflow
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules examples
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint envs/Containerfile
	$(BIN)/snakemake --lint

docs: $(VENV)/development.done     ## build the pages of docs/ as a site in site/, and check their links
	$(BIN)/mkdocs build --strict --quiet

dry-run: $(VENV)/workflow.done     ## plan the real thirteen and the rehearsal, running nothing
	$(BIN)/snakemake --dry-run --quiet rules
	$(BIN)/snakemake --dry-run --quiet rules --directory rehearsal

schema: $(VENV)/workflow.done      ## write config.schema.yaml and docs/configuration.md, after an edit of what config.yaml may say
	$(BIN)/python -m videomae.config.schema

# One version of each package in both: what the extra kubernetes adds is in a lock of its own.
lock: $(VENV)/development.done     ## write envs/*.lock anew, after an edit of the dependencies in pyproject.toml
	$(COMPILE) --extra kubernetes > envs/all.lock
	(head --lines 1 envs/requirements.lock; $(COMPILE) --constraint envs/all.lock) > envs/new.lock
	mv envs/new.lock envs/requirements.lock
	(head --lines 1 envs/kubernetes.lock; $(COMPILE) --extra kubernetes --constraint envs/all.lock \
	    $$(sed -n 's/^\([^ #]*\)==.*/--no-emit-package \1/p' envs/requirements.lock)) > envs/new.lock
	mv envs/new.lock envs/kubernetes.lock
	rm envs/all.lock

format: $(VENV)/development.done   ## bring the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile rules examples

clean:           ## remove the environment; results stay
	rm -rf $(VENV)
