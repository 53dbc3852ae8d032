"""The options that say what an attempt may take, besides its time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from overnight.core.task import LIMITS, Action
from overnight.ui.cli import printing


class Limit(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """What the setting of this name takes; ``0`` and ``none`` mean that there is no limit, and give infinity."""

    def __init__(self, setting: str, name: str) -> None:
        self.name = name
        self._setting = setting

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from overnight.core.limit_settings import LIMIT_SETTINGS

        [setting] = [setting for setting in LIMIT_SETTINGS if setting.name == self._setting]
        try:
            limit = setting.read(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return math.inf if limit is None else float(limit) if self._setting == "stall" else int(limit)


LIMIT_OPTIONS: Sequence[Callable[[Callable[..., object]], Callable[..., object]]] = (
    click.option(
        "--stall",
        type=Limit("stall", "duration"),
        help="End an attempt without output, CPU time and progress for so long; 0 for never. [default: 10m]",
    ),
    click.option(
        "--memory",
        type=Limit("memory", "size"),
        help="End an attempt whose processes together have more memory; 0 for no limit. [default: 2GB]",
    ),
    click.option("--max-output", type=Limit("max_output", "size"), help="End an attempt that prints more."),
    click.option(
        "--open-files", type=Limit("open_files", "number"), help="Files that one of its processes may have open."
    ),
    click.option(
        "--processes", type=Limit("processes", "number"), help="End an attempt with more processes and threads."
    ),
)


def decorated(function: Any, options: Sequence[Callable[[Any], Any]]) -> Any:  # noqa: ANN401 - click's decorators
    """A command with these options, shown in their order."""
    for decorate in reversed(options):
        function = decorate(function)
    return function


def limit_options(function: Any) -> Any:  # noqa: ANN401 - the same
    """Give a command the options of the limits."""
    return decorated(function, LIMIT_OPTIONS)


def spell(action: Action) -> list[str]:
    """The limits of an action besides its time, for people."""
    words = []
    if action.stall is not None:
        words.append(f"{printing.duration(action.stall)} without a sign of life")
    if action.memory is not None:
        words.append(f"{printing.size(action.memory)} of memory")
    if action.max_output is not None:
        words.append(f"{printing.size(action.max_output)} of output")
    if action.open_files is not None:
        words.append(f"{action.open_files:,} open files")
    if action.processes is not None:
        words.append(f"{action.processes:,} processes")
    return words


def limits(request: object, defaults: object) -> Mapping[str, Any]:
    """The fields of an action: what was typed, else what holds by default."""
    found: dict[str, Any] = {}
    for name in LIMITS:
        said = getattr(request, name)
        value = getattr(defaults, name) if said is None else said
        found[name] = None if value == math.inf else value
    return found
