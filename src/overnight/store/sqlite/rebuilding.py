"""What a copy of the store needs before it can take the place of the present one.

A copy remembers its own time: large adds that were under way, events on their way to the journal, numbers
given. Its time is over, and nothing of it may be given twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import apsw

from overnight.core.errors import StoreDamagedError
from overnight.host.files import sync_file
from overnight.store.contract import OutboxRow
from overnight.store.sql.statements import read_all, read_one, run
from overnight.store.sqlite.connection import Database, create_file
from overnight.store.sqlite.copying import Facts, facts_of
from overnight.store.sqlite.store import SqliteStore


class Rebuilt(NamedTuple):
    """A copy that is being changed: its operations, and the connection behind them."""

    store: SqliteStore
    database: Database

    def facts(self) -> Facts:
        """What it says of itself now."""
        return facts_of(self.database.connection)


@contextmanager
def rebuilding(path: Path) -> Iterator[Rebuilt]:
    """A copy, open to be changed; afterwards it is one file without a log, and on the disk.

    Large adds that were never published are gone from it: their producers will find another file at its
    place and add again.

    Args:
        path: The copy. Made when it is missing. Nobody else knows of it.

    Raises:
        StoreDamagedError: Its books do not balance at the end.
    """
    if not path.exists():
        create_file(path)
    database = Database(path, migrate=True)
    store = SqliteStore(database)
    try:
        # Thrown away if we die; synced as a whole at the end.
        database.connection.pragma("synchronous", "off")
        database.connection.pragma("journal_mode", "wal")
        for batch, _, _ in store.open_batches():
            store.abandon(batch)
        yield Rebuilt(store, database)
        if wrong := store.recount():
            raise StoreDamagedError(f"the rebuilt store does not balance ({wrong[0]}); nothing was changed")
        database.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    finally:
        store.close()
    for part in ("-wal", "-shm"):
        Path(f"{path}{part}").unlink(missing_ok=True)
    sync_file(path)


def go_on_after(rebuilt: Rebuilt, *, last: int, fence: int, last_task_id: int) -> None:
    """Let nothing be given twice: event numbers go on after `last`, fences and ids after those that were given.

    Events that wait for the journal and are in it already are dropped; what the journal has not stays.
    """
    connection = rebuilt.database.connection
    with rebuilt.database.write("restore"):
        number = int(read_one(connection, "journal_seq"))
        upto = 0
        for row_id, count in read_all(connection, "outbox_counts"):
            if number + count > last:
                break
            number, upto = number + count, row_id
        run(connection, "drop_drained_lines", (upto,))
        run(connection, "drop_drained", (upto,))
        if not read_all(connection, "outbox_counts"):
            number = max(number, last)
        run(connection, "go_on_after", (number, fence, last_task_id))


def give_over(rebuilt: Rebuilt, rows: Sequence[OutboxRow], *, last: int, fence: int, last_task_id: int) -> None:
    """Let these wait for the journal in place of what the copy has for it; numbers go on after those that were given.

    Args:
        rebuilt: The copy.
        rows: What the journal has not, oldest first.
        last: Number of the event before the first of them.
        fence: The highest that was given, as far as is known.
        last_task_id: The same.
    """
    connection = rebuilt.database.connection
    with rebuilt.database.write("restore"):
        run(connection, "drop_all_lines")
        run(connection, "drop_outbox")
        for row in rows:
            run(connection, "add_to_outbox", (row.count, row.lines))
        run(connection, "go_on_after", (last, fence, last_task_id))
