"""What a stretch of time was like: everything that ended in it is counted once, with its cause and its slot."""

from __future__ import annotations

from flow_parts import Player, step
from store_parts import NOON, SmallEngine, settlement, task, tasks

from overnight.core.lanes import OPS_QUEUE
from overnight.core.night import Alike, Lasting, Night, Stretch
from overnight.core.states import ErrorClass, Outcome, Reason, TaskState
from overnight.core.verdict import Settlement
from overnight.store.contract import Claimed, Selector, Store, Verb

S = TaskState


def night(store: Store, since: float = NOON, until: float = NOON + 100, spans: int = 10) -> Night:
    return store.night(since=since, until=until, spans=spans)


def failure(claimed: Claimed, fingerprint: str, **changes: object) -> Settlement:
    more = {"error": f"words of {fingerprint}", "error_class": ErrorClass.UNKNOWN, "fingerprint": fingerprint} | changes
    return settlement(claimed, S.FAILED, **more)


def test_nothing_has_happened(store: Store) -> None:
    store.add(tasks(3), now=NOON)
    assert night(store) == Night(NOON, NOON + 100, 10, {}, 0, [], 0, [], [])


def test_failures_are_grouped_by_cause_with_the_words_of_the_newest(store: Store, engine: SmallEngine) -> None:
    store.add(tasks(6), now=NOON)
    claimed = engine.claim()
    engine.turn(failure(claimed[0], "one"), now=NOON - 50)
    engine.turn(failure(claimed[1], "one"), failure(claimed[2], "two"), now=NOON + 15)
    engine.turn(failure(claimed[3], "one", error="the newest"), now=NOON + 95)
    engine.turn(settlement(claimed[4], S.HELD), settlement(claimed[5]), now=NOON + 31)
    assert [(one.fingerprint, one.error, one.tasks) for one in store.causes(9)] == [
        ("one", "the newest", 3),
        ("two", "words of two", 1),
    ]
    assert len(store.causes(1)) == 1
    found = night(store)
    assert found.finished == {S.FAILED: 3, S.COMPLETED: 1}
    assert found.causes == 3
    assert found.alike == [
        Alike(
            "one",
            S.FAILED,
            Reason.ERROR,
            ErrorClass.UNKNOWN,
            "the newest",
            claimed[3].id,
            "default",
            "",
            3,
            1,
            (0, 1, 0, 0, 0, 0, 0, 0, 0, 1),
            NOON - 50,
            NOON + 95,
        ),
        Alike(
            "two",
            S.FAILED,
            Reason.ERROR,
            ErrorClass.UNKNOWN,
            "words of two",
            claimed[2].id,
            "default",
            "",
            1,
            0,
            (0, 1, 0, 0, 0, 0, 0, 0, 0, 0),
            NOON + 15,
            NOON + 15,
        ),
        Alike(
            "",
            S.HELD,
            Reason.POISON,
            None,
            "",
            claimed[4].id,
            "default",
            "",
            1,
            0,
            (0, 0, 0, 1, 0, 0, 0, 0, 0, 0),
            NOON + 31,
            NOON + 31,
        ),
    ]


def test_a_task_that_a_person_holds_is_held_since_it_was_added(store: Store) -> None:
    (task_id,) = store.add([task("a")], now=NOON + 42).ids
    store.act(Verb.HOLD, Selector(ids=(task_id,)), now=NOON + 60, by="me")
    (held,) = night(store).alike
    assert (held.reason, held.spans.index(1), held.first_at) == (Reason.BY_HAND, 4, NOON + 42)


def test_what_completed_after_an_attempt_that_did_not_has_recovered(store: Store, engine: SmallEngine) -> None:
    first = engine.one("mended")
    engine.turn(settlement(first, S.WAITING))
    (again,) = engine.claim(now=NOON + 200)
    engine.turn(settlement(again), now=NOON + 90)
    engine.turn(settlement(engine.one("at once")), now=NOON + 91)
    found = night(store)
    assert (found.finished, found.recovered) == ({S.COMPLETED: 2}, 1)


def test_attempts_are_added_up_by_slot_and_span_and_the_long_ones_stand_by_themselves(
    store: Store, engine: SmallEngine
) -> None:
    store.add(tasks(4), now=NOON)
    a, b, c, d = engine.claim()
    engine.turn(settlement(a, slot=0, seconds=2.0), settlement(b, slot=0, seconds=3.0), now=NOON + 12)
    engine.turn(settlement(c, S.FAILED, slot=1, seconds=30.0, started_at=NOON + 5), now=NOON + 35)
    engine.turn(settlement(d, S.PENDING, slot=1, started_at=None, outcome=Outcome.RECALLED), now=NOON + 36)
    found = night(store)
    assert found.stretches == [
        Stretch(0, 1, Outcome.COMPLETED, 2, 5.0),
        Stretch(1, 3, Outcome.FAILED, 1, 30.0),
    ]
    assert [one.seconds for one in found.longest] == [30.0, 3.0, 2.0]
    assert found.longest[:1] == [Lasting(c.id, 1, 1, Outcome.FAILED, Reason.ERROR, NOON + 5, NOON + 35, 30.0)]


def test_a_few_are_told_even_if_none_took_long(store: Store, engine: SmallEngine) -> None:
    store.add(tasks(2), now=NOON)
    a, b = engine.claim()
    engine.turn(settlement(a, seconds=0.2), settlement(b, seconds=0.5), now=NOON + 1)
    assert [one.task_id for one in night(store).longest] == [b.id, a.id]
    store.add(tasks(40, priority=1), now=NOON)
    engine.turn(*(settlement(one, seconds=0.3) for one in engine.claim()), now=NOON + 2)
    assert [one.task_id for one in night(store).longest][:1] == [b.id]
    assert len(night(store).longest) == 20


def test_attempts_at_the_runners_own_tasks_are_nobodys_night(store: Store, engine: SmallEngine) -> None:
    store.add([task("an alert", queue=OPS_QUEUE) for _ in range(30)], now=NOON)
    engine.turn(*(settlement(one, seconds=40.0, slot=0) for one in engine.claim()), now=NOON + 45)
    mine = engine.one("mine")
    engine.turn(settlement(mine, seconds=1.0, slot=0), now=NOON + 46)
    found = night(store)
    assert [one.task_id for one in found.longest] == [mine.id]
    assert found.stretches == [Stretch(0, 4, Outcome.COMPLETED, 1, 1.0)]
    assert found.finished == {S.COMPLETED: 1}


def test_what_lies_outside_the_window_is_not_in_it(store: Store, engine: SmallEngine) -> None:
    engine.turn(settlement(engine.one("early"), seconds=1.0), now=NOON - 0.5)
    engine.turn(settlement(engine.one("late"), seconds=1.0), now=NOON + 100)
    found = night(store)
    assert (found.finished, found.stretches, found.longest) == ({}, [], [])


def test_steps_are_busy_and_their_task_is_what_fails(store: Store) -> None:
    player = Player(store, step("one"), step("two", "one"))
    player.add()
    player.play()
    found = night(store, since=0.0, until=NOON * 2)
    assert found.finished == {S.COMPLETED: 1}
    assert sum(one.attempts for one in found.stretches) == 2
