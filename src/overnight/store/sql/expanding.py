"""Claiming workflow tasks: their steps become tasks, in the transaction that claims them.

A task that is claimed for the first time is bound to the definition as it is now. One that comes back
(a person has retried or released it) goes on with the steps that it has; if its workflow is defined
differently by now, it gets new ones, and what was done by the old definition and is the same in the new
one is not done again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from overnight.core import events
from overnight.core.states import Cause, TaskState, check
from overnight.core.workflow.cascades import Posture
from overnight.store.contract import Opened
from overnight.store.sql import families
from overnight.store.sql.advancing import Advance, Ready
from overnight.store.sql.database import Transaction
from overnight.store.sql.families import Child, Family
from overnight.store.sql.lanes import Lanes
from overnight.store.sql.plans import Plans, Shape
from overnight.store.sql.statements import Connection, Row, insert_many, read_all, read_one, run, run_each

_S = TaskState
check(_S.WAITING, Cause.CANCEL, _S.CANCELLED)


class Task(NamedTuple):
    """A workflow task that is claimed."""

    id: int
    attempt: int
    action_id: int
    lane_id: int
    input: bytes
    generation: int
    priority: int
    order_key: int


def task_of(row: Row) -> Task:
    """What `head_of_lane` says of one."""
    return Task(row[0], row[1], row[2], row[3], row[4], row[7], row[8], row[9])


class Expander:
    """Begins workflow tasks, for one transaction.

    Args:
        connection: Inside a write.
        transaction: Its events and counters.
        lanes: Which lanes there are.
        plans: Of the definitions.
        advance: Told of steps that end at once, because they are skipped.
        fence: Of the engine.
        now: POSIX seconds.
        at: The same, as events have it.
    """

    def __init__(
        self,
        connection: Connection,
        transaction: Transaction,
        lanes: Lanes,
        plans: Plans,
        advance: Advance,
        *,
        fence: int,
        now: float,
        at: str,
    ) -> None:
        self._connection = connection
        self._transaction = transaction
        self._lanes = lanes
        self._plans = plans
        self._advance = advance
        self._fence = fence
        self._now = now
        self._at = at
        self._ready: list[Ready] = []

    def open(self, rows: Sequence[Row]) -> list[Opened]:
        """Begin these tasks, which have just been claimed: they are running, and have no steps yet."""
        tasks = [task_of(row) for row in rows]
        ids = self._connection.ids(task.id for task in tasks)
        known: dict[int, int] = dict(read_all(self._connection, "expansions_of", (ids,)))
        definitions = self._definitions({task.lane_id for task in tasks})
        fresh = [task for task in tasks if task.id not in known]
        opened = self._expand(fresh, definitions)
        for task in tasks:
            if task.id in known:
                opened.append(self._go_on(task, known[task.id], definitions[task.lane_id]))
        self._advance.follow((), self._ready)
        return opened

    def _definitions(self, lanes: set[int]) -> dict[int, int]:
        """The definition by which tasks of each lane are begun now."""
        found = {}
        for lane_id in lanes:
            lane = self._lanes.get(lane_id)
            found[lane_id] = int(read_one(self._connection, "workflow_definition", (lane.workflow if lane else "",)))
        return found

    # -- for the first time ------------------------------------------------------------------

    def _expand(self, tasks: Sequence[Task], definitions: Mapping[int, int]) -> list[Opened]:
        if not tasks:
            return []
        keys = [(definitions[task.lane_id], task.action_id, task.lane_id) for task in tasks]
        by_key = {key: self._plans.shape(*key) for key in set(keys)}
        shapes = [by_key[key] for key in keys]
        next_id = self._take_ids(sum(len(shape.names) for shape in shapes))
        opened, steps, expansions = [], [], []
        for task, shape in zip(tasks, shapes, strict=True):
            steps += self._steps(task, shape, next_id)
            expansions.append(self._expansion(task, shape, definitions[task.lane_id], next_id))
            self._tell(task, definitions[task.lane_id], next_id, len(shape.names))
            opened.append(Opened(task.id, task.lane_id, frozenset(shape.lanes)))
            next_id += len(shape.names)
        insert_many(self._connection, "add_step", steps)
        run_each(self._connection, "set_expansion", expansions)
        return opened

    def _take_ids(self, count: int) -> int:
        """The first of so many new ids."""
        return int(read_one(self._connection, "take_task_ids", (count,))) - count + 1

    def _steps(self, task: Task, shape: Shape, first_id: int) -> list[Row]:
        """The rows of all steps of a task. A step that asks nothing of others and waits for none may run at once."""
        rows: list[Row] = []
        for node, name in enumerate(shape.names):
            blocked = shape.blockers[node]
            state = _S.PENDING if not blocked and shape.plan.is_plain(node) else _S.WAITING
            if not blocked and state is _S.WAITING:
                self._ready.append(Ready(first_id + node, shape.lanes[node], task.id, None, name))
            self._transaction.move(shape.lanes[node], 1, state, 1)
            rows.append(
                (first_id + node, state, shape.lanes[node], shape.actions[node], task.priority, task.order_key,
                 self._now, task.input, shape.titles[node], task.id, name, blocked)
            )  # fmt: skip
        return rows

    def _expansion(self, task: Task, shape: Shape, definition_id: int, first_id: int) -> Row:
        plan, steps = shape.plan, len(shape.names)
        moving = sum(not blocked and plan.is_plain(node) for node, blocked in enumerate(shape.blockers))
        return (
            task.id,
            definition_id,
            task.generation,
            first_id,
            steps,
            steps,
            moving,
            self._now,
            self._expires(plan.workflow.deadline),
        )

    def _expires(self, deadline: float | None) -> float | None:
        return None if deadline is None else self._now + deadline

    def _tell(self, task: Task, definition_id: int, first_id: int, steps: int) -> None:
        words, coded = events.as_text(task.input)
        self._transaction.events.append(
            events.FileStarted(
                at=self._at,
                id=task.id,
                attempt=task.attempt,
                fence=self._fence,
                input=words,
                input_b64=coded,
                definition=self._plans.digest(definition_id),
                first_step=first_id,
                steps=steps,
            )
        )

    # -- again -------------------------------------------------------------------------------

    def _go_on(self, task: Task, definition_id: int, current: int) -> Opened:
        family = families.load(self._connection, self._plans, [task.id])[task.id]
        children = families.children(self._connection, family)
        shape = self._plans.shape(current, task.action_id, task.lane_id)
        if definition_id == current:
            self._resume(task, family, children)
            self._tell(task, definition_id, family.first_id, family.steps)
        else:
            self._rebind(task, family, children, shape, current)
        return Opened(task.id, task.lane_id, frozenset(shape.lanes))

    def _resume(self, task: Task, family: Family, children: Sequence[Child]) -> None:
        """Let the steps that are free go on."""
        expires = self._expires(family.plan.workflow.deadline)
        run(self._connection, "begin_again", (task.id, task.generation, self._now, expires))
        family.recount(children)
        for child in children:
            if child.posture is Posture.LATER and child.not_before is None:
                family.moving -= 1  # counted again when it is let go
                self._ready.append(Ready(child.id, child.lane_id, task.id, None, child.step))
        self._advance.adopt(family)

    def _rebind(self, task: Task, family: Family, children: Sequence[Child], shape: Shape, definition_id: int) -> None:
        """Begin anew by another definition, without what was done already."""
        self._abandon(children)
        done = _done(family, children, shape)
        first_id = self._take_ids(len(shape.names))
        blocked = [sum(need not in done for need in shape.plan.graph.needs[node]) for node in range(len(shape.names))]
        rows = []
        for node, name in enumerate(shape.names):
            step_id, lane_id = first_id + node, shape.lanes[node]
            if node in done:
                self._transaction.move(lane_id, 1, _S.COMPLETED, 1)
                told = (step_id, lane_id, shape.actions[node], self._now, shape.titles[node], done[node])
                run(self._connection, "add_done_step", told)
                continue
            self._transaction.move(lane_id, 1, _S.WAITING, 1)
            rows.append(
                (step_id, _S.WAITING, lane_id, shape.actions[node], task.priority, task.order_key, self._now,
                 task.input, shape.titles[node], task.id, name, blocked[node])
            )  # fmt: skip
            if not blocked[node]:
                self._ready.append(Ready(step_id, lane_id, task.id, None, name))
        insert_many(self._connection, "add_step", rows)
        steps = len(shape.names)
        expires = self._expires(shape.plan.workflow.deadline)
        expansion = (task.id, definition_id, task.generation, first_id, steps, steps - len(done), 0, self._now, expires)
        run(self._connection, "set_expansion", expansion)
        self._tell(task, definition_id, first_id, steps)
        self._advance.adopt(families.load(self._connection, self._plans, [task.id])[task.id])

    def _abandon(self, children: Sequence[Child]) -> None:
        """Cancel what the old definition has left to do; none of it runs, for the task did not."""
        left = [child for child in children if child.posture in families.OPEN]
        run(self._connection, "cancel", {"ids": self._connection.ids([child.id for child in left]), "now": self._now})
        for child in left:
            self._transaction.move(child.lane_id, 1, child.state, -1)
            self._transaction.move(child.lane_id, 1, _S.CANCELLED, 1)


def _done(family: Family, children: Sequence[Child], shape: Shape) -> dict[int, int]:
    """Nodes of the new definition that are done, each with the step that did it.

    The same step after the same steps: what is before it may have changed what it would do.
    """
    old = family.plan.prints
    finished = {old[child.id - family.first_id]: child.id for child in children if child.state is _S.COMPLETED}
    return {node: finished[mark] for node, mark in enumerate(shape.plan.prints) if mark in finished}
