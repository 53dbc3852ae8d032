"""Other limits for tasks that have failed, before they are queued once more.

Before, and not after: once it is queued a task may begin at any moment, with the limit into which it ran.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from overnight.core.states import TaskState
from overnight.core.task import LIMITS, ActionKind, NewTask, Task
from overnight.store.contract import Query, Selector, Store

#: Tasks that are changed in one transaction.
_PAGE = 1000


def limits_of(said: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an action that were said; infinity stands for no limit there."""
    found = {name: said[name] for name in ("timeout", *LIMITS) if said.get(name) is not None}
    return {name: None if value == math.inf else value for name, value in found.items()}


def give_limits(store: Store, selector: Selector, limits: Mapping[str, Any], *, now: float, by: str) -> tuple[int, int]:
    """Give failed tasks these limits.

    Args:
        store: Where they are.
        selector: Which ones; of these only those that failed.
        limits: Fields of an action with their values.
        now: POSIX seconds.
        by: Who does it.

    Returns:
        How many have other limits now, and how many are left since a definition says theirs.
    """
    changed = left = 0
    for page in _pages(store, selector):
        actions = store.actions({task.action_id for task in page})
        of_workflows = [task for task in page if actions[task.action_id].kind is ActionKind.WORKFLOW]
        wanted = {
            task.id: NewTask(
                msgspec.structs.replace(actions[task.action_id], **limits),
                task.input,
                queue=task.queue,
                workflow=task.workflow,
                priority=task.priority,
                needs=task.needs,
            )
            for task in page
            if actions[task.action_id].kind is not ActionKind.WORKFLOW
        }
        changed += len(store.redefine(wanted, now=now, by=by))
        left += len(of_workflows)
    return changed, left


def _pages(store: Store, selector: Selector) -> Iterator[list[Task]]:
    """The selected tasks that failed, page by page."""
    if selector.ids:
        tasks = [store.get(task_id) for task_id in store.states(selector.ids)]
        yield [task for task in tasks if task.state is TaskState.FAILED and task.parent_id is None]
        return
    query = Query((TaskState.FAILED,), selector.queue, selector.workflow, selector.cause, limit=_PAGE)
    while page := store.tasks(query):
        yield page
        query = msgspec.structs.replace(query, before=page[-1].id)
