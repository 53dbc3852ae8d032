"""What every executor promises, whatever it runs attempts on. One hand-written list, one set of promises.

A stage makes an executor and the specs of four plays: one that succeeds, one that fails, one that
stays until it is ended, and one whose worker dies. It also knows how to let time pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Protocol

import pytest
from executor_bench import CLOCK, PATIENCE, Bench
from nodes_bench import NodesBench

from overnight.core.endings import AttemptKey, Ended, Ending, Evidence, Lost
from overnight.core.task import Action, ActionKind
from overnight.executors.contract import Event, Executor, Spec
from overnight.testing import FakeClock, FakeExecutor, Play

LONG = 1e6


class Stage(Protocol):
    """Where one executor is tried."""

    executor: Executor

    def spec(self, play: str, task_id: int, attempt: int = 1) -> Spec:
        """An attempt: "succeed", "fail", "stay" or "die"."""

    def submit(self, slot: int, batch: Sequence[Spec]) -> None:
        """Hand out."""

    def listen(self) -> None:
        """Let a little time pass, and take in events."""

    seen: list[Event]


class LocalStage:
    """Real processes, commands."""

    PLAYS = ("succeed", "fail", "stay", "die")
    SCRIPTS = ("exit 0", "exit 7", "sleep 600", "kill -9 $PPID; sleep 600")

    def __init__(self, root: Path) -> None:
        self._bench = self._make_bench(root)
        self.executor: Executor = self._bench.executor
        self._actions = {
            play: self._action(play, script) for play, script in zip(self.PLAYS, self.SCRIPTS, strict=True)
        }
        self.seen: list[Event] = self._bench.seen
        self._bench.open()

    def _make_bench(self, root: Path) -> Bench:
        return Bench(root, slots=2)

    def _action(self, _play: str, script: str) -> int:
        return self._bench.shell(script)

    def spec(self, play: str, task_id: int, attempt: int = 1) -> Spec:
        return Spec(task_id, attempt, self._actions[play], b"", "default")

    def submit(self, slot: int, batch: Sequence[Spec]) -> None:
        self.executor.submit(slot, batch, self._bench.actions)

    def listen(self) -> None:
        rounds = iter((False, True))
        self._bench.until(lambda: next(rounds))

    def close(self) -> None:
        self._bench.close()
        assert self._bench.survivors() == []


class LocalFunctionsStage(LocalStage):
    """Real processes, functions."""

    SCRIPTS = ("pass", "raise SystemExit(7)", "import time; time.sleep(600)", "import os; os._exit(9)")

    def _action(self, play: str, script: str) -> int:
        return self._bench.call(f"{play}:f", f"def f(value): {script}\n")


class NodesStage(LocalStage):
    """Real processes, commands, on two nodes."""

    def _make_bench(self, root: Path) -> Bench:
        return NodesBench(root, slots=2, names=("a",))


class FakeStage:
    """The executor in virtual time."""

    PLAYS: ClassVar[dict[bytes, Play]] = {
        b"succeed": Play(),
        b"fail": Play(ending=Ending.EXITED, exit_code=7),
        b"stay": Play(seconds=LONG),
        b"die": Play(dies=True),
    }

    def __init__(self, _root: Path) -> None:
        self._clock = FakeClock()
        self._fake = FakeExecutor(self._clock, slots=2, play=lambda spec, _: self.PLAYS[spec.input])
        self.executor: Executor = self._fake
        self.executor.open(fence=1, left_open=[])
        self.seen: list[Event] = []

    def spec(self, play: str, task_id: int, attempt: int = 1) -> Spec:
        return Spec(task_id, attempt, 1, play.encode(), "default")

    def submit(self, slot: int, batch: Sequence[Spec]) -> None:
        self.executor.submit(slot, batch, {1: Action(kind=ActionKind.COMMAND, cwd=b"/")})

    def listen(self) -> None:
        self._clock.advance(0.01)
        self.seen += self.executor.events()

    def close(self) -> None:
        self.executor.close()


STAGES: list[Callable[[Path], LocalStage | FakeStage]] = [LocalStage, LocalFunctionsStage, NodesStage, FakeStage]


@pytest.fixture(params=STAGES, ids=lambda stage: stage.__name__)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    stage = request.param(tmp_path)
    yield stage
    stage.close()


def until(stage: Stage, holds: Callable[[], object]) -> None:
    deadline = CLOCK.monotonic() + PATIENCE
    while not holds():
        assert CLOCK.monotonic() < deadline, f"waited too long; seen: {stage.seen}"
        stage.listen()


def events_of(stage: Stage, keys: Sequence[AttemptKey]) -> list[Event]:
    """The one event of each."""
    until(stage, lambda: {event.key for event in stage.seen} >= set(keys))
    assert len(stage.seen) == len({event.key for event in stage.seen}), "exactly one event for each attempt"
    found = {event.key: event for event in stage.seen}
    return [found[key] for key in keys]


def test_each_attempt_is_told_of_exactly_once(stage: Stage) -> None:
    parts = (range(1, 31), range(31, 61))
    batches = [[stage.spec("succeed" if number % 3 else "fail", number) for number in part] for part in parts]
    for slot, batch in enumerate(batches):
        stage.submit(slot, batch)

    events = events_of(stage, [spec.key for batch in batches for spec in batch])

    assert all(isinstance(event, Ended) for event in events)
    for _ in range(3):
        stage.listen()
    assert len(stage.seen) == 60


def test_a_slot_runs_one_at_a_time_in_the_order_given(stage: Stage) -> None:
    stage.submit(0, [stage.spec("succeed", number) for number in range(1, 41)])

    events = events_of(stage, [AttemptKey(number, 1) for number in range(1, 41)])

    spans = [(event.started_at, event.started_at + event.seconds) for event in events if isinstance(event, Ended)]
    # Two clocks, and float sums: a microsecond is no overlap.
    assert all(later[0] >= earlier[1] - 2e-3 for earlier, later in pairwise(spans))


def test_offers_count_what_a_slot_still_holds(stage: Stage) -> None:
    stage.submit(1, [stage.spec("stay", 1), stage.spec("succeed", 2)])

    assert {(offer.slot, offer.outstanding) for offer in stage.executor.offers()} == {(0, 0), (1, 2)}
    until(stage, lambda: stage.executor.started(AttemptKey(1, 1)))
    stage.executor.cancel([AttemptKey(1, 1)], grace=0.0)
    events_of(stage, [AttemptKey(1, 1), AttemptKey(2, 1)])
    assert {(offer.slot, offer.outstanding) for offer in stage.executor.offers()} == {(0, 0), (1, 0)}


def test_a_cancel_is_answered_by_an_event(stage: Stage) -> None:
    [key] = [stage.spec("stay", 1).key]
    stage.submit(0, [stage.spec("stay", 1)])
    until(stage, lambda: stage.executor.started(key))

    stage.executor.cancel([key, AttemptKey(99, 1)], grace=0.0)
    [event] = events_of(stage, [key])

    assert isinstance(event, Ended)
    assert event.ending is Ending.CANCELLED


def test_what_is_recalled_never_began_and_is_not_told_of(stage: Stage) -> None:
    stage.submit(0, [stage.spec("stay", 1)])
    until(stage, lambda: stage.executor.started(AttemptKey(1, 1)))
    stage.submit(0, [stage.spec("succeed", number) for number in range(2, 12)])

    recalled = stage.executor.recall(0)
    stage.executor.cancel([AttemptKey(1, 1)], grace=0.0)
    events_of(stage, [AttemptKey(1, 1)])
    for _ in range(3):
        stage.listen()

    assert recalled == [AttemptKey(number, 1) for number in range(2, 12)]
    assert [event.key for event in stage.seen] == [AttemptKey(1, 1)]
    assert stage.executor.recall() == []


def test_a_recalled_task_may_come_again_with_its_next_attempt(stage: Stage) -> None:
    stage.submit(0, [stage.spec("stay", 1)])
    until(stage, lambda: stage.executor.started(AttemptKey(1, 1)))
    stage.submit(0, [stage.spec("succeed", 2)])
    assert stage.executor.recall(0) == [AttemptKey(2, 1)]

    stage.submit(1, [stage.spec("succeed", 2, attempt=2)])

    [event] = events_of(stage, [AttemptKey(2, 2)])
    assert isinstance(event, Ended)
    stage.executor.cancel([AttemptKey(1, 1)], grace=0.0)
    events_of(stage, [AttemptKey(1, 1)])


def test_a_worker_that_dies_is_told_of_and_its_slot_goes_on(stage: Stage) -> None:
    stage.submit(0, [stage.spec("die", 1)])

    [event] = events_of(stage, [AttemptKey(1, 1)])
    stage.submit(0, [stage.spec("succeed", 2)])
    [after] = events_of(stage, [AttemptKey(2, 1)])

    assert isinstance(event, Lost)
    assert (event.evidence, event.worker_died) == (Evidence.STARTED, True)
    assert isinstance(after, Ended)


def test_it_grows_at_once(stage: Stage) -> None:
    stage.executor.resize(3)
    stage.submit(2, [stage.spec("succeed", 1)])

    assert isinstance(events_of(stage, [AttemptKey(1, 1)])[0], Ended)
    assert [offer.slot for offer in stage.executor.offers()] == [0, 1, 2]


def offered(stage: Stage) -> list[int]:
    """The slots that take attempts."""
    return sorted(offer.slot for offer in stage.executor.offers())


def test_it_shrinks_as_slots_fall_empty(stage: Stage) -> None:
    stage.submit(1, [stage.spec("stay", 2)])
    until(stage, lambda: stage.executor.started(AttemptKey(2, 1)))
    stage.executor.resize(1)
    assert offered(stage) == [0]

    stage.executor.cancel([AttemptKey(2, 1)], grace=0.0)
    [event] = events_of(stage, [AttemptKey(2, 1)])

    assert isinstance(event, Ended)
    assert offered(stage) == [0]


def test_a_slot_that_leaves_still_takes_back_and_finishes(stage: Stage) -> None:
    stage.submit(1, [stage.spec("stay", 1), stage.spec("succeed", 2)])
    until(stage, lambda: stage.executor.started(AttemptKey(1, 1)))
    stage.executor.resize(1)

    assert stage.executor.recall(1) == [AttemptKey(2, 1)]
    stage.submit(1, [stage.spec("succeed", 2)])
    stage.executor.cancel([AttemptKey(1, 1)], grace=0.0)
    events = events_of(stage, [AttemptKey(1, 1), AttemptKey(2, 1)])

    assert [isinstance(event, Ended) and event.ending is Ending.CANCELLED for event in events] == [True, False]


def test_a_slot_that_leaves_comes_back_with_what_it_runs(stage: Stage) -> None:
    stage.submit(1, [stage.spec("stay", 1)])
    until(stage, lambda: stage.executor.started(AttemptKey(1, 1)))
    stage.executor.resize(1)
    stage.executor.resize(2)

    assert {(offer.slot, offer.outstanding) for offer in stage.executor.offers()} == {(0, 0), (1, 1)}
    stage.submit(1, [stage.spec("succeed", 2)])
    stage.executor.cancel([AttemptKey(1, 1)], grace=0.0)
    events_of(stage, [AttemptKey(1, 1), AttemptKey(2, 1)])


def test_slots_that_went_come_back_and_work(stage: Stage) -> None:
    """Again and again: what one has left behind must not be taken for the next one's."""
    for number in range(1, 4):
        stage.submit(1, [stage.spec("succeed", number)])
        events_of(stage, [AttemptKey(number, 1)])
        stage.executor.ack()
        stage.executor.resize(1)
        stage.listen()
        stage.executor.resize(2)
        until(stage, lambda: offered(stage) == [0, 1])


def test_a_slot_set_aside_is_not_offered_and_works(stage: Stage) -> None:
    assert stage.executor.set_aside(5)
    stage.submit(5, [stage.spec("stay", 1), stage.spec("succeed", 2)])
    until(stage, lambda: stage.executor.started(AttemptKey(1, 1)))
    stage.executor.resize(1)
    stage.executor.resize(3)
    until(stage, lambda: offered(stage) == [0, 1, 2])

    assert stage.executor.recall(5) == [AttemptKey(2, 1)]
    stage.submit(5, [stage.spec("succeed", 2)])
    stage.executor.cancel([AttemptKey(1, 1)], grace=0.0)
    events = events_of(stage, [AttemptKey(1, 1), AttemptKey(2, 1)])
    assert [isinstance(event, Ended) and event.ending is Ending.CANCELLED for event in events] == [True, False]


def test_a_slot_set_aside_goes_and_comes_again(stage: Stage) -> None:
    for number in range(1, 4):
        until(stage, lambda: stage.executor.set_aside(5))
        stage.submit(5, [stage.spec("succeed", number)])
        events_of(stage, [AttemptKey(number, 1)])
        stage.executor.ack()
        assert not stage.executor.set_aside(None)
        stage.listen()
        assert offered(stage) == [0, 1]
