"""Whether the books balance: counters, states, attempts and open attempts, each against the others.

Goes through everything, so it takes seconds at a million tasks; nothing but ``verify`` and tests calls it.
"""

from __future__ import annotations

from collections.abc import Iterator

from overnight.store.contract import Discrepancy
from overnight.store.sql.database import Database
from overnight.store.sql.statements import SQL, Connection, read_each

#: The statements whose every row is something that does not balance.
QUESTIONS = tuple(name for name in SQL if name.startswith("recount_"))


def recount(database: Database) -> list[Discrepancy]:
    """See `Store.recount`."""
    with database.read() as connection:
        return list(discrepancies(connection))


def discrepancies(connection: Connection) -> Iterator[Discrepancy]:
    """Everything that does not balance in the store of this connection."""
    for name in QUESTIONS:
        for row in read_each(connection, name):
            yield Discrepancy(str(row[0]), str(row[1]), str(row[2]), kind=name.removeprefix("recount_"))
