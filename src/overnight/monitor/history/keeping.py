"""Writing the history: one look at a time, rolled up from fine to coarse, and forgotten in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import apsw

from overnight.core.gauges import NAMES, RESOLUTIONS, Figures
from overnight.core.tallies import OTHERS, TALLIES, Ending, Key, Tally, beginning, tallied
from overnight.monitor.history.alerting import Alerting
from overnight.monitor.history.database import Database
from overnight.monitor.history.totals import Total, add_totals, mean_seconds, totals_in

#: Rows that are forgotten in one transaction, so that none takes long.
_PORTION = 5000

_COLUMNS = ", ".join(NAMES)
_ADD = (
    f"INSERT INTO samples (span, at, n, {_COLUMNS}) VALUES (1, ?, 1, {', '.join('?' * len(NAMES))})"  # noqa: S608
    " ON CONFLICT DO NOTHING"
)
_LEAST = ", ".join(f"{name}_min" for name in NAMES)
_MOST = ", ".join(f"{name}_max" for name in NAMES)
_ROLL_UP = (
    f"INSERT OR REPLACE INTO samples (span, at, n, {_COLUMNS}, {_LEAST}, {_MOST})"  # noqa: S608 - names of ours
    " SELECT ?1, ?2, sum(n), "
    + ", ".join(f"avg({name})" for name in NAMES)
    + ", "
    + ", ".join(f"min(coalesce({name}_min, {name}))" for name in NAMES)
    + ", "
    + ", ".join(f"max(coalesce({name}_max, {name}))" for name in NAMES)
    + " FROM samples WHERE span = ?3 AND at >= ?2 AND at < ?2 + ?1 HAVING count(*) > 0"
)
_TALLY = """
INSERT INTO tallies (span, at, queue, workflow, step, outcome, error_class, fingerprint, n, seconds, longest)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET n = n + excluded.n, seconds = seconds + excluded.seconds,
    longest = max(longest, excluded.longest)
"""

_POSITION = "INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)"


class History:
    """Keeps ``history.db``. One writer at a time.

    Args:
        path: The file; made when it is missing, begun anew when it is damaged or not there any more.

    Raises:
        apsw.Error: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path)
        #: What is known of alerts.
        self.alerting = Alerting(self._database)
        #: The beginning of the row that is being filled, by span.
        self._filling: dict[int, int] = {}

    def is_lost(self) -> bool:
        """Whether another file has its name, or none, or whether it was found damaged: then one is begun anew."""
        return self._database.is_lost()

    @property
    def is_anew(self) -> bool:
        """Whether what was there was damaged when this one was opened, and lies aside."""
        return self._database.is_anew

    @property
    def journal_seq(self) -> int:
        """The last event that the tallies know of; 0 for none."""
        return self.position("journal_seq") or 0

    def position(self, name: str) -> int | None:
        """The last event that somebody who follows the journal knows of; None for one who is new."""
        found = self._database.read("SELECT value FROM facts WHERE name = ?", (name,))
        return int(str(found[0][0])) if found else None

    def note_position(self, name: str, seq: int) -> None:
        """Remember how far somebody has come."""
        with self._database.write() as connection:
            connection.execute(_POSITION, (name, seq))

    def totals(self) -> list[Total]:
        """Everything since the history began."""
        return totals_in(self._database)

    def mean_seconds(self) -> float | None:
        """What an attempt took that came to an end of its own; None before the first."""
        return mean_seconds(self._database)

    def ended(self, *, since: float, until: float) -> dict[str, int]:
        """How many attempts of people's tasks ended as what between two instants, to the minute."""
        rows = self._database.read(
            "SELECT outcome, sum(n) FROM tallies WHERE span = ? AND at >= ? AND at < ? GROUP BY 1",
            (TALLIES[0].span, int(since), int(until)),
        )
        return {str(outcome): int(str(n)) for outcome, n in rows}

    def completed_a_minute(self, *, since: float, until: float) -> list[int]:
        """How many attempts completed in each minute in which some did."""
        rows = self._database.read(
            "SELECT sum(n) FROM tallies WHERE span = ? AND at >= ? AND at < ? AND outcome = 'completed' GROUP BY at",
            (TALLIES[0].span, int(since), int(until)),
        )
        return [int(str(row[0])) for row in rows]

    def sample(self, figures: Figures, *, now: float) -> None:
        """Note one look, and roll up what has come to its end with it.

        Args:
            figures: By the names of `core.gauges`; unknown ones are left out.
            now: POSIX seconds. A second look within one second counts for nothing.
        """
        at = int(now)
        with self._database.write() as connection:
            connection.execute(_ADD, (at, *(figures.get(name) for name in NAMES)))
            for finer, coarser in pairwise(RESOLUTIONS):
                begun = beginning(at, coarser.span)
                before = self._filling.get(coarser.span, begun)
                self._filling[coarser.span] = begun
                if before != begun:
                    connection.execute(_ROLL_UP, (coarser.span, before, finer.span))

    def catch_up(self, *, now: float) -> None:
        """Roll up what an earlier writer did not come to, but for what a wrong clock has put behind `now`."""
        with self._database.write() as connection:
            for finer, coarser in pairwise(RESOLUTIONS):
                for begun in _not_rolled_up(connection, finer.span, coarser.span, now):
                    connection.execute(_ROLL_UP, (coarser.span, begun, finer.span))

    def tally(self, endings: Sequence[Ending], *, seq: int) -> None:
        """Add up attempts that have ended.

        Args:
            endings: What became of them.
            seq: The last event that was looked at for it: written with them, so that none counts twice.
        """
        with self._database.write() as connection:
            finest = TALLIES[0].span
            tallies = tallied(endings, finest, _fingerprints(connection, endings, finest))
            for span, _ in TALLIES:
                rows = tallies if span == finest else _coarser(tallies, span)
                for (at, key), tally in rows.items():
                    connection.execute(_TALLY, (span, at, *key, tally.n, tally.seconds, tally.longest))
            add_totals(connection, tallies)
            connection.execute(_POSITION, ("journal_seq", seq))

    def forget(self, *, now: float) -> None:
        """Let go what has been kept long enough; at most a portion of each kind."""
        with self._database.write() as connection:
            for table, kept in (("samples", RESOLUTIONS), ("tallies", TALLIES)):
                for one in kept:
                    _forget(connection, table, one.span, now - one.kept)

    def close(self) -> None:
        """Leave it whole."""
        self._database.close()


def _coarser(tallies: Mapping[tuple[int, Key], Tally], span: int) -> Mapping[tuple[int, Key], Tally]:
    """The same over longer spans."""
    found: dict[tuple[int, Key], Tally] = {}
    for (at, key), tally in tallies.items():
        found.setdefault((beginning(at, span), key), Tally()).merge(tally)
    return found


def _fingerprints(connection: apsw.Connection, endings: Sequence[Ending], span: int) -> dict[int, set[str]]:
    """Those that are told apart already, by the beginning of the span."""
    spans = {beginning(one.at, span) for one in endings if one.key.fingerprint}
    sql = "SELECT DISTINCT fingerprint FROM tallies WHERE span = ? AND at = ? AND fingerprint NOT IN ('', ?)"
    return {at: {row[0] for row in connection.execute(sql, (span, at, OTHERS))} for at in spans}


def _not_rolled_up(connection: apsw.Connection, finer: int, coarser: int, now: float) -> list[int]:
    """Beginnings of coarse spans that are over and have fine rows and no row of their own, behind the last that has."""
    last = connection.execute("SELECT max(at) FROM samples WHERE span = ? AND at <= ?", (coarser, now)).get
    rows = connection.execute(
        "SELECT DISTINCT at / ?1 * ?1 FROM samples WHERE span = ?2 AND at >= ?3 AND at < ?4",
        (coarser, finer, 0 if last is None else last + coarser, beginning(now, coarser)),
    )
    return [row[0] for row in rows]


def _forget(connection: apsw.Connection, table: str, span: int, before: float) -> None:
    rows = connection.execute(
        f"SELECT at FROM {table} WHERE span = ? AND at < ? ORDER BY at LIMIT ?",  # noqa: S608 - tables of ours
        (span, int(before), _PORTION),
    ).fetchall()
    if rows:  # a whole beginning at least, however many rows it has
        connection.execute(f"DELETE FROM {table} WHERE span = ? AND at <= ?", (span, rows[-1][0]))  # noqa: S608
