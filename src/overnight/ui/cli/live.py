"""What a run shows at the bottom of its terminal: one line for all of it, and one for each task while these are few.

The lines are drawn over each other, so each must fit on one row of the terminal; a name may be of any width.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Mapping, Sequence

from overnight.core.inputs import shown
from overnight.core.rate import Rate
from overnight.core.task import text
from overnight.engine.attempts import Running
from overnight.monitor.progress import Progress
from overnight.ui.cli import printing

#: Tasks at most that have a line of their own, and rows of the terminal that are left to outputs.
FEW, _OTHERS = 8, 8
_WIDE = frozenset("WF")
_USUAL = 80, 24
#: Seconds of each unit in which a time left is told, from which on the next larger one is.
_UNITS = ((90.0, 1.0, "s"), (90 * 60.0, 60.0, "min"), (48 * 3600.0, 3600.0, "h"), (float("inf"), 86400.0, "days"))
#: Where the two ends are no further apart than this, one number says it.
_CLOSE = 1.15


class Panel:
    """Lines that stand below everything else, and are replaced again and again."""

    def __init__(self) -> None:
        self._lines: Sequence[str] = ()

    @property
    def is_drawn(self) -> bool:
        """Whether there is something to take away."""
        return bool(self._lines)

    def put(self, lines: Sequence[str], columns: int) -> str:
        """What to write so that these lines stand where the others did; none takes them away.

        Args:
            lines: Each fits into `columns`.
            columns: As many as the terminal has now: what was drawn on a wider one takes more rows.
        """
        rows = sum(max(1, -(-cells(line) // columns)) for line in self._lines)
        up = f"\x1b[{rows - 1}A" if rows > 1 else ""
        self._lines = tuple(lines)
        return f"\r{up}\x1b[J" + "\n".join(lines)


def size() -> tuple[int, int]:
    """Columns and rows of the terminal that stderr is; one that does not know has the usual ones."""
    try:
        columns, rows = os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError):
        columns = rows = 0
    return columns or _USUAL[0], rows or _USUAL[1]


def cells(words: str) -> int:
    """Columns that a text takes."""
    if words.isascii():
        return len(words)
    return sum(0 if unicodedata.combining(one) else 1 + (unicodedata.east_asian_width(one) in _WIDE) for one in words)


def narrow(words: str, columns: int) -> str:
    """Shorten a text to so many columns, from its middle."""
    fitted = (printing.fit(words, letters) for letters in range(columns, 1, -1))
    return next((one for one in fitted if cells(one) <= columns), words[: max(0, columns)])


def summary(rate: Rate, *, done: int, failed: int, left: int, running: int) -> str:
    """All of it on one line."""
    words = [f"{done:,} done", f"{failed:,} failed" if failed else "", f"{left:,} left"]
    words += [f"{running:,} running" if running else "", printing.speed(rate.per_second)]
    span = rate.range_left(left)
    return "  ".join(one for one in [*words, to_go(*span) if span else ""] if one)


def to_go(least: float, most: float) -> str:
    """From when to when it will be done (seconds): ``4 to 7 min to go``, ``about 12 min to go``."""
    one, unit = next((one, name) for below, one, name in _UNITS if most < below)
    first, last = round(least / one), max(1, round(most / one))
    if first == last or most <= least * _CLOSE:
        return f"about {max(1, round((least * most) ** 0.5 / one))} {unit} to go"
    return f"{first} to {last} {unit} to go"


def slots(
    running: Sequence[Running], reports: Mapping[tuple[int, int], Progress], *, now: float, columns: int
) -> list[str]:
    """A line for each task: its slot, for how long it runs, how far it is, and what it is.

    Args:
        running: The attempts.
        reports: What they have said, by task and attempt.
        now: Monotonic seconds.
        columns: So many at most.
    """
    rows = []
    for one in sorted(running, key=lambda one: (one.slot, one.since)):
        said = reports.get(one.key, Progress())
        share = "" if said.progress is None else f"{said.progress:.0%}"
        words = [printing.clean(_name(one)), printing.clean(said.message)]
        since = "frozen" if one.frozen is not None else printing.duration(max(0.0, now - one.since))
        rows.append((f"  {one.slot + 1}", since, share, "  ".join(filter(None, words))))
    return [narrow(line, columns) for line in printing.table(rows, right=(0, 1, 2))]


def _name(one: Running) -> str:
    words = shown(one.claimed.input) if one.claimed.input else one.action.call or " ".join(map(text, one.action.argv))
    return f"{one.claimed.step}: {words}" if one.claimed.step else words


def is_worth_lines(running: Sequence[Running], rate: Rate, rows: int) -> bool:
    """Whether each task has a line of its own: they are few, there is room, and they last long enough to be read."""
    return 0 < len(running) <= min(FEW, rows - _OTHERS) and rate.per_second < len(running)
