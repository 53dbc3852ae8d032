"""What somebody asks who looks for long: causes, numbers, slots, words."""

from __future__ import annotations

import pytest
from store_parts import NOON, SmallEngine, settlement, task, tasks, told

from overnight.core.lanes import OPS_QUEUE
from overnight.core.states import ErrorClass, Outcome, TaskState
from overnight.store.contract import Query, Selector, Store, Verb

S = TaskState


def fail(engine: SmallEngine, name: str, cause: str, at: float = NOON) -> int:
    """A task that was given up for this cause."""
    claimed = engine.one(name)
    engine.turn(
        settlement(claimed, S.FAILED, fingerprint=cause, error=f"{cause} of {name}", error_class=ErrorClass.PERMANENT),
        now=at,
    )
    return claimed.id


def test_failures_come_by_their_cause_the_most_first(store: Store, engine: SmallEngine) -> None:
    fail(engine, "a", "disk")
    first = fail(engine, "b", "limit")
    last = fail(engine, "c", "limit")

    limit, disk = store.causes(10)

    assert (limit.fingerprint, limit.tasks, limit.newest_id, limit.error) == ("limit", 2, last, "limit of c")
    assert (disk.tasks, disk.queue, disk.reason, disk.error_class) == (1, "default", "error", "permanent")
    assert limit.first_at <= limit.last_at
    assert first < last


def test_a_cause_is_gone_with_its_last_failure(store: Store, engine: SmallEngine) -> None:
    fail(engine, "a", "disk")
    store.act(Verb.RETRY, Selector(cause="disk"), now=NOON, by="me")
    assert store.causes(10) == []


def test_what_the_runner_does_for_itself_is_no_failure_of_the_night(store: Store, engine: SmallEngine) -> None:
    """Nor is it finished or held there; a delivery that was given up is told with the alerts."""
    store.add([task("a message", queue=OPS_QUEUE), task("another", queue=OPS_QUEUE)], now=NOON)
    given_up, held = engine.claim()
    engine.turn(settlement(given_up, S.FAILED, fingerprint="away"), settlement(held, S.HELD), now=NOON + 1)

    night = store.night(since=NOON, until=NOON + 100, spans=10)

    assert store.causes(10) == []
    assert (night.finished, night.alike) == ({}, [])


def test_no_more_causes_than_asked_for(store: Store, engine: SmallEngine) -> None:
    for number in range(3):
        fail(engine, str(number), f"cause {number}")
    assert len(store.causes(2)) == 2


def test_a_count_is_what_a_listing_would_show(store: Store, engine: SmallEngine) -> None:
    fail(engine, "x", "disk")
    store.add(tasks(7), now=NOON)
    store.add(tasks(2, queue="gpu"), now=NOON)

    assert store.how_many(Query(limit=100)) == 10
    assert store.how_many(Query(queue="gpu", limit=100)) == 2
    assert store.how_many(Query(states=(S.FAILED, S.PENDING), limit=100)) == 10
    assert store.how_many(Query(cause="disk", limit=100)) == 1
    assert store.how_many(Query(limit=4)) == 4


@pytest.mark.parametrize("words", ["anna", "ANNA", "nna.w"])
def test_words_are_found_in_inputs_and_titles(words: str, store: Store) -> None:
    ids = store.add([task("anna.wav"), task("b", title="of Anna.wav"), task("c")], now=NOON).ids
    assert [one.id for one in store.tasks(Query(words=words))] == [ids[1], ids[0]]


@pytest.mark.parametrize("words", ["%", "_", "!", "100%"])
def test_words_mean_themselves(words: str, store: Store) -> None:
    ids = store.add([task("plain"), task(f"with {words} in it")], now=NOON).ids
    assert [one.id for one in store.tasks(Query(words=words))] == [ids[1]]


def test_words_are_looked_for_in_inputs_that_are_no_text(store: Store) -> None:
    (task_id,) = store.add([task(b"caf\xe9 noir")], now=NOON).ids
    assert [one.id for one in store.tasks(Query(words="noir"))] == [task_id]


def test_an_attempt_and_its_event_say_on_which_machine_it_ran(store: Store, engine: SmallEngine) -> None:
    store.add(tasks(4), now=NOON)
    plain, failed, lost, here = engine.claim()
    engine.turn(settlement(plain, node="a"), settlement(failed, S.FAILED, node="b"))
    engine.turn(settlement(lost, S.PENDING, outcome=Outcome.LOST, node="b"), settlement(here))

    ran = [[attempt.node for attempt in store.attempts(one.id)] for one in (plain, failed, lost, here)]
    assert ran == [["a"], ["b"], ["b"], [""]]
    ends = [line.get("node") for line in told(store) if line["event"] in ENDS]
    assert sorted(ends, key=str) == [None, "a", "b", "b"]


#: Events of an attempt's end that come up above.
ENDS = ("file_completed", "file_failed", "file_interrupted")


def test_each_ended_attempt_has_its_slot(store: Store, engine: SmallEngine) -> None:
    known = engine.one("a")
    engine.turn(settlement(known, slot=3))
    unknown = engine.one("b")
    engine.turn(settlement(unknown, slot=None))

    assert store.slots_of([known.id, unknown.id]) == {(known.id, 1): 3}
    assert store.slots_of([]) == {}
