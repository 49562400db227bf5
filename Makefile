# make demo   a real distilled student measured, gated and routed (sets everything up first)
# make test   the whole test suite (sets everything up first)
# make check  ruff, mypy --strict, import-linter
# make bench  speed and memory figures; the README's tables of measured errors (ARGS=validity: only these)

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check -c constraints.txt
STAMPS := $(VENV)/.stamps
WORKERS ?= 2
export HF_HUB_OFFLINE := 1
export LITELLM_LOCAL_MODEL_COST_MAP := True

.PHONY: demo test check bench clean

$(STAMPS)/venv:
	$(PYTHON) -m venv $(VENV)
	mkdir -p $(STAMPS)
	$(PIP) torch
	touch $@

# The extras in one command with the router: kdeval requires its exact version.
$(STAMPS)/demo: $(STAMPS)/venv pyproject.toml router/pyproject.toml constraints.txt
	$(PIP) -e ./router -e '.[all]'
	touch $@

$(STAMPS)/test: $(STAMPS)/venv pyproject.toml router/pyproject.toml constraints.txt
	$(PIP) -e ./router -e '.[all,dev]'
	touch $@ $(STAMPS)/demo

demo: $(STAMPS)/demo
	$(BIN)/kdeval demo $(ARGS)

test: $(STAMPS)/test
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

check: $(STAMPS)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMPS)/test
	$(BIN)/python -m tests.bench $(ARGS)

clean:
	rm -rf $(VENV) dist build
