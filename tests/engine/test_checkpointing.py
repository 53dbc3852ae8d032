"""When an engine makes checkpoints, and what it makes of the answers."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from night import Night, task

from overnight.core.checkpoints import START, Cadence, expected, spacing
from overnight.core.errors import StoreDamagedError
from overnight.core.states import Outcome, TaskState
from overnight.core.stopping import Mode, StoppedBy, Stopping
from overnight.core.verdict import Settlement
from overnight.engine.checkpointing import (
    AFTER_FAILURE,
    FIRST,
    LONGEST,
    PATIENCE,
    TIMES,
    Checkpointing,
    Last,
)
from overnight.store.contract import Counts
from overnight.store.copies import process
from overnight.store.copies.copier import Answer, Done, Failed
from overnight.store.copies.making import Made, Order
from overnight.store.copies.process import CopierProcess
from overnight.store.copies.shelf import Shelf, troubles
from overnight.store.sqlite import SqliteStore


class FakeCopier:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.orders: list[tuple[dict[str, Any], int]] = []
        self.busy = False
        self.ready: Answer | None = None
        self.patience: float | None = None
        self.refuses = False
        self.killed = 0

    def begin(self, state: dict[str, Any], processed: int) -> None:
        if self.refuses:
            raise OSError(11, "no more processes")
        self.orders.append((state, processed))
        self.busy = True

    def finish(self, answer: Answer | None = None, *, took: float = 0.1) -> None:
        """It has come to its end."""
        self.ready = answer or Done(Made("one", 7, 4096, took))

    def answer(self) -> Answer | None:
        answer, self.ready = self.ready, None
        self.busy = self.busy and answer is None
        return answer

    def end(self) -> None:
        self.killed += 1

    def close(self, *, patience: float) -> Answer | None:
        self.patience = patience
        return self.answer()


class Duty:
    """The duty in the middle of a night: a clock, a copier, and a store that changes when told to."""

    def __init__(self, night: Night, last: Last | None = None, **cadence: float) -> None:
        self.night = night
        self.clock = night.clock
        self.copier = FakeCopier()
        self.cadence = Cadence(**cadence)  # type: ignore[arg-type]  # two kinds of numbers
        self.duty = Checkpointing(night.store, self.copier, self.clock, self.cadence, last or Last(0.0))
        self.counts = Counts(pending=100)

    def tick(self, seconds: float = 1.0, *, finished: int = 0) -> bool:
        """Let time pass and tasks finish. Returns whether a checkpoint was begun."""
        before = len(self.copier.orders)
        for number in range(finished):
            self.duty.settled(None, Settlement(number, 1, TaskState.COMPLETED, Outcome.COMPLETED, 0, 0, 1.0))
        self.counts = Counts(pending=self.counts.pending - finished, completed=self.counts.completed + finished)
        self.clock.advance(seconds)
        self.duty.ticked(self.counts, [])
        return len(self.copier.orders) > before

    def told(self) -> list[dict[str, Any]]:
        lines = [line for row in self.night.store.outbox(1000) for line in row.lines.splitlines()]
        every: list[dict[str, Any]] = [msgspec.json.decode(line) for line in lines]
        return [event for event in every if event["event"].startswith("checkpoint")]


@pytest.fixture
def duty(night: Night) -> Duty:
    return Duty(night)


def test_five_finished_tasks_are_followed_by_a_checkpoint(duty: Duty) -> None:
    assert not duty.tick(FIRST, finished=4)
    assert duty.tick(20, finished=1)
    state, processed = duty.copier.orders[0]
    assert processed == 5
    assert (state["status"], state["files_processed"], state["files_failed"]) == ("running", 5, 0)


def test_one_is_told_of_when_it_is_in_its_place(duty: Duty) -> None:
    duty.tick(20, finished=5)
    duty.tick(1)
    assert duty.told() == []
    duty.copier.finish()
    duty.tick(1)
    (event,) = duty.told()
    assert event["event"] == "checkpoint_saved"
    assert (event["checkpoint"], event["position"], event["seconds"]) == ("one", 7, 0.1)
    assert "stretched" not in event


def test_while_one_is_made_no_other_is_begun_and_nothing_waits(duty: Duty) -> None:
    assert duty.tick(20, finished=5)
    assert not any(duty.tick(100, finished=1) for _ in range(5))


def test_it_says_when_tasks_finish_faster_than_checkpoints_may_be_made(duty: Duty) -> None:
    assert duty.tick(20, finished=1000)
    duty.copier.finish(took=2.0)
    duty.tick(1)
    begun_after = next(n for n in range(1000) if duty.tick(1, finished=1000))
    assert begun_after == pytest.approx(spacing(2.0), abs=3)
    duty.copier.finish()
    duty.tick(1)
    assert [event.get("stretched", False) for event in duty.told()] == [False, True]


def test_an_idle_engine_makes_none(duty: Duty) -> None:
    """The first one says how things stand; after that nothing has changed."""
    assert duty.tick(duty.cadence.seconds)
    duty.copier.finish()
    assert not any(duty.tick(600) for _ in range(10))


def test_what_others_add_is_a_change_too(duty: Duty) -> None:
    duty.tick(duty.cadence.seconds)
    duty.copier.finish()
    duty.tick(1)
    producer = SqliteStore.open(duty.night.directory / "queue.db")
    producer.add([task("later")], now=duty.clock.now())
    producer.close()
    assert not duty.tick(1)
    assert duty.tick(duty.cadence.seconds)


def test_the_interval_holds_while_tasks_take_hours(duty: Duty) -> None:
    duty.tick(duty.cadence.seconds, finished=1)
    duty.copier.finish()
    duty.tick(1, finished=1)
    assert not duty.tick(duty.cadence.seconds - 10)
    assert duty.tick(10)


def test_an_old_checkpoint_is_followed_by_one_soon_and_a_new_one_is_not(night: Night) -> None:
    assert Duty(night, Last(1e6)).tick(FIRST)
    assert not Duty(night, Last(10.0)).tick(FIRST)
    assert not Duty(night, Last(1e6)).tick(FIRST / 2), "most commands are over by then"


def test_the_first_of_a_large_queue_waits_until_it_costs_no_more_than_its_share(night: Night) -> None:
    """A night that is over before that has none, and the journal has all of it."""
    took = expected(33_000_000)
    duty = Duty(night, Last(1.0, took))
    assert not duty.tick(FIRST, finished=1000)
    assert not duty.tick(spacing(took) - FIRST - 2, finished=1000)
    assert duty.tick(1, finished=1000)


def test_a_clock_that_was_set_back_does_not_keep_it_from_making_one(night: Night) -> None:
    """The newest one is of tomorrow; the interval counts from now."""
    duty = Duty(night, Last(-86400.0))
    assert duty.tick(duty.cadence.seconds)


def test_a_failure_is_told_and_tried_again_after_a_while(duty: Duty) -> None:
    duty.tick(20, finished=5)
    duty.copier.finish(Failed("DiskFullError", "no room is left"))
    duty.tick(1)
    assert duty.told()[0]["error"] == "no room is left"
    assert not duty.tick(AFTER_FAILURE / 2, finished=5)
    assert duty.tick(AFTER_FAILURE / 2)


def test_a_machine_without_processes_goes_on_without_checkpoints(duty: Duty) -> None:
    duty.copier.refuses = True
    assert not duty.tick(20, finished=5)
    assert "no more processes" in duty.told()[0]["error"]
    duty.copier.refuses = False
    assert duty.tick(AFTER_FAILURE)


def test_a_copier_that_never_answers_is_killed_and_told_of_once(duty: Duty) -> None:
    """A second place on a machine that has gone away; stuck in the kernel it may take its time to die."""
    duty.tick(20, finished=5)
    duty.tick(LONGEST)
    assert (duty.copier.killed, duty.told()) == (0, [])
    duty.tick(2)
    duty.tick(500)
    assert duty.copier.killed == 1
    duty.copier.finish(Failed("", "the copier ended without a word (signal 9)"))
    duty.tick(1)
    (event,) = duty.told()
    assert (event["event"], event["error"]) == (
        "checkpoint_failed",
        "it was not there after 15 min, so its process was killed",
    )
    assert duty.tick(AFTER_FAILURE, finished=5)


def test_a_large_store_may_take_its_time(duty: Duty) -> None:
    duty.tick(20, finished=5)
    duty.copier.finish(took=LONGEST)
    duty.tick(1)
    assert duty.tick(spacing(LONGEST), finished=5)
    duty.tick(LONGEST * (TIMES - 1))
    assert duty.copier.killed == 0


def test_damage_that_a_copier_finds_ends_the_engine(duty: Duty) -> None:
    duty.tick(20, finished=5)
    duty.copier.finish(Failed("StoreDamagedError", "queue.db is damaged (page 4)"))
    with pytest.raises(StoreDamagedError, match="page 4") as caught:
        duty.tick(1)
    assert "overnight resume" in caught.value.hint


def test_one_that_is_at_work_when_the_engine_ends_may_finish(duty: Duty) -> None:
    with duty.duty:
        duty.tick(20, finished=5)
        duty.copier.finish()
    assert duty.copier.patience == PATIENCE
    assert duty.told()[0]["event"] == "checkpoint_saved"


def test_there_is_no_time_for_it_when_the_engine_must_end_at_once(duty: Duty) -> None:
    with duty.duty:
        duty.tick(20, finished=5)
        duty.duty.stopping(Stopping(Mode.NOW, StoppedBy.SIGNAL), 0)
    assert duty.copier.patience == 0.0


def test_the_share_counts_what_starting_the_process_costs() -> None:
    assert spacing(0.0) == pytest.approx(START / 0.05)


@pytest.mark.parametrize("name", [b"plain", b"caf\xe9"])
def test_a_real_copier_makes_a_real_checkpoint(tmp_path: Path, name: bytes) -> None:
    """In a process of its own, while this one goes on; killed, it leaves nothing and is told of."""
    tmp_path /= os.fsdecode(name)
    tmp_path.mkdir()
    store = SqliteStore.open(tmp_path / "queue.db", create=True)
    store.add([task("a")], now=1.0)
    shelf = Shelf(tmp_path / "checkpoints", "home")
    copier = CopierProcess({})
    order = Order(store=str(tmp_path / "queue.db"), shelf=str(shelf.directory), home="home", reason="cadence")
    copier.begin(order)
    assert copier.busy
    answer = copier.close(patience=60)
    assert isinstance(answer, Done)
    assert not troubles(shelf.entry(answer.made.name), deep=True)

    copier.begin(order)
    assert copier.close(patience=0) is None
    assert not copier.busy
    assert all(not troubles(entry) for entry in shelf.entries())
    store.close()


def test_one_that_cannot_be_killed_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is stuck in the kernel, as one that ignores SIGKILL; it ends when it is let go."""
    monkeypatch.setattr(process, "STUCK", 0.05)
    monkeypatch.setattr(process, "argv", lambda _: ["sh", "-c", "read line"])
    copier = CopierProcess({})
    copier.begin(Order(store="", shelf=str(tmp_path), home="home", reason="cadence"))
    child = copier._child
    assert child is not None
    monkeypatch.setattr(child, "kill", lambda: None)
    pipe, child.stdin = child.stdin, None  # nor does it hear that we are gone
    assert copier.close(patience=0) is None
    assert not copier.busy
    assert child.poll() is None
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert pipe is not None
    pipe.close()
