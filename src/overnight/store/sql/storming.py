"""Storms on record: written when one begins and after each probe, and ended with everything that it stopped.

That a storm ends and that its failures are revived is one transaction, so after any crash either the storm
is still there or nothing of it is.
"""

from __future__ import annotations

from overnight.core import events, storm_events
from overnight.core.states import ErrorClass, TaskState
from overnight.core.storms import Storm, Subject
from overnight.store.contract import Selector, Verb
from overnight.store.sql.acting import act_within
from overnight.store.sql.database import Database
from overnight.store.sql.plans import Plans
from overnight.store.sql.statements import Connection, Row, read_all, read_one, run

#: Instants stand in the journal to the millisecond, rounded down; a store that was rebuilt from it has them so.
_ROUNDED = 0.0015


def storms(connection: Connection) -> list[Storm]:
    """See `Store.storms`."""
    return [_storm(row) for row in read_all(connection, "storms")]


def _storm(row: Row) -> Storm:
    workflow, step, action_id, queue, fingerprint, error_class, *rest = row
    kind = None if error_class is None else ErrorClass(error_class)
    return Storm(Subject(workflow, step, action_id), queue, fingerprint, kind, *rest)


def set_storm(database: Database, storm: Storm, *, now: float) -> None:
    """See `Store.set_storm`."""
    with database.write("set_storm") as transaction:
        put(database.connection, storm)
        action = _digest(database.connection, storm)
        transaction.events.append(storm_events.raging(storm, at=events.stamp(now), action=action))


def put(connection: Connection, storm: Storm) -> None:
    """Put a storm on record. Inside a write."""
    subject = storm.subject
    run(
        connection,
        "set_storm",
        (
            subject.workflow,
            subject.step,
            subject.action_id,
            storm.queue,
            storm.fingerprint,
            storm.error_class,
            events.printable(storm.error),
            storm.failures,
            storm.first_at,
            storm.began_at,
            storm.probes,
            storm.probe_at,
        ),
    )


def end_storm(
    database: Database, plans: Plans, storm: Storm, *, now: float, by: str, revivals: int | None
) -> list[int] | None:
    """See `Store.end_storm`."""
    connection, subject = database.connection, storm.subject
    with database.write("end_storm") as transaction:
        if not read_all(connection, "drop_storm", subject.key):
            return None
        most = 2**62 if revivals is None else revivals
        asked = (storm.fingerprint, subject.workflow, subject.action_id, storm.first_at - _ROUNDED, most)
        rows = read_all(connection, "of_storm", asked)
        failed = [task_id for task_id, state in rows if state == TaskState.FAILED]
        transaction.events.append(
            storm_events.ended(
                storm,
                at=events.stamp(now),
                action=_digest(connection, storm),
                by=events.printable(by),
                revived=len(failed),
                now=now,
            )
        )
        if rows:
            everything = Selector(ids=tuple(row[0] for row in rows))
            act_within(database, transaction, plans, Verb.RETRY, everything, now=now, by=by, alone=revivals is not None)
    database.ease()
    return failed


def _digest(connection: Connection, storm: Storm) -> str:
    if not storm.subject.action_id:
        return ""
    digest = read_one(connection, "digest_of_action", (storm.subject.action_id,))
    return "" if digest is None else bytes(digest).hex()
