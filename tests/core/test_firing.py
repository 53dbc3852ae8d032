"""What becomes of a schedule whose time has come, whoever was there and whatever the clock did."""

from __future__ import annotations

from collections import Counter
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overnight.core.calendars import calendar, instants
from overnight.core.firing import MOST_AT_ONCE, SET_BACK, decide
from overnight.core.schedules import Decision, Missed, Misses, Overlap, Schedule, Scheduled, When, Why
from overnight.core.task import Action, ActionKind, NewTask

BERLIN = ZoneInfo("Europe/Berlin")
#: 2026-03-28, noon in Berlin: the night that follows is an hour short.
NOON = 1_774_695_600.0
HOUR = 3600.0
TASK = NewTask(action=Action(kind=ActionKind.COMMAND, cwd=b"/", argv=(b"true",)), input=b"")
HOURLY = When(cron="0 * * * *")


def scheduled(when: When = HOURLY, **options: Any) -> Scheduled:
    on_record = {key: options.pop(key) for key in ("open", "next_at", "planned_at") if key in options}
    made = Scheduled(Schedule("nightly", when, **options), TASK, "test", began_at=NOON, next_at=None, planned_at=NOON)
    first = calendar(when, BERLIN, began_at=NOON)(NOON)
    return msgspec.structs.replace(made, **({"next_at": first} | on_record))


def decided(found: Scheduled, now: float) -> Decision | None:
    return decide(found, calendar(found.schedule.when, BERLIN, began_at=found.began_at), now=now)


def test_before_its_time_there_is_nothing_to_decide() -> None:
    assert decided(scheduled(), NOON + HOUR - 0.001) is None


def test_in_time_it_runs_and_nothing_is_missed() -> None:
    assert decided(scheduled(), NOON + HOUR + 59) == Decision((NOON + HOUR,), NOON + 2 * HOUR)


@pytest.mark.parametrize(("missed", "runs"), [(Missed.ONCE, (NOON + 3 * HOUR,)), (Missed.SKIP, ()), (Missed.ALL, None)])
def test_after_a_night_without_power(missed: Missed, runs: tuple[float, ...] | None) -> None:
    overlap = Overlap.ALLOW if missed is Missed.ALL else Overlap.SKIP
    found = decided(scheduled(missed=missed, overlap=overlap), NOON + 3.5 * HOUR)
    all_of_them = tuple(NOON + n * HOUR for n in (1, 2, 3))
    assert found is not None
    assert found.runs == (all_of_them if runs is None else runs)
    assert found.misses == (Misses(Why.LATE, NOON + HOUR, NOON + 3 * HOUR, 3),)
    assert found.next_at == NOON + 4 * HOUR


def test_what_is_late_by_less_than_its_grace_is_in_time() -> None:
    found = decided(scheduled(missed=Missed.SKIP, grace=2 * HOUR), NOON + 2.5 * HOUR)
    assert found == Decision((NOON + 2 * HOUR,), NOON + 3 * HOUR, (Misses(Why.LATE, NOON + HOUR, NOON + HOUR, 1),))


def test_a_run_longer_than_its_interval() -> None:
    now = NOON + HOUR
    skipped = decided(scheduled(overlap=Overlap.SKIP, open=(7,)), now)
    assert skipped == Decision((), NOON + 2 * HOUR, (Misses(Why.OVERLAP, now, now, 1),))
    assert decided(scheduled(overlap=Overlap.QUEUE, open=(7,)), now) is None
    assert decided(scheduled(overlap=Overlap.ALLOW, open=(7,)), now) == Decision((now,), NOON + 2 * HOUR)
    replaced = decided(scheduled(overlap=Overlap.REPLACE, open=(7,)), now)
    assert replaced == Decision((), now, replaces=True)


def test_one_that_waits_for_the_run_before_runs_when_that_is_done() -> None:
    waiting = scheduled(overlap=Overlap.QUEUE, missed=Missed.ALL)
    one = decided(waiting, NOON + 2.2 * HOUR)
    assert one is not None
    assert (one.runs, one.next_at) == ((NOON + HOUR,), NOON + 2 * HOUR)


def test_a_schedule_of_seconds_after_a_year_costs_little() -> None:
    found = decided(scheduled(When(every=1.0)), NOON + 365 * 86400.5)
    assert found is not None
    assert len(found.runs) == 1
    assert found.misses[0].count == 1000
    assert found.misses[0].more
    assert found.misses[0].last == found.runs[0] - 1


def test_making_up_for_many_goes_on_later() -> None:
    found = decided(scheduled(When(every=1.0), missed=Missed.ALL, overlap=Overlap.ALLOW), NOON + 1000.5)
    assert found is not None
    assert len(found.runs) == MOST_AT_ONCE
    assert found.next_at == NOON + MOST_AT_ONCE + 1


def test_a_clock_that_was_far_ahead_is_forgotten() -> None:
    ahead = NOON + 10 * 365 * 86400
    assert decided(scheduled(next_at=ahead, planned_at=ahead - 1), NOON) == Decision((), NOON + HOUR)
    # One that was set back by little has not been wrong: what has run does not run again.
    assert decided(scheduled(next_at=NOON + 5 * HOUR, planned_at=NOON + 4 * HOUR), NOON) is None
    assert decided(scheduled(When(every=60.0), next_at=NOON + HOUR, planned_at=NOON), NOON) == Decision((), NOON + 60)


# -- any clock path --------------------------------------------------------------------------

whens = st.sampled_from(
    [
        HOURLY,
        When(cron="30 2 * * *"),
        When(cron="*/20 1-3 * * *"),
        When(every=1800.0),
        When(at=("02:10", "2026-03-29 02:40")),
    ]
)
zones = st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
steps = st.lists(st.floats(0.5, 9 * HOUR), min_size=1, max_size=25)
#: Days in which clocks change somewhere.
days = st.sampled_from(
    [1_774_695_600.0, 1_792_922_400.0, 1_772_913_600.0, 1_793_487_600.0, 1_775_300_400.0, 1_791_036_000.0]
)


class Night:
    """A schedule that is decided at each step, with what has run, and what is told to be missed."""

    def __init__(self, schedule: Schedule, zone: str, start: float) -> None:
        self.calendar = calendar(schedule.when, ZoneInfo(zone), began_at=start)
        self.found = Scheduled(schedule, TASK, "test", start, self.calendar(start), start)
        self.ran: list[float] = []
        self.missed = 0

    def look(self, now: float, open_runs: tuple[int, ...] = ()) -> None:
        self.found = msgspec.structs.replace(self.found, open=open_runs)
        for _ in range(1000):
            found = decide(self.found, self.calendar, now=now)
            if found is None:
                return
            self.ran += found.runs
            self.missed += sum(one.count for one in found.misses)
            self.found = msgspec.structs.replace(self.found, next_at=found.next_at, planned_at=now)
        raise AssertionError("it never comes to an end")


@settings(deadline=None)
@given(whens, zones, days, steps, st.sampled_from(Missed))
def test_no_instant_is_passed_over_in_silence_and_none_runs_twice(
    when: When, zone: str, start: float, path: list[float], missed: Missed
) -> None:
    """Each has run or was told, by looks as far from each other as they may be; and `all` means all."""
    overlap = Overlap.ALLOW if missed is Missed.ALL else Overlap.SKIP
    night = Night(Schedule("s", when, missed=missed, overlap=overlap), zone, start)
    now = start
    for step in path:
        now += step
        night.look(now)
    due = list(instants(night.calendar, after=start, until=now))
    assert max(Counter(night.ran).values(), default=1) == 1
    assert set(night.ran) <= set(due)
    assert night.ran == sorted(night.ran)
    if missed is Missed.ALL:
        assert night.ran == due
    elif missed is Missed.SKIP:
        assert len(night.ran) + night.missed == len(due)
    else:
        assert len(night.ran) + night.missed >= len(due)


@settings(deadline=None)
@given(whens, zones, days, st.lists(st.floats(-SET_BACK, 9 * HOUR), min_size=1, max_size=25), st.sampled_from(Missed))
def test_whatever_the_clock_does_it_comes_again_and_times_of_a_day_do_not_repeat(
    when: When, zone: str, start: float, path: list[float], missed: Missed
) -> None:
    overlap = Overlap.ALLOW if missed is Missed.ALL else Overlap.REPLACE
    night = Night(Schedule("s", when, missed=missed, overlap=overlap), zone, start)
    now = highest = start
    lowest = start
    for step in path:
        now += step
        lowest, highest = min(lowest, now), max(highest, now)
        night.look(now)
        following = night.calendar(now)
        assert following is None or night.found.next_at is None or night.found.next_at <= following + 2 * SET_BACK
    if when.every is None and highest - lowest < SET_BACK:
        assert max(Counter(night.ran).values(), default=1) == 1


@settings(deadline=None)
@given(
    whens,
    zones,
    days,
    steps,
    st.lists(st.booleans(), min_size=25, max_size=25),
    st.sampled_from([Missed.ONCE, Missed.ALL]),
)
def test_in_a_row_none_runs_beside_another(
    when: When, zone: str, start: float, path: list[float], busy: list[bool], missed: Missed
) -> None:
    night = Night(Schedule("s", when, missed=missed, overlap=Overlap.QUEUE), zone, start)
    now = start
    for step, is_open in zip(path, busy, strict=False):
        now += step
        before = len(night.ran)
        night.look(now, (1,) if is_open else ())
        assert not is_open or len(night.ran) == before
