"""One picture of now, from which every view is drawn, so that no two of them disagree.

The store says how many tasks are in which state, the lock says whether an engine lives, and
``engine.json`` says what only the engine knows (its rate, the time left, why it pauses). That file is
a claim of its writer: it counts only while the process that wrote it holds the lock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from overnight.core.durations import iso
from overnight.core.gates import Gate
from overnight.core.lanes import EVERY_QUEUE, is_paused, is_queue, switch_words, workflow_of
from overnight.core.schedules import Scheduled
from overnight.core.slots import Bounds
from overnight.core.states import TaskState
from overnight.core.supervision import Report
from overnight.core.task import Action, ActionKind, Task
from overnight.host.lock import Owner, read_owner
from overnight.host.processes import alive
from overnight.monitor.frozen import Frozen
from overnight.monitor.heartbeats import Beat, last_beat
from overnight.monitor.nodes import Whereabouts
from overnight.monitor.nodes import look as look_at_nodes
from overnight.monitor.progress import Progress, reports
from overnight.store.contract import Counts, Query, Queue, Store, Storm

if TYPE_CHECKING:  # most homes have no nodes
    from overnight.core.nodes import NodesView

#: Seconds without a heartbeat after which an engine that holds the lock is reported as hanging.
SILENT_AFTER = 90.0
#: Running tasks in a picture.
MOST_RUNNING = 100
#: Running tasks and steps that are gone through for it.
_MOST_LOOKED_AT = 4096


class EngineState(StrEnum):
    """What the engine of a home is doing."""

    STOPPED = "stopped"
    #: It holds the lock and has not written its figures yet.
    STARTING = "starting"
    #: The last one has crashed, and its supervisor is about to start another one; `why` says more.
    RESTARTING = "restarting"
    RUNNING = "running"
    #: It claims nothing for now; `why` says why.
    PAUSED = "paused"
    STOPPING = "stopping"
    #: It holds the lock and has not been heard of for a while.
    SILENT = "silent"


#: What the engine calls what it does.
_STATES = {"stopping": EngineState.STOPPING, "paused": EngineState.PAUSED}
#: States that need somebody to look.
_TROUBLE = frozenset({EngineState.SILENT, EngineState.PAUSED, EngineState.RESTARTING})


class GateView(msgspec.Struct, frozen=True):
    """A gate that holds: what there is not enough of, how much there is, and how much opens it."""

    gate: Gate
    available_bytes: int
    needed_bytes: int


class EngineFile(msgspec.Struct, frozen=True):
    """What the engine writes about itself. Durations are seconds."""

    pid: int
    #: POSIX seconds.
    started_at: float | None = None
    version: str = ""
    state: str = ""
    rate_per_second: float | None = None
    seconds_left: float | None = None
    uptime_seconds: float | None = None
    slots: int | None = None
    active: int | None = None
    bounds: Bounds | None = None
    gates: list[GateView] = []
    containment: str = ""
    #: The slots that were said at the start; None: as the settings have it.
    jobs: int | str | None = None
    last_heartbeat: datetime | None = None
    #: Why it pauses or gave up; empty when all is well.
    why: str = ""
    supervisor: Report | None = None


class SupervisorView(msgspec.Struct, frozen=True):
    """Who starts the engine again when it crashes, and how it went so far."""

    pid: int
    #: It is there. One that was killed leaves its engine alone.
    alive: bool
    gave_up: bool
    #: How often it has started an engine again.
    restarts: int
    #: How the last engine that crashed came to its end, and when (POSIX seconds).
    last_crash: str
    last_crash_at: float | None


class EngineView(msgspec.Struct, frozen=True):
    """The engine as it is now. What is not known is None."""

    state: EngineState
    pid: int | None = None
    uptime_seconds: float | None = None
    last_heartbeat: float | None = None
    #: How many attempts run at the same time, between what that moves, and how many workers have something to do.
    slots: int | None = None
    bounds: Bounds | None = None
    active: int | None = None
    gates: list[GateView] = []
    #: What the engine can contain on this machine, in words; empty where it has not said.
    containment: str = ""
    version: str = ""
    why: str = ""
    #: None: nobody watches over it, and nobody is meant to.
    supervisor: SupervisorView | None = None
    #: When it was started, POSIX seconds; of one that is no more, too.
    started_at: float | None = None


class RunningView(msgspec.Struct, frozen=True):
    """A task that runs. `seconds` since it began; None when it has not begun yet, or runs no more."""

    task: Task
    action: Action | None
    seconds: float | None
    #: Of a workflow task, the names of its steps that run.
    steps: tuple[str, ...] = ()
    #: What it said last of how far it is; of a workflow task, that of one of its steps.
    report: Progress | None = None
    #: It ran when its engine ended. Nobody works on it until the next one starts.
    interrupted: bool = False
    #: Since when it stands still, POSIX seconds; None while it does not.
    frozen_since: float | None = None
    #: The node on which it runs; empty: the machine of the engine.
    node: str = ""


class Snapshot(msgspec.Struct, frozen=True):
    """One picture of now."""

    at: float
    engine: EngineView
    counts: Counts
    #: Newest first, no more than were asked for, and the one that runs longest; `counts.running` is how many there are.
    running: list[RunningView]
    #: None while nothing starts: a rate would promise what is not to be expected.
    rate_per_second: float | None
    seconds_left: float | None
    #: The last line of ``heartbeat.log``, whether its engine lives or not.
    heartbeat: Beat | None = None
    #: What has failed for so many tasks that the others wait.
    storms: list[Storm] = []
    #: By name; each knows when it is due next.
    schedules: list[Scheduled] = []
    #: Tasks and steps that run by the books and by no record; 0 when all is well.
    unaccounted: int = 0
    #: What a person has paused so that nothing may start, with an engine or without: "every queue until ..."; or empty.
    paused: str = ""
    #: The nodes of the engine, or of the last one; None when it has none.
    nodes: NodesView | None = None

    @property
    def interrupted(self) -> int:
        """Of those that run by the books, how many ran when their engine ended and wait for the next one."""
        is_stopped = self.engine.state is EngineState.STOPPED
        return self.counts.running - self.counts.popped if is_stopped else 0

    @property
    def healthy(self) -> bool:
        """Whether nothing needs a person."""
        watch = self.engine.supervisor
        calm = not self.engine.gates and not self.storms and not self.unaccounted
        return self.engine.state not in _TROUBLE and calm and (watch is None or watch.alive)


def take(store: Store, home: Path, *, now: float, most_running: int = MOST_RUNNING) -> Snapshot:
    """Look at everything once. Costs the same however many tasks there are.

    Args:
        store: The store of the home.
        home: The directory with the lock and ``engine.json``.
        now: POSIX seconds.
        most_running: Running tasks in it; who counts only needs few of them, and each costs some 20 µs. One: without
            what it reports.
    """
    written = read_engine_file(home / "engine.json")
    engine, figures = _engine(home, written, now)
    counts = store.counts()
    paused = _paused_by_hand(store, counts, now)
    if engine.state in (EngineState.STOPPED, EngineState.STARTING) and (leader := store.leader()):
        engine = msgspec.structs.replace(engine, state=EngineState.RUNNING, why=f"on {leader}")
    if engine.state is EngineState.RUNNING and paused:
        why = f"a person has paused {paused}; 'overnight unpause' lets it go on"
        engine = msgspec.structs.replace(engine, state=EngineState.PAUSED, why=why)
    if engine.state is EngineState.PAUSED:
        figures = None
    return Snapshot(
        at=now,
        engine=engine,
        counts=counts,
        running=_running(
            store,
            home,
            now,
            _newest_and_longest(store, most_running),
            _in_hand(store) if engine.state is EngineState.STOPPED else None,
            listed=most_running > 1,
        ),
        rate_per_second=figures.rate_per_second if figures else None,
        seconds_left=figures.seconds_left if figures else None,
        heartbeat=last_beat(home / "heartbeat.log"),
        storms=store.storms(),
        schedules=store.schedules(),
        unaccounted=store.unaccounted(),
        paused=paused,
        nodes=look_at_nodes(home, engine.started_at, lambda: store.orders().lanes),
    )


def _paused_by_hand(store: Store, counts: Counts, now: float) -> str:
    """What a person has paused, when nothing may start for that: every queue, or all those with something to do."""
    paused = {queue.name: queue for queue in store.queues() if is_paused(queue, now)}
    if EVERY_QUEUE in paused:
        return _switched([paused[EVERY_QUEUE]])
    for some in ([one for one in paused.values() if is_queue(one.name) is whole] for whole in (True, False)):
        left = sum(_counts_of(store, one.name).unfinished for one in some)
        if some and 0 < counts.unfinished <= left:
            return _switched(some)
    return ""


def _counts_of(store: Store, name: str) -> Counts:
    """The tasks of a queue, or of a workflow."""
    return store.counts(queue=name) if is_queue(name) else store.counts(workflow=workflow_of(name))


def _switched(paused: Sequence[Queue]) -> str:
    until = [f" until {iso(one.paused_until)}" if one.paused_until is not None else "" for one in paused]
    return " and ".join(switch_words(one.name) + end for one, end in zip(paused, until, strict=True))


def read_engine_file(path: Path) -> EngineFile | None:
    """What an engine last wrote about itself, or None when there is nothing that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=EngineFile)
    except (OSError, msgspec.DecodeError):
        return None


def _engine(home: Path, written: EngineFile | None, now: float) -> tuple[EngineView, EngineFile | None]:
    """The engine, and its own figures when they are of the process that holds the lock."""
    owner = read_owner(home / "lock")
    watch = _supervisor(owner, written)
    why = written.why if written else ""
    if owner is None:
        return EngineView(EngineState.STOPPED, why=why, supervisor=watch, started_at=_started(written)), None
    if owner.is_supervisor:
        restarting = written is not None and written.state == "restarting"
        state = EngineState.RESTARTING if restarting else EngineState.STARTING
        return EngineView(state, why=why if restarting else "", supervisor=watch), None
    if written is None or written.pid != owner.pid:
        return EngineView(EngineState.STARTING, pid=owner.pid, supervisor=watch), None
    heartbeat = None if written.last_heartbeat is None else written.last_heartbeat.timestamp()
    silent = heartbeat is not None and now - heartbeat > SILENT_AFTER
    view = EngineView(
        EngineState.SILENT if silent else _STATES.get(written.state, EngineState.RUNNING),
        pid=owner.pid,
        uptime_seconds=_uptime(written, heartbeat, now),
        last_heartbeat=heartbeat,
        slots=written.slots,
        bounds=written.bounds,
        active=written.active,
        gates=written.gates,
        containment=written.containment,
        version=written.version,
        why=written.why,
        supervisor=watch,
        started_at=_started(written),
    )
    return view, written


def _started(written: EngineFile | None) -> float | None:
    return written.started_at if written else None


def _uptime(written: EngineFile, heartbeat: float | None, now: float) -> float | None:
    """By the engine's own measure as far as there is one: the wall clock may have been set since it began."""
    if written.uptime_seconds is not None and heartbeat is not None:
        return written.uptime_seconds + max(0.0, now - heartbeat)
    return None if written.started_at is None else max(0.0, now - written.started_at)


def _supervisor(owner: Owner | None, written: EngineFile | None) -> SupervisorView | None:
    """The supervisor of whoever holds the lock; without a holder one that gave up, for that was its last word."""
    report = written.supervisor if written else None
    if owner is None:
        return _view(report, alive=False) if report and report.gave_up else None
    if owner.supervisor is None:
        return None
    who = owner.who_supervises()
    told = report if report and report.pid == owner.supervisor and not report.gave_up else Report(owner.supervisor)
    return _view(told, alive=who is not None and alive(who))


def _view(report: Report, *, alive: bool) -> SupervisorView:
    return SupervisorView(report.pid, alive, report.gave_up, report.restarts, report.last_crash, report.last_crash_at)


def _in_hand(store: Store) -> set[int]:
    """The tasks that programs outside the engine have taken; they go on without one."""
    return {one.task_id for one in store.popped()}


def interrupted(store: Store, home: Path) -> Callable[[Task], bool]:
    """Which tasks run by the books alone: they ran when their engine ended, and wait for the next one."""
    going_on = _in_hand(store) if read_owner(home / "lock") is None else None
    return lambda task: task.state is TaskState.RUNNING and _is_idle(task, going_on)


def _running(
    store: Store, home: Path, now: float, tasks: list[Task], going_on: set[int] | None, *, listed: bool
) -> list[RunningView]:
    """What runs by the books. `going_on`: without an engine, all that does; None for everything.

    `listed`: they are shown. Who counts only is not told what they report, which lies in a file for each attempt.
    """
    actions = store.actions({task.action_id for task in tasks})
    steps = _running_steps(store) if any(one.kind is ActionKind.WORKFLOW for one in actions.values()) else {}
    shown = {(one.id, one.attempt) for task in tasks for one in (task, *steps.get(task.id, ()))}
    told = reports(home / "spool", shown) if tasks and listed else {}
    frozen, where = Frozen(home), Whereabouts(home)
    return [
        RunningView(
            task,
            actions.get(task.action_id),
            None if task.started_at is None or _is_idle(task, going_on) else max(0.0, now - task.started_at),
            tuple(one.step for one in steps.get(task.id, ())),
            next(
                (found for one in (task, *steps.get(task.id, ())) if (found := told.get((one.id, one.attempt)))), None
            ),
            interrupted=_is_idle(task, going_on),
            frozen_since=frozen.since(task),
            node=where.of(task) if listed else "",
        )
        for task in tasks
    ]


def _newest_and_longest(store: Store, limit: int) -> list[Task]:
    tasks = store.tasks(Query(states=(TaskState.RUNNING,), limit=limit))
    if len(tasks) < limit:
        return tasks
    longest = store.longest_running()
    known = longest is None or any(one.id == longest.id for one in tasks)
    return tasks if known or longest is None else [*tasks, longest]


def _is_idle(task: Task, going_on: set[int] | None) -> bool:
    return going_on is not None and task.id not in going_on


def _running_steps(store: Store) -> dict[int, list[Task]]:
    """The steps that run, by the task that they are steps of."""
    found: dict[int, list[Task]] = {}
    for one in reversed(store.tasks(Query(states=(TaskState.RUNNING,), steps=True, limit=_MOST_LOOKED_AT))):
        if one.parent_id is not None:
            found.setdefault(one.parent_id, []).append(one)
    return found
