# SPDX-License-Identifier: Apache-2.0
# A thin front; the build is CMake (CMakePresets.json).
DEVICES ?= 200
PEOPLE ?= 127.0.0.1:8080
FLEET ?= 127.0.0.1:8443
JOBS ?= $(shell nproc)

.PHONY: help demo test release fuzz cov tidy analyze footprint bench sweep clean

help: ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

demo: ## a server and DEVICES=200 devices on this machine (PEOPLE=, FLEET=: other addresses)
	@tools/install-deps build demo
	@cmake --preset release >/dev/null && cmake --build --preset release -j $(JOBS) --target demo-programs
	@tools/demo --devices $(DEVICES) --people $(PEOPLE) --fleet $(FLEET)

test: ## everything that is tested, with sanitizers
	@tools/install-deps build demo test
	@cmake --preset dev
	@cmake --build --preset dev -j $(JOBS)
	@ctest --preset dev -j $(JOBS)
	@grep -h '^sweep: ' build/dev/Testing/Temporary/LastTest.log

release: ## the programs, as users run them
	@tools/install-deps build
	@cmake --preset release && cmake --build --preset release -j $(JOBS) --target demo-programs

fuzz: ## every fuzz target for SECONDS=60 each
	@tools/install-deps build fuzz
	@cmake --preset fuzz && cmake --build --preset fuzz -j $(JOBS)
	@tools/fuzz-all $(or $(SECONDS),60)

cov: ## line and branch coverage of the tests
	@tools/install-deps build demo test cov
	@cmake --preset cov && cmake --build --preset cov -j $(JOBS) && ctest --preset cov -j $(JOBS)
	@gcovr --root . --filter hf/ --filter ports/ --exclude-throw-branches build/cov | tee build/cov/coverage.txt

tidy: ## clang-tidy over hf/, ports/ and examples/
	@tools/install-deps build lint
	@cmake --preset dev >/dev/null && tools/tidy

analyze: ## gcc -fanalyzer over hf/ and ports/
	@tools/install-deps build
	@tools/analyze

footprint: ## Cortex-M33 object sizes of boot and client, into docs/footprint.md
	@tools/install-deps footprint
	@tools/footprint

bench: ## the benchmarks, beside nginx, into bench/results.md
	@tools/install-deps build bench
	@cmake --preset release >/dev/null && cmake --build --preset release -j $(JOBS) --target bench-programs -- --quiet
	@bench/run

sweep: ## the long power-cut sweep: every operation, way of tearing and byte, in every boot mode
	@tools/install-deps build test
	@cmake --preset release >/dev/null && cmake --build --preset release -j $(JOBS) --target sweep

clean:
	rm -rf build
