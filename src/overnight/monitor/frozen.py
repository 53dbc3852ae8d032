"""Running tasks that stand still, as their engine says: it alone knows, and they end with it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from overnight.core.task import Task
from overnight.host.lock import read_owner


class FrozenView(msgspec.Struct, frozen=True):
    """One attempt that stands still, and since when."""

    id: int
    attempt: int
    since: datetime


class _File(msgspec.Struct, frozen=True):
    """What of ``engine.json`` is about it."""

    pid: int = 0
    frozen: list[FrozenView] = []


class Frozen:
    """What stands still in a home now.

    Args:
        home: The directory with the lock and ``engine.json``.
    """

    def __init__(self, home: Path) -> None:
        self._views = {(one.id, one.attempt): one for one in _read(home)}

    def since(self, task: Task) -> float | None:
        """Since when this task stands still, POSIX seconds; None when it does not."""
        view = self._views.get((task.id, task.attempt))
        return None if view is None else view.since.timestamp()


def _read(home: Path) -> list[FrozenView]:
    try:
        written = msgspec.json.decode((home / "engine.json").read_bytes(), type=_File)
    except (OSError, msgspec.DecodeError):
        return []
    owner = read_owner(home / "lock") if written.frozen else None
    return written.frozen if owner is not None and owner.pid == written.pid else []
