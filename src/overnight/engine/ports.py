"""What the engine needs of the world besides a store and an executor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from overnight.core.errors import StoreDamagedError
from overnight.core.gates import Hold, Reading
from overnight.core.stopping import Ask, Stopping
from overnight.core.verdict import Settlement
from overnight.engine.attempts import Running
from overnight.store.contract import Counts

#: Answers to a store whose file is not at its place any more; raises when nothing helps.
Rescue = Callable[[StoreDamagedError], None]


def give_up(error: StoreDamagedError) -> None:
    """No answer: the engine ends."""
    raise error


class Bell(Protocol):
    """Somebody rings when there is something to look at. Losing a ring costs a second, never a task."""

    def fileno(self) -> int:
        """Readable when it was rung."""

    def drain(self) -> set[bytes]:
        """The words rung since the last call: b"r" look, b"w" a producer waits, b"d" it is done."""


class StopSource(Protocol):
    """Where asks to stop come from, besides the store: signals and the STOP file."""

    def fileno(self) -> int:
        """Readable when a signal came."""

    def take(self) -> list[Ask]:
        """The asks that came by signal since the last call."""

    def look(self) -> list[Ask]:
        """Look for the STOP file."""

    def obeyed(self) -> None:
        """The engine has stopped; what asked for it (the STOP file) can go."""


class Room(Protocol):
    """Whether there is room on the disk to go on."""

    def ran_out(self) -> None:
        """The store could not write. Makes what room it can, for outcomes only."""

    def returned(self) -> bool:
        """Whether it can write again."""

    def needed(self) -> int:
        """Free bytes at which it could."""


class Machine(Protocol):
    """What there is of disk, memory and CPUs."""

    def look(self) -> Reading:
        """Everything, as it is now."""


class Observer(Protocol):
    """Told what has happened, after it was written."""

    def settled(self, running: Running | None, settlement: Settlement) -> None:
        """An attempt was settled. `running` is None for one that an earlier engine had started."""

    def stopping(self, stopping: Stopping, still_running: int) -> None:
        """The engine has begun to stop, stops harder now, or does so because somebody wants it to."""

    def limits(self, holds: Sequence[Hold], slots: int) -> None:
        """The gates that hold now, and how many slots there are; told first of all and when any figure changes."""

    def ticked(self, counts: Counts, running: list[Running]) -> None:
        """About once a second while there is work, and at the end."""
