"""``pause`` and ``unpause``: let nothing more start, and let it go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from overnight import wiring
from overnight.core.durations import iso
from overnight.core.errors import NotFoundError
from overnight.core.lanes import EVERY_QUEUE
from overnight.store.contract import Store
from overnight.ui.cli import printing
from overnight.ui.cli.group import Verb
from overnight.ui.cli.session import opened
from overnight.ui.cli.values import Instant
from overnight.wiring import queues, storms
from overnight.wiring.storms import names as storms_of


@click.command(cls=Verb)
@click.argument("names", nargs=-1, metavar="[QUEUE]...")
@click.option("--until", type=Instant(), help="Go on by itself then: 06:00, '2026-03-01 06:00'.")
def pause(names: tuple[str, ...], *, until: float | None) -> None:
    """Let nothing more start: of these queues, or of any.

    What runs may finish. A pause survives restarts; 'overnight unpause' ends it.
    """
    with _changing(names) as store:
        for name in names or (EVERY_QUEUE,):
            queues.pause(store, name, until=until, now=wiring.clock.now(), by=wiring.who())
            ends = f" until {iso(until)}" if until is not None else ""
            printing.say(f"{_what(name)}: paused{ends}; what runs may finish")


@click.command(cls=Verb)
@click.argument("names", nargs=-1, metavar="[QUEUE|WORKFLOW]...")
def unpause(names: tuple[str, ...]) -> None:
    """Let these queues go on; without a name, all that is paused.

    What was stopped because it failed for everybody (a queue's command, or a workflow by its name) goes on as
    well, with everything that failed meanwhile.
    """
    with _changing(names, stormy=True) as store:
        now, by = wiring.clock.now(), wiring.who()
        paused = names or [queue.name for queue in store.queues() if queue.paused]
        gone_on = [name for name in paused if queues.unpause(store, name, now=now, by=by)]
        calmed = storms.end(store, names, now=now, by=by)
    for name in gone_on:
        printing.say(f"{_what(name)}: goes on")
    for what, revived in calmed:
        printing.say(f"{printing.clean(what)}: goes on, and {printing.count(revived, 'failure')} with it")
    if not gone_on and not calmed:
        printing.note("overnight: nothing there was paused; nothing was changed")


@contextmanager
def _changing(names: tuple[str, ...], *, stormy: bool = False) -> Iterator[Store]:
    """The store, in which all these queues exist, or, `stormy`, such storms; the engine is told at the end."""
    with opened() as session:
        known = {queue.name for queue in session.store.queues()}
        if stormy:
            known |= storms_of(session.store)
        for name in names:
            if name not in known:
                raise NotFoundError(
                    f"there is no queue {name!r}; nothing was changed", hint="'overnight queue names' lists them"
                )
        yield session.store
        session.ring()


def _what(name: str) -> str:
    return f"queue {printing.clean(name)}" if name else "every queue"
