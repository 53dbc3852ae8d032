"""Workflows for the tests of stores: short definitions, and an engine that plays them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from store_parts import NOON, SmallEngine, settlement

from overnight.core.states import TaskState
from overnight.core.task import Action, ActionKind, NewTask
from overnight.core.workflow.model import OnFailure, Step, Workflow
from overnight.store.contract import Claimed, Query, Rested, Store, Turn

FLOW = Action(kind=ActionKind.WORKFLOW, call="flow", cwd=b"/data")


def step(name: str, *needs: str, **options: Any) -> Step:
    """A step that runs a command of its own name."""
    options.setdefault("run", (name,))
    return Step(id=name, needs=needs, **options)


def carry_on(name: str, *needs: str, **options: Any) -> Step:
    """A step whose failure does no harm."""
    return step(name, *needs, on_failure=OnFailure.CONTINUE, **options)


def flow(*steps: Step, name: str = "flow", gates: Sequence[Step] = (), **options: Any) -> Workflow:
    """A workflow."""
    return Workflow(name=name, steps=steps, gates=tuple(gates), **options)


class Player:
    """Defines a workflow, adds tasks of it, and plays their steps one after the other.

    Args:
        store: Where.
        steps: The workflow, called ``flow``.
    """

    def __init__(self, store: Store, *steps: Step, **options: Any) -> None:
        self.store = store
        self.engine = SmallEngine(store)
        self.define(*steps, **options)
        #: Names of the steps that ran, in order, each with its task.
        self.ran: list[tuple[int, str]] = []
        #: What came to rest, in order.
        self.rested: list[Rested] = []

    def define(self, *steps: Step, **options: Any) -> None:
        """Define the workflow (anew)."""
        self.store.define([flow(*steps, **options)], source="test", now=NOON, by="me")

    def add(self, *names: str, **options: Any) -> list[int]:
        """Add tasks of it."""
        new = [NewTask(action=FLOW, input=name.encode(), **options) for name in names or ("a",)]
        return self.store.add(new, now=NOON, by="me").ids

    def turn(self, *settlements: Any, now: float = NOON, count: int = 1000) -> Turn:
        """One turn that claims what there is, and what that has brought into being."""
        turn = self.engine.turn(*settlements, now=now, claim=self.engine.everything(count))
        self.rested += turn.rested
        return turn

    def claim(self, now: float = NOON, count: int = 1000) -> list[Claimed]:
        """The steps that can start now."""
        claimed: list[Claimed] = []
        while (turn := self.turn(now=now, count=count)).claimed or turn.opened:
            claimed += turn.claimed
        return claimed

    def claim_one(self) -> Claimed:
        """The one step that starts next."""
        while True:
            turn = self.turn(count=1)
            if turn.claimed:
                return turn.claimed[0]
            assert turn.opened, "nothing can start"

    def play(self, endings: Mapping[str, TaskState | bytes] | None = None, *, now: float = NOON) -> None:
        """Run whatever there is until nothing can start: each step ends as said, or completes."""
        endings = endings or {}
        while claimed := self.claim(now=now):
            for one in claimed:
                self.ran.append((one.parent_id or 0, one.step))
                ending = endings.get(one.step, b"")
                done = (
                    settlement(one, ending)
                    if isinstance(ending, TaskState)
                    else settlement(one, TaskState.COMPLETED, result=ending)
                )
                self.rested += self.engine.turn(done, now=now).rested

    @property
    def names(self) -> list[str]:
        """The steps that ran."""
        return [name for _, name in self.ran]

    def states(self, task_id: int = 1) -> dict[str, str]:
        """The states of the steps of a task as it is begun now."""
        return {one.step: str(one.state) for one in self.steps(task_id)}

    def steps(self, task_id: int = 1) -> list[Any]:
        """The steps of a task as it is begun now, in their order."""
        family = self.store.family(task_id)
        assert family is not None
        found = self.store.tasks(Query(parent=task_id, limit=100_000))
        return [one for one in reversed(found) if one.id >= family.first_id]

    def id_of(self, name: str, task_id: int = 1) -> int:
        """The task that is this step."""
        return next(int(one.id) for one in self.steps(task_id) if one.step == name)

    def state(self, task_id: int = 1) -> TaskState:
        """The state of a task."""
        return self.store.get(task_id).state


def names(claimed: Iterable[Claimed]) -> list[str]:
    """The steps among what was claimed."""
    return [one.step for one in claimed]
