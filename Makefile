# farcall: what to run. `make check` is what CI runs; `make test` is the quick part of it.

SHELL := /bin/bash
GO    ?= go
TOOL  := $(GO) tool -modfile=tools/go.mod

# Version control stamps need a repository that git trusts; checks and tests do not need the stamp.
CHECK_GO := GOFLAGS="$(GOFLAGS) -buildvcs=false" $(GO)

# Arguments for go test, e.g. make test TESTFLAGS='-run TestRegs ./internal/ptrace'
TESTFLAGS ?= ./...
# Arguments for the bench, e.g. make bench BENCHFLAGS='-rounds 3 -only dd'
BENCHFLAGS ?=
FUZZ_SECONDS ?= 120

.PHONY: all build test check format vet lint arm64 generate generated race fuzz demo-remote test-cpython test-remote bench bench-remote vulnerabilities needs clean

all: build

build: ## one static binary, ./farcall
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o farcall ./cmd/farcall

test: needs ## everything but the slow checks
	CGO_ENABLED=0 $(CHECK_GO) test -timeout 15m $(TESTFLAGS)

check: needs format vet arm64 lint generated race fuzz ## all that CI checks

needs: ## the programs that tests and checks run; installs them where apt-get and root are there
	@.ci/needs

format:
	@unformatted=$$(git ls-files --cached --others --exclude-standard -- '*.go' | while read -r f; do if [ -f "$$f" ]; then printf '%s\n' "$$f"; fi; done | xargs -r gofmt -l); \
	if [ -n "$$unformatted" ]; then printf 'gofmt would change:\n%s\n' "$$unformatted"; exit 1; fi

vet:
	CGO_ENABLED=0 $(CHECK_GO) vet ./...

arm64: ## the other architecture type-checks, tests included
	CGO_ENABLED=0 GOARCH=arm64 $(CHECK_GO) vet ./...

lint: ## staticcheck, at the version of tools/go.mod
	GOFLAGS="$(GOFLAGS) -buildvcs=false" $(TOOL) staticcheck ./...

generate: ## rewrite the generated files (z*.go)
	$(CHECK_GO) generate ./...

generated: ## fails where generated files are not what their inputs make of them
	@GO="$(GO)" .ci/generated

race: ## the tests under the race detector, which needs a C compiler
	CGO_ENABLED=1 $(CHECK_GO) test -race -timeout 20m $(TESTFLAGS)

fuzz: ## every fuzz target for its share of FUZZ_SECONDS
	@GO="$(GO)" .ci/fuzz $(FUZZ_SECONDS)

demo-remote: needs ## programs here on the files of a host in namespaces and a chroot of its own; needs root
	CGO_ENABLED=0 $(CHECK_GO) test -count=1 -v -run 'TestRemote' .

test-cpython: ## CPython's own tests through the proxy; needs root and Debian's package sources
	@GO="$(GO)" GOFLAGS="$(GOFLAGS) -buildvcs=false" .ci/cpython

test-remote: ## the long form of the tests of remote files; needs root
	FARCALL_PROGRAMS=10000 FARCALL_FSX=1000000 FARCALL_STRESS=30 CGO_ENABLED=0 $(CHECK_GO) test -count=1 -v -timeout 4h -run 'TestRemote(Oracle|MappedIO|Stress)' .

bench: ## farcall beside strace and perf trace, interleaved; Markdown on stdout
	$(CHECK_GO) run ./internal/bench $(BENCHFLAGS)

bench-remote: ## farcall proxy beside sshfs, over a link of 0, 1 and 20 ms; needs root, sshfs and sftp-server
	$(CHECK_GO) run ./internal/bench/remote $(BENCHFLAGS)

vulnerabilities: ## known ones in what is linked; asks the Go vulnerability database, so it is no part of check
	$(TOOL) govulncheck ./...

clean:
	rm -f farcall
