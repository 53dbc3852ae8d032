"""A directory was moved: whatever was done in it is done in its new place, and found again there."""

from __future__ import annotations

import msgspec
import pytest
from flow_parts import FLOW, Player, step
from store_parts import ACTION, NOON, SmallEngine, storm, task, told

from overnight.core.relocation import Relocation
from overnight.core.states import TaskState
from overnight.core.storms import Subject
from overnight.core.task import NewTask
from overnight.store.contract import Selector, Store, Verb

TO_NEW = Relocation(b"/data", b"/new")
THERE = msgspec.structs.replace(ACTION, cwd=b"/new")


def cwd(store: Store, task_id: int) -> bytes:
    action_id = store.get(task_id).action_id
    return store.actions([action_id])[action_id].cwd


def moves(store: Store) -> list[dict[str, object]]:
    return [event for event in told(store) if event["event"] == "tasks_relocated"]


@pytest.mark.parametrize("state", TaskState)
def test_it_is_found_in_the_new_place_and_in_no_other(store: Store, engine: SmallEngine, state: TaskState) -> None:
    task_id = engine.bring(state)
    assert store.relocate(TO_NEW, now=NOON + 1, by="me", dry_run=True) == 1
    assert cwd(store, task_id) == b"/data"

    assert store.relocate(TO_NEW, now=NOON + 1, by="me") == 1

    assert (cwd(store, task_id), store.get(task_id).state) == (b"/new", state)
    (known,) = store.find([task(action=THERE), task()])
    assert (known.position, known.id, known.is_as_asked) == (0, task_id, True)
    (event,) = moves(store)
    assert {key: event[key] for key in ("was", "now", "tasks", "by")} == {
        "was": "/data",
        "now": "/new",
        "tasks": 1,
        "by": "me",
    }
    assert store.relocate(TO_NEW, now=NOON + 2, by="me") == 0
    assert len(moves(store)) == 1


def test_what_is_done_elsewhere_stays_and_what_is_there_already_is_joined(store: Store) -> None:
    elsewhere = msgspec.structs.replace(ACTION, cwd=b"/database")
    below = msgspec.structs.replace(ACTION, cwd=b"/data/\xff")
    ids = store.add([task(action=one) for one in (ACTION, elsewhere, below, THERE)], now=NOON, by="me").ids
    assert store.relocate(TO_NEW, now=NOON, by="me") == 2
    assert [cwd(store, one) for one in ids] == [b"/new", b"/database", b"/new/\xff", b"/new"]
    assert len({store.get(ids[place]).action_id for place in (0, 3)}) == 1


def test_a_name_that_is_no_text_is_told_exactly(store: Store) -> None:
    store.add([task(action=msgspec.structs.replace(ACTION, cwd=b"/\xff"))], now=NOON, by="me")
    assert store.relocate(Relocation(b"/\xff", b"/\xfe"), now=NOON, by="me") == 1
    assert (moves(store)[0]["was_b64"], moves(store)[0]["now_b64"]) == ("L/8=", "L/4=")


def test_a_workflow_that_was_begun_goes_on_there(store: Store) -> None:
    player = Player(store, step("one"), step("two", "one"))
    player.add("a")
    player.play({"one": TaskState.FAILED})
    assert store.relocate(TO_NEW, now=NOON, by="me") == 1, "its steps are not counted"
    assert {cwd(store, one.id) for one in player.steps()} == {cwd(store, 1)} == {b"/new"}
    assert store.find([NewTask(action=msgspec.structs.replace(FLOW, cwd=b"/new"), input=b"a")])
    store.act(Verb.RETRY, Selector(ids=(1,)), now=NOON, by="me")
    player.play()
    assert player.state() is TaskState.COMPLETED


def test_a_storm_goes_along(store: Store) -> None:
    (task_id,) = store.add([task()], now=NOON, by="me").ids
    store.set_storm(storm(Subject(action_id=store.get(task_id).action_id)), now=NOON)
    store.relocate(TO_NEW, now=NOON, by="me")
    assert [one.subject.action_id for one in store.storms()] == [store.get(task_id).action_id]
