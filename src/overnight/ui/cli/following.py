"""Following tasks that another process works on: the journal tells what became of each.

The journal comes a moment after the store, and may be lost; what it has not told when it falls
silent is looked up in the store, so that every task is told of once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from signal import Signals
from typing import Protocol

from overnight import wiring
from overnight.core.errors import NotFoundError
from overnight.core.states import TaskState
from overnight.core.stopping import Ask, Mode, StoppedBy, Stopping
from overnight.core.verdict import Settlement
from overnight.engine.goal import AT_REST, TheseAtRest
from overnight.engine.popped import give_back
from overnight.engine.ports import Observer
from overnight.engine.recovery import as_revival
from overnight.host.home import Home
from overnight.monitor.tail import JournalTail
from overnight.store.contract import Selector, Store, Verb
from overnight.ui.cli import printing
from overnight.ui.cli.elsewhere import Elsewhere, meant_by

#: Seconds between two looks at the journal.
LOOK_EVERY = 0.1
#: Seconds between two looks at the tasks themselves while the journal speaks of others.
LOOK_AGAIN_EVERY = 5.0
#: Tasks held in one action.
_HELD_AT_ONCE = 10_000
#: The events that end a task.
ENDS = frozenset({"file_completed", "file_failed", "file_timeout", "file_held", "file_cancelled"})
_DONE = Stopping(Mode.DRAIN, StoppedBy.QUEUE_EMPTY)


class SignalSource(Protocol):
    """Who says which signals came."""

    def take(self) -> Sequence[Signals]:
        """Those since the last call."""


def follow(
    home: Home, store: Store, goal: TheseAtRest, observer: Observer, signals: SignalSource, *, after: int
) -> Stopping | None:
    """Tell what becomes of these tasks until all are at rest.

    Args:
        home: The home in which another process is the engine.
        store: Its store.
        goal: The tasks.
        observer: Who tells.
        signals: What ends the following, and not the engine's work.
        after: The last event number before the tasks were added.

    Returns:
        Why there is nothing more to follow; None when the engine is gone with work left and nobody meant it.
    """
    tail = JournalTail(home.journal, after=after)
    looked_at = 0.0
    engine = Elsewhere(home, store)
    halted = False
    while True:
        gone = engine.look()
        wiring.keep_up(store)
        told, meant = _tell_news(tail, store, goal, observer)
        engine.heard(meant)
        if (ask := goal.given_up()) is not None:
            _hold(home, store, goal, Ask.HALT if halted else ask)
            halted = True
        counts = store.counts()
        moment = wiring.clock.monotonic()
        behind = not told and counts.unfinished < goal.total - goal.at_rest
        if gone or behind or halted or moment - looked_at >= LOOK_AGAIN_EVERY:
            looked_at = moment
            for task_id in goal.look_again():
                _tell(store, goal, observer, task_id)
        if goal.met() or (looked_at == moment and not gone and _left_to_others(store, goal)):
            return Stopping(Mode.DRAIN, StoppedBy.HALT) if halted else _DONE
        if gone:
            by = StoppedBy.HALT if halted else engine.stopped_by
            return Stopping(Mode.DRAIN, by) if by else None
        if (number := next(iter(signals.take()), None)) is not None:
            return _leave(goal, number)
        observer.ticked(counts, [])
        time.sleep(LOOK_EVERY)


def _leave(goal: TheseAtRest, number: Signals) -> Stopping:
    tasks = printing.count(goal.total - goal.at_rest, "task")
    printing.note(f"overnight: no longer following; the engine goes on with {tasks} of this call")
    return Stopping(Mode.NOW, StoppedBy.SIGNAL, exit_code=128 + number)


def _hold(home: Home, store: Store, goal: TheseAtRest, ask: Ask) -> None:
    """Too many have failed. The engine is somebody else's and goes on, so it is these tasks that are kept back."""
    keep = {TaskState.WAITING, TaskState.PENDING} | ({TaskState.RUNNING} if ask is Ask.HALT_NOW else set())
    ids = [task_id for task_id, state in store.states(goal.open_ids()).items() if state in keep]
    for start in range(0, len(ids), _HELD_AT_ONCE):
        selector = Selector(ids=tuple(ids[start : start + _HELD_AT_ONCE]))
        store.act(Verb.HOLD, selector, now=wiring.clock.now(), by=wiring.who())
    if ids:
        wiring.ring(home)
        printing.note(f"overnight: too many have failed; {printing.count(len(ids), 'task')} of this call are held back")


def _left_to_others(store: Store, goal: TheseAtRest) -> bool:
    """Whether other programs, which are alive, have popped all that is open."""
    return goal.left_to_others() and not give_back(store, wiring.is_alive, now=wiring.clock.now())


def _tell_news(tail: JournalTail, store: Store, goal: TheseAtRest, observer: Observer) -> tuple[int, StoppedBy | None]:
    """Tell what the journal says: of how many of the tasks, and why the engine has stopped, if somebody meant it."""
    told, meant = 0, None
    for event in tail.news():
        task_id = event.get("id", 0)
        if event["event"] in ENDS and goal.is_open(task_id):
            _tell(store, goal, observer, task_id)
            told += 1
        if event["event"] == "file_revived" and goal.includes(task_id) and not goal.is_open(task_id):
            goal.settled(task_id, TaskState.PENDING)
            observer.settled(None, as_revival(task_id))
        if event["event"] == "storm_began":
            printing.note(_STORM.format(event["failures"], printing.clean(event.get("error", ""))))
        meant = meant_by(event) or meant
    return told, meant


_STORM = "overnight: {:,} tasks in a row failed alike ({}); the others wait\n  try: 'overnight status' says for what"


def _tell(store: Store, goal: TheseAtRest, observer: Observer, task_id: int) -> None:
    try:
        task = store.get(task_id)
    except NotFoundError:  # somebody has cleaned it away
        goal.settled(task_id, TaskState.CANCELLED)
        return
    goal.settled(task_id, task.state)
    attempts = store.attempts(task_id)
    if task.state not in AT_REST or not attempts:
        return
    last = attempts[-1]
    settlement = Settlement(
        task_id=task_id,
        attempt=last.number,
        state=task.state,
        outcome=last.outcome,
        failures=task.failures,
        deaths=task.deaths,
        started_at=last.started_at,
        reason=task.reason,
        error=task.error,
        exit_code=last.exit_code,
        signal=last.signal,
        slot=last.slot,
        output=last.output,
    )
    observer.settled(None, settlement)
