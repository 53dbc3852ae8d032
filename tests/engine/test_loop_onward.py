"""An engine that takes over what goes on running elsewhere: as if it had handed it out itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import night as nights
import pytest
from night import Night, task

from overnight.core.endings import AttemptKey
from overnight.core.placing import Stocks, stock_of
from overnight.core.states import TaskState
from overnight.core.task import Action
from overnight.executors.contract import Onward, Over, Spec
from overnight.store.contract import Queue, Selector, Verb
from overnight.testing import FakeExecutor, Play


class Outliving(FakeExecutor):
    """What it runs does not end with the engine."""

    going: list[Onward]

    def open(self, *, fence: int, left_open: Sequence[AttemptKey]) -> list[Over]:  # noqa: ARG002 - contract
        under = {spec.key: (slot, spec) for slot, (spec, *_) in self._current.items()}
        under |= {spec.key: (slot, spec) for slot, queue in self._queues.items() for spec, _ in queue}
        self.going = [Onward(key, under[key][0], under[key][1].granted) for key in left_open if key in under]
        return [self._world.testimony(key) for key in left_open if key not in under]

    def onward(self) -> list[Onward]:
        return self.going

    def close(self) -> None:
        """It is far away."""


class DeathError(Exception):
    """The engine is killed here."""


def die() -> None:
    raise DeathError


@pytest.fixture
def night(night: Night, monkeypatch: pytest.MonkeyPatch) -> Night:
    made: list[Outliving] = []

    def executor(*parts: Any, play: Callable[[Spec, Action], Play], **more: Any) -> Outliving:
        made.append(made[0] if made else Outliving(*parts, play=play, **more))
        return made[0]

    monkeypatch.setattr(nights, "FakeExecutor", executor)
    return night


def plays(spec: Spec, _action: Action) -> Play:
    return Play(seconds=100.0 if spec.input.startswith(b"long") else 1.0)


def killed(night: Night, **options: Any) -> None:
    """An engine works for ten seconds and is killed."""
    with pytest.raises(DeathError):
        night.run(plays, script=[(10.0, die)], **options)


def test_what_goes_on_is_not_run_again_and_its_end_is_heard(night: Night) -> None:
    (long,) = night.add(task("long"))
    killed(night)
    assert night.state(long) is TaskState.RUNNING

    night.run(plays)

    row = night.store.get(long)
    assert (row.state, row.attempt) == (TaskState.COMPLETED, 1)
    assert night.begun() == [long]
    assert [event["id"] for event in night.told("file_started")] == [long]


def test_it_takes_its_share_of_queue_and_slot(night: Night) -> None:
    night.store.set_queue(Queue("slow", slots=1), now=night.clock.now(), by="test")
    long, behind = night.add(task("long", queue="slow"), task("behind", queue="slow"))
    killed(night)

    began: list[float] = []
    night.observers.append(night.recorder)
    night.run(plays)
    began += [night.executor.started(AttemptKey(one, 1)) or 0.0 for one in (long, behind)]

    assert began[1] - began[0] >= 100.0
    assert night.store.get(long).attempt == 1


def test_the_ids_of_a_resource_stay_its_own(night: Night) -> None:
    long, other = night.add(task("long", needs={"gpu": 1.0}), task("other", needs={"gpu": 1.0}))
    given: dict[int, bytes] = {}

    def noting(spec: Spec, action: Action) -> Play:
        given[spec.task_id] = dict(spec.granted)[b"OVERNIGHT_GPU"]
        assert given.get(long) != given.get(other)
        return plays(spec, action)

    with pytest.raises(DeathError):
        night.run(noting, ids={"gpu": ("a", "b")}, script=[(0.5, die)], slots=1)
    night.run(noting, ids={"gpu": ("a", "b")}, slots=2)

    assert sorted(given.values()) == [b"a", b"b"]
    assert night.store.counts().completed == 2


def test_what_it_has_of_its_node_stays_its_own(night: Night) -> None:
    """The next engine gives the other card of that node to the other task, and the one of the other node to nobody."""
    names = [task(name, needs={"gpu": 1.0, "zone:west": 1.0}) for name in ("long", "other", "third")]
    long, *_ = night.add(*names)
    cards = {"a": stock_of({}, {"gpu": ("0", "1")}, {"zone": "west"}), "b": stock_of({}, {"gpu": ("0",)}, {})}
    stocks = Stocks(cards, {0: "a", 1: "a", 2: "b"}, frozenset(cards))
    given: dict[int, bytes] = {}

    def noting(spec: Spec, action: Action) -> Play:
        given[spec.task_id] = dict(spec.granted)[b"OVERNIGHT_GPU"]
        return plays(spec, action)

    with pytest.raises(DeathError):
        night.run(noting, stocks=lambda _: stocks, script=[(0.5, die)], slots=1)
    night.run(noting, stocks=lambda _: stocks, slots=3)

    assert given[long] == b"0"
    assert {given[one] for one in given if one != long} == {b"1"}, "one after the other"
    assert night.store.counts().completed == 3


def test_a_person_can_end_it(night: Night) -> None:
    (long,) = night.add(task("long"))
    killed(night)
    night.store.act(Verb.CANCEL, Selector(ids=(long,)), now=night.clock.now(), by="person")

    before = night.clock.monotonic()

    night.run(plays)

    assert night.state(long) is TaskState.CANCELLED
    assert night.clock.monotonic() - before < 10.0


def test_an_engine_that_does_not_take_over_would_be_seen(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the end of an attempt of which nobody knows is a late word, and its task hangs."""
    (long,) = night.add(task("long"))
    killed(night)
    monkeypatch.setattr(Outliving, "onward", lambda _: [])

    night.run(plays, script=[(500.0, night.give_up)])

    assert night.state(long) is TaskState.RUNNING
