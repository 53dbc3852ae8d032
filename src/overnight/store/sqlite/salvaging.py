"""What can still be had from a store that is damaged, read from it and never written to it.

The events that have not reached the journal lie in its outbox. While they are read and used nobody adds
to them: the write lock is held, and whoever waits for it finds another file at the path afterwards.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import msgspec

from overnight.core.errors import OvernightError
from overnight.store.contract import OutboxRow
from overnight.store.sql import turning
from overnight.store.sql.statements import read_all, read_one
from overnight.store.sqlite.connection import Database

#: Outbox rows read at a time.
_ROWS = 512


class Salvaged(msgspec.Struct):
    """What a damaged store says of itself, as far as its pages are whole."""

    #: Number of the last event that it has given to the journal; None when that cannot be read.
    drained: int | None = None
    fence: int = 0
    last_task_id: int = 0
    #: What it had still to give, oldest first, up to where it cannot be read any more.
    rows: list[OutboxRow] = []
    #: Nothing is missing from `rows`.
    whole: bool = False


@contextmanager
def salvaging(path: Path) -> Iterator[Salvaged]:
    """What is left in the store at `path`, which may be nothing; nobody writes to it before the block is left."""
    found = Salvaged()
    try:
        database = Database(path, patience=1.0)
    except OvernightError:
        yield found
        return
    with closing(database):
        with contextlib.suppress(apsw.Error):
            database.connection.execute("BEGIN IMMEDIATE")
        with contextlib.suppress(OvernightError, apsw.Error):
            _read(database, found)
        yield found


def _read(database: Database, found: Salvaged) -> None:
    with database.understood():
        found.drained = int(read_one(database.connection, "journal_seq"))
        ((found.fence, found.last_task_id),) = read_all(database.connection, "given")
    after = 0
    while rows := turning.outbox(database, _ROWS, after=after):
        found.rows += rows
        after = rows[-1].id
    found.whole = True
