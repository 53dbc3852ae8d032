"""What programs that do the work themselves may rely on, and the engine beside them."""

from __future__ import annotations

import msgspec
import pytest
from store_parts import ACTION, NOON, SmallEngine, settlement, task, tasks, told

from overnight.core.states import Outcome, Reason, TaskState
from overnight.core.task import ActionKind
from overnight.core.verdict import Settlement
from overnight.store.contract import Popped, Selector, Store, Verb

ME = "1:2:boot"


def pop(store: Store, queue: str = "default", *, now: float = NOON, task_id: int | None = None) -> Popped | None:
    return store.pop(queue, owner=ME, now=now, by="me", task_id=task_id)


def ended(one: Popped, state: TaskState = TaskState.COMPLETED) -> Settlement:
    outcome, reason = {
        TaskState.COMPLETED: (Outcome.COMPLETED, None),
        TaskState.FAILED: (Outcome.FAILED, Reason.ERROR),
        TaskState.PENDING: (Outcome.LOST, None),
    }[state]
    return Settlement(one.task_id, one.attempt, state, outcome, one.failures, one.deaths, NOON, reason=reason)


def taken(store: Store, name: str = "a") -> Popped:
    store.add([task(name)], now=NOON)
    found = pop(store)
    assert found is not None
    return found


def test_pop_takes_the_highest_priority_and_then_the_oldest(store: Store) -> None:
    """Over all lanes of the queue, and of no other queue."""
    store.add([task("low"), task("first", priority=5), task("other", queue="other", priority=9)], now=NOON)
    store.add([task("second", priority=5, workflow="w"), task("third", priority=5)], now=NOON)

    popped = [pop(store) for _ in range(5)]

    assert [one and one.input for one in popped] == [b"first", b"second", b"third", b"low", None]


def test_pop_takes_only_what_calls_a_function_when_one_is_named(store: Store) -> None:
    """Not a command in whose words its name stands, nor what comes before it in the queue."""
    mine, other = (
        msgspec.structs.replace(ACTION, kind=ActionKind.CALL, argv=(), call=call)
        for call in ("m:mine", "m:minesweeper")
    )
    store.add(
        [
            task("command", priority=9, action=msgspec.structs.replace(ACTION, argv=(b"echo", b"m:mine"))),
            task("x", action=other),
        ],
        now=NOON,
    )
    assert store.next_up("default", now=NOON, call="m:mine") is None
    store.add([task("a", action=mine), task("late", priority=5, not_before=NOON + 10, action=mine)], now=NOON)

    for now, name in ((NOON, b"a"), (NOON + 10, b"late"), (NOON + 10, None)):
        assert getattr(store.next_up("default", now=now, call="m:mine"), "input", None) == name
        one = store.pop("default", owner=ME, now=now, by="me", call="m:mine")
        assert (one and one.input) == name
    assert [getattr(pop(store), "input", None) for _ in range(3)] == [b"command", b"x", None]


def test_what_was_popped_is_running_and_its_start_is_on_record(store: Store) -> None:
    one = taken(store)

    assert store.get(one.task_id).state is TaskState.RUNNING
    assert (store.get(one.task_id).attempt, store.get(one.task_id).started_at) == (1, NOON)
    assert store.popped() == [one]
    assert (one.owner, one.claimed_at, one.attempt, one.queue) == (ME, NOON, 1, "default")
    (started,) = [event for event in told(store) if event["event"] == "file_started"]
    assert (started["fence"], started["by"], started["input"]) == (0, "me", "a")


def test_next_up_names_what_pop_would_take_and_changes_nothing(store: Store) -> None:
    assert store.next_up("default", now=NOON) is None
    store.add([task("late", priority=9, not_before=NOON + 10), task("a"), task("b", priority=1)], now=NOON)
    before = store.counts()

    assert [getattr(store.next_up("default", now=NOON + at), "input", None) for at in (0, 10)] == [b"b", b"late"]
    assert store.counts() == before


def test_what_waits_is_popped_when_its_time_has_come_without_any_engine(store: Store) -> None:
    store.add([task("later", not_before=NOON + 10)], now=NOON)

    assert pop(store) is None
    found = pop(store, now=NOON + 10)
    assert found is not None
    assert found.input == b"later"


def test_one_task_can_be_popped_by_its_number_whatever_it_waits_for(store: Store) -> None:
    first, second, third = store.add([task("1"), task("2"), task("3", not_before=NOON + 99)], now=NOON).ids

    assert [getattr(pop(store, task_id=number), "input", None) for number in (second, third)] == [b"2", b"3"]
    assert pop(store, task_id=second) is None
    assert store.counts().running == 2
    assert pop(store, task_id=first) is not None


def test_what_an_unpublished_batch_holds_cannot_be_popped(store: Store) -> None:
    batch = store.open_batch(now=NOON, owner=ME)
    (hidden,) = store.add([task("hidden")], now=NOON, batch=batch).ids

    assert pop(store) is None
    assert pop(store, task_id=hidden) is None
    store.publish(batch, now=NOON)
    assert pop(store) is not None


def test_an_engine_neither_claims_nor_recovers_what_was_popped(store: Store, engine: SmallEngine) -> None:
    one = taken(store)

    assert engine.claim() == []
    assert store.left_open() == []
    assert SmallEngine(store).claim() == []
    assert store.popped() == [one]


def test_handing_in_settles_once(store: Store) -> None:
    """A second word about the same attempt is stale, and told."""
    one = taken(store)

    assert store.hand_in([ended(one)], now=NOON + 1) == []
    assert store.hand_in([ended(one, TaskState.FAILED)], now=NOON + 2) == [(one.task_id, one.attempt)]

    assert store.get(one.task_id).state is TaskState.COMPLETED
    assert store.popped() == []
    assert [attempt.outcome for attempt in store.attempts(one.task_id)] == [Outcome.COMPLETED]
    assert [event["event"] for event in told(store)][-2:] == ["file_completed", "late_result_refused"]


@pytest.mark.parametrize("state", [TaskState.COMPLETED, TaskState.FAILED, TaskState.PENDING])
def test_a_popped_task_ends_as_its_owner_says(store: Store, state: TaskState) -> None:
    one = taken(store)
    store.hand_in([ended(one, state)], now=NOON)
    assert store.get(one.task_id).state is state


def test_who_comes_back_after_the_task_was_given_to_another_is_refused(store: Store) -> None:
    ghost = taken(store)
    store.hand_in([ended(ghost, TaskState.PENDING)], now=NOON)
    heir = pop(store)
    assert heir is not None
    assert heir.attempt == 2

    assert store.hand_in([ended(ghost)], now=NOON) == [(ghost.task_id, 1)]
    assert store.hand_in([ended(heir, TaskState.FAILED)], now=NOON) == []
    assert store.get(heir.task_id).state is TaskState.FAILED


def test_an_engines_attempt_cannot_be_handed_in(store: Store, engine: SmallEngine) -> None:
    """The two ways to settle are apart: nobody settles what is not his."""
    claimed = engine.one()
    assert store.hand_in([settlement(claimed)], now=NOON) == [(claimed.id, claimed.attempt)]
    assert store.get(claimed.id).state is TaskState.RUNNING


def test_several_are_handed_in_together(store: Store) -> None:
    store.add(tasks(3), now=NOON)
    popped = [one for one in (pop(store) for _ in range(3)) if one]
    assert store.hand_in([ended(one) for one in popped], now=NOON) == []
    assert store.counts().completed == 3


def test_a_failed_one_can_be_revived_and_popped_again(store: Store) -> None:
    one = taken(store)
    store.hand_in([ended(one, TaskState.FAILED)], now=NOON)
    store.act(Verb.RETRY, Selector(everything=True), now=NOON, by="me")
    again = pop(store)
    assert again is not None
    assert (again.task_id, again.attempt, again.failures) == (one.task_id, 2, 0)


def test_counts_say_how_much_of_what_runs_was_popped(store: Store, engine: SmallEngine) -> None:
    """By queue and workflow, like everything else that they say."""
    store.add([task("a"), task("b", queue="other"), task("c", workflow="w"), task("d")], now=NOON)
    assert store.counts().popped == 0
    for queue in ("default", "default", "other"):
        assert pop(store, queue) is not None
    engine.claim()

    assert (store.counts().running, store.counts().popped) == (4, 3)
    assert [store.counts(queue=queue).popped for queue in ("default", "other", "none")] == [2, 1, 0]
    assert [store.counts(workflow=name).popped for name in ("", "w")] == [2, 1]
    store.hand_in([ended(one) for one in store.popped()], now=NOON)
    assert store.counts().popped == 0
