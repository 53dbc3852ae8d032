"""A directory was moved: every task that was done in it, whatever has become of it, is done in its new place.

What has ended comes along, so that the same line typed in the new place finds what it has done already. The actions of
then stay, for attempts of then may still be asked about; they go by and by with what nobody uses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from overnight.core import events
from overnight.core.edit_events import TasksRelocated
from overnight.core.relocation import Relocation
from overnight.core.task import Action, task_identity, text
from overnight.store.sql import storming
from overnight.store.sql.adding import Facts, action_id
from overnight.store.sql.database import Database
from overnight.store.sql.statements import read_all, read_each, run, run_each

#: Tasks looked at, and written, at once.
_PAGE = 5000


class _Row(NamedTuple):
    """A task as ``of_actions`` tells it."""

    id: int
    action_id: int
    input: bytes
    #: Of people, and no step.
    counts: int


def relocate(database: Database, relocation: Relocation, *, now: float, by: str, dry_run: bool) -> int:
    """See `Store.relocate`."""
    if dry_run:
        with database.read():
            return sum(row.counts for page in _pages(database, _moved(database, relocation)) for row in page)
    with database.write("relocate") as transaction:
        moved = _moved(database, relocation)
        new = {old: action_id(database, facts) for old, facts in moved.items()}
        count = 0
        for page in _pages(database, moved):
            count += sum(row.counts for row in page)
            rows = ((row.id, new[row.action_id], _identity(moved, row)) for row in page)
            run_each(database.connection, "relocate", rows)
        _move_storms(database, new)
        if count:
            transaction.events.append(_told(relocation, count, now=now, by=by))
    database.ease()
    return count


def _identity(moved: Mapping[int, Facts], row: _Row) -> int:
    return task_identity(moved[row.action_id].identity, row.input)


def _moved(database: Database, relocation: Relocation) -> dict[int, Facts]:
    """The actions that are other ones then, by the numbers that they have now."""
    found = {}
    for number, definition in read_each(database.connection, "all_actions"):
        before = msgspec.msgpack.decode(definition, type=Action)
        action = relocation.applied_to(before)
        if action != before:
            found[number] = Facts(action.digest(), action.identity(), msgspec.msgpack.encode(action))
    return found


def _pages(database: Database, moved: Mapping[int, Facts]) -> Iterator[list[_Row]]:
    """The tasks of these actions, page by page: each is found once, whatever it is given meanwhile."""
    ids, last = database.connection.ids(moved), 0
    while rows := read_all(database.connection, "of_actions", (last, ids, _PAGE)):
        yield [_Row(*row) for row in rows]
        last = rows[-1][0]


def _move_storms(database: Database, new: Mapping[int, int]) -> None:
    """Storms go along: that they are over is found out as always."""
    concerned = [storm for storm in storming.storms(database.connection) if storm.subject.action_id in new]
    for storm in concerned:
        run(database.connection, "drop_storm", storm.subject.key)
    for storm in concerned:
        subject = msgspec.structs.replace(storm.subject, action_id=new[storm.subject.action_id])
        storming.put(database.connection, msgspec.structs.replace(storm, subject=subject))


def _told(relocation: Relocation, count: int, *, now: float, by: str) -> TasksRelocated:
    (was, was_b64), (to, to_b64) = events.as_text(relocation.was), events.as_text(relocation.to)
    return TasksRelocated(
        at=events.stamp(now),
        was=was or events.printable(text(relocation.was)),
        was_b64=was_b64,
        now=to or events.printable(text(relocation.to)),
        now_b64=to_b64,
        tasks=count,
        by=events.printable(by),
    )
