"""Running the tasks of a list to their end: in this process, behind an engine that is there, or supervised."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from overnight import wiring
from overnight.core.errors import AlreadyRunningError, NotRunningError
from overnight.host.home import Home
from overnight.host.lock import read_owner
from overnight.monitor.tail import last_seq
from overnight.store.contract import Store
from overnight.ui.cli.boxes import Boxes
from overnight.ui.cli.ending import Ending
from overnight.ui.cli.entering import enter_list, say_notes
from overnight.ui.cli.foreground import Manner, run_work, say_waiting, stay_behind
from overnight.ui.cli.listed import ListWork
from overnight.ui.cli.submit import Resumed
from overnight.wiring.adding import alone

#: A supervisor that is killed, or that gives up, is followed by another one so many times.
_MOST_STARTS = 4


def run_list(
    home: Home,
    work: ListWork,
    manner: Manner,
    *,
    write_back: bool,
    changed: bool = False,
    again: bool = False,
    start: Callable[[], None] | None = None,
) -> tuple[Ending, int]:
    """Work until the tasks of a list are at rest. Returns how it ended, and how many were completed before.

    Args:
        home: Where.
        work: The tasks.
        manner: How.
        write_back: Tick boxes.
        changed: Run again what was completed with another size or time of its file.
        again: Run everything anew.
        start: Starts a supervised engine, to be followed; None: be the engine.
    """
    say_notes(work)
    boxes = Boxes(work) if write_back else None
    manner = manner._replace(observers=(*manner.observers, *([boxes] if boxes else ())))
    entering = partial(enter_list, work=work, boxes=boxes, changed=changed, again=again)
    ended = run_work(home, entering, manner) if start is None else _run_supervised(home, entering, manner, start)
    if boxes is not None:
        _last_look(home, boxes)
    return ended


def _last_look(home: Home, boxes: Boxes) -> None:
    """Tick what nobody has told of: what a person cancelled while it waited."""
    store = wiring.open_store(home, readonly=True)
    try:
        boxes.follow(store)
    finally:
        store.close()


def _run_supervised(
    home: Home, entering: Callable[[Store], Resumed], manner: Manner, start: Callable[[], None]
) -> tuple[Ending, int]:
    """Put the tasks in, have a supervised engine work on them, and follow it; start another one when it is gone."""
    after = last_seq(home.journal)
    store = wiring.open_store(home, create=True)
    try:
        with alone(home, say_waiting):
            resumed = entering(store)
        for _ in range(_MOST_STARTS):
            _want_engine(home, start)
            if (ending := stay_behind(home, store, resumed, manner, after=after)) is not None:
                return ending, resumed.skipped
    finally:
        store.close()
    raise NotRunningError(
        f"the engine ended {_MOST_STARTS} times with work left; every task is on record",
        hint=f"see what {home.log} says, then the same line again",
    )


def _want_engine(home: Home, start: Callable[[], None]) -> None:
    if read_owner(home.lock) is None:
        try:
            start()
        except AlreadyRunningError:
            pass  # somebody else was quicker, and does it
        else:
            return
    wiring.ring(home)
