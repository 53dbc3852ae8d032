"""Reading the history: series for charts, sums for tables, and two periods beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from overnight.core.gauges import NAMES, span_for
from overnight.monitor.history.database import Database, typed
from overnight.monitor.history.totals import Total, totals_in


class Point(NamedTuple):
    """A figure over one span: its beginning (POSIX seconds), mean, least and most."""

    at: int
    mean: float
    least: float
    most: float


class Sum(msgspec.Struct, frozen=True):
    """Attempts that ended within a period."""

    workflow: str
    step: str
    outcome: str
    error_class: str
    fingerprint: str
    n: int
    #: Seconds of all of them, and of the longest one.
    seconds: float
    longest: float
    #: Beginning of the spans in which the first and the last of them ended, POSIX seconds.
    first: int
    last: int


class Past:
    """``history.db``, to look at.

    Raises:
        apsw.Error: It is not there, or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path, readonly=True)

    def series(self, gauge: str, *, since: float, until: float, now: float) -> list[Point]:
        """A figure over time, at most some 2,000 points, as finely as it is kept.

        Args:
            gauge: One of `core.gauges.NAMES`.
            since: POSIX seconds.
            until: POSIX seconds.
            now: POSIX seconds: what is kept how finely depends on its age.

        Raises:
            ValueError: There is no such gauge.
        """
        if gauge not in NAMES:
            raise ValueError(f"there is no gauge {gauge!r}; there are {', '.join(NAMES)}")
        span = span_for(until - since, now - since)
        rows = self._database.read(
            f"SELECT at, {gauge}, coalesce({gauge}_min, {gauge}), coalesce({gauge}_max, {gauge}) FROM samples"  # noqa: S608
            f" WHERE span = ? AND at >= ? AND at < ? AND {gauge} IS NOT NULL ORDER BY at",
            (span, int(since), int(until)),
        )
        return [Point(*row) for row in typed(rows)]

    def latest(self) -> tuple[int, dict[str, float]] | None:
        """The last look of all: when (POSIX seconds), and each figure that was known; None before the first."""
        rows = self._database.read(
            f"SELECT at, {', '.join(NAMES)} FROM samples WHERE span = 1 ORDER BY at DESC LIMIT 1"  # noqa: S608
        )
        for at, *figures in typed(rows):
            return at, {name: value for name, value in zip(NAMES, figures, strict=True) if value is not None}
        return None

    def totals(self) -> list[Total]:
        """Everything since the history began."""
        return totals_in(self._database)

    def sums(self, *, since: float, until: float) -> list[Sum]:
        """What became of attempts between two instants, the most first."""
        span = 60 if until - since < 7 * 86400 else 3600
        rows = self._database.read(
            "SELECT workflow, step, outcome, error_class, fingerprint, sum(n), sum(seconds), max(longest), min(at),"
            " max(at) FROM tallies WHERE span = ? AND at >= ? AND at < ? GROUP BY 1, 2, 3, 4, 5 ORDER BY 6 DESC",
            (span, int(since // span) * span, int(until)),
        )
        return [Sum(*row) for row in typed(rows)]

    def close(self) -> None:
        """Let go of it."""
        self._database.close()
