# Everything here works on a fresh machine with Python (3.10 to 3.13) and make alone: each command makes the
# environments that it needs, once, with the versions of constraints/.

PYTHON ?= python3
# Test processes. Each imports TensorFlow: more of them than cores are slower.
WORKERS ?= 2

PIP_INSTALL = -m pip install -qq --disable-pip-version-check --no-input
TYPED = build/typing/ser_keras
SERVING_API = tensorflow-serving-api==2.21.0
# Packages that tests read schemas of, and nothing imports: TF Serving's configuration, KServe, Compose.
SCHEMAS = min-tfs-client==1.0.2 kserve==0.21.0 docker-compose==1.29.2

define CHECK_PYTHON
{ $(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "$(PYTHON) is missing or not Python 3.10 to 3.13, the versions that TensorFlow has;" \
	    "name one that is: make PYTHON=python3.12 ..." >&2; exit 1; }; }
endef

# An environment keeps the Python that it was made with, whatever PYTHON says later.
VERSION = -c 'import sys; print("%d.%d" % sys.version_info[:2])'
ifneq ($(origin PYTHON),file)
ifneq ($(wildcard .venv/bin/python),)
ifneq ($(shell .venv/bin/python $(VERSION)),$(shell $(PYTHON) $(VERSION)))
$(warning .venv was made with another Python than $(PYTHON), and is used as it is: `make distclean` removes it)
endif
endif
endif

export TF_CPP_MIN_LOG_LEVEL ?= 2

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test lint imports format docs test-default test-io test-io-stack benchmarks-venv clean distclean

help: ## Say what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

demo: .venv/installed ## Train, evaluate, export and predict on made-up speech; a report in demo-out/
	.venv/bin/ser-keras demo --out demo-out

test: lint docs test-default test-io ## Check style, types and layers, build the documentation, and test both stacks

lint: .venv/installed $(TYPED) imports ## Check style, types, names and which package imports which
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy ser_keras $(TYPED) tests $(wildcard benchmarks)
	cd build/imports && ../../.venv/bin/lint-imports --no-logo --no-cache ../../pyproject.toml
	.venv/bin/pytest -q tests/test_vocabulary.py

docs: .venv/installed imports ## Build the documentation with its API reference in build/docs/
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --quiet --strict

# The packages laid out as they are installed: import-linter and mkdocstrings read them from one folder.
imports: .venv/installed
	@rm -rf build/imports
	@.venv/bin/python setup.py --quiet build_py --build-lib build/imports 2>/dev/null

format: .venv/installed ## Mend what of style can be mended by itself
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

test-default: .venv/installed .venv-wheel/installed ## Test the default stack, and sdist and wheel as a user installs them
	.venv/bin/pytest -n $(WORKERS) --dist loadfile --max-worker-restart 0

test-io: ## Test what matters to it on the [io] stack, with tensorflow-io (Python 3.10 to 3.12; else skipped)
	@test -x .venv-io/bin/python || $(CHECK_PYTHON)
	@if test -x .venv-io/bin/python || $(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] > (3, 12))'; \
	  then $(MAKE) --no-print-directory test-io-stack; \
	  else echo "test-io: skipped: the [io] stack needs Python 3.10 to 3.12, found $$($(PYTHON) --version)"; fi

test-io-stack: .venv-io/installed
	.venv-io/bin/pytest -m io_stack

# On Linux, PyPI's PyTorch brings gigabytes of CUDA. Where only the CPU is of use, name PyTorch's own index of CPU
# builds first: PIP_EXTRA_INDEX_URL=... make benchmarks-venv (the address: "Start Locally" on PyTorch's site).
benchmarks-venv: .venv-benchmarks/installed ## Make .venv-benchmarks, with the models to compare with (PyTorch, opensmile)

clean: ## Remove what the tools leave; the environments stay
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache demo-out
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

distclean: clean ## Remove the environments too
	rm -rf .venv .venv-io .venv-benchmarks .venv-wheel

.venv/installed: EXTRAS = av,beam,docs,test
.venv/installed: constraints/default.txt
.venv-io/installed: EXTRAS = io,test
.venv-io/installed: constraints/io.txt
.venv-benchmarks/installed: EXTRAS = benchmarks,test
.venv-benchmarks/installed: constraints/default.txt constraints/benchmarks.txt

# An environment that is there already keeps every version that still fits.
.venv/installed .venv-io/installed .venv-benchmarks/installed: setup.cfg setup.py
	@test -x $(@D)/bin/python || { $(CHECK_PYTHON) && $(PYTHON) -m venv $(@D); }
	@echo "$(@D): installing ser-keras[$(EXTRAS)] with TensorFlow; a few minutes the first time"
	@$(@D)/bin/python $(PIP_INSTALL) $(addprefix -c ,$(filter constraints/%,$^)) -e '.[$(EXTRAS)]'
# TF Serving's own messages, for tests alone. Its package asks for one version of TensorFlow, which it does not need.
	@$(@D)/bin/python $(PIP_INSTALL) --no-deps $(SERVING_API)
	@rm -rf $(@D)/schemas
	@$(@D)/bin/python $(PIP_INSTALL) --no-deps --target $(@D)/schemas $(SCHEMAS)
	@touch $@
	@echo "$(@D): ready"

# What the package itself asks for and no more. tests/test_installation.py puts the wheel in place of this checkout.
.venv-wheel/installed: setup.cfg setup.py constraints/default.txt
	@test -x $(@D)/bin/python || { $(CHECK_PYTHON) && $(PYTHON) -m venv $(@D); }
	@echo "$(@D): installing what ser-keras needs; a few minutes the first time"
	@$(@D)/bin/python $(PIP_INSTALL) -c constraints/default.txt -e .
	@touch $@

# Types of tuning/ and export/ under the names they are installed by: mypy looks for a module in each of its
# folders (mypy_path), and does not read what an editable install says.
$(TYPED):
	@mkdir -p $@
	@ln -sfn ../../../tuning $@/tuning
	@ln -sfn ../../../export $@/export
