"""The only file that reads a clock. Everybody else is handed one, so that a test can be the clock."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What time it is."""

    def now(self) -> float:
        """The wall clock, POSIX seconds. It may jump: for instants, never for measuring."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back, and stands still while the machine sleeps."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()
