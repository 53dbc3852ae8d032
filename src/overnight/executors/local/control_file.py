"""What a task wrote into the file behind OVERNIGHT_CONTROL: JSON objects, one a line."""

# ruff: noqa: PTH108, PTH116, PTH123 - paths of users are bytes, which pathlib does not take

from __future__ import annotations

import contextlib
import os
from datetime import datetime

import msgspec

#: More than this is not looked at.
MOST_BYTES = 1024 * 1024


class _Line(msgspec.Struct):
    retry_at: str | float | None = None


def forget(path: bytes) -> None:
    """Before an attempt begins: what is there was written by one that was lost, or by a function."""
    if os.access(path, os.F_OK):  # hardly ever there, and to fail costs more than to ask
        with contextlib.suppress(OSError):
            os.unlink(path)


def stamp(path: bytes) -> tuple[int, int] | None:
    """Another one whenever something has been written into the file; None while it is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def read_retry_at(path: bytes) -> float | None:
    """The last ``retry_at`` in the file, as POSIX seconds.

    An instant is a number or ISO 8601; without an offset it is local time. Lines that are no such
    objects are passed over: they come from the task, and its exit status speaks for itself.
    """
    if not os.access(path, os.F_OK):
        return None
    try:
        with open(path, "rb") as file:
            words = file.read(MOST_BYTES)
    except OSError:
        return None
    instants = [instant for line in words.splitlines() if (instant := _instant(line)) is not None]
    return instants[-1] if instants else None


def _instant(line: bytes) -> float | None:
    try:
        value = msgspec.json.decode(line, type=_Line).retry_at
        return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else value
    except (msgspec.MsgspecError, ValueError, OverflowError, OSError):
        return None
