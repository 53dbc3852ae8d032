"""``pause ID`` and ``unpause ID``: running tasks stand still, and go on."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from overnight import wiring
from overnight.core.states import TaskState
from overnight.core.task import ActionKind, Task
from overnight.monitor.frozen import Frozen
from overnight.store.contract import Query, Store
from overnight.ui.cli import printing
from overnight.ui.cli.selecting import need_known
from overnight.ui.cli.session import Session

#: Running tasks that are gone through for those that stand still.
_MOST_RUNNING = 4096


def split(store: Store, words: Sequence[str], queues: Collection[str]) -> tuple[list[int], list[str]]:
    """Ids of tasks, and names of queues. A number is a task, unless one of the queues is called so.

    Raises:
        NotFoundError: There is no such task; nothing was changed.
    """
    ids = [int(word) for word in dict.fromkeys(words) if word.isascii() and word.isdigit() and word not in queues]
    need_known(store, ids)
    return ids, [word for word in words if word in queues or not (word.isascii() and word.isdigit())]


def frozen_ids(session: Session) -> list[int]:
    """The tasks that stand still now."""
    frozen = Frozen(session.home.path)
    running = session.store.tasks(Query(states=(TaskState.RUNNING,), steps=True, limit=_MOST_RUNNING))
    return [task.id for task in running if frozen.since(task) is not None]


def ask(session: Session, ids: Sequence[int], *, freeze: bool) -> int:
    """Ask the engine for each of these tasks, and name those for which there is nothing to ask. Returns how many."""
    frozen = Frozen(session.home.path)
    popped = {one.task_id for one in session.store.popped()}
    missed = 0
    for task_id in ids:
        task = session.store.get(task_id)
        refusal = _refusal(session.store, task, popped, is_frozen=frozen.since(task) is not None, freeze=freeze)
        if refusal:
            missed += 1
            printing.note(f"overnight: {refusal[0]}\n  try: {refusal[1]}")
            continue
        verb = "freeze" if freeze else "thaw"
        session.store.ask(verb, now=wiring.clock.now(), by=wiring.who(), task_id=task_id)
        what = "stands still" if freeze else "goes on"
        printing.say(f"task {task_id}: {what} as soon as the engine hears it")
    return missed


def _refusal(store: Store, task: Task, popped: set[int], *, is_frozen: bool, freeze: bool) -> tuple[str, str] | None:
    """Why nothing is asked, and what to type instead."""
    if task.state is not TaskState.RUNNING:
        hint = f"'overnight hold {task.id}' keeps it from starting" if freeze else f"'overnight why {task.id}'"
        return f"task {task.id} is {task.state}, and only what runs can be frozen; nothing was changed", hint
    if store.actions({task.action_id})[task.action_id].kind is ActionKind.WORKFLOW:
        return (
            f"task {task.id} is a workflow, which runs by its steps; nothing was changed",
            f"'overnight list --of {task.id} --state running' names the steps that run; pause those",
        )
    if task.id in popped:
        return (
            f"task {task.id} was taken by a program, and no engine runs it; nothing was changed",
            f"'overnight why {task.id}' names the process",
        )
    if not freeze and not is_frozen and not _is_asked(store, task.id):
        return f"task {task.id} is not frozen; nothing was changed", f"'overnight why {task.id}'"
    return None


def _is_asked(store: Store, task_id: int) -> bool:
    """Whether somebody has asked for it to be frozen, and the engine has not heard of it yet."""
    return any(control.task_id == task_id and control.verb == "freeze" for control in store.orders().controls)
