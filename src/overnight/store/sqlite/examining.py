"""Whether a store file is whole: its pages, its structure, its schema and its books.

Page checksums find what has changed inside a page, and SQLite's own checks find pages in the wrong
place; neither finds a page of zeros at the end of a long value, since the checksum of zeros is zero.
So whoever reads the whole file anyway (to hash it) notes such pages, and here it is looked up whether
they are in use.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import apsw

from overnight.core.errors import StoreDamagedError
from overnight.store.sql import books
from overnight.store.sqlite import migrations
from overnight.store.sqlite.connection import Connection, Database, meaning
from overnight.store.sqlite.copying import Facts, facts_of, open_copy

#: Findings of one kind that are told.
MOST_TOLD = 5
PAGE = 4096
_ZEROS = bytes(PAGE)
#: Bytes that are read at once.
BLOCK = 256 * PAGE
#: Of a write-ahead log, and of each page in it.
_LOG_HEADER, _FRAME_HEADER = 32, 24


def examine(path: Path, *, deep: bool, zero_pages: Sequence[int] = ()) -> list[str]:
    """Everything that is wrong with a store file, in words; [] when it is whole. Reads every page of it.

    Args:
        path: The file. Nobody writes to it.
        deep: Compare indexes with their tables, and all books with each other: some 7 s a GB instead of 2.
        zero_pages: Numbers, from 1, of the pages that are all zeros.
    """
    try:
        with closing(open_copy(path)) as connection:
            return _schema(connection) or [
                *_structure(connection, deep=deep),
                *_zeros(connection, zero_pages),
                *(_books(connection) if deep else ()),
            ]
    except apsw.Error as error:
        return [f"it cannot be read ({error})"]


def scan(connection: apsw.Connection, path: Path, *, zero_pages: Sequence[int] = ()) -> None:
    """Read every page of a store that is in use, for their checksums: some 1.7 s a GB.

    Raises:
        StoreDamagedError: A page does not fit its checksum, or is not where it belongs.
    """
    # Not the virtual table dbstat, which is faster: it never reads the last page of a long value.
    try:
        found = _structure(connection, deep=False) or _zeros(connection, zero_pages)
    except apsw.Error as error:
        raise meaning(error, path) from error
    if found:
        raise StoreDamagedError(f"{path} is damaged ({found[0]}); nothing was changed")


def inspect(path: Path) -> Facts:
    """What a store says of itself, after every page of it was read. For the holder of the home, who may migrate it.

    Raises:
        StoreDamagedError: It is damaged.
        NotFoundError: It is not there.
        HomeUnusableError: A newer version wrote it, or it cannot be used by this user.
    """
    zero_pages = _zero_pages(path)
    with closing(Database(path, migrate=True)) as database:
        scan(database.connection, path, zero_pages=zero_pages)
        with database.understood():
            return facts_of(database.connection)


def _zero_pages(path: Path) -> list[int]:
    """Numbers of the pages that are all zeros and not in the log. Before there is a connection: see `connection`."""
    try:
        found = _zeros_in(path)
        return [number for number in found if number not in _logged(Path(f"{path}-wal"))] if found else []
    except OSError:  # whoever opens it will say so
        return []


def _zeros_in(path: Path) -> list[int]:
    found: list[int] = []
    at = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            found += zero_pages_of(block, at)
            at += len(block)
    return found


def zero_pages_of(block: bytes, at: int) -> list[int]:
    """Numbers, from 1, of the pages in a block of a file that are all zeros. `at`: where the block begins, bytes."""
    # Looking for one page of zeros in the block is far cheaper than comparing each page.
    if _ZEROS not in block:
        return []
    return [(at + place) // PAGE + 1 for place in range(0, len(block), PAGE) if block.startswith(_ZEROS, place)]


def _logged(log: Path) -> set[int]:
    """Numbers of the pages in a write-ahead log.

    Source: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
    """
    found: set[int] = set()
    if not log.exists():
        return found
    with log.open("rb") as file:
        salts = file.read(_LOG_HEADER)[16:24]
        while len(frame := file.read(_FRAME_HEADER)) == _FRAME_HEADER:
            if frame[8:16] == salts:
                found.add(int.from_bytes(frame[:4], "big"))
            file.seek(PAGE, os.SEEK_CUR)
    return found


def _schema(connection: apsw.Connection) -> list[str]:
    if connection.pragma("application_id") != migrations.APPLICATION_ID:
        return ["it is no store of Overnight"]
    version = connection.pragma("user_version")
    if version > migrations.VERSION:
        return [f"it has schema version {version} and this program knows {migrations.VERSION}"]
    # What guards the pages is switched off by a single byte of the header.
    if connection.pragma("checksum_verification") != "1":
        return ["its pages carry no checksums"]
    missing = _tables_of_schema() - _tables(connection) if version == migrations.VERSION else set()
    return [f"it has no {name}" for name in sorted(missing)][:MOST_TOLD]


def _tables(connection: apsw.Connection) -> set[str]:
    rows = connection.execute("SELECT type || ' ' || name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")
    return {row[0] for row in rows}


def _tables_of_schema() -> set[str]:
    with closing(apsw.Connection(":memory:")) as connection:
        migrations.create_schema(connection)
        return _tables(connection)


def _structure(connection: apsw.Connection, *, deep: bool) -> list[str]:
    check = "integrity_check" if deep else "quick_check"
    # Constraints were kept when the rows were written, and what has changed since shows in the checksums of pages.
    connection.execute(f"PRAGMA ignore_check_constraints = {int(not deep)}")
    rows = connection.execute(f"PRAGMA {check}({MOST_TOLD})").fetchall()
    # Each row holds one finding a line.
    findings = [line for (words,) in rows for line in str(words).splitlines() if not line.startswith("***")]
    return [] if findings == ["ok"] else findings[:MOST_TOLD]


def _zeros(connection: apsw.Connection, pages: Sequence[int]) -> list[str]:
    if not pages:
        return []
    used = connection.execute("SELECT pageno FROM dbstat WHERE pageno IN carray(?)", (apsw.carray(array("q", pages)),))
    return [f"page {number} is in use and all zeros" for (number,) in used][:MOST_TOLD]


def _books(connection: Connection) -> list[str]:
    return [f"{one.what}: expected {one.expected}, found {one.found}" for one in books.discrepancies(connection)][
        :MOST_TOLD
    ]
