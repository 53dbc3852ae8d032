"""``stop``: end the engine and its supervisor, and return when both have ended."""

from __future__ import annotations

import contextlib
import os

import click

from overnight import wiring
from overnight.core.errors import NotRunningError, OvernightError
from overnight.host.home import Home
from overnight.host.lock import Owner, read_owner
from overnight.ui.cli import printing, shapes
from overnight.ui.cli.group import Verb, home_option
from overnight.ui.cli.values import Duration
from overnight.wiring import ending

#: Running tasks that are named.
_FEW = 3


@click.command(cls=Verb)
@click.option("--now", "at_once", is_flag=True, help="End running tasks (TERM, 5 s, KILL); they go back to the queue.")
@click.option("--grace", type=Duration(), help="Let running tasks finish, but not longer than this.")
def stop(*, at_once: bool, grace: float | None) -> None:
    """End the engine, and return when it has ended.

    Nothing new is started; what runs may finish, however long it takes. With --now or after --grace
    it is ended and goes back to the queue, without counting a failure. Nothing is lost in any case.
    """
    home = wiring.find_home(home_option())
    holder = read_owner(home.lock)
    if holder is None:
        raise NotRunningError(
            "no engine runs here; nothing was stopped",
            hint="'overnight status' says how it stands, 'overnight start' starts one",
        )
    if is_within(home):
        ending.ask(home, now=at_once, grace=None if at_once else grace)
        tell("this is a task of the engine that was asked to stop; it is not waited for")
        return
    drain(home, holder, at_once=at_once, grace=grace)
    printing.say("stopped")


def is_within(home: Home) -> bool:
    """Whether we are a task of this home, or were started by one."""
    return os.environ.get("OVERNIGHT_COOKIE") == home.cookie()


def drain(home: Home, holder: Owner, *, at_once: bool, grace: float | None) -> None:
    """Ask for a stop, say what is waited for, and return when the home is free."""
    asked = ending.ask(home, now=at_once, grace=None if at_once else grace)
    if not at_once:
        say_what_runs(home)
    ending.see_ended(home, holder, asked=asked, now=at_once, told=tell)


def tell(words: str) -> None:
    """Say what is done meanwhile."""
    printing.note(f"overnight: {printing.clean(words)}")


def say_what_runs(home: Home) -> None:
    """Name what a stop waits for; nothing when the store does not tell."""
    with contextlib.suppress(OvernightError), contextlib.closing(wiring.open_store(home, readonly=True)) as store:
        from overnight.core.states import TaskState
        from overnight.store.contract import Query

        running = store.counts().running
        if not running:
            return
        tell(f"waiting for {printing.count(running, 'running task')}; 'overnight stop --now' does not wait")
        tasks = store.tasks(Query(states=(TaskState.RUNNING,), limit=_FEW))
        actions = store.actions({task.action_id for task in tasks})
        for task in tasks:
            words = shapes.title(task, actions.get(task.action_id))
            printing.note("  " + printing.fit(f"{task.id}  {words}", printing.width() - 2))
