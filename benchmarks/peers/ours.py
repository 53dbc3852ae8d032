"""Overnight itself: an engine that stays, for functions; the `run` line, for commands."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from measuring import OVERNIGHT

from overnight import __version__, wiring
from overnight.api import overnight as api
from peers.contract import SLOTS, Name
from peers.room import BENCHMARKS, Room
from peers.work import FUNCTIONS

PROMISES = (
    "an add is synced before it returns; every start and outcome is on disk; an interrupted task runs again,"
    " after its processes were seen dead"
)


class Engine:
    """An engine that goes on until it is stopped; tasks are added from Python."""

    NAME: ClassVar[str] = "**Overnight**"
    RUNS: ClassVar[Literal["functions", "commands"]] = "functions"
    COUNT: ClassVar[int] = 100_000
    MANY: ClassVar[bool] = True
    PROMISES: ClassVar[str] = PROMISES

    def __init__(self, room: Room) -> None:
        self._room = room
        self._night = api.Overnight(room.path / ".overnight")
        room.at_end.callback(self._night.close)
        self._store = wiring.open_store(wiring.make_home(str(room.path / ".overnight")), create=True)
        room.at_end.callback(self._store.close)

    @staticmethod
    def version() -> str | None:
        return __version__

    def add(self, name: Name, value: str) -> None:
        self._night.add(FUNCTIONS[name], value)

    def fill(self, count: int) -> None:
        self._night.add_many(FUNCTIONS["noop"], (f"{number}" for number in range(count)))

    def done(self) -> bool:
        return not self._store.counts().unfinished

    def start(self) -> None:
        self._room.work([sys.executable, str(BENCHMARKS / "forever.py"), str(SLOTS)])

    def kill(self) -> None:
        self._room.kill()

    def stop(self) -> None:
        self._room.stop()


class Run:
    """`overnight run` with a list of inputs."""

    NAME: ClassVar[str] = Engine.NAME
    COUNT: ClassVar[int] = 6000
    PROMISES: ClassVar[str] = PROMISES

    @staticmethod
    def version() -> str | None:
        return __version__

    @staticmethod
    def line(room: Room, listed: Path, words: Sequence[str]) -> list[str]:
        del room  # the home is made in the current directory
        return [*OVERNIGHT, "run", "--quiet", "-j", str(SLOTS), "-a", str(listed), "--", *words]
