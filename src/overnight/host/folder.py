"""The files of a folder, as they are now, and being told when there is something to look at."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator

from overnight.core.watching import Look

#: Milliseconds.
_TOLD_WITHIN_MS = 500


def files_of(directory: bytes, wanted: Callable[[bytes], bool]) -> dict[bytes, Look] | None:
    """Size and time of the regular files right inside of a folder; None when there is no such folder now.

    Args:
        directory: The folder. A symbolic link, in place of it or inside of it, is followed.
        wanted: Which names are looked at.
    """
    found: dict[bytes, Look] = {}
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if wanted(entry.name):
                    with contextlib.suppress(OSError):  # gone since, or a link to nowhere
                        look = entry.stat()
                        if stat.S_ISREG(look.st_mode):
                            found[entry.name] = Look(look.st_size, look.st_mtime_ns)
    except OSError:
        return None
    return found


class Nudges:
    """Told by the kernel that a folder has changed, where the package ``watchfiles`` is installed.

    A nudge that is lost costs the time until the next look, never a file. Has threads of its own, so it is not
    for a process that forks.

    Args:
        directory: The folder.
    """

    def __init__(self, directory: bytes) -> None:
        self._directory = os.fsdecode(directory)
        self._changes: Iterator[object] | None = None

    def begin(self) -> bool:
        """Have changes told from now on; whether that can be had: the package and the folder are there."""
        if self._changes is None and os.path.isdir(self._directory):  # noqa: PTH112 - asked each second
            with contextlib.suppress(ImportError):
                from watchfiles import watch

                self._changes = watch(
                    self._directory, recursive=False, yield_on_timeout=True, rust_timeout=_TOLD_WITHIN_MS, debounce=200
                )
        return self._changes is not None

    def changed(self) -> bool:
        """Wait half a second at most, and say whether anything has changed, the folder itself included."""
        try:
            return self._changes is None or bool(next(self._changes))
        except (OSError, RuntimeError, StopIteration):  # the folder is gone
            self._changes = None
            return True
