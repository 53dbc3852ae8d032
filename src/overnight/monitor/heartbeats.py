"""The last line of ``heartbeat.log``: when an engine was last known to live, and what it was at."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import msgspec

from overnight.host.files import last_line


class Beat(msgspec.Struct, frozen=True):
    """One heartbeat."""

    at: datetime
    pid: int
    #: Tasks completed by then, in all.
    completed: int
    #: Workers that had something to do, and the tasks that they were at.
    active: int
    tasks: list[int]


def last_beat(path: Path) -> Beat | None:
    """The newest heartbeat; None when there is none that can be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return msgspec.json.decode(last_line(descriptor)[0], type=Beat)
    except (OSError, msgspec.DecodeError):
        return None
    finally:
        os.close(descriptor)
