"""The fences of this home's engines, where the engines of other homes have some of the same store.

Marks and spool say of an attempt of this home what became of it, and that it never began when they say nothing. Of an
attempt of another home they know nothing, and their silence proves nothing.
"""

from __future__ import annotations

from pathlib import Path

from overnight.host.files import write_atomically

#: So many are kept: attempts of an engine are settled by the next one.
_KEPT = 100


class Fences:
    """Numbers in a file, one a line. Not there, or not to be read: none is known to be ours."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, fence: int) -> None:
        """An engine of this home has this one; on the disk on return, before it begins anything. Raises OSError."""
        lines = [*self._lines(), str(fence)][-_KEPT:]
        write_atomically(self._path, "".join(f"{line}\n" for line in lines).encode())

    def holds(self, fence: int) -> bool:
        """Whether an engine of this home had it."""
        return str(fence) in self._lines()

    def _lines(self) -> list[str]:
        try:
            return self._path.read_text("ascii").split()
        except (OSError, UnicodeDecodeError):
            return []


class OnlyOurs:
    """Of a store that is a file of this home, all are."""

    def note(self, fence: int) -> None:
        """Nothing has to be noted."""

    def holds(self, fence: int) -> bool:  # noqa: ARG002 - of all of them
        """Yes."""
        return True
