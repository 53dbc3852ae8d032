from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from overnight.core.durations import parse_instant
from overnight.host.clock import LeaseClock, LocalZone, SystemClock

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_the_clocks_go_forward() -> None:
    clock = SystemClock()

    assert clock.now() > 1_700_000_000
    assert clock.monotonic() <= clock.monotonic()


@pytest.mark.usefixtures("in_berlin")
@pytest.mark.parametrize("change", ["2026-03-29T03:00", "2026-10-25T02:00"])
def test_the_local_zone_shows_what_clocks_show_around_their_changes(change: str) -> None:
    at = datetime.fromisoformat(change).replace(tzinfo=BERLIN).timestamp()
    for minutes in range(-240, 300, 15):
        moment = datetime.fromtimestamp(at + minutes * 60, BERLIN)
        local = datetime.fromtimestamp(at + minutes * 60, LocalZone())

        assert local.replace(tzinfo=None) == moment.replace(tzinfo=None)
        assert (local.fold, local.utcoffset(), local.tzname()) == (moment.fold, moment.utcoffset(), moment.tzname())
        assert local.timestamp() == moment.timestamp()


@pytest.mark.usefixtures("in_berlin")
def test_six_in_the_morning_is_six_after_a_change_of_clocks() -> None:
    evening = datetime(2026, 10, 24, 22, tzinfo=BERLIN).timestamp()

    assert parse_instant("06:00", now=evening, zone=LocalZone()) == evening + 9 * 3600


def test_a_moment_at_the_end_of_the_calendar_is_refused_and_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "EST5EDT,M3.2.0,M11.1.0")
        time.tzset()
        with pytest.raises(ValueError, match="is no time"):
            parse_instant("9999-12-31 23:59:59", now=0.0, zone=LocalZone())
    time.tzset()


def test_a_lease_runs_out_while_the_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent that wakes must see at once that its attempts run elsewhere by now."""
    monkeypatch.setattr(time, "clock_gettime", {time.CLOCK_BOOTTIME: 4000.0, time.CLOCK_MONOTONIC: 5.0}.get)

    assert LeaseClock().monotonic() == 4000.0
