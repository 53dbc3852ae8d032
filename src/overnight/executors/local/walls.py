"""What a worker's tree cannot break through between two looks: limits that the kernel keeps for its group.

They stand behind the limits that the keeper keeps by looking, which end a tree with words and a grace.
Whoever takes memory faster than anybody looks meets the wall; the kernel then kills one of his processes.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from overnight.core.limits import RUNAWAY, Limits
from overnight.host.cgroups import Group

#: What keeper and runner themselves take, in bytes and in processes.
OURS_BYTES, OURS_PROCESSES = 100_000_000, 16


class Walls:
    """The walls of one worker.

    Args:
        group: Its group; empty when there are no walls here.
    """

    def __init__(self, group: str) -> None:
        self._group = Group(Path(group)) if group else None
        self._limits = Limits()
        self._broken = self._group.out_of_memory() if self._group else 0

    def set(self, limits: Limits) -> None:
        """Have the walls of these limits; costs nothing when they are what they were."""
        if self._group is None or limits == self._limits:
            return
        self._limits = limits
        for file, most, ours in (
            ("memory.max", limits.memory_bytes, OURS_BYTES),
            ("pids.max", limits.processes, OURS_PROCESSES),
        ):
            with contextlib.suppress(OSError):  # only one of the controllers is there
                self._group.limit(file, None if most is None else round(RUNAWAY * most) + ours)

    def met(self) -> bool:
        """Whether the kernel has killed somebody for want of memory since this was asked last."""
        if self._group is None:
            return False
        before, self._broken = self._broken, self._group.out_of_memory()
        return self._broken != before
