"""Room kept back for the worst moment: a small file that is given up when the disk is full.

A full disk stops the store from recording even what has already ended. Giving up the reserve makes
room for those outcomes; claiming goes on only when there is real room again and the reserve is back.
"""

from __future__ import annotations

from pathlib import Path

from overnight.host.files import allocate
from overnight.host.filesystem import free_bytes, total_bytes

#: Enough for the outcomes of everything that can be under way.
RESERVE_BYTES = 256 * 1024
#: Free space at which work goes on; on a small file system a tenth of it.
ENOUGH_BYTES = 16 * 1024 * 1024


class Reserve:
    """The reserve file of one home.

    Args:
        path: Where it lies; on the file system of the store.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self) -> bool:
        """Have the file. Returns False when there is no room even for that."""
        try:
            if not self._path.exists() or self._path.stat().st_size < RESERVE_BYTES:
                allocate(self._path, RESERVE_BYTES)
        except OSError:
            self._path.unlink(missing_ok=True)
            return False
        return True

    def ran_out(self) -> None:
        """Give the reserve up."""
        self._path.unlink(missing_ok=True)

    def returned(self) -> bool:
        """Whether there is room again; the reserve is back then."""
        return free_bytes(self._path.parent) >= self.needed() and self.keep()

    def needed(self) -> int:
        """Free bytes at which there is room again."""
        return enough_of(total_bytes(self._path.parent))


def enough_of(file_system_bytes: int) -> int:
    """Free space at which work may go on, on a file system of this size.

    A fixed amount would never come about on one that is smaller than it.
    """
    return max(2 * RESERVE_BYTES, min(ENOUGH_BYTES, file_system_bytes // 10))
