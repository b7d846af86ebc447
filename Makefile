# Two commands do all set-up: `make run` and `make test`. The rest is for those who work on it.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
SITE   ?= deploy/sites/demo
ARGS   ?=

.PHONY: run test check docs certify differential mutate fuzz soak clean

run: $(VENV)/.service ## install the service (no torch) and run the demo site
	@$(BIN)/understudy run --site $(SITE) $(ARGS)

test: $(VENV)/.test ## install training and test extras and pass the tests
	@$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

check: $(VENV)/.dev ## formatting, lint, types, import directions, docs, language
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/test_layout.py tests/docs tests/language

docs: $(VENV)/.test ## write the generated reference pages anew (ten minutes, for the simulators' results)
	@$(BIN)/python -m controller.api.reference > docs/reference/api.md
	@$(BIN)/python -m controller.metrics.reference > docs/reference/metrics.md
	@$(BIN)/python -m controller.protocol.status_reference > docs/reference/live-status.md
	@$(BIN)/python -m simulators.cooling.tools.reference_page docs/reference
	@$(BIN)/python -m simulators.cooling.tools.results docs/reference/results --days 2 --rounds 6
	@$(BIN)/python -m simulators.bidding.tools.reference_page docs/reference
	@$(BIN)/python -m simulators.bidding.tools.report
	@$(BIN)/python -m simulators.bidding.tools.trap

certify: $(VENV)/.test ## prove the shipped envelopes anew, after a change of one or of the kernel; the key is forgotten at once; and write their pages
	@$(BIN)/python -m controller.certificates deploy/sites/demo deploy/sites/bidding-demo examples/third_plant/site
	@$(BIN)/understudy envelope page deploy/sites/demo/envelope.toml --out docs/reference/envelope-demo.md
	@$(BIN)/understudy envelope page deploy/sites/bidding-demo/envelope.toml --out docs/reference/envelope-bidding-demo.md

differential: $(VENV)/.test ## the forms of the envelope against each other on ten million cases, a million of them rule by rule; a million of its state rules
	@$(BIN)/python -m tests.safety.campaigns.differential --cases 10000000 --plain-least 1000000
	@$(BIN)/python -m tests.safety.campaigns.differential_states --cases 1000000

mutate: $(VENV)/.dev ## mutants of the kernel: 98 of 100 must die, and every survivor be justified (an hour or more)
	@$(BIN)/python -m tests.safety.campaigns.mutants

fuzz: $(VENV)/.test ## a minute of bytes against each thing that reads a file (ARGS="--seconds 600" for longer)
	@$(PIP) install -c constraints.txt -e '.[fuzz]' || echo "atheris cannot be installed here: it has wheels for Linux on x86-64"
	@$(BIN)/python -m tests.safety.campaigns.fuzzing all $(ARGS)

soak: $(VENV)/.test ## the long campaigns; their tables are committed under docs/reference/results
	@$(BIN)/python -m tests.safety.campaigns.differential --cases 100000000 --envelopes 200 --plain-every 100
	@$(BIN)/python -m benchmarks.campaigns

$(VENV)/bin/python:
	@echo "creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade pip -c constraints.txt

# Each level of installation is a stamp, so that a second `make run` starts at once.
$(VENV)/.service: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing the service"
	@$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/.test: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing training and test extras (torch is 200 MB)"
	@$(PIP) install -c constraints.txt -e '.[test,train]'
	@touch $@ $(VENV)/.service

$(VENV)/.dev: $(VENV)/.test
	@$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@

clean: ## forget the virtual environment and every run's state
	rm -rf $(VENV) .understudy
