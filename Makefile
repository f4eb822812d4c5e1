# LLM-Sentinel. `make help` lists the targets. Only Go, git and make are needed
# for build, run and test; other targets say what they need.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# One set of flags for ocb's sources, tests and lint, so that they share Go's
# build cache. The tags are those of builder-config.yaml.
export CGO_ENABLED ?= 0
TAGS := remove_all_sd,enable_dns_sd,enable_kubernetes_sd
export GOFLAGS := -trimpath -buildvcs=false -tags=$(TAGS)

BIN := bin/otelcol-sentinel
TOOLMOD := internal/tools/go.mod
GO_FILES := $(shell find api cmd exporter extension internal processor -name '*.go' -not -name '*_test.go' 2>/dev/null) $(shell find internal/webui/dist -type f 2>/dev/null)
# The generated main package has no tests. The race detector leaves out the
# packages that only link the whole distribution or drive a browser.
PKGS = $(shell go list ./... | grep -v '/build$$')
# SQLite is C that was translated: under the race detector it costs the store's
# tests five times as much. Its memory (modernc.org/libc) is still watched, which
# shows two goroutines on one connection.
NORACE = modernc.org/sqlite/lib
RACE_PKGS = $(shell go list ./... | grep -v -e '/build$$' -e '/internal/e2e$$' -e '/internal/webui/e2e$$' -e '/internal/distro$$' -e '/bench/pipeline$$')
CONFIG ?= collector-config.yaml
SENTINEL_DATA ?= $(abspath ../shared/data)
export SENTINEL_DATA
ARGS ?=

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-18s %s\n", $$1, $$2}'

## ---- build and run

build/main.go: builder-config.yaml $(TOOLMOD)
	@echo "generating the collector's main package with ocb"
	@mkdir -p build
	@GOFLAGS=-buildvcs=false go tool -modfile=$(TOOLMOD) builder --config builder-config.yaml --skip-get-modules --skip-compilation 2> build/ocb.log || { cat build/ocb.log; exit 1; }
	@touch build/main.go

$(BIN): build/main.go go.mod go.sum $(GO_FILES)
	@mkdir -p bin
	@echo "compiling $(BIN) (a cold build takes 6 to 9 minutes on 2 cores)"
	@go build -ldflags="-s -w" -o $@ ./build

.PHONY: build
build: $(BIN) ## build bin/otelcol-sentinel from builder-config.yaml

bin/llmload bin/sentinelctl: go.mod go.sum $(GO_FILES)
	@mkdir -p bin
	@go build -ldflags="-s -w" -o $@ ./cmd/$(@F)

.PHONY: llmload
llmload: bin/llmload ## build bin/llmload, the traffic generator

.PHONY: sentinelctl
sentinelctl: bin/sentinelctl ## build bin/sentinelctl, the command line for a running collector

.PHONY: run
run: $(BIN) ## build if needed, then start the collector with collector-config.yaml
	@scripts/run.sh $(BIN) $(CONFIG)

.PHONY: demo
demo: $(BIN) bin/llmload ## start the collector, send traffic with incidents, print what was found
	@bin/llmload demo --collector $(BIN) $(ARGS)

.PHONY: validate
validate: $(BIN) ## check every example configuration with the built binary
	@scripts/validate.sh $(BIN)

## ---- tests

.PHONY: test
test: ## every package, and the whole collector in process (no server needed)
	@go test -timeout 10m $(PKGS) $(ARGS)

.PHONY: test-race
test-race: ## the same with the race detector (needs a C compiler)
	@CGO_ENABLED=1 go test -race -gcflags=$(NORACE)=-race=false -timeout 15m $(RACE_PKGS) $(ARGS)

.PHONY: smoke
smoke: $(BIN) bin/llmload ## the built binaries: configurations start, SIGTERM, kill -9, every type of anomaly
	@go test -tags=$(TAGS),e2e -count=1 -timeout 10m ./internal/e2e -run '^TestBinary' -args -binary=$(abspath $(BIN)) -llmload=$(abspath bin/llmload) $(ARGS)

.PHONY: services
services: ## get and start Kafka, RabbitMQ, Redis and InfluxDB on loopback
	@scripts/services/services.sh up

.PHONY: services-down
services-down: ## stop what `make services` started
	@scripts/services/services.sh down

.PHONY: e2e
e2e: $(BIN) services ## one run through examples/full-stack.yaml on the real servers
	@eval "$$(scripts/services/services.sh env)" && \
	  go test -tags=$(TAGS),e2e -count=1 -timeout 15m -v ./internal/e2e -run '^TestFullStack' -args -binary=$(abspath $(BIN)) $(ARGS)

.PHONY: e2e-kafka
e2e-kafka: $(BIN) ## 200,000 OTLP and 200,000 JSON events through a real Kafka, with a collector that dies and one that joins
	@scripts/services/services.sh up kafka && eval "$$(scripts/services/services.sh env kafka)" && \
	  go test -tags=$(TAGS),e2e -count=1 -timeout 30m -v ./internal/e2e -run '^TestFullStackKafka' -args -binary=$(abspath $(BIN)) -kafka-events=$(or $(EVENTS),200000) $(ARGS)

.PHONY: integration
integration: services ## the tests of exporters and of the InfluxDB reader against the real servers, and the same answers from each storage
	@eval "$$(scripts/services/services.sh env)" && \
	  go test -count=1 -timeout 10m ./exporter/... ./internal/store/influx/... ./internal/cache ./extension/queryextension $(ARGS) && \
	  go test -count=1 -timeout 10m ./internal/e2e -run '^TestEachStorage' $(ARGS)

.PHONY: e2e-influx-outage
e2e-influx-outage: ## a real InfluxDB that is away for OUTAGE (default 5m) under load: what is lost, how long catching up takes
	@scripts/services/services.sh up influxdb && eval "$$(scripts/services/services.sh env influxdb)" && \
	  SENTINEL_INFLUX_OUTAGE=$(or $(OUTAGE),5m) go test -count=1 -timeout 60m -v ./exporter/influxdbexporter -run '^TestRealServerGetsEverythingAfterAnOutage' $(ARGS)

.PHONY: price-oracle
price-oracle: ## costs against the reference implementation of genai-prices (needs node, npm and the network)
	@SENTINEL_REQUIRE_ORACLE=1 go test -count=1 -timeout 5m -v ./internal/price -run '^TestCostEqualsTheReference$$' $(ARGS)

.PHONY: cover
cover: ## test coverage, total and per package
	@go test -timeout 10m -coverprofile=cover.out $(PKGS) >/dev/null && go tool cover -func=cover.out | tail -1

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (default 10s) each
	@scripts/fuzz.sh $(or $(FUZZTIME),10s)

.PHONY: web-test
web-test: ## the page in a real Chromium, every view in light and dark (installs chromium by apt when it is missing); SENTINEL_SCREENSHOTS=folder keeps pictures
	@scripts/chromium.sh
	@SENTINEL_REQUIRE_CHROMIUM=1 go test -count=1 -timeout 10m -v ./internal/webui/... $(ARGS)

## ---- benches

.PHONY: bench
bench: ## Go benchmarks of every package
	@go test -run '^$$' -bench . -benchmem $(PKGS) $(ARGS)

.PHONY: bench-pipeline
bench-pipeline: $(BIN) ## CPU cost of the collector per million spans, with and without our components
	@go run ./bench/pipeline -binary=$(abspath $(BIN)) $(ARGS)

.PHONY: bench-influx
bench-influx: ## CPU cost of the InfluxDB exporter per million spans, against contrib's exporter and the same sink
	@cd bench/influx && go run . $(ARGS)

.PHONY: bench-engine
bench-engine: ## processor time, memory and allocations of one judged value, at 100, 10 000 and a million series
	@go run ./bench/engine $(ARGS)

.PHONY: bench-api
bench-api: ## the query interface: 2,000 mixed requests a second on one core, and reading a million events page by page while others arrive
	@go run ./bench/api $(ARGS)

.PHONY: bench-store
bench-store: ## the embedded store at 10 million events (ARGS=-events=N): cost of writing, questions, dropping a day, kill -9
	@go run ./bench/store $(ARGS)

.PHONY: bench-quality
bench-quality: ## how well anomalies are found, on the public series in SENTINEL_DATA
	@go run ./bench/quality $(ARGS)

.PHONY: bench-safety
bench-safety: ## how well personal data and prompt injections are found, on the sets in FOLDER (default SENTINEL_DATA)
	@go run ./bench/safety -folder=$(or $(FOLDER),$(SENTINEL_DATA)) $(ARGS)

.PHONY: train-injection
train-injection: ## make the model of prompt injection anew, from the sets in SENTINEL_DATA
	@go run ./internal/injection/train -data=$(SENTINEL_DATA) $(ARGS)

.PHONY: bench-redact
bench-redact: ## speed of the scanner for personal data and secrets on clean text, and against Go regexps
	@go run ./bench/redact -folder=$(or $(FOLDER),$(SENTINEL_DATA)) $(ARGS)

## ---- upkeep

web/node_modules/.package-lock.json: web/package.json web/package-lock.json
	@cd web && npm ci --no-audit --no-fund
	@touch $@

.PHONY: web
web: web/node_modules/.package-lock.json ## rebuild the page from web/ into internal/webui/dist (needs node 20.19 or later, and npm)
	@cd web && npm run --silent build

.PHONY: web-check
web-check: web ## rebuild the page and fail when the checked-in files differ
	@test -z "$$(git status --porcelain -- internal/webui/dist)" || { git status --short -- internal/webui/dist; echo "internal/webui/dist is out of date: commit what make web has built"; exit 1; }

.tools/bin/golangci-lint: internal/tools/lint/go.mod
	@mkdir -p .tools/bin
	@echo "building golangci-lint (about 2 minutes, once)"
	@cd internal/tools/lint && GOFLAGS=-buildvcs=false go build -o ../../../.tools/bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: lint
lint: .tools/bin/golangci-lint ## golangci-lint with the rules of .golangci.yml
	@.tools/bin/golangci-lint run ./cmd/... ./exporter/... ./extension/... ./internal/... ./processor/... ./bench/...

.PHONY: fmt
fmt: .tools/bin/golangci-lint ## format all code
	@.tools/bin/golangci-lint fmt ./cmd/... ./exporter/... ./extension/... ./internal/... ./processor/... ./bench/...

.PHONY: proto
proto: ## regenerate the Go code of api/ from its .proto files
	@scripts/proto.sh

.PHONY: generate
generate: proto ## regenerate component metadata with mdatagen, and the code of api/
	@for d in processor/*/ exporter/*/ extension/*/; do \
	  (cd $$d && GOFLAGS=-buildvcs=false go tool -modfile=../../$(TOOLMOD) mdatagen metadata.yaml) || exit 1; done

.PHONY: generate-check
generate-check: generate ## fail when generated files are out of date
	@git diff --exit-code -- processor exporter extension api

.PHONY: tidy
tidy: ## go mod tidy; -e because two test-only modules of contrib components cannot be downloaded
	@scripts/tidy.sh

.PHONY: clean
clean: ## remove build output (not data)
	@rm -rf bin build cover.out
