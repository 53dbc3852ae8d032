"""Where something is going: how often it happened in equal spans of time, in one word.

Counts are small and uneven, so only clear differences are told: the last third of a window against
the rest of it, by a factor of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

#: So many times as often, or as rare, is a difference.
_CLEARLY = 2.0
#: The last part of a window: this share of it.
_LAST = 3
#: Fewer within the window are told as steady, whenever they were.
_FEW = 3


class Direction(StrEnum):
    """How it goes on."""

    STOPPED = "stopped"
    RISING = "rising"
    STEADY = "steady"
    FALLING = "falling"


def direction(counts: Sequence[int]) -> Direction:
    """What the last third of these spans is like beside the rest.

    Args:
        counts: How often in each span, the oldest first; all spans are of one length.
    """
    total = sum(counts)
    if counts and not total:
        return Direction.STOPPED  # all of it was before the window
    last = len(counts) // _LAST
    if not last or total < _FEW:
        return Direction.STEADY
    late = sum(counts[-last:])
    if not late:
        return Direction.STOPPED
    before = (total - late) * last / (len(counts) - last)
    if late > before * _CLEARLY:
        return Direction.RISING
    return Direction.FALLING if late * _CLEARLY < before else Direction.STEADY
