"""Files about which nothing is said but that they are there, added by the command line and run by whoever does it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from work_for_workers import record

from overnight import AutonomousProcessor, FileQueue, wiring
from overnight.core.states import TaskState
from overnight.store.contract import Query, Store
from overnight.wiring.files import clear

Call = Callable[..., Any]


@pytest.fixture(autouse=True)
def files(place: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (place / name).write_text("some words\n")


@pytest.mark.parametrize("words", [("queue", "add", "a.txt"), ("add", "a.txt")])
def test_a_file_without_a_command_gets_the_work_of_the_processor_that_runs_it(
    overnight: Call, place: Path, words: tuple[str, ...]
) -> None:
    assert overnight(*words).status == 0
    assert AutonomousProcessor(handler=record).run()["processed"] == 1
    assert (place / "ledger").read_text() == "a.txt\n"


def test_without_a_processor_it_gets_the_default_workflow(overnight: Call, place: Path) -> None:
    overnight("queue", "add", "a.txt")
    assert overnight("run").status == 0
    assert (place / "published" / "a.txt.json").exists()


def test_it_is_the_same_file_as_one_that_was_added_from_python(overnight: Call) -> None:
    """So either can say how the other's file ended, and `--unique` sees it."""
    queue = FileQueue()
    queue.add("a.txt")
    assert overnight("add", "a.txt", "--unique").out == ""
    overnight("queue", "add", "b.txt", "3")
    item = queue.peek()
    assert item is not None
    assert (item.file_path, item.priority) == ("b.txt", 3)
    queue.mark_complete("b.txt", success=True)
    assert overnight("show", "2", "--json").json["state"] == "completed"


def test_a_processor_knows_files_of_the_command_line_by_their_name(overnight: Call) -> None:
    overnight("queue", "add", "a.txt")
    processor = AutonomousProcessor()
    assert processor.run()["processed"] == 1
    result = processor.result("a.txt")
    assert result is not None
    assert result.success


@pytest.mark.parametrize("priority", ["7", "-7", "0", "1000000"])
def test_the_priority_may_stand_behind_the_file(overnight: Call, priority: str) -> None:
    assert overnight("queue", "add", "a.txt", priority).status == 0
    assert overnight("list", "--json").json["priority"] == int(priority)


def test_a_priority_out_of_bounds_adds_nothing(overnight: Call, place: Path) -> None:
    said = overnight("queue", "add", "a.txt", "99999999")
    assert (said.status, said.out) == (2, "")
    assert "99999999 is not in the range" in said.err
    assert not (place / ".overnight").exists()


def test_run_still_wants_to_be_told_what_to_do(overnight: Call, place: Path) -> None:
    """Whoever forgets the command must not find a night of checksums in the morning."""
    said = overnight("run", "a.txt")
    assert said.status == 2
    assert "nothing is said about what to do with the inputs; nothing was added" in said.err
    assert not (place / ".overnight").exists()


def test_nothing_is_read_from_stdin_when_nothing_is_said(program: Call, place: Path) -> None:
    done = program("add", stdin=b"a.txt\n")
    assert done.returncode == 2
    assert not (place / ".overnight").exists()


# -- emptying --------------------------------------------------------------------------------


def scene() -> None:
    """One file of each kind."""
    queue = FileQueue()
    queue.add_many(["done", "failed", "timeout", "popped", "waits"])
    queue.mark_complete("done", success=True)
    queue.mark_complete("failed", success=False)
    queue.mark_timeout("timeout")
    assert queue.pop() is not None
    FileQueue("other").add("other")


def left(store: Store) -> list[tuple[bytes, TaskState]]:
    return [(task.input, task.state) for task in reversed(store.tasks(Query()))]


@pytest.mark.parametrize("door", ["command line", "Python"])
def test_clear_means_the_same_at_both_doors(overnight: Call, door: str) -> None:
    scene()
    if door == "Python":
        FileQueue().clear()
    else:
        assert overnight("queue", "clear", "--yes").out == "3 tasks removed\n"

    with closing(wiring.open_store(wiring.find_home())) as store:
        assert left(store) == [
            (b"done", TaskState.COMPLETED),
            (b"popped", TaskState.RUNNING),
            (b"other", TaskState.PENDING),
        ]
        assert store.recount() == []
    assert (FileQueue().get_pending(), FileQueue().get_failed()) == ([], [])


def test_clear_asks_first_and_says_how_much(overnight: Call) -> None:
    scene()
    said = overnight("queue", "clear")
    assert said.status == 2
    assert "nobody is there to be asked" in said.err
    assert FileQueue().size() == 1


def test_a_clear_that_was_interrupted_is_finished_by_the_next_one(overnight: Call) -> None:
    """Between cancelling and forgetting, what waited is cancelled and still there."""
    scene()
    with closing(wiring.open_store(wiring.find_home())) as store:

        class Killed(BaseException):
            pass

        def die(*_: object, **__: object) -> int:
            raise Killed

        store.remove = die  # type: ignore[method-assign]  # the moment of death
        with pytest.raises(Killed):
            clear(wiring.find_home(), store, "default", now=wiring.clock.now(), by="test")
    assert [item.status for item in FileQueue().get_failed()] == ["failed", "timeout", "failed"]

    assert overnight("queue", "clear", "--yes").out == "3 tasks removed\n"
    assert FileQueue().get_failed() == []
