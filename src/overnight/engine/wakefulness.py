"""The machine does not go to sleep while there is work that goes on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from overnight.core.gates import Hold
from overnight.core.stopping import Stopping
from overnight.core.verdict import Settlement
from overnight.engine.attempts import Running
from overnight.host.clock import Clock
from overnight.store.contract import Counts

#: Seconds without a running task after which what is left may sleep over: it waits for a person, or for tomorrow.
PATIENCE = 600.0


class WakeLock(Protocol):
    """Keeps the machine awake while it is held."""

    def hold(self) -> None:
        """From now on. May be called often."""

    def let_go(self) -> None:
        """No longer. May be called often."""


class Wakefulness:
    """An observer that keeps the machine awake.

    Args:
        lock: What does it.
        clock: Monotonic.
    """

    def __init__(self, lock: WakeLock, clock: Clock) -> None:
        self._lock = lock
        self._clock = clock
        self._busy_at = -math.inf

    def settled(self, running: Running | None, settlement: Settlement) -> None:
        """The counts say it."""

    def stopping(self, stopping: Stopping, still_running: int) -> None:
        """What still runs is work."""

    def limits(self, holds: Sequence[Hold], slots: int) -> None:
        """What waits for room waits for a person."""

    def ticked(self, counts: Counts, running: list[Running]) -> None:
        moment = self._clock.monotonic()
        if running:
            self._busy_at = moment
        if counts.unfinished and moment - self._busy_at < PATIENCE:
            self._lock.hold()
        else:
            self._lock.let_go()
