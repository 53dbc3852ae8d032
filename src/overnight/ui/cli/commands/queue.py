"""``queue``: what queues there are, and their limits; also the short forms for the default queue."""

from __future__ import annotations

import re
from typing import Any

import click
import msgspec

from overnight import wiring
from overnight.core.errors import UsageError
from overnight.core.lanes import is_queue, switch_of, switch_words, workflow_of
from overnight.core.states import TaskState
from overnight.core.task import DEFAULT_QUEUE, QUEUE_NAME, QUEUE_NAMES
from overnight.store.contract import Counts, Query, Queue, Store
from overnight.ui.cli import printing, shapes
from overnight.ui.cli.group import SETTINGS, TaskVerb, global_options
from overnight.ui.cli.group import Verb as Command
from overnight.ui.cli.session import made, opened
from overnight.ui.cli.settings import in_use
from overnight.ui.cli.task_options import Request, task_options
from overnight.ui.cli.values import Offered, Rate
from overnight.wiring.queues import of_name
from overnight.wiring.workflows import all_known, unknown

_UNFINISHED = (TaskState.WAITING, TaskState.PENDING, TaskState.RUNNING)


@click.group(context_settings=SETTINGS, params=global_options(hidden=True))
def queue() -> None:
    """Look at queues and set their limits.

    'add', 'list', 'clear' and 'size' are about the default queue.
    """


@queue.command(cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def names(*, as_json: bool) -> None:
    """List the queues with their limits and counts, and the workflows that have limits."""
    with opened(readonly=True) as session:
        if as_json:
            for one in named(session.store):
                printing.say(shapes.line(_shape(session.store, one)))
            return
        rows = queue_rows(session.store)
    for text_line in printing.table(rows, right=(1, 2, 3)):
        printing.say(text_line)


@queue.command("set", cls=Command)
@click.argument("name", type=Offered("queues"), required=False)
@click.option("-w", "--workflow", "flow", type=Offered("workflows"), help="Instead of a queue: what runs of this.")
@click.option("--slots", metavar="N", help="Tasks of it that may run at a time; 'none' for no limit.")
@click.option("--rate", type=Rate(), help="Starts a second at most: 10/s, 30/m; 'none' for no limit.")
def set_(*, name: str | None, flow: str | None, slots: str | None, rate: float | None) -> None:
    """Set the limits of a queue, made if it is new, or of a workflow. What is not said stays as it is.

    A workflow's are about its steps, in whatever queue they are, besides the limits of that queue.
    """
    if slots is None and rate is None:
        raise UsageError("neither --slots nor --rate is given; nothing was changed", hint="overnight queue set --help")
    if (name is None) == (flow is None):
        raise UsageError(
            "one queue is wanted, or one workflow (-w); nothing was changed", hint="overnight queue set --help"
        )
    for one, what in ((name, "queue"), (flow, "workflow")):
        if one is not None and not QUEUE_NAME.fullmatch(one):
            raise UsageError(
                f"{printing.clean(one)!r} cannot be the name of a {what}; nothing was changed",
                hint=f"use {QUEUE_NAMES}",
            )
    with made() as session:
        if flow is not None and flow not in (known := all_known(session.store, in_use()[1].workflows)):
            raise unknown(flow, known, done="nothing was changed")
        after = _set(session.store, name if name is not None else switch_of(flow or ""), slots, rate)
        session.ring()
    printing.say(f"{printing.clean(switch_words(after.name))}: {limits_words(after)}")


def _set(store: Store, name: str, slots: str | None, rate: float | None) -> Queue:
    before = of_name(store, name)
    after = msgspec.structs.replace(
        before,
        slots=before.slots if slots is None else _slots(slots),
        rate=before.rate if rate is None else (rate or None),
    )
    store.set_queue(after, now=wiring.clock.now(), by=wiring.who())
    return after


class FileVerb(TaskVerb):
    """A task verb whose second word may be a priority, below zero, too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if len(args) > 1 and not args[0].startswith("-") and re.fullmatch(r"-?\d+", args[1]):
            args = [args[0], f"--priority={args[1]}", *args[2:]]
        return super().parse_args(ctx, args)


@queue.command(cls=FileVerb)
@task_options
def add(*, request: Request) -> None:
    """Put a file into the default queue: FILE [PRIORITY], and the options of 'overnight add'.

    Without a command it gets the work of the processor that runs it; 'overnight run' takes it through the
    workflow wf-pipeline-full.
    """
    from overnight.ui.cli.commands.add import put

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
    for text_line in printing.table(rows, right=(0, 2), last=printing.room()):
        printing.say(text_line)


@queue.command(cls=Command)
def size() -> None:
    """Print how many tasks the default queue has still to do."""
    with opened(readonly=True) as session:
        printing.say(str(session.store.counts(queue=DEFAULT_QUEUE).unfinished))


@queue.command(cls=Command)
@click.option("--yes", is_flag=True, help="Do not ask.")
def clear(*, yes: bool) -> int:
    """Empty the default queue: forget what waits, and what has failed, was cancelled or is held.

    What runs goes on, and what is completed stays on record.
    """
    from overnight.ui.cli.commands.clean import agreed
    from overnight.wiring import files

    with opened() as session:
        counts = session.store.counts(queue=DEFAULT_QUEUE)
        total = sum(getattr(counts, state) for state in (*files.WAITING, *files.GIVEN_UP))
        if total and not yes and not agreed(f"Forget {printing.count(total, 'task')} that are not completed?"):
            printing.note("overnight: nothing was removed")
            return 0
        removed = files.clear(session.home, session.store, DEFAULT_QUEUE, now=wiring.clock.now(), by=wiring.who())
    printing.say(f"{printing.count(removed, 'task')} removed")
    return 0


def named(store: Store) -> list[Queue]:
    """The queues, without what is set for all of them, and the workflows that have limits."""
    found = store.queues()
    limited = [one for one in found if workflow_of(one.name) and (one.slots or one.rate)]
    return [one for one in found if is_queue(one.name)] + limited


def queue_rows(store: Store) -> list[tuple[str, str, str, str, str]]:
    """Name, running, unfinished, finished and limits of each queue, and of each workflow that has limits."""
    rows = []
    for one in named(store):
        counts = _counts(store, one)
        finished = counts.total - counts.unfinished
        rows.append(
            (
                printing.clean(one.name),
                f"{counts.running:,} running",
                f"{counts.unfinished - counts.running:,} to do",
                f"{finished:,} done",
                limits_words(one),
            )
        )
    return rows


def _counts(store: Store, one: Queue) -> Counts:
    """How many tasks of a queue or a workflow there are."""
    workflow = workflow_of(one.name)
    return store.counts(workflow=workflow) if workflow else store.counts(queue=one.name)


def limits_words(one: Queue) -> str:
    """The limits of a queue or a workflow, for people."""
    words = [] if one.slots is None else [printing.count(one.slots, "slot")]
    words += [] if one.rate is None else [f"{one.rate:g} starts a second"]
    words += ["paused"] if one.paused else []
    return ", ".join(words) or "no limits"


def _shape(store: Store, one: Queue) -> dict[str, Any]:
    counts = _counts(store, one)
    return {
        "name": one.name,
        "workflow": workflow_of(one.name) or None,
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
