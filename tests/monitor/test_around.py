"""What is known around a task: which storm is its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from overnight.core.storms import Storm, Subject
from overnight.core.task import Action, ActionKind, NewTask
from overnight.core.workflow.model import Step, Workflow
from overnight.monitor.around import look
from overnight.store.contract import Claim, Store
from overnight.store.sqlite import SqliteStore

NOON = 1_800_000_000.0
PLAIN = Action(ActionKind.CALL, b"/", call="m:f")
FLOW = Action(ActionKind.WORKFLOW, b"/", call="flow")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = SqliteStore.open(tmp_path / "queue.db", create=True, migrate=True)
    yield opened
    opened.close()


def storm(subject: Subject) -> Storm:
    return Storm(subject, "default", "cause", None, "refused", 20, NOON, NOON, 0, NOON + 60)


def test_the_storm_of_a_workflow_is_that_of_its_tasks_and_steps_and_of_nobody_who_carries_its_name(
    store: Store, tmp_path: Path
) -> None:
    store.define([Workflow(name="flow", steps=(Step(id="a", run=("a",)),))], source="test", now=NOON, by="me")
    store.add([NewTask(FLOW, b"x", workflow="flow"), NewTask(PLAIN, b"x", workflow="flow")], now=NOON)
    lanes = {lane.id: {"work": 1.0} for lane in store.orders().lanes}
    store.turn(fence=store.take_fence(now=NOON, by="me"), now=NOON, claim=Claim(1, lanes, {"work": 9.0}))
    flows = storm(Subject(workflow="flow", step="a"))
    store.set_storm(flows, now=NOON)

    def seen(task_id: int) -> Storm | None:
        return look(store, tmp_path, store.get(task_id), {}, now=NOON).storm

    assert [seen(task_id) for task_id in (1, 3, 2)] == [flows, flows, None]
    mine = storm(Subject(action_id=store.get(2).action_id))
    store.set_storm(mine, now=NOON)
    assert [seen(task_id) for task_id in (1, 3, 2)] == [flows, flows, mine]
