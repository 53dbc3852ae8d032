"""What the engine does in passing so that a store does not grow for ever: pages over all tasks, each a few ms.

There is no index by which finished tasks, unused actions or segments of output could be found: it would cost
every task a row on the hot path, for a question that is asked once an hour. So whoever prunes goes through
the tasks by their ids, a page at a time, and others work in between.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection
from itertools import groupby

from overnight.core import events
from overnight.core.states import TaskState
from overnight.store.contract import Forgotten, Survey
from overnight.store.sql.acting import fold, forget
from overnight.store.sql.database import Database
from overnight.store.sql.lanes import Lanes
from overnight.store.sql.statements import read_all, read_one, run
from overnight.store.sql.turning import want_fence


def survey(database: Database, *, after: int, limit: int) -> Survey:
    """See `Store.survey`."""
    with database.read() as connection:
        last: int | None = read_one(connection, "last_of_page", (after, limit))
        if last is None:
            return Survey(frozenset(), frozenset(), None)
        return Survey(
            frozenset(row[0] for row in read_all(connection, "actions_of_page", (after, last))),
            frozenset(row[0] for row in read_all(connection, "segments_of_page", (after, last))),
            last,
        )


def forget_finished(
    database: Database, lanes: Lanes, *, before: float, after: int, limit: int, fence: int, now: float, by: str
) -> Forgotten:
    """See `Store.forget_finished`."""
    connection = database.connection
    with database.understood():
        last: int | None = read_one(connection, "last_of_page", (after, limit))
        if last is None or read_one(connection, "finished_of_page", (after, last, before)) is None:
            return Forgotten(0, last)
    with database.write("forget_finished") as transaction:
        want_fence(connection, fence)
        rows = read_all(connection, "finished_of_page", (after, last, before))
        for state, piece in groupby(rows, key=lambda row: str(row[3])):
            forget(connection, transaction, list(piece), TaskState(state), at=events.stamp(now), by=by)
        transaction.balance()
        fold(connection, lanes, transaction)
    return Forgotten(len(rows), last)


def spare_actions(database: Database) -> array[int]:
    """See `Store.spare_actions`."""
    return array("q", [row[0] for row in database.rows("spare_actions")])


def drop_actions(database: Database, ids: Collection[int], *, after: int, fence: int) -> int:
    """See `Store.drop_actions`."""
    connection = database.connection
    # The check for each row would read all tasks; the statement itself leaves alone what one refers to.
    with database.unchecked(), database.write("drop_actions"):
        want_fence(connection, fence)
        before = connection.total_changes()
        run(connection, "drop_actions", (connection.ids(ids), after))
        return connection.total_changes() - before
