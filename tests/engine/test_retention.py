"""What the engine lets go in passing, and what it must not."""

from __future__ import annotations

import itertools
from array import array
from typing import Any

import pytest
from night import Night, action, task

from overnight.core.endings import Ended
from overnight.core.errors import DiskFullError
from overnight.core.slots import fixed
from overnight.core.states import TaskState
from overnight.core.task import NewTask, OutputRef
from overnight.engine import retention
from overnight.engine.conditions import Limits
from overnight.engine.goal import Never
from overnight.engine.retention import Retention, Unused
from overnight.executors.contract import Event
from overnight.store.contract import Claim, Selector
from overnight.testing import FakeExecutor, Play

HOUR, DAY = 3600.0, 86400.0
KEEP = Limits(fixed(2), keep_finished=HOUR)


class Printing(FakeExecutor):
    """What each attempt prints lies in a segment of its own, named after its task."""

    def events(self) -> list[Event]:
        return [self._with_output(event) if isinstance(event, Ended) else event for event in super().events()]

    def _with_output(self, ended: Ended) -> Ended:
        segment = f"segment {ended.task_id}"
        self.outputs[segment] = self._clock.now()
        parts = {name: getattr(ended, name) for name in Ended.__struct_fields__}
        return Ended(**parts | {"output": OutputRef(segment, 0, 1, 1)})


@pytest.fixture
def printing(night: Night, monkeypatch: pytest.MonkeyPatch) -> Night:
    """A night in which tasks print."""
    monkeypatch.setattr("night.FakeExecutor", Printing)
    monkeypatch.setattr(retention, "MANY_ACTIONS", 0)
    return night


def own(number: int) -> NewTask:
    """A task with an action of its own."""
    return task(str(number), action=action(timeout=100.0 + number))


def clean(night: Night, *ids: int) -> None:
    night.store.remove(Selector(ids=ids), now=night.clock.now(), by="test")


def test_outputs_and_actions_of_removed_tasks_go_and_all_others_stay(printing: Night) -> None:
    night = printing
    ids = night.add(*(own(number) for number in range(6)))
    night.run(goal=Never(), script=[(600.0, lambda: clean(night, *ids[:3])), (3 * 3600.0, night.give_up)])

    assert sorted(night.executor.outputs) == [f"segment {number}" for number in ids[3:]]
    assert set(night.store.actions(range(100))) == {night.store.get(number).action_id for number in ids[3:]}
    assert night.store.counts().removed == 3


def test_without_removals_one_round_is_all(printing: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    night = printing
    asked: list[int] = []
    real = night.store.survey

    def survey(*, after: int, limit: int) -> object:
        asked.append(after)
        return real(after=after, limit=limit)

    monkeypatch.setattr(night.store, "survey", survey)
    night.add(*(own(number) for number in range(6)))
    night.run(goal=Never(), script=[(5 * 3600.0, night.give_up)])
    assert len(asked) == 2
    assert len(night.executor.outputs) == 6


def test_the_output_of_an_attempt_that_is_still_open_stays(printing: Night) -> None:
    """Nothing in the store refers to it yet."""
    night = printing
    night.add(own(0))
    fence = night.store.take_fence(now=night.clock.now(), by="test")
    lanes: dict[int, dict[str, float]] = {lane.id: {} for lane in night.store.orders().lanes}
    night.store.turn(fence=fence, now=night.clock.now(), claim=Claim(count=1, lanes=lanes, pools={}))
    executor = FakeExecutor(night.clock, slots=1)
    night.clock.advance(3600.0)
    executor.outputs = {"open": night.clock.now(), "old": night.clock.now() - 2 * DAY}
    round_of = Retention(night.store, executor, night.clock, keep=None)
    night.clock.advance(2 * DAY)
    for _ in range(5):
        round_of.step(fence=fence)
    assert list(executor.outputs) == ["open"]


def test_what_finished_long_ago_is_forgotten_with_its_output(printing: Night) -> None:
    night = printing
    first = night.add(own(0), own(1))
    (held,) = night.add(own(2))
    night.run(
        lambda spec, _action: Play(dies=spec.task_id == held),
        limits=KEEP,
        goal=Never(),
        script=[(3 * HOUR, night.give_up)],
    )
    assert night.store.states([*first, held]) == {held: TaskState.HELD}
    assert night.store.counts().removed == 2
    assert not [segment for segment in night.executor.outputs if segment != f"segment {held}"]


def test_a_clock_that_is_wrong_for_a_while_makes_nothing_old(printing: Night) -> None:
    night = printing
    (task_id,) = night.add(own(0))
    script = [
        (3000.0, lambda: night.clock.step_wall(400 * DAY)),
        (6000.0, lambda: night.clock.step_wall(-400 * DAY)),
        (4 * HOUR, night.give_up),
    ]
    night.run(limits=Limits(fixed(2), keep_finished=7 * DAY), goal=Never(), script=script)
    assert night.state(task_id) is TaskState.COMPLETED
    assert night.executor.outputs


def test_a_round_that_finds_no_room_is_made_up_for_soon(printing: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not an hour later: on a busy night that would be hundreds of actions more."""
    night = printing
    night.add(task("x"))
    store, full = night.store, iter([True])
    real = store.forget_finished

    def forget_finished(**words: Any) -> object:
        if night.clock.monotonic() > first + HOUR / 2 and next(full, False):
            raise DiskFullError("full")
        return real(**words)

    first = night.clock.monotonic() + retention.FIRST
    monkeypatch.setattr(store, "forget_finished", forget_finished)
    night.run(goal=Never(), script=[(1.2 * HOUR, night.give_up)], limits=KEEP)
    assert next(full, None) is None, "a round has found no room"
    assert night.store.counts().removed == 1


def test_nothing_is_forgotten_unless_somebody_said_for_how_long_it_is_kept(night: Night) -> None:
    ids = night.add(task("a"))
    script = [(100.0, lambda: night.clock.step_wall(400 * DAY)), (3 * HOUR, night.give_up)]
    night.run(goal=Never(), script=script)
    assert night.state(ids[0]) is TaskState.COMPLETED


def test_a_round_goes_by_small_pages_while_work_goes_on(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PAGE", 10)
    monkeypatch.setattr(retention, "MANY_ACTIONS", 0)
    night.add(*(own(number) for number in range(100)))
    pages: list[float] = []
    real = night.store.survey

    def survey(*, after: int, limit: int) -> object:
        pages.append(night.clock.monotonic())
        return real(after=after, limit=limit)

    monkeypatch.setattr(night.store, "survey", survey)
    night.run(lambda _spec, _action: Play(seconds=1.0))
    assert len(pages) == 11
    assert all(later - earlier >= 0.9 for earlier, later in itertools.pairwise(pages[:-1]))


def test_unused_numbers_are_those_that_were_not_struck_out() -> None:
    unused = Unused(array("q", [1, 3, 5, 9]))
    unused.strike(frozenset({3, 4, 9, 100}))
    assert list(unused.left()) == [1, 5]
    assert len(unused) == 4
