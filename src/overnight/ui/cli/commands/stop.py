"""``stop``: end the engine, and return when it has ended.

Asked twice over: by the STOP file, which works without the store, and by a control, which says how.
An engine that does not answer ``--now`` is killed; its workers end what they run by themselves,
and the next start finds the books exact.
"""

from __future__ import annotations

import os
import signal
import time

import click

from overnight import wiring
from overnight.core.errors import NotRunningError
from overnight.core.stopping import Ask
from overnight.host.lock import Owner, read_owner
from overnight.ui.cli import printing, shapes
from overnight.ui.cli.group import Verb
from overnight.ui.cli.session import Session, opened
from overnight.ui.cli.values import Duration

_LOOK_EVERY = 0.05
#: Seconds that an engine has for ``--now``: 5 to end its tasks gently, the rest to see them dead.
_PATIENCE = 15.0
#: Running tasks that are named.
_FEW = 3


@click.command(cls=Verb)
@click.option("--now", "at_once", is_flag=True, help="End running tasks (TERM, 5 s, KILL); they go back to the queue.")
@click.option("--grace", type=Duration(), help="Let running tasks finish, but not longer than this.")
def stop(*, at_once: bool, grace: float | None) -> int:
    """End the engine, and return when it has ended.

    Nothing new is started; what runs may finish, however long it takes. With --now or after --grace
    it is ended and goes back to the queue, without counting a failure. Nothing is lost in any case.
    """
    with opened() as session:
        holder = read_owner(session.home.lock)
        if holder is None:
            printing.say("no engine runs; nothing to stop")
            return 0
        session.home.stop.touch()
        ask = Ask.STOP_NOW if at_once else Ask.STOP
        argument = "" if grace is None or at_once else str(grace)
        session.store.ask(ask, now=wiring.clock.now(), by=wiring.who(), argument=argument)
        session.ring()
        if not at_once:
            _say_what_runs(session)
        _see_it_ended(session, holder, patience=_PATIENCE if at_once else None)
    session.home.stop.unlink(missing_ok=True)
    printing.say("stopped")
    return 0


def _say_what_runs(session: Session) -> None:
    from overnight.core.states import TaskState
    from overnight.store.contract import Query

    running = session.store.counts().running
    if not running:
        return
    printing.note(
        f"overnight: waiting for {printing.count(running, 'running task')}; 'overnight stop --now' does not wait"
    )
    tasks = session.store.tasks(Query(states=(TaskState.RUNNING,), limit=_FEW))
    actions = session.store.actions({task.action_id for task in tasks})
    for task in tasks:
        words = shapes.title(task, actions.get(task.action_id))
        printing.note("  " + printing.fit(f"{task.id}  {words}", printing.width() - 2))


def _see_it_ended(session: Session, holder: Owner, *, patience: float | None) -> None:
    """Return when `holder` does not hold the home any more; after `patience` seconds, kill it."""
    began = wiring.clock.monotonic()
    while (owner := read_owner(session.home.lock)) is not None and owner.pid in (holder.pid, None):
        if patience is not None and wiring.clock.monotonic() - began > patience:
            patience = None
            _kill(owner)
        time.sleep(_LOOK_EVERY)


def _kill(owner: Owner) -> None:
    """Kill an engine that does not answer, if it is still the process that took the lock."""
    from overnight.host.processes import Identity, alive

    if owner.pid is None or owner.start is None or not alive(Identity(owner.pid, owner.start, owner.boot_id)):
        raise NotRunningError(
            "the engine does not answer, and which process it is cannot be told; it was not killed",
            hint="look for the process that has the file 'lock' of the home open, as with 'lsof'",
        )
    printing.note(f"overnight: the engine (process {owner.pid}) does not answer and is killed; its workers clean up")
    os.kill(owner.pid, signal.SIGKILL)
