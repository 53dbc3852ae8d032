"""A clock that a test moves."""

from __future__ import annotations

#: An arbitrary moment: 2027-01-15 08:00 UTC, in POSIX seconds.
START = 1_800_000_000.0


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = START) -> None:
        self._now = now
        self._monotonic = 1000.0

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass. Refuses to go backwards."""
        if seconds < 0:
            raise ValueError(f"time does not go back by {-seconds} s; use step_wall for the wall clock")
        self._now += seconds
        self._monotonic += seconds

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back, as an administrator or NTP does."""
        self._now += seconds
