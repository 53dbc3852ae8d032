"""A workflow task and its steps, as they stand inside of one transaction.

What changes about the steps of a task is first noted here and written once, at the end: a turn may end a
hundred steps of one task. Each number is kept by its differences; `recount` counts anew where a
person has moved steps about.
"""

from __future__ import annotations

from collections.abc import Iterable

from overnight.core.states import Reason, TaskState
from overnight.core.workflow.cascades import Posture, Tally, lets_go_on, posture
from overnight.core.workflow.model import OnFailure
from overnight.core.workflow.plan import Plan
from overnight.store.sql.plans import Plans
from overnight.store.sql.statements import Connection, Row, read_all, read_each, run_each

#: Postures from which a step can move by itself.
MOVING = frozenset({Posture.LATER, Posture.READY, Posture.RUNNING})
OPEN = MOVING | {Posture.BLOCKED, Posture.HELD}


class Child:
    """One step of a task."""

    __slots__ = ("blockers", "generation", "id", "lane_id", "not_before", "reason", "state", "step")

    def __init__(self, row: Row) -> None:
        self.id: int = row[0]
        self.state = TaskState(row[1])
        self.blockers: int = row[2]
        self.not_before: float | None = row[3]
        self.reason = Reason(row[4]) if row[4] else None
        self.lane_id: int = row[5]
        self.generation: int = row[6]
        self.step: str = row[7]

    @property
    def posture(self) -> Posture:
        return posture(self.state, blockers=self.blockers)


class Family:
    """A workflow task that has been begun."""

    __slots__ = (
        "attempt", "begun_at", "cancelled", "expired", "failed", "first_id", "generation", "input", "is_changed",
        "lane_id", "moving", "noted", "open", "plan", "state", "steps", "task_id", "warned",
    )  # fmt: skip

    def __init__(self, row: Row, plan: Plan) -> None:
        self.plan = plan
        (self.task_id, _, self.first_id, self.steps, self.open, self.moving, self.failed, self.warned) = row[:8]
        self.cancelled: int = row[8]
        self.expired = bool(row[9])
        self.begun_at: float = row[10]
        self.input: bytes = row[11]
        self.lane_id: int = row[12]
        self.state = TaskState(row[13])
        self.attempt: int = row[14]
        self.generation: int = row[15]
        #: The numbers that are on record.
        self.noted = Tally._make(row[4:9])
        #: Whether what it is may have changed.
        self.is_changed = False

    @property
    def last_id(self) -> int:
        return int(self.first_id) + int(self.steps) - 1

    def node(self, task_id: int) -> int | None:
        """Which node a step is; None for one that an earlier definition had."""
        node = task_id - int(self.first_id)
        return node if 0 <= node < self.steps else None

    def on_failure(self, node: int) -> OnFailure:
        """What the failure of a node means."""
        step = self.plan.step(node)
        return step.on_failure if step else OnFailure.STOP

    def lets_go_on(self, node: int, state: TaskState, reason: Reason | None) -> bool:
        """Whether what waits for a node may go on when it has ended like this."""
        return lets_go_on(state, reason, self.on_failure(node))

    @property
    def tally(self) -> Tally:
        return Tally(self.open, self.moving, self.failed, self.warned, self.cancelled)

    def ended(self, node: int, state: TaskState, reason: Reason | None) -> None:
        """Count a step that has come to its end."""
        self.is_changed = True
        self.open -= 1
        if state is TaskState.CANCELLED:
            self.cancelled += 1
        elif state is TaskState.FAILED and reason is not Reason.DEPENDENCY:
            if self.on_failure(node) is OnFailure.CONTINUE:
                self.warned += 1
            else:
                self.failed += 1

    def recount(self, children: Iterable[Child]) -> None:
        """Count all steps anew."""
        self.open = self.moving = self.failed = self.warned = self.cancelled = 0
        for child in children:
            self.open += 1
            if child.posture not in OPEN:
                self.ended(child.id - int(self.first_id), child.state, child.reason)
            elif child.posture in MOVING:
                self.moving += 1
        self.is_changed = True


def load(connection: Connection, plans: Plans, ids: Iterable[int]) -> dict[int, Family]:
    """The families of these tasks; those that have not been begun are absent."""
    wanted = list(ids)
    if not wanted:
        return {}
    rows = read_each(connection, "families", (connection.ids(wanted),))
    return {row[0]: Family(row, plans.plan(row[1])) for row in rows}


def children(connection: Connection, family: Family) -> list[Child]:
    """The steps of a task, in the order of their nodes."""
    return [Child(row) for row in read_all(connection, "children", (family.task_id, family.first_id, family.last_id))]


def write(connection: Connection, families: Iterable[Family]) -> None:
    """Put their numbers down, where they have changed."""
    changed = [(one, tally) for one in families if (tally := one.tally) != one.noted]
    run_each(connection, "count_family", [(one.task_id, *tally) for one, tally in changed])
    for one, tally in changed:
        one.noted = tally
