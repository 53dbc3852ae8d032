"""``health.db``: what the checks have answered, and how each of them stands now.

A file of its own: whoever asks the checks writes it, and that is neither the engine nor who watches.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path

import apsw
import msgspec

from overnight.core.events import printable
from overnight.core.findings import Status
from overnight.core.health import KEPT, Reply, Standing
from overnight.host.files import stamp_of
from overnight.monitor.history.database import Database, lay, typed

#: Of the file; another one is set aside and begun anew.
APPLICATION, VERSION = 0x4F4E4845, 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS replies (
    name   TEXT NOT NULL,
    at     REAL NOT NULL,
    status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 3),
    value  REAL,
    PRIMARY KEY (name, at)
) STRICT, WITHOUT ROWID;

-- Each round lets go of what is old, whosever it is.
CREATE INDEX IF NOT EXISTS replies_by_age ON replies (at);

CREATE TABLE IF NOT EXISTS standings (name TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""


_OVER = "UPDATE standings SET record = json_set(record, '$.is_over', json('true')) WHERE name = ?"
_FORGET = "DELETE FROM standings WHERE record ->> '$.is_over' AND name NOT IN (SELECT name FROM replies)"


class HealthBook:
    """One connection to ``health.db``; begun anew when it is damaged.

    Raises:
        apsw.Error: It cannot be opened; or there is none, and it is only looked at.
    """

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        self._database = Database(path, readonly=readonly, prepare=_prepare)

    def standings(self) -> dict[str, Standing]:
        """How each check stands that is still asked, by its name."""
        return {name: one for name, one in self.known().items() if not one.is_over}

    def known(self) -> dict[str, Standing]:
        """The same, with how those stood that are not asked any more. What cannot be read counts as never asked."""
        found = {}
        for name, record in typed(self._database.read("SELECT name, record FROM standings ORDER BY name")):
            try:
                found[name] = msgspec.json.decode(record, type=Standing)
            except msgspec.MsgspecError:
                continue  # of a later version
        return found

    def latest(self, check: str, limit: int) -> list[Reply]:
        """The latest answers of a check, the oldest of them first."""
        rows = self._database.read(
            "SELECT at, status, value FROM replies WHERE name = ? ORDER BY at DESC LIMIT ?", (check, limit)
        )
        return [_reply(*row) for row in reversed(typed(rows))]

    def since(self, check: str, at: float) -> list[Reply]:
        """The answers of a check from an instant (POSIX seconds) on, the oldest first."""
        rows = self._database.read(
            "SELECT at, status, value FROM replies WHERE name = ? AND at >= ? ORDER BY at", (check, at)
        )
        return [_reply(*row) for row in typed(rows)]

    def note(self, standings: Iterable[Standing], *, gone: Sequence[str] = (), now: float) -> None:
        """Write down one round, and let go of what is old.

        Args:
            standings: Of the checks that were asked.
            gone: Names of checks that are there no more, or have nothing to say.
            now: POSIX seconds.

        Raises:
            apsw.Error: Nothing was written.
        """
        with self._database.write() as connection:
            for one in standings:
                record = msgspec.structs.replace(one, summary=printable(one.summary))
                connection.execute(
                    "INSERT OR REPLACE INTO standings VALUES (?, ?)", (one.check, msgspec.json.encode(record).decode())
                )
                connection.execute(
                    "INSERT OR REPLACE INTO replies VALUES (?, ?, ?, ?)", (one.check, one.at, one.status, one.value)
                )
            connection.executemany(_OVER, [(name,) for name in gone])
            connection.execute("DELETE FROM replies WHERE at < ?", (now - KEPT,))
            connection.execute(_FORGET)

    def close(self) -> None:
        """Let go of it."""
        self._database.close()


class Standings:
    """How the checks stand, for whoever looks all the time: read only when it was written.

    Args:
        path: ``health.db``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: object = None
        self._known: dict[str, Standing] = {}

    def look(self) -> dict[str, Standing]:
        """As they are now: none when there is no such file, and as they were when it cannot be read."""
        stamp = [stamp_of(self._path.with_name(self._path.name + part)) for part in ("", "-wal")]
        if stamp[0] is None:
            return {}
        if stamp != self._stamp:
            self._stamp = stamp
            with suppress(apsw.Error), closing(HealthBook(self._path, readonly=True)) as book:
                self._known = book.standings()
        return self._known


def _reply(at: float, status: int, value: float | None) -> Reply:
    return Reply(at, Status(status), value)


def _prepare(connection: apsw.Connection) -> None:
    lay(connection, _SCHEMA, application=APPLICATION, version=VERSION)
