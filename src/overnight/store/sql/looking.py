"""What somebody asks who looks for long: how many there are, what they failed of, in which slot they ran."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from overnight.core.states import Reason
from overnight.store.contract import Cause, Query
from overnight.store.sql import selecting
from overnight.store.sql.database import Database
from overnight.store.sql.lanes import Lanes
from overnight.store.sql.statements import read_each


def how_many(database: Database, query: Query) -> int:
    """See `Store.how_many`."""
    found = 0
    with database.read() as connection:
        for state in dict.fromkeys(query.states) or (None,):
            where, bindings = selecting.of_query(query, state)
            sql = f"SELECT count(*) FROM (SELECT 1 FROM tasks WHERE {where} LIMIT ?) AS found"  # noqa: S608  # values are bound
            found += int(connection.execute(sql, (*bindings, query.limit)).get)
    return min(found, query.limit)


def causes(database: Database, lanes: Lanes, limit: int) -> list[Cause]:
    """See `Store.causes`."""
    with database.read() as connection:
        rows = list(read_each(connection, "causes", (limit,)))
    found = []
    for fingerprint, n, first_at, last_at, newest, error, error_class, reason, lane_id in rows:
        lane = lanes.get(lane_id)
        place = (lane.queue, lane.workflow) if lane else ("", "")
        found.append(
            Cause(
                fingerprint, n, first_at, last_at, newest, error, error_class or "", reason and Reason(reason), *place
            )
        )
    return found


def slots_of(database: Database, ids: Iterable[int]) -> dict[tuple[int, int], int]:
    """See `Store.slots_of`."""
    wanted = array("q", ids)
    rows = database.rows("slots_of", (database.connection.ids(wanted),)) if wanted else ()
    return {(task_id, number): slot for task_id, number, slot in rows}
