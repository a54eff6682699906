# `make` says what there is. Everything is built in the dev profile; what is made is under target/, what is kept under
# weir-data/.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# rustup puts cargo here; a shell that is not a login shell may not have it on PATH.
export PATH := $(PATH):$(HOME)/.cargo/bin

# Where cargo puts the programs.
PROGRAMS := $(or $(CARGO_TARGET_DIR),target)/debug
KAFKA_JARS := $(CURDIR)/target/kafka
# The port of `make run` and `make kafka`: where Weir's programs look when they are told nothing else. 0: a free one.
KAFKA_PORT ?= 9092
KAFKA_DATA ?= weir-data/kafka
CARGO_DENY_VERSION := 0.20.2
CARGO_MACHETE_VERSION := 0.9.2
TOOLS := $(CURDIR)/target/tools/bin

.PHONY: help
help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do printf '  make %-16s %s\n' "$$name" "$$text"; done

.PHONY: run
run: deps ## Build, start everything in one process, and send sample deliveries; Ctrl-C stops all of it
	cargo build -p weir
	$(PROGRAMS)/weir up --simulate

.PHONY: kafka
kafka: test-deps kafka-jars ## Start one Kafka broker, for `WEIR__BUS__KAFKA__BROKERS=127.0.0.1:9092 make run`; Ctrl-C stops it
	cargo build -p weir-tests --bin weir-kafka
	$(PROGRAMS)/weir-kafka --data $(KAFKA_DATA) --port $(KAFKA_PORT)

.PHONY: kafka-jars
kafka-jars: $(KAFKA_JARS)/.complete ## Download Apache Kafka with Maven, once

$(KAFKA_JARS)/.complete: tests/kafka/pom.xml | test-deps
	rm -rf $(KAFKA_JARS).new
	mvn -q -B -Dstyle.color=never -f tests/kafka/pom.xml dependency:copy-dependencies -DoutputDirectory=$(KAFKA_JARS).new
	touch $(KAFKA_JARS).new/.complete
	rm -rf $(KAFKA_JARS)
	mv $(KAFKA_JARS).new $(KAFKA_JARS)

# All targets at once, so that the programs that the tests start and the tests themselves share every compiled library.
.PHONY: test
test: test-deps kafka-jars ## Install what the tests need, and run all of them
	cargo build --workspace --all-targets
	cargo test --workspace --all-targets

# Programs and bench in one build, and of the same packages again: else libraries are compiled twice.
# TABLE=docs/performance.md renews the table there; BENCH has more arguments, as "--only door-1k".
.PHONY: bench
bench: test-deps kafka-jars ## Measure what Weir costs beside its parts alone, in release: 4 minutes after the build (20 the first time)
	cargo build --release -p weir-tests -p streaming -p processing --bins --bench pipeline
	cargo bench -p weir-tests -p streaming -p processing --bench pipeline -- \
		--json $(CURDIR)/target/bench.json $(if $(TABLE),--markdown $(abspath $(TABLE))) $(BENCH)

# CLAIMS has arguments, as "--embedded 1000000 --redis 0".
.PHONY: claims-scale
claims-scale: test-deps ## Measure what claims take, at 100 million and 10 million, in release; CLAIMS says how many
	cargo build --release -p weir-tests --bin claims-scale
	$(or $(CARGO_TARGET_DIR),target)/release/claims-scale $(CLAIMS)

# ROUNDS=200 SEED=7 runs random faults instead; TABLE=docs/faults.md renews the table there; FAULTS has more arguments, as
# "brokers-away --logs DIR" or "--list".
.PHONY: faults
faults: test-deps kafka-jars ## Break everything that can break, once, and check that nothing is lost
	cargo build --workspace --bins
	cargo test -p weir-tests --test faults -- $(if $(ROUNDS),--rounds $(ROUNDS) --seed $(or $(SEED),1),$(if $(FAULTS),,--all)) \
		$(if $(TABLE),--markdown $(abspath $(TABLE))) $(FAULTS)

# TABLE=docs/performance.md renews the table there; OVERLOAD has more arguments, as "--logs DIR".
.PHONY: overload
overload: test-deps kafka-jars ## Offer the door ten times what it can take, and hold its connections: 3 minutes after the build
	cargo build --workspace --bins
	cargo test -p weir-tests --test overload -- --full $(if $(TABLE),--markdown $(abspath $(TABLE))) $(OVERLOAD)

.PHONY: lint
lint: deps $(TOOLS)/cargo-deny $(TOOLS)/cargo-machete ## Check the format, clippy, licences, dependencies; builds two tools the first time (minutes)
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets -- -D warnings
	PATH="$(TOOLS):$$PATH" cargo deny check bans licenses sources
	PATH="$(TOOLS):$$PATH" cargo machete

.PHONY: deny
deny: deps $(TOOLS)/cargo-deny ## Check licences and dependencies, and security advisories from the network
	PATH="$(TOOLS):$$PATH" cargo deny check

# Tools of exact versions, beside what is built and not in anybody's home.
$(TOOLS)/cargo-deny: | deps
	cargo install --quiet --locked --root target/tools --target-dir target/tools/build cargo-deny --version $(CARGO_DENY_VERSION)

$(TOOLS)/cargo-machete: | deps
	cargo install --quiet --locked --root target/tools --target-dir target/tools/build cargo-machete --version $(CARGO_MACHETE_VERSION)

.PHONY: fmt
fmt: deps ## Format the code
	cargo fmt --all

.PHONY: deps
deps: ## Install what building and running needs, where something is missing
	@scripts/install.sh run

.PHONY: test-deps
test-deps: ## Install what the tests need, where something is missing
	@scripts/install.sh test

.PHONY: proto-release
proto-release: deps ## Release the schemas as they are: from then on a test refuses what breaks them
	cargo run -p weir-tests --bin proto-release

.PHONY: compose-secrets
compose-secrets: ## Write the secrets of docker-compose.yml, once
	@scripts/compose-secrets.sh

.PHONY: clean-data
clean-data: ## Remove weir-data: Kafka's data and all that was kept by make run
	rm -rf weir-data
