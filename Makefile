# make demo   the demonstration bureau, served on 127.0.0.1     make test   everything that must hold
# make soak   the long tests at their full numbers              make screens   screenshots into build/screens/
# make lint   what the tools keep                               make fmt    formats, and repairs what it can
#
# What is needed is taken in this order: present; from pip; apt-get when root; else one command is named to run.

VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell command -v python3.11 || echo python3)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# Test processes side by side.
JOBS ?= 2
ARGS ?=

.PHONY: demo test soak screens chromium lint fmt
.DELETE_ON_ERROR:

demo: $(VENV)/installed-runtime
	$(BIN)/python manage.py demo --reset $(ARGS)

# Both databases are tested, also when one leg failed; the line about the vendors' specifications is the last.
test: lint chromium
	@counts=$$(mktemp -d); status=0; export KONTOR_SPEC_COUNTS=$$counts; \
	echo "== tests on SQLite"; \
	KONTOR_TEST_DB=sqlite $(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS) || status=1; \
	echo "== tests that touch the database, on PostgreSQL"; \
	KONTOR_TEST_DB=postgres KONTOR_TEST_ONLY=database $(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS) || status=1; \
	[ $$status = 0 ] || echo "make test: FAILED (see above)"; \
	$(BIN)/python -m tests.specs $$counts || status=1; \
	rm -rf $$counts; exit $$status

# One at a time: the numbers are about time and processes.
soak: $(VENV)/installed-dev
	@status=0; export KONTOR_SOAK=1; \
	for database in sqlite postgres; do \
		echo "== $$database"; \
		KONTOR_TEST_DB=$$database $(BIN)/python -m pytest -m soak $(ARGS) || status=1; \
	done; exit $$status

screens: chromium
	@mkdir -p build/screens
	KONTOR_SCREENS=build/screens $(BIN)/python -m pytest -m screens $(ARGS)

lint: export KONTOR_LOCAL_DIR := build/lint
lint: $(VENV)/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run

chromium: $(VENV)/installed-dev
	@command -v chromium >/dev/null \
	|| { [ "$$(id -u)" = 0 ] && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; } \
	|| $(BIN)/python -m playwright install chromium \
	|| { echo "Pages are tested in Chromium. Run: sudo apt-get install -y chromium"; exit 1; }

fmt: $(VENV)/installed-dev
	$(BIN)/ruff check --fix --exit-zero
	$(BIN)/ruff format

$(VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { $(PYTHON) -c 'import ensurepip' 2>/dev/null || $(PYTHON) -c 'import virtualenv' 2>/dev/null; } \
	|| { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	     && apt-get update -qq && apt-get install -y -qq python3 python3-venv; } \
	|| { echo "Kontor needs Python 3.11 or newer, with venv. Run: sudo apt-get install -y python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null && $(PYTHON) -m venv $(VENV) || $(PYTHON) -m virtualenv --quiet $(VENV)
	@touch $@

$(VENV)/installed-runtime: pyproject.toml constraints.txt | $(VENV)/made
	$(PIP) -e .
	@touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt | $(VENV)/made
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/installed-runtime
