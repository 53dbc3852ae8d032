"""``logs.db``: how far logs were read and what was found there, in one transaction, so that nothing counts twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path

import apsw
import msgspec

from overnight.core.events import printable
from overnight.monitor.history.database import Database, lay, typed
from overnight.ops.logs.following import Position

#: Of the file; another one is set aside and begun anew.
APPLICATION, VERSION = 0x4F4E4C47, 1
HOUR = 3600
#: Seconds for which the place in a file that is not seen any more is remembered.
_FORGET = 30 * 86400.0
#: Kinds of errors that are kept apart.
MOST = 5000


class Cluster(msgspec.Struct, kw_only=True):
    """Errors that belong together. Instants are POSIX seconds; `task_id`: of the last one, where it was a task's."""

    id: int
    kind: str
    key: str = ""
    template: str
    sample: str
    source: str
    task_id: int | None = None
    first_seen: float
    last_seen: float
    n: int = 0


class LogStore:
    """One connection to ``logs.db``; begun anew when it is damaged.

    Raises:
        apsw.Error: It cannot be opened; or there is none, and it is only looked at.
    """

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        self._database = Database(path, readonly=readonly, prepare=_prepare)

    def positions(self) -> dict[tuple[int, int], Position]:
        """How far each file was read."""
        rows = typed(self._database.read("SELECT path, device, inode, offset, head, rest FROM positions"))
        names = ("path", "device", "inode", "offset", "head", "rest")
        found = [Position(**dict(zip(names, row, strict=True))) for row in rows]
        return {position.key: position for position in found}

    def clusters(self) -> list[Cluster]:
        """All that was found, the oldest first."""
        names = ("id", "kind", "key", "template", "sample", "source", "task_id", "first_seen", "last_seen", "n")
        rows = typed(self._database.read(f"SELECT {', '.join(names)} FROM clusters ORDER BY id"))  # noqa: S608 - ours
        return [Cluster(**dict(zip(names, row, strict=True))) for row in rows]

    def hours(self, *, since: float, until: float) -> list[tuple[int, int, int]]:
        """How many of each cluster there were in each hour: cluster, beginning of the hour, number."""
        rows = self._database.read(
            "SELECT cluster, hour * 3600, n FROM hours WHERE hour >= ? AND hour <= ? ORDER BY 2, 1",
            (int(since // HOUR), int(until // HOUR)),
        )
        return [(row[0], row[1], row[2]) for row in typed(rows)]

    def journal_seq(self) -> int:
        """The last event that was read; 0 for none."""
        return self._fact("journal_seq")

    def saves(self) -> int:
        """How often something was noted here."""
        return self._fact("saves")

    def _fact(self, name: str) -> int:
        found = typed(self._database.read("SELECT value FROM facts WHERE name = ?", (name,)))
        return int(found[0][0]) if found else 0

    def cursor(self) -> str:
        """The last entry of the log of the system that was read; empty for none."""
        if not self._database.read("SELECT 1 FROM sqlite_schema WHERE name = 'cursors'"):
            return ""  # it was made by an older version, and is only looked at
        found = typed(self._database.read("SELECT cursor FROM cursors WHERE name = 'journald'"))
        return str(found[0][0]) if found else ""

    def save(
        self,
        clusters: Iterable[Cluster],
        hours: Mapping[tuple[int, int], int],
        positions: Iterable[Position],
        *,
        journal_seq: int,
        now: float,
        saves: int | None = None,
        cursor: str = "",
    ) -> None:
        """Note what was found and how far was read.

        Nothing is noted when somebody else has done so meanwhile: they have read the same, and what they have not is
        found by the next look.

        Args:
            clusters: Those that have changed, whole.
            hours: What is to be added, by cluster and hour.
            positions: Of files that were read.
            journal_seq: The last event that was read.
            now: POSIX seconds.
            saves: How often something had been noted when that was read; None: it makes no difference.
            cursor: Of the last entry of the log of the system; empty: as before.

        Raises:
            apsw.Error: Nothing was written.
        """
        with self._database.write() as connection:
            connection.execute("INSERT OR IGNORE INTO facts VALUES ('saves', 0)")
            connection.execute(
                "UPDATE facts SET value = value + 1 WHERE name = 'saves' AND value = ifnull(?, value)", (saves,)
            )
            if not connection.changes():
                return
            if cursor:
                connection.execute("INSERT OR REPLACE INTO cursors VALUES ('journald', ?)", (cursor,))
            connection.executemany(_CLUSTER, [_row(cluster) for cluster in clusters])
            connection.executemany(_HOUR, [(*key, n) for key, n in hours.items()])
            connection.executemany(
                "INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(one.device, one.inode, one.path, one.offset, one.head, one.rest, now) for one in positions],
            )
            connection.execute("DELETE FROM positions WHERE seen_at < ?", (now - _FORGET,))
            connection.execute("INSERT OR REPLACE INTO facts VALUES ('journal_seq', ?)", (journal_seq,))

    def forget(self, *, before: float) -> int:
        """Let go of what was not seen any more since an instant (POSIX seconds). Returns how many clusters went."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM clusters WHERE last_seen < ?", (before,))
            gone = connection.changes()
            connection.execute(
                "DELETE FROM hours WHERE cluster NOT IN (SELECT id FROM clusters) OR hour < ?", (before // HOUR,)
            )
            return gone

    def close(self) -> None:
        """Let go of it."""
        self._database.close()


_CLUSTER = """
INSERT OR REPLACE INTO clusters (id, kind, key, template, sample, source, task_id, first_seen, last_seen, n)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_HOUR = """
INSERT INTO hours (cluster, hour, n) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n
"""


def _row(one: Cluster) -> tuple[object, ...]:
    words = (one.kind, one.key, printable(one.template), printable(one.sample), printable(one.source))
    return (one.id, *words, one.task_id, float(one.first_seen), float(one.last_seen), one.n)


def _prepare(connection: apsw.Connection) -> None:
    schema = (files(__package__) / "schema.sql").read_text("utf-8")
    lay(connection, schema, application=APPLICATION, version=VERSION)
