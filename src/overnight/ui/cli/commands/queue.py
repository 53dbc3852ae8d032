"""``queue``: what queues there are, and their limits; also the short forms for the default queue."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from overnight import wiring
from overnight.core.errors import UsageError
from overnight.core.states import TaskState
from overnight.core.task import DEFAULT_QUEUE
from overnight.store.contract import Query, Queue, Selector, Store, Verb
from overnight.ui.cli import printing, shapes
from overnight.ui.cli.group import SETTINGS, TaskVerb, global_options
from overnight.ui.cli.group import Verb as Command
from overnight.ui.cli.session import made, opened
from overnight.ui.cli.task_options import Request, task_options
from overnight.ui.cli.values import Rate

_UNFINISHED = (TaskState.WAITING, TaskState.PENDING, TaskState.RUNNING)


@click.group(context_settings=SETTINGS, params=global_options(hidden=True))
def queue() -> None:
    """Look at queues and set their limits.

    'add', 'list', 'clear' and 'size' are about the default queue.
    """


@queue.command(cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def names(*, as_json: bool) -> None:
    """List the queues with their limits and counts."""
    with opened(readonly=True) as session:
        if as_json:
            for one in session.store.queues():
                printing.say(shapes.line(_shape(session.store, one)))
            return
        rows = queue_rows(session.store)
    for text_line in printing.table(rows, right=(1, 2, 3)):
        printing.say(text_line)


@queue.command("set", cls=Command)
@click.argument("name")
@click.option("--slots", metavar="N", help="Tasks of this queue that may run at a time; 'none' for no limit.")
@click.option("--rate", type=Rate(), help="Starts a second at most: 10/s, 30/m; 'none' for no limit.")
def set_(*, name: str, slots: str | None, rate: float | None) -> None:
    """Set the limits of a queue, made if it is new. What is not said stays as it is."""
    if slots is None and rate is None:
        raise UsageError("neither --slots nor --rate is given; nothing was changed", hint="overnight queue set --help")
    with made() as session:
        before = next((one for one in session.store.queues() if one.name == name), Queue(name))
        after = msgspec.structs.replace(
            before,
            slots=before.slots if slots is None else _slots(slots),
            rate=before.rate if rate is None else (rate or None),
        )
        session.store.set_queue(after, now=wiring.clock.now(), by=wiring.who())
        session.ring()
    printing.say(f"queue {printing.clean(name)}: {_limits(after)}")


@queue.command(cls=TaskVerb)
@task_options
def add(*, request: Request) -> None:
    """Put a file into the default queue: FILE [PRIORITY], and the options of 'overnight add'."""
    from overnight.ui.cli.commands.add import put

    words = request.inputs
    if len(words) == 2 and words[1].lstrip("-").isdigit():  # noqa: PLR2004 - FILE PRIORITY
        request = msgspec.structs.replace(request, inputs=words[:1], priority=int(words[1]))
    put(request)


@queue.command("list", cls=Command)
def list_() -> None:
    """List what the default queue has still to do, newest first."""
    from overnight.ui.cli.commands.list import found

    with opened(readonly=True) as session:
        query = Query(states=_UNFINISHED, queue=DEFAULT_QUEUE)
        rows = [
            (str(task.id), task.state.value, str(task.priority), shapes.title(task, action))
            for task, action in found(session.store, query, 0)
        ]
    for text_line in printing.table(rows, right=(0, 2), last=printing.width() if printing.on_terminal() else None):
        printing.say(text_line)


@queue.command(cls=Command)
def size() -> None:
    """Print how many tasks the default queue has still to do."""
    with opened(readonly=True) as session:
        printing.say(str(session.store.counts(queue=DEFAULT_QUEUE).unfinished))


@queue.command(cls=Command)
@click.option("--yes", is_flag=True, help="Do not ask.")
def clear(*, yes: bool) -> int:
    """Cancel what waits in the default queue. What runs goes on."""
    from overnight.ui.cli.commands.clean import agreed

    with opened() as session:
        counts = session.store.counts(queue=DEFAULT_QUEUE)
        waiting = counts.waiting + counts.pending
        if waiting and not yes and not agreed(f"Cancel {printing.count(waiting, 'task')}?"):
            printing.note("overnight: nothing was cancelled")
            return 0
        selector = Selector(queue=DEFAULT_QUEUE, states=(TaskState.WAITING, TaskState.PENDING))
        acted = session.store.act(Verb.CANCEL, selector, now=wiring.clock.now(), by=wiring.who())
    printing.say(f"{printing.count(acted.changed, 'task')} cancelled")
    return 0


def queue_rows(store: Store) -> list[tuple[str, str, str, str, str]]:
    """Name, running, unfinished, finished and limits of each queue."""
    rows = []
    for one in store.queues():
        counts = store.counts(queue=one.name)
        finished = counts.total - counts.unfinished
        rows.append(
            (
                printing.clean(one.name),
                f"{counts.running:,} running",
                f"{counts.unfinished - counts.running:,} to do",
                f"{finished:,} done",
                _limits(one),
            )
        )
    return rows


def _limits(one: Queue) -> str:
    words = [] if one.slots is None else [printing.count(one.slots, "slot")]
    words += [] if one.rate is None else [f"{one.rate:g} starts a second"]
    words += ["paused"] if one.paused else []
    return ", ".join(words) or "no limits"


def _shape(store: Store, one: Queue) -> dict[str, Any]:
    counts = store.counts(queue=one.name)
    return {
        "name": one.name,
        "slots": one.slots,
        "rate": one.rate,
        "paused": one.paused,
        "paused_until": printing.iso(one.paused_until),
        "counts": {state.value: getattr(counts, state) for state in TaskState} | {"total": counts.total},
    }


def _slots(words: str) -> int | None:
    if words == "none":
        return None
    if not words.isdigit() or not 0 < int(words) <= 10_000:  # noqa: PLR2004 - more than any machine has
        raise UsageError(f"{words!r} is no number of slots; nothing was changed", hint="--slots 4, or --slots none")
    return int(words)
