"""A person's edits of tasks that are still to run: limits, retries, queue, needs, priority, and when.

Which task may be edited is decided in ``core.edits``; what is done differently is written as when a task is asked
for once more (``redefining``), and a change of its time is a record of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from overnight.core import events
from overnight.core.claims import Role
from overnight.core.edit_events import FileRescheduled
from overnight.core.edits import EDITABLE, Change, Edited, Left, refusal
from overnight.core.states import Cause, TaskState, check
from overnight.core.task import Action, NewTask
from overnight.store.contract import Selector
from overnight.store.sql.acting import choose
from overnight.store.sql.adding import EVENTS_A_ROW, Facts, Plan
from overnight.store.sql.database import Database, Transaction
from overnight.store.sql.lanes import Lanes
from overnight.store.sql.redefining import TO_EDIT, Pen
from overnight.store.sql.statements import read_all, run

_S = TaskState


class _Row(msgspec.Struct, array_like=True):
    """A task as ``to_change`` tells it."""

    id: int
    state: TaskState
    action_id: int
    priority: int
    not_before: float | None
    blockers: int
    later: float | None
    queue: str
    workflow: str
    needs: str
    role: Role
    is_step: bool
    is_begun: bool
    lane_id: int
    definition: bytes

    @property
    def waits_until(self) -> float | None:
        return self.later if self.blockers else self.not_before


def edit(
    database: Database, lanes: Lanes, selector: Selector, change: Change, *, now: float, by: str, dry_run: bool
) -> Edited:
    """See `Store.edit`."""
    left = _left(database, selector, change)
    planner = _Planner(change, now)
    if dry_run:
        with database.read():
            planned = (planner.plan(row) for row in _chosen(database, selector, change))
            return Edited(sum(one is not None for one in planned), left)
    changed = 0
    with database.write("edit") as transaction:
        editor = _Editor(database, lanes, transaction, now=now, by=events.printable(by))
        for row in _chosen(database, selector, change):
            if (plan := planner.plan(row)) is not None:
                editor.edit(row, plan)
                changed += 1
    database.ease()
    return Edited(changed, left)


def reschedule(database: Database, task_id: int, not_before: float | None, *, now: float, by: str) -> None:
    """Let a task wait for another time, or for none."""
    with database.write("edit") as transaction:
        for row in _rows(database, [task_id]):
            if _moves(row, not_before, now):
                _reschedule(database, transaction, row, not_before, now=now, by=by)


def _left(database: Database, selector: Selector, change: Change) -> dict[int, Left]:
    """Those named by their ids that cannot be edited."""
    if not selector.ids:
        return {}
    with database.read():
        reasons = {row.id: _refusal(row, change) for row in _rows(database, selector.ids)}
    return {task_id: reason for task_id, reason in reasons.items() if reason is not None}


def _chosen(database: Database, selector: Selector, change: Change) -> Iterator[_Row]:
    """What the change can be made to."""
    for state in sorted(EDITABLE):
        for piece in choose(database, selector, state, stay=True):
            for row in _rows(database, [one[0] for one in piece]):
                if row.state is state and _refusal(row, change) is None:
                    yield row


def _rows(database: Database, ids: list[int] | tuple[int, ...]) -> list[_Row]:
    found = read_all(database.connection, "to_change", (database.connection.ids(ids),))
    return [msgspec.convert(row, _Row, strict=False) for row in found]


def _refusal(row: _Row, change: Change) -> Left | None:
    return refusal(row.state, change, is_step=row.is_step, is_workflow=row.role is Role.WORKFLOW, is_begun=row.is_begun)


def _moves(row: _Row, not_before: float | None, now: float) -> bool:
    """Whether it waits for another time then; a time that has passed is none."""
    return row.waits_until != _future(not_before, now)


def _future(instant: float | None, now: float) -> float | None:
    return instant if instant is not None and instant > now else None


def _reschedule(
    database: Database, transaction: Transaction, row: _Row, not_before: float | None, *, now: float, by: str
) -> None:
    until = _future(not_before, now)
    state = _S.WAITING if row.blockers or until is not None else _S.PENDING
    if state is not row.state:
        check(row.state, Cause.RETRY if state is _S.WAITING else Cause.RELEASE, state)
        transaction.move(row.lane_id, 0, row.state, -1)
        transaction.move(row.lane_id, 0, state, 1)
    waits, later = (None, until) if row.blockers else (until, None)
    run(database.connection, "reschedule", (row.id, state, waits, later))
    transaction.events.append(
        FileRescheduled(
            at=events.stamp(now), id=row.id, by=by, stamp="", state=state, not_before=events.instant(not_before)
        )
    )


class _Edit(NamedTuple):
    """What an edit does to one task."""

    #: Whether it waits for another time.
    moves: bool
    not_before: float | None
    #: How it is done from here on; None: as before.
    done: Plan | None


class _Planner:
    """Decides what a change does to one task after the other; what equal actions become is found out once."""

    def __init__(self, change: Change, now: float) -> None:
        self._change = change
        self._now = now
        self._actions: dict[int, tuple[bool, Action, Facts]] = {}

    def plan(self, row: _Row) -> _Edit | None:
        """What there is to do; None when the task is as it is to be already."""
        change = self._change
        moves = change.moves and _moves(row, change.not_before, self._now)
        is_other, action, facts = self._action(row)
        needs = msgspec.json.decode(row.needs)
        before = (row.queue, row.priority, needs)
        after = (
            row.queue if change.queue is None else events.printable(change.queue),
            row.priority if change.priority is None else change.priority,
            needs if change.needs is None else change.needs,
        )
        if not is_other and after == before:
            return _Edit(moves, change.not_before, None) if moves else None
        queue, priority, wanted = after
        task = NewTask(action=action, input=b"", queue=queue, workflow=row.workflow, priority=priority, needs=wanted)
        return _Edit(moves, change.not_before, Plan(task, facts, 0))

    def _action(self, row: _Row) -> tuple[bool, Action, Facts]:
        """The action as it is to be, and whether it was another one."""
        if row.action_id not in self._actions:
            before = msgspec.msgpack.decode(row.definition, type=Action)
            action = self._change.applied_to(before)
            facts = Facts(action.digest(), action.identity(), msgspec.msgpack.encode(action))
            self._actions[row.action_id] = (action != before, action, facts)
        return self._actions[row.action_id]


class _Editor:
    """Does what is planned, for one transaction."""

    def __init__(self, database: Database, lanes: Lanes, transaction: Transaction, *, now: float, by: str) -> None:
        self._database = database
        self._transaction = transaction
        self._now, self._by = now, by
        self._pen = Pen(database, lanes, transaction, events.stamp(now), by, TO_EDIT)

    def edit(self, row: _Row, plan: _Edit) -> None:
        """Change a task, and tell of it."""
        if plan.moves:
            _reschedule(self._database, self._transaction, row, plan.not_before, now=self._now, by=self._by)
        if plan.done is not None:
            self._pen.redefine(row.id, plan.done)
        if len(self._transaction.events) >= EVENTS_A_ROW:
            self._transaction.spill()
