"""A home with a bit of everything, to be damaged again and again, and the truth about it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keeping import NOON, Place, action
from redoing import differences

from overnight.core.states import Outcome, TaskState
from overnight.core.task import Action, ActionKind
from overnight.core.verdict import Settlement
from overnight.core.workflow.model import Step, Workflow
from overnight.host import results
from overnight.host.home import Home
from overnight.ops.repair import Mended, damage, mend
from overnight.store.contract import Queue, Selector, Verb
from overnight.store.copies.shelf import Shelf
from overnight.store.sqlite.copying import copy_file, open_copy

FLOW = Action(kind=ActionKind.WORKFLOW, call="flow", cwd=b"/data")
#: The program that has popped a task.
POPPER = "4711:99:boot"
LARGE = b'"' + b"x" * 5000 + b'"'
PAGE = 4096


def work_a_night(place: Place) -> None:
    """Three checkpoints, and something that only the journal has, and something that it has not yet."""
    flow = Workflow(name="flow", steps=(Step(id="a", run=("a",)), Step(id="b", run=("b",), needs=("a",))))
    place.store.define([flow], source="test", now=NOON, by="me")
    place.store.set_queue(Queue("night", slots=3), now=NOON, by="me")
    place.add("popped", queue="elsewhere")
    place.store.pop("elsewhere", owner=POPPER, now=NOON, by="program")
    place.add(*(f"file-{number}-{'x' * 200}" for number in range(300)))
    place.add("once", action=action(at_most_once=True), priority=9)
    place.add("flows", action=FLOW, priority=8)
    place.add("long" * 3000)
    place.claim(1)
    place.work(40)
    place.checkpoint()
    place.add("failed", "waits", priority=7)
    failed, waits = place.claim(2)
    place.settle(failed, state=TaskState.FAILED, reason="error", error="no", fingerprint="f")
    place.settle(waits, state=TaskState.WAITING, not_before=NOON + 9000, reason="error", error="later")
    place.work(40)
    place.checkpoint()
    place.store.act(Verb.CANCEL, Selector(ids=(200,)), now=NOON, by="me")
    place.store.act(Verb.HOLD, Selector(ids=(201,)), now=NOON, by="me")
    spill(place)
    place.work(40)
    place.journal()
    place.checkpoint()
    place.work(20)
    place.claim(3)
    place.journal()


def spill(place: Place) -> None:
    """Complete a task whose result is too large for the store."""
    (one,) = place.claim(1)
    reference = results.write(place.home.results, one.id, one.attempt, LARGE)
    place.store.turn(
        fence=place.fence,
        now=place.clock.now(),
        settlements=[
            Settlement(one.id, one.attempt, TaskState.COMPLETED, Outcome.COMPLETED, 0, 0, NOON, result=reference)
        ],
    )


class Ruin:
    """A home as it was left, which is copied for each damage.

    Args:
        directory: Where the first one is made.
    """

    def __init__(self, directory: Path) -> None:
        place = Place(directory / "whole")
        work_a_night(place)
        place.close()
        for part in ("-wal", "-shm"):
            Path(f"{place.home.store}{part}").unlink(missing_ok=True)
        self.home = place.home
        #: What must be there again.
        self.truth = directory / "truth.db"
        copy_file(self.home.store, self.truth)
        self._directory = directory
        self._free = _free_pages(self.home.store)

    def copy(self, name: str) -> Home:
        """A fresh one."""
        path = self._directory / name / ".overnight"
        if path.parent.exists():
            shutil.rmtree(path.parent)
        shutil.copytree(self.home.path, path, symlinks=True)
        return Home(path)

    def holds_nothing(self, place: int) -> bool:
        """Whether this byte of the store is in a page that nobody uses."""
        return place // PAGE + 1 in self._free

    def checkpoints(self, home: Home) -> list[Path]:
        """The folders of its checkpoints, newest first."""
        return self.checkpoints_in(home.checkpoints)

    def checkpoints_in(self, directory: Path) -> list[Path]:
        """The same of a directory."""
        return [entry.path for entry in Shelf(directory, self.home.id).entries()]

    def lost(self, home: Home) -> list[str]:
        """What is not as it was."""
        return differences(self.truth, home.store)


def page_of(path: Path, name: str) -> int:
    """Where a page of this table begins that has rows."""
    connection = open_copy(path)
    rows: list[Any] = connection.execute("SELECT max(pageno) FROM dbstat WHERE name = ?", (name,)).fetchall()
    connection.close()
    return (int(rows[0][0]) - 1) * PAGE


def end_of_long_value(path: Path) -> int:
    """Where the last page of a long value begins; it refers to no other page."""
    connection = open_copy(path)
    sql = "SELECT pageno FROM dbstat WHERE pagetype = 'overflow' AND name = 'tasks' ORDER BY path DESC LIMIT 1"
    rows: list[Any] = connection.execute(sql).fetchall()
    connection.close()
    return (int(rows[0][0]) - 1) * PAGE


def _free_pages(path: Path) -> set[int]:
    connection = open_copy(path)
    used = {row[0] for row in connection.execute("SELECT pageno FROM dbstat")}
    connection.close()
    return set(range(1, path.stat().st_size // PAGE + 1)) - used


def recover(home: Home) -> Mended | None:
    """What whoever takes the home does first; None when it finds nothing wrong."""
    wrong = damage(home)
    if not wrong:
        return None
    return mend(home, wrong, [Shelf(home.checkpoints, home.id)], now=NOON + 1000, by="me/1")


def flip(path: Path, place: int, count: int = 16) -> None:
    """Change some bytes of a file."""
    with path.open("r+b") as file:
        file.seek(place)
        words = file.read(count)
        file.seek(place)
        file.write(bytes(one ^ 0x5A for one in words))


def places(size: int, count: int) -> Iterator[int]:
    """Where to damage a file of this size, in so many places."""
    return iter(sorted({size * number // count for number in range(count)}))
