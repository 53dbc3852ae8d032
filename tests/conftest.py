"""What holds for all tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest
import supervised
from hypothesis import settings
from small_machine import ROOM

os.environ.update(ROOM)

# The same examples in every run: a change does not fail by the luck of another one. New ones are thrown on request
# (`make prove` does), and what they find becomes an `@example`.
settings.register_profile("same-dice", derandomize=True, deadline=None, database=None)
settings.register_profile("new-dice", deadline=None)
settings.load_profile("same-dice")


def pytest_xdist_auto_num_workers() -> int:
    """Twice as many as there are CPUs: many tests wait for real time limits, and others can have the CPU then."""
    return (os.cpu_count() or 1) * 2


# A shell that runs us in the background has both ignored, and so would every program that a test presses Ctrl-C for.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Wait for a condition, with a deadline that fails the test."""
    return supervised.until


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real server, the same for all tests of a run; without one they are skipped."""
    from postgres_server import serving, why_not

    if reason := why_not():
        pytest.skip(reason)
    base = tmp_path_factory.getbasetemp()
    with serving(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) as address:
        yield address


@pytest.fixture
def postgres(postgres_server: str) -> Iterator[str]:
    """The address of an empty database on it, of this test's own."""
    from postgres_server import database

    with database(postgres_server) as address:
        yield address
