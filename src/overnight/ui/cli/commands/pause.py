"""``pause`` and ``unpause``: let nothing more start, let a running task stand still, and let it go on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from overnight import wiring
from overnight.core.durations import iso
from overnight.core.errors import UsageError
from overnight.core.lanes import EVERY_QUEUE, is_queue, switch_of, switch_words
from overnight.store.contract import Store
from overnight.ui.cli import freezing, printing
from overnight.ui.cli.group import Verb
from overnight.ui.cli.selecting import need_workflow
from overnight.ui.cli.session import Session, opened
from overnight.ui.cli.values import Instant, Offered
from overnight.wiring import queues, storms
from overnight.wiring.storms import names as storms_of


@click.command(cls=Verb)
@click.argument("names", nargs=-1, metavar="[QUEUE|ID]...")
@click.option("-w", "--workflow", "flows", multiple=True, type=Offered("workflows"), help="Tasks of this workflow.")
@click.option("--until", type=Instant(), help="Go on by itself then: 06:00, '2026-03-01 06:00'.")
def pause(names: tuple[str, ...], *, flows: tuple[str, ...], until: float | None) -> int:
    """Let nothing more start: of these queues or workflows, or of any. With the id of a running task, freeze that.

    What runs may finish. A pause survives restarts; 'overnight unpause' ends it. A frozen task keeps its
    slot, its memory and what it has done; its time limits stand still with it. It does not survive
    its engine.
    """
    with _changing(names, flows) as (session, ids, known):
        if ids and until is not None:
            raise UsageError(
                "--until is for queues, and a task was named; nothing was changed",
                hint=f"'overnight pause {ids[0]}' without it, and 'overnight unpause {ids[0]}' when it is time",
            )
        missed = freezing.ask(session, ids, freeze=True)
        for name in known or (() if ids else (EVERY_QUEUE,)):
            queues.pause(session.store, name, until=until, now=wiring.clock.now(), by=wiring.who())
            ends = f" until {iso(until)}" if until is not None else ""
            printing.say(f"{printing.clean(switch_words(name))}: paused{ends}; what runs may finish")
    return 1 if missed else 0


@click.command(cls=Verb)
@click.argument("names", nargs=-1, metavar="[QUEUE|WORKFLOW|ID]...")
@click.option("-w", "--workflow", "flows", multiple=True, type=Offered("workflows"), help="Tasks of this workflow.")
def unpause(names: tuple[str, ...], *, flows: tuple[str, ...]) -> int:
    """Let these queues, workflows and frozen tasks go on; without a name, all that is paused or frozen.

    What was stopped because it failed for everybody (a queue's command, or a workflow by its name) goes on as
    well, with everything that failed meanwhile.
    """
    with _changing(names, flows, stormy=True) as (session, ids, known):
        wanted = (*names, *flows)
        thawed = ids if wanted else freezing.frozen_ids(session)
        missed = freezing.ask(session, thawed, freeze=False)
        paused = known if wanted else [queue.name for queue in session.store.queues() if queue.paused]
        gone_on = [name for name in paused if _unpause(session.store, name)]
        calmed = storms.end(session.store, wanted, now=wiring.clock.now(), by=wiring.who())
        everything = any(queue.name == EVERY_QUEUE and queue.paused for queue in session.store.queues())
    _say_gone_on(gone_on, calmed)
    if not gone_on and not calmed and not thawed:
        printing.note("overnight: nothing there was paused; nothing was changed")
    if everything:
        printing.note("overnight: every queue is paused, so nothing starts\n  try: 'overnight unpause'")
    return 1 if missed else 0


def _say_gone_on(names: Sequence[str], calmed: Sequence[tuple[str, int]]) -> None:
    for name in names:
        printing.say(f"{printing.clean(switch_words(name))}: goes on")
    for what, revived in calmed:
        printing.say(f"{printing.clean(what)}: goes on, and {printing.count(revived, 'failure')} with it")


def _unpause(store: Store, name: str) -> bool:
    return queues.unpause(store, name, now=wiring.clock.now(), by=wiring.who())


@contextmanager
def _changing(
    words: Sequence[str], flows: Sequence[str], *, stormy: bool = False
) -> Iterator[tuple[Session, list[int], list[str]]]:
    """The store, the tasks and the queues (`stormy`: or storms) that are named; all of them exist. Rings at the end."""
    with opened() as session:
        known = {queue.name for queue in session.store.queues() if is_queue(queue.name)}
        ids, names = freezing.split(session.store, words, known)
        known |= storms_of(session.store) if stormy else set()
        for name in names:
            if name not in known:
                raise queues.no_queue(name, done="nothing was changed")
        for name in flows:
            need_workflow(session.store, name, done="nothing was changed")
        yield session, ids, [*names, *map(switch_of, flows)]
        session.ring()
