"""A row of small bars: a figure over time, in one line of text."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_BARS = " ▁▂▃▄▅▆▇█"
#: For streams whose encoding has no blocks.
_PLAIN_BARS = " .:-=+*#@"


def spark(values: Sequence[float], *, most: float = 0.0, encoding: str | None = None) -> str:
    """A bar for each value, from 0 up; what is more than 0 is seen.

    Args:
        values: None below 0.
        most: What the highest bar stands for; 0: the largest of the values.
        encoding: Of where it is shown; None: that of stdout.
    """
    bars = _BARS if _can(encoding or getattr(sys.stdout, "encoding", None)) else _PLAIN_BARS
    top = most or max(values, default=0.0) or 1.0
    last = len(bars) - 1
    return "".join(bars[0 if value <= 0 else min(last, max(1, round(last * value / top)))] for value in values)


def pieces(values: Sequence[float], columns: int) -> list[float]:
    """The means of neighbours, so that there are at most so many."""
    size = max(1, -(-len(values) // columns))
    groups = [values[at : at + size] for at in range(0, len(values), size)]
    return [sum(group) / len(group) for group in groups]


def _can(encoding: str | None) -> bool:
    try:
        _BARS.encode(encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
