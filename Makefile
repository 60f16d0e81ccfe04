# Everything there is to do here; `make` lists it. Set-up happens by itself, in .venv.
.DEFAULT_GOAL := help
SHELL := /bin/sh

BIN := .venv/bin
MEMBERS := conventions services/reference-chat cli
DEV_MEMBERS := $(MEMBERS) platform cost-model
PYPROJECTS := $(MEMBERS:=/pyproject.toml)
DEV_PYPROJECTS := $(DEV_MEMBERS:=/pyproject.toml)
ARGS ?=
PYTEST := $(BIN)/python -m pytest -n 2
# Our members are resolved from the checkout and never from an index.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header $(foreach name,conventions chat cli platform cost,--no-emit-package nottermost-$(name))

.PHONY: help setup servers run dev test test-unit coverage lint fmt proto bench chaos lock ci clean

help: ## list what can be done
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-12s %s\n", $$1, $$2}'

.venv/.run: requirements/run.txt requirements/install.sh $(PYPROJECTS)
	@requirements/install.sh run
	@touch $@

.venv/.dev: requirements/dev.txt requirements/install.sh $(DEV_PYPROJECTS)
	@requirements/install.sh dev
	@touch .venv/.run $@

setup: .venv/.dev ## make .venv with everything for development

servers: .venv/.dev ## fetch the local cluster's servers, once (about 35 s), for tests and `nottermost stack up`
	@requirements/servers.sh
	@$(BIN)/nottermost stack fetch >/dev/null

run: .venv/.run ## start the chat at http://127.0.0.1:3000 (ARGS=--empty without the welcome workspace)
	@$(BIN)/nottermost chat run $(ARGS)

dev: .venv/.dev ## start the chat and restart it on every change
	@$(BIN)/watchfiles '$(BIN)/nottermost chat run $(ARGS)' $(MEMBERS:=/src)

test: .venv/.dev servers ## run all tests, also in a real browser
	@requirements/chromium.sh
	@requirements/graphviz.sh
	@$(PYTEST) $(ARGS)

test-unit: .venv/.dev servers ## run the quick tests
	@requirements/graphviz.sh
	@$(PYTEST) -m "not browser and not slow" $(ARGS)

coverage: .venv/.dev servers ## run all tests and show the lines that no test reaches
	@requirements/chromium.sh
	@requirements/graphviz.sh
	@$(PYTEST) --cov --cov-report=term-missing $(ARGS)

lint: .venv/.dev ## check style, types, imports, lock files and generated documents
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@! grep -nE '^ *(-i|-f|--(extra-)?index-url|--find-links)|://|file:|# +via .*/(home|root|work|tmp)/' requirements/*.txt
	@$(BIN)/nottermost chat docs --check
	@$(BIN)/python -m nottermost_chat.rpc.contract --check
	@$(BIN)/nottermost env schemas --check
	@$(BIN)/nottermost env docs --check
	@$(BIN)/nottermost env diagram prod --check
	@$(BIN)/python ansible/generate.py --check
	@cd ansible && ../$(BIN)/yamllint . && PATH="$(CURDIR)/$(BIN):$$PATH" LC_ALL=C.UTF-8 ../$(BIN)/ansible-lint --offline --nocolor -q -f pep8 playbooks/*.yml
	@$(BIN)/nottermost cost docs --check
	@$(BIN)/nottermost stack docs --check

fmt: .venv/.dev ## format the code and repair what can be repaired
	@$(BIN)/ruff check --fix --exit-zero
	@$(BIN)/ruff format

proto: .venv/.dev ## generate the gRPC code from the proto files; what breaks the contract is refused
	@$(BIN)/python -m nottermost_chat.rpc.contract

bench: .venv/.dev servers ## measure the chat (one process, a cluster, and parts of it), the platform's captures and the cost model against references on this machine
	@$(BIN)/nottermost chat bench $(ARGS)
	@$(BIN)/nottermost chat bench --only cluster
	@$(BIN)/nottermost chat bench --only fanout
	@$(BIN)/nottermost chat bench --only history
	@$(BIN)/nottermost chat bench --only routing
	@$(BIN)/nottermost chat bench --only rpc
	@$(BIN)/nottermost env bench
	@$(BIN)/nottermost cost bench

chaos: .venv/.dev servers ## break everything in turn under load and write docs/chaos.md, about an hour (ARGS="--only kill-gateway")
	@$(BIN)/python -m nottermost_chat.testing.chaos $(ARGS)

lock: .venv/.dev ## resolve the lock files again (ARGS=--upgrade for newer versions)
	@$(COMPILE) $(ARGS) --group install $(PYPROJECTS) -o requirements/run.txt
	@$(COMPILE) $(ARGS) --group install --extra cluster -c requirements/run.txt $(PYPROJECTS) -o requirements/cluster.txt
	@$(COMPILE) $(ARGS) --group install --group dev --extra cluster --extra policy-pack --override requirements/overrides.in -c requirements/cluster.txt $(DEV_PYPROJECTS) -o requirements/dev.txt

ci: ## exactly what CI runs
	@.ci/run

clean: ## remove .venv, caches and build products; the chat's data stays
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage .coverage.* htmlcov
	@find $(DEV_MEMBERS) -name __pycache__ -prune -exec rm -rf {} +
