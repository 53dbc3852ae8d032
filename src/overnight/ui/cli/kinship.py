"""What ``show`` says of a task's kin: its steps, the task whose step it is, and what it waits for."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from overnight.core.results import spilled
from overnight.core.task import Attempt, Task, text
from overnight.core.workflow.records import Family
from overnight.store.contract import Query, Store
from overnight.ui.cli import printing, shapes

#: Steps that are shown, and those of them whose attempts are.
_MOST = 10_000
_MOST_LOOKED_AT = 1000
#: Columns of an output.
_OUTPUT = 60


class Step(NamedTuple):
    """One step of the task, and its ended attempts."""

    task: Task
    attempts: list[Attempt]

    @property
    def seconds(self) -> float:
        """How long its attempts took, together."""
        return sum(one.seconds for one in self.attempts)

    def shape(self) -> dict[str, Any]:
        """For ``show --json``."""
        task = self.task
        return {
            "id": task.id,
            "step": task.step,
            "state": task.state,
            "reason": task.reason,
            "skipped": task.skipped,
            "error": shapes.safe(task.error) or None,
            "attempt": task.attempt,
            "attempts": [shapes.attempt_shape(one) for one in self.attempts],
            "seconds": self.seconds,
            "result": msgspec.Raw(task.result) if task.result and spilled(task.result) is None else None,
        }

    def row(self) -> tuple[str, ...]:
        """For people."""
        task = self.task
        state = "skipped" if task.skipped else task.state.value + (f" ({task.reason})" if task.reason else "")
        tries = printing.count(task.attempt, "attempt") if task.attempt else ""
        took = printing.spent(self.seconds) if self.attempts else ""
        return (str(task.id), printing.clean(task.step), state, tries, took, self._said())

    def _said(self) -> str:
        """Its error, or what it has given to others."""
        if self.task.error:
            return printing.clean(self.task.error)
        large = spilled(self.task.result)
        if large is not None:
            return f"output of {printing.size(large.size_bytes)}"
        return printing.fit(printing.clean(text(self.task.result)), _OUTPUT)


class Kin(NamedTuple):
    """The kin of a task. `children` are its steps, in their order, as it is begun now."""

    task: Task
    family: Family | None
    children: list[Step]
    #: Ids of the tasks that it waits for, or has waited for.
    after: list[int]
    #: Digest of the definition by which tasks of its workflow are begun now; None when there is none.
    current: bytes | None

    def shape(self) -> dict[str, Any]:
        """For ``show --json``."""
        return {
            "after": self.after,
            "blockers": self.task.blockers,
            "skipped": self.task.skipped,
            "definition": self.family.digest.hex() if self.family else None,
            "definition_is_current": self.family.digest == self.current if self.family else None,
            "children": [one.shape() for one in self.children],
        }

    def facts(self) -> list[tuple[str, str]]:
        """Lines for people."""
        facts = []
        if self.task.parent_id is not None:
            facts.append(("step", f"{self.task.step} of task {self.task.parent_id}"))
        if self.after:
            facts.append(("after", ", ".join(map(str, self.after))))
        if self.task.blockers:
            facts.append(("waits for", printing.count(self.task.blockers, "other task")))
        if self.family:
            facts.append(("definition", self._definition(self.family)))
        return facts

    def _definition(self, family: Family) -> str:
        """Which one it is bound to, and whether others are begun by it, too."""
        words = f"{family.workflow.name} {family.digest.hex()}"
        if self.current is None:
            return f"{words}, which nobody defines any more"
        return words if self.current == family.digest else f"{words}; new tasks begin by {self.current.hex()}"

    def rows(self) -> list[tuple[str, ...]]:
        """Its steps as a table."""
        return [one.row() for one in self.children]


def kin_of(store: Store, task: Task) -> Kin:
    """Look up the kin of a task."""
    family = store.family(task.id)
    children: list[Step] = []
    current = None
    if family is not None:
        found = store.tasks(Query(parent=task.id, limit=_MOST))
        steps = [one for one in reversed(found) if one.id >= family.first_id]
        children = [
            Step(one, store.attempts(one.id) if number < _MOST_LOOKED_AT else []) for number, one in enumerate(steps)
        ]
        current = next((one.digest for one in store.workflows() if one.name == family.workflow.name), None)
    return Kin(task, family, children, store.waits_for([task.id]).get(task.id, []), current)
