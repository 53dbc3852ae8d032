# Everything that is done to the project, by name. `make help` lists it.
# Works with the make of macOS (3.81). Nothing is installed outside .venv.

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
# More words for pytest: make test ARGS='-k store'
ARGS :=
export PYTHON
# The tests start thousands of processes, each of which would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test prove bench bench-peers bench-web browser keepers lint format audit pictures docs clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.with-nothing ## install, then run the main job on real files, some broken on purpose (under a minute)
	$(PY) examples/demo/demo.py

browser: $(VENV)/.with-browser ## a Chromium for the tests of the dashboard, where apt-get can be used; they are skipped without one

bench-web: $(VENV)/.with-dev browser ## measure the dashboard in a real browser
	$(PY) benchmarks/web.py $(ARGS)

keepers: $(VENV)/.with-keepers ## restic and borg for the tests of backups, where apt-get can be used; they are skipped without

test: lint browser ## install, then everything a change must pass (some 11 minutes on 2 cores)
	$(PY) -m pytest -n auto --maxschedchunk 4 $(ARGS)

prove: $(VENV)/.with-dev keepers ## the long proofs: crashes, power cuts, kills (about an hour on 2 cores)
	$(PY) -m pytest -n auto -m prove --hypothesis-profile=new-dice $(ARGS)
	$(PY) -m pytest -n auto -m 'hypothesis and not prove' --hypothesis-profile=new-dice

bench: $(VENV)/.with-bench ## measure, both sides in the same run
	$(PY) benchmarks/run.py $(ARGS)

bench-peers: $(VENV)/.with-bench $(VENV)/.with-programs ## measure beside other runners, and what kill -9 leaves of each (about 6 minutes)
	$(PY) benchmarks/beside.py $(ARGS)

lint: $(VENV)/.with-dev ## style, format, strict types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: $(VENV)/.with-dev ## mend what lint can mend by itself
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

# --strict: a package that the index cannot answer for is a failure, not a pass.
audit: $(VENV)/.with-audit ## dependencies against known vulnerabilities
	$(PIP) freeze --exclude-editable >$(VENV)/installed.txt
	$(PY) -m pip_audit --strict --no-deps --disable-pip --progress-spinner off -r $(VENV)/installed.txt

pictures: $(VENV)/.with-dev browser ## draw the pictures of the README anew, from what the program shows
	$(PY) scripts/pictures/draw.py

docs: $(VENV)/.with-dev ## write the generated pages again
	@for page in scripts/*.py; do $(PY) $$page || exit 1; done

clean: ## remove the environment and all caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build

# No browser is no reason not to test everything else.
$(VENV)/.with-browser: $(VENV)/.made
	@if command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; then \
	    touch $@; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing chromium, for the tests of the dashboard"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >/dev/null \
	    && touch $@ || echo "no chromium could be had; the tests that want one are skipped"; \
	fi

# Programs that can keep backups; those that are there are not touched.
$(VENV)/.with-keepers: $(VENV)/.made
	@if command -v restic >/dev/null && command -v borg >/dev/null; then \
	    touch $@; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing restic and borg, for the tests of backups"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends restic borgbackup >/dev/null \
	    && touch $@ || echo "restic and borg could not be had; the tests that want them are skipped"; \
	fi

# A stamp for each set of extras, so that a second run is quick. An environment whose Python has
# gone (an upgrade, a moved folder) is made again.
$(VENV)/.made: scripts/find-python
	@python=$$(scripts/find-python) && \
	if ! $(PY) -c '' 2>/dev/null; then \
	    echo "making $(VENV) with $$python" && rm -rf $(VENV) && "$$python" -m venv $(VENV); \
	fi
	@touch $@

$(VENV)/.with-nothing: $(VENV)/.made pyproject.toml
	$(PIP) install --editable .
	@touch $@

$(VENV)/.with-audit: $(VENV)/.made pyproject.toml
	$(PIP) install --editable '.[dev,audit]'
	@touch $@

# Peers that are programs, beside the environment; a failure is no reason not to measure the others.
$(VENV)/.with-programs: $(VENV)/.made benchmarks/peers/fetch
	@if benchmarks/peers/fetch $(VENV)/peers; then touch $@; fi

$(VENV)/.with-%: $(VENV)/.made pyproject.toml
	$(PIP) install --editable '.[$*]'
	@touch $@
