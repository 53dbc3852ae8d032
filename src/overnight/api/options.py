"""How a task is to run, as callers say it by keywords, and what was made of it.

The three dictionaries are what type checkers see; each takes all that the one before takes. `read`
checks the same at run time, so that a slip of the finger is told where it was made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from difflib import get_close_matches
from typing import Any, TypedDict

import msgspec
from msgspec import UNSET, UnsetType

from overnight.api.arguments import (
    ArgumentTypeError,
    ArgumentValueError,
    limit,
    priority,
    queue_name,
    short,
    whole,
    yes_or_no,
)
from overnight.core import kinds
from overnight.core.durations import quoted
from overnight.core.limit_settings import LIMIT_SETTINGS
from overnight.core.setting import Setting
from overnight.core.task import DEFAULT_QUEUE, LIMITS, MOST_DESCRIPTION, MOST_RETRIES, MOST_TITLE


class TaskOptions(TypedDict, total=False):
    """What `overnight.task` takes: how the tasks of a function run, wherever they are added.

    Attributes:
        timeout: Seconds of one attempt, text such as "30m", or None for no limit.
        stall: Seconds without output, CPU time and reported progress, text, or None for no limit.
        memory: Bytes of memory of all its processes together, text such as "2GB", or None.
        max_output: Bytes that it may print, text, or None.
        open_files: Files that each of its processes may have open, or None.
        processes: Processes and threads that it may have at a time, or None.
        retries: Further attempts after a failed one.
        at_most_once: Hold a task that was interrupted for a person, instead of running it again.
        env: Names of environment variables to take along.
        queue: Where its tasks go.
        priority: Higher goes first; -1,000,000 to 1,000,000.
    """

    timeout: float | str | None
    stall: float | str | None
    memory: int | str | None
    max_output: int | str | None
    open_files: int | None
    processes: int | None
    retries: int
    at_most_once: bool
    env: Collection[str]
    queue: str
    priority: int


class AddOptions(TaskOptions, total=False):
    """What `Overnight.add` takes: all of `TaskOptions`, and what is about one task.

    Attributes:
        needs: What it takes of named resources, as ``{"gpu": 1}``.
        at: Not before this moment: a datetime (a naive one is local time) or POSIX seconds; None for now.
        title: What people call it.
        description: More about it.
        keep_children: What a command leaves running goes on when it has ended well.
    """

    needs: Mapping[str, float]
    at: datetime | float | None
    title: str
    description: str
    keep_children: bool


class AddManyOptions(AddOptions, total=False):
    """What `Overnight.add_many` takes: all of `AddOptions`, for each of the tasks.

    Attributes:
        unique: Leave out inputs that were added before with the same work and directory.
    """

    unique: bool


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What was said, checked. UNSET: nothing, so that the settings decide."""

    #: Seconds; None for no limit.
    timeout: float | UnsetType | None = UNSET
    #: None for no limit, here and in the next four.
    stall: float | UnsetType | None = UNSET
    memory: int | UnsetType | None = UNSET
    max_output: int | UnsetType | None = UNSET
    open_files: int | UnsetType | None = UNSET
    processes: int | UnsetType | None = UNSET
    retries: int | UnsetType = UNSET
    at_most_once: bool = False
    keep_children: bool = False
    env: tuple[str, ...] = ()
    queue: str = DEFAULT_QUEUE
    priority: int = 0
    needs: dict[str, float] = {}
    #: POSIX seconds.
    at: float | None = None
    title: str = ""
    description: str = ""
    unique: bool = False


def read(said: Mapping[str, object], taken: type, *, before: Options | None = None) -> Options:
    """What was said here, over what was said where the function was decorated.

    Args:
        said: Keywords as they were given.
        taken: The dictionary that lists what is taken here.
        before: What was said there. Environment variables add up, and so does `at_most_once`.

    Raises:
        ArgumentTypeError: There is no such option, or a value is of a type that makes no sense.
        ArgumentValueError: A value makes no sense.
    """
    for name in said.keys() - taken.__annotations__.keys():
        raise _unexpected(name, sorted(taken.__annotations__))
    before = before or Options()
    values: dict[str, Any] = {name: _READERS[name](value) for name, value in said.items()}
    if "env" in values:
        values["env"] = (*before.env, *values["env"])
    if before.at_most_once:
        values["at_most_once"] = True
    return msgspec.structs.replace(before, **values)


def _unexpected(name: str, known: list[str]) -> ArgumentTypeError:
    near = get_close_matches(name, known, 1)
    return ArgumentTypeError(
        f"got an unexpected keyword argument {quoted(name)}; nothing was added",
        hint=f"did you mean {near[0]!r}?" if near else f"one of {', '.join(known)}",
    )


def _names(value: object) -> tuple[str, ...]:
    try:
        names: tuple[str, ...] = kinds.NAMES.read(list(value) if isinstance(value, set | frozenset) else value)
    except ValueError as error:
        raise ArgumentTypeError(f"env: {error}; nothing was added", hint='env=["HTTP_PROXY", "HF_HOME"]') from None
    return names


def _needs(value: object) -> dict[str, float]:
    if not isinstance(value, Mapping) or not all(kinds.is_need(name, amount) for name, amount in value.items()):
        raise ArgumentTypeError(
            f"needs is {quoted(value)}, and amounts by name are wanted; nothing was added", hint='needs={"gpu": 1}'
        )
    return {name: float(amount) for name, amount in value.items()}


def _instant(value: object) -> float | None:
    hint = "at=datetime(2030, 1, 31, 6, 0), or at=time.time() + 3600"
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, datetime | int | float):
        raise ArgumentTypeError(
            f"at is a {type(value).__name__}, and a datetime or POSIX seconds are wanted; nothing was added", hint=hint
        )
    try:
        instant = value.timestamp() if isinstance(value, datetime) else float(value)
    except (OverflowError, ValueError):
        instant = math.nan
    if not math.isfinite(instant):
        raise ArgumentValueError(f"at is {quoted(value)}, which is no moment; nothing was added", hint=hint)
    return instant


def _limit_of(setting: Setting) -> Callable[[Any], object]:
    """What reads the limit that this setting is the default of."""
    hint = f"{setting.name}={setting.show(setting.default)!r}, or {setting.name}=None for no limit"

    def read(value: object) -> object:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ArgumentTypeError(
                f"{setting.name} is {quoted(value)}, and {setting.kind.accepts} is wanted; nothing was added", hint=hint
            )
        try:
            return setting.read(value)
        except ValueError as error:
            raise ArgumentValueError(f"{setting.name}: {error}; nothing was added", hint=hint) from None

    return read


_READERS: dict[str, Callable[[Any], object]] = {
    "timeout": lambda value: limit(value, "timeout"),
    **{setting.name: _limit_of(setting) for setting in LIMIT_SETTINGS if setting.name in LIMITS},
    "retries": lambda value: whole(value, "retries", least=0, most=MOST_RETRIES),
    "at_most_once": lambda value: yes_or_no(value, "at_most_once"),
    "keep_children": lambda value: yes_or_no(value, "keep_children"),
    "env": _names,
    "queue": queue_name,
    "priority": priority,
    "needs": _needs,
    "at": _instant,
    "title": lambda value: short(value, "title", MOST_TITLE),
    "description": lambda value: short(value, "description", MOST_DESCRIPTION),
    "unique": lambda value: yes_or_no(value, "unique"),
}
