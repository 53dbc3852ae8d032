"""Tasks that wait for others by hand: ``add --after``, and what a task list says.

The edges are kept until one of the two is forgotten, for people to see. What the store goes by is the
number of others that a task still waits for, which `advancing` counts down.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from overnight.core.errors import NotFoundError, UsageError
from overnight.core.states import TaskState
from overnight.core.task import NewTask
from overnight.store.sql.statements import Connection, read_all, run_each

_GONE = frozenset({TaskState.FAILED, TaskState.CANCELLED})


def needs_of(connection: Connection, tasks: Sequence[NewTask], first_id: int, batch: int | None) -> list[list[int]]:
    """For each task the ids of those that it waits for and that are not completed. Inside a write.

    What `batch` has added so far is there for the tasks of the batch.

    Raises:
        NotFoundError: One of them does not exist.
        UsageError: One of them has failed, or a task would wait for itself or a later one.
    """
    wanted = {task_id for task in tasks for task_id in task.after}
    if not wanted and not any(task.after_here for task in tasks):
        return [[] for _ in tasks]
    rows = read_all(connection, "states_for", (connection.ids(wanted), batch or 0))
    states = {row[0]: TaskState(row[1]) for row in rows}
    for task_id in sorted(wanted):
        _want(task_id, states.get(task_id))
    for position, task in enumerate(tasks):
        if any(not 0 <= other < position for other in task.after_here):
            raise UsageError(
                "a task would wait for itself, or for one that is added after it; nothing was added",
                hint="put the tasks in order, each after those that it waits for",
            )
    return [
        list(
            dict.fromkeys(
                [task_id for task_id in task.after if states[task_id] is not TaskState.COMPLETED]
                + [first_id + other for other in task.after_here]
            )
        )
        for task in tasks
    ]


def _want(task_id: int, state: TaskState | None) -> None:
    if state is None:
        raise NotFoundError(
            f"there is no task {task_id} to wait for; nothing was added", hint="'overnight list' shows the tasks"
        )
    if state in _GONE:
        raise UsageError(
            f"task {task_id} is {state}, so what waits for it would never run; nothing was added",
            hint=f"'overnight retry {task_id}' runs it again; add this then, or leave out --after {task_id}",
        )


def add_edges(connection: Connection, first_id: int, needs: Iterable[Sequence[int]]) -> None:
    """Put down who waits for whom."""
    edges = [(first_id + position, after_id) for position, others in enumerate(needs) for after_id in others]
    if edges:
        run_each(connection, "add_edge", edges)
