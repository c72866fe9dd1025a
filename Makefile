# Thin verbs: each is one playbook or one test runner. `make help` lists them.
.DEFAULT_GOAL := help
.SUFFIXES:

ENV ?= dev
ARGS ?=
PYTHON ?= python3

inventory := inventory/$(ENV)
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/bin:$(PATH)
# Molecule and ansible-lint look for this file only in the directory they run in.
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg

playbook = ansible-playbook -i $(inventory) $(1) $(ARGS)

.PHONY: help up plan drift status down etcd run test lint unit page molecule campaign storage faults readme env lock docs \
  generate etcd-types mutation bench-stack bench-operator bench-faults

help:  ## List the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  ENV=dev chooses inventory/dev and state/dev; ARGS='…' goes to the command behind the verb as it is."

up: $(inventory) .venv/installed  ## Build the whole stack, or bring it back to what the inventory says
	$(call playbook,site.yml)

# What is as wanted needs no line of its own; the table at the end says it.
plan drift: export ANSIBLE_DISPLAY_OK_HOSTS := false
plan drift: export ANSIBLE_DISPLAY_SKIPPED_HOSTS := false

plan: $(inventory) .venv/installed  ## Say what `up` would do, and change nothing
	$(call playbook,playbooks/plan.yml --check)

drift: $(inventory) .venv/installed  ## Say what differs from the inventory, and who changed it
	$(call playbook,playbooks/drift.yml --check)

# What is as it should be needs no line of its own; the screen at the end says it.
status: export ANSIBLE_DISPLAY_OK_HOSTS := false
status: $(inventory) .venv/installed  ## Say how it is: one screen, status.json, report.html; exit code 0 when all is up
	$(call playbook,playbooks/status.yml)

down: $(inventory) .venv/installed  ## Remove what `up` made (images and engine stay: ARGS='-e down_images=true -e down_engine=true')
	$(call playbook,playbooks/down.yml)

etcd: $(inventory) .venv/installed  ## Show what etcd holds, decoded: ARGS='-e etcd_query_name=pods'
	$(call playbook,playbooks/etcd.yml)

run: export KUBECONFIG ?= state/$(ENV)/kubeconfig
run: .venv/installed  ## Run the operator here, against KUBECONFIG or else ENV's cluster, all namespaces
	imooc-operator --log-format console $(ARGS)

test: lint unit page molecule campaign storage faults readme  ## All of the eight below, on real clusters of their own

lint: .venv/installed  ## ansible-lint, yamllint, ruff, mypy --strict, shellcheck, import contracts
	./tests/lint.sh

unit: .venv/installed  ## Unit tests of plugins and operator
	pytest
	cd operator && pytest

page: .venv/installed  ## The page of a status in a headless browser, which is installed where there is none
	pytest tests/page

faults: .venv/installed  ## Bad input and interrupted runs against real engines and clusters
	pytest tests/faults

campaign: .venv/installed  ## The operator on a real API server: what users do, and every fault of the list
	mkdir -p .cache
	cd operator && IMOOC_CAMPAIGN_REPORT=../.cache/campaign.json \
	  IMOOC_CONTROL_PLANE_BIN="$$(python ../tools/control_plane.py)" pytest tests/conformance tests/campaign
	python tools/campaign_counts.py .cache/campaign.json

storage: .venv/installed  ## What etcd holds, decoded, beside what a real API server shows: every kind (needs Go)
	IMOOC_CONTROL_PLANE_BIN="$$(python tools/control_plane.py)" pytest tests/storage

molecule: .venv/installed  ## Every molecule scenario
	molecule test --all

readme: .venv/installed  ## Every command of the README, as a reader would type them
	pytest tests/docs

env: .venv/installed  ## Print what a shell needs to talk to ENV: eval "$(make env)"
	@python tools/shell_env.py $(ENV)

lock: .venv/installed  ## Resolve requirements.in anew into requirements.lock, with hashes
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header requirements.in --output-file requirements.lock

docs: .venv/installed  ## Write the tables of the role pages and of the operator's reference anew
	python tools/role_docs.py
	python tools/operator_reference.py

generate: .venv/installed  ## Write the CRD and the Roles anew from the operator's code
	python -m imooc_operator.generate operator/deploy

etcd-types:  ## Write the tables of Kubernetes' types anew, after a new version (needs Go)
	cd roles/images/files/stack && go run $(CURDIR)/tools/etcd_types.go $(CURDIR)/plugins/module_utils/etcd_types.py

mutation: .venv/installed  ## Change the operator's code in one place at a time, to see whether tests notice
	rm -rf operator/mutants
	cd operator && mutmut run && python ../tools/mutation_score.py

bench-stack: .venv/installed  ## Time the stack beside a shell script of the bare commands
	python -m benchmarks.stack.run $(ARGS)

bench-operator: .venv/installed  ## Measure the operator beside controller-runtime, kopf and the ReplicaSet controller
	python -m benchmarks.operator.run $(ARGS)

bench-faults: .venv/installed  ## Run the operator's fault campaign against its peers too
	python -m benchmarks.operator.faults $(ARGS)

$(inventory):
	@echo "There is no environment '$(ENV)': copy inventory/dev to $(inventory), or choose one of: $(notdir $(wildcard inventory/*))" >&2; exit 2

.venv/installed: requirements.lock operator/pyproject.toml
	@echo "Preparing the Python environment in .venv (about a minute, once)"
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"Python 3.11 or newer is needed, {sys.executable} is {v.major}.{v.minor}: name another with PYTHON=…")'
	$(PYTHON) -m venv .venv
	@(while sleep 9; do echo "  still installing"; done) & ticker=$$!; trap "kill $$ticker" EXIT; \
	  .venv/bin/pip install --quiet --no-compile --no-deps --require-hashes -r requirements.lock
	@# Compiled here and on all cores, without the hundred collections that nothing loads: half of pip's time.
	.venv/bin/python -m compileall -q -j 0 -x 'ansible_collections/(?!community/docker)' .venv/lib operator/src
	.venv/bin/pip install --quiet --no-deps --no-build-isolation --editable operator
	@touch $@
