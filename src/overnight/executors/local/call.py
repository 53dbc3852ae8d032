"""A user's function: finding it, and saying in words how it ended when it did not return."""

# ruff: noqa: PTH116 - paths of users are bytes, which pathlib does not take

from __future__ import annotations

import errno
import importlib
import math
import os
import sys

# Here, before the user's directory is on the path: a `token.py` there would break it just when it is needed.
import traceback
import types
from collections.abc import Callable
from typing import Any

import msgspec

from overnight.core.asks import Permanent, RateLimited, Retry
from overnight.core.endings import Ended, Ending
from overnight.core.error_classes import class_of
from overnight.core.states import ErrorClass
from overnight.core.task import text
from overnight.executors.local.answers import Answer, answer_of
from overnight.executors.local.command import RefusedError
from overnight.executors.local.running_command import readable

#: Of a long traceback, so many characters at its end.
LONGEST_DETAIL = 16_000
LONGEST_ERROR = 1_000


def find(call: str, cwd: bytes) -> Callable[[str], object]:
    """Import what ``module:function`` names.

    Raises:
        RefusedError: There is no such module or function, and no retry will bring it.
    """
    module_name, _, name = call.partition(":")
    importlib.invalidate_caches()
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        if module_name == missing or module_name.startswith(missing + "."):
            raise RefusedError(
                f"there is no module {module_name!r} in {text(cwd)!r} or among what {sys.executable} has installed"
            ) from None
        raise
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise RefusedError(
                f"the module {module_name!r} ({getattr(sys.modules[module_name], '__file__', None)}) has no {name!r}"
            ) from None
    if not callable(found):
        raise RefusedError(f"{call!r} is no function but a {type(found).__name__}")
    return found  # type: ignore[no-any-return]  # whatever it is, it can be called


def result_of(value: object) -> bytes:
    """A returned value as JSON; empty for None. Numbers and text of classes of their own are numbers and text.

    Raises:
        RefusedError: It has no JSON form.
    """
    if value is None:
        return b""
    try:
        encoded = msgspec.json.encode(value, enc_hook=_plain)
        # A float that JSON does not have becomes null. Only where there is a null, it is looked for.
        odd = _odd_float(msgspec.to_builtins(value, enc_hook=_plain)) if b"null" in encoded else None
    except Exception as error:  # noqa: BLE001 - msgspec, and the properties of whatever it is, raise what they like
        raise RefusedError(f"returned a {type(value).__name__} that cannot be written as JSON ({error})") from None
    if odd is not None:
        raise RefusedError(f"returned a value that cannot be written as JSON ({odd})")
    return encoded


def _plain(value: Any) -> object:  # noqa: ANN401 - whatever was returned
    """What stands in JSON for a value that it has no word for; numpy's numbers are of such classes."""
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if getattr(value, "ndim", None) == 0 and type(single := value.item()) is not type(value):
        return single
    raise TypeError(f"Encoding objects of type {type(value).__name__} is unsupported")


def _odd_float(value: object) -> float | None:
    """A float in this value that is no number or infinite; None when there is none."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, float) and not math.isfinite(one):
            return one
        if isinstance(one, dict):
            left += one.values()
        elif isinstance(one, list | tuple | set | frozenset):
            left += one
    return None


def raised(error: BaseException, task_id: int, attempt: int, *, now: float, wall: float, seconds: float) -> Ended:
    """The outcome of an attempt whose function raised."""
    words = _one_line(error)
    if isinstance(error, Retry):
        limited = isinstance(error, RateLimited)
        return Ended(
            task_id,
            attempt,
            Ending.POSTPONED,
            wall,
            seconds,
            error=words,
            error_class=ErrorClass.RATE_LIMITED if limited else None,
            retry_at=None if limited and error.after is None and error.at is None else error.due(now),
        )
    answer = answer_of(error, now=now)
    return Ended(
        task_id,
        attempt,
        Ending.RAISED,
        wall,
        seconds,
        error=words,
        detail=_traceback(error),
        error_type=_name(type(error)),
        error_class=_class_of(error, answer),
        retry_at=answer.again_at,
    )


def _class_of(error: BaseException, answer: Answer) -> ErrorClass | None:
    if isinstance(error, Permanent):
        return ErrorClass.PERMANENT
    number = errno.errorcode.get(error.errno or 0, "") if isinstance(error, OSError) else ""
    names = [_name(base) for base in type(error).__mro__]
    return class_of(names, errno=number, status=answer.status, told_when=answer.again_at is not None)


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _one_line(error: BaseException) -> str:
    try:
        words = " ".join(str(error).split())
    except Exception as second:  # noqa: BLE001 - the user's __str__ may do anything
        words = f"(its message cannot be shown: {type(second).__name__})"
    if isinstance(error, Permanent | Retry) and words:
        return readable(words)[:LONGEST_ERROR]
    name = type(error).__name__
    return readable(f"{name}: {words}" if words else name)[:LONGEST_ERROR]


def _traceback(error: BaseException) -> str:
    try:
        # The first frame is ours.
        start = error.__traceback__.tb_next if error.__traceback__ else None
        lines = traceback.format_exception(type(error), error, start)
    except Exception as second:  # noqa: BLE001 - the user's __str__ or __repr__ again
        lines = [f"(the traceback cannot be shown: {type(second).__name__})"]
    return readable("".join(lines))[-LONGEST_DETAIL:]


class Sources:
    """The user's source files that are loaded, and whether they are still what was loaded.

    Args:
        cwd: Only files below are watched: what is installed elsewhere does not change during a night.
    """

    def __init__(self, cwd: bytes) -> None:
        self._root = text(cwd).rstrip("/") + "/"
        self._known: dict[str, tuple[int, int] | None] = {}
        self._modules = 0

    def changed(self) -> bool:
        """Whether a file is not what it was when it was first seen here."""
        return any(_stamp(path) != stamp for path, stamp in self._known.items())

    def learn(self) -> None:
        """See what has been imported since the last time."""
        if len(sys.modules) == self._modules:
            return
        self._modules = len(sys.modules)
        for module in list(sys.modules.values()):
            path = getattr(module, "__file__", None) if isinstance(module, types.ModuleType) else None
            if isinstance(path, str) and path.startswith(self._root) and "/site-packages/" not in path:
                self._known.setdefault(path, _stamp(path))


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
