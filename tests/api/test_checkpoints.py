"""Checkpoints of a processor: made on request and on its cadence, and said to hold what they hold."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from work_for_workers import record, wait_for_go

from overnight import AutonomousProcessor, Checkpoint, FileQueue, Overnight, OvernightError, wiring
from overnight.core.errors import AlreadyRunningError, NotFoundError, StoreDamagedError
from overnight.host.home import past
from overnight.host.lock import read_owner
from overnight.monitor.books import audit

Ledger = Callable[[], Counter[str]]
Until = Callable[[Callable[[], object]], None]


@pytest.fixture(autouse=True)
def _only_on_request(here: Path) -> None:
    """No engine makes one of its own, however long a run takes."""
    with (here / "overnight.toml").open("a") as file:
        file.write("[checkpoints]\ntasks = 0\ninterval = 0\n")


def kept(here: Path) -> list[str]:
    """Names of the checkpoints."""
    directory = here / ".overnight/checkpoints"
    return sorted(path.name for path in directory.iterdir() if path.is_dir() and not path.is_symlink())


def audited(here: Path) -> list[object]:
    """What does not balance."""
    home = wiring.find_home()
    with closing(wiring.open_store(home)) as store:
        return [*audit(store, here / ".overnight/events.jsonl", holds=past(home).holds)]


def test_a_checkpoint_says_what_it_holds(here: Path) -> None:
    processor = AutonomousProcessor(handler=record)
    processor.queue.add_many(["a", "b"])
    processor.run()
    processor.queue.add("c")

    saved = processor.save_checkpoint()

    assert isinstance(saved, Checkpoint)
    assert (saved.version, saved.files_processed_since_start) == (1, 2)
    assert saved.last_completed_file in ("a", "b")
    assert saved.processor_state["status"] == "completed"
    assert [task["file_path"] for task in saved.queue_snapshot["pending"]] == ["c"]
    assert saved.created_at.endswith("Z")
    (name,) = kept(here)
    assert json.loads((here / ".overnight/checkpoints" / name / "summary.json").read_text())["version"] == 1


def test_it_is_an_event(here: Path) -> None:
    processor = AutonomousProcessor(handler=record)
    processor.queue.add("a")
    processor.save_checkpoint()
    processor.run()
    events = [json.loads(line) for line in (here / ".overnight/events.jsonl").read_text().splitlines()]
    (saved,) = [event for event in events if event["event"] == "checkpoint_saved"]
    assert saved["checkpoint"] in kept(here)
    assert saved["by"]


def test_where_nothing_was_added_there_is_nothing_to_copy(here: Path) -> None:
    with pytest.raises(NotFoundError, match=r"nothing was ever added to .*; no checkpoint was made"):
        AutonomousProcessor().save_checkpoint()
    assert not (here / ".overnight/queue.db").exists()


def test_one_that_cannot_be_written_is_told(here: Path) -> None:
    FileQueue().add("a")
    (here / ".overnight/checkpoints").write_text("in the way")
    with pytest.raises(OvernightError, match=r"no checkpoint could be written to .*; the older ones are as they were"):
        AutonomousProcessor().save_checkpoint()


def test_the_interval_of_a_processor_is_that_of_its_engine(here: Path, until: Until) -> None:
    """Though the settings want none at all."""
    processor = AutonomousProcessor(checkpoint_interval=2, handler=wait_for_go)
    processor.queue.add_many(["quick1", "quick2", "slow"])
    runner = threading.Thread(target=processor.run)
    runner.start()
    until(lambda: (here / ".overnight/checkpoints").exists() and kept(here))
    (here / "go").touch()
    runner.join(60)
    assert not runner.is_alive()


# -- going back -------------------------------------------------------------------------------


def test_going_back_makes_everything_as_it_was_and_the_work_goes_on_from_there(here: Path, ledger: Ledger) -> None:
    """What had finished since runs again; the state of the processor is the one of then."""
    processor = AutonomousProcessor(handler=record)
    processor.queue.add_many(["a", "b"])
    processor.run()
    saved = processor.save_checkpoint()
    before = dataclasses.asdict(processor.state)
    processor.queue.add("c")
    processor.run()
    assert processor.state.files_processed == 1

    restored = processor.restore_from_checkpoint()

    assert restored == saved
    assert dataclasses.asdict(processor.state) == before
    assert [task.input for task in reversed(Overnight().list())] == ["a", "b"]
    assert processor.queue.is_empty()
    processor.queue.add("c")
    assert processor.run()["processed"] == 1
    assert ledger() == {"a": 1, "b": 1, "c": 2}
    assert audited(here) == []


def test_every_thread_and_object_finds_what_was_restored() -> None:
    """Each has a connection of its own to the store that is not there any more."""
    processor = AutonomousProcessor(handler=record)
    processor.queue.add("a")
    processor.save_checkpoint()
    other = FileQueue()
    other.add("b")
    seen: list[int] = []
    waiting, go_on = threading.Event(), threading.Event()

    def look() -> None:
        seen.append(other.size())
        waiting.set()
        go_on.wait(60)
        seen.append(other.size())

    thread = threading.Thread(target=look)
    thread.start()
    waiting.wait(60)
    processor.restore_from_checkpoint()
    go_on.set()
    thread.join(60)

    assert seen == [2, 1]
    assert (other.size(), processor.queue.size()) == (1, 1)


def test_the_newest_that_is_whole_is_taken(here: Path) -> None:
    processor = AutonomousProcessor(handler=record)
    processor.queue.add("a")
    processor.save_checkpoint()
    (whole,) = kept(here)
    processor.queue.add("b")
    processor.save_checkpoint()
    (broken,) = set(kept(here)) - {whole}
    copy = here / ".overnight/checkpoints" / broken / "queue.db"
    copy.write_bytes(copy.read_bytes()[:-1])

    with pytest.raises(StoreDamagedError, match="is not whole"):
        processor.restore_from_checkpoint(broken)
    assert processor.queue.size() == 2
    processor.restore_from_checkpoint()
    assert processor.queue.size() == 1


def test_what_was_set_aside_can_be_gone_back_to(here: Path) -> None:
    """No summary lies beside it, so it is read out of the store; nobody knows the processor of then."""
    processor = AutonomousProcessor(handler=record)
    processor.queue.add("a")
    processor.save_checkpoint()
    processor.queue.add_many(["b", "c"])
    processor.run()
    processor.queue.add("d")
    processor.restore_from_checkpoint()
    assert processor.queue.size() == 1
    (aside,) = (here / ".overnight/aside").iterdir()
    status = processor.state.status

    for path in (aside, Path("aside/elsewhere/queue.db")):
        if not path.exists():
            path.parent.parent.mkdir()
            aside.rename(path.parent)
        restored = processor.restore_from_checkpoint(str(path))
        assert restored.files_processed_since_start == 3
        assert [task["file_path"] for task in restored.queue_snapshot["pending"]] == ["d"]
        assert restored.processor_state == {}
        assert processor.state.status == status
        assert {task.input: str(task.state) for task in Overnight().list()} == {
            "a": "completed",
            "b": "completed",
            "c": "completed",
            "d": "pending",
        }
    assert audited(here) == []
    assert not list((here / ".overnight").glob(".ready-*"))


def test_one_whose_summary_is_damaged_is_refused_as_any_other(here: Path) -> None:
    processor = AutonomousProcessor(handler=record)
    processor.queue.add("a")
    processor.save_checkpoint()
    (name,) = kept(here)
    (here / ".overnight/checkpoints" / name / "summary.json").write_text("{}")
    with pytest.raises(StoreDamagedError, match="is not whole"):
        processor.restore_from_checkpoint(name)


def test_where_there_is_none_nothing_is_changed(here: Path) -> None:
    processor = AutonomousProcessor(handler=record)
    processor.queue.add("a")
    for name in ("latest", "20200101-000000-1"):
        with pytest.raises(NotFoundError, match="nothing was changed"):
            processor.restore_from_checkpoint(name)
    assert processor.queue.size() == 1
    assert read_owner(here / ".overnight/lock") is None


def test_nobody_goes_back_under_an_engine_that_works(here: Path, until: Until, ledger: Ledger) -> None:
    processor = AutonomousProcessor(handler=wait_for_go)
    processor.queue.add("slow")
    processor.save_checkpoint()
    runner = threading.Thread(target=processor.run)
    runner.start()
    until(lambda: ledger()["slow"])
    with pytest.raises(AlreadyRunningError):
        processor.restore_from_checkpoint()
    (here / "go").touch()
    runner.join(60)
    assert Overnight().get(1).state == "completed"
