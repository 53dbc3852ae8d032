"""One picture of now, from which every view is drawn, so that no two of them disagree.

The store says how many tasks are in which state, the lock says whether an engine lives, and
``engine.json`` says what only the engine knows (its rate, the time left, why it pauses). That file is
a claim of its writer: it counts only while the process that wrote it holds the lock.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path

import msgspec

from overnight.core.states import TaskState
from overnight.core.task import Action, Task
from overnight.host.lock import read_owner
from overnight.store.contract import Counts, Query, Store

#: Seconds without a heartbeat after which an engine that holds the lock is reported as hanging.
SILENT_AFTER = 90.0
#: Running tasks in a picture.
MOST_RUNNING = 100


class EngineState(StrEnum):
    """What the engine of a home is doing."""

    STOPPED = "stopped"
    #: It holds the lock and has not written its figures yet.
    STARTING = "starting"
    RUNNING = "running"
    #: It claims nothing for now; `why` says why.
    PAUSED = "paused"
    STOPPING = "stopping"
    #: It holds the lock and has not been heard of for a while.
    SILENT = "silent"


#: What the engine calls what it does.
_STATES = {"stopping": EngineState.STOPPING, "paused": EngineState.PAUSED}


class EngineFile(msgspec.Struct, frozen=True):
    """What the engine writes about itself. Durations are seconds."""

    pid: int
    #: POSIX seconds.
    started_at: float | None = None
    version: str = ""
    state: str = ""
    rate_per_second: float | None = None
    seconds_left: float | None = None
    slots: int | None = None
    last_heartbeat: datetime | None = None
    #: Why it pauses or gave up; empty when all is well.
    why: str = ""


class EngineView(msgspec.Struct, frozen=True):
    """The engine as it is now. What is not known is None."""

    state: EngineState
    pid: int | None = None
    uptime_seconds: float | None = None
    last_heartbeat: float | None = None
    slots: int | None = None
    version: str = ""
    why: str = ""


class RunningView(msgspec.Struct, frozen=True):
    """A task that runs. `seconds` since it began; None when it has not begun yet."""

    task: Task
    action: Action | None
    seconds: float | None


class Snapshot(msgspec.Struct, frozen=True):
    """One picture of now."""

    at: float
    engine: EngineView
    counts: Counts
    #: Newest first, at most `MOST_RUNNING`; `counts.running` says how many there are.
    running: list[RunningView]
    rate_per_second: float | None
    seconds_left: float | None

    @property
    def healthy(self) -> bool:
        """Whether nothing needs a person."""
        return self.engine.state not in (EngineState.SILENT, EngineState.PAUSED)


def take(store: Store, home: Path, *, now: float) -> Snapshot:
    """Look at everything once. Costs the same however many tasks there are.

    Args:
        store: The store of the home.
        home: The directory with the lock and ``engine.json``.
        now: POSIX seconds.
    """
    written = read_engine_file(home / "engine.json")
    engine, figures = _engine(home, written, now)
    return Snapshot(
        at=now,
        engine=engine,
        counts=store.counts(),
        running=_running(store, now),
        rate_per_second=figures.rate_per_second if figures else None,
        seconds_left=figures.seconds_left if figures else None,
    )


def read_engine_file(path: Path) -> EngineFile | None:
    """What an engine last wrote about itself, or None when there is nothing that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=EngineFile)
    except (OSError, msgspec.DecodeError):
        return None


def _engine(home: Path, written: EngineFile | None, now: float) -> tuple[EngineView, EngineFile | None]:
    """The engine, and its own figures when they are of the process that holds the lock."""
    owner = read_owner(home / "lock")
    if owner is None:
        return EngineView(EngineState.STOPPED, why=written.why if written else ""), None
    if written is None or written.pid != owner.pid:
        return EngineView(EngineState.STARTING, pid=owner.pid), None
    heartbeat = None if written.last_heartbeat is None else written.last_heartbeat.timestamp()
    silent = heartbeat is not None and now - heartbeat > SILENT_AFTER
    view = EngineView(
        EngineState.SILENT if silent else _STATES.get(written.state, EngineState.RUNNING),
        pid=owner.pid,
        uptime_seconds=None if written.started_at is None else max(0.0, now - written.started_at),
        last_heartbeat=heartbeat,
        slots=written.slots,
        version=written.version,
        why=written.why,
    )
    return view, written


def _running(store: Store, now: float) -> list[RunningView]:
    tasks = store.tasks(Query(states=(TaskState.RUNNING,), limit=MOST_RUNNING))
    actions = store.actions({task.action_id for task in tasks})
    return [
        RunningView(
            task,
            actions.get(task.action_id),
            None if task.started_at is None else max(0.0, now - task.started_at),
        )
        for task in tasks
    ]
