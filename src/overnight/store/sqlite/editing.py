"""A person's edits of tasks that are still to run: limits, retries, queue, needs, priority, and when.

Which task may be edited is decided in ``core.edits``; what is done differently is written as when a task is asked
for once more (``redefining``), and a change of its time is a record of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from overnight.core import events
from overnight.core.claims import Role
from overnight.core.edit_events import FileRescheduled
from overnight.core.edits import EDITABLE, Change, Edited, Left, refusal
from overnight.core.states import Cause, TaskState, check
from overnight.core.task import Action, NewTask
from overnight.store.contract import Selector
from overnight.store.sqlite.acting import choose
from overnight.store.sqlite.adding import EVENTS_A_ROW, Facts, Plan
from overnight.store.sqlite.connection import Database, Transaction
from overnight.store.sqlite.lanes import Lanes
from overnight.store.sqlite.redefining import TO_EDIT, Pen
from overnight.store.sqlite.statements import ids_of, read_all, run

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
    changed = 0
    if dry_run:
        with database.read():
            changed = sum(_differs(row, change, now) for row in _chosen(database, selector, change))
        return Edited(changed, left)
    with database.write("edit") as transaction:
        editor = _Editor(database, lanes, transaction, change, now=now, by=events.printable(by))
        for row in _chosen(database, selector, change):
            changed += editor.edit(row)
    database.ease()
    return Edited(changed, left)


def reschedule(database: Database, task_id: int, not_before: float | None, *, now: float, by: str) -> None:
    """Let a task wait for another time, or for none."""
    with database.write("edit") as transaction:
        for row in _rows(database, [task_id]):
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
    found = read_all(database.connection, "to_change", (ids_of(ids),))
    return [msgspec.convert(row, _Row, strict=False) for row in found]


def _refusal(row: _Row, change: Change) -> Left | None:
    return refusal(row.state, change, is_step=row.is_step, is_workflow=row.role is Role.WORKFLOW, is_begun=row.is_begun)


def _differs(row: _Row, change: Change, now: float) -> bool:
    action = msgspec.msgpack.decode(row.definition, type=Action)
    wanted = change.applied_to(action)
    places = (
        (change.priority, row.priority),
        (change.queue, row.queue),
        (change.needs, msgspec.json.decode(row.needs)),
    )
    return (
        wanted != action
        or any(new is not None and new != old for new, old in places)
        or (change.moves and _moves(row, change.not_before, now))
    )


def _moves(row: _Row, not_before: float | None, now: float) -> bool:
    """Whether it waits for another time then; a time that has passed is none."""
    return row.waits_until != _future(not_before, now)


def _future(instant: float | None, now: float) -> float | None:
    return instant if instant is not None and instant > now else None


def _reschedule(
    database: Database, transaction: Transaction, row: _Row, not_before: float | None, *, now: float, by: str
) -> bool:
    if not _moves(row, not_before, now):
        return False
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
    return True


class _Editor:
    """Makes one change to one task after the other; what equal actions become is found out once."""

    def __init__(
        self, database: Database, lanes: Lanes, transaction: Transaction, change: Change, *, now: float, by: str
    ) -> None:
        self._database = database
        self._transaction = transaction
        self._change = change
        self._now, self._by = now, by
        self._pen = Pen(database, lanes, transaction, events.stamp(now), by, TO_EDIT)
        self._actions: dict[int, tuple[Action, Facts]] = {}

    def edit(self, row: _Row) -> bool:
        """Whether it was another way before."""
        change = self._change
        moved = change.moves and _reschedule(
            self._database, self._transaction, row, change.not_before, now=self._now, by=self._by
        )
        action, facts = self._action(row)
        task = NewTask(
            action=action,
            input=b"",
            queue=row.queue if change.queue is None else events.printable(change.queue),
            workflow=row.workflow,
            priority=row.priority if change.priority is None else change.priority,
            needs=msgspec.json.decode(row.needs) if change.needs is None else change.needs,
        )
        redefined = self._pen.redefine(row.id, Plan(task, facts, 0))
        if len(self._transaction.events) >= EVENTS_A_ROW:
            self._transaction.spill()
        return moved or redefined

    def _action(self, row: _Row) -> tuple[Action, Facts]:
        if row.action_id not in self._actions:
            action = self._change.applied_to(msgspec.msgpack.decode(row.definition, type=Action))
            self._actions[row.action_id] = (
                action,
                Facts(action.digest(), action.identity(), msgspec.msgpack.encode(action)),
            )
        return self._actions[row.action_id]
