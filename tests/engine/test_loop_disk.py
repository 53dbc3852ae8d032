"""The engine on a full disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from night import Night, action, task

from overnight.core.endings import Ending
from overnight.core.errors import DiskFullError, StoreBusyError
from overnight.core.gates import Gate
from overnight.core.states import ErrorClass, TaskState
from overnight.core.stopping import Ask
from overnight.core.storms import Policy
from overnight.core.task import Action
from overnight.engine.attempts import Running
from overnight.engine.journal import Journal
from overnight.executors.contract import Spec
from overnight.monitor.books import audit
from overnight.store.contract import Counts, Selector, Verb
from overnight.store.sql.database import Transaction
from overnight.store.sqlite import SqliteStore
from overnight.store.sqlite.connection import Database
from overnight.testing import Play


class Disk:
    """A disk under a store and its journal, full when a test says so."""

    def __init__(self, night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = self.journal_full = False
        self._night = night
        for name in ("turn", "drained", "act", "move_waits"):
            monkeypatch.setattr(night.store, name, self._guard(getattr(night.store, name), lambda: self.full))
        monkeypatch.setattr(Journal, "pump", self._guard(Journal.pump, lambda: self.full or self.journal_full))

    @staticmethod
    def _guard(real: Callable[..., Any], full: Callable[[], bool]) -> Callable[..., Any]:
        def guarded(*words: Any, **named: Any) -> Any:
            if full():
                raise DiskFullError("full")
            return real(*words, **named)

        return guarded

    def fill(self) -> None:
        self.full, self._night.room.free = True, False

    def fill_journal(self) -> None:
        self.journal_full, self._night.room.free = True, False

    def clear(self) -> None:
        self.full = self.journal_full = False
        self._night.room.free = True


@pytest.mark.parametrize("what", ["fill", "fill_journal"])
def test_a_full_disk_pauses_claiming_and_costs_no_task_anything(
    night: Night, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    disk = Disk(night, monkeypatch)
    ids = night.add(*(task(str(number)) for number in range(20)))
    night.run(lambda _spec, _action: Play(seconds=1.0), script=[(3.5, getattr(disk, what)), (60.0, disk.clear)])
    assert [night.store.get(task_id).attempt for task_id in ids] == [1] * 20
    assert night.store.counts().completed == 20
    assert night.recorder.limits_told == [((), 2), ((Gate.DISK,), 2), ((), 2)]
    assert night.clock.monotonic() > 1060
    assert night.waiter.waits < 400
    assert audit(night.store, night.directory / "events.jsonl") == []


def test_a_stop_at_once_is_obeyed_though_the_disk_is_full_and_what_ended_is_left_to_the_next_engine(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(night, monkeypatch)
    (task_id,) = night.add(task("a"))
    result = night.run(
        lambda _spec, _action: Play(seconds=1.0),
        script=[(0.5, disk.fill), (30.0, lambda: night.stops.signals.append(Ask.SIGTERM))],
    )
    assert result.exit_code == 143
    assert night.clock.monotonic() < 1040
    assert [event.task_id for event in night.executor.unacknowledged] == [task_id]
    assert night.state(task_id) is TaskState.RUNNING


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
@pytest.mark.parametrize("ending", [Ending.EXITED, Ending.POSTPONED])
def test_an_outcome_that_waits_for_room_moves_with_a_clock_that_jumps_meanwhile(
    night: Night, monkeypatch: pytest.MonkeyPatch, jump: float, ending: Ending
) -> None:
    """A retry is due when the disk has room again, whatever the clock shows; an instant stays what it is."""
    disk = Disk(night, monkeypatch)
    night.add(task("a"))
    instant = night.clock.now() + max(100.0, 100.0 + jump)
    start = night.clock.monotonic()
    began: list[float] = []

    def play(spec: Spec, _action: Action) -> Play:
        began.append(night.clock.monotonic() - start)
        if spec.attempt > 1:
            return Play()
        return Play(seconds=1.0, ending=ending, exit_code=1, retry_at=instant if ending is Ending.POSTPONED else None)

    night.run(
        play,
        script=[
            (0.5, disk.fill),
            (10.0, lambda: night.clock.step_wall(jump)),
            (20.0, disk.clear),
            (5000, night.give_up),
        ],
    )
    expected = 20.0 if ending is Ending.EXITED else instant - 1_800_000_000.0 - jump
    assert began[1] == pytest.approx(expected, abs=3.1)


class Hold:
    """Another program that has begun to write and thinks, when a test says so: a write waits for it, in vain."""

    def __init__(self, night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
        self.on = False
        #: Seconds between two pulses.
        self.silences: list[float] = []
        self._clock = night.clock
        self._ticked_at = night.clock.monotonic()
        real = Database.write

        @contextmanager
        def write(database: Database, *words: Any, **named: Any) -> Iterator[Transaction]:
            if self.on:
                night.clock.advance(database.patience)
                raise StoreBusyError("busy")
            with real(database, *words, **named) as transaction:
                yield transaction

        monkeypatch.setattr(Database, "write", write)
        monkeypatch.setattr(night.recorder, "ticked", self._ticked)

    def _ticked(self, _counts: Counts, _running: list[Running]) -> None:
        moment = self._clock.monotonic()
        self.silences.append(moment - self._ticked_at)
        self._ticked_at = moment

    def begin(self) -> None:
        self.on = True

    def end(self) -> None:
        self.on = False


@pytest.mark.parametrize("how", ["ended", "refused"])
def test_a_store_that_somebody_else_holds_costs_no_task_anything(
    night: Night, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """What ended is kept until he is done, whatever there is to write: outcomes, holds of queues, the journal."""
    hold = Hold(night, monkeypatch)
    ids = night.add(*(task(str(number)) for number in range(20)))
    instant, refused = night.clock.now() + 30, how == "refused"

    def play(_spec: Spec, _action: Action) -> Play:
        if refused and night.clock.now() < instant:
            told = ErrorClass.RATE_LIMITED
            return Play(seconds=1.0, ending=Ending.RAISED, retry_at=instant, error="429", error_class=told)
        return Play(seconds=1.0)

    began = 0.5 if refused else 3.5
    night.run(play, script=[(began, hold.begin), (600.0, hold.end), (5000.0, night.give_up)])
    assert night.store.counts().completed == 20
    if not refused:
        assert [night.store.get(task_id).attempt for task_id in ids] == [1] * 20
    assert night.recorder.limits_told == [((), 2)]
    assert night.clock.monotonic() > 1600
    assert max(hold.silences) < 10  # a supervisor takes an engine that is silent for longer for one that hangs
    assert audit(night.store, night.directory / "events.jsonl") == []


def test_however_much_is_asked_an_engine_that_waits_for_the_store_is_not_silent(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled at the moment at which they ended: that is written of each by itself."""
    hold, real = Hold(night, monkeypatch), night.store.turn
    ids = night.add(*(task(str(number), action=action(retries=3)) for number in range(40)))

    def turn(**words: Any) -> Any:
        if not words["settlements"] or night.recorder.settlements:
            return real(**words)
        with closing(SqliteStore.open(night.directory / "queue.db")) as other:
            other.act(Verb.CANCEL, Selector(ids=tuple(ids)), now=night.clock.now(), by="me")
        done = real(**words)
        hold.begin()
        return done

    monkeypatch.setattr(night.store, "turn", turn)
    night.run(
        lambda _spec, _action: Play(seconds=1.0, ending=Ending.EXITED, exit_code=1),
        slots=40,
        brake=Policy(after=0),
        script=[(60.0, hold.end), (5000.0, night.give_up)],
    )
    assert {night.state(task_id) for task_id in ids} == {TaskState.CANCELLED}
    assert max(hold.silences) < 10


def test_an_engine_that_ends_while_somebody_else_holds_the_store_ends_well(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last word is missing, and what the store has still to tell the journal is told by the next one."""
    hold = Hold(night, monkeypatch)
    night.add(task("a"), task("later", not_before=night.clock.now() + 10_000))
    script = [(2.5, hold.begin), (2.6, night.give_up)]
    assert night.run(lambda _spec, _action: Play(seconds=1.0), script=script).exit_code == 143
    hold.end()
    assert night.run().counts.completed == 2
    assert audit(night.store, night.directory / "events.jsonl") == []
