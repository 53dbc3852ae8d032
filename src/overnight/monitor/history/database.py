"""The file of the history: opened, and begun anew where it cannot be read.

A loss here costs charts and no task, so it is answered by an empty file: what was there is set aside
for people to look at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from overnight.core.gauges import NAMES
from overnight.host.files import file_at, open_regular
from overnight.store.sqlite.connection import named

#: Of the file; another one is set aside.
APPLICATION, VERSION = 0x4F4E4849, 1
_PRAGMAS = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -2000"
#: Seconds that a writer waits for another one.
_PATIENCE = 1.0


class NewerFileError(apsw.Error):
    """A later version of the program has written the file: it is left alone, for that version to read."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"a newer version of overnight has written it (tables of version {found}, this one knows {known});"
            " it is left as it is"
        )


Prepare = Callable[[apsw.Connection], None]
_DAMAGED = (apsw.CorruptError, apsw.NotADBError, apsw.FormatError)


class Database:
    """One connection to it.

    Args:
        path: ``history.db``.
        readonly: To look only.
        prepare: Makes the tables of a new file, and refuses another one by `apsw.FormatError`; None: as the history has
            them. What it refuses otherwise is left as it is.

    Raises:
        apsw.Error: It cannot be opened: no room, no permission; or there is none, and it is only looked at.
    """

    def __init__(self, path: Path, *, readonly: bool = False, prepare: Prepare | None = None) -> None:
        self.path = path
        self._readonly = readonly
        #: What was there could not be read, lies aside, and this one is empty.
        self.is_anew = False
        prepare = prepare or _prepare
        try:
            self._connection = _opened(path, None if readonly else prepare)
        except _DAMAGED:
            if readonly:
                raise
            _set_aside(path)
            self._connection = _opened(path, prepare)
            self.is_anew = True
        self._file = file_at(path)
        self._is_damaged = False

    def is_lost(self) -> bool:
        """Whether another file has its name, or none, or whether it was found damaged."""
        return self._is_damaged or file_at(self.path) != self._file

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[apsw.Connection]:
        """All or nothing. `durable`: it is on the disk afterwards, where else a power cut may take the last of it.

        Raises:
            apsw.Error: Nothing was written.
        """
        try:
            if durable:
                self._connection.pragma("synchronous", "FULL")
            with self._watched(), self._connection:
                yield self._connection
        finally:
            if durable:
                self._connection.pragma("synchronous", "NORMAL")

    def read(self, sql: str, bindings: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        """All rows.

        Raises:
            apsw.Error: They could not be read.
        """
        with self._watched():
            return list(self._connection.execute(sql, bindings))

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Damage that is met is remembered: its writer sets the file aside when it is closed."""
        try:
            yield
        except _DAMAGED:
            self._is_damaged = not self._readonly
            raise

    def close(self) -> None:
        """Leave it whole, without files beside it; one that was found damaged is set aside."""
        self._connection.close()
        if self._is_damaged and file_at(self.path) == self._file:
            _set_aside(self.path)


def _opened(path: Path, prepare: Prepare | None) -> apsw.Connection:
    """A connection; without `prepare` to look only."""
    flags = apsw.SQLITE_OPEN_READONLY if prepare is None else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    name, uri = named(path)
    connection = apsw.Connection(name, flags=flags | uri)
    try:
        connection.set_busy_timeout(int(_PATIENCE * 1000))
        if prepare is not None:
            prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def is_newer(path: Path, *, application: int, version: int) -> bool:
    """Whether a later version of the program has written a file; read in its header, without opening it as a database.

    Source: "The Database Header" of SQLite, offsets 60 and 68.
    """
    try:
        with open_regular(path) as file:
            head = file.read(72)
    except OSError:
        return False
    return int.from_bytes(head[68:], "big") == application and int.from_bytes(head[60:64], "big") > version


def lay(
    connection: apsw.Connection, schema: str, *, application: int, version: int, more: Prepare | None = None
) -> None:
    """Have these tables in a file that is new or ours.

    Args:
        connection: To the file.
        schema: Makes what is missing.
        application: Whose the file is, as it stands there.
        version: Of the tables.
        more: What else is to be there, in the same transaction.

    Raises:
        NewerFileError: It is of a later version.
        apsw.FormatError: It is another one's, or of an older version.
    """
    whose = connection.pragma("application_id"), connection.pragma("user_version")
    if whose[0] == application and whose[1] > version:
        raise NewerFileError(whose[1], version)
    if whose not in ((0, 0), (application, version)):
        raise apsw.FormatError
    connection.execute(_PRAGMAS)
    with connection:
        connection.execute(schema)
        if more is not None:
            more(connection)
        connection.pragma("application_id", application)
        connection.pragma("user_version", version)


def _prepare(connection: apsw.Connection) -> None:
    schema = Path(__file__).with_name("schema.sql").read_text("utf-8")
    lay(connection, schema, application=APPLICATION, version=VERSION, more=_add_columns)


def _add_columns(connection: apsw.Connection) -> None:
    """Those of figures that came after the file was made."""
    known = columns(connection.execute)
    for name in NAMES:
        for column in (name, f"{name}_min", f"{name}_max"):
            if column not in known:
                connection.execute(f"ALTER TABLE samples ADD COLUMN {column} REAL")


def columns(read: Callable[[str], Iterable[Any]]) -> set[str]:
    """The columns of the samples. `read`: gives all rows of a statement."""
    return {row[1] for row in read("PRAGMA table_info(samples)")}


def _set_aside(path: Path) -> None:
    for part in ("", "-wal", "-shm"):
        file = path.with_name(path.name + part)
        if file.exists():
            file.replace(path.with_name(f"{path.name}.damaged{part}"))


def typed(rows: list[tuple[object, ...]]) -> list[tuple[Any, ...]]:
    """As the tables have them: STRICT says what stands in each column."""
    return rows
