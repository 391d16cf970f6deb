# Everything a contributor runs. `make` alone lists it. Works with GNU make 3.81 (the
# one on macOS) and newer; the longer recipes are scripts in tools/.

FUZZTIME ?= 10s
BENCH    ?= .
ARGS     ?=
ROWS     ?=
QUICK    ?=

# One module, or a few, instead of all of them: make test MODULES="./devtls ./e2e".
MODULES ?=

# make release VERSION=v0.12.0
VERSION ?=

export FUZZTIME BENCH MODULES ROWS QUICK

.DEFAULT_GOAL := help
.PHONY: help demo test e2e lint commits house fuzz bench bench-go release clean

help:
	@echo 'Cognate: sign-in for web apps with Amazon Cognito'
	@echo
	@echo '  make demo     start the demo: https://127.0.0.1:5000   ARGS="--addr 127.0.0.1:5443"'
	@echo '  make test     run the tests of every module            MODULES="./e2e" for one'
	@echo '  make e2e      run the browser tests alone              CHROMIUM=/path/to/browser'
	@echo '  make lint     check format, vet and lint every module; look for dead code'
	@echo '  make commits  check what the new commits say           tools/commits.sh A..B for others'
	@echo '  make house    print how large packages, types and files are'
	@echo '  make fuzz     run every fuzz target for a while        FUZZTIME=$(FUZZTIME)'
	@echo '  make bench    measure sign-in beside other ways        ROWS="cognate,scs,bearer" QUICK=1'
	@echo '  make bench-go run the Go benchmarks of every module    BENCH=Session'
	@echo '  make release  make a version, here alone               VERSION=v0.12.0 ARGS=-dry-run'
	@echo '  make clean    remove what the others built'
	@echo

demo:
	@go run ./demo $(ARGS)

test:
	@tools/test.sh

e2e:
	@MODULES=./e2e tools/test.sh

lint: bin/golangci-lint bin/deadcode
	@tools/lint.sh

commits:
	@tools/commits.sh

house:
	@cd internal/house && go test -run TestFigures -figures

fuzz:
	@tools/fuzz.sh

bench:
	@tools/bench.sh

bench-go:
	@tools/bench-go.sh

release:
	@tools/release.sh $(ARGS) $(VERSION)

clean:
	rm -rf bin dist

# The linters have a module of their own, so that their two hundred dependencies stay out of
# everyone else's. The workspace is off because it would choose other versions.
bin/golangci-lint: tools/go.mod tools/go.sum
	@echo 'building the linter: one to two minutes, once'
	@cd tools && GOWORK=off go build -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch $@

bin/deadcode: tools/go.mod tools/go.sum
	@cd tools && GOWORK=off go build -o ../$@ golang.org/x/tools/cmd/deadcode
	@touch $@
