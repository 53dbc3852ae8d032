"""``list``: tasks, newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import click

from overnight.core.lanes import is_own
from overnight.core.states import TaskState
from overnight.core.task import Action, Task
from overnight.monitor.frozen import Frozen
from overnight.monitor.nodes import Whereabouts
from overnight.monitor.snapshot import interrupted
from overnight.store.contract import Query, Store
from overnight.ui.cli import printing, shapes
from overnight.ui.cli.group import Verb
from overnight.ui.cli.selecting import need_named
from overnight.ui.cli.session import opened
from overnight.ui.cli.values import Offered, TaskId

#: Tasks fetched at a time.
_PAGE = 500
#: Tasks that a terminal shows unless told otherwise.
_BOUND = 50


@click.command("list", cls=Verb)
@click.option("-q", "--queue", type=Offered("queues"), help="Tasks of this queue.")
@click.option("-w", "--workflow", type=Offered("workflows"), help="Tasks of this workflow.")
@click.option("--steps", is_flag=True, help="The steps of workflows, too.")
@click.option("--of", "parent", type=TaskId(), metavar="ID", help="The steps of this task alone.")
@click.option("--state", multiple=True, type=click.Choice([s.value for s in TaskState]), help="Tasks in this state.")
@click.option("--cause", metavar="FINGERPRINT", help="Tasks that failed in this way.")
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(min=0),
    metavar="N",
    help="At most N tasks; 0 for all. [default: 50 on a terminal]",
)
@click.option("--json", "as_json", is_flag=True, help="Print all, one JSON object a line.")
def list_(
    *,
    queue: str | None,
    workflow: str | None,
    steps: bool,
    parent: int | None,
    state: tuple[str, ...],
    cause: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """List tasks in all states, newest first."""
    states = tuple(TaskState(name) for name in dict.fromkeys(state))
    query = Query(states=states, queue=queue, workflow=workflow, cause=cause, steps=steps, parent=parent)
    bound = limit if limit is not None else (_BOUND if printing.on_terminal() and not as_json else 0)
    with opened(readonly=True) as session:
        if queue is None or not is_own(queue):  # those of the runner begin with their first task
            need_named(session, query, done="nothing was read")
        if parent is not None:
            session.store.get(parent)  # who has no steps is listed with none
        frozen, where = Frozen(session.home.path), Whereabouts(session.home.path)
        is_idle = interrupted(session.store, session.home.path)
        if as_json:
            for task, action in found(session.store, query, bound):
                shape = shapes.task_shape(task, action, frozen.since(task))
                printing.say(shapes.line(shape | {"interrupted": is_idle(task), "node": where.of(task) or None}))
        else:
            _print(list(found(session.store, query, bound + 1 if bound else 0)), bound, frozen, is_idle)


def found(store: Store, query: Query, bound: int) -> Iterator[tuple[Task, Action | None]]:
    """The tasks of a query with their actions, page by page; `bound` 0 gives all."""
    import msgspec

    left = bound or None
    while left is None or left > 0:
        size = _PAGE if left is None else min(_PAGE, left)
        page = store.tasks(msgspec.structs.replace(query, limit=size))
        actions = store.actions({task.action_id for task in page})
        for task in page:
            yield task, actions.get(task.action_id)
        if len(page) < size:
            return
        query = msgspec.structs.replace(query, before=page[-1].id)
        left = None if left is None else left - size


def _print(
    tasks: list[tuple[Task, Action | None]], bound: int, frozen: Frozen, is_idle: Callable[[Task], bool]
) -> None:
    shown = tasks[:bound] if bound else tasks
    rows = [
        _row(task, action, is_frozen=frozen.since(task) is not None, is_idle=is_idle(task)) for task, action in shown
    ]
    for text_line in printing.table(rows, right=(0,), last=printing.room()):
        printing.say(text_line)
    if len(tasks) > len(shown):
        printing.note(f"the {len(shown)} newest; '-n 0' shows all, --state and --queue choose")
    if not rows:
        printing.note("no tasks")


def _row(task: Task, action: Action | None, *, is_frozen: bool, is_idle: bool) -> tuple[str, str, str]:
    state = "interrupted" if is_idle else task.state.value + (f" ({task.reason})" if task.reason else "")
    state = "skipped" if task.skipped else state
    state += ", frozen" if is_frozen else ""
    error = f"  [{printing.clean(task.error)}]" if task.error else ""
    of = f"{task.parent_id} {printing.clean(task.step)}: " if task.parent_id is not None else ""
    return str(task.id), state, of + shapes.title(task, action) + error
