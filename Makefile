# make demo | install | up | test | test-faults | test-cluster | lint | lock
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: install demo up test lint lock test-cluster test-faults

# One stamp a lock: a changed lock installs again, an unchanged one costs nothing.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "faas needs Python 3.11 or newer: make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

install: $(VENV)/.installed

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --timeout 300

# What of tests/integration meets an API server that need not be ours.
ON_LEVEL1 := $(patsubst %,tests/integration/test_%.py, common_watch controllers_replicaset deploy_install gateway_api \
	gateway_logs gateway_router gateway_workflows kubelet_faults kubelet_kubectl kubelet_pods kubelet_probes router_process \
	scaler_deploy scaler_election scaler_outages scaler_scaling workflow_controller workflow_service_runs)

# The long campaign of kill -9 under runs of workflows; it ends by itself, after so many kills or minutes.
KILLS ?= 1000
MINUTES ?= 30
test-faults: $(VENV)/.installed-dev
	FAAS_TEST_KILLS=$(KILLS) FAAS_TEST_MINUTES=$(MINUTES) $(BIN)/python -m pytest -s tests/faults/test_workflow_kills.py

# Against real Kubernetes: the first run compiles it, which takes minutes; later runs find it in ~/.cache/faas-cluster.
test-cluster: $(VENV)/.installed-dev
	$(BIN)/python -m pytest tests/cluster --timeout 300
	FAAS_TEST_PLATFORM=level1 $(BIN)/python -m pytest tests/e2e tests/faults --ignore=tests/e2e/test_docs.py --timeout 300
	FAAS_TEST_PLATFORM=level1 $(BIN)/python -m pytest -n 2 --dist loadfile --timeout 300 $(ON_LEVEL1)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

demo: install
	$(BIN)/python examples/demo.py

up: install
	$(BIN)/faas up

# Universal over Python 3.11+ and platforms, with hashes, without index addresses.
COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -q
lock:
	$(COMPILE) pyproject.toml --group build -o requirements.lock
	$(COMPILE) pyproject.toml --group dev -o requirements-dev.lock
	$(COMPILE) --group platform-image -c requirements.lock -o deploy/images/platform/requirements.lock
	$(COMPILE) --group python-image -c requirements.lock -o deploy/images/python/requirements.lock
