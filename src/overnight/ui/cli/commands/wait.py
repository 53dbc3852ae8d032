"""``wait``: come back when tasks are finished."""

from __future__ import annotations

import time

import click

from overnight import wiring
from overnight.core.errors import NotRunningError, UsageError
from overnight.core.states import FINAL, TaskState
from overnight.host.lock import read_owner
from overnight.store.contract import Selector
from overnight.ui.cli import printing
from overnight.ui.cli.group import Verb
from overnight.ui.cli.selecting import is_empty, need_there, selectors
from overnight.ui.cli.session import Session, opened
from overnight.ui.cli.values import Duration

#: Seconds between two looks; a look asks the store whether anything has changed at all.
_LOOK_EVERY = 0.1
#: Seconds without an engine after which waiting is given up. One that restarts is back by then.
_PATIENCE = 5.0
_TIMED_OUT = 124


@click.command(cls=Verb)
@selectors
@click.option("--timeout", type=Duration(endless=True), help="Give up after this time, with exit status 124.")
def wait(*, selector: Selector, timeout: float | None) -> int:
    """Wait until the tasks are finished: ids, a queue (-q), or everything when nothing is said.

    Exits with 0 when all went well, 1 when one of them failed, was cancelled or is held, 3 when no
    engine runs that could finish them, 124 when the time is up.
    """
    if selector.states or selector.cause:
        raise UsageError("wait takes ids, --queue, --workflow or --all; it did not wait", hint="overnight wait --help")
    if is_empty(selector):
        selector = Selector(everything=True)
    with opened(readonly=True) as session:
        need_there(session, selector)
        return _wait(session, selector, timeout)


def _wait(session: Session, selector: Selector, timeout: float | None) -> int:
    clock = wiring.clock
    began = engine_seen = clock.monotonic()
    token: int | None = None
    while True:
        if wiring.keep_up(session.store):
            token = None
        now_token = session.store.change_token()
        if now_token != token:
            token = now_token
            left, troubled = _look(session, selector)
            if not left:
                return _say_trouble(troubled)
        moment = clock.monotonic()
        if timeout is not None and moment - began >= timeout:
            printing.note(f"overnight: {printing.count(left, 'task')} not finished after {printing.duration(timeout)}")
            return _TIMED_OUT
        if read_owner(session.home.lock) is not None:
            engine_seen = moment
        elif moment - engine_seen >= _PATIENCE:
            raise NotRunningError(
                f"no engine runs; {printing.count(left, 'task')} will not be finished",
                hint="'overnight run' works on what is left",
            )
        time.sleep(_LOOK_EVERY)


def _say_trouble(troubled: int) -> int:
    """The exit status of a wait that is over, and the reason when it is not 0."""
    if not troubled:
        return 0
    printing.note(
        f"overnight: nothing is left to wait for; {printing.count(troubled, 'task')} failed, cancelled or held"
    )
    printing.note("  try: 'overnight list' shows which, and why")
    return 1


def _look(session: Session, selector: Selector) -> tuple[int, int]:
    """How many tasks are not finished, and how many have failed, were cancelled or are held."""
    if selector.ids:
        states = list(session.store.states(selector.ids).values())
        stopped = sum(state in FINAL or state is TaskState.HELD for state in states)
        fine = sum(state is TaskState.COMPLETED for state in states)
        return len(states) - stopped, stopped - fine
    counts = session.store.counts(queue=selector.queue, workflow=selector.workflow)
    return counts.unfinished, counts.failed + counts.cancelled + counts.held
