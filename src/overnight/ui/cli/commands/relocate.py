"""``relocate``: a directory was moved, and what was done there is done in its new place from here on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import click

from overnight import wiring
from overnight.core.errors import UsageError
from overnight.core.relocation import Relocation
from overnight.core.task import text
from overnight.host.home import Home
from overnight.host.lock import HomeLock, about_me
from overnight.ui.cli import printing
from overnight.ui.cli.group import Verb
from overnight.ui.cli.session import opened
from overnight.ui.cli.values import Offered


@click.command(cls=Verb)
@click.argument("was", metavar="OLD", type=Offered("directories"))
@click.argument("now", metavar="NEW", type=Offered("directories"))
@click.option("--dry-run", is_flag=True, help="Say how many tasks that concerns, and change nothing.")
def relocate(*, was: str, now: str, dry_run: bool) -> int:
    """Say that the directory OLD is NEW now: its tasks run there from here on.

    A task runs in the directory that it was added from. After a move, or a restore to another place, nobody but
    you can know whether that directory came along. All tasks of OLD and below are meant, the finished ones, too:
    what is done there already is not done again. Inputs stay as they were typed. Takes a home without an engine.
    """
    relocations = _relocations(was, now)
    with opened(readonly=dry_run) as session, nullcontext() if dry_run else _alone(session.home):
        by, moment = wiring.who(), wiring.clock.now()
        count = sum(session.store.relocate(one, now=moment, by=by, dry_run=dry_run) for one in relocations)
    where = printing.clean(text(relocations[0].to))
    would = "would be done" if dry_run else "is done" if count == 1 else "are done"
    printing.say(
        f"{printing.count(count, 'task')} {would} in {where} from here on" if count else "no task is done there"
    )
    return 0


def _relocations(was: str, now: str) -> list[Relocation]:
    """What was said, the old place by each of its names: --cwd keeps links, the current directory has none.

    Raises:
        UsageError: The new place is no directory, or is the old one.
    """
    to = os.fsencode(os.path.realpath(now))
    if not os.path.isdir(to):  # noqa: PTH112 - bytes
        raise UsageError(f"there is no directory {text(to)}; nothing was changed", hint="name OLD first, then NEW")
    names = dict.fromkeys((os.fsencode(os.path.abspath(was)), os.fsencode(os.path.realpath(was))))  # noqa: PTH100 - both
    found = [Relocation(name, to) for name in names if name != to]
    if not found:
        raise UsageError("both names are of the same directory; nothing was changed", hint="name OLD first, then NEW")
    return found


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """Hold a home without an engine: one keeps what it has claimed."""
    with HomeLock(home.lock) as lock:
        lock.acquire(about_me(home.path, now=wiring.clock.now()))
        yield
