"""What becomes of messages that tasks deliver: that a target cannot be reached is told once, and that it can again."""

from __future__ import annotations

from collections.abc import Callable

from overnight.core.errors import NotFoundError
from overnight.core.states import FINAL, Outcome, TaskState
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
        #: When each target took something last, POSIX seconds.
        self._taken: dict[str, float] = {}

    def look(self, history: History, *, now: float) -> None:
        """See how far they are."""
        handed = [one for one in history.alerting.since(now - FOLLOWED) if one.key not in self._done]
        tasks = [(one, task) for one in handed if (task := self._task_of(one)) is not None]
        for one, task in tasks:
            if task.state is TaskState.COMPLETED:
                self._taken[one.target] = max(task.finished_at or 0.0, self._taken.get(one.target, 0.0))
        for one, task in tasks:
            self._judge(one.target, task, history.alerting, now)
            if task.state in FINAL:
                self._done.add(one.key)

    def _task_of(self, one: Handed) -> Task | None:
        try:
            return self._store.get(one.task)
        except NotFoundError:
            self._done.add(one.key)
            return None

    def _judge(self, target: str, task: Task, alerting: Alerting, now: float) -> None:
        dead_since = alerting.dead().get(target)
        if task.state is TaskState.COMPLETED:
            # What was delivered before it was called dead says nothing about it.
            if dead_since is not None and (task.finished_at or 0.0) > dead_since:
                alerting.call_dead(target, None)
                self._told(f"alerts: target {target} is reached again")
        elif task.failures and dead_since is None and self._failed_at(task) > self._taken.get(target, 0.0):
            alerting.call_dead(target, now)
            self._told(_words(target, task))

    def _failed_at(self, task: Task) -> float:
        """When it failed last: before the target took something else it says nothing, either."""
        failed = (one.finished_at for one in self._store.attempts(task.id) if one.outcome is Outcome.FAILED)
        return max(failed, default=0.0)


def _words(target: str, task: Task) -> str:
    goes_on = "it is not tried any more" if task.state in FINAL else "it is tried again, at growing intervals"
    return (
        f"alerts: target {target} cannot be reached ({task.error}); {goes_on}, and 'overnight alerts list' shows"
        " what waits"
    )
