# Nightlight's doors. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
CACHE := $(CURDIR)/.cache
BIN := $(CURDIR)/bin/nightlight
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo dev)
# All that may be compiled or embedded: tables, templates and styles too.
GO_SOURCES = $(shell find main.go go.mod go.sum api eval models pipeline queue workers \( -path models/train -o -path models/weights -o -name testdata \) -prune -o -type f ! -name '*_test.go' ! -name '*.md' -print)

.PHONY: help setup up up-scale test test-setup check bench hostile fuzz clean apt-run apt-test

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup: apt-run $(BIN) ## install what is missing, fetch and convert models, build ./bin/nightlight
	@$(BIN) models fetch

up: setup ## run it: sample messages, photos and a clip, a table of verdicts, then serve (ONCE=1 stops after the table)
	@$(BIN) up --samples $(if $(filter 1,$(ONCE)),--once)

up-scale: setup $(CACHE)/bin/versitygw apt-test ## the same with PostgreSQL, Redis, an S3 server and separate processes
	@.ci/scale

test: test-setup ## set up and run every test with the race detector
	@.ci/static
	NIGHTLIGHT_VERSITYGW=$(CACHE)/bin/versitygw NIGHTLIGHT_TEST_BINARY=$(BIN) go test -race -timeout 30m ./...

test-setup: setup $(CACHE)/bin/versitygw apt-test

check: ## format, vet, import graph, build without cgo: what is quick
	@.ci/static
	go test ./pipeline ./pipeline/words ./queue/review
	go test -run 'Rooms|NeedC|Middle|Docker|Compose|Image|Metrics|Gate|Seed|Licence' ./eval

bench: setup $(CACHE)/peers/.done ## CPU-ms an item beside bare ONNX Runtime, and a photo beside sharp and nsfwjs, each in one run
	@$(BIN) eval bench && ended=0 || ended=$$?; $(BIN) eval peers --folder $(CACHE)/peers && exit $$ended

hostile: ## FILES (6000) broken, hostile and odd pictures through a decoding child; PHOTOS=DIR adds a folder of them
	NIGHTLIGHT_HOSTILE=$(or $(FILES),6000) NIGHTLIGHT_HOSTILE_DIR=$(PHOTOS) CGO_ENABLED=0 go test -count=1 -timeout 60m -run 'EachHostile' -v ./pipeline/media

fuzz: ## each fuzz target for FUZZTIME (60s)
	@.ci/fuzz $(or $(FUZZTIME),60s)

clean: ## remove what was built and fetched
	rm -rf bin .cache

$(BIN): $(GO_SOURCES)
	@echo "setup: building bin/nightlight (the first time takes a few minutes)"
	@mkdir -p bin
	@CGO_ENABLED=1 go build -trimpath -ldflags "-X main.version=$(VERSION)" -o $(BIN) .

apt-run:
	@.ci/apt redis-server=redis-server ffmpeg=ffmpeg libturbojpeg.so.0=libturbojpeg0 libheif.so.1=libheif1

apt-test:
	@.ci/apt postgres=postgresql chromium=chromium fonts=fonts-noto-cjk espeak-ng=espeak-ng

$(CACHE)/peers/.done:
	@echo "setup: installing the packages of the peers (npm)"
	@mkdir -p $(@D) && npm install --prefix $(@D) --no-audit --no-fund --loglevel error --ignore-scripts --no-save sharp@0.34.5 onnxruntime-node@1.30.0 \
		nsfwjs@4.4.0 @tensorflow/tfjs@4.22.0 @tensorflow/tfjs-backend-wasm@4.22.0 jpeg-js@0.4.4 >/dev/null
	@touch $@

$(CACHE)/bin/versitygw:
	@echo "setup: building versitygw v1.8.0, the S3 server of the tests (a few minutes)"
	@mkdir -p $(CACHE)/bin
	@cd / && GOBIN=$(CACHE)/bin go install github.com/versity/versitygw/cmd/versitygw@v1.8.0
