"""What ``show`` says of a task's kin: its steps, the task whose step it is, and what it waits for."""

from __future__ import annotations

from typing import Any, NamedTuple

from overnight.core.task import Task
from overnight.core.workflow.records import Family
from overnight.store.contract import Query, Store
from overnight.ui.cli import printing, shapes

#: Steps that are shown.
_MOST = 10_000


class Kin(NamedTuple):
    """The kin of a task. `children` are its steps, in their order, as it is begun now."""

    task: Task
    family: Family | None
    children: list[Task]
    #: Ids of the tasks that it waits for, or has waited for.
    after: list[int]

    def shape(self) -> dict[str, Any]:
        """For ``show --json``."""
        return {
            "after": self.after,
            "blockers": self.task.blockers,
            "skipped": self.task.skipped,
            "definition": self.family.digest.hex() if self.family else None,
            "children": [
                {
                    "id": one.id,
                    "step": one.step,
                    "state": one.state,
                    "reason": one.reason,
                    "skipped": one.skipped,
                    "error": shapes.safe(one.error) or None,
                }
                for one in self.children
            ],
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
            facts.append(("definition", self.family.digest.hex()))
        return facts

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Its steps as a table."""
        return [
            (
                str(one.id),
                printing.clean(one.step),
                "skipped" if one.skipped else one.state.value + (f" ({one.reason})" if one.reason else ""),
                printing.clean(one.error),
            )
            for one in self.children
        ]


def kin_of(store: Store, task: Task) -> Kin:
    """Look up the kin of a task."""
    family = store.family(task.id)
    children: list[Task] = []
    if family is not None:
        found = store.tasks(Query(parent=task.id, limit=_MOST))
        children = [one for one in reversed(found) if one.id >= family.first_id]
    return Kin(task, family, children, store.waits_for([task.id]).get(task.id, []))
