"""Definitions of workflows, and what their steps are for a task with this action in that queue.

A definition never changes under its id, so its plan is made once. What the steps of a task look like
depends on the action of the task as well; it is kept as long as nobody lets actions go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from overnight.core import events
from overnight.core.claims import Role
from overnight.core.task import Action
from overnight.core.workflow.cascades import Tally
from overnight.core.workflow.model import Workflow, packed, unpacked
from overnight.core.workflow.plan import Plan, plan_of
from overnight.core.workflow.records import Defined, Family, Took
from overnight.store.sql.database import Database
from overnight.store.sql.lanes import Lanes, needs_text
from overnight.store.sql.statements import Connection, Row, read_all, read_each, read_one, run

#: Tasks whose steps say how long a workflow takes.
_LOOKED_AT = 50
#: Shapes kept at hand; beyond so many all are made anew.
_KEPT = 256


class Shape(NamedTuple):
    """What the steps of a task are, node by node."""

    plan: Plan
    names: tuple[str, ...]
    titles: tuple[str, ...]
    actions: tuple[int, ...]
    lanes: tuple[int, ...]
    blockers: tuple[int, ...]


class Plans:
    """Plans and shapes, made when they are first asked for."""

    def __init__(self, database: Database, lanes: Lanes) -> None:
        self._database = database
        self._lanes = lanes
        self._plans: dict[int, Plan] = {}
        self._digests: dict[int, bytes] = {}
        self._shapes: dict[tuple[int, int, int], Shape] = {}

    def plan(self, definition_id: int) -> Plan:
        """The plan of a definition."""
        found = self._plans.get(definition_id)
        if found is None:
            definition, digest = read_all(self._database.connection, "definition", (definition_id,))[0]
            found = self._plans[definition_id] = plan_of(definition)
            self._digests[definition_id] = digest
        return found

    def digest(self, definition_id: int) -> str:
        """The digest of a definition, in hexadecimal."""
        self.plan(definition_id)
        return self._digests[definition_id].hex()

    def shape(self, definition_id: int, action_id: int, lane_id: int) -> Shape:
        """What the steps of a task with this action in that lane are. Inside a write: actions and lanes may be made."""
        key = (definition_id, action_id, lane_id)
        found = self._shapes.get(key)
        if found is None or not self._is_whole(found):
            if len(self._shapes) >= _KEPT:
                self._shapes.clear()
            found = self._shapes[key] = self._shape(*key)
        return found

    def _is_whole(self, shape: Shape) -> bool:
        """Whether all of its actions are still there."""
        wanted, connection = set(shape.actions), self._database.connection
        return bool(read_one(connection, "actions_left", (connection.ids(wanted),)) == len(wanted))

    def _shape(self, definition_id: int, action_id: int, lane_id: int) -> Shape:
        connection = self._database.connection
        plan = self.plan(definition_id)
        lane = self._lanes.get(lane_id)
        assert lane is not None  # noqa: S101 - a task that can be claimed is in a visible lane
        ((_, definition),) = read_all(connection, "actions", (connection.ids([action_id]),))
        actions = plan.actions(msgspec.msgpack.decode(definition, type=Action))
        steps = [plan.step(node) for node in range(len(plan))]
        places: dict[str, int] = {}
        for step in steps:
            needs = needs_text(step.resources if step else {})
            if needs not in places:
                places[needs] = self._lanes.ensure(lane.queue, lane.workflow, needs, role=Role.STEP)
        return Shape(
            plan,
            plan.graph.names,
            tuple(step.title if step else "" for step in steps),
            tuple(action_id if action is None else ensure_action(connection, action) for action in actions),
            tuple(places[needs_text(step.resources if step else {})] for step in steps),
            tuple(map(len, plan.graph.needs)),
        )


def ensure_action(connection: Connection, action: Action) -> int:
    """The id of an action, which is put down when it is new. Inside a write."""
    digest = action.digest()
    run(connection, "add_action", (digest, action.identity(), msgspec.msgpack.encode(action)))
    return int(read_one(connection, "action_id", (digest,)))


def define(database: Database, workflows: Sequence[Workflow], *, source: str, now: float, by: str) -> list[str]:
    """See `Store.define`."""
    if not _differs(database, workflows, source):
        return []
    changed: list[str] = []
    with database.write("define") as transaction:
        connection = database.connection
        before: dict[str, int] = dict(read_all(connection, "workflows_of", (source,)))
        for workflow in workflows:
            definition, digest = packed(workflow), workflow.digest()
            run(connection, "add_definition", (digest, workflow.name, definition))
            definition_id = int(read_one(connection, "definition_id", (digest,)))
            if before.pop(workflow.name, None) == definition_id:
                continue
            run(connection, "set_workflow", (workflow.name, definition_id, source, now))
            changed.append(workflow.name)
            transaction.events.append(
                events.WorkflowDefined(
                    at=events.stamp(now),
                    name=workflow.name,
                    digest=digest.hex(),
                    definition=msgspec.Raw(definition),
                    source=events.printable(source),
                    by=events.printable(by),
                )
            )
        for name in before:
            run(connection, "drop_workflow", (name,))
            changed.append(name)
    return changed


def _differs(database: Database, workflows: Sequence[Workflow], source: str) -> bool:
    """Whether anything would be written; asked without a write, for mostly nothing would."""
    with database.read() as connection:
        known = {str(row[0]): (str(row[1]), row[3]) for row in read_each(connection, "workflows")}
    mine = {name for name, (whose, _) in known.items() if whose == source}
    return mine != {workflow.name for workflow in workflows} or any(
        known[workflow.name] != (source, workflow.digest()) for workflow in workflows
    )


def workflows(database: Database) -> list[Defined]:
    """See `Store.workflows`."""
    return [
        Defined(name, source, defined_at, digest, unpacked(definition))
        for name, source, defined_at, digest, definition in database.rows("workflows")
    ]


def family(database: Database, task_id: int) -> Family | None:
    """See `Store.family`."""
    rows: list[Row] = database.rows("family", (task_id,))
    if not rows:
        return None
    found, digest, definition, first_id, *tally, begun_at = rows[0]
    return Family(found, digest, unpacked(definition), first_id, Tally(*tally), begun_at)


def step_seconds(database: Database, workflow: str) -> dict[str, Took]:
    """See `Store.step_seconds`."""
    return {step: Took(runs, seconds) for step, runs, seconds in database.rows("step_seconds", (workflow, _LOOKED_AT))}
