"""Schedules under the real engine and store, with a clock of the test's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from night import Night, task

from overnight.core.calendars import calendar
from overnight.core.schedules import Missed, Overlap, Schedule, Scheduled, When
from overnight.core.states import TaskState
from overnight.core.stopping import Ask
from overnight.core.task import Action
from overnight.engine.agenda import Agenda
from overnight.engine.attempts import Attempts
from overnight.engine.goal import Never
from overnight.engine.orders import OrderBook
from overnight.engine.scheduling import Scheduling
from overnight.executors.contract import Spec
from overnight.store.contract import Query
from overnight.store.sqlite import SqliteStore
from overnight.testing import Play
from overnight.testing.clock import START

HOUR = 3600.0


def lay(night: Night, when: When, zone: str = "UTC", **options: Any) -> None:
    schedule = Schedule("s", when, **options)
    now = night.clock.now()
    first = calendar(when, ZoneInfo(zone), began_at=now)(now)
    night.store.lay_schedules(
        [Scheduled(schedule, task("s"), "file", now, first, now)], source="file", now=now, by="test"
    )


def taking(seconds: float) -> Callable[[Spec, Action], Play]:
    return lambda _spec, _action: Play(seconds=seconds)


def run_for(night: Night, seconds: float, play: Callable[[Spec, Action], Play] | None = None) -> list[float]:
    """Let it run; when tasks began, in seconds from now."""
    start = night.clock.monotonic()
    began: list[float] = []

    def noting(spec: Spec, action: Action) -> Play:
        began.append(night.clock.monotonic() - start)
        return play(spec, action) if play else Play(seconds=1.0)

    night.run(noting, goal=Never(), script=[(seconds, night.give_up)])
    return [round(at) for at in began]


def test_it_runs_each_time_and_says_for_what(night: Night) -> None:
    lay(night, When(every=600.0))
    assert run_for(night, 2000.0) == [600, 1200, 1800]
    (last, *_) = night.store.tasks(Query())
    assert last.description.startswith("schedule s, for ")
    assert [event["due_at"] for event in night.told("schedule_fired")] == [
        f"2027-01-15T08:{minutes}:00Z" for minutes in (10, 20, 30)
    ]
    assert night.told("schedule_missed") == []


def test_a_night_without_power_is_made_up_for_once_and_told(night: Night) -> None:
    lay(night, When(every=HOUR))
    assert run_for(night, 1.5 * HOUR) == [3600]
    night.clock.advance(8 * HOUR)
    assert run_for(night, 1.0 * HOUR) == [0, 1800]
    (missed,) = night.told("schedule_missed")
    assert (missed["count"], missed["why"], missed["made_up"]) == (8, "late", 2)


@pytest.mark.parametrize(("missed", "runs"), [(Missed.SKIP, 0), (Missed.ALL, 8)])
def test_or_it_is_not_or_each_of_them_is(night: Night, missed: Missed, runs: int) -> None:
    lay(night, When(every=HOUR), missed=missed, overlap=Overlap.QUEUE if runs else Overlap.SKIP)
    night.clock.advance(8.2 * HOUR)
    assert len(run_for(night, 120.0)) == runs
    assert sum(event["count"] for event in night.told("schedule_missed")) == 8


def test_a_run_longer_than_its_interval(night: Night) -> None:
    lay(night, When(every=100.0))
    assert run_for(night, 1000.0, taking(250.0)) == [100, 400, 700]
    assert {event["why"] for event in night.told("schedule_missed")} == {"overlap"}
    assert len(night.told("schedule_missed")) == 6


def test_or_the_next_one_waits_for_it(night: Night) -> None:
    lay(night, When(every=100.0), overlap=Overlap.QUEUE, missed=Missed.ALL)
    assert run_for(night, 1000.0, taking(250.0)) == [100, 350, 600, 850]


def test_or_they_run_side_by_side(night: Night) -> None:
    lay(night, When(every=100.0), overlap=Overlap.ALLOW)
    assert run_for(night, 450.0, taking(150.0)) == [100, 200, 300, 400]


def test_or_it_makes_room(night: Night) -> None:
    """The next one begins when the one before is gone, and not beside it."""
    lay(night, When(every=100.0), overlap=Overlap.REPLACE)
    began = run_for(night, 350.0, taking(250.0))
    assert [100 <= began[0] <= 102, 200 <= began[1] <= 203, 300 <= began[2] <= 303] == [True] * 3
    cancelled = [one.id for one in night.store.tasks(Query()) if one.state is TaskState.CANCELLED]
    assert sorted(cancelled) == [1, 2]


def test_the_autumn_change_of_clocks(night: Night) -> None:
    """From the evening before: half past two comes twice, and is meant once; every hour is every hour."""
    berlin = ZoneInfo("Europe/Berlin")
    evening = datetime(2027, 10, 30, 23, 30, tzinfo=berlin).timestamp()
    night.clock.advance(max(0.0, evening - night.clock.now()))
    lay(night, When(cron="30 2 * * *", tz="Europe/Berlin"), "Europe/Berlin")
    assert run_for(night, 6 * HOUR) == [3 * 3600]
    lay(night, When(cron="0 * * * *", tz="Europe/Berlin"), "Europe/Berlin")
    (fired,) = night.told("schedule_fired")
    assert fired["due_at"].startswith("2027-10-31T00:30")


def test_killed_between_two_turns_nothing_is_fired_twice(night: Night) -> None:
    class Killed(BaseException):
        pass

    lay(night, When(every=100.0))

    def kill() -> None:
        raise Killed

    for at in (100.5, 1.0, 150.0):
        with pytest.raises(Killed):
            night.run(taking(1.0), goal=Never(), script=[(at, kill)])
    run_for(night, 10.0)
    fired = [event["due_at"] for event in night.told("schedule_fired")]
    assert len(fired) == len(set(fired)) == 2


def test_one_that_is_laid_down_while_the_engine_runs_is_heeded(night: Night) -> None:
    def come() -> None:
        other = SqliteStore.open(night.directory / "queue.db")
        now = night.clock.now()
        one = Scheduled(Schedule("s", When(every=60.0)), task("s"), "file", now, now + 60.0, now)
        other.lay_schedules([one], source="file", now=now, by="test")
        other.close()
        night.bell.ring()

    start = night.clock.monotonic()
    began: list[float] = []
    night.run(
        lambda _spec, _action: began.append(night.clock.monotonic() - start) or Play(),  # type: ignore[func-returns-value]  # notes it
        goal=Never(),
        script=[(30.0, come), (100.0, night.give_up)],
    )
    assert [round(at) for at in began] == [90]


def test_a_clock_that_was_wrong_by_years_stops_nothing(night: Night) -> None:
    lay(night, When(cron="* * * * *"))

    def set_ahead() -> None:
        night.clock.step_wall(10 * 365 * 86400.0)

    def set_right() -> None:
        night.clock.step_wall(-10 * 365 * 86400.0)

    start = night.clock.monotonic()
    began: list[float] = []
    night.run(
        lambda _spec, _action: began.append(night.clock.monotonic() - start) or Play(),  # type: ignore[func-returns-value]  # notes it
        goal=Never(),
        script=[(70.0, set_ahead), (75.0, set_right), (400.0, night.give_up)],
    )
    assert len([at for at in began if at > 80]) >= 5
    assert len(night.told("schedule_replanned")) == 1


def test_when_nothing_is_left_what_is_due_is_done_first(night: Night) -> None:
    lay(night, When(every=HOUR))
    night.clock.advance(2 * HOUR)
    result = night.run(taking(1.0))
    assert result.counts.completed == 1


def test_what_was_planned_by_a_wrong_clock_is_found_out_at_the_start(night: Night) -> None:
    night.clock.step_wall(10 * 365 * 86400.0)
    lay(night, When(cron="* * * * *"))
    night.clock.step_wall(-10 * 365 * 86400.0)
    assert len(run_for(night, 130.0)) == 2


def test_an_engine_that_is_about_to_end_fires_nothing_more(night: Night) -> None:
    lay(night, When(every=100.0))
    night.add(task("long"))
    night.run(taking(250.0), goal=Never(), script=[(50.0, lambda: night.stops.signals.append(Ask.STOP))])
    assert night.store.counts().total == 1
    assert night.store.schedules()[0].next_at == START + 100.0


def test_to_make_room_is_asked_once(night: Night) -> None:
    """A task that takes its time to end is not asked each second."""
    lay(night, When(every=100.0), overlap=Overlap.REPLACE)
    fence = night.store.take_fence(now=night.clock.now(), by="test")
    orders = OrderBook(night.store, {})
    agenda = Agenda(Attempts(night.executor, night.store, orders), night.clock)
    looking = Scheduling(night.store, orders, agenda, night.clock)
    for _ in range(5):
        orders.read(night.clock.monotonic())
        looking.look(fence=fence)
        claim = orders.claim({0: 1.0}, {}, slots=1, now=night.clock.now(), moment=night.clock.monotonic())
        night.store.turn(fence=fence, now=night.clock.now(), claim=claim)
        night.clock.advance(100.0)
    asked = [line for row in night.store.outbox(100) for line in row.lines.splitlines() if b"control_asked" in line]
    assert len(asked) == 1
    assert night.store.counts().running == 1
