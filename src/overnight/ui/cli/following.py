"""Following tasks that another process works on: the journal tells what became of each.

The journal comes a moment after the store, and may be lost; what it has not told when it falls
silent is looked up in the store, so that every task is told of once.
"""

from __future__ import annotations

import time
from enum import Enum, auto

from overnight import wiring
from overnight.core.errors import NotFoundError
from overnight.core.states import TaskState
from overnight.core.stopping import StoppedBy
from overnight.core.verdict import Settlement
from overnight.engine.goal import AT_REST, TheseAtRest
from overnight.host.home import Home
from overnight.host.lock import read_owner
from overnight.monitor.tail import JournalTail
from overnight.store.contract import Store
from overnight.ui.cli.narrator import Narrator

#: Seconds between two looks at the journal.
LOOK_EVERY = 0.1
#: Seconds between two looks at the tasks themselves while the journal speaks of others.
LOOK_AGAIN_EVERY = 5.0


class Followed(Enum):
    """Why following came to its end."""

    #: All the tasks are at rest.
    AT_REST = auto()
    #: Somebody has stopped the engine with work left, and meant it.
    STOPPED = auto()
    #: The engine is gone with work left.
    GONE = auto()


#: The events that end a task.
ENDS = frozenset({"file_completed", "file_failed", "file_timeout", "file_held", "file_cancelled"})


def follow(home: Home, store: Store, goal: TheseAtRest, narrator: Narrator, *, after: int) -> Followed:
    """Tell what becomes of these tasks until all are at rest.

    Args:
        home: The home in which another process is the engine.
        store: Its store.
        goal: The tasks.
        narrator: Who tells.
        after: The last event number before the tasks were added.

    Returns:
        Why there is nothing more to follow.
    """
    tail = JournalTail(home.journal, after=after)
    looked_at = 0.0
    stopped = False
    while True:
        gone = read_owner(home.lock) is None
        told, stopped_now = _tell_news(tail, store, goal, narrator)
        stopped = stopped or stopped_now
        counts = store.counts()
        moment = wiring.clock.monotonic()
        behind = not told and counts.unfinished < goal.total - goal.at_rest
        if gone or behind or moment - looked_at >= LOOK_AGAIN_EVERY:
            looked_at = moment
            for task_id in goal.look_again():
                _tell(store, goal, narrator, task_id)
        if goal.met() or gone:
            narrator.clear()
            if goal.met():
                return Followed.AT_REST
            return Followed.STOPPED if stopped else Followed.GONE
        narrator.ticked(counts, [])
        time.sleep(LOOK_EVERY)


def _tell_news(tail: JournalTail, store: Store, goal: TheseAtRest, narrator: Narrator) -> tuple[int, bool]:
    """Tell what the journal says: how many of the tasks it spoke of, and whether somebody stopped the engine."""
    told, stopped = 0, False
    for event in tail.news():
        task_id = event.get("id", 0)
        if event["event"] in ENDS and goal.is_open(task_id):
            _tell(store, goal, narrator, task_id)
            told += 1
        stopped = stopped or (event["event"] == "processor_stopped" and event["why"] == StoppedBy.STOP_SIGNAL)
    return told, stopped


def _tell(store: Store, goal: TheseAtRest, narrator: Narrator, task_id: int) -> None:
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
        output=last.output,
    )
    narrator.settled(None, settlement)
