"""What people type as a value, and what it is in seconds and numbers."""

from __future__ import annotations

import re
import time

import click

_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|min|s|m|h|d|)")
#: How people write a day and a time, the local zone understood unless one is given.
_INSTANTS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")


class Duration(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """Seconds, written as ``30``, ``30s``, ``5m``, ``2h``, ``1d`` or ``1h30m``.

    Args:
        endless: Whether ``0`` and ``none`` mean that there is no limit, and give infinity.
    """

    name = "duration"

    def __init__(self, *, endless: bool = False) -> None:
        self._endless = endless

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        words = str(value).strip().lower()
        seconds = seconds_of(words)
        if self._endless and (words == "none" or seconds == 0):
            return float("inf")
        if seconds is None:
            self.fail(f"{value!r} is no duration; write 30, 30s, 5m, 2h or 1d", param, ctx)
        return seconds


class Instant(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """A moment: ``06:00`` (the next one), ``2026-03-01 06:00``, or ISO 8601 with a zone.

    The value is what was typed; `instant_of` makes an instant of it, since that takes the present.
    """

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if instant_of(str(value), now=0.0) is None:
            self.fail(f"{value!r} is no time; write 06:00 or '2026-03-01 06:00'", param, ctx)
        return str(value)


class Rate(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """Starts a second, written as ``10/s``, ``30/m`` or ``100/h``; ``none`` lifts the limit and gives 0."""

    name = "rate"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        if str(value).lower() == "none":
            return 0.0
        number, _, unit = str(value).partition("/")
        try:
            rate = float(number) / _UNITS[unit.strip() or "s"]
        except (ValueError, KeyError):
            rate = 0.0
        if not 0 < rate < float("inf"):
            self.fail(f"{value!r} is no rate; write 10/s, 30/m or none", param, ctx)
        return rate


class Need(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """An amount of a named resource, written as ``gpu=1`` or ``gpu``."""

    name = "resource"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        if isinstance(value, tuple):
            return str(value[0]), float(value[1])
        resource, _, amount = str(value).partition("=")
        try:
            number = float(amount or "1")
        except ValueError:
            number = 0.0
        if not resource or not 0 < number < float("inf"):
            self.fail(f"{value!r} names no amount of a resource; write gpu=1", param, ctx)
        return resource, number


def seconds_of(words: str) -> float | None:
    """The seconds of a duration as people write it; None when it is none."""
    parts = _PART.findall(words)
    if not parts or "".join(_PART.sub("", words).split()):
        return None
    return float(sum(float(number) * _UNITS[unit] for number, unit in parts))


def instant_of(words: str, *, now: float) -> float | None:
    """The POSIX seconds of a moment as people write it, `now` deciding which ``06:00`` is the next one."""
    from datetime import datetime

    clock = _parsed(words, "%H:%M:%S") or _parsed(words, "%H:%M")
    if clock is not None:
        return _next(clock, now=now)
    for form in _INSTANTS:
        moment = _parsed(words, form)
        if moment is not None:
            return time.mktime(moment)
    try:
        return datetime.fromisoformat(words).timestamp()
    except (ValueError, OverflowError):
        return None


def _parsed(words: str, form: str) -> time.struct_time | None:
    try:
        return time.strptime(words, form)
    except ValueError:
        return None


def _next(clock: time.struct_time, *, now: float) -> float:
    """The next moment at which clocks show this. Days are counted by the calendar, not by 24 hours."""
    today = time.localtime(now)
    moments = [time.mktime((today.tm_year, today.tm_mon, today.tm_mday + day, *clock[3:6], 0, 0, -1)) for day in (0, 1)]
    return next((moment for moment in moments if moment > now), moments[-1])
