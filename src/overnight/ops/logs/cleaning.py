"""Letting go of log files that nobody writes any more, and of errors that were not seen for as long."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from overnight.host.home import Home
from overnight.ops.logs.keeping import LogStore

#: Seconds after which they go when nothing is said.
OLD = 30 * 86400.0


def old(paths: Sequence[Path], before: float) -> list[tuple[Path, int]]:
    """Regular files last written before an instant (POSIX seconds), and their sizes; a link is none."""
    states = [(path, state) for path in paths if (state := _state(path)) is not None]
    return [(path, state.st_size) for path, state in states if stat.S_ISREG(state.st_mode) and state.st_mtime < before]


def _state(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except OSError:  # gone meanwhile
        return None


def clean(home: Home, paths: Sequence[Path], *, before: float) -> None:
    """Remove these files, and forget errors that were not seen since.

    Raises:
        OSError: One cannot be removed; the others that come before it are.
        apsw.Error: ``logs.db`` cannot be written.
    """
    for path in paths:
        path.unlink(missing_ok=True)
    if home.logs.exists():
        with closing(LogStore(home.logs)) as store:
            store.forget(before=before)
