"""Tasks that a program takes out of the queue and works on by itself, without an engine.

Such a task is running like any other, with its row in ``running`` (fence 0: no engine's) and beside it
the name of the process whose it is. An engine that recovers passes it over. Who finds the owner dead
hands it in as lost; judging that needs the process table, which is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from overnight.core import events
from overnight.core.claims import Role
from overnight.core.states import Cause, TaskState, check
from overnight.core.task import Task
from overnight.store.contract import Popped, Settlement, Verb
from overnight.store.sql import reading
from overnight.store.sql.adding import actions as unpack
from overnight.store.sql.advancing import Advance
from overnight.store.sql.claiming import make_due
from overnight.store.sql.database import Database, Transaction
from overnight.store.sql.kin import Kin
from overnight.store.sql.lanes import Lanes
from overnight.store.sql.plans import Plans
from overnight.store.sql.settling import settle
from overnight.store.sql.statements import Row, read_all, read_one, run, run_each

#: The fence of an attempt that no engine has begun; the first engine has 1.
NO_ENGINE = 0

for _state, _cause in ((TaskState.WAITING, Cause.RELEASE), (TaskState.WAITING, Cause.DUE)):
    check(_state, _cause, TaskState.PENDING)
check(TaskState.PENDING, Cause.CLAIM, TaskState.RUNNING)

#: Minus priority, order key, id: the order in which tasks are taken.
_Place = tuple[int, int, int]


def next_up(database: Database, lanes: Lanes, queue: str, *, now: float, call: str | None) -> Task | None:
    """See `Store.next_up`."""
    with database.read() as connection:
        places = [*_heads(database, lanes, queue, call), *_due_heads(database, lanes, queue, call, now)]
        return reading.one(connection, lanes, min(places)[2]) if places else None


def _heads(database: Database, lanes: Lanes, queue: str, call: str | None) -> Iterator[_Place]:
    """The first pending task of each lane of a queue; as flat as the engine's claim.

    Among tasks that do something else, one that calls this function is looked for one by one: a lane of its own for
    every function would cost each claim of the engine, for the sake of a queue that a program shares with commands.
    """
    which = "head_of_lane" if call is None else "head_of_lane_by_action"
    for lane_id, wanted in _looks(database, lanes, queue, call):
        for row in read_all(database.connection, which, (lane_id, *wanted, 1)):
            yield -row[8], row[9], row[0]


def _due_heads(database: Database, lanes: Lanes, queue: str, call: str | None, now: float) -> Iterator[_Place]:
    """The first of what has waited long enough, in each lane of a queue."""
    which = "due_head_of_lane" if call is None else "due_head_of_lane_by_action"
    for lane_id, wanted in _looks(database, lanes, queue, call):
        for task_id, priority, order_key in read_all(database.connection, which, (lane_id, now, *wanted)):
            yield -priority, order_key, task_id


def _looks(database: Database, lanes: Lanes, queue: str, call: str | None) -> Iterator[tuple[int, tuple[object, ...]]]:
    """The lanes of a queue that may hold something, each with the actions that are looked for in it."""
    wanted = None if call is None else _calling(database, call)
    if wanted == []:
        return
    named = () if wanted is None else (database.connection.ids(wanted),)
    for lane in lanes.lively():
        if lane.queue == queue and lane.role is not Role.STEP:
            yield lane.id, named


def _calling(database: Database, call: str) -> list[int]:
    """The actions that call this function; its name may also stand in the words of a command."""
    found = unpack(read_all(database.connection, "actions_naming", (call.encode(),)))
    return [number for number, action in found.items() if call in (action.call, action.instead_of)]


def pop(
    database: Database,
    lanes: Lanes,
    plans: Plans,
    queue: str,
    *,
    owner: str,
    now: float,
    by: str,
    task_id: int | None,
    call: str | None = None,
) -> Popped | None:
    """See `Store.pop`."""
    with database.write("pop") as transaction:
        # No engine may be there to do it.
        make_due(database.connection, lanes, transaction, now)
        transaction.balance()  # what was made due makes its lane lively
        first = min(_heads(database, lanes, queue, call), default=None) if task_id is None else (0, 0, task_id)
        rows = read_all(database.connection, "to_pop", (first[2],)) if first else []
        if not rows:
            return None
        _take(database, transaction, rows[0], owner=owner, now=now, by=by)
        Kin(database.connection, transaction, plans, _nobody, now=now, by=events.printable(by)).give_up_steps(
            rows[0][0]
        )
    database.ease()
    found, attempt, action_id, its_queue, raw_input, failures, deaths, *_ = rows[0]
    return Popped(found, attempt, action_id, its_queue, raw_input, owner, now, failures, deaths)


def _take(database: Database, transaction: Transaction, row: Row, *, owner: str, now: float, by: str) -> None:
    task_id, attempt, _, _, raw_input, _, _, lane_id, is_step, generation, state, is_clean = row
    connection = database.connection
    run(connection, "pop", (task_id,))
    run_each(connection, "record_start", [(task_id, attempt, NO_ENGINE, now, lane_id, is_step, generation, is_clean)])
    run(connection, "record_owner", (task_id, attempt, owner))
    transaction.move(lane_id, is_step, state, -1)
    transaction.move(lane_id, is_step, TaskState.RUNNING, 1)
    words, coded = events.as_text(raw_input)
    at = events.stamp(now)
    transaction.events.append(
        events.FileStarted(
            at=at,
            id=task_id,
            attempt=attempt,
            fence=NO_ENGINE,
            input=words,
            input_b64=coded,
            by=events.printable(by),
            owner=owner,
        )
    )


def _nobody(verb: Verb, task_id: int) -> None:
    """No step of a task runs that is not running."""
    raise AssertionError(f"{verb} of step {task_id}")


def popped(database: Database) -> list[Popped]:
    """See `Store.popped`."""
    return [Popped(*row) for row in database.rows("popped")]


def hand_in(
    database: Database, plans: Plans, settlements: Sequence[Settlement], *, now: float
) -> list[tuple[int, int]]:
    """See `Store.hand_in`."""
    connection = database.connection
    with database.write("hand_in") as transaction:
        mine: list[Settlement] = []
        stale: list[Settlement] = []
        for one in settlements:
            is_open = read_one(connection, "forget_owner", (one.task_id, one.attempt)) is not None
            (mine if is_open else stale).append(one)
        refused = [(one.task_id, one.attempt) for one in stale]
        for one in stale:
            transaction.events.append(
                events.LateResultRefused(at=events.stamp(now), id=one.task_id, attempt=one.attempt, outcome=one.outcome)
            )
        if mine:
            at = events.stamp(now)
            advance = Advance(connection, transaction, plans, now=now, at=at)
            refused += settle(connection, transaction, mine, advance, now=now, at=at)
    database.ease()
    return refused
