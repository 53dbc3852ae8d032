"""Schedules on record: an instant is decided once, with what it adds, whoever dies."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from store_parts import NOON, Implementation, SmallEngine, settlement, task

from overnight.core.errors import NotFoundError, StaleEngineError
from overnight.core.schedules import Decision, Misses, Schedule, Scheduled, When, Why
from overnight.core.states import TaskState
from overnight.store.contract import Store

HOUR = 3600.0


def scheduled(name: str = "nightly", *, every: float = HOUR, source: str = "file", **options: Any) -> Scheduled:
    schedule = Schedule(name, When(every=every), **options)
    return Scheduled(schedule, task(name), source, began_at=NOON, next_at=NOON + every, planned_at=NOON)


def lay(store: Store, *wanted: Scheduled, now: float = NOON, source: str = "file") -> list[str]:
    return store.lay_schedules(wanted, source=source, now=now, by="me")


def fire(engine: SmallEngine, found: Scheduled, decision: Decision, now: float = NOON + HOUR) -> list[int] | None:
    tasks = [found.task] * len(decision.runs)
    return engine.store.fire(found, decision, tasks, fence=engine.fence, now=now, by="schedule")


ONCE = Decision((NOON + HOUR,), NOON + 2 * HOUR)


def test_what_is_laid_down_is_there_and_what_is_not_any_more_is_gone(store: Store) -> None:
    assert lay(store, scheduled("a"), scheduled("b")) == ["a", "b"]
    assert lay(store, scheduled("a"), scheduled("b"), now=NOON + 9) == []
    assert lay(store, scheduled("c", source="other"), source="other") == ["c"]
    assert lay(store, scheduled("b", grace=5.0)) == ["b", "a"]
    assert [one.schedule.name for one in store.schedules()] == ["b", "c"]
    assert store.schedules()[0].schedule.grace == 5.0
    assert store.orders().next_firing == NOON + HOUR


def test_a_change_that_is_not_of_its_times_leaves_it_due_when_it_was(store: Store) -> None:
    lay(store, scheduled("a"))
    later = msgspec.structs.replace(
        scheduled("a", priority=7), began_at=NOON + 9, next_at=NOON + 99, planned_at=NOON + 9
    )
    lay(store, later, now=NOON + 9)
    (found,) = store.schedules()
    assert (found.schedule.priority, found.next_at, found.began_at) == (7, NOON + HOUR, NOON)
    other = scheduled("a", every=60.0)
    lay(store, other)
    assert store.schedules() == [other]


def test_to_fire_adds_the_task_and_moves_the_schedule(engine: SmallEngine) -> None:
    store = engine.store
    lay(store, scheduled())
    (found,) = store.schedules()
    assert fire(engine, found, ONCE) == [1]
    (after,) = store.schedules()
    assert (after.next_at, after.planned_at, after.last_at, after.last_id) == (
        NOON + 2 * HOUR,
        NOON + HOUR,
        NOON + HOUR,
        1,
    )
    assert after.open == (1,)
    assert store.get(1).state is TaskState.PENDING
    assert store.orders().next_firing == NOON + 2 * HOUR


def test_a_decision_about_what_has_changed_does_nothing(engine: SmallEngine) -> None:
    store = engine.store
    lay(store, scheduled())
    (found,) = store.schedules()
    assert fire(engine, found, ONCE) == [1]
    assert fire(engine, found, ONCE) is None
    lay(store)
    assert fire(engine, found, ONCE) is None
    assert store.counts().total == 1


def test_an_older_engine_fires_nothing(engine: SmallEngine) -> None:
    lay(engine.store, scheduled())
    (found,) = engine.store.schedules()
    engine.store.take_fence(now=NOON, by="newer")
    with pytest.raises(StaleEngineError):
        fire(engine, found, ONCE)
    assert engine.store.schedules() == [found]


def test_what_is_missed_is_counted_and_told(engine: SmallEngine) -> None:
    store = engine.store
    lay(store, scheduled())
    (found,) = store.schedules()
    misses = (Misses(Why.LATE, NOON + HOUR, NOON + 3 * HOUR, 3),)
    assert fire(engine, found, Decision((), NOON + 4 * HOUR, misses)) == []
    assert store.schedules()[0].missed == 3
    lines = b"".join(row.lines for row in store.outbox(100)).splitlines()
    told = [event for event in map(msgspec.json.decode, lines) if event["event"] == "schedule_missed"]
    assert [(one["count"], one["why"], one.get("made_up")) for one in told] == [(3, "late", None)]


def test_open_are_those_that_are_not_done(engine: SmallEngine) -> None:
    store = engine.store
    lay(store, scheduled())
    for n in (1, 2, 3):
        (found,) = store.schedules()
        fire(engine, found, Decision((NOON + n * HOUR,), NOON + (n + 1) * HOUR), now=NOON + n * HOUR)
    first, second, third = engine.claim(now=NOON + 4 * HOUR)
    engine.turn(settlement(first), settlement(second, TaskState.HELD), settlement(third, TaskState.WAITING))
    assert store.schedules()[0].open == (3,)


def test_a_person_may_run_it_now_and_it_is_due_when_it_was(engine: SmallEngine) -> None:
    store = engine.store
    lay(store, scheduled())
    assert store.run_schedule("nightly", task("now"), now=NOON + 5, by="me") == 1
    (found,) = store.schedules()
    assert (found.next_at, found.last_at, found.open) == (NOON + HOUR, NOON + 5, (1,))
    with pytest.raises(NotFoundError):
        store.run_schedule("other", task("now"), now=NOON + 5, by="me")


@pytest.mark.parametrize("when", ["before_commit", "after_commit"])
def test_killed_while_it_fires_it_has_fired_or_it_has_not(implementation: Implementation, path: Any, when: str) -> None:
    """Never the task without the move, nor the move without the task."""

    class Killed(BaseException):
        pass

    def hook(operation: str, moment: str) -> None:
        if (operation, moment) == ("fire", when):
            raise Killed

    store = implementation.open(path, create=True, hooks=hook)
    engine = SmallEngine(store)
    lay(store, scheduled())
    (found,) = store.schedules()
    with pytest.raises(Killed):
        fire(engine, found, ONCE)
    store.close()
    again = implementation.open(path)
    has_fired = when == "after_commit"
    assert again.counts().total == int(has_fired)
    assert (again.schedules()[0].next_at == NOON + 2 * HOUR) is has_fired
    assert again.recount() == []
    again.close()
