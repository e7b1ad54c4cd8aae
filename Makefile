# The two commands of the README are `make demo` and `make test`; everything else serves them.
# All set-up is in tools/setup: it makes .venv from the hashed locks and sees to Debian packages.

PYTHON ?= python3
BIN := .venv/bin
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
	--no-emit-index-url --no-emit-find-links --no-header

# Python compiles each module once, also where the environment says otherwise: hundreds are imported again and again.
export PYTHONDONTWRITEBYTECODE =

# Three times as many workers as cores: most of the time of a test that has a server is waiting. A worker keeps to its
# modules, whose tests share servers, until it has no tests left.
PYTEST := $(BIN)/pytest -n 6 --dist worksteal

define CHECKS
$(BIN)/ruff format --check .
$(BIN)/ruff check .
$(BIN)/mypy
$(BIN)/tls-posture-exporter check-config --config.file=config.example.yaml
endef

.PHONY: demo test pytest quick setup setup-demo setup-quick check format generate handbook lock image bare installs fuzz bench scale soak kills clocks lists hostile kubernetes oracles pictures screenshots sessions zones clean

demo: setup-demo
	$(BIN)/tls-posture-exporter demo $(DEMO_FLAGS)

# Everything CI checks. Format, lint and types are checked while tests wait for servers.
test: setup
	@$(MAKE) --no-print-directory --jobs=2 check pytest

pytest: setup
	$(PYTEST) $(PYTEST_FLAGS)

# What needs no server and no tool of the system: some three minutes on two cores.
quick: setup-quick
	$(CHECKS)
	$(PYTEST) -m "not real" $(PYTEST_FLAGS)

setup:
	@tools/setup test

setup-demo:
	@tools/setup demo

setup-quick:
	@tools/setup quick

check: setup
	$(CHECKS)

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Files that are generated and committed; the tests compare them.
generate: setup
	$(BIN)/python tools/write_registries.py
	$(BIN)/python -m tools.supply.licences
	$(BIN)/python tools/write_schema.py
	$(BIN)/python tools/write_openapi.py
	$(BIN)/python -m tools.dashboards
	$(BIN)/python tools/write_chart.py
	$(BIN)/python tools/write_policy_schema.py
	$(BIN)/python tools/write_clients.py
	$(BIN)/python tools/policy_pages.py
	$(BIN)/python tools/grade_rules.py
	$(BIN)/python tools/metrics_page.py
	$(BIN)/python tools/write_man.py
	$(BIN)/python -m tools.check_pages
	$(BIN)/python tools/configuration_page.py
	$(BIN)/python tools/reference_pages.py

# The handbook, as files for a browser or a web server, in build/handbook.
handbook: setup-quick
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "The handbook is build/handbook/index.html"

lock: setup
	$(LOCK) pyproject.toml --extra kubernetes --extra celery -o requirements.lock
	$(LOCK) pyproject.toml --extra kubernetes --extra celery --group dev -o requirements-dev.lock
	printf 'hatchling\neditables\nsetuptools\n' | $(LOCK) -c requirements-dev.lock - -o requirements-build.lock

# The long form of the property tests that `make test` runs short, then FUZZ_RUNS inputs, ten million by default, for the
# parsers of server bytes: an hour or two. Findings are saved and named. FUZZ_FLAGS limits the run to the named parsers.
fuzz: setup
	HYPOTHESIS_PROFILE=long $(BIN)/pytest -n 2 --timeout=3000 -m hypothesis
	$(BIN)/python -m fuzz $(FUZZ_FLAGS)

# Ours compared with other scanners on local servers (bench/README.md); some 15 minutes.
bench: setup
	$(BIN)/python -m bench.engine $(BENCH_FLAGS)

# The daemon with 100, 1,000 and 10,000 targets, next to loops around other scanners (docs/scale.md); some 20 minutes.
# Root, for a network namespace of its own.
scale: setup
	$(BIN)/python -m bench.scale $(SCALE_FLAGS)

# 50,000 scans and 1,000 reloads while targets come and go, and what the daemon uses meanwhile (docs/scale.md); some 40
# minutes.
soak: setup
	$(BIN)/python -m bench.soak $(SOAK_FLAGS)

# Kills the daemon two hundred times (KILLS) at random moments and compares what it shows; some 15 minutes.
kills: setup
	KILLS=$${KILLS:-200} $(BIN)/pytest -q tests/real/test_kills.py

# Sets the clock of a running daemon by each size, both ways; two minutes.
clocks: setup
	CLOCK_STEPS=all $(BIN)/pytest -q tests/real/test_clock_steps.py

# Changes a list of targets a thousand times (CHANGES) while the daemon uses it; a minute.
lists: setup
	CHANGES=$${CHANGES:-1000} $(BIN)/pytest -q tests/test_list_changes.py

# Hostile servers next to healthy ones, all scanned by the daemon at once (tests/hostile/README.md); some ten minutes.
hostile: setup
	$(BIN)/python -m tests.hostile $(HOSTILE_FLAGS)

# Discovery against a real API server of Kubernetes, which Go builds once: half an hour then, three minutes later.
# KUBERNETES_CACHE is the folder of the programs. KUBERNETES_RECORD=1 renews the answers that the tests replay.
kubernetes: setup
	$(BIN)/pytest -q tests/kubernetes/real_cluster.py

# Lints the Helm chart, renders the plain manifests, and tries all sets of values with a real API server and pods that
# scan: three minutes. Go builds Helm once, some minutes, and the API server as for `make kubernetes`. Root.
.PHONY: chart
chart: setup
	$(BIN)/python -m tests.kubernetes.chart
	$(BIN)/pytest -q tests/kubernetes/real_chart.py

# The deployment of docs/zones.md with Redis and with RabbitMQ, in network namespaces: root, five minutes.
zones: export ZONES = 1
zones: setup
	$(BIN)/pytest -q tests/real/test_zones.py

# Compares ours with other scanners on many servers and on vulnerable ones, and our grade with that of testssl.sh
# (oracles/README.md); two hours. TESTSSL=PATH uses another testssl.sh for the grade.
oracles: setup
	$(BIN)/python -m oracles $(ORACLES_FLAGS)
	$(BIN)/python -m oracles.attacks $(ATTACKS_FLAGS)
	$(BIN)/python -m oracles.grades $(GRADES_FLAGS)

.PHONY: dist workflows

# What a release consists of, except the image, in dist (docs/releases.md). TAG=v1.0.0 checks that it is this version.
dist: setup-quick
	tools/make-dist

# Reads .github with actionlint, which Go builds, in addition to the schemas that the tests use.
workflows:
	GOBIN=$(CURDIR)/build/go go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
	build/go/actionlint -verbose

# The container image, built and run; needs root, takes a few minutes.
image:
	tools/make-image

# Both commands in bare roots of Debian 12 and 13, as root and as an ordinary user; needs root, takes an hour or two.
bare:
	tools/bare

# The installation in each way of docs/install.md: by Python 3.11 to 3.14, with the lowest versions that are allowed, and
# word for word in bare roots of Debian 12 and 13, under systemd too. An hour; the second needs root.
installs:
	tools/install-matrix
	tools/bare install

# Pictures of the dashboards with the data of a fleet of real servers (tools/pictures); eight minutes. Needs Debian's
# chromium, nodejs and npm in addition to what the tests need, and downloads Grafana's components.
pictures: setup
	$(BIN)/python -m tools.pictures $(PICTURES_FLAGS)

# Pictures of the web pages, with made-up scans; a minute. Needs Debian's chromium.
screenshots: setup
	$(BIN)/python -m tools.screenshots

# What `scan` prints on terminals and into pipes, for a look at it (docs/sessions); half an hour for all. SESSIONS names
# some of them, such as 5-targets-80.
sessions: setup
	$(BIN)/python -m tools.sessions $(SESSIONS)

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
