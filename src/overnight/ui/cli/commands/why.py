"""``why``: the exact gate that holds a task, or the exact cause of its end."""

from __future__ import annotations

import click
import msgspec

from overnight import wiring
from overnight.core.errors import UsageError
from overnight.core.lanes import is_own, is_queue
from overnight.core.states import TaskState
from overnight.core.task import Task
from overnight.core.why import Why, why
from overnight.monitor.around import look
from overnight.store.contract import Query
from overnight.ui.cli import printing
from overnight.ui.cli.group import Verb
from overnight.ui.cli.selecting import need_queue
from overnight.ui.cli.session import Session, opened
from overnight.ui.cli.settings import in_use
from overnight.ui.cli.values import TaskId


@click.command("why", cls=Verb)
@click.argument("task_id", type=TaskId(), metavar="[ID]", required=False)
@click.option(
    "-q", "--queue", is_flag=False, flag_value="", metavar="[NAME]", help="Why nothing runs, in it or at all."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def why_(*, task_id: int | None, queue: str | None, as_json: bool) -> None:
    """Say in one sentence why a task is where it is, and what changes it."""
    if (task_id is None) == (queue is None):
        raise UsageError("one task or --queue is asked about; nothing was read", hint="overnight why 7")
    _, configured = in_use()
    totals = {name: resource.amount for name, resource in configured.resources.items()}
    with opened(readonly=True) as session:
        tasks = [session.store.get(task_id)] if task_id is not None else _heads(session, queue)
        for task in tasks:
            around = look(session.store, session.home.path, task, totals, now=wiring.clock.now())
            action = session.store.actions({task.action_id})[task.action_id]
            _tell(task, why(task, action, around), as_json=as_json)
    if not tasks:
        where = f"queue {printing.clean(queue)}: " if queue else ""
        printing.note(f"{where}there is nothing to do") if as_json else printing.say(f"{where}there is nothing to do")


def _heads(session: Session, queue: str | None) -> list[Task]:
    """Who is next in this queue, or in each that has something to do."""
    if queue and not is_own(queue):
        need_queue(session.store, queue, done="nothing was read")
    names = [queue] if queue else [one.name for one in session.store.queues() if is_queue(one.name)]
    return [task for name in names if (task := _first(session, name)) is not None]


def _first(session: Session, queue: str) -> Task | None:
    """Who is next in a queue; else who waits, else who runs."""
    ahead = session.store.next_up(queue, now=wiring.clock.now())
    if ahead is not None:
        return ahead
    for state in (TaskState.RUNNING, TaskState.WAITING, TaskState.HELD):
        found = session.store.tasks(Query(states=(state,), queue=queue, limit=1))
        if found:
            return found[0]
    return None


def _tell(task: Task, answer: Why, *, as_json: bool) -> None:
    if as_json:
        words = {
            "id": task.id,
            "state": str(task.state),
            "reason": task.reason and str(task.reason),
            "why": answer.sentence,
            "commands": list(answer.commands),
        }
        printing.say(msgspec.json.encode(words).decode())
        return
    printing.say(f"task {task.id} {printing.clean(answer.sentence)}")
    for command in answer.commands:
        printing.say(f"  try: {command}")
