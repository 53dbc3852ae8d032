"""Following tasks that another process works on: the journal tells what became of each."""

from __future__ import annotations

import time

from overnight.core.states import TaskState
from overnight.core.verdict import Settlement
from overnight.engine.goal import AT_REST, TheseAtRest
from overnight.host.home import Home
from overnight.host.lock import read_owner
from overnight.monitor.tail import JournalTail
from overnight.store.contract import Store
from overnight.ui.cli.narrator import Narrator

#: Seconds between two looks at the journal.
LOOK_EVERY = 0.1


#: The events that end a task.
ENDS = frozenset({"file_completed", "file_failed", "file_timeout", "file_held", "file_cancelled"})


def follow(home: Home, store: Store, goal: TheseAtRest, narrator: Narrator, *, after: int) -> bool:
    """Tell what becomes of these tasks until all are at rest.

    Args:
        home: The home in which another process is the engine.
        store: Its store.
        goal: The tasks.
        narrator: Who tells.
        after: The last event number before the tasks were added.

    Returns:
        True when they are; False when nobody holds the home any more and work is left.
    """
    tail = JournalTail(home.journal, after=after)
    goal.stirred()
    while True:
        for event in tail.news():
            task_id = event.get("id", 0)
            if event["event"] in ENDS and goal.contains(task_id):
                _tell(store, goal, narrator, task_id)
        counts = store.counts()
        if goal.reached(counts):
            narrator.clear()
            return True
        if read_owner(home.lock) is None:
            return False
        narrator.ticked(counts, [])
        time.sleep(LOOK_EVERY)


def _tell(store: Store, goal: TheseAtRest, narrator: Narrator, task_id: int) -> None:
    task = store.get(task_id)
    goal.settled(task_id, task.state)
    attempts = store.attempts(task_id)
    if task.state not in AT_REST or not attempts:
        return
    last = attempts[-1]
    settlement = Settlement(
        task_id=task_id,
        attempt=last.number,
        state=TaskState(task.state),
        outcome=last.outcome,
        failures=task.failures,
        deaths=task.deaths,
        started_at=last.started_at,
        reason=task.reason,
        error=task.error,
        output=last.output,
    )
    narrator.settled(None, settlement)
