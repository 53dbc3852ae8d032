"""What is known around one task: everything that could hold it, read once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from overnight.core.lanes import EVERY_QUEUE, QueueView
from overnight.core.states import TaskState
from overnight.core.task import Task
from overnight.core.why import Around, Engine
from overnight.monitor.snapshot import EngineState, take
from overnight.store.contract import Query, Queue, Store

_ENGINES = {
    EngineState.STOPPED: Engine.NONE,
    EngineState.PAUSED: Engine.PAUSED,
    EngineState.STOPPING: Engine.STOPPING,
    EngineState.SILENT: Engine.SILENT,
}
#: Running tasks whose needs are added up; there are no more slots than this.
_MOST_RUNNING = 4096


def look(store: Store, home: Path, task: Task, totals: Mapping[str, float], *, now: float) -> Around:
    """Look around a task.

    Args:
        store: The store of the home.
        home: The directory with the lock and ``engine.json``.
        task: Who is asked about.
        totals: What this machine has of each named resource.
        now: POSIX seconds.
    """
    picture = take(store, home, now=now)
    queues = {queue.name: queue for queue in store.queues()}
    mine = queues.get(task.queue, Queue(task.queue))
    owners = {one.task_id: one.owner for one in store.popped()} if task.state is TaskState.RUNNING else {}
    return Around(
        now=now,
        engine=_ENGINES.get(picture.engine.state, Engine.WORKING),
        engine_why=picture.engine.why,
        slots=picture.engine.slots,
        running=picture.counts.running,
        running_in_queue=store.counts(queue=task.queue).running,
        queue=_view(mine),
        every_queue=_view(queues[EVERY_QUEUE]) if EVERY_QUEUE in queues else None,
        rate=mine.rate,
        totals=totals,
        used=_used(store) if task.needs else {},
        owner=owners.get(task.id, ""),
    )


def _view(queue: Queue) -> QueueView:
    return QueueView(queue.name, queue.slots, queue.paused, queue.paused_until)


def _used(store: Store) -> dict[str, float]:
    """What running tasks have of each resource."""
    used: Counter[str] = Counter()
    for task in store.tasks(Query(states=(TaskState.RUNNING,), limit=_MOST_RUNNING)):
        for name, amount in task.needs.items():
            used[name] += amount  # type: ignore[assignment]  # a Counter counts in what it is given
    return dict(used)
