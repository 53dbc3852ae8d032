"""What becomes of messages that tasks deliver: that a target cannot be reached is told once, and that it can again."""

from __future__ import annotations

from collections.abc import Callable

from overnight.core.errors import NotFoundError
from overnight.core.states import FINAL, TaskState
from overnight.core.task import Task
from overnight.monitor.history.alerting import Alerting, Sent
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
        open_ = [one for one in history.alerting.since(now - FOLLOWED) if one.message.key not in self._done]
        for sent in open_:
            if sent.task is not None:
                self._look_at(sent, sent.task, history.alerting)

    def _look_at(self, sent: Sent, task_id: int, alerting: Alerting) -> None:
        target = sent.message.target
        try:
            task = self._store.get(task_id)
        except NotFoundError:
            self._done.add(sent.message.key)
            return
        is_done = task.state is TaskState.COMPLETED
        is_dead = target in alerting.dead()
        if is_done and is_dead:
            alerting.call_dead(target, is_dead=False)
            self._told(f"alerts: target {target} is reached again")
        elif task.failures and not is_done and not is_dead:
            alerting.call_dead(target, is_dead=True)
            self._told(_words(target, task))
        if task.state in FINAL:
            self._done.add(sent.message.key)


def _words(target: str, task: Task) -> str:
    goes_on = "it is not tried any more" if task.state in FINAL else "it is tried again, at growing intervals"
    return (
        f"alerts: target {target} cannot be reached ({task.error}); {goes_on}, and 'overnight alerts list' shows"
        " what waits"
    )
