"""A person changes tasks that are still to run, and no other."""

from __future__ import annotations

import msgspec
import pytest
from flow_parts import Player, step
from store_parts import ACTION, NOON, SmallEngine, settlement, task, tasks, told

from overnight.core.edits import EDITABLE, Change, Left
from overnight.core.states import FINAL, TaskState
from overnight.store.contract import Selector, Store, Verb

LONGER = Change(priority=5, queue="night", needs={"gpu": 1.0}, action={"timeout": 77.0, "retries": 9})


def edits(store: Store) -> list[dict[str, object]]:
    """The records of edits."""
    return [event for event in told(store) if event["event"] in ("file_redefined", "file_rescheduled")]


@pytest.mark.parametrize("state", TaskState)
def test_only_what_is_still_to_run_is_changed(store: Store, engine: SmallEngine, state: TaskState) -> None:
    task_id = engine.bring(state)
    before = store.get(task_id)
    why = None if state in EDITABLE else Left.ENDED if state in FINAL else Left.RUNNING

    edited = store.edit(Selector(ids=(task_id,)), LONGER, now=NOON + 1, by="me")

    assert (edited.changed, edited.left) == ((1, {}) if why is None else (0, {task_id: why}))
    after = store.get(task_id)
    action = store.actions([after.action_id])[after.action_id]
    found = (after.priority, after.queue, after.needs, action.timeout, action.retries)
    assert (found == (5, "night", {"gpu": 1.0}, 77.0, 9)) is (why is None)
    assert (after.state, after.attempt, after.failures, after.not_before) == (
        before.state,
        before.attempt,
        before.failures,
        before.not_before,
    )
    assert [(event["id"], event["by"]) for event in edits(store)] == [(task_id, "me")] * (why is None)


@pytest.mark.parametrize("state", sorted(EDITABLE))
def test_a_dry_run_finds_the_same_and_writes_nothing(store: Store, engine: SmallEngine, state: TaskState) -> None:
    task_id = engine.bring(state)
    selector = Selector(ids=(task_id,))
    assert store.edit(selector, LONGER, now=NOON, by="me", dry_run=True).changed == 1
    assert (store.get(task_id).priority, edits(store)) == (0, [])
    store.edit(selector, LONGER, now=NOON, by="me")
    assert store.edit(selector, LONGER, now=NOON, by="me", dry_run=True).changed == 0


@pytest.mark.parametrize(
    "change",
    [
        Change(priority=1),
        Change(queue="night"),
        Change(needs={"gpu": 1.0}),
        Change(action={"timeout": 7.0}),
        Change(moves=True, not_before=NOON + 60),
        Change(moves=True, not_before=NOON - 60),
        Change(moves=True),
        Change(priority=1, moves=True, not_before=NOON + 60, action={"retries": 2}),
    ],
)
def test_a_dry_run_counts_what_is_changed_then(store: Store, change: Change) -> None:
    """Among tasks of which some are so already."""
    timed = msgspec.structs.replace(ACTION, timeout=7.0)
    store.add(
        [
            task("plain"),
            task("urgent", priority=1),
            task("other", queue="night"),
            task("needy", needs={"gpu": 1.0}),
            task("timed", action=timed),
            task("later", not_before=NOON + 60),
        ],
        now=NOON,
    )
    everything = Selector(everything=True)
    found = store.edit(everything, change, now=NOON, by="me", dry_run=True).changed
    assert store.edit(everything, change, now=NOON, by="me").changed == found > 0
    assert len({event["id"] for event in edits(store)}) == found
    assert store.edit(everything, change, now=NOON, by="me", dry_run=True).changed == 0


def test_what_is_so_already_is_no_change(store: Store) -> None:
    store.add([task()], now=NOON)
    everything = Selector(everything=True)
    assert store.edit(everything, Change(priority=0, queue="default", needs={}), now=NOON, by="me").changed == 0
    assert edits(store) == []


def test_a_later_time_makes_it_wait_and_an_earlier_one_lets_it_go(store: Store) -> None:
    (task_id,) = store.add([task()], now=NOON).ids
    selector = Selector(ids=(task_id,))
    for not_before, state in (
        (NOON + 60, TaskState.WAITING),
        (NOON + 90, TaskState.WAITING),
        (None, TaskState.PENDING),
    ):
        assert store.edit(selector, Change(moves=True, not_before=not_before), now=NOON, by="me").changed == 1
        assert (store.get(task_id).state, store.get(task_id).not_before) == (state, not_before)
    assert store.edit(selector, Change(moves=True, not_before=NOON - 1), now=NOON, by="me").changed == 0
    assert [event["event"] for event in edits(store)] == ["file_rescheduled"] * 3


def test_what_waits_for_others_waits_for_its_time_after_them(store: Store, engine: SmallEngine) -> None:
    first, second = store.add([task("a"), task("b", after_here=(0,))], now=NOON).ids
    store.edit(Selector(ids=(second,)), Change(moves=True, not_before=NOON + 60), now=NOON, by="me")
    assert (store.get(second).state, store.get(second).not_before) == (TaskState.WAITING, None)

    (claimed,) = engine.claim()
    assert claimed.id == first
    engine.turn(settlement(claimed))
    assert (store.get(second).state, store.get(second).not_before) == (TaskState.WAITING, NOON + 60)


def test_what_is_held_is_given_no_time(store: Store) -> None:
    (task_id,) = store.add([task()], now=NOON).ids
    store.act(Verb.HOLD, Selector(ids=(task_id,)), now=NOON, by="me")
    change = Change(priority=3, moves=True, not_before=NOON + 60)
    assert store.edit(Selector(ids=(task_id,)), change, now=NOON, by="me").left == {task_id: Left.HELD}
    assert store.get(task_id).priority == 0


def test_a_whole_queue_is_moved_once(store: Store) -> None:
    """The tasks stay selectable while they are changed: each is changed once all the same."""
    store.add(tasks(7_000, queue="day"), now=NOON)
    store.add(tasks(2, queue="other"), now=NOON)
    assert store.edit(Selector(queue="day"), Change(priority=2, queue="night"), now=NOON, by="me").changed == 7_000
    assert (store.counts(queue="day").pending, store.counts(queue="night").pending) == (0, 7_000)
    later = Change(moves=True, not_before=NOON + 9)
    assert store.edit(Selector(queue="night"), later, now=NOON, by="me").changed == 7_000
    assert store.counts(queue="night").waiting == 7_000


def test_a_workflow_can_be_changed_until_it_is_begun_and_its_steps_cannot(store: Store) -> None:
    player = Player(store, step("one"), step("two", "one"))
    (task_id,) = player.add()
    selector = Selector(ids=(task_id,))
    assert store.edit(selector, Change(needs={"gpu": 1.0}), now=NOON, by="me").left == {task_id: Left.NEEDS}
    assert store.edit(selector, Change(priority=4), now=NOON, by="me").changed == 1
    player.claim_one()
    left = store.edit(Selector(ids=(task_id, task_id + 2)), Change(priority=5), now=NOON, by="me").left
    assert left == {task_id: Left.BEGUN, task_id + 2: Left.STEP}
