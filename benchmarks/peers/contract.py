"""What the measurements need of a peer. One file per peer beside this one, the lists in `benchmarks/beside.py`.

Two kinds. A `Service` is a queue with workers that stay. A `Line` is a command that is given a whole list
and ends when it is done; typing it again is its restart. All work on two slots.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal, Protocol

from peers.room import Room

SLOTS = 2

#: What a task does: one of the functions, or of the commands, in `peers.work`.
Name = Literal["noop", "stamp", "shell"]


class Service(Protocol):
    """A queue. Made with a room of its own, in which its servers (if it needs any) run from then on."""

    NAME: ClassVar[str]
    #: What it runs.
    RUNS: ClassVar[Literal["functions", "commands"]]
    #: No-ops of one measurement: some three seconds of work.
    COUNT: ClassVar[int]
    #: Whether it has a way to add many at once.
    MANY: ClassVar[bool]
    #: What an add means when it returns, and what happens to a task whose worker dies, by its own account.
    PROMISES: ClassVar[str]

    def __init__(self, room: Room) -> None: ...

    @staticmethod
    def version() -> str | None:
        """Which one would be measured; None: it is not installed."""

    def add(self, name: Name, value: str) -> None:
        """Add one task in the ordinary way."""

    def fill(self, count: int) -> None:
        """Add so many no-ops, at once where it can."""

    def done(self) -> bool:
        """Whether nothing waits and nothing runs, as far as it can say."""

    def start(self) -> None:
        """Start the workers; does not wait until they are ready."""

    def kill(self) -> None:
        """SIGKILL to what people start, and to nothing below it."""

    def stop(self) -> None:
        """End the workers; servers go on."""


class SyncedOnRequest(Protocol):
    """A service whose adds are not synced one by one unless that is asked for."""

    def sync_every_add(self) -> None:
        """Ask for it, for the rest of this room's life."""


class Line(Protocol):
    """A command line that is given a list."""

    NAME: ClassVar[str]
    COUNT: ClassVar[int]
    PROMISES: ClassVar[str]

    @staticmethod
    def version() -> str | None:
        """Which one would be measured; None: it is not installed."""

    @staticmethod
    def line(room: Room, listed: Path, words: Sequence[str]) -> list[str]:
        """The line that runs these words once for each line of a file, and goes on where it was when typed again."""
