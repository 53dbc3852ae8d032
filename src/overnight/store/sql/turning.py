"""The engine's turn: the hot path, and all that the engine alone may do.

One transaction: what has ended is settled (``settling``), what has waited long enough is made due and
what may start is claimed (``claiming``), and what was asked and has been done is forgotten. Each table
is touched by one statement for the whole batch. Measured with ``benchmarks/store_turn.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

from overnight.core import events
from overnight.core.errors import StaleEngineError
from overnight.store.contract import Claim, Claimed, Control, OpenAttempt, Opened, Orders, OutboxRow, Settlement, Turn
from overnight.store.sql import claiming, settling, storming
from overnight.store.sql.advancing import Advance
from overnight.store.sql.binding import Binder
from overnight.store.sql.database import Database
from overnight.store.sql.expanding import Expander
from overnight.store.sql.expiring import expire
from overnight.store.sql.lanes import Lanes
from overnight.store.sql.plans import Plans
from overnight.store.sql.reading import queues
from overnight.store.sql.statements import Connection, foresee, read_all, read_one, run, run_each

#: Who makes a file a task of a workflow, in the event of it.
BY = "engine"


def take_fence(database: Database, *, now: float, by: str) -> int:
    """See `Store.take_fence`."""
    with database.write("take_fence") as transaction:
        fence = int(read_one(database.connection, "take_fence"))
        transaction.events.append(events.ProcessorStarted(at=events.stamp(now), fence=fence, by=events.printable(by)))
    return fence


def stand_down(database: Database, *, fence: int, now: float, why: str) -> None:
    """See `Store.stand_down`."""
    with database.write("stand_down") as transaction:
        want_fence(database.connection, fence)
        transaction.events.append(events.ProcessorStopped(at=events.stamp(now), fence=fence, why=why))


def want_fence(connection: Connection, fence: int) -> None:
    """Make sure that the engine that writes is the one that may. Inside a write."""
    _want_same(read_one(connection, "fence"), fence)


def _want_same(newest: int, fence: int) -> None:
    if newest != fence:
        raise StaleEngineError("a newer engine has taken this home; this one has changed nothing and must end")


def turn(
    database: Database,
    lanes: Lanes,
    plans: Plans,
    *,
    fence: int,
    now: float,
    settlements: Sequence[Settlement],
    claim: Claim | None,
    obeyed: Sequence[int],
    notes: Sequence[events.Event],
) -> Turn:
    """See `Store.turn`."""
    connection = database.connection
    at = events.stamp(now)
    with database.write("turn", check=False) as transaction:
        if connection.travels:
            _foresee(connection, lanes, settlements, claim)
        newest, has_edges, expiry = read_one(connection, "standing")
        _want_same(newest, fence)
        advance = Advance(connection, transaction, plans, now=now, at=at, has_edges=bool(has_edges))
        stale = settling.settle(connection, transaction, settlements, advance, now=now, at=at) if settlements else []
        if advance.rested:  # the time of what is over matters no more
            expiry = read_one(connection, "next_expiry")
        expired = expire(connection, transaction, plans, expiry, now=now)
        next_due, own_due = claiming.make_due(connection, lanes, transaction, now)
        claimed: list[Claimed] = []
        opened: list[Opened] = []
        if claim:
            expander = Expander(connection, transaction, lanes, plans, advance, fence=fence, now=now, at=at)
            binder = Binder(database, lanes, transaction, claim.bind, at=at, by=BY) if claim.bind else None
            claimed, opened = claiming.claim(
                connection, lanes, transaction, expander.open, claim, fence=fence, now=now, at=at, binder=binder
            )
        if obeyed:
            run_each(connection, "drop_control", [(control,) for control in obeyed])
        if notes:
            transaction.events += notes
    return Turn(
        claimed=claimed,
        stale=stale,
        next_due=min((due for due in (next_due, expired.next_at) if due is not None), default=None),
        opened=opened,
        rested=advance.rested + expired.rested,
        asked=expired.asked,
        own_due=own_due,
    )


def _foresee(connection: Connection, lanes: Lanes, settlements: Sequence[Settlement], claim: Claim | None) -> None:
    """Ask all at once what a turn asks."""
    foresee(connection, "standing")
    foresee(connection, "next_due")
    if settlements:
        settling.foresee_open(connection, settlements)
    if claim:
        claiming.foresee_heads(connection, lanes, claim)


def move_waits(database: Database, seconds: float, *, fence: int, now: float) -> int:
    """See `Store.move_waits`."""
    connection = database.connection
    with database.write("move_waits", check=False) as transaction:
        want_fence(connection, fence)
        before = connection.total_changes()
        run(connection, "move_waits", (seconds,))
        moved = connection.total_changes() - before
        run(connection, "move_storms", (seconds,))
        transaction.events.append(events.ClockJumped(at=events.stamp(now), seconds=round(seconds, 3), moved=moved))
    return moved


# -- around the turn --------------------------------------------------------------------------


def orders(database: Database, lanes: Lanes) -> Orders:
    """See `Store.orders`."""
    with database.read() as connection:
        return Orders(
            lanes=lanes.lively(),
            queues=queues(connection),
            controls=[Control(*row) for row in read_all(connection, "controls")],
            workflows=frozenset(row[0] for row in read_all(connection, "workflow_names")),
            storms=storming.storms(connection),
            next_firing=read_one(connection, "next_firing"),
        )


def left_open(database: Database) -> list[OpenAttempt]:
    """See `Store.left_open`."""
    return [OpenAttempt(*row) for row in database.rows("left_open")]


def outbox(database: Database, limit: int, *, after: int) -> list[OutboxRow]:
    """See `Store.outbox`."""
    return [OutboxRow(*row) for row in database.rows("outbox", (after, limit))]


def drained(database: Database, upto: int, *, seq: int) -> None:
    """See `Store.drained`."""
    connection = database.connection
    with database.write("drained", check=False):
        run(connection, "drop_drained_lines", (upto,))
        run(connection, "drop_drained", (upto,))
        run(connection, "set_journal_seq", (seq,))
