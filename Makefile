# Sluice from a clone: `make run` tries it, `make test` proves it, `make install` places it. `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

SWIFT ?= swift
PREFIX ?= /usr/local
DESTDIR ?=
BIN := .build/release/sluice

# What the build links and what the tests call. `deps` installs those that are missing, and nothing else.
# The first line is what the Swift toolchain itself asks for when it comes as an archive.
BUILD_PACKAGES := binutils git libc6-dev libcurl4 libedit2 libgcc-12-dev libncurses6 libsqlite3-0 libstdc++-12-dev libxml2 \
	pkg-config libssl-dev libpcre2-dev libyaml-dev libc-ares-dev libnghttp2-dev libhiredis-dev zlib1g-dev libbrotli-dev libzstd-dev
RUN_PACKAGES := openssl curl
TEST_PACKAGES := python3 python3-venv nftables iproute2 redis-server nghttp2-client valgrind gcc libc6-dev
BENCH_PACKAGES := python3 python3-venv gcc libc6-dev libssl-dev libnghttp2-dev nginx-light haproxy wrk nghttp2-client

# Python packages at the versions that requirements.txt pins, each set in a place of its own.
TEST_VENV := .build/test-venv
BENCH_VENV := .build/bench-venv
export SLUICE_TEST_PYTHON ?= $(CURDIR)/$(TEST_VENV)/bin/python3

# All that the last run of the tests printed.
TEST_LOG := .build/test.log

# $(call tell-failures,LOG): the tests that failed and what they found, said once more where it is seen: at the end.
define tell-failures
echo "what failed (all output: $(1)):"; grep -A 4 "recorded an issue" $(1) | grep -v "^[^✘]* \(Test\|Suite\) " | head -n 120 || true
endef

# Every room's imports are checked against Package.swift, so that no arrow between rooms points up.
CHECKED := --explicit-target-dependency-import-check error

.PHONY: help deps deps-test deps-bench build run run-group test lint check-binary check-routes install uninstall \
	bench bench-instructions fuzz clean

help: ## This list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# $(call install-missing,PACKAGES): a package that is not there is installed with apt-get, through sudo unless root.
define install-missing
	@missing=""; \
	for package in $(1); do \
		case "$$(dpkg-query -W -f '$${db:Status-Status}' "$$package" 2>/dev/null || true)" in \
			installed) ;; \
			*) case "$$package" in \
				nginx-light) command -v nginx /usr/sbin/nginx >/dev/null || missing="$$missing $$package" ;; \
				*) missing="$$missing $$package" ;; \
			esac ;; \
		esac; \
	done; \
	if [ -n "$$missing" ]; then \
		echo "installing from Debian:$$missing"; \
		if [ "$$(id -u)" -eq 0 ]; then sudo=""; else sudo="sudo"; fi; \
		$$sudo env DEBIAN_FRONTEND=noninteractive apt-get update -qq; \
		$$sudo env DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi
	@command -v $(SWIFT) >/dev/null || { \
		echo "error: no 'swift' on PATH; Sluice needs the Swift 6.3 toolchain (https://www.swift.org/install/linux/)"; \
		exit 1; }
endef

# $(call python-packages,VENV,REQUIREMENTS): what was installed for the same list before is used as it is, without network.
define python-packages
	@cmp -s $(2) $(1)/requirements.txt || { \
		echo "installing from PyPI: $$(tr '\n' ' ' <$(2))"; \
		rm -rf $(1); \
		python3 -m venv $(1); \
		$(1)/bin/pip install --quiet --disable-pip-version-check --requirement $(2); \
		cp $(2) $(1)/requirements.txt; \
	}
endef

deps: ## Installs what building and running needs from Debian, if it is missing.
	$(call install-missing,$(BUILD_PACKAGES) $(RUN_PACKAGES))

deps-test: deps ## Installs what the tests call: curl, nghttp2's clients, valgrind, Python packages.
	$(call install-missing,$(TEST_PACKAGES))
	$(call python-packages,$(TEST_VENV),Tests/Clients/requirements.txt)

deps-bench: deps ## Installs what is measured and what measures: nginx, HAProxy, Envoy, wrk, h2load.
	$(call install-missing,$(BENCH_PACKAGES))
	$(call python-packages,$(BENCH_VENV),loadtest/requirements.txt)

build: deps ## Builds the release binary, .build/release/sluice.
	$(SWIFT) build -c release $(CHECKED)

run: build ## Starts two echo backends and the gateway on routes/; Ctrl-C ends all.
	@certs/self-signed.sh
	@certs/mesh.sh $(BIN)
	@routes/quickstart.sh $(BIN)

run-group: build ## Starts four services that call each other through one group gateway; Ctrl-C ends all.
	@routes/group-demo.sh $(BIN)

test: deps-test lint ## Lint, debug build, every test, release build, the binary's libraries, the instruction budget.
	$(SWIFT) build --build-tests $(CHECKED)
	@$(SWIFT) test $(CHECKED) 2>&1 | tee $(TEST_LOG) || { $(call tell-failures,$(TEST_LOG)); exit 1; }
	$(SWIFT) build -c release $(CHECKED)
	@$(MAKE) --no-print-directory check-binary check-routes bench-instructions

lint: ## Style, as .swift-format says.
	$(SWIFT) format lint --strict --recursive --parallel Sources Tests Package.swift

# The Swift runtime is linked statically, and neither Foundation nor Dispatch is: they would cost each worker 4 MB.
check-binary:
	@libraries="$$(ldd $(BIN))"; \
	if grep -E 'libswift|Foundation|dispatch|BlocksRuntime|libicu' <<<"$$libraries"; then \
		echo "error: the libraries above must not be needed by $(BIN)"; exit 1; \
	fi; \
	if nm --dynamic --undefined-only $(BIN) | grep -E 'pthread_create|thrd_create'; then \
		echo "error: $(BIN) can start threads, but is compiled for one (Package.swift)"; exit 1; \
	fi; \
	echo "check-binary: no Swift, Foundation or Dispatch library is loaded at run time, and no thread is started"

# What a user copies from must be right: every file by itself, and the folder as a whole.
check-routes:
	@certs/self-signed.sh
	@certs/mesh.sh $(BIN)
	@for path in routes routes/*.yaml; do $(BIN) check "$$path" || { echo "error: $$path"; exit 1; }; done; \
	echo "check-routes: clean"

install: build ## Places the binary in $(PREFIX)/bin.
	install -D -m 755 -s $(BIN) $(DESTDIR)$(PREFIX)/bin/sluice

uninstall: ## Removes it again.
	rm -f $(DESTDIR)$(PREFIX)/bin/sluice

bench: deps-bench build ## Measures Sluice beside nginx, HAProxy and Envoy (BENCH='--quick small' for less).
	SLUICE_BENCH_VENV=$(CURDIR)/$(BENCH_VENV) python3 loadtest/bench.py --sluice $(BIN) $(BENCH)

bench-instructions: ## Instructions of a worker for each exchange, against loadtest/instructions.budget.
	@test -x $(BIN) || $(SWIFT) build -c release $(CHECKED)
	python3 loadtest/instructions.py --sluice $(BIN)

fuzz: deps ## Each fuzzer for FUZZ_SECONDS (60).
	Tests/Fuzz/run.sh $(or $(FUZZ_SECONDS),60)

clean: ## Removes what was built and measured.
	$(SWIFT) package clean || rm -rf .build
	rm -rf loadtest/results loadtest/build
