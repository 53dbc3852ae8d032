"""What may go: finished tasks of long ago, actions and outputs that nothing refers to."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from store_parts import ACTION, NOON, SmallEngine, settlement, task, tasks, told

from overnight.core.errors import StaleEngineError
from overnight.core.states import TaskState
from overnight.core.task import OutputRef
from overnight.store.contract import Selector, Store

DAY = 86400.0


def pages(store: Store, limit: int) -> tuple[set[int], set[str], list[int]]:
    """Everything that tasks refer to, and where the pages ended."""
    actions: set[int] = set()
    segments: set[str] = set()
    ends: list[int] = []
    after = 0
    while (page := store.survey(after=after, limit=limit)).last is not None:
        actions |= page.actions
        segments |= page.segments
        after = page.last
        ends.append(after)
    return actions, segments, ends


def own(number: int) -> dict[str, Any]:
    """A task with an action of its own."""
    return {"action": msgspec.structs.replace(ACTION, argv=(b"work", b"%d" % number))}


def test_a_survey_sees_what_all_tasks_refer_to_page_by_page(store: Store, engine: SmallEngine) -> None:
    for number in range(5):
        claimed = engine.one(str(number), **own(number))
        place = OutputRef(f"slot-0-{number // 2}.seg", 0, 1, 1)
        engine.turn(settlement(claimed, output=place if number != 4 else None))

    actions, segments, ends = pages(store, 2)

    assert actions == {store.get(task_id).action_id for task_id in range(1, 6)}
    assert segments == {"slot-0-0.seg", "slot-0-1.seg"}
    assert ends == [2, 4, 5]
    assert pages(store, 100)[:2] == (actions, segments)


def test_what_has_finished_long_ago_is_forgotten_and_stays_counted(store: Store, engine: SmallEngine) -> None:
    old = [engine.bring(state, f"old {state}") for state in (TaskState.COMPLETED, TaskState.FAILED)]
    kept = [engine.bring(state, f"kept {state}") for state in (TaskState.HELD, TaskState.WAITING, TaskState.RUNNING)]
    claimed = engine.one("new")
    engine.turn(settlement(claimed), now=NOON + DAY)

    forgotten = store.forget_finished(
        before=NOON + DAY / 2, after=0, limit=100, fence=engine.fence, now=NOON + DAY, by="retention"
    )

    assert (forgotten.count, forgotten.last) == (2, claimed.id)
    assert store.counts().removed == 2
    assert set(store.states([*old, *kept, claimed.id])) == {*kept, claimed.id}
    assert [event["by"] for event in told(store) if event["event"] == "file_removed"] == ["retention"] * 2
    assert store.attempts(old[0]) == []


def test_forgetting_goes_by_pages_to_the_end(store: Store, engine: SmallEngine) -> None:
    for number in range(5):
        engine.bring(TaskState.COMPLETED, str(number))
    after, counts = 0, []
    while True:
        page = store.forget_finished(before=NOON + 1, after=after, limit=2, fence=engine.fence, now=NOON, by="me")
        if page.last is None:
            break
        after = page.last
        counts.append(page.count)
    assert counts == [2, 2, 1]
    assert store.counts().removed == 5


def test_a_page_without_anything_to_forget_writes_nothing(store: Store, engine: SmallEngine) -> None:
    engine.bring(TaskState.COMPLETED)
    before = len(store.outbox(1000))
    store.forget_finished(before=NOON, after=0, limit=100, fence=engine.fence, now=NOON + DAY, by="me")
    assert len(store.outbox(1000)) == before
    assert store.counts().completed == 1


def test_actions_that_no_task_refers_to_go(store: Store, engine: SmallEngine) -> None:
    for number in range(4):
        store.add([task(str(number), **own(number))], now=NOON)
    engine.turn(*(settlement(claimed) for claimed in engine.claim(2)))
    store.remove(Selector(states=(TaskState.COMPLETED,)), now=NOON, by="me")
    used, _, ends = pages(store, 100)

    gone = store.drop_actions(set(store.spare_actions()) - used, after=ends[-1], fence=engine.fence)

    assert gone == 2
    assert set(store.actions(range(1, 10))) == used


def test_an_action_that_is_used_again_in_the_meantime_stays(store: Store, engine: SmallEngine) -> None:
    for number in range(2):
        store.add([task(str(number), **own(number))], now=NOON)
    engine.turn(*(settlement(claimed) for claimed in engine.claim(1)))
    store.remove(Selector(states=(TaskState.COMPLETED,)), now=NOON, by="me")
    used, _, ends = pages(store, 100)
    spare = set(store.spare_actions()) - used
    assert len(spare) == 1

    (again,) = store.add([task("again", **own(0))], now=NOON).ids
    assert store.drop_actions(spare, after=ends[-1], fence=engine.fence) == 0
    assert store.get(again).action_id in spare


def test_the_number_of_an_action_never_comes_again(store: Store, engine: SmallEngine) -> None:
    """Engines and workers know actions by their numbers."""
    engine.bring(TaskState.COMPLETED)
    store.remove(Selector(everything=True), now=NOON, by="me")
    before = set(store.actions(range(100)))
    assert store.drop_actions(before, after=0, fence=engine.fence) == 0
    store.add([task("b", **own(7))], now=NOON)
    assert store.get(2).action_id not in before


def test_an_engine_that_was_replaced_lets_nothing_go(store: Store, engine: SmallEngine) -> None:
    store.add(tasks(1), now=NOON)
    engine.turn(*(settlement(claimed) for claimed in engine.claim()))
    store.take_fence(now=NOON, by="another")
    with pytest.raises(StaleEngineError):
        store.forget_finished(before=NOON + 1, after=0, limit=9, fence=engine.fence, now=NOON, by="me")
    with pytest.raises(StaleEngineError):
        store.drop_actions([1], after=0, fence=engine.fence)
    assert store.counts().completed == 1
