"""Schedules on record: what is laid down, when it is due next, and what was added by it.

That a task is added and that the schedule is due another time is one transaction: whoever dies, an instant is
decided and told, or it is still to be decided. A decision holds for what it was made of, and is dropped when that
has changed meanwhile.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

import msgspec

from overnight.core import events, schedule_events
from overnight.core.errors import NotFoundError
from overnight.core.event_names import EventName
from overnight.core.schedules import Decision, Scheduled
from overnight.core.task import NewTask
from overnight.store.sql import adding
from overnight.store.sql.database import Database, Transaction
from overnight.store.sql.lanes import Lanes
from overnight.store.sql.redo import Record, seconds_of
from overnight.store.sql.statements import Connection, Row, read_all, run
from overnight.store.sql.turning import want_fence


def schedules(connection: Connection) -> list[Scheduled]:
    """See `Store.schedules`."""
    open_runs: dict[str, list[int]] = {}
    for name, task_id in read_all(connection, "open_runs"):
        open_runs.setdefault(name, []).append(task_id)
    return [_scheduled(row, open_runs) for row in read_all(connection, "schedules")]


def _scheduled(row: Row, open_runs: dict[str, list[int]]) -> Scheduled:
    name, source, definition, began_at, next_at, planned_at, last_at, last_id, missed = row
    schedule, task = schedule_events.unpacked(definition)
    runs = tuple(open_runs.get(name, ()))
    return Scheduled(schedule, task, source, began_at, next_at, planned_at, last_at, last_id, missed, runs)


def lay_down(database: Database, wanted: Sequence[Scheduled], *, source: str, now: float, by: str) -> list[str]:
    """See `Store.lay_schedules`."""
    with database.read() as connection:
        before = {one.schedule.name: one for one in schedules(connection)}
    if not _changes(before, wanted) and not _gone(before, wanted, source):
        return []
    connection, at, by = database.connection, events.stamp(now), events.printable(by)
    with database.write("lay_schedules") as transaction:
        before = {one.schedule.name: one for one in schedules(connection)}
        changed = _changes(before, wanted)
        for one in changed:
            one = _kept(before.get(one.schedule.name), one)  # noqa: PLW2901 - the same one, with its past
            put(connection, one)
            transaction.events.append(schedule_events.laid(one, at=at, by=by))
        gone = _gone(before, wanted, source)
        for name in gone:
            drop(connection, name)
            transaction.events.append(schedule_events.ScheduleDropped(at=at, schedule=name, by=by))
    return [*(one.schedule.name for one in changed), *gone]


def _changes(before: dict[str, Scheduled], wanted: Sequence[Scheduled]) -> list[Scheduled]:
    """Those that are other than before."""
    return [
        one
        for one in wanted
        if (was := before.get(one.schedule.name)) is None
        or (was.schedule, was.task, was.source) != (one.schedule, one.task, one.source)
    ]


def _gone(before: dict[str, Scheduled], wanted: Sequence[Scheduled], source: str) -> list[str]:
    mine = {name for name, one in before.items() if one.source == source}
    return sorted(mine - {one.schedule.name for one in wanted})


def _kept(was: Scheduled | None, one: Scheduled) -> Scheduled:
    """One whose times are as before goes on where it is: what is missed stays so."""
    if was is None or was.schedule.when != one.schedule.when:
        return one
    return msgspec.structs.replace(one, began_at=was.began_at, next_at=was.next_at, planned_at=was.planned_at)


def put(connection: Connection, one: Scheduled) -> None:
    """Put a schedule on record. Inside a write."""
    definition = schedule_events.packed(one.schedule, one.task)
    run(
        connection,
        "put_schedule",
        (one.schedule.name, one.source, definition, one.began_at, one.next_at, one.planned_at),
    )


def drop(connection: Connection, name: str) -> None:
    """Forget a schedule. What it has added stays. Inside a write."""
    run(connection, "drop_schedule", (name,))
    run(connection, "drop_schedule_runs", (name,))


def fire(
    database: Database,
    lanes: Lanes,
    found: Scheduled,
    decision: Decision,
    tasks: Sequence[NewTask],
    *,
    fence: int,
    now: float,
    by: str,
) -> list[int] | None:
    """See `Store.fire`."""
    connection, name = database.connection, found.schedule.name
    plans, by = adding.plans_of(tasks), events.printable(by)
    with database.write("fire") as transaction:
        want_fence(connection, fence)
        rows = [row for row in read_all(connection, "schedules") if row[0] == name]
        if not rows or rows[0][4:6] != (found.next_at, found.planned_at):
            return None
        ids = _add(database, lanes, transaction, plans, name, decision.runs, now=now, by=by)
        missed = sum(one.count for one in decision.misses)
        run(connection, "move_schedule", (name, decision.next_at, now, missed))
        transaction.events += schedule_events.decided(name, decision, ids, at=events.stamp(now), by=by)
    database.ease()
    return ids


def run_now(database: Database, lanes: Lanes, name: str, task: NewTask, *, now: float, by: str) -> int:
    """See `Store.run_schedule`."""
    plans, by, at = adding.plans_of([task]), events.printable(by), events.stamp(now)
    with database.write("run_schedule") as transaction:
        if all(row[0] != name for row in read_all(database.connection, "schedules")):
            raise NotFoundError(
                f"there is no schedule {name!r}; nothing was added", hint="'overnight schedule list' shows them"
            )
        (task_id,) = _add(database, lanes, transaction, plans, name, (now,), now=now, by=by)
        due_at = events.instant(now)
        transaction.events.append(
            schedule_events.ScheduleFired(at=at, schedule=name, id=task_id, due_at=due_at, by=by, by_hand=True)
        )
    database.ease()
    return task_id


def _add(
    database: Database,
    lanes: Lanes,
    transaction: Transaction,
    plans: Sequence[adding.Plan],
    name: str,
    due: Sequence[float],
    *,
    now: float,
    by: str,
) -> list[int]:
    """Add the tasks of its runs. Inside a write."""
    connection = database.connection
    run(connection, "drop_done_runs")
    ids = adding.insert(database, lanes, transaction, plans, now=now, by=by)
    for task_id, instant in zip(ids, due, strict=True):
        ran(connection, name, task_id, instant)
    return ids


def ran(connection: Connection, name: str, task_id: int, due: float) -> None:
    """A schedule has added this task for that instant. Inside a write."""
    run(connection, "add_schedule_run", (task_id, name))
    run(connection, "ran_schedule", (name, due, task_id))


def redo(connection: Connection, record: Record) -> None:
    """Do again what the journal tells of a schedule. Inside a write."""
    name, next_at = record.schedule, seconds_of(record.next_at)
    if record.event == EventName.SCHEDULE_LAID:
        began, planned = seconds_of(record.began_at) or record.now, seconds_of(record.planned_at) or record.now
        definition = schedule_events.unpacked(base64.b64decode(record.definition_b64 or ""))
        put(connection, Scheduled(*definition, record.source, began, next_at, planned))
    elif record.event == EventName.SCHEDULE_DROPPED:
        drop(connection, name)
    else:
        if not record.by_hand:
            run(connection, "move_schedule", (name, next_at, record.now, record.count))
        if record.id is not None:
            ran(connection, name, record.id, seconds_of(record.due_at) or record.now)
