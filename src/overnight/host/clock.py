"""The only file that reads a clock. Everybody else is handed one, so that a test can be the clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol

from overnight.core.errors import ConfigurationError


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


def asleep_or_awake() -> float:
    """Seconds since some moment, those in which the machine slept as well; the same in all of its processes.

    Source: clock_gettime(2), CLOCK_BOOTTIME. Where there is none CLOCK_MONOTONIC counts sleep (macOS).
    """
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class LeaseClock(SystemClock):
    """A clock that goes on while the machine sleeps: what was lent for so long must be given back when it wakes."""

    def monotonic(self) -> float:
        return asleep_or_awake()


def zone_of(name: str) -> tzinfo:
    """The time zone of this name, as the machine knows it; of an empty name that of the machine.

    Raises:
        ConfigurationError: It knows none of this name.
    """
    if not name:
        return LocalZone()
    import zoneinfo  # few calls need it

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigurationError(
            f"there is no time zone {name!r} on this machine; nothing was started",
            hint="write it as in tz = 'Europe/Riga'; where the system has none, 'pip install tzdata' brings them",
        ) from None


class LocalZone(tzinfo):
    """The time zone of this machine, with its changes of clocks; TZ is followed.

    ``datetime.astimezone()`` alone gives the offset of one moment, which is wrong across a change.
    """

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        return None if moment is None else moment.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, _: datetime | None) -> None:
        """Not known, and nobody asks."""

    def tzname(self, moment: datetime | None) -> str | None:
        return None if moment is None else moment.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, moment: datetime) -> datetime:
        there = moment.replace(tzinfo=UTC).astimezone()
        naive = there.replace(tzinfo=None)
        # The second of two moments at which clocks show the same is told by `fold`.
        second = naive.astimezone().utcoffset() != there.utcoffset()
        return naive.replace(fold=int(second), tzinfo=self)
