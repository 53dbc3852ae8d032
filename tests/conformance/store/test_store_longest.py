"""Which task runs longest."""

from __future__ import annotations

from flow_parts import Player, step
from store_parts import NOON, SmallEngine, settlement, task

from overnight.store.contract import Store


def test_it_is_the_one_that_began_first_whatever_its_number(store: Store, engine: SmallEngine) -> None:
    assert store.longest_running() is None
    store.add([task("late"), task("first", priority=9)], now=NOON)
    (first,) = engine.claim(1, now=NOON + 1)
    (late,) = engine.claim(1, now=NOON + 2)
    longest = store.longest_running()
    assert longest is not None
    assert (longest.id, longest.input, longest.started_at) == (first.id, b"first", NOON + 1)
    engine.turn(settlement(first))
    longest = store.longest_running()
    assert longest is not None
    assert longest.id == late.id


def test_a_workflow_task_runs_since_it_was_begun_and_its_steps_are_none(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"))
    (task_id,) = player.add()
    player.turn()
    longest = store.longest_running()
    assert longest is not None
    assert longest.id == task_id
