"""How much memory an engine may have: a budget that grows with the root of what waits, not with the queue."""

from __future__ import annotations

import math

_MIB = 1024 * 1024
#: Bytes of an engine with nothing to do, and for the root of each task.
BASE, EACH_ROOT = 64 * _MIB, 64 * 1024


def memory_bound(tasks: int) -> int:
    """Bytes that an engine may have with so many unfinished tasks."""
    return BASE + int(EACH_ROOT * math.sqrt(max(0, tasks)))
