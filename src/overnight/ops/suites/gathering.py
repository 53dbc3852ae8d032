"""From what runs of tests have said to the history of them.

A record is removed after it was taken in, and none is taken in twice, so it does not matter where this dies.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from overnight.host.clock import Clock
from overnight.host.home import Home
from overnight.ops.suites.keeping import SuiteStore
from overnight.ops.suites.records import Run, left, sweep

#: Says why an attempt of a task was ended by us (a limit, a person); empty where it was not. Takes task and attempt.
WhyEnded = Callable[[int, int], str]


def gather(home: Home, store: SuiteStore, *, keep: int, why_ended: WhyEnded, clock: Clock) -> None:
    """Take in the records of runs that have ended, however they did.

    Args:
        home: Whose records.
        store: Where to.
        keep: So many runs of a suite stay.
        why_ended: Tells more of those that were killed.
        clock: Its wall clock says what is old.

    Raises:
        apsw.Error: It could not be written; what was not taken in is still there.
        OSError: A record could not be removed.
    """
    sweep(home.tests_under_way, now=clock.now())
    for path, run in sorted(left(home.tests_under_way), key=lambda found: found[1].began_at):
        store.save([explained(run, why_ended)], keep=keep)
        path.unlink(missing_ok=True)


def explained(run: Run, why_ended: WhyEnded) -> Run:
    """A run with the reason why nobody saw its end, where somebody knows it."""
    if run.ended.exit_code is not None or run.ended.signal is not None or run.task_id is None or run.attempt is None:
        return run
    why = why_ended(run.task_id, run.attempt)
    return msgspec.structs.replace(run, ended=msgspec.structs.replace(run.ended, trouble=why)) if why else run
