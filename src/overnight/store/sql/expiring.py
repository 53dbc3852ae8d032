"""Workflow tasks whose time is over: a deadline counts from the first step of a task to its last."""

from __future__ import annotations

from overnight.core.states import TaskState
from overnight.store.contract import Rested, Verb
from overnight.store.sql import families
from overnight.store.sql.acting import leave
from overnight.store.sql.database import Transaction
from overnight.store.sql.kin import Kin
from overnight.store.sql.plans import Plans
from overnight.store.sql.statements import Connection, read_all, read_one

#: Tasks ended in one turn; the next turn takes the next.
AT_ONCE = 1000
#: Who does it, for the events.
BY = "deadline"


class Expired:
    """What has been done about it: whether the engine was asked to end steps, and who has come to rest."""

    def __init__(self) -> None:
        self.asked = False
        self.rested: list[Rested] = []
        #: When the next one is over, POSIX seconds.
        self.next_at: float | None = None


def expire(
    connection: Connection, transaction: Transaction, plans: Plans, next_at: float | None, *, now: float
) -> Expired:
    """End what has taken too long. Inside a write that has found the next to be over at `next_at`, POSIX seconds."""
    found = Expired()
    found.next_at = next_at
    if found.next_at is None or found.next_at > now:
        return found

    def ask(verb: Verb, task_id: int) -> None:
        found.asked = True
        leave(connection, transaction, verb, task_id=task_id, argument="", now=now, by=BY)

    ids = [row[0] for row in read_all(connection, "expire", (now, AT_ONCE))]
    running = [
        family.task_id
        for family in families.load(connection, plans, ids).values()
        if family.state is TaskState.RUNNING  # the clock of others begins anew when they go on
    ]
    kin = Kin(connection, transaction, plans, ask, now=now, by=BY)
    kin.expire(running)
    found.rested = kin.finish()
    found.next_at = read_one(connection, "next_expiry")
    return found
