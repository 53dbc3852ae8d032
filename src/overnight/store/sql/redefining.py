"""Tasks that are still to run get what is asked of them now: limits, retries, environment, queue, needs, priority.

What a task is (its identity) stays; how it is done is the wish of whoever asked last. Running and finished
tasks keep what they ran with, and what a workflow began is bound to its definition.
"""

from __future__ import annotations

from collections.abc import Mapping

from overnight.core import events
from overnight.core.action_records import action_record
from overnight.core.claims import Role
from overnight.core.edit_events import FileRedefined
from overnight.core.task import ActionKind, NewTask
from overnight.store.sql.adding import Plan, action_id, lane_of, plans_of
from overnight.store.sql.database import Database, Transaction
from overnight.store.sql.lanes import Lanes
from overnight.store.sql.statements import read_all, run

#: Statements that find a task which may be written: when it is asked for once more, and when it is edited.
TO_REDEFINE, TO_EDIT, TO_REDO = "to_redefine", "to_edit", "to_redo"


def redefine(database: Database, lanes: Lanes, tasks: Mapping[int, NewTask], *, now: float, by: str) -> list[int]:
    """See `Store.redefine`."""
    plans = plans_of([task for task in tasks.values() if task.action.kind is not ActionKind.WORKFLOW])
    ids = [task_id for task_id, task in tasks.items() if task.action.kind is not ActionKind.WORKFLOW]
    with database.write("redefine") as transaction:
        pen = Pen(database, lanes, transaction, events.stamp(now), events.printable(by), TO_REDEFINE)
        return [task_id for task_id, one in zip(ids, plans, strict=True) if pen.redefine(task_id, one)]


def redo(database: Database, lanes: Lanes, tasks: Mapping[int, NewTask], *, now: float, by: str) -> None:
    """Do again what the journal tells, whoever has done it then: what could be changed then can be now."""
    plans = plans_of(list(tasks.values()))
    with database.write("redefine") as transaction:
        pen = Pen(database, lanes, transaction, events.stamp(now), events.printable(by), TO_REDO)
        for task_id, one in zip(tasks, plans, strict=True):
            pen.redefine(task_id, one)


class Pen:
    """Writes one after the other, each action and lane looked up once.

    `statement` says which tasks may be written at all.
    """

    def __init__(
        self, database: Database, lanes: Lanes, transaction: Transaction, at: str, by: str, statement: str
    ) -> None:
        self._statement = statement
        self._database = database
        self._lanes = lanes
        self._transaction = transaction
        self._at, self._by = at, by
        self._actions: dict[bytes, int] = {}
        self._places: dict[tuple[str, str, str, Role], int] = {}

    def redefine(self, task_id: int, one: Plan) -> bool:
        """Whether it is still to run, is this task, and was another way before."""
        digest, is_new = one.facts.digest, one.facts.digest not in self._actions
        rows = read_all(self._database.connection, self._statement, (task_id, one.facts.identity))
        if not rows:
            return False
        if is_new:
            self._actions[digest] = action_id(self._database, one.facts)
        place = lane_of(one.task)
        if place not in self._places:
            self._places[place] = self._lanes.ensure(*place[:3], role=place[3])
        after = (self._places[place], self._actions[digest], one.task.priority)
        state, *before = rows[0]
        if tuple(before) == after:
            return False
        run(self._database.connection, "redefine", (task_id, *after))
        self._transaction.move(before[0], 0, state, -1)
        self._transaction.move(after[0], 0, state, 1)
        self._transaction.events.append(
            told(task_id, one.task, one.facts.digest, at=self._at, by=self._by, with_action=is_new)
        )
        return True


def told(task_id: int, task: NewTask, digest: bytes, *, at: str, by: str, with_action: bool) -> FileRedefined:
    """The event: a task is done in this way from here on. `with_action`: it is the first to say what the action is."""
    definition, definition_b64 = action_record(task.action) if with_action else (None, None)
    return FileRedefined(
        at=at,
        id=task_id,
        by=by,
        stamp="",
        action=digest.hex(),
        definition=definition,
        definition_b64=definition_b64,
        queue=task.queue,
        workflow=task.workflow,
        priority=task.priority,
        needs=task.needs or None,
    )
