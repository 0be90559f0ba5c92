# What one can do here: make help.

# Everything is pinned, the toolchain too: none is fetched behind one's back.
export GOTOOLCHAIN := local

ITEMS    ?= 20000
MESSAGES ?= 5000
DAYS     ?= 90
IMAGE    ?= dialogsync

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## live sync and history of three sources, side by side, and the proof (ITEMS=20000 MESSAGES=5000 DAYS=90)
	go run ./cmd/demo -items $(ITEMS) -messages $(MESSAGES) -days $(DAYS)

.PHONY: demo-short
demo-short: ITEMS = 3000
demo-short: MESSAGES = 1000
demo-short: DAYS = 10
demo-short: demo ## the same in its short form, as CI runs it

.PHONY: test
test: ## all tests with the race detector; PostgreSQL is found or started
	go run ./cmd/withpostgres -- go test -race ./...

.PHONY: test-short
test-short: ## all tests, quicker: without the race detector and the slowest
	go run ./cmd/withpostgres -- go test -short ./...

.PHONY: bench
bench: ## all benchmarks
	go run ./cmd/withpostgres -- go test -run '^$$' -bench . -benchmem ./...

.PHONY: lint
lint: ## all linters
	"$$(.ci/tool golangci-lint)" run ./...

.PHONY: fmt
fmt: ## format all Go code
	"$$(.ci/tool golangci-lint)" fmt

.PHONY: generate
generate: ## typed Go from internal/db/queries, with sqlc
	cd internal/db && "$$(../../.ci/tool sqlc)" generate
	.ci/generated --record

.PHONY: build
build: ## dialogsync and altinnsim into ./bin
	CGO_ENABLED=0 go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/ ./cmd/dialogsync ./cmd/altinnsim

.PHONY: image
image: ## container images, with Docker (IMAGE=dialogsync)
	docker build --file deploy/Dockerfile --target dialogsync --build-arg VERSION=$(VERSION) --tag $(IMAGE) .
	docker build --file deploy/Dockerfile --target altinnsim --build-arg VERSION=$(VERSION) --tag $(IMAGE)-altinnsim .
