# `make help` lists what there is. Everything that is made goes to build/.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO ?= go
# INTEGRATION=off leaves the cluster out of `make test`, for machines without root or Docker.
INTEGRATION ?= on
# How long each fuzz target runs in `make fuzz`.
FUZZTIME ?= 20s
# How many events `make demo` lands.
EVENTS ?= 1000000

GOLANGCI_VERSION := v2.15.0
GOVULNCHECK_VERSION := v1.9.0
GOLANGCI := build/bin/golangci-lint-$(GOLANGCI_VERSION)

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
# Packages with tests that need the cluster; they run one after the other, since there is one cluster.
CLUSTER_PACKAGES = $(shell grep -rl --include='*_test.go' '^//go:build integration' --exclude-dir=build . | xargs -r -n1 dirname | sort -u)
CLUSTER := integration/cluster/cluster.sh

##@ Build and try

.PHONY: build
build: ## build/penstock, one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o build/penstock ./cmd/penstock

.PHONY: demo
demo: build ## a million events from an embedded broker into Parquet, with a kill -9 in the middle
	build/penstock demo --dir build/demo --events $(EVENTS)

##@ Test

.PHONY: test
test: setup ## everything: lint, unit, race, suites, and the tests on the real cluster (INTEGRATION=off leaves those out)
	$(MAKE) lint
	$(MAKE) unit
	$(MAKE) suites
	$(MAKE) race
	$(MAKE) integration

.PHONY: unit
unit: ## the quick part, within a minute
	$(GO) test -short ./...

.PHONY: suites
suites: ## the same at full length: duels of 10,000 seeds, every crash, every lost answer
	$(GO) test ./...

.PHONY: race
race: ## under the race detector
	$(GO) test -race -short ./...

.PHONY: integration
ifeq ($(INTEGRATION),off)
integration:
	@echo 'integration: the tests on the real cluster were left out (INTEGRATION=off)'
else
integration: setup ## the tests that need the cluster
	$(CLUSTER) up
	$(GO) test -tags integration -count=1 -p 1 -timeout 30m $(CLUSTER_PACKAGES)
endif

.PHONY: lint
lint: $(GOLANGCI) ## golangci-lint with the set in .golangci.yml, format included
	$(GOLANGCI) run ./...

.PHONY: mutants
mutants: ## plant bugs in the commit protocol; its tests must catch each
	$(GO) run ./hdfssink/mutants

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME
	for file in $$(grep -rl --include='*_test.go' '^func Fuzz' --exclude-dir=build .); do \
	  for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file"); do \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x "$$(dirname "$$file")"; \
	  done; \
	done

.PHONY: bench
bench: setup ## speed and memory, against their bounds (integration/bench/RESULTS.md)
	integration/setup.sh packages java
	$(CLUSTER) up
	$(GO) test -tags integration -count=1 -timeout 120m -run '^$$' -bench . ./integration/bench/...

.PHONY: nightly
nightly: setup ## the long forms: a million events through every fault, race detector at full length, mutants, fuzzing
	GOARCH=arm64 $(GO) build ./...
	GOOS=darwin $(GO) build ./...
	$(GO) test -race -timeout 60m ./...
	$(MAKE) mutants
	$(MAKE) fuzz
	$(CLUSTER) up
	PENSTOCK_NIGHTLY=1 $(GO) test -tags integration -count=1 -p 1 -timeout 120m $(CLUSTER_PACKAGES)

.PHONY: vuln
vuln: ## known vulnerabilities in what we depend on
	$(GO) run golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION) ./...

##@ The test cluster (integration/README.md)

.PHONY: cluster-up cluster-down cluster-status cluster-shell cluster-reset
cluster-up: setup-docker ## start it: KDC, HDFS, Kafka (build the image first, if it is missing)
	$(CLUSTER) up
cluster-down: ## stop it; the data stay in build/cluster
	$(CLUSTER) down
cluster-status: ## each server: state, readiness, memory
	$(CLUSTER) status
cluster-shell: ## a shell with kinit, hdfs and Kafka's tools on the PATH
	$(CLUSTER) shell
cluster-reset: ## stop it and remove its data
	$(CLUSTER) reset

##@ Housekeeping

.PHONY: fmt
fmt: $(GOLANGCI) ## format the source
	$(GOLANGCI) fmt ./...

.PHONY: clean
clean: ## remove build/ (the cluster must be down)
	@! docker ps -q --filter label=io.penstock.cluster=$(CURDIR)/build/cluster 2>/dev/null | grep -q . || \
	  { echo 'the cluster runs with its data in build/cluster: make cluster-down first'; exit 1; }
	rm -rf build

# What takes minutes on a new machine, side by side: the linter is compiled while the image is downloaded.
.PHONY: setup setup-packages setup-docker setup-image setup-readers setup-registry
ifeq ($(INTEGRATION),off)
setup: setup-packages
	$(MAKE) $(GOLANGCI)
else
setup: setup-docker
	$(MAKE) -j3 --output-sync=target $(GOLANGCI) setup-image setup-readers setup-registry
endif
setup-packages:
	integration/setup.sh packages
setup-docker:
	integration/setup.sh packages docker
setup-image:
	$(CLUSTER) image
setup-readers:
	if [ -x integration/readers/setup.sh ]; then integration/readers/setup.sh; fi
setup-registry:
	integration/setup.sh java
	integration/apicurio/setup.sh

$(GOLANGCI):
	mkdir -p build/bin
	GOBIN=$(CURDIR)/build/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv build/bin/golangci-lint $@
	ln -sf $(notdir $@) build/bin/golangci-lint

.PHONY: help
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
