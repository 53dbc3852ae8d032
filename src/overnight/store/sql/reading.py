"""What everybody may ask: counts, tasks, attempts. Each answer is one picture of one moment.

Listings go by id, newest first, so that the next page starts where the last one ended however the
store has changed meanwhile. Waiting, failed, held and cancelled tasks have an index of their own,
running ones a table; a page of them costs the page. Pending and completed tasks are found by going
through the table from its new end: a page is at hand as long as they are not all far behind
others. (At a million tasks, the newest completed task behind 900,000 pending ones: some 150 ms.)
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterable
from itertools import islice
from typing import Any

from overnight.core.errors import NotFoundError
from overnight.core.scores import Group
from overnight.core.states import ErrorClass, Outcome, Reason, TaskState
from overnight.core.task import Action, Attempt, OutputRef, Task
from overnight.store.contract import Counts, Query, Queue
from overnight.store.sql import selecting
from overnight.store.sql.adding import actions as unpack
from overnight.store.sql.database import Database
from overnight.store.sql.lanes import Lanes
from overnight.store.sql.statements import Connection, Row, read_each, read_one

#: In the order of `Task`, but for lane_id, which becomes queue, workflow and needs. A task began when its last
#: attempt did (a running one when it was claimed): kept there only, for each column costs the hot path.
_COLUMNS = """id, state, lane_id, input, action_id, priority, attempt, failures, deaths, generation, added_at,
not_before, coalesce(CASE state WHEN 'running' THEN (SELECT r.claimed_at FROM running AS r WHERE r.task_id = id)
    ELSE (SELECT a.started_at FROM attempts AS a
           WHERE a.task_id = tasks.id AND a.number = tasks.attempt AND a.generation = tasks.generation) END,
    (SELECT e.begun_at FROM expansions AS e WHERE e.task_id = tasks.id AND e.generation = tasks.generation)),
finished_at, reason, error_class, error, fingerprint, result, title, description, stamp, parent_id, step, blockers,
skipped"""


def counts(database: Database, *, queue: str | None, workflow: str | None) -> Counts:
    """See `Store.counts`."""
    top: dict[str, int] = {}
    steps: dict[str, int] = {}
    for is_step, state, n in database.rows("counts", (queue, workflow)):  # one statement: one picture
        if not is_step:
            top[state] = n
        elif state != "removed":
            steps[state] = n
    return Counts(**top, steps=steps)


def get(database: Database, lanes: Lanes, task_id: int) -> Task:
    """See `Store.get`."""
    with database.read() as connection:
        return one(connection, lanes, task_id)


def one(connection: Connection, lanes: Lanes, task_id: int) -> Task:
    """One task, as the caller's transaction sees it. Raises NotFoundError."""
    sql = f"SELECT {_COLUMNS} FROM tasks WHERE id = ? AND {selecting.VISIBLE}"  # noqa: S608  # constants only
    rows = connection.execute(sql, (task_id,)).fetchall()
    if not rows:
        raise NotFoundError(f"there is no task {task_id}; nothing was done", hint="'overnight list' shows the tasks")
    return _task(lanes, rows[0])


def tasks(database: Database, lanes: Lanes, query: Query) -> list[Task]:
    """See `Store.tasks`."""
    with database.read() as connection:
        if not query.states:
            return [_task(lanes, row) for row in _page(connection, query, None)]
        pages = [_page(connection, query, state) for state in dict.fromkeys(query.states)]
        newest = heapq.merge(*pages, key=lambda row: -row[0])
        return [_task(lanes, row) for row in islice(newest, query.limit)]


def longest_running(database: Database, lanes: Lanes) -> Task | None:
    """See `Store.longest_running`."""
    with database.read() as connection:
        found = read_one(connection, "longest_running")
        return None if found is None else one(connection, lanes, found)


def _page(connection: Connection, query: Query, state: TaskState | None) -> Iterable[Row]:
    where, bindings = selecting.of_query(query, state)
    # An index would be gone through as a whole, however few of its rows lie among these ids.
    source = "tasks" if query.down_to is None else "tasks NOT INDEXED"
    sql = f"SELECT {_COLUMNS} FROM {source} WHERE {where} ORDER BY id DESC LIMIT ?"  # noqa: S608  # values are bound
    return connection.execute(sql, (*bindings, query.limit))


def _task(lanes: Lanes, row: Row) -> Task:
    values: list[Any] = list(row)
    values[1] = TaskState(values[1])
    lane = lanes.get(values[2])
    values[2:3] = (lane.queue, lane.workflow) if lane else ("", "")
    values[15] = values[15] and Reason(values[15])
    values[16] = values[16] and ErrorClass(values[16])
    values[-2:] = (lane.needs if lane else {}, values[-2], bool(values[-1]))
    return Task(*values)


def states(database: Database, ids: Iterable[int]) -> dict[int, TaskState]:
    """See `Store.states`."""
    wanted = array("q", ids)
    if not wanted:
        return {}
    return {row[0]: TaskState(row[1]) for row in database.rows("states", (database.connection.ids(wanted),))}


def places(database: Database, lanes: Lanes, ids: Iterable[int]) -> dict[int, tuple[str, str]]:
    """See `Store.places`."""
    wanted = array("q", ids)
    if not wanted:
        return {}
    found = database.rows("lanes_of", (database.connection.ids(wanted),))
    known = ((task_id, lanes.get(lane_id)) for task_id, lane_id in found)
    return {task_id: (lane.queue, lane.workflow) for task_id, lane in known if lane is not None}


def attempts(database: Database, task_id: int) -> list[Attempt]:
    """See `Store.attempts`."""
    return [_attempt(row) for row in database.rows("attempts", (task_id,))]


def _attempt(row: Row) -> Attempt:
    output = None if row[13] is None else OutputRef(*row[13:17])
    return Attempt(
        task_id=row[0],
        number=row[1],
        outcome=Outcome(row[2]),
        started_at=row[3],
        finished_at=row[4],
        seconds=row[5],
        reason=row[6] and Reason(row[6]),
        error_class=row[7] and ErrorClass(row[7]),
        error=row[8],
        exit_code=row[9],
        signal=row[10],
        cpu_seconds=row[11],
        peak_memory_bytes=row[12],
        output=output,
        slot=row[17],
        detail=row[18],
        node=row[19] or "",
    )


def actions(database: Database, ids: Iterable[int]) -> dict[int, Action]:
    """See `Store.actions`."""
    wanted = array("q", ids)
    return unpack(database.rows("actions", (database.connection.ids(wanted),))) if wanted else {}


def scored(database: Database, newest: int) -> list[Group]:
    """See `Store.scored`."""
    with database.read() as connection:
        after = int(read_one(connection, "facts_last_task_id")) - newest
        rows = read_each(connection, "scored", (after,))
        return [Group(TaskState(row[0]), *map(bool, row[1:4]), *row[4:]) for row in rows]


def queues(connection: Connection) -> list[Queue]:
    """All queues: those with settings as they are set, the others with none."""
    found = {
        row[0]: Queue(name=row[0], slots=row[1], rate=row[2], paused=bool(row[3]), paused_until=row[4])
        for row in read_each(connection, "queues")
    }
    for (name,) in read_each(connection, "queue_names"):
        found.setdefault(name, Queue(name=name))
    return [found[name] for name in sorted(found)]


def waits_for(database: Database, ids: Iterable[int]) -> dict[int, list[int]]:
    """See `Store.waits_for`."""
    found: dict[int, list[int]] = {}
    wanted = array("q", ids)
    for task_id, after_id in database.rows("edges_of", (database.connection.ids(wanted),)) if wanted else ():
        found.setdefault(task_id, []).append(after_id)
    return found
