"""``clean``: forget finished tasks."""

from __future__ import annotations

import sys

import click
import msgspec

from overnight import wiring
from overnight.core.errors import UsageError
from overnight.core.states import FINAL, TaskState
from overnight.core.task import Task
from overnight.store.contract import Selector
from overnight.ui.cli import printing
from overnight.ui.cli.group import Verb
from overnight.ui.cli.selecting import is_empty, need_there, selectors
from overnight.ui.cli.session import Session, opened
from overnight.wiring.removing import remove

#: Tasks that are named one by one.
_FEW = 10
_FINAL = tuple(state for state in TaskState if state in FINAL)


@click.command(cls=Verb)
@selectors
@click.option("--yes", is_flag=True, help="Do not ask.")
def clean(*, selector: Selector, yes: bool) -> int:
    """Forget finished tasks: all of them, or those that are selected.

    What has not finished is never forgotten, and what is held only when it is named, by its id or
    by --state held. The totals keep counting what was removed; 'overnight run' with a forgotten
    input works on it again.
    """
    if is_empty(selector):
        selector = Selector(everything=True)
    if not selector.ids and not selector.states:
        selector = msgspec.structs.replace(selector, states=_FINAL)
    with opened() as session:
        need_there(session, selector)
        if not yes and not agreed(_question(session, selector)):
            printing.note("overnight: nothing was removed")
            return 0
        removed = remove(session.home, session.store, selector, now=wiring.clock.now(), by=wiring.who())
        left = [session.store.get(one) for one in session.store.states(selector.ids)] if selector.ids else []
    printing.say(f"{printing.count(removed, 'task')} removed")
    for task in left[:_FEW]:
        printing.note("\n  try: ".join(_why_kept(task)))
    return 1 if left else 0


def _why_kept(task: Task) -> tuple[str, str]:
    """Why a task that was named is not forgotten, and what to type."""
    what = f"overnight: task {task.id} is"
    if task.parent_id is not None:
        return f"{what} a step of task {task.parent_id}, and is forgotten with it", f"overnight clean {task.parent_id}"
    if task.state not in FINAL:
        words = f"{what} {task.state}, and what has not finished is never forgotten"
        return words, f"'overnight cancel {task.id}', then 'overnight clean {task.id}'"
    return f"{what} {task.state}, but was not selected or is still waited for", f"overnight show {task.id}"


def _question(session: Session, selector: Selector) -> str:
    """What is about to be removed, with numbers where they are known."""
    if selector.ids:
        return f"Forget {printing.count(len(selector.ids), 'task')}?"
    if selector.cause:
        return "Forget the selected tasks?"
    counts = session.store.counts(queue=selector.queue, workflow=selector.workflow)
    numbers = {state: getattr(counts, state) for state in selector.states if getattr(counts, state)}
    words = " and ".join(f"{number:,} {state}" for state, number in numbers.items()) or "0"
    return f"Forget {words} {'task' if sum(numbers.values()) == 1 else 'tasks'}?"


def agreed(question: str) -> bool:
    """Ask the person at the terminal. Ctrl-C and the end of input are an answer too, and it is no.

    Raises:
        UsageError: There is none.
        click.Abort: The answer was Ctrl-C.
    """
    if not sys.stdin.isatty():
        raise UsageError("nobody is there to be asked; nothing was changed", hint="add --yes")
    try:
        return click.confirm(question, default=False, err=True)
    except click.Abort:
        printing.note("\novernight: nothing was changed")
        raise
