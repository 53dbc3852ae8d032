"""What becomes of messages that tasks deliver: that a target cannot be reached is told once, and that it can again."""

from __future__ import annotations

from collections.abc import Callable

from overnight.core.errors import NotFoundError
from overnight.core.states import FINAL, TaskState
from overnight.core.task import Task
from overnight.monitor.history.alerting import Sent
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
        #: Targets that cannot be reached, as far as was told.
        self._dead: set[str] = set()

    def look(self, history: History, *, now: float) -> None:
        """See how far they are."""
        for sent in history.alerting.since(now - FOLLOWED):
            if sent.task is not None and sent.message.key not in self._done:
                self._look_at(sent, sent.task)

    def _look_at(self, sent: Sent, task_id: int) -> None:
        target = sent.message.target
        try:
            task = self._store.get(task_id)
        except NotFoundError:
            self._done.add(sent.message.key)
            return
        if task.state in FINAL:
            self._done.add(sent.message.key)
        if task.state is TaskState.COMPLETED and target in self._dead:
            self._dead.discard(target)
            self._told(f"alerts: target {target} is reached again")
        elif task.failures and task.state is not TaskState.COMPLETED and target not in self._dead:
            self._dead.add(target)
            self._told(_words(target, task))


def _words(target: str, task: Task) -> str:
    goes_on = "it is not tried any more" if task.state in FINAL else "it is tried again, at growing intervals"
    return (
        f"alerts: target {target} cannot be reached ({task.error}); {goes_on}, and 'overnight alerts list' shows"
        " what waits"
    )
