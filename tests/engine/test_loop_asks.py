"""What people ask of a working engine: cancel, hold, and tasks to wait for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest
from night import Night, task

from overnight.core.endings import Ending
from overnight.core.states import TaskState
from overnight.core.stopping import Ask
from overnight.engine.goal import TheseAtRest
from overnight.store.contract import Selector, Verb
from overnight.store.sqlite import SqliteStore
from overnight.testing import Play


@pytest.mark.parametrize(("verb", "state"), [(Verb.CANCEL, TaskState.CANCELLED), (Verb.HOLD, TaskState.HELD)])
def test_a_running_task_is_ended_when_a_person_asks(night: Night, verb: Verb, state: TaskState) -> None:
    (long,) = night.add(task("long"))
    other = SqliteStore.open(night.directory / "queue.db")

    def ask() -> None:
        acted = other.act(verb, Selector(ids=(long,)), now=night.clock.now(), by="person")
        assert (acted.changed, acted.asked) == (0, 1)
        night.bell.ring()

    night.run(lambda _spec, _action: Play(seconds=1000.0), script=[(1.0, ask)])
    other.close()
    assert night.state(long) is state
    assert night.clock.monotonic() < 1000 + 10
    assert night.store.orders().controls == []


def test_cancelling_a_prefetched_task_spares_its_neighbours(night: Night) -> None:
    ids = night.add(*(task(str(number)) for number in range(100)))
    other = SqliteStore.open(night.directory / "queue.db")

    def ask() -> None:
        running = next(task_id for task_id in reversed(ids) if other.get(task_id).state is TaskState.RUNNING)
        asked.append(running)
        other.act(Verb.CANCEL, Selector(ids=(running,)), now=night.clock.now(), by="person")
        night.bell.ring()

    asked: list[int] = []
    night.run(lambda _spec, _action: Play(seconds=0.01), slots=1, script=[(0.1, ask)])
    other.close()
    assert night.state(asked[0]) is TaskState.CANCELLED
    assert asked[0] not in night.begun()
    assert night.store.counts().completed == 99
    assert len(night.begun()) == 99


def test_the_goal_of_certain_tasks_is_reached_although_others_wait(night: Night) -> None:
    mine = night.add(task("mine", priority=1))
    night.add(*(task(str(number)) for number in range(100)))
    goal = TheseAtRest(mine, night.store)
    result = night.run(lambda _spec, _action: Play(seconds=5.0), slots=1, goal=goal)
    assert goal.tally == {TaskState.COMPLETED: 1}
    assert result.counts.pending > 0


def test_a_task_that_a_person_cancels_while_it_waits_counts_for_the_goal(night: Night) -> None:
    mine = night.add(task("later", not_before=night.clock.now() + 10_000))
    night.add(task("long"))
    other = SqliteStore.open(night.directory / "queue.db")

    def cancel() -> None:
        other.act(Verb.CANCEL, Selector(ids=tuple(mine)), now=night.clock.now(), by="person")

    goal = TheseAtRest(mine, night.store)
    night.run(goal=goal, script=[(5.0, cancel)])
    other.close()
    assert goal.tally == {TaskState.CANCELLED: 1}


def test_a_rung_cancel_of_a_waiting_task_counts_for_the_goal(night: Night) -> None:
    mine = night.add(task("mine", not_before=night.clock.now() + 10_000))
    night.add(task("theirs", not_before=night.clock.now() + 20_000))
    other = SqliteStore.open(night.directory / "queue.db")

    def cancel() -> None:
        other.act(Verb.CANCEL, Selector(ids=tuple(mine)), now=night.clock.now(), by="person")
        night.bell.ring()

    began = night.clock.monotonic()
    goal = TheseAtRest(mine, night.store)
    night.run(goal=goal, script=[(5.3, cancel)])
    other.close()
    assert goal.tally == {TaskState.CANCELLED: 1}
    assert night.clock.monotonic() - began < 10


def test_however_many_a_person_cancels_they_count_for_the_goal_though_as_many_others_wait(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many that they are not looked up whenever somebody has changed the store."""
    monkeypatch.setattr("overnight.engine.goal.FEW", 10)
    later = night.clock.now() + 10_000
    mine = night.add(*(task(f"mine {number}", not_before=later) for number in range(30)))
    night.add(*(task(f"theirs {number}", not_before=later) for number in range(30)))
    other = SqliteStore.open(night.directory / "queue.db")

    def cancel() -> None:
        other.act(Verb.CANCEL, Selector(ids=tuple(mine)), now=night.clock.now(), by="person")

    looks: list[float] = []
    real = night.store.states

    def states(ids: Iterable[int]) -> Mapping[int, TaskState]:
        looks.append(night.clock.monotonic())
        return real(ids)

    monkeypatch.setattr(night.store, "states", states)
    began = night.clock.monotonic()
    goal = TheseAtRest(mine, night.store)
    night.run(goal=goal, script=[(500.0, cancel), (5000.0, night.give_up)])
    other.close()
    assert goal.tally == {TaskState.CANCELLED: 30}
    assert night.clock.monotonic() - began < 510
    assert len(looks) <= 2  # at the beginning and then, and not each second


@pytest.mark.parametrize(("verb", "state"), [(Verb.CANCEL, TaskState.CANCELLED), (Verb.HOLD, TaskState.HELD)])
def test_an_attempt_that_fails_before_the_engine_has_heard_of_a_cancel_is_not_tried_again(
    night: Night, verb: Verb, state: TaskState
) -> None:
    (bad,) = night.add(task("bad"))
    other = SqliteStore.open(night.directory / "queue.db")

    def ask() -> None:
        acted = other.act(verb, Selector(ids=(bad,)), now=night.clock.now(), by="person")
        assert acted.asked == 1

    night.run(lambda _spec, _action: Play(seconds=0.5, ending=Ending.EXITED, exit_code=1), script=[(0.45, ask)])
    other.close()
    assert len(night.begun()) == 1
    assert night.state(bad) is state
    assert night.store.orders().controls == []


def test_a_cancel_that_comes_with_a_stop_at_once_is_obeyed(night: Night) -> None:
    (long,) = night.add(task("long"))
    other = SqliteStore.open(night.directory / "queue.db")

    def ask() -> None:
        other.ask(Ask.STOP_NOW, now=night.clock.now(), by="person")
        other.act(Verb.CANCEL, Selector(ids=(long,)), now=night.clock.now(), by="person")
        night.bell.ring()

    night.run(lambda _spec, _action: Play(seconds=1000.0), script=[(0.5, ask)])
    other.close()
    assert night.state(long) is TaskState.CANCELLED
    assert night.store.orders().controls == []
