"""What the engine does where a full disk may stop it: nothing is lost, and it is tried again when there is room."""

from __future__ import annotations

from collections.abc import Callable

from overnight.core.errors import DiskFullError


class RoomNeeded:
    """A block that is tried again when there is room on the disk. Some ten a turn: no generator."""

    __slots__ = ("_run_out",)

    def __init__(self, run_out: Callable[[], None]) -> None:
        self._run_out = run_out

    def __enter__(self) -> None:
        """Nothing."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if isinstance(error, DiskFullError):
            self._run_out()
            return True
        return False
