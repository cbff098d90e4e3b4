# Lectern. `make` alone lists what there is.
# Needs git, make, a C++ compiler, and Bun or Node with npm; everything else comes from the package registry.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Options of `lectern serve`, such as ARGS="--port 9000"; LECTERN_PORT and the like work too.
ARGS ?=

# How long `make soak` takes; may have a fraction.
HOURS ?= 1

BUN_VERSION := $(shell sed -n 's/^ *"bun": "\([0-9.]*\)".*/\1/p' package.json)
# The Bun on PATH if it is exactly the one wanted, else our own in .bun/.
BUN := $(shell if [ "$$(bun --version 2>/dev/null)" = "$(BUN_VERSION)" ]; then command -v bun; else echo .bun/bun; fi)
INSTALLED := node_modules/.lectern-installed
NATIVE := dist/native/.built
# Where `make clients` puts the Python packages; the Python in docs/ runs with them.
PYTHON_OF_CLIENTS := $(CURDIR)/dist/clients/python/venv/bin/python
SOURCES := $(shell find src models/lectern-embed* -type f ! -name '*.test.ts' 2>/dev/null)

.PHONY: addon bench bench-turns build check clean clients coverage deb deb-test dev docs eval faults fmt help image install ocr-eval powerloss release release-test run soak test

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: dist/lectern ## install, build, and start the server on http://127.0.0.1:8080
	dist/lectern serve $(ARGS)

dev: addon ## start the server from source and restart it when a file changes
	$(BUN) --watch src/main.ts serve $(ARGS)

check: $(INSTALLED) ## format, lint, types, architecture
	$(BUN) test/run.ts check

fmt: $(INSTALLED) ## rewrite the files in the project's format
	$(BUN) node_modules/oxfmt/bin/oxfmt -c test/oxfmt.json src test README.md docs package.json tsconfig.json

docs: dist/lectern ## write the parts of docs/ that are made from the program: settings, verbs, operations, metrics
	$(BUN) test/docs/generate.ts
	$(BUN) node_modules/oxfmt/bin/oxfmt -c test/oxfmt.json README.md docs

test: $(NATIVE) ## everything: checks, unit tests, the build, whole-system tests on the binary
	$(BUN) test/run.ts all

coverage: $(NATIVE) ## lines that the unit tests alone reach, room by room, with bounds
	$(BUN) test/coverage.ts

clients: dist/lectern ## the contract walked by clients in Python, Go, Rust and Java; one whose toolchain is missing is skipped by name
	$(BUN) test/clients/run.ts $(CLIENTS)
	if [ -x $(PYTHON_OF_CLIENTS) ]; then LECTERN_TEST_PYTHON=$(PYTHON_OF_CLIENTS) $(BUN) test --only-failures --timeout=240000 ./test/docs/transcripts.test.ts ./test/docs/examples.test.ts; fi

faults: dist/lectern ## every system call of every kind of write fails once; hours. FAULT_SCRIPTS, FAULT_KINDS, FAULT_CALLS choose
	$(BUN) test/faults/run.ts

powerloss: dist/lectern ## the power goes at every point of every kind of write: 20,000 states unless POWER_STATES says so
	$(BUN) test/faults/powerloss.ts

soak: dist/lectern ## HOURS=1: used in every way, disturbed and watched for so long; dist/soak/index.html has the plots
	HOURS=$(HOURS) $(BUN) test/soak/run.ts

sanitize: $(INSTALLED) ## the C++ of the addon under sanitizers; skipped by name where the compiler has none
	$(BUN) test/native/sanitize.ts

bench: dist/lectern ## speed: a table and one JSON line per row
	$(BUN) test/bench/run.ts

bench-turns: dist/lectern ## the same beside OTHER=<checkout>, in turns: ratios with their 95 % interval
	$(BUN) test/bench/turns.ts $(OTHER)

eval: dist/lectern ## retrieval quality: a table and one JSON line per row
	$(BUN) test/eval/run.ts

ocr-eval: $(INSTALLED) ## how well scans are read: a table and one JSON line per row
	$(BUN) test/ocr/run.ts

build: dist/lectern ## dist/lectern, one file, for this machine's platform

deb: dist/lectern ## dist/lectern_VERSION_ARCH.deb, the package for Debian and Ubuntu
	$(BUN) src/build/deb/make.ts

deb-test: dist/lectern ## the package on a small Debian with systemd: installed, used, upgraded, purged; needs root and debootstrap, else skipped by name
	$(BUN) test/service/debian.ts

release: $(NATIVE) ## dist/release: archives for Linux on x86-64 and arm64, bills of materials, sums
	$(BUN) src/build/release.ts

image: ## dist/release: container images of what `make release` made; on Debian and its relatives
	$(BUN) src/build/image.ts

release-test: $(NATIVE) ## build the release in two folders, compare, and try the archives and the image
	$(BUN) test/release/build.ts
	$(BUN) test --only-failures --timeout=240000 ./test/release

addon: $(NATIVE) ## compile the addons that tests and `make dev` load

install: $(INSTALLED) ## get Bun and the dependencies

clean: ## remove what was built and installed (never a data directory)
	rm -rf dist node_modules .bun

.bun/bun: src/build/get-bun.sh package.json
	sh src/build/get-bun.sh $(BUN_VERSION)
	touch $@

# No package's install script runs: the one file that needs compiling is compiled by `make addon`.
$(INSTALLED): package.json bun.lock bunfig.toml $(wildcard src/build/patches/*) $(filter .bun/bun,$(BUN))
	$(BUN) install --frozen-lockfile --ignore-scripts
	touch $@

$(NATIVE): $(INSTALLED) src/build/addon.ts src/platform/cpu.ts $(wildcard src/index/native/*)
	$(BUN) src/build/addon.ts
	touch $@

dist/lectern: $(NATIVE) $(SOURCES) package.json
	$(BUN) src/build/compile.ts
