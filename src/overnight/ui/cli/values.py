"""What people type as a value of an option. What it means is decided in ``core.durations``."""

from __future__ import annotations

import click

from overnight.core.errors import NotFoundError

#: What the store can count to.
_LARGEST_ID = 2**63 - 1


class TaskId(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """The number of a task.

    Raises:
        NotFoundError: It is larger than any task's number can be.
    """

    name = "id"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        words = str(value)
        if not (words.isascii() and words.isdigit() and int(words[:20]) > 0):
            self.fail(f"{words!r} is no task id; write a number, as 'overnight list' shows it", param, ctx)
        if len(words) > 20 or int(words) > _LARGEST_ID:  # noqa: PLR2004 - digits of 64 bits
            raise NotFoundError(f"there is no task {words}; nothing was done", hint="'overnight list' shows the tasks")
        return int(words)


class Duration(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """Seconds, written as ``30``, ``30s``, ``5m``, ``2h``, ``1d`` or ``1h30m``.

    Args:
        endless: Whether ``0`` and ``none`` mean that there is no limit, and give infinity.
    """

    name = "duration"

    def __init__(self, *, endless: bool = False) -> None:
        self._endless = endless

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from overnight.core.durations import parse_duration

        if isinstance(value, float):
            return value
        words = str(value)
        if self._endless and words.strip().lower() == "none":
            return float("inf")
        try:
            seconds = parse_duration(words)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return float("inf") if self._endless and seconds == 0 else seconds


class Instant(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """A moment: ``06:00`` (the next one), ``2026-03-01 06:00``, or ISO 8601. The value is POSIX seconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from overnight.core.durations import parse_instant
        from overnight.host.clock import LocalZone, SystemClock

        if isinstance(value, float):
            return value
        try:
            return parse_instant(str(value), now=SystemClock().now(), zone=LocalZone())
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Rate(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """Starts a second, written as ``10/s``, ``30/m`` or ``100/h``; ``none`` lifts the limit and gives 0."""

    name = "rate"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from overnight.core.durations import parse_rate

        if isinstance(value, float):
            return value
        if str(value).lower() == "none":
            return 0.0
        try:
            return parse_rate(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


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
