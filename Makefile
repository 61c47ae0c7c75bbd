# What a developer runs. "make" alone prints the list.
# Needs Go 1.26 and make; "lint" and "bench" need what .ci/run installs.

GO       ?= go
FUZZTIME ?= 30s
PKG      ?= ./...
MUTANTS  ?= 20000
RUNS     ?= 500
KILLS    ?= 1000
OSES     := linux windows darwin
LINTER   := $(shell command -v golangci-lint || echo "$$($(GO) env GOPATH)/bin/golangci-lint")
WRIT     := bin/writ
# The programs that tests need; .ci/run installs them.
PEERS    := gpg gpgv osslsigncode openssl softhsm2-util pkcs11-tool curl keytool python3 node perl ruby opa bwrap systemd-analyze git shellcheck pre-commit

.DEFAULT_GOAL := help
.PHONY: help build demo test test-tags test-vault vet race lint fuzz fuzz-gpg cover cover-policy mutate bench long-output soak soak-ledger clean

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | sort | while IFS="$$(printf '\t')" read -r t d; do printf '  make %-12s %s\n' "$$t" "$$d"; done

build: ## build bin/writ
	$(GO) build -trimpath -o $(WRIT) ./cmd/writ

demo: build ## the first run, for real: sign, verify, run, deny, refuse (a minute)
	@PATH="$(CURDIR)/bin:$$PATH" sh examples/demo.sh

test: ## vet, then every test, among them one that checks the types for the other systems; says what it skips
	$(GO) vet $(PKG)
	@for tool in $(PEERS); do PATH="$$PATH:$$($(GO) env GOPATH)/bin" command -v $$tool >/dev/null || echo "skipped: the tests that need $$tool, which is not installed"; done
	@[ -d ../shared ] || echo "skipped: the tests over the folder shared, which is not beside the repository"
	@echo "an emulator stands in for Vault, held to recorded answers; the real one: make test-vault"
	$(GO) test $(PKG)

test-tags: ## the tests of what the build tags cloudkms and nosigstore change, with each of them
	$(GO) test -tags cloudkms ./signer
	$(GO) test -tags cloudkms -run '^TestScripts$$/^(keys|sign)' ./cmd/writ
	$(GO) test -tags nosigstore ./verifier ./format ./cmd/writ

test-vault: ## build a real Vault (10 minutes of CPU, 2 GB of disk) and sign with keys of its transit engine
	$(GO) -C internal/testenv/vaultserver build -o $(CURDIR)/bin/vaultserver .
	WRIT_VAULT_SERVER="$(CURDIR)/bin/vaultserver" $(GO) test -count=1 -run 'Vault' ./signer
	WRIT_VAULT_SERVER="$(CURDIR)/bin/vaultserver" $(GO) test -count=1 -tags cloudkms -run 'Vault' ./signer
	WRIT_VAULT_SERVER="$(CURDIR)/bin/vaultserver" $(GO) test -count=1 -run '^TestEachKeySourceSignsForEachVerifier$$/Vault' ./cmd/writ

vet: ## go vet for linux, windows and darwin (minutes where nothing is compiled yet)
	@set -e; for os in $(OSES); do echo "vet for $$os"; CGO_ENABLED=0 GOOS=$$os $(GO) vet $(PKG); done

race: ## every test under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race $(PKG)

lint: ## golangci-lint with .golangci.yml: no findings allowed
	$(LINTER) run $(PKG)

fuzz: ## each fuzz target for FUZZTIME (30s); PKG=./internal/cms/... for one
	@set -e; for pkg in $$($(GO) list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' $(PKG)); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "fuzz $$pkg $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 50x -parallel 2 $$pkg; \
	  done; \
	done

fuzz-gpg: ## MUTANTS (20000) documents, the same each time: valid here only with the text that gpg writes
	WRIT_GPG_MUTANTS=$(MUTANTS) $(GO) test -count=1 -timeout 2h -v -run '^TestClearsignMutantsReadAsGnuPGReadsThem$$' ./format

long-output: ## a run that writes 1 GiB, with logs, lines and a secret: says throughput and memory
	WRIT_LONG_OUTPUT=1024 $(GO) test -count=1 -v -run '^TestALongOutputTakesConstantMemory$$' ./worker

soak-ledger: ## kill 1,000 processes (KILLS) that append to ledgers, at random moments
	WRIT_KILLS=$(KILLS) $(GO) test -count=1 -timeout 1h -v -run '^TestKillsAtRandomPointsLoseNothingThatWasConfirmed$$' ./ledger

cover: ## coverage of each function, the least covered first
	$(GO) test -coverpkg=./... -coverprofile=cover.out $(PKG)
	@$(GO) tool cover -func=cover.out | awk '{print $$NF, $$1, $$2}' | sort -n | { head -30; echo ...; tail -1; }

cover-policy: ## statement coverage of the package policy: less than 100 % fails
	@$(GO) test -count=1 -coverprofile=cover.out ./policy
	@$(GO) tool cover -func=cover.out | awk '$$NF != "100.0%" {print; bad = 1} END {exit bad}'

mutate: ## take each rule and each condition out of the built-in library: a test must notice (minutes)
	WRIT_MUTATE=1 $(GO) test -count=1 -timeout 1h -v -run '^TestNothingOfTheLibraryCanBeTakenAwayUnseen$$' ./policy

soak: ## RUNS (500) runs, 8 at a time, with gates and runbooks killed at random: nothing may be left
	WRIT_SOAK=$(RUNS) $(GO) test -count=1 -timeout 1h -v -run '^TestRunsThatAreKilledLeaveNothing$$' ./cmd/writ

bench: build ## ours beside osslsigncode, gpg and bash; fails where a bar is missed (not with REPORT=1)
	WRIT_BENCH_REPORT="$(REPORT)" WRIT_BENCH_PROGRAM="$(CURDIR)/$(WRIT)" $(GO) test -tags bench -count=1 -timeout 20m -run '^TestBars$$' -v ./internal/bench

clean: ## remove what the other targets wrote
	rm -rf bin cover.out writ-demo
