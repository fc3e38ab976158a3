# One task file. `make` alone lists what there is.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
BIN := .venv/bin
PROJECT := pyproject.toml .ci/environment

.PHONY: help setup demo test soak check bench bench-quality docs lock clean

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

setup: .venv/core.done ## make .venv and install Groundswell in it
	@echo "ready: $(BIN)/groundswell --help"

demo: .venv/core.done ## simulate some days of reels, find their trends, in a terminal show them as a page
	$(BIN)/groundswell demo

test: .venv/test.done .cache/kafka/done .cache/services.done .cache/deploy.done ## run the test suite (without the slow tests), two files of it at a time
	$(BIN)/python -m pytest -n 2 --dist loadfile

soak: .venv/test.done .cache/kafka/done .cache/services.done .cache/deploy.done ## run the slow tests too: kills, failing disks, damaged files (an hour)
	$(BIN)/python -m pytest -m "slow or not slow"

check: .venv/dev.done ## lint, types, import walls, generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m schemas.export --check
	$(BIN)/python -m flows.settings_doc --check
	$(BIN)/python -m flows.metrics_doc --check
	$(BIN)/python -m deploy.grafana --check

bench: .venv/core.done ## measure the throughput of the whole flow beside yardsticks
	$(BIN)/python benchmarks/throughput.py

bench-quality: .venv/evaluation.done ## measure how well trends are found, beside all rivals (an hour)
	$(BIN)/python -m benchmarks.quality --json quality.json --png quality.png

docs: .venv/test.done ## write the generated files: schemas, the lists of settings and of metrics, dashboards
	$(BIN)/python -m schemas.export
	$(BIN)/python -m flows.settings_doc
	$(BIN)/python -m flows.metrics_doc
	$(BIN)/python -m deploy.grafana

lock: .venv/dev.done ## choose the newest versions pyproject.toml allows and write the constraints
	$(call compile,constraints.txt,--extra dev --upgrade)
	$(call compile,constraints-core.txt,--extra serve --constraints constraints.txt)
	$(call compile,constraints-service.txt,--extra service --constraints constraints.txt)
	$(call compile,constraints-test.txt,--extra test --constraints constraints.txt)
	$(call compile,constraints-evaluation.txt,--extra evaluation --constraints constraints.txt)

clean: ## remove .venv and everything that was made
	rm -rf .venv .cache build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/core.done: constraints-core.txt $(PROJECT)
	@.ci/environment core
	@touch $@

.venv/test.done: constraints-test.txt $(PROJECT)
	@.ci/environment test
	@touch $@ .venv/core.done

.venv/dev.done: constraints.txt $(PROJECT)
	@.ci/environment dev
	@touch $@ .venv/core.done .venv/test.done

.venv/evaluation.done: constraints-evaluation.txt $(PROJECT)
	@.ci/environment evaluation
	@touch $@ .venv/core.done

.cache/kafka/done: tests/services/kafka/pom.xml .ci/kafka
	@.ci/kafka $@

.cache/services.done: .ci/services
	@.ci/services $@

.cache/deploy.done: .ci/deploy
	@.ci/deploy $@

# One set of versions for Python 3.11 and 3.12, each with the hashes of its files.
compile = $(BIN)/uv pip compile --quiet pyproject.toml --group build $(2) --universal \
	--python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	--custom-compile-command "make lock" --output-file $(1)
