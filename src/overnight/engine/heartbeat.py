"""``heartbeat.log``: a line every few minutes that says that the engine lives, and what it is at.

One JSON object a line: when, how many tasks are completed, how many workers are active, and which tasks
these are at. For whoever looks in the morning when it was that things stood still. Nothing depends on
it: it is never synced, and a full disk costs it a line.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from overnight.core.durations import iso
from overnight.core.gates import Hold
from overnight.core.stopping import Stopping
from overnight.core.verdict import Settlement
from overnight.engine.attempts import Running
from overnight.host.clock import Clock
from overnight.host.files import append
from overnight.store.contract import Counts

#: Size at which the file is set aside as ``heartbeat.log.1``, in place of the one before.
ROTATE_BYTES = 10_000_000


class Beat(msgspec.Struct, frozen=True):
    """One line."""

    at: str
    pid: int
    completed: int
    #: Workers that have something to do, and the tasks that they are at.
    active: int
    tasks: list[int]


class HeartbeatLog:
    """An observer that keeps ``heartbeat.log``: a line at the beginning and every `every` seconds.

    Args:
        path: The file.
        clock: Monotonic for the interval, wall clock for the lines.
        pid: Of this engine.
        every: Seconds.
        rotate_bytes: Size at which the file is set aside.
    """

    def __init__(self, path: Path, clock: Clock, *, pid: int, every: float, rotate_bytes: int = ROTATE_BYTES) -> None:
        self._path = path
        self._clock = clock
        self._pid = pid
        self._every = every
        self._rotate_bytes = rotate_bytes
        self._due = clock.monotonic()

    def settled(self, running: Running | None, settlement: Settlement) -> None:
        """The counts say it."""

    def stopping(self, stopping: Stopping, still_running: int) -> None:
        """The journal says it."""

    def limits(self, holds: Sequence[Hold], slots: int) -> None:
        """The journal says it."""

    def ticked(self, counts: Counts, running: list[Running]) -> None:
        moment = self._clock.monotonic()
        if moment < self._due:
            return
        self._due += self._every * ((moment - self._due) // self._every + 1)
        heads = {attempt.slot: attempt.claimed.id for attempt in reversed(running)}  # a slot works in their order
        self._write(Beat(iso(self._clock.now()), self._pid, counts.completed, len(heads), sorted(heads.values())))

    def _write(self, beat: Beat) -> None:
        with contextlib.suppress(OSError):  # a full disk is told by other means
            if self._path.exists() and self._path.stat().st_size >= self._rotate_bytes:
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            append(self._path, msgspec.json.encode(beat) + b"\n", durable=False)
