# make run opens the app; make test checks everything. Nothing but Python 3.11 to 3.13 is needed.
PYTHON ?= python3
PORT ?= 8501
VENV := .venv
BIN := $(VENV)/bin

# Compiled files are kept even where that is switched off: without them each process compiles the
# library, and pytest every test, anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: run class setup lock fast test test-all check unit coverage wheel browser-test chaos-test fuzz load soak benchmark clean

run: setup
	$(BIN)/python -m streamlit run app.py --server.address 127.0.0.1 --server.port $(PORT)

# Opens the app to the local network; docs/classroom.md says who may do what.
class: setup
	$(BIN)/python -m captioning class --port $(PORT) $(ARGS)

setup: $(VENV)/.installed

# The quickest look: what needs neither Keras nor other programs; make fast MARKS="not slow" runs
# the tests that start programs too.
MARKS ?= not slow and not process
fast: $(VENV)/.installed-dev
	$(BIN)/python -m pytest --without-keras -m "$(MARKS)" --numprocesses 2 --dist worksteal tests/unit

test: check unit

# Also the tests marked slow; what CI runs.
test-all: check
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

# A package that captions outside this folder: pip install dist/*.whl
wheel: $(VENV)/.installed-dev
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m "not slow" --numprocesses 2 --dist worksteal

# The share of captioning/ and pages/ that the tests run; make coverage ARGS=tests/unit/test_text.py
coverage: $(VENV)/.installed-dev
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal --cov --cov-report=term $(ARGS)

# Needs chromium; on Debian: apt-get install chromium
browser-test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest tests/browser $(ARGS)

# Kills whatever saves at every moment of saving, the real server, and training runs; some 15 minutes.
chaos-test: setup
	$(BIN)/python tests/chaos/kill_saving.py
	$(BIN)/python tests/chaos/kill_server.py --kills 5
	$(BIN)/python tests/chaos/kill_runs.py --kills 20

# Feeds damaged files to all readers; make fuzz SECONDS=7200 for two hours.
fuzz: setup
	$(BIN)/python tests/fuzz/readers.py --seconds $(or $(SECONDS),60)

# Many sessions at once: make load for a minute, make soak for two hours.
load: setup
	$(BIN)/python tests/load/sessions.py --sessions $(or $(SESSIONS),30) --seconds $(or $(SECONDS),60)

soak: setup
	$(BIN)/python tests/load/sessions.py --sessions $(or $(SESSIONS),10) --seconds $(or $(SECONDS),7200)

benchmark: setup
	$(BIN)/python benchmarks/run.py

$(VENV)/.installed: requirements.lock requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "Python 3.11 to 3.13 is needed; name one with PYTHON=...")'
	@echo "Making $(VENV) and installing the packages of requirements.txt: about 2 GB, some minutes."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@# Only what was added to requirements.txt after the last make lock.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

# Every package that requirements.txt needs, on Linux, macOS and Windows, with its hashes.
# uv comes by pip install uv.
lock:
	uv pip compile requirements.txt --universal --generate-hashes --python-version 3.11 \
	  --custom-compile-command "make lock" --output-file requirements.lock

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV) .coverage* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
