"""``dormant.db``: what was read in files, and what was tried and woken."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import apsw
import msgspec

from overnight.core.events import printable
from overnight.core.source_facts import Facts
from overnight.host.home import Home
from overnight.monitor.history.database import Database, lay, typed

#: Of the file; another one is set aside and begun anew.
APPLICATION, VERSION = 0x4F4E444D, 1
_decode = msgspec.msgpack.Decoder(Facts).decode


class Known(NamedTuple):
    """What was read in a file when it had this stamp."""

    stamp: str
    digest: bytes | None
    facts: Facts


class Record(NamedTuple):
    """Something that was done to a part. `at`: POSIX seconds."""

    at: float
    part: str
    what: str
    outcome: str
    words: str
    by: str


class Remembered(NamedTuple):
    """What was read in files, by path, and all that was tried and woken, the newest first."""

    files: dict[str, Known]
    records: list[Record]


def remembered(home: Home | None) -> Remembered:
    """What a home knows; nothing where there is none, or where that cannot be read."""
    if home is not None and home.dormant.exists():
        with contextlib.suppress(apsw.Error), closing(DormantStore(home.dormant, readonly=True)) as store:
            return Remembered(store.files(), store.records())
    return Remembered({}, [])


def note(home: Home, record: Record) -> None:
    """Keep a record in a home. Where that cannot be written it is lost: it is a memory, and no task."""
    with contextlib.suppress(apsw.Error), closing(DormantStore(home.dormant)) as store:
        store.note(record)


class DormantStore:
    """One connection to ``dormant.db``; begun anew when it is damaged.

    Raises:
        apsw.Error: It cannot be opened; or there is none, and it is only looked at.
    """

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        self._database = Database(path, readonly=readonly, prepare=_prepare)

    def files(self) -> dict[str, Known]:
        """Everything that was read, by path. What another version has written counts as not read."""
        found = {}
        for path, stamp, digest, facts in typed(self._database.read("SELECT path, stamp, digest, facts FROM files")):
            try:
                found[path] = Known(stamp, digest, _decode(facts))
            except msgspec.MsgspecError:
                continue
        return found

    def keep(self, read: Mapping[str, Known], gone: Iterable[str]) -> None:
        """Note what was read, and forget files that are gone.

        Raises:
            apsw.Error: Nothing was written.
        """
        rows = [(path, one.stamp, one.digest, msgspec.msgpack.encode(one.facts)) for path, one in read.items()]
        with self._database.write() as connection:
            connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", rows)
            connection.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in gone])

    def note(self, record: Record) -> None:
        """Keep a record for ever.

        Raises:
            apsw.Error: Nothing was written.
        """
        at, *words = record
        with self._database.write(durable=True) as connection:
            connection.execute(
                "INSERT INTO records (at, part, what, outcome, words, by) VALUES (?, ?, ?, ?, ?, ?)",
                (at, *map(printable, words)),
            )

    def records(self) -> list[Record]:
        """All that was tried or woken, the newest first."""
        rows = self._database.read("SELECT at, part, what, outcome, words, by FROM records ORDER BY id DESC")
        return [Record(*row) for row in typed(rows)]

    def close(self) -> None:
        """Let go of it."""
        self._database.close()


def _prepare(connection: apsw.Connection) -> None:
    schema = (files(__package__) / "schema.sql").read_text("utf-8")
    lay(connection, schema, application=APPLICATION, version=VERSION)
