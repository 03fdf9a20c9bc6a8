# Everything a newcomer needs: `make repro` and `make test`.
# The Python that .venv is made with: 3.11, 3.12 or 3.13, for example make install PYTHON=python3.13.
PYTHON ?= python3.11
# The port of the service.
PORT ?= 8000
# The PyTorch that `make deep` installs where there is none, as pip takes it: here the build for CPUs,
# 0.8 GB; that for CUDA, 5.5 GB, is TORCH=torch==2.13.0.
ifeq ($(shell uname -sm),Linux x86_64)
TORCH ?= torch==2.13.0+cpu --extra-index-url https://download.pytorch.org/whl/cpu
endif
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

# LightGBM's wheel needs the system's OpenMP runtime. On a machine without one, the copy in XGBoost's
# wheel is linked here under the name that LightGBM loads.
OPENMP := $(CURDIR)/$(VENV)/lib/openmp
export LD_LIBRARY_PATH := $(OPENMP)$(if $(LD_LIBRARY_PATH),:$(LD_LIBRARY_PATH))
# The virtual environment comes first, because DVC starts the stages with `python`.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1

.PHONY: help install deep cluster repro images test lint check format lock \
  docs sweep show serve clean check-python page quick best

help:
	@echo "make install install into .venv; with another Python: make install PYTHON=python3.13"
	@echo "make repro   install, rebuild what is out of date, print the results"
	@echo "make quick   the same with the settings of presets/quick.txt, in about a minute"
	@echo "make best    the same with the settings of presets/best.txt, slower and better"
	@echo "make images  look again for pictures that are missing, rebuild what follows"
	@echo "make test    install, run the tests"
	@echo "make deep    install what pretrained encoders need; with another PyTorch: make deep TORCH=torch"
	@echo "make cluster install what stages on several machines need"
	@echo "make lint    formatting, lint, types"
	@echo "make check   lint and test"
	@echo "make format  format the code, mend what lint can mend"
	@echo "make serve   install the service, start it on http://127.0.0.1:8000; PORT= is another port"
	@echo "make show    the table of experiments, best first"
	@echo "make page    a page of experiments with plots, in data/experiments"
	@echo "make sweep   a small grid of experiments on the synthetic catalogue"
	@echo "make docs    write the generated parts of README.md and docs"
	@echo "make lock    compile the lock files from pyproject.toml"
	@echo "make clean   remove the virtual environment"

install: $(VENV)/base.done

# DVC sees neither the network nor the files of a mirror, so it is told to run the stage.
images: $(VENV)/base.done
	dvc repro --force --single-item images
	dvc repro

repro: $(VENV)/base.done
	dvc repro
	@python -m tools.rebuilt record
	@amlc results

# make test COVERAGE=yes also measures coverage, which nearly doubles the time. Without the extra deep, its
# tests are skipped, and its modules are not covered.
test: $(VENV)/dev.done
	python -m pytest \
	  $(if $(COVERAGE),--cov $$(python -c 'import torch' 2> /dev/null || echo --cov-fail-under=70))

lint: $(VENV)/dev.done
	ruff format --check .
	ruff check .
	mypy
	lint-imports --no-logo
	codespell

check: lint test

format: $(VENV)/dev.done
	ruff format .
	ruff check --fix .

show: $(VENV)/base.done
	amlc experiments

page: $(VENV)/base.done
	amlc experiments --page

# Each line of a preset is an override of params.yaml.
quick best: $(VENV)/base.done
	dvc exp run $$(sed -n 's/^[a-z].*/-S &/p' presets/$@.txt)
	@amlc results

sweep: $(VENV)/base.done
	dvc exp run --queue -S 'train.ridge.alpha=1.0,3.0' -S 'train.lightgbm.num_leaves=15,31'
	dvc exp run --run-all --jobs 2
	$(MAKE) --no-print-directory show

serve: $(VENV)/serve.done
	dvc repro bundle
	amlc serve --port $(PORT)

docs: $(VENV)/base.done
	python -m tools.docs

lock: $(VENV)/dev.done
	$(COMPILE) pyproject.toml -o requirements.txt
	$(COMPILE) --extra serve -c requirements.txt pyproject.toml -o requirements-serve.txt
	$(COMPILE) --extra search -c requirements.txt pyproject.toml -o requirements-search.txt
	$(COMPILE) --extra s3 -c requirements.txt pyproject.toml -o requirements-s3.txt
	$(COMPILE) --extra cluster -c requirements.txt pyproject.toml -o requirements-cluster.txt
	$(COMPILE) --group container -c requirements.txt -c requirements-serve.txt \
	  -o requirements-container.txt
	$(COMPILE) --group worker -c requirements.txt -o requirements-worker.txt
	$(COMPILE) --group dev --extra serve --extra search --extra cluster --extra excel \
	  -c requirements.txt -c requirements-serve.txt -c requirements-search.txt \
	  -c requirements-cluster.txt pyproject.toml -o requirements-dev.txt
	echo 'torch; python_version < "3"' > $(VENV)/no-torch.txt
	$(COMPILE) --extra deep --extra lora --override $(VENV)/no-torch.txt -c requirements-dev.txt \
	  pyproject.toml -o requirements-deep.txt

# --no-strip-extras: a line without extras does not pin a requirement such as coverage[toml], and pip
# refuses the lock file as soon as there is a newer release.
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
  --no-strip-extras \
  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))

# Says which Python is missing, or does not fit, and what to do.
check-python:
	@python=$(PYTHON); [ ! -e $(BIN)/python ] || python=$(BIN)/python; \
	command -v $$python > /dev/null || { echo "error: no $(PYTHON) on PATH; install Python 3.11, or" \
	  "name another one, 3.11 to 3.13: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1; }; \
	$$python -c '$(FITS)' || { echo "error: $$python is $$($$python --version 2>&1), amlc needs 3.11 to" \
	  "3.13: make clean, then make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1; }
ifeq ($(origin PYTHON),command line)
	@[ ! -e $(BIN)/python ] || [ "$$($(BIN)/python --version)" = "$$($(PYTHON) --version 2> /dev/null)" ] || { \
	  echo "error: .venv has $$($(BIN)/python --version), not $(PYTHON): make clean first" >&2; exit 1; }
endif

$(VENV)/bin/python: | check-python
	$(PYTHON) -m venv $(VENV)

$(VENV)/base.done: requirements.txt | check-python $(VENV)/bin/python
	$(PIP) --require-hashes -r requirements.txt
	$(PIP) --no-deps -e .
	@python -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null || { \
	  mkdir -p $(OPENMP) && ln -sf $(CURDIR)/$(VENV)/lib/python*/site-packages/xgboost_cpu.libs/libgomp-*.so* $(OPENMP)/libgomp.so.1; }
	@touch $@

deep: $(VENV)/deep.done

# PyTorch is in no lock: which build fits depends on the machine. So pip must not look for what peft needs.
$(VENV)/deep.done: requirements-deep.txt $(VENV)/base.done
	$(PIP) --no-deps --require-hashes -r requirements-deep.txt
	@python -c 'import torch' 2> /dev/null || { echo "installing $(TORCH)"; $(PIP) $(TORCH); }
	@touch $@

cluster: $(VENV)/cluster.done

$(VENV)/cluster.done: requirements-cluster.txt $(VENV)/base.done
	$(PIP) --require-hashes -r requirements-cluster.txt
	@touch $@

$(VENV)/serve.done: requirements-serve.txt $(VENV)/base.done
	$(PIP) --require-hashes -r requirements-serve.txt
	@touch $@

$(VENV)/dev.done: requirements-dev.txt $(VENV)/base.done
	$(PIP) --require-hashes -r requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV)
