"""How many attempts ended when, over a period: for charts of the work and of its failures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from overnight.core.tallies import OTHERS
from overnight.monitor.history.database import Database, typed

#: Points of a chart, and seconds of the spans in which attempts are counted.
_MOST = 720
_MINUTE, _HOUR = 60, 3600
#: Seconds behind which only hours are kept.
_KEPT = 39 * 86400.0


class Beat(msgspec.Struct, frozen=True):
    """One span: its beginning (POSIX seconds), and how many attempts ended well, failed, or were cut off in it."""

    at: int
    completed: int
    failed: int
    other: int


class Rhythm(msgspec.Struct, frozen=True):
    """A period in spans of `span` seconds; those in which nothing ended are left out."""

    span: int
    beats: list[Beat]


class Trend(msgspec.Struct, frozen=True):
    """Of one cause: how many attempts failed of it in each span, by its beginning."""

    fingerprint: str
    span: int
    points: list[tuple[int, int]]


class Times:
    """``history.db``, asked for what ended when.

    Raises:
        apsw.Error: It is not there, or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path, readonly=True)

    def rhythm(self, *, since: float, until: float, now: float) -> Rhythm:
        """Attempts that ended between two instants."""
        kept, span = _spans(since, until, now)
        rows = self._database.read(
            "SELECT at / ?1 * ?1, sum(CASE outcome WHEN 'completed' THEN n ELSE 0 END),"
            " sum(CASE outcome WHEN 'failed' THEN n ELSE 0 END),"
            " sum(CASE outcome WHEN 'completed' THEN 0 WHEN 'failed' THEN 0 ELSE n END)"
            " FROM tallies WHERE span = ?2 AND at >= ?3 AND at < ?4 GROUP BY 1 ORDER BY 1",
            (span, kept, int(since // kept) * kept, until),
        )
        return Rhythm(span, [Beat(*row) for row in typed(rows)])

    def trends(self, fingerprints: Sequence[str], *, since: float, until: float, now: float) -> list[Trend]:
        """How often attempts failed of each of these causes between two instants."""
        kept, span = _spans(since, until, now, most=_MOST // 6)
        return [self._trend(one, kept, span, since, until) for one in fingerprints if one != OTHERS]

    def _trend(self, fingerprint: str, kept: int, span: int, since: float, until: float) -> Trend:
        rows = self._database.read(
            "SELECT at / ?1 * ?1, sum(n) FROM tallies"
            " WHERE span = ?2 AND at >= ?3 AND at < ?4 AND fingerprint = ?5 GROUP BY 1 ORDER BY 1",
            (span, kept, int(since // kept) * kept, until, fingerprint),
        )
        return Trend(fingerprint, span, [(at, n) for at, n in typed(rows)])

    def close(self) -> None:
        """Let go of it."""
        self._database.close()


def _spans(since: float, until: float, now: float, most: int = _MOST) -> tuple[int, int]:
    """In which spans the period is kept, and in which it is drawn: the shortest with so many points at most."""
    kept = _MINUTE if now - since < _KEPT else _HOUR
    wanted = (until - since) / most
    steps = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
    return kept, max(kept, next((step for step in steps if step >= wanted), steps[-1]))
