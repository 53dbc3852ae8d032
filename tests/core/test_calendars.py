"""When a schedule is due, over every change of clocks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from overnight.core.calendars import Calendar, calendar, check_cron, check_moment, instants, last_of
from overnight.core.schedules import When

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "UTC")
#: Nights in which clocks of one of them change, and one in which none do.
NIGHTS = (
    "2026-03-29",
    "2026-10-25",
    "2026-03-08",
    "2026-11-01",
    "2026-04-05",
    "2026-10-04",
    "2026-02-15",
    "2026-07-01",
)
MINUTE = 60


def of(cron: str, zone: str) -> Calendar:
    return calendar(When(cron=check_cron(cron)), ZoneInfo(zone), began_at=0.0)


def at(words: str, zone: str, *, fold: int = 0) -> float:
    return datetime.fromisoformat(words).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def first(cron: str, zone: str, since: str, count: int) -> list[str]:
    """What clocks show at the first instants, with how far they are ahead."""
    start = at(since, zone)
    found = islice(instants(of(cron, zone), after=start, until=start + 1e9), count)
    return [datetime.fromtimestamp(one, ZoneInfo(zone)).strftime("%d %H:%M %z") for one in found]


def test_a_time_that_is_left_out_is_meant_when_clocks_jump_over_it() -> None:
    assert first("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", 2) == ["29 03:00 +0200", "30 02:30 +0200"]
    assert first("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", 2) == ["04 02:30 +1100", "05 02:15 +1100"]


def test_a_time_that_comes_twice_is_meant_once() -> None:
    assert first("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 2) == ["25 02:30 +0200", "26 02:30 +0100"]
    assert first("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00", 2) == ["05 01:45 +1100", "06 01:45 +1030"]


def test_two_times_that_are_both_left_out_are_one_run() -> None:
    assert first("0,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", 2) == ["29 03:00 +0200", "30 02:00 +0200"]


def test_what_runs_every_so_often_runs_as_often_as_clocks_show_it() -> None:
    assert first("*/30 * * * *", "Europe/Berlin", "2026-10-25T01:40", 5) == [
        "25 02:00 +0200",
        "25 02:30 +0200",
        "25 02:00 +0100",
        "25 02:30 +0100",
        "25 03:00 +0100",
    ]
    assert first("*/30 * * * *", "Europe/Berlin", "2026-03-29T01:10", 2) == ["29 01:30 +0100", "29 03:00 +0200"]


def test_a_day_that_is_rare_is_found() -> None:
    assert first("0 0 29 2 *", "Europe/Berlin", "2026-01-01T00:00", 1) == ["29 00:00 +0100"]
    assert of("0 0 29 2 *", "UTC")(at("2026-01-01", "UTC")) == at("2028-02-29", "UTC")


def test_a_length_of_time_is_one_in_such_nights_too() -> None:
    began = at("2026-03-28T22:00", "Europe/Berlin")
    found = islice(instants(calendar(When(every=7200.0), UTC, began_at=began), after=began, until=began + 1e9), 4)
    assert [one - began for one in found] == [7200.0, 14400.0, 21600.0, 28800.0]


def test_moments_and_times_of_day_come_in_their_order() -> None:
    zone = ZoneInfo("Europe/Berlin")
    found = calendar(When(at=("2026-03-28 18:00", "06:30", "2026-03-28T18:30+00:00")), zone, began_at=0.0)
    shown = islice(instants(found, after=at("2026-03-28T00:00", "Europe/Berlin"), until=2e9), 4)
    assert [datetime.fromtimestamp(one, zone).strftime("%d %H:%M") for one in shown] == [
        "28 06:30",
        "28 18:00",
        "28 19:30",
        "29 06:30",
    ]
    once = calendar(When(at=("2026-03-28 18:00",)), zone, began_at=0.0)
    assert once(at("2026-03-28T18:00", "Europe/Berlin")) is None


@pytest.mark.parametrize(
    "words",
    ["", "30 2 * *", "61 * * * *", "0 0 32 * *", "@daily", 7, None, "0 0 * * MON#6", "a b c d e", "* * * * * * *"],
)
def test_what_is_no_time_for_cron_is_refused(words: object) -> None:
    with pytest.raises(ValueError, match="is no time for cron"):
        check_cron(words)


@pytest.mark.parametrize("words", ["0 0 31 2 *", "0 0 30 2 *", "0 0 0 31 4,6 *"])
def test_a_day_that_no_such_month_has_is_told_as_such(words: str) -> None:
    with pytest.raises(ValueError, match="means a day that no such month has"):
        check_cron(words)


@pytest.mark.parametrize("words", ["", "tomorrow", "25:00", "2026-02-30 06:00", 7, None])
def test_what_is_no_moment_is_refused(words: object) -> None:
    with pytest.raises(ValueError, match="is no moment"):
        check_moment(words)


def test_a_moment_may_be_written_without_quotes() -> None:
    assert check_moment(datetime(2026, 3, 28, 18, 0)) == "2026-03-28T18:00:00"  # noqa: DTZ001 - TOML's local one


# -- against an oracle that watches the clocks minute by minute -------------------------------


def numbers(most: int) -> st.SearchStrategy[str]:
    """A field of cron that names times."""
    one = st.integers(0, most).map(str)
    return st.one_of(
        one, st.lists(st.integers(0, most), min_size=2, max_size=3).map(lambda some: ",".join(map(str, some)))
    )


minutes = st.one_of(numbers(59), st.sampled_from(["*", "*/7", "*/30", "0-59"]))
hours = st.one_of(numbers(4), st.sampled_from(["*", "*/2", "0-3"]))
crons = st.builds(lambda minute, hour: f"{minute} {hour} * * *", minutes, hours)


def is_shown(cron: str, shown: datetime) -> bool:
    return next(CronSim(cron, shown - timedelta(seconds=1))) == shown


def watched(cron: str, zone: str, start: float, until: float) -> Iterator[float]:
    """Who looks at a clock each minute and knows what it has shown before."""
    by_the_clock = any(field.startswith("*") for field in cron.split()[:2])
    seen = datetime.fromtimestamp(start - 2 * 86400, ZoneInfo(zone)).replace(tzinfo=None)
    instant = start - 2 * 86400
    while (instant := instant + MINUTE) <= until:
        shown = datetime.fromtimestamp(instant, ZoneInfo(zone)).replace(tzinfo=None)
        if by_the_clock:
            due = is_shown(cron, shown)
        else:
            due = shown > seen and next(CronSim(cron, seen)) <= shown
            seen = max(seen, shown)
        if due and instant > start:
            yield instant


@settings(max_examples=25, deadline=None)  # each looks at 480 minutes
@given(crons, st.sampled_from(ZONES), st.sampled_from(NIGHTS), st.integers(0, 26 * 60))
def test_an_instant_is_what_somebody_sees_who_watches_the_clocks(cron: str, zone: str, night: str, minute: int) -> None:
    """From wherever one begins to count, in whatever night."""
    start = at(night, zone) - 12 * 3600 + minute * MINUTE
    until = start + 8 * 3600
    assert list(instants(of(cron, zone), after=start, until=until)) == list(watched(cron, zone, start, until))


@settings(max_examples=60, deadline=None)
@given(crons, st.sampled_from(ZONES), st.sampled_from(NIGHTS), st.floats(0, 2 * 86400), st.floats(0, 2 * 86400))
def test_the_last_instant_is_found_without_counting_all(
    cron: str, zone: str, night: str, begin: float, reach: float
) -> None:
    found = of(cron, zone)
    earliest = found(at(night, zone) - 86400 + begin)
    assert earliest is not None
    until = earliest + reach
    assert last_of(found, first=earliest, until=until) == [earliest, *instants(found, after=earliest, until=until)][-1]


@given(st.floats(0.5, 1e6), st.floats(0, 2e9), st.floats(-1e6, 2e9))
def test_lengths_of_time_follow_each_other(every: float, began: float, after: float) -> None:
    found = calendar(When(every=every), UTC, began_at=began)(after)
    assert found is not None
    assert found > after
    assert found - after <= every * (1 + 1e-6) + 1e-3
