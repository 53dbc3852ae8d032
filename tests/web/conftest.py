"""Dashboards to ask: one for all tests that only look, and one for each that changes something."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dashboards import NOON, Served, fail, finish, home_in, new, serving, store_of

from overnight.host.home import Home


def filled(place: Path) -> Home:
    """A home with 12 tasks: seven that can start, three that failed of two causes, two that are done."""
    home = home_in(place)
    with store_of(home) as store:
        for name, cause in (("a", "disk"), ("b", "disk"), ("c", "limit")):
            fail(store, name, cause)
        for name in ("d", "e"):
            finish(store, name)
        store.add([*(new(str(number)) for number in range(6)), new("gpu.wav", queue="gpu")], now=NOON)
    return home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home of this test's own."""
    return filled(tmp_path)


@pytest.fixture
def own(home: Home) -> Iterator[Served]:
    """A dashboard of this test's own, for what it changes."""
    with serving(home) as one:
        yield one


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A dashboard of everybody: nothing is changed there."""
    with serving(filled(tmp_path_factory.mktemp("everybody"))) as one:
        yield one
