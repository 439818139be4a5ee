# What one does with this repository. Without a target: this list.

PKG ?= ./...
RUN ?=
FLAGS ?=
BENCH ?= .
COUNT ?= 1
FUZZTIME ?= 60s

.DEFAULT_GOAL := help
.PHONY: help test build sbom bench bench-peers attack timing lint fuzz screens ci clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: ## run the tests; installs what they need, starts its own PostgreSQL (PKG=./session/... RUN=TestFrom FLAGS=-v)
	@PKG='$(PKG)' RUN='$(RUN)' FLAGS='$(FLAGS)' scripts/test

build: ## build bin/ringwall: one static binary
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o bin/ringwall ./cmd/ringwall

sbom: build ## write bin/ringwall.cdx.json: what is compiled into bin/ringwall, as CycloneDX
	scripts/sbom bin/ringwall bin/ringwall.cdx.json

bench: build ## print the table of docs/performance.md, in five minutes; or run benchmarks (PKG=./password BENCH=Hash COUNT=10)
ifeq ($(origin PKG),file)
	@RINGWALL_BENCH_BINARY='$(CURDIR)/bin/ringwall' scripts/with-services go test -run='^$$' -bench='^BenchmarkTable$$' -timeout=20m ./bench
else
	RINGWALL_BENCH_BINARY='$(CURDIR)/bin/ringwall' scripts/with-services go test -run='^$$' -bench='$(BENCH)' -count=$(COUNT) -timeout=60m $(PKG)
endif

bench-peers: ## the chain beside scs, nosurf, unrolled/secure and x/time/rate, in one run
	cd bench/peers && go test -run='^$$' -bench=Chain -benchtime=20000x -count=$(COUNT) .

attack: ## attack two nodes for ten simulated minutes and draw what got through, into docs/attack.svg
	@RINGWALL_ATTACK_FOLDER='$(CURDIR)/docs' scripts/with-services go test -run='^$$' -bench='^BenchmarkAttack$$' -benchtime=1x -timeout=60m ./bench

timing: ## ask whether the time of an answer tells if an account exists: 400 samples a case, Mann and Whitney's test
	@scripts/with-services go test -run='^$$' -bench='^BenchmarkTiming$$' -benchtime=1x -timeout=30m ./bench

lint: ## gofmt, go vet, staticcheck, gosec: what .ci/run looks at before it tests
	@scripts/lint

fuzz: ## fuzz each target for a minute (PKG=./csrf FUZZTIME=10s)
	@PKG='$(PKG)' FUZZTIME='$(FUZZTIME)' scripts/with-services scripts/fuzz

screens: ## take the screenshots of all pages anew, into docs/screens
	RINGWALL_SCREENS=$(CURDIR)/docs/screens scripts/with-services go test -count=1 -run=TestScreens ./internal/webtest

ci: ## everything that must pass before a change is merged
	@bash .ci/run

clean: ## remove what was built and fetched
	rm -rf bin .cache
