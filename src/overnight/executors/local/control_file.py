"""What a task wrote into the file behind OVERNIGHT_CONTROL: JSON objects, one a line.

Each attempt of a command has a file of its own, which says in its name whose it is, and which goes with the attempt.
"""

# ruff: noqa: PTH108, PTH116, PTH123, PTH208 - paths of users are bytes, which pathlib does not take

from __future__ import annotations

import contextlib
import os
from datetime import datetime

import msgspec

from overnight.executors.contract import Spec
from overnight.executors.local.place import Place

#: Of a file that is larger only its end is looked at: the last word counts.
MOST_BYTES = 1024 * 1024


class _Line(msgspec.Struct):
    retry_at: str | float | None = None


def of_functions(place: Place) -> bytes:
    """The path of the file that the functions in this slot share; each of its lines says whose it is."""
    return b"%s/control-%d" % (place.spool, place.slot)


def of_attempt(place: Place, spec: Spec) -> bytes:
    """The path of the file."""
    return b"%s/control-%d-%d-%d" % (place.spool, place.slot, spec.task_id, spec.attempt)


def clear_away(place: Place) -> None:
    """Remove what attempts in this slot have left that were lost."""
    for name in os.listdir(place.spool):
        if name.startswith(b"control-%d-" % place.slot):
            remove(place.spool + b"/" + name)


def stamp(path: bytes) -> tuple[int, int] | None:
    """Another one whenever something has been written into the file; None while it is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def take_retry_at(path: bytes) -> float | None:
    """The last ``retry_at`` in the file, as POSIX seconds, and the file is gone.

    An instant is a number or ISO 8601; without an offset it is local time. Lines that are no such
    objects are passed over: they come from the task, and its exit status speaks for itself. So is one whose
    beginning was not read.
    """
    if not os.access(path, os.F_OK):  # hardly ever there, and to fail costs more than to ask
        return None
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - MOST_BYTES))
            words = file.read(MOST_BYTES)
    except OSError:
        return None
    finally:
        remove(path)
    instants = [instant for line in words.splitlines() if (instant := _instant(line)) is not None]
    return instants[-1] if instants else None


def _instant(line: bytes) -> float | None:
    try:
        value = msgspec.json.decode(line, type=_Line).retry_at
        return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else value
    except (msgspec.MsgspecError, ValueError, OverflowError, OSError):
        return None


def remove(path: bytes) -> None:
    """Remove the file, if it is there."""
    with contextlib.suppress(OSError):
        os.unlink(path)
