"""Following what another process works on, when the journal and the store do not speak at the same moment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from signal import Signals
from typing import Any

import pytest

from overnight import wiring
from overnight.core.endings import Ended, Ending
from overnight.core.halting import Halt
from overnight.core.states import ErrorClass, Outcome, Reason, TaskState
from overnight.core.stopping import Ask, Mode, StoppedBy, Stopping
from overnight.core.task import Action, ActionKind, NewTask
from overnight.core.verdict import Settlement, Standing, judge
from overnight.engine.goal import TheseAtRest
from overnight.engine.journal import Journal
from overnight.host.home import Home, create
from overnight.host.lock import HomeLock
from overnight.store.contract import Claim, Selector, Store
from overnight.testing import Recorder
from overnight.ui.cli import following

NOON = 1_800_000_000.0


class Told(Recorder):
    """An observer that remembers of which tasks it was told."""

    @property
    def tasks(self) -> list[int]:
        return [settlement.task_id for settlement in self.settlements]


class Pressed:
    """Signals that a test sends."""

    def __init__(self) -> None:
        self.signals: list[Signals] = []

    def take(self) -> list[Signals]:
        taken, self.signals = self.signals, []
        return taken


class Scene:
    """A home with a lock that is held, and an engine that does what a test says."""

    def __init__(self, directory: Path) -> None:
        self.home: Home = create(directory / ".overnight")
        self.store: Store = wiring.open_store(self.home, create=True)
        self.lock = HomeLock(self.home.lock)
        self.lock.acquire({})
        self.fence = self.store.take_fence(now=NOON, by="test")
        self.journal = Journal(self.home.journal, self.store)
        self.told = Told()
        self.signals = Pressed()

    def add(self, *names: str) -> list[int]:
        action = Action(kind=ActionKind.CALL, cwd=b"/", call="m:f")
        return self.store.add([NewTask(action=action, input=name.encode()) for name in names], now=NOON).ids

    def work(self, count: int) -> None:
        """Run so many tasks, without a word to the journal."""
        lanes = {lane.id: dict[str, float]() for lane in self.store.orders().lanes}
        turn = self.store.turn(fence=self.fence, now=NOON, claim=Claim(count, lanes, {}))
        ended = [(task, Ended(task.id, task.attempt, Ending.RETURNED, NOON, 0.0)) for task in turn.claimed]
        actions = self.store.actions({task.action_id for task in turn.claimed})
        settlements = [judge(end, Standing(0, 0, actions[task.action_id], 0, None), now=NOON) for task, end in ended]
        self.store.turn(fence=self.fence, now=NOON, settlements=settlements)

    def end(self, states: dict[int, TaskState]) -> None:
        """Let these run, and end so."""
        lanes = {lane.id: dict[str, float]() for lane in self.store.orders().lanes}
        self.store.turn(fence=self.fence, now=NOON, claim=Claim(len(states), lanes, {}))
        settlements = [
            Settlement(
                task_id=one,
                attempt=1,
                state=state,
                outcome=Outcome.FAILED,
                failures=1,
                deaths=0,
                started_at=NOON,
                not_before=NOON + 1e9 if state is TaskState.WAITING else None,
                reason=Reason.ERROR if state is TaskState.FAILED else None,
                error_class=ErrorClass.UNKNOWN,
                error="exit 1",
            )
            for one, state in states.items()
        ]
        assert self.store.turn(fence=self.fence, now=NOON, settlements=settlements).stale == []

    def stopped(self, ids: list[int], halt: Halt | None = None, *, after: int = 0) -> Stopping | None:
        goal = TheseAtRest(ids, self.store, halt)
        stopped = following.follow(self.home, self.store, goal, self.told, self.signals, after=after)
        self.tally = goal.tally
        return stopped

    def follow(self, ids: list[int]) -> bool:
        stopped = self.stopped(ids)
        return stopped is not None and stopped.by is StoppedBy.QUEUE_EMPTY


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.journal.close()
    made.store.close()
    made.lock.release()


def at_each_look(monkeypatch: pytest.MonkeyPatch, *acts: Any) -> None:
    """Instead of the pause after each look, do the next of these."""
    left = iter(acts)
    monkeypatch.setattr("overnight.ui.cli.following.time.sleep", lambda _seconds: next(left)())


def test_what_ended_before_the_journal_speaks_of_it_is_told_all_the_same(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = scene.add("a", "b")
    at_each_look(monkeypatch, lambda: scene.work(2))
    assert scene.follow(ids)
    assert sorted(scene.told.tasks) == ids
    assert scene.tally == {TaskState.COMPLETED: 2}


def test_what_ended_before_anybody_followed_is_told(scene: Scene) -> None:
    ids = scene.add("a", "b")
    scene.work(2)
    assert scene.follow(ids)
    assert sorted(scene.told.tasks) == ids


def test_nothing_is_told_twice(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = scene.add("a", "b")
    at_each_look(
        monkeypatch,
        lambda: scene.work(1),
        scene.journal.pump,
        lambda: scene.work(1),
        scene.journal.pump,
    )
    assert scene.follow(ids)
    assert sorted(scene.told.tasks) == ids


def test_what_the_engine_did_last_is_told_before_somebody_takes_over(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = scene.add("a", "b")

    def crash() -> None:
        scene.work(1)
        scene.lock.release()

    at_each_look(monkeypatch, crash)
    assert not scene.follow(ids)
    assert scene.told.tasks == ids[:1]


def test_a_task_that_was_cleaned_away_is_not_waited_for(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = scene.add("a", "b")

    def clean() -> None:
        scene.work(1)
        scene.journal.pump()
        scene.store.remove(Selector(ids=(ids[0],)), now=NOON, by="person")
        scene.work(1)
        scene.journal.pump()

    at_each_look(monkeypatch, clean)
    assert scene.follow(ids)
    assert scene.told.tasks == ids[1:]


def test_events_that_were_lost_are_made_up_for_though_others_have_much_to_do(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = scene.add("a", "b")
    scene.add(*(f"theirs {number}" for number in range(100)))

    def work_and_lose() -> None:
        scene.work(2)
        scene.journal.pump()
        scene.home.journal.write_bytes(b"")

    monkeypatch.setattr(following, "LOOK_AGAIN_EVERY", 0.0)
    at_each_look(monkeypatch, work_and_lose, *[lambda: None] * 20)
    assert scene.follow(ids)
    assert sorted(scene.told.tasks) == ids


@pytest.mark.parametrize("why", [StoppedBy.HALT, StoppedBy.STOP_SIGNAL])
def test_nobody_takes_over_from_an_engine_that_was_meant_to_stop(scene: Scene, why: StoppedBy) -> None:
    """A task that says "done, and stop the queue" means those who follow as well."""
    ids = scene.add("a")
    scene.store.stand_down(fence=scene.fence, now=NOON, why=why)
    scene.journal.pump()
    scene.lock.release()
    assert scene.stopped(ids) == Stopping(Mode.DRAIN, why)


def test_a_restart_is_waited_for_and_its_stop_is_not_meant_for_those_who_follow(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever follows once ended with status 7, whenever it looked between the two engines."""
    ids = scene.add("a")
    scene.home.coming.touch()
    scene.store.stand_down(fence=scene.fence, now=NOON, why=StoppedBy.STOP_SIGNAL)
    scene.journal.pump()
    scene.lock.release()

    def next_engine() -> None:
        scene.lock.acquire({})
        scene.home.coming.unlink()
        scene.fence = scene.store.take_fence(now=NOON, by="next")

    at_each_look(monkeypatch, lambda: None, next_engine, lambda: None, scene.lock.release)
    assert scene.stopped(ids) is None  # the next one has gone without a word: to be taken over from


def test_a_restart_that_nobody_repeats_is_believed_for_some_seconds(scene: Scene) -> None:
    ids = scene.add("a")
    scene.home.coming.touch()
    long_ago = scene.home.coming.stat().st_mtime - 3600
    os.utime(scene.home.coming, (long_ago, long_ago))
    scene.store.stand_down(fence=scene.fence, now=NOON, why=StoppedBy.STOP_SIGNAL)
    scene.journal.pump()
    scene.lock.release()
    assert scene.stopped(ids) == Stopping(Mode.DRAIN, StoppedBy.STOP_SIGNAL)


def test_a_signal_ends_the_following_at_once_and_not_the_tasks(scene: Scene) -> None:
    ids = scene.add("a", "b")
    scene.signals.signals = [Signals.SIGTERM]
    assert scene.stopped(ids) == Stopping(Mode.NOW, StoppedBy.SIGNAL, exit_code=143)
    assert set(scene.store.states(ids).values()) == {TaskState.PENDING}


def test_tasks_that_wait_for_their_retry_are_held_back_as_well(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """One fails while another one is between two attempts; neither that nor the one that never began goes on."""
    ids = scene.add("fails", "retries", "waits")
    theirs = scene.add("theirs")
    scene.end({ids[0]: TaskState.FAILED, ids[1]: TaskState.WAITING})
    at_each_look(monkeypatch, *[lambda: None] * 5)
    assert scene.stopped(ids, Halt(Ask.HALT, 1)) == Stopping(Mode.DRAIN, StoppedBy.HALT)
    assert [scene.store.get(one).state for one in ids] == [TaskState.FAILED, TaskState.HELD, TaskState.HELD]
    assert scene.store.get(theirs[0]).state is TaskState.PENDING
