"""What the engine does where it may not be able to write: nothing is lost, and it is tried again.

Either there is no room on the disk, or another program holds the store. For the latter a write waits only briefly
here, for it is tried again anyway: an engine that waits goes on hearing signals, and its supervisor hears of it.
"""

from __future__ import annotations

from collections.abc import Callable

from overnight.core.errors import DiskFullError, StoreBusyError

#: What may come of a write through no fault of ours; nothing was written then, and nothing of it is lost.
PUT_OFF = (DiskFullError, StoreBusyError)
#: Seconds that a write of the engine at work waits for another program. A round has some ten writes at most, and
#: between two of them an engine gives no sign of life.
BRIEFLY = 0.5


class RoomNeeded:
    """A block that is tried again when it can be written. Some ten a turn: no generator.

    Args:
        run_out: Called when there is no room on the disk.
        stand_back: Called when another program holds the store.
    """

    __slots__ = ("_run_out", "_stand_back")

    def __init__(self, run_out: Callable[[], None], stand_back: Callable[[], None]) -> None:
        self._run_out = run_out
        self._stand_back = stand_back

    def __enter__(self) -> None:
        """Nothing."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if error is None:
            return False
        if isinstance(error, DiskFullError):
            self._run_out()
        elif isinstance(error, StoreBusyError):
            self._stand_back()
        return isinstance(error, PUT_OFF)
