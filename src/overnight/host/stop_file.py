"""The file by which anybody can ask for a stop, without our program and without the store.

Touching it lets what runs finish. ``now`` written inside ends what runs: that reaches an engine whose
store somebody blocks, or one that is still busy with adding its inputs.
"""

from __future__ import annotations

import contextlib
import stat
from pathlib import Path
from typing import NamedTuple

from overnight.host.files import write_atomically

#: Content that asks to end at once.
NOW = "now"


class Touched(NamedTuple):
    """Which file it is, and when it was touched last (nanoseconds of the wall clock)."""

    inode: int
    at: int


class StopFile:
    """The STOP file of one home.

    Args:
        path: Where it lies when there is one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def touched(self) -> Touched | None:
        """Which one lies there; None when none does."""
        try:
            found = self._path.lstat()
        except OSError:
            return None
        return Touched(found.st_ino, found.st_mtime_ns)

    def wish(self) -> str | None:
        """What stands in it, `NOW` or anything else; None when there is none."""
        try:
            found = self._path.lstat()
            if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for
                return ""
            with self._path.open("rb") as file:
                return file.read(len(NOW) + 1).decode("ascii", "replace").strip()
        except FileNotFoundError:
            return None
        except OSError:
            return ""  # it is there, and that is enough

    def ask(self, *, now: bool) -> None:
        """Ask for a stop. One that asks for less than the file does already changes nothing.

        Raises:
            OSError: It could not be made.
        """
        if now and self.wish() != NOW:
            write_atomically(self._path, NOW.encode() + b"\n", durable=False)
        else:
            self._path.touch()

    def remove(self) -> None:
        """It was obeyed, or nobody is there to obey it."""
        with contextlib.suppress(OSError):  # a directory of that name, say: whoever made it must remove it
            self._path.unlink(missing_ok=True)

    def remove_if(self, before: Touched | None) -> bool:
        """Remove the one that lay there before somebody began; one that came later is meant for him. Whether it was."""
        if before is None or self.touched() != before:
            return False
        self.remove()
        return True
