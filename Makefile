# The whole project by name: `make help`. GNU make 3.81 or later.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

PREFIX ?= /usr/local
RECIPE ?= Recipes/fashion-mnist-demo.yaml
DISTILL := .build/release/distill
# A test's time limit counts from when it begins, so it should not wait for its turn after that.
TESTS_AT_ONCE ?= 4

# Homebrew's headers and libraries lie outside the compiler's own search path.
ifeq ($(shell uname),Darwin)
HOMEBREW := $(shell brew --prefix 2>/dev/null)
export CPATH := $(HOMEBREW)/include:$(CPATH)
export LIBRARY_PATH := $(HOMEBREW)/lib:$(LIBRARY_PATH)
endif

.PHONY: setup ready build test demo bench format lint docs install help clean

setup: ## Install what the build needs: Debian packages, libtorch (LIBTORCH=DIR, PIP_ARGS=..., PYTHON=FILE)
	@Scripts/setup.sh

# What the other targets need of it: the same, but a libtorch chosen earlier by LIBTORCH stays.
ready:
	@Scripts/setup.sh --keep

build: ready ## Build the command and the library: .build/release/distill
	swift build -c release

test: ready ## Build everything and run the tests (ARGS="--filter Golden")
	swift build -c release --build-tests
	SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=$(TESTS_AT_ONCE) \
	    swift test -c release --skip-build --disable-xctest $(ARGS)

demo: build ## Distil Fashion-MNIST, compare, write Runs/fashion-mnist-demo/report.html (ARGS="--set ...")
	$(DISTILL) run $(RECIPE) $(ARGS)

bench: build ## Measure a DiT, steps of DM and IDC-1, and the training of networks beside PyTorch
	Benchmarks/run.sh $(ARGS)
	Benchmarks/methods.sh --work dm,idc-1 --repetitions 3
	Benchmarks/evaluation.sh --repetitions 3

format: ## Format the Swift sources in place
	swift format --in-place --recursive Package.swift Sources Tests Benchmarks

lint: ## Check format, scripts and file sizes
	@Scripts/lint.sh

docs: ready ## Write the library's reference into .build/docs; warnings are errors
	@Scripts/docs.sh

install: build ## Install the command and its libraries under PREFIX (default /usr/local)
	@Scripts/install.sh "$(PREFIX)"

clean: ## Remove what was built; .venv, .libtorch and Runs stay
	rm -rf .build .build-*

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile
