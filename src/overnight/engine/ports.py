"""What the engine needs of the world besides a store and an executor."""

from __future__ import annotations

from typing import Protocol

from overnight.core.stopping import Ask, Stopping
from overnight.core.verdict import Settlement
from overnight.engine.attempts import Running
from overnight.store.contract import Counts


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
        """Whether work may go on."""


class Observer(Protocol):
    """Told what has happened, after it was written."""

    def settled(self, running: Running | None, settlement: Settlement) -> None:
        """An attempt was settled. `running` is None for one that an earlier engine had started."""

    def stopping(self, stopping: Stopping, still_running: int) -> None:
        """The engine has begun to stop, or stops harder now."""

    def disk(self, *, full: bool) -> None:
        """The disk is full and claiming has paused; or there is room again."""

    def ticked(self, counts: Counts, running: list[Running]) -> None:
        """About once a second while there is work, and at the end."""
