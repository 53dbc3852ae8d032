"""What producers do: put tasks into the store, at once or as a large batch.

What can be computed before the write lock is taken is computed before. A batch keeps its tasks in
lanes of its own, with counters of their own, so that publishing it flips one row.

Two batches that are open at the same time do not see each other: with `unique`, each may add a
task that the other has too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from overnight.core import events
from overnight.core.claims import Role
from overnight.core.errors import NotFoundError
from overnight.core.lanes import is_own
from overnight.core.states import TaskState
from overnight.core.task import Action, ActionKind, NewTask, task_identity
from overnight.store.contract import Added, Known
from overnight.store.sql import blocking
from overnight.store.sql.database import Database, Transaction
from overnight.store.sql.lanes import Lanes, needs_text
from overnight.store.sql.statements import Row, insert_many, read_all, read_for_each, read_one, run

#: Events in one row of the outbox: about 1.5 MB of lines.
EVENTS_A_ROW = 5000
#: Tasks removed in one transaction when a batch is abandoned: some 30 ms.
ABANDON_AT_ONCE = 10_000


class Facts(NamedTuple):
    """What is computed once for each action of a call."""

    digest: bytes
    identity: bytes
    definition: bytes


class Plan(NamedTuple):
    """A task, what is known of its action, and its identity."""

    task: NewTask
    facts: Facts
    identity: int


def add(
    database: Database, lanes: Lanes, tasks: Sequence[NewTask], *, now: float, by: str, batch: int | None, unique: bool
) -> Added:
    """See `Store.add`."""
    plans = plans_of(tasks)
    with database.write("add") as transaction:
        if batch is not None:
            _want_open(database, batch)
        sorted_out = _only_new(database, plans, batch) if unique else None
        new = sorted_out.new if sorted_out else plans
        ids = insert(database, lanes, transaction, new, now=now, by=events.printable(by), batch=batch)
    database.ease()
    if sorted_out is None:
        return Added(ids=ids, at=ids)
    return Added(ids=ids, known=sorted_out.known, at=[one if one > 0 else ids[-one] for one in sorted_out.at])


def plans_of(tasks: Sequence[NewTask]) -> list[Plan]:
    """Tasks with what can be computed before anything is locked."""
    facts: dict[int, Facts] = {}
    plans = []
    for task in tasks:
        action = task.action
        found = facts.get(id(action))
        if found is None:
            found = facts[id(action)] = Facts(action.digest(), action.identity(), msgspec.msgpack.encode(action))
        plans.append(Plan(_clean(task), found, task_identity(found.identity, task.input)))
    return plans


def _clean(task: NewTask) -> NewTask:
    words = (task.queue, task.workflow, task.title, task.description, task.stamp)
    if all(map(str.isascii, words)):
        return task
    names = ("queue", "workflow", "title", "description", "stamp")
    return msgspec.structs.replace(task, **dict(zip(names, map(events.printable, words), strict=True)))


def _want_open(database: Database, batch: int) -> None:
    if read_one(database.connection, "batch_is_open", (batch,)) is None:
        raise NotFoundError(f"there is no open batch {batch}; nothing was added", hint="add the tasks again")


class _SortedOut(NamedTuple):
    """What is new among plans, and what is there already."""

    new: list[Plan]
    known: list[int]
    #: For each plan given the id of the task that is there, or minus its position among the new ones.
    at: list[int]


def _only_new(database: Database, plans: list[Plan], batch: int | None) -> _SortedOut:
    single: dict[tuple[bytes, bytes], int] = {}
    places = [single.setdefault((plan.facts.identity, plan.task.input), place) for place, plan in enumerate(plans)]
    first = list(single.values())
    own = next((plan.task.queue for plan in plans if is_own(plan.task.queue)), None)  # else those are passed over
    found = {first[row[0]]: row[1] for row in _find(database, [plans[place] for place in first], batch, own)}
    position = {place: number for number, place in enumerate(place for place in first if place not in found)}
    at = [found[place] if place in found else -position[place] for place in places]
    return _SortedOut([_among(plans[place], at) for place in position], list(found.values()), at)


def _among(plan: Plan, at: Sequence[int]) -> Plan:
    """A plan whose task waits for the tasks that are there, and for new ones by their new positions."""
    task = plan.task
    if not task.after_here:
        return plan
    others = [at[one] for one in task.after_here]
    there, new = tuple(one for one in others if one > 0), tuple(-one for one in others if one <= 0)
    return plan._replace(task=msgspec.structs.replace(task, after=(*task.after, *there), after_here=new))


def _find(database: Database, plans: Sequence[Plan], batch: int | None, queue: str | None = None) -> list[Row]:
    asked = (
        (place, plan.identity, plan.task.input, plan.facts.identity, batch or 0, queue)
        for place, plan in enumerate(plans)
    )
    return read_for_each(database.connection, "find_task", asked)


def insert(
    database: Database,
    lanes: Lanes,
    transaction: Transaction,
    plans: Sequence[Plan],
    *,
    now: float,
    by: str,
    batch: int | None = None,
) -> list[int]:
    """Put tasks down. Returns their ids. Inside a write."""
    if not plans:
        return []
    connection = database.connection
    last = int(read_one(connection, "take_task_ids", (len(plans),)))
    first = last - len(plans) + 1
    if batch is not None:
        run(connection, "extend_batch", (batch, first, last))
    needs = blocking.needs_of(connection, [plan.task for plan in plans], first, batch)
    actions: dict[bytes, int] = {}
    places: dict[tuple[str, str, str, Role], int] = {}
    at = events.stamp(now)
    rows: list[Row] = []
    for task_id, plan in enumerate(plans, first):
        task, facts, _ = plan
        after = needs[task_id - first]
        new_action = facts.digest not in actions
        if new_action:
            actions[facts.digest] = action_id(database, facts)
        kind = lane_of(task)
        if kind not in places:
            places[kind] = lanes.ensure(*kind[:3], batch or 0, role=kind[3])
        later = task.not_before is not None and task.not_before > now
        state = TaskState.WAITING if later or after else TaskState.PENDING
        transaction.move(places[kind], 0, state.value, 1)
        rows.append(_row(plan, task_id, state, places[kind], actions[facts.digest], now, len(after)))
        transaction.events.append(
            events.added(
                task,
                task_id=task_id,
                state=state,
                digest=facts.digest,
                at=at,
                by=by,
                with_action=new_action,
                after=after,
            )
        )
        if len(rows) >= EVENTS_A_ROW:
            insert_many(connection, "add_task", rows)
            rows.clear()
            transaction.spill(batch)
    insert_many(connection, "add_task", rows)
    blocking.add_edges(connection, first, needs)
    if batch is not None:
        transaction.spill(batch)
    return list(range(first, last + 1))


def lane_of(task: NewTask) -> tuple[str, str, str, Role]:
    """Queue, workflow, needs and role of its lane. What a workflow task needs is a matter of its steps."""
    if task.action.kind is ActionKind.WORKFLOW:
        return task.queue, task.action.call, "{}", Role.WORKFLOW
    return task.queue, task.workflow, needs_text(task.needs), Role.PLAIN


def _row(plan: Plan, task_id: int, state: TaskState, lane_id: int, action_id: int, now: float, blockers: int) -> Row:
    """The values of `add_task`; a top-level task's order key is its own id."""
    task, _, identity = plan
    waits = task.not_before if state is TaskState.WAITING else None
    not_before, later = (None, waits) if blockers else (waits, None)
    about = (identity, task.input, task.title, task.description, task.stamp, blockers, later)
    return (task_id, state, lane_id, action_id, task.priority, task_id, now, not_before, *about)


def action_id(database: Database, facts: Facts) -> int:
    """The row of this action, which is made when it is missing. Inside a write."""
    run(database.connection, "add_action", facts)
    return int(read_one(database.connection, "action_id", (facts.digest,)))


def find(database: Database, tasks: Sequence[NewTask], *, queue: str | None) -> list[Known]:
    """See `Store.find`."""
    plans = plans_of(tasks)
    with database.understood():
        rows = _find(database, plans, None, queue)
    return [
        Known(
            position=row[0],
            id=row[1],
            state=TaskState(row[2]),
            stamp=row[3],
            is_as_asked=_is_as_asked(plans[row[0]], row[4:]),
        )
        for row in rows
    ]


def _is_as_asked(plan: Plan, found: Row) -> bool:
    """Whether a task that is there is done in the very way that is asked for now."""
    digest, priority, queue, needs = found
    task = plan.task
    is_way = digest == plan.facts.digest or task.action.kind is ActionKind.WORKFLOW
    return is_way and (priority, queue, needs) == (task.priority, task.queue, lane_of(task)[2])


def restamp(database: Database, stamps: Mapping[int, str], *, now: float, by: str) -> int:
    """See `Store.restamp`."""
    with database.write("restamp") as transaction:
        restamp_within(database, transaction, stamps, now=now, by=by)
        return len(transaction.events)


def restamp_within(
    database: Database, transaction: Transaction, stamps: Mapping[int, str], *, now: float, by: str
) -> None:
    """See `Store.restamp`. Inside a write."""
    at, by = events.stamp(now), events.printable(by)
    for task_id, stamp in stamps.items():
        words = events.printable(stamp)
        if read_one(database.connection, "restamp", (task_id, words)) is not None:
            transaction.events.append(events.FileEdited(at=at, id=task_id, by=by, stamp=words))


def open_batch(database: Database, *, now: float, owner: str) -> int:
    """See `Store.open_batch`."""
    with database.write("open_batch"):
        return int(read_one(database.connection, "open_batch", (owner, now)))


def publish(database: Database, batch: int, *, now: float) -> int:
    """See `Store.publish`."""
    connection = database.connection
    with database.write("publish"):
        _want_open(database, batch)
        run(connection, "publish_batch", (batch, now))
        run(connection, "publish_lines", (batch,))
        return int(read_one(connection, "batch_size", (batch,)))


def abandon(database: Database, batch: int) -> int:
    """See `Store.abandon`. In pieces, and safe to be begun again after a crash in between."""
    gone = 0
    while some := _abandon_some(database, batch):
        gone += some
    with database.write("abandon"):
        if read_one(database.connection, "abandon_batch", (batch,)) is not None:
            for statement in (
                "drop_batch_edges",
                "drop_batch_counters",
                "drop_batch_lanes",
                "drop_batch_lines",
                "drop_batch",
            ):
                run(database.connection, statement, (batch,))
    return gone


def _abandon_some(database: Database, batch: int) -> int:
    connection = database.connection
    with database.write("abandon") as transaction:
        if read_one(connection, "abandon_batch", (batch,)) is None:
            return 0
        rows = read_all(connection, "abandon_some", (batch, ABANDON_AT_ONCE))
        for lane_id, state in rows:
            transaction.move(lane_id, 0, state, -1)
    return len(rows)


def actions(definitions: Sequence[tuple[int, bytes]]) -> dict[int, Action]:
    """Actions by id, as they were added."""
    return {action_id: msgspec.msgpack.decode(packed, type=Action) for action_id, packed in definitions}
