"""SQLite: one file, one writer at a time, and a copy of it for a rehearsal.

The copy is made by SQLite's backup, page for page (VACUUM INTO would number rows anew), beside the file: there is
room for it if anywhere. Its folder is locked while somebody lives who needs it, so that the next rehearsal knows
what one that was killed has left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import apsw
import msgspec

from overnight.core.durations import format_duration, format_size
from overnight.core.errors import ConfigurationError, NotNowError, OvernightError
from overnight.core.migrations.addresses import Address
from overnight.core.migrations.schemas import Schema, Thing
from overnight.core.migrations.standing import COUNTS, COUNTS_NOT, Deed, Record, Records
from overnight.core.migrations.statements import Dialect
from overnight.host.filesystem import free_bytes
from overnight.host.rough import making
from overnight.ops.migrations.databases.contract import (
    LEFT_OPEN,
    LOG,
    VERSIONS,
    CannotRehearseError,
    Database,
    DatabaseUnavailableError,
    StatementError,
    need_ours,
)
from overnight.store.sqlite.connection import named
from overnight.store.sqlite.migrations import APPLICATION_ID

_TABLES = f"""
CREATE TABLE IF NOT EXISTS {VERSIONS} (version VARCHAR(128) PRIMARY KEY);
CREATE TABLE IF NOT EXISTS {LOG} (
    id INTEGER PRIMARY KEY, version TEXT NOT NULL, deed TEXT NOT NULL, filename TEXT NOT NULL,
    checksum TEXT NOT NULL, at REAL NOT NULL, who TEXT NOT NULL, seconds REAL NOT NULL);
"""
_INSERT = f"INSERT INTO {LOG} (version, deed, filename, checksum, at, who, seconds) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - names of ours
_READ = f"SELECT version, deed, filename, checksum, at, who, seconds FROM {LOG} ORDER BY id"  # noqa: S608 - names of ours
_NAMES = "SELECT name FROM pragma_table_info(?)"
_THINGS = "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema"
_COLUMNS = 'SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_xinfo(?)'
_REFERENCES = 'SELECT "from", "table", "to", on_delete, on_update FROM pragma_foreign_key_list(?) ORDER BY id, seq'
#: What others hold, for now.
_BUSY = (apsw.BusyError, apsw.LockedError)
#: What reaches another file, of which there is no copy.
_ELSEWHERE = re.compile(r"(ATTACH\b|VACUUM\b.*\bINTO\b)", re.IGNORECASE | re.DOTALL)
_PREFIX = ".overnight-rehearsal-"
#: Bytes that a rehearsal may take besides twice the size of the file.
_SPARE = 16_000_000


class SqliteDatabase:
    """See `Database`. The file is made by the first write; until then a missing one is an empty database."""

    dialect = Dialect.SQLITE
    rehearses_all = True

    def __init__(self, address: Address, *, wait: float, connection: apsw.Connection | None = None) -> None:
        self.shown = address.shown
        self._address = address
        self._path = Path(address.place)
        self._wait = wait
        self._inside = False
        self._is_copy = connection is not None
        self.is_there = self._is_copy or self._path.exists()
        self._opened = connection or (self._open() if self.is_there else None)

    def _open(self) -> apsw.Connection:
        """A connection; the file is made when it is missing."""
        name, uri = named(self._path)
        with self._understood():
            connection = apsw.Connection(name, flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | uri)
            connection.set_busy_timeout(round(self._wait * 1000))
            ours = connection.pragma("application_id") == APPLICATION_ID
        if ours:
            raise ConfigurationError(
                f"{self.shown} is a store of Overnight, which is migrated by itself; nothing was changed",
                hint="name a database of yours in [migrations] database",
            )
        return connection

    @property
    def _connection(self) -> apsw.Connection:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    # -- looking -----------------------------------------------------------------------------

    def records(self) -> Records:
        if self._opened is None:
            return Records()
        with self._understood():
            return self._records(self._opened)

    def _records(self, connection: apsw.Connection) -> Records:
        columns = {name: [str(column) for (column,) in connection.execute(_NAMES, (name,))] for name in (VERSIONS, LOG)}
        need_ours(self.shown, columns[VERSIONS])
        versions = connection.execute(f"SELECT version FROM {VERSIONS}") if columns[VERSIONS] else ()  # noqa: S608 - a name of ours
        rows = connection.execute(_READ) if columns[LOG] else ()
        log = tuple(Record(version, Deed(deed), *rest) for version, deed, *rest in rows)
        return Records(frozenset(str(version) for (version,) in versions), log)

    def schema(self) -> Schema:
        if self._opened is None:
            return {}
        with self._understood():
            rows = [tuple(map(str, row)) for row in self._opened.execute(_THINGS)]
            return {
                f"{kind} {name}": Thing(self._lines(name) if kind == "table" else (), " ".join(definition.split()))
                for kind, name, table, definition in rows
                if table not in (VERSIONS, LOG) and not name.startswith("sqlite_")
            }

    def _lines(self, table: str) -> tuple[str, ...]:
        columns = [_column(*row) for row in self._connection.execute(_COLUMNS, (table,))]
        references = [
            f"{column} REFERENCES {other}{f' ({its})' if its else ''} ON DELETE {gone} ON UPDATE {changed}"
            for column, other, its, gone, changed in self._connection.execute(_REFERENCES, (table,))
        ]
        return (*columns, *references)

    # -- changing ----------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._inside = True
        try:
            self._run("BEGIN IMMEDIATE")
            self._run(_TABLES)
            yield
            self._commit()
        finally:
            self._inside = False
            self._undo()

    def _run(self, statements: str, values: Sequence[str | float] = ()) -> None:
        with self._understood():
            self._connection.execute(statements, values)

    def _commit(self) -> None:
        with self._understood():
            try:
                self._connection.execute("COMMIT")
            except apsw.ConstraintError as error:
                raise StatementError(f"in the end, {error}") from None

    def _undo(self) -> None:
        if self._opened is not None and self._opened.in_transaction:
            self._opened.execute("ROLLBACK")

    def execute(self, statement: str) -> None:
        if self._is_copy and _ELSEWHERE.match(statement):
            raise CannotRehearseError("it reaches another file than the database, of which there is no copy")
        try:
            for _ in self._connection.execute(statement):
                """To its last row: until then it is not done."""
        except (*_BUSY, apsw.FullError, apsw.IOError, apsw.ReadOnlyError) as error:
            raise self._meaning(error) from None
        except apsw.Error as error:
            place = getattr(error, "error_offset", -1)
            before = statement.encode("utf-8", "surrogateescape")[: max(place, 0)]
            raise StatementError(str(error), len(before.decode("utf-8", "replace")) if place >= 0 else None) from None

    def settle(self) -> None:
        if self._inside:
            return
        left_open = self._connection.in_transaction
        self._undo()
        self._run("PRAGMA foreign_keys = OFF")
        if left_open:
            raise StatementError(LEFT_OPEN)

    def record(self, record: Record) -> None:
        self._run(_INSERT, msgspec.structs.astuple(record))
        if record.deed in COUNTS:
            self._run(f"INSERT OR IGNORE INTO {VERSIONS} (version) VALUES (?)", (record.version,))  # noqa: S608 - a name of ours
        elif record.deed in COUNTS_NOT:
            self._run(f"DELETE FROM {VERSIONS} WHERE version = ?", (record.version,))  # noqa: S608 - a name of ours

    # -- rehearsing --------------------------------------------------------------------------

    @contextmanager
    def rehearsal(self) -> Iterator[Database]:
        with ExitStack() as stack:
            try:
                self._need_room()
                folder = stack.enter_context(making(self._path.parent, _PREFIX))
            except OSError as error:
                raise ConfigurationError(
                    f"no copy for a rehearsal can be made beside {self.shown} ({error.strerror}); nothing was changed",
                    hint=f"look at the folder and its owner: ls -ld {self._path.parent}",
                ) from None
            copy = stack.enter_context(closing(apsw.Connection(str(folder / "copy"))))
            with self._understood():
                self._fill(copy)
            yield SqliteDatabase(self._address, wait=self._wait, connection=copy)

    def _fill(self, copy: apsw.Connection) -> None:
        # Nobody needs it afterwards, whatever happens.
        copy.execute("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY")
        if self._opened is not None:
            with copy.backup("main", self._opened, "main") as backup:
                backup.step(-1)

    def _need_room(self) -> None:
        size = self._path.stat().st_size if self._opened is not None else 0
        free, needed = free_bytes(self._path.parent), 2 * size + _SPARE
        if free < needed:
            raise NotNowError(
                f"{format_size(free)} are free beside {self.shown}, and a rehearsal on a copy takes up to"
                f" {format_size(needed)}; nothing was changed",
                hint=f"make room on the disk of {self._path.parent}",
            )

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """What SQLite says of anything but a statement of the user's, in our words."""
        try:
            yield
        except apsw.Error as error:
            raise self._meaning(error) from None

    def _meaning(self, error: apsw.Error) -> OvernightError:
        """What an error that is not the fault of a statement means."""
        if isinstance(error, _BUSY):
            return DatabaseUnavailableError(
                f"{self.shown} is locked by another program, for longer than {format_duration(self._wait)};"
                " nothing of this was done",
                hint=f"see who has it: fuser -v {self._path}; or wait longer: OVERNIGHT_MIGRATIONS_WAIT=5m",
            )
        if isinstance(error, apsw.FullError):
            return NotNowError(
                f"no room is left on the disk of {self.shown}; nothing of this was done", hint="make room"
            )
        return ConfigurationError(
            f"{self.shown} cannot be used ({error}); nothing of this was done",
            hint=f"look whether [migrations] database names the right file, and at its owner: ls -l {self._path}",
        )


def _column(name: str, kind: str, needed: int, default: str | None, key: int) -> str:
    words = (
        name,
        kind,
        "NOT NULL" if needed else "",
        "" if default is None else f"DEFAULT {default}",
        "PRIMARY KEY" if key else "",
    )
    return " ".join(word for word in words if word)
