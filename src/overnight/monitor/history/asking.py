"""Reading the history: series for charts, sums for tables, and two periods beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from overnight.core.gauges import IDLE_EVERY, NAMES, mean_spans, span_for
from overnight.core.monitor.comparison import Period
from overnight.core.monitor.outages import Outage, outages
from overnight.core.monitor.sums import Sum
from overnight.core.tallies import beginning, tally_span
from overnight.monitor.history.database import Database, columns, typed
from overnight.monitor.history.totals import Total, mean_seconds, totals_in


class Point(NamedTuple):
    """A figure over one span: its beginning (POSIX seconds), mean, least and most."""

    at: int
    mean: float
    least: float
    most: float


class Figure(NamedTuple):
    """A figure over a whole period: mean, least and most."""

    mean: float
    least: float
    most: float


def merged(points: Sequence[Point]) -> Point:
    """Neighbours as one: from when the first of them is, with the mean of their means."""
    return Point(
        points[0].at,
        sum(one.mean for one in points) / len(points),
        min(one.least for one in points),
        max(one.most for one in points),
    )


class Past:
    """``history.db``, to look at.

    Raises:
        apsw.Error: It is not there, or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path, readonly=True)
        #: One that an older version has written last does not know the newest figures.
        try:
            known = columns(self._database.read)
        except BaseException:
            self._database.close()
            raise
        self._names = [name for name in NAMES if name in known]

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
        if gauge not in self._names:
            return []
        span = span_for(until - since, now - since)
        rows = self._database.read(
            f"SELECT at, {gauge}, coalesce({gauge}_min, {gauge}), coalesce({gauge}_max, {gauge}) FROM samples"  # noqa: S608
            f" WHERE span = ? AND at >= ? AND at < ? AND {gauge} IS NOT NULL ORDER BY at",
            (span, int(since), int(until)),
        )
        return [Point(*row) for row in typed(rows)]

    def figures(self, period: Period, *, now: float) -> dict[str, Figure]:
        """Every figure over a period; those of which nothing is known are left out.

        Args:
            period: What is asked about.
            now: POSIX seconds: what is kept how finely depends on its age.
        """
        found = (self._means(period, span) for span in mean_spans(period.until - period.since, now - period.since))
        return next((figures for figures in found if figures), {})

    def _means(self, period: Period, span: int) -> dict[str, Figure]:
        columns = ", ".join(
            f"avg({name}), min(coalesce({name}_min, {name})), max(coalesce({name}_max, {name}))" for name in self._names
        )
        [row] = typed(
            self._database.read(
                f"SELECT {columns} FROM samples WHERE span = ? AND at >= ? AND at < ?",  # noqa: S608 - names of ours
                (span, beginning(period.since, span), period.until),
            )
        )
        found = {name: Figure(*row[3 * n : 3 * n + 3]) for n, name in enumerate(self._names)}
        return {name: figure for name, figure in found.items() if figure.mean is not None}

    def network_outages(self, period: Period, *, now: float) -> list[Outage]:
        """When there was no way out of this machine, as finely as that is kept."""
        points = self.series("network_up", since=period.since, until=period.until, now=now)
        span = span_for(period.until - period.since, now - period.since)
        looks = ((float(point.at), point.least > 0) for point in points)
        return outages(looks, span=span, gap=2 * max(span, IDLE_EVERY))

    def least(self, gauge: str, *, since: float) -> float | None:
        """The least of a figure since an instant (POSIX seconds); None when it was never seen.

        Raises:
            ValueError: There is no such gauge.
        """
        if gauge not in NAMES:
            raise ValueError(f"there is no gauge {gauge!r}; there are {', '.join(NAMES)}")
        if gauge not in self._names:
            return None
        rows = self._database.read(
            f"SELECT min(coalesce({gauge}_min, {gauge})) FROM samples WHERE at >= ?",  # noqa: S608 - a name of ours
            (int(since),),
        )
        return typed(rows)[0][0]  # type: ignore[no-any-return]  # STRICT says what stands there

    def error_rates(self, *, since: float, enough: int) -> list[float]:
        """Of each hour since an instant in which so many attempts ended, the share that failed."""
        rows = self._database.read(
            "SELECT sum(n * (outcome = 'failed')) * 1.0 / sum(n) FROM tallies WHERE span = 3600 AND at >= ?"
            " AND outcome IN ('failed', 'completed') GROUP BY at HAVING sum(n) >= ?",
            (int(since), enough),
        )
        return [row[0] for row in typed(rows)]

    def minutes(self, *, since: float) -> int:
        """Minutes since an instant in which an attempt completed."""
        rows = self._database.read(
            "SELECT count(DISTINCT at) FROM tallies WHERE span = 60 AND at >= ? AND outcome = 'completed'",
            (int(since),),
        )
        return int(typed(rows)[0][0])

    def latest(self) -> tuple[int, dict[str, float]] | None:
        """The last look of all: when (POSIX seconds), and each figure that was known; None before the first."""
        rows = self._database.read(
            f"SELECT at, {', '.join(self._names)} FROM samples WHERE span = 1 ORDER BY at DESC LIMIT 1"  # noqa: S608
        )
        for at, *figures in typed(rows):
            return at, {name: value for name, value in zip(self._names, figures, strict=True) if value is not None}
        return None

    def mean_seconds(self) -> float | None:
        """What an attempt took that came to an end of its own; None before the first."""
        return mean_seconds(self._database)

    def totals(self) -> list[Total]:
        """Everything since the history began."""
        return totals_in(self._database)

    def sums(self, period: Period, *, now: float) -> list[Sum]:
        """What became of attempts within a period, the most first.

        Args:
            period: Counted from the beginning of the minute or hour that its own lies in.
            now: POSIX seconds: what is kept how finely depends on its age.
        """
        span = tally_span(period.until - period.since, now - period.since)
        rows = self._database.read(
            "SELECT workflow, step, outcome, error_class, fingerprint, sum(n), sum(seconds), max(longest), min(at),"
            " max(at) FROM tallies WHERE span = ? AND at >= ? AND at < ? GROUP BY 1, 2, 3, 4, 5 ORDER BY 6 DESC",
            (span, beginning(period.since, span), period.until),
        )
        return [Sum(*row) for row in typed(rows)]

    def close(self) -> None:
        """Let go of it."""
        self._database.close()
