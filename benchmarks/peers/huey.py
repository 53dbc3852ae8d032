"""Huey on SQLite: one consumer with two worker processes, every write synced, results off."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from peers.contract import SLOTS, Name
from peers.room import Room, installed
from peers.work import FUNCTIONS

if TYPE_CHECKING:
    from huey import SqliteHuey
    from huey.api import TaskWrapper

APP = "from peers.huey import make\nhuey, _ = make({path!r})\n"


def make(path: str) -> tuple[SqliteHuey, dict[str, TaskWrapper]]:
    """The queue of a file, and what adds each of the functions to it."""
    from huey import SqliteHuey

    made = SqliteHuey(filename=path, fsync=True, results=False)
    return made, {name: made.task()(function) for name, function in FUNCTIONS.items()}


class Huey:
    """See above."""

    NAME: ClassVar[str] = "Huey, SQLite"
    RUNS: ClassVar[Literal["functions", "commands"]] = "functions"
    COUNT: ClassVar[int] = 8_000
    MANY: ClassVar[bool] = False
    PROMISES: ClassVar[str] = (
        "an add is synced; a task is deleted before it runs, so one that was running when its consumer died is gone"
        " (at most once, by design)"
    )

    def __init__(self, room: Room) -> None:
        path = str(room.path / "huey.db")
        self._room = room
        self._huey, self._tasks = make(path)
        (room.path / "app.py").write_text(APP.format(path=path))

    @staticmethod
    def version() -> str | None:
        return installed("huey")

    def add(self, name: Name, value: str) -> None:
        self._tasks[name](value)

    def fill(self, count: int) -> None:
        for number in range(count):
            self.add("noop", str(number))

    def done(self) -> bool:
        return not self._huey.pending_count()  # it does not know what runs: at most one task a worker

    def start(self) -> None:
        consumer = Path(sys.executable).with_name("huey_consumer")
        self._room.work([sys.executable, str(consumer), "app.huey", "-w", str(SLOTS), "-k", "process", "-q"])

    def kill(self) -> None:
        self._room.kill()

    def stop(self) -> None:
        self._room.stop()
