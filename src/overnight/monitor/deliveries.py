"""What becomes of messages that tasks deliver: that a target cannot be reached is told once, and that it can again."""

from __future__ import annotations

from collections.abc import Callable

from overnight.core.errors import NotFoundError
from overnight.core.states import FINAL, TaskState
from overnight.core.task import Task
from overnight.monitor.history.alerting import Alerting, Handed
from overnight.monitor.history.keeping import History
from overnight.store.contract import Store

#: Seconds for which a message is followed.
FOLLOWED = 86400.0


class Deliveries:
    """Follows them.

    Args:
        store: Where the tasks are.
        told: Is told of targets.
    """

    def __init__(self, store: Store, told: Callable[[str], None]) -> None:
        self._store = store
        self._told = told
        self._done: set[str] = set()

    def look(self, history: History, *, now: float) -> None:
        """See how far they are."""
        for one in history.alerting.since(now - FOLLOWED):
            if one.key not in self._done:
                self._look_at(one, history.alerting, now)

    def _look_at(self, one: Handed, alerting: Alerting, now: float) -> None:
        try:
            task = self._store.get(one.task)
        except NotFoundError:
            self._done.add(one.key)
            return
        target = one.target
        dead_since = alerting.dead().get(target)
        if task.state is TaskState.COMPLETED:
            # What was delivered before it was called dead says nothing about it.
            if dead_since is not None and (task.finished_at or 0.0) > dead_since:
                alerting.call_dead(target, None)
                self._told(f"alerts: target {target} is reached again")
        elif task.failures and dead_since is None:
            alerting.call_dead(target, now)
            self._told(_words(target, task))
        if task.state in FINAL:
            self._done.add(one.key)


def _words(target: str, task: Task) -> str:
    goes_on = "it is not tried any more" if task.state in FINAL else "it is tried again, at growing intervals"
    return (
        f"alerts: target {target} cannot be reached ({task.error}); {goes_on}, and 'overnight alerts list' shows"
        " what waits"
    )
