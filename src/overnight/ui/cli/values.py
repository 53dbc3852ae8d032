"""What people type as a value of an option. What it means is decided in ``core``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

from overnight.core.errors import NotFoundError

#: What the store can count to.
_LARGEST_ID = 2**63 - 1


class Offered(click.types.StringParamType):
    """Text, for which a shell offers what is named here; see `completing.OFFERS`."""

    def __init__(self, what: str) -> None:
        self._what = what

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        from overnight.ui.cli.completing import OFFERS

        return OFFERS[self._what](ctx, param, incomplete)


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

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        from overnight.ui.cli.completing import tasks

        return tasks(ctx, param, incomplete)


class _Written(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """Something that people write and `core` reads; what it says of a slip is told to them."""

    def read(self, words: str) -> object:
        """The value.

        Raises:
            ValueError: With what is wrong and what would be accepted.
        """
        raise NotImplementedError

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        if not isinstance(value, str):
            return value
        try:
            return self.read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Duration(_Written):
    """Seconds, written as ``30``, ``30s``, ``5m``, ``2h``, ``1d`` or ``1h30m``.

    Args:
        endless: Whether ``0`` and ``none`` mean that there is no limit, and give infinity.
    """

    name = "duration"

    def __init__(self, *, endless: bool = False) -> None:
        self._endless = endless

    def read(self, words: str) -> float:
        from overnight.core import kinds

        limit: float | None = (kinds.LIMIT if self._endless else kinds.DURATION).read(words)
        return math.inf if limit is None else limit


class Instant(_Written):
    """A moment: ``06:00`` (the next one), ``2026-03-01 06:00``, or ISO 8601. The value is POSIX seconds."""

    name = "time"

    def read(self, words: str) -> float:
        from overnight.core.durations import parse_instant
        from overnight.host.clock import LocalZone, SystemClock

        return parse_instant(words, now=SystemClock().now(), zone=LocalZone())


class Past(_Written):
    """A moment that is over: ``2h`` (ago), ``06:00`` (the last one), a date, ISO 8601. The value is POSIX seconds."""

    name = "time"

    def read(self, words: str) -> float:
        from overnight.core.durations import parse_past
        from overnight.host.clock import LocalZone, SystemClock

        return parse_past(words, now=SystemClock().now(), zone=LocalZone())


class Rate(_Written):
    """Starts a second, written as ``10/s``, ``30/m`` or ``100/h``; ``none`` lifts the limit and gives 0."""

    name = "rate"

    def read(self, words: str) -> float:
        from overnight.core.durations import parse_rate

        return 0.0 if words.strip().lower() == "none" else parse_rate(words)


class Slots(_Written):
    """A number of slots, written as ``4``, ``50%`` of the CPUs, ``+1`` or ``-1``; or ``auto``."""

    name = "slots"

    def read(self, words: str) -> int | str:
        from overnight.core.durations import parse_slots
        from overnight.core.kinds import AUTO
        from overnight.host.resources import Machine

        plain = words.strip().lower()
        return AUTO if plain == AUTO else parse_slots(plain, cpus=Machine(Path.cwd()).cpus)


class HaltRule(_Written):
    """How many failures are too many, written as ``10%``, ``soon,fail=3`` or ``now,fail=1``; ``never`` gives None."""

    name = "halt"

    def read(self, words: str) -> object:
        from overnight.core.halting import parse_halt

        return parse_halt(words)


class Need(_Written):
    """An amount of a named resource, written as ``gpu=1`` or ``gpu``. The value is a pair."""

    name = "resource"

    def read(self, words: str) -> tuple[str, float]:
        from overnight.core.kinds import is_need

        resource, _, amount = words.partition("=")
        try:
            number = float(amount or "1")
        except ValueError:
            number = 0.0
        if not is_need(resource, number):
            raise ValueError(f"{words!r} names no amount of a resource; write gpu=1")
        return resource, number
