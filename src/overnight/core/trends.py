"""Where something is going, in one word: how often it happened in equal spans of time, or how large it was each time.

Counts are small and uneven, so only clear differences are told: the last third of a window against
the rest of it, by a factor of two. Of figures the line through them is drawn, and it is a trend only when it leads
further than the figures lie beside it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from enum import StrEnum

#: So many times as often, or as rare, is a difference.
_CLEARLY = 2.0
#: The last part of a window: this share of it.
_LAST = 3
#: Fewer within the window are told as steady, whenever they were.
_FEW = 3
#: Fewer figures are no trend.
_ENOUGH = 10
#: A line that leads by so many times what the figures lie beside it (standard deviation) is a trend. Fewer figures
#: make a steeper line by chance: of n without any trend its lead has a deviation of sqrt(12 / n) times theirs.
_LEAD, _BY_CHANCE = 2.0, 4.0
#: Less than this part of the figures themselves is rounding.
_ROUNDING = 1e-6


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


def lead(times: Sequence[float], figures: Sequence[float]) -> float:
    """By how much figures rose (below 0: fell) from the first to the last of these times; 0 when that is only noise.

    Args:
        times: Of each figure, rising.
        figures: As many.
    """
    if len(figures) < _ENOUGH or times[-1] <= times[0]:
        return 0.0
    slope, start = statistics.linear_regression(times, figures)
    beside = [figure - start - slope * at for at, figure in zip(times, figures, strict=True)]
    noise = math.sqrt(statistics.fmean(one * one for one in beside))
    led = slope * (times[-1] - times[0])
    least = max(
        noise * max(_LEAD, _BY_CHANCE * math.sqrt(12 / len(figures))), _ROUNDING * abs(statistics.fmean(figures))
    )
    return led if abs(led) > least else 0.0
