"""Tasks that are still to run are done as was asked last."""

from __future__ import annotations

import msgspec
import pytest
from store_parts import ACTION, NOON, SmallEngine, task, told

from overnight.core.states import TaskState
from overnight.core.task import NewTask
from overnight.store.contract import Query, Store


def other(**options: object) -> NewTask:
    """The same task, done in another way."""
    return msgspec.structs.replace(task(action=msgspec.structs.replace(ACTION, timeout=77.0, retries=9)), **options)


@pytest.mark.parametrize("state", TaskState)
def test_only_what_is_still_to_run_is_done_in_another_way(store: Store, engine: SmallEngine, state: TaskState) -> None:
    task_id = engine.bring(state)
    expected = state in (TaskState.WAITING, TaskState.PENDING, TaskState.FAILED)
    before = store.get(task_id)

    assert store.redefine({task_id: other(priority=5)}, now=NOON + 1, by="me") == [task_id] * expected

    after = store.get(task_id)
    found = store.actions([after.action_id])[after.action_id]
    assert (found.timeout == 77.0, found.retries == 9, after.priority == 5) == (expected,) * 3
    assert (after.state, after.attempt, after.failures) == (before.state, before.attempt, before.failures)
    assert [event["id"] for event in told(store) if event["event"] == "file_redefined"] == [task_id] * expected
    assert store.find([other(priority=5)])[0].is_as_asked is expected


def test_it_moves_to_the_queue_and_the_resources_that_are_asked_for(store: Store, engine: SmallEngine) -> None:
    (task_id,) = store.add([task()], now=NOON).ids
    store.redefine({task_id: other(queue="night", needs={"gpu": 1.0})}, now=NOON + 1, by="me")
    assert (store.counts(queue="night").pending, store.counts(queue="default").pending) == (1, 0)
    assert store.tasks(Query(queue="night"))[0].id == task_id
    [claimed] = engine.claim()
    assert claimed.id == task_id


def test_what_is_as_it_is_asked_for_is_no_change(store: Store) -> None:
    (task_id,) = store.add([task()], now=NOON).ids
    before = len(list(told(store)))
    assert store.find([task()])[0].is_as_asked
    assert store.redefine({task_id: task(), 999: task()}, now=NOON + 1, by="me") == []
    assert len(list(told(store))) == before


def test_another_task_is_not_made_of_it(store: Store) -> None:
    """What it is stays: only how it is done is a matter of the last call."""
    (task_id,) = store.add([task()], now=NOON).ids
    assert (
        store.redefine(
            {task_id: task(action=msgspec.structs.replace(ACTION, cwd=b"/elsewhere"))}, now=NOON + 1, by="me"
        )
        == []
    )
    assert store.find([task()])[0].id == task_id
