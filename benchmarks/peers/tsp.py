"""task-spooler: a server that the first call starts, and a call for every task."""

from __future__ import annotations

import subprocess
from typing import ClassVar, Literal

from peers.contract import SLOTS, Name
from peers.room import Room, printed, program
from peers.work import COMMANDS


def executable() -> str | None:
    """Debian calls it tsp, others ts; another program of that name does not know -V."""
    return program("tsp")


class TaskSpooler:
    """See above."""

    NAME: ClassVar[str] = "task-spooler"
    RUNS: ClassVar[Literal["functions", "commands"]] = "commands"
    COUNT: ClassVar[int] = 1000
    MANY: ClassVar[bool] = False
    PROMISES: ClassVar[str] = "the queue is in the memory of its server and ends with it"

    def __init__(self, room: Room) -> None:
        self._room = room
        self._env = room.env | {"TS_SOCKET": str(room.path / "socket"), "TMPDIR": str(room.path)}

    @staticmethod
    def version() -> str | None:
        found = executable()
        words = printed(found, "-V").split() if found else []
        return next((word[1:] for word in words if word[:1] == "v" and word[1:2].isdigit()), None)

    def add(self, name: Name, value: str) -> None:
        self._call("-n", *COMMANDS[name], value)

    def fill(self, count: int) -> None:
        for number in range(count):
            self.add("noop", str(number))

    def done(self) -> bool:
        listed = subprocess.run(
            [executable() or "tsp"], env=self._env, check=True, capture_output=True, text=True
        ).stdout
        return " queued " not in listed and " running " not in listed

    def start(self) -> None:
        self._call("-S", str(SLOTS))

    def kill(self) -> None:
        found = [one for one in self._room.everything() if one.name() == "tsp"]
        server = min(found, key=lambda one: one.create_time())  # every task has a process of that name as well
        server.kill()

    def stop(self) -> None:
        self._call("-K")

    def _call(self, *words: str) -> None:
        subprocess.run(
            [executable() or "tsp", *words], cwd=self._room.path, env=self._env, check=True, stdout=subprocess.DEVNULL
        )
