"""What people do: cancel, hold, release, retry, remove, set a queue, ask something of the engine.

What does not run is changed here and now; for what runs a control is left, which the engine obeys.
Tasks are taken in pieces inside one transaction, so that a hundred thousand of them cost memory
for a piece only. Every way is checked against the table in ``core.states`` when this is imported.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from overnight.core import events
from overnight.core.states import Cause, TaskState, check
from overnight.store.contract import Acted, Queue, Selector, Verb
from overnight.store.sql import selecting
from overnight.store.sql.adding import restamp_within
from overnight.store.sql.advancing import Advance, End
from overnight.store.sql.database import Database, Transaction
from overnight.store.sql.kin import Ask, Kin
from overnight.store.sql.lanes import Lanes
from overnight.store.sql.plans import Plans
from overnight.store.sql.statements import Connection, Row, read_all, read_one, run

#: Tasks changed, and events written, at once.
PIECE = 5000
#: Ids that an answer names at most.
IDS_TOLD = 10_000

_S = TaskState


class _Way(NamedTuple):
    """One step that a verb makes: from which state, why, to which, by which statement, told how."""

    source: TaskState
    cause: Cause
    target: TaskState
    statement: str
    told: type[events.HandEvent]
    #: A further condition on the tasks.
    only: str = "TRUE"


_CANCEL = ("cancel", events.FileCancelled)
_HOLD = ("hold", events.FileHeld)
_REVIVE = ("revive", events.FileRevived)

#: Releasing is for what is held; of what waits, a retry is hurried, but what was put off by its
#: adder (it has no attempt yet) stays put off.
WAYS: dict[Verb, tuple[_Way, ...]] = {
    Verb.CANCEL: tuple(_Way(s, Cause.CANCEL, _S.CANCELLED, *_CANCEL) for s in (_S.WAITING, _S.PENDING, _S.HELD)),
    Verb.HOLD: tuple(_Way(s, Cause.HOLD, _S.HELD, *_HOLD) for s in (_S.WAITING, _S.PENDING)),
    Verb.RELEASE: (_Way(_S.HELD, Cause.RELEASE, _S.PENDING, "release", events.FileReleased),),
    Verb.RETRY: (
        *(_Way(s, Cause.REVIVE, _S.PENDING, *_REVIVE) for s in (_S.COMPLETED, _S.FAILED, _S.CANCELLED)),
        _Way(
            _S.WAITING,
            Cause.RELEASE,
            _S.PENDING,
            "hurry",
            events.FileReleased,
            only="attempt > 0 AND not_before IS NOT NULL",
        ),
    ),
}
for _ways in WAYS.values():
    for _way in _ways:
        check(_way.source, _way.cause, _way.target)

#: What may be asked of the engine about a running task.
ASKED = frozenset({Verb.CANCEL, Verb.HOLD})

#: What goes with a task.
_FORGET = (
    *("forget_attempts", "forget_tasks", "forget_touched", "forget_expansions"),
    *("forget_edges", "forget_edges_after"),
)
#: What may be forgotten: nothing that is still to run.
REMOVABLE = (_S.COMPLETED, _S.FAILED, _S.CANCELLED, _S.HELD)


def act(
    database: Database,
    plans: Plans,
    verb: Verb,
    selector: Selector,
    *,
    now: float,
    by: str,
    restart: Sequence[str],
    stamps: Mapping[int, str] | None,
) -> Acted:
    """See `Store.act`."""
    with database.write("act") as transaction:
        if stamps:
            restamp_within(database, transaction, stamps, now=now, by=by)
        acted = act_within(database, transaction, plans, verb, selector, now=now, by=by, restart=restart)
    database.ease()
    return acted


def act_within(
    database: Database,
    transaction: Transaction,
    plans: Plans,
    verb: Verb,
    selector: Selector,
    *,
    now: float,
    by: str,
    restart: Sequence[str] = (),
    alone: bool = False,
) -> Acted:
    """See `Store.act`. Inside a write. `alone`: no person does it."""
    by = events.printable(by)
    ids: list[int] = []
    changed = 0
    connection = database.connection

    def ask_about(what: Verb, task_id: int) -> None:
        leave(connection, transaction, what, task_id=task_id, argument="", now=now, by=by)

    kin = Kin(connection, transaction, plans, ask_about, now=now, by=by, alone=alone)
    for way in WAYS[verb]:
        for piece in choose(database, selector, way.source, way.only):
            _step(connection, transaction, way, piece, now=now, by=by, alone=alone)
            if way.cause is Cause.REVIVE or way.source is _S.HELD:
                kin.touch([row[0] for row in piece])
            kin.done_to(verb, piece, way.target, restart)
            changed += len(piece)
            ids += [row[0] for row in piece[: max(0, IDS_TOLD - len(ids))]]
    steps, asked = kin.do_to_steps(verb, _steps(connection, selector))
    running, waited_for = _act_on_running(database, kin, verb, selector, ask_about, restart)
    kin.finish()
    if verb is Verb.RETRY:
        run(connection, "hurry_storms", (now,))
    changed += len(steps) + len(running)
    asked += waited_for
    return Acted(changed=changed, asked=len(asked), ids=(ids + steps + running + asked)[:IDS_TOLD])


def _steps(connection: Connection, selector: Selector) -> list[Row]:
    """The steps among the ids of a selector: id, whose, which."""
    return read_all(connection, "steps_named", (connection.ids(selector.ids),)) if selector.ids else []


def _act_on_running(
    database: Database, kin: Kin, verb: Verb, selector: Selector, ask_about: Ask, restart: Sequence[str]
) -> tuple[list[int], list[int]]:
    """What runs is asked for; what runs by its steps is changed by way of them. Returns the ids of both."""
    changed: list[int] = []
    asked: list[int] = []
    if verb is Verb.RELEASE:
        return changed, asked
    for piece in choose(database, selector, _S.RUNNING):
        ids = [row[0] for row in piece]
        begun = set(kin.with_steps(ids))
        for task_id in ids:
            if task_id in begun:
                (asked if kin.do_to_running(verb, task_id, restart) else changed).append(task_id)
            elif verb in ASKED:
                ask_about(verb, task_id)
                asked.append(task_id)
    return changed, asked


def choose(
    database: Database, selector: Selector, state: TaskState, only: str = "TRUE", *, stay: bool = False
) -> Iterator[list[Row]]:
    """The selected tasks of one state, a piece at a time: id, lane id, 1 for a step, attempt, generation.

    `stay`: the caller may leave them in the state that they are in.
    """
    condition = selecting.of_selector(database.connection, selector, state)
    if condition is None:
        return
    where, bindings = condition
    order = "" if _in_lanes(selector, state) and not stay else "AND id > ? ORDER BY id"
    sql = f"""SELECT id, lane_id, parent_id IS NOT NULL, attempt, generation FROM tasks
        WHERE {where} AND {only} {order} LIMIT {PIECE}"""  # noqa: S608  # values are bound
    last = 0
    while piece := _piece(database.connection, sql, (*bindings, last) if order else tuple(bindings)):
        yield piece
        last = piece[-1][0]


def _in_lanes(selector: Selector, state: TaskState) -> bool:
    """Whether the claim index gives the selected tasks, lane by lane; what has been changed is not in it any more.

    Asked for by id, each piece would sort all that are left: ten seconds more at a million.
    """
    return state is _S.PENDING and not selector.ids and (selector.queue is not None or selector.workflow is not None)


def _piece(connection: Connection, sql: str, bindings: tuple[Any, ...]) -> list[Row]:
    return connection.execute(sql, bindings).fetchall()


def _step(
    connection: Connection,
    transaction: Transaction,
    way: _Way,
    piece: list[Row],
    *,
    now: float,
    by: str,
    alone: bool,
) -> None:
    ids = connection.ids([row[0] for row in piece])
    run(connection, way.statement, {"ids": ids, "now": now})
    raised = 1 if way.cause is Cause.REVIVE else 0
    at = events.stamp(now)
    for task_id, lane_id, is_step, _, generation in piece:
        transaction.move(lane_id, is_step, way.source, -1)
        transaction.move(lane_id, is_step, way.target, 1)
        transaction.events.append(
            way.told(
                at=at,
                id=task_id,
                by=by,
                was=way.source,
                state=way.target,
                generation=generation + raised,
                alone=alone,
            )
        )
    transaction.spill()


def leave(
    connection: Connection,
    transaction: Transaction,
    verb: str,
    *,
    task_id: int | None,
    argument: str,
    now: float,
    by: str,
) -> int:
    """Leave a control for the engine, and tell of it. Returns its id. Inside a write."""
    run(connection, "add_control", (verb, task_id, argument, by, now))
    transaction.events.append(
        events.ControlAsked(at=events.stamp(now), verb=verb, by=by, id=task_id, argument=argument)
    )
    return int(read_one(connection, "control_id", (verb, task_id, argument)))


def ask(database: Database, verb: str, *, now: float, by: str, task_id: int | None, argument: str) -> int:
    """See `Store.ask`."""
    with database.write("ask") as transaction:
        return leave(
            database.connection,
            transaction,
            verb,
            task_id=task_id,
            argument=events.printable(argument),
            now=now,
            by=events.printable(by),
        )


def set_queue(database: Database, queue: Queue, *, now: float, by: str) -> None:
    """See `Store.set_queue`."""
    name = events.printable(queue.name)
    with database.write("set_queue") as transaction:
        run(database.connection, "set_queue", (name, queue.slots, queue.rate, queue.paused, queue.paused_until))
        transaction.events.append(
            events.QueueChanged(
                at=events.stamp(now),
                queue=name,
                by=events.printable(by),
                slots=queue.slots,
                rate=queue.rate,
                paused=queue.paused,
                paused_until=events.instant(queue.paused_until),
            )
        )


def remove(database: Database, lanes: Lanes, plans: Plans, selector: Selector, *, now: float, by: str) -> int:
    """See `Store.remove`."""
    gone = 0
    at, by = events.stamp(now), events.printable(by)
    with database.write("remove") as transaction:
        advance = Advance(database.connection, transaction, plans, now=now, at=at)
        for state in REMOVABLE:
            for piece in choose(database, selector, state):
                if state is _S.HELD and advance.has_edges:  # what waits for it would wait for ever
                    advance.follow([End(row[0], 0, _S.CANCELLED, moved=False) for row in piece])
                forget(database.connection, transaction, piece, state, at=at, by=by)
                gone += len(piece)
        transaction.balance()
        fold(database.connection, lanes, transaction)
    database.ease()
    return gone


def forget(
    connection: Connection, transaction: Transaction, piece: list[Row], state: TaskState, *, at: str, by: str
) -> None:
    """Let tasks of one state and their attempts go; rows as `selecting` gives them. Inside a write."""
    ids = array("q", [row[0] for row in piece])
    for task_id, lane_id, is_step, _, _ in piece:
        transaction.move(lane_id, is_step, state, -1)
        transaction.move(lane_id, is_step, "removed", 1)
        transaction.events.append(events.FileRemoved(at=at, id=task_id, by=by, state=state))
    steps = read_all(connection, "steps_of", (connection.ids(ids),))
    for _, lane_id, its_state in steps:
        transaction.move(lane_id, 1, its_state, -1)
        transaction.move(lane_id, 1, "removed", 1)
    everything = array("q", [*ids, *(row[0] for row in steps)])
    for statement in _FORGET:
        run(connection, statement, (connection.ids(everything),))
    transaction.spill()


def fold(connection: Connection, lanes: Lanes, transaction: Transaction) -> None:
    """Let lanes of old batches go when their last task is removed; the plain lane of their kind keeps their count."""
    for lane_id, queue, workflow, needs, role in read_all(connection, "empty_batch_lanes"):
        heir = lanes.ensure(queue, workflow, needs, role=role)
        for is_step, n in read_all(connection, "lane_removed", (lane_id,)):
            transaction.move(heir, is_step, "removed", n)
        run(connection, "drop_lane_counters", (lane_id,))
        run(connection, "drop_lane", (lane_id,))
    run(connection, "drop_spent_batches")
