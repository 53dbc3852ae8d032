"""``schedule``: what runs by the clock, when it does so next, and to run it now."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from typing import Any

import click

from overnight import wiring
from overnight.core.calendars import instants
from overnight.core.errors import NotFoundError
from overnight.core.schedules import Scheduled
from overnight.engine.scheduling import calendar_of, run_of
from overnight.host.clock import zone_of
from overnight.host.lock import read_owner
from overnight.ui.cli import printing, shapes
from overnight.ui.cli.group import SETTINGS, Verb, global_options
from overnight.ui.cli.session import Session, made, opened
from overnight.ui.cli.settings import home_in_use, in_use
from overnight.ui.cli.values import Offered
from overnight.wiring import schedules

#: Seconds ahead in which runs are listed: ten years.
_AHEAD = 10 * 366 * 86400.0


@click.group(context_settings=SETTINGS, params=global_options(hidden=True))
def schedule() -> None:
    """Look at what runs by the clock, and run it now.

    Schedules stand in overnight.toml. Each of these commands takes over what the file says now; an engine that
    runs follows.
    """


@schedule.command("list", cls=Verb)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def list_(*, as_json: bool) -> None:
    """List the schedules: when, next, last, and how many runs were missed."""
    with _looked_up() as found:
        now = wiring.clock.now()
        if as_json:
            for one in found:
                printing.say(shapes.line(shape(one)))
            return
        rows = [_row(one, now) for one in found]
    for line in printing.table(rows):
        printing.say(line)
    if not rows:
        printing.note("overnight: there is no schedule; write one into overnight.toml: [schedules.NAME]")
    elif read_owner(home_in_use().lock) is None:
        printing.note("overnight: no engine runs, and nothing starts by the clock\n  try: 'overnight start'")


@schedule.command("next", cls=Verb)
@click.argument("names", nargs=-1, type=Offered("schedules"), metavar="[NAME]...")
@click.option("-n", "--limit", type=click.IntRange(1, 10_000), default=10, show_default=True, help="How many runs.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def next_(*, names: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List the runs to come, of all schedules or of these, in their order."""
    with _looked_up() as found:
        wanted = [_named(found, name) for name in names] or found
    for at, name in islice(heapq.merge(*map(_coming, wanted)), limit):
        words = f"{printing.zoned(at)}  {printing.clean(name)}"
        printing.say(shapes.line({"schedule": name, "at": printing.iso(at)}) if as_json else words)
    for one in wanted:
        if one.next_at is None:
            printing.note(f"overnight: {one.schedule.name}: {_never(one)}")


@schedule.command(cls=Verb)
@click.argument("name", type=Offered("schedules"))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def run(*, name: str, as_json: bool) -> None:
    """Put what a schedule runs into its queue, now.

    When it is due next stays as it is. Prints the id of the task.
    """
    with _looked_up() as known:
        _named(known, name)  # no home is made for what is not there
    with _known(made()) as (session, found):
        settings, _ = in_use()
        now = wiring.clock.now()
        task = run_of(_named(found, name), now, schedules.surroundings(settings))
        task_id = session.store.run_schedule(name, task, now=now, by=wiring.who())
        session.ring()
    printing.say(shapes.line({"schedule": name, "id": task_id}) if as_json else str(task_id))


@contextmanager
def _looked_up() -> Iterator[list[Scheduled]]:
    """The schedules, to look at: where there is no home yet, those of the file."""
    home = home_in_use()
    if os.path.lexists(home.path):
        with _known(opened()) as (_, found):
            yield found
    else:
        yield sorted(schedules.as_written(home, *in_use(), now=wiring.clock.now()), key=lambda one: one.schedule.name)


@contextmanager
def _known(opening: AbstractContextManager[Session]) -> Iterator[tuple[Session, list[Scheduled]]]:
    """The schedules as the file has them now, laid down."""
    with opening as session:
        if schedules.lay_down(session.store, session.home, *in_use()):
            session.ring()
        yield session, session.store.schedules()


def _named(found: list[Scheduled], name: str) -> Scheduled:
    for one in found:
        if one.schedule.name == name:
            return one
    known = ", ".join(one.schedule.name for one in found)
    hint = f"there are: {known}" if known else f"write it into overnight.toml: [schedules.{name}]"
    raise NotFoundError(f"there is no schedule {name!r}; nothing was done", hint=hint)


def _coming(found: Scheduled) -> Iterator[tuple[float, str]]:
    """Its runs from now on; one that is overdue comes first."""
    if found.next_at is None:
        return
    name = found.schedule.name
    yield found.next_at, name
    later = instants(calendar_of(found, zone_of), after=found.next_at, until=found.next_at + _AHEAD)
    yield from ((at, name) for at in later)


def shape(found: Scheduled) -> dict[str, Any]:
    """For programs."""
    how = found.schedule
    return {
        "name": how.name,
        "cron": how.when.cron or None,
        "every_seconds": how.when.every,
        "at": list(how.when.at),
        "tz": how.when.tz or None,
        "missed": how.missed,
        "overlap": how.overlap,
        "grace_seconds": how.grace,
        "run": [shapes.safe(word) for word in how.run] or None,
        "call": how.call or None,
        "workflow": how.workflow or None,
        "input": shapes.safe(how.input),
        "queue": how.queue,
        "next_at": printing.iso(found.next_at),
        "last_at": printing.iso(found.last_at),
        "last_id": found.last_id,
        "missed_runs": found.missed,
        "open": list(found.open),
    }


def _row(found: Scheduled, now: float) -> tuple[str, ...]:
    how = found.schedule
    last = "has not run" if found.last_at is None else f"last {printing.clock(found.last_at)}, task {found.last_id}"
    about = f", {printing.count(found.missed, 'run')} missed" if found.missed else ""
    coming = _never(found) if found.next_at is None else _coming_at(found.next_at, now)
    return how.name, printing.clean(how.when.words()), coming, last + about


def _never(found: Scheduled) -> str:
    if found.came_too_late:
        return "never: that was over when it was laid down; write a later time into overnight.toml"
    return "never again"


def _coming_at(at: float, now: float) -> str:
    left = at - now
    return f"next {printing.zoned(at)}, " + (f"in {printing.duration(left)}" if left > 0 else "due")
