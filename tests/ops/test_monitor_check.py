"""What the check of who watches says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from scenes import no_store

from overnight.core.findings import Finding, Status
from overnight.core.settings import resolve
from overnight.host.home import Home
from overnight.host.lock import HomeLock
from overnight.ops.checks.contract import Scene
from overnight.ops.checks.monitor import CHECK
from overnight.testing import FakeClock

NOON = 1_800_000_000.0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / ".overnight").mkdir()
    return Home(tmp_path / ".overnight")


@pytest.fixture
def lock(home: Home) -> Iterator[HomeLock]:
    with HomeLock(home.lock) as held:
        held.acquire({"pid": os.getpid(), "started_at": NOON - 1000})
        yield held
        held.release()


def findings(home: Home | None, **environ: str) -> list[Finding]:
    settings = resolve(flags={}, environ=environ, configured={})
    return list(CHECK.run(Scene(Path(), home, no_store, settings, FakeClock(NOON))))


def written(home: Home, seconds_ago: float) -> None:
    home.monitor_json.touch()
    os.utime(home.monitor_json, (NOON - seconds_ago, NOON - seconds_ago))


@pytest.mark.usefixtures("lock")
def test_it_is_well_while_the_file_is_new(home: Home) -> None:
    written(home, 60)
    [found] = findings(home)
    assert (found.status, found.value, found.unit) == (Status.OK, 60.0, "seconds")


@pytest.mark.usefixtures("lock")
@pytest.mark.parametrize(("ago", "age"), [(400.0, 400.0), (9000.0, 1000.0), (None, 1000.0)])
def test_a_file_that_is_not_written_any_more_is_a_warning(home: Home, ago: float | None, age: float) -> None:
    """Counted from the start of the engine on when what was written is older than that, or nothing was."""
    if ago is not None:
        written(home, ago)
    [found] = findings(home)
    assert (found.status, found.value) == (Status.WARN, age)
    assert "the work goes on" in found.summary
    assert found.fixes[0].text == f"tail {home.log}"


def test_a_new_engine_has_time_to_begin_with(home: Home) -> None:
    with HomeLock(home.lock) as held:
        held.acquire({"pid": os.getpid(), "started_at": NOON - 100})
        [found] = findings(home)
    assert found.status is Status.OK


def test_nothing_is_said_where_nobody_works_or_nobody_wants_it(home: Home) -> None:
    written(home, 9000)
    assert findings(None) == []
    assert findings(home) == []
    with HomeLock(home.lock) as held:
        held.acquire({"pid": os.getpid(), "started_at": NOON - 1000})
        assert findings(home, OVERNIGHT_MONITOR="false") == []
