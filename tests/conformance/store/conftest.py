"""Every test of this folder runs once for each store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import database
from redoing import built_again, differences, told_lines
from store_parts import DATABASE, IMPLEMENTATIONS, Implementation, SmallEngine

from overnight.monitor.agreement import disagreements
from overnight.monitor.segments import lines_after
from overnight.store.contract import Store


def _param(implementation: Implementation) -> object:
    """Those that need a server take minutes: `make prove` runs them, and tests/store some of what they say."""
    marks = () if implementation.is_file else (pytest.mark.prove,)
    return pytest.param(implementation, id=implementation.name, marks=marks)


@pytest.fixture(params=map(_param, IMPLEMENTATIONS))
def implementation(request: pytest.FixtureRequest) -> Implementation:
    chosen: Implementation = request.param
    if chosen.name == "postgres":
        request.getfixturevalue("stores_of_postgres")
    return chosen


@pytest.fixture(scope="session")
def stores_of_postgres(postgres_server: str) -> Iterator[None]:
    """A database in which every store is a schema."""
    with database(postgres_server) as address:
        os.environ[DATABASE] = address
        yield
        del os.environ[DATABASE]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


@pytest.fixture
def store(implementation: Implementation, path: Path) -> Iterator[Store]:
    """An empty store. Its books must balance when the test is over, and what it has told must make it again."""
    opened = implementation.open(path, create=True)
    yield opened
    assert opened.recount() == []
    assert opened.unaccounted() == 0
    opened.close()
    # Again, as the first one: a writer killed between the end of the log and the word that it has grown has
    # committed only for those who look at the log anew.
    opened = implementation.open(path)
    assert opened.recount() == []
    whole = opened.journal_seq() == 0
    lines = list(told_lines(opened))
    assert not whole or disagreements(opened, lambda: lines_after(path.with_name("events.jsonl"), 0)) == []
    opened.close()
    if whole:
        result = built_again(iter(lines), path.with_name("again.db"))
        assert differences(path, path.with_name("again.db"), see=implementation.picture) == [], result


@pytest.fixture
def engine(store: Store) -> SmallEngine:
    return SmallEngine(store)
