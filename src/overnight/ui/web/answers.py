"""What the API answers: every shape by its name, from which the OpenAPI document is made, too.

Instants are POSIX seconds, durations are seconds; states and outcomes are the words of the store. Bytes that are
no UTF-8 are shown with replacement characters, and characters that turn the direction of writing are written out.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from overnight.core.gauges import Gauge
from overnight.core.states import TaskState
from overnight.core.task import Action, ActionKind, Attempt, Task
from overnight.core.timeline import Lane
from overnight.monitor.history.asking import Point
from overnight.monitor.history.rhythm import Beat, Trend
from overnight.monitor.incidents import Incident
from overnight.monitor.saying import Sentence
from overnight.monitor.snapshot import RunningView
from overnight.store.contract import Cause, Queue

#: Characters of a name, a title, an error in a list.
_SHOWN = 300
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def shown(words: str, most: int = _SHOWN) -> str:
    """Text that a page can show: what would steer it is written out, and it is not longer than so many characters."""
    short = words if len(words) <= most else words[: most - 1] + "…"
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", short)


def shown_bytes(content: bytes, most: int = _SHOWN) -> str:
    """Bytes as `shown`."""
    return shown(content[: most * 4].decode("utf-8", "replace"), most)


class Row(msgspec.Struct, frozen=True):
    """A task in a list."""

    id: int
    state: TaskState
    #: Its title, or what is done with its input.
    name: str
    queue: str
    workflow: str
    step: str
    parent_id: int | None
    priority: int
    attempt: int
    added_at: float
    started_at: float | None
    finished_at: float | None
    not_before: float | None
    reason: str
    error_class: str
    error: str
    fingerprint: str
    skipped: bool

    @classmethod
    def of(cls, task: Task, action: Action | None) -> Row:
        """A task as a list has it."""
        return cls(
            id=task.id,
            state=task.state,
            name=name_of(task, action),
            queue=task.queue,
            workflow=task.workflow,
            step=task.step,
            parent_id=task.parent_id,
            priority=task.priority,
            attempt=task.attempt,
            added_at=task.added_at,
            started_at=task.started_at,
            finished_at=task.finished_at,
            not_before=task.not_before,
            reason=task.reason or "",
            error_class=task.error_class or "",
            error=shown(task.error),
            fingerprint=task.fingerprint,
            skipped=task.skipped,
        )


def name_of(task: Task, action: Action | None) -> str:
    """What a task is called: its title, or what it does with its input."""
    if task.title:
        return shown(task.title)
    given = shown_bytes(task.input)
    if action is None:
        return given
    doing = action.call or " ".join(shown_bytes(word) for word in action.argv[: 1 if given else 20])
    return shown(f"{doing}  {given}" if given else doing)


class Page(msgspec.Struct, frozen=True):
    """Tasks, newest first. `next`: what `before` is for the next page; None at the end."""

    tasks: list[Row]
    next: int | None
    #: How many match, at most `counted_to`; None where nobody asked.
    matching: int | None
    counted_to: int


class Running(msgspec.Struct, frozen=True):
    """A task that runs."""

    id: int
    attempt: int
    name: str
    queue: str
    workflow: str
    #: None: it has not begun, or runs no more.
    started_at: float | None
    steps: list[str]
    progress: float | None
    message: str
    interrupted: bool
    frozen: bool

    @classmethod
    def of(cls, view: RunningView) -> Running:
        """One of a picture."""
        task, report = view.task, view.report
        return cls(
            id=task.id,
            attempt=task.attempt,
            name=name_of(task, view.action),
            queue=task.queue,
            workflow=task.workflow,
            started_at=None if view.seconds is None else task.started_at,
            steps=[shown(one) for one in view.steps[:8]],
            progress=report.progress if report else None,
            message=shown(report.message or "") if report else "",
            interrupted=view.interrupted,
            frozen=view.frozen_since is not None,
        )


class Supervisor(msgspec.Struct, frozen=True):
    """Who starts the engine again."""

    pid: int
    alive: bool
    gave_up: bool
    restarts: int
    last_crash: str
    last_crash_at: float | None


class Engine(msgspec.Struct, frozen=True):
    """The engine, as far as it is known."""

    state: str
    why: str
    pid: int | None
    started_at: float | None
    uptime_seconds: float | None
    last_heartbeat: float | None
    slots: int | None
    active: int | None
    containment: str
    gates: list[str]
    supervisor: Supervisor | None


class StormView(msgspec.Struct, frozen=True):
    """What has failed for so many that the others wait. `name` is what ends it: overnight unpause NAME."""

    name: str
    words: str
    probe_at: float


class Pulse(msgspec.Struct, frozen=True):
    """How it goes now: what every open page shows. `seq` rises with each one."""

    seq: int
    at: float
    sentence: Sentence
    engine: Engine
    #: Top-level tasks by state; running ones whose engine is gone are `interrupted`.
    counts: dict[str, int]
    total: int
    removed: int
    steps: dict[str, int]
    rate_per_second: float | None
    seconds_left: float | None
    running: list[Running]
    storms: list[StormView]


class Share(msgspec.Struct, frozen=True):
    """A part of a whole; `value` None where there is nothing to be a part of."""

    value: float | None
    part: float
    whole: float


class CauseView(msgspec.Struct, frozen=True):
    """Failed tasks of one cause."""

    fingerprint: str
    tasks: int
    first_at: float
    last_at: float
    newest_id: int
    error: str
    error_class: str
    reason: str
    queue: str
    workflow: str
    #: What may help, in words.
    advice: str

    @classmethod
    def of(cls, cause: Cause, advice: str) -> CauseView:
        """One of the store's."""
        return cls(
            cause.fingerprint,
            cause.tasks,
            cause.first_at,
            cause.last_at,
            cause.newest_id,
            shown(cause.error),
            cause.error_class,
            cause.reason,
            cause.queue,
            cause.workflow,
            advice,
        )


class Causes(msgspec.Struct, frozen=True):
    """Failures by cause, the most first, and how each went on."""

    causes: list[CauseView]
    trends: list[Trend]
    since: float
    until: float


class Checkpoint(msgspec.Struct, frozen=True):
    """A verified copy. `trouble`: why it cannot be trusted; empty when it can."""

    name: str
    made_at: float | None
    size_bytes: int
    seconds: float
    reason: str
    position: int
    trouble: str = ""


class Checkpoints(msgspec.Struct, frozen=True):
    """Copies of one home, newest first. `last_event`: the number of the newest event."""

    checkpoints: list[Checkpoint]
    last_event: int


class Overview(msgspec.Struct, frozen=True):
    """The first page: the pulse, and what is asked for less often."""

    pulse: Pulse
    home: str
    host: str
    version: str
    causes: list[CauseView]
    autonomy: Share
    recovery: Share
    efficiency: Share
    checkpoint: Checkpoint | None
    queues: list[QueueView]


class QueueView(msgspec.Struct, frozen=True):
    """A queue: its limits, and how many tasks are in which state."""

    name: str
    slots: int | None
    rate: float | None
    paused: bool
    paused_until: float | None
    counts: dict[str, int]

    @classmethod
    def of(cls, queue: Queue, counts: dict[str, int]) -> QueueView:
        """One of the store's."""
        return cls(shown(queue.name), queue.slots, queue.rate, queue.paused, queue.paused_until, counts)


class Since(msgspec.Struct, frozen=True):
    """What has happened since an instant."""

    since: float
    #: "visit" or "start": where the instant comes from.
    meaning: str
    words: str
    incidents: list[IncidentView]


class IncidentView(msgspec.Struct, frozen=True):
    """Something worth telling, in words. `level`: fine, attention or trouble."""

    seq: int
    at: float
    name: str
    level: str
    words: str

    @classmethod
    def of(cls, one: Incident, level: str, words: str) -> IncidentView:
        """One of the journal's."""
        return cls(one.seq, one.at, one.name, level, shown(words))


class AttemptView(msgspec.Struct, frozen=True):
    """One attempt that has ended."""

    number: int
    outcome: str
    started_at: float | None
    finished_at: float
    seconds: float
    reason: str
    error_class: str
    error: str
    detail: str
    exit_code: int | None
    signal: int | None
    cpu_seconds: float | None
    peak_memory_bytes: int | None
    printed_bytes: int
    kept_bytes: int
    slot: int | None

    @classmethod
    def of(cls, attempt: Attempt) -> AttemptView:
        """One of the store's."""
        output = attempt.output
        return cls(
            number=attempt.number,
            outcome=attempt.outcome,
            started_at=attempt.started_at,
            finished_at=attempt.finished_at,
            seconds=attempt.seconds,
            reason=attempt.reason or "",
            error_class=attempt.error_class or "",
            error=shown(attempt.error, 2000),
            detail=shown(attempt.detail, 8000),
            exit_code=attempt.exit_code,
            signal=attempt.signal,
            cpu_seconds=attempt.cpu_seconds,
            peak_memory_bytes=attempt.peak_memory_bytes,
            printed_bytes=output.printed if output else 0,
            kept_bytes=output.length if output else 0,
            slot=attempt.slot,
        )


class Doing(msgspec.Struct, frozen=True):
    """What is done with the input of a task. Values of the environment are not shown."""

    kind: str
    command: list[str]
    call: str
    directory: str
    environment: list[str]
    timeout: float | None
    retries: int
    memory_bytes: int | None
    at_most_once: bool

    @classmethod
    def of(cls, action: Action) -> Doing:
        """An action of the store's."""
        return cls(
            kind=action.kind,
            command=[shown_bytes(word, 2000) for word in action.argv[:200]],
            call=action.call,
            directory=shown_bytes(action.cwd, 1000),
            environment=sorted(shown_bytes(name) for name in (*action.env, *action.env_names)),
            timeout=action.timeout,
            retries=action.retries,
            memory_bytes=action.memory,
            at_most_once=action.at_most_once,
        )

    @property
    def is_workflow(self) -> bool:
        """Whether it has steps instead of attempts."""
        return self.kind == ActionKind.WORKFLOW


class TaskView(msgspec.Struct, frozen=True):
    """All about one task."""

    task: Row
    input: str
    description: str
    failures: int
    deaths: int
    generation: int
    doing: Doing | None
    #: Why it is where it is, and what changes it.
    why: str
    commands: list[str]
    attempts: list[AttemptView]
    #: The tasks that it waits for.
    after: list[int]
    needs: dict[str, float]
    result: str
    steps: list[Row]
    #: How many steps there are; `steps` has the first ones.
    steps_total: int


class Log(msgspec.Struct, frozen=True):
    """A part of what an attempt printed: from byte `start` to byte `end` of it; colours and the like are left out."""

    #: 0: none has begun yet.
    attempt: int
    start: int
    end: int
    lines: list[str]
    #: The attempt has ended, and this is all.
    ended: bool
    #: Bytes that were printed and not kept.
    missing: int = 0


class FlowView(msgspec.Struct, frozen=True):
    """A workflow, and how its tasks stand."""

    name: str
    title: str
    source: str
    defined_at: float
    digest: str
    steps: int
    phases: list[str]
    counts: dict[str, int]
    paused: bool


class Flows(msgspec.Struct, frozen=True):
    """All workflows."""

    workflows: list[FlowView]


class NodeView(msgspec.Struct, frozen=True):
    """A node of a graph, in its place. `state`: of a task's graph; `kind`: step, gate or join."""

    name: str
    kind: str
    phase: str
    x: float
    y: float
    what: str
    condition: str
    state: str
    task_id: int | None


class GraphView(msgspec.Struct, frozen=True):
    """A graph that is laid out: edges are lists of points, in the unit of the nodes' places."""

    name: str
    digest: str
    task_id: int | None
    width: float
    height: float
    nodes: list[NodeView]
    edges: list[EdgeView]


class EdgeView(msgspec.Struct, frozen=True):
    """From a node to another, by way of points."""

    before: int
    after: int
    points: list[tuple[float, float]]


class Timeline(msgspec.Struct, frozen=True):
    """Who worked when. `known_since`: what is older has been forgotten here."""

    since: float
    until: float
    bins: int
    lanes: list[Lane]
    running: list[Running]
    incidents: list[IncidentView]
    known_since: float | None


class Series(msgspec.Struct, frozen=True):
    """Figures over time, by the names of `gauges`; and what ended when."""

    since: float
    until: float
    span: int
    beats: list[Beat]
    series: dict[str, list[Point]]


class Gauges(msgspec.Struct, frozen=True):
    """What is measured."""

    gauges: list[Gauge]


class EventLine(msgspec.Struct, frozen=True):
    """One event, as the journal has it."""

    seq: int
    at: str
    event: str
    fields: dict[str, Any]


class Events(msgspec.Struct, frozen=True):
    """Events, newest first. `next`: what `before` is for the next page; None at the beginning of the journal."""

    events: list[EventLine]
    next: int | None


class Done(msgspec.Struct, frozen=True):
    """What an action did. `command` is the same for a terminal."""

    words: str
    command: str
    changed: int = 0
    asked: int = 0


class Health(msgspec.Struct, frozen=True):
    """What ``overnight doctor`` has found. `at` None: it is being asked."""

    at: float | None
    overall: str
    checks: list[CheckView]
    trouble: str = ""


class CheckView(msgspec.Struct, frozen=True):
    """The answer of one check."""

    id: str
    status: str
    summary: str
    #: Commands that mend it, and what to do where there is none.
    fixes: list[str]
    advice: list[str]


class Ready(msgspec.Struct, frozen=True):
    """Whether the dashboard can answer, and whether an engine works."""

    ok: bool
    engine: str


#: Everything that is answered somewhere: what the OpenAPI document describes.
ANSWERS = (
    *(Overview, Pulse, Page, TaskView, Log, Causes, Flows, GraphView, Timeline, Series, Gauges, Events),
    *(Checkpoints, Health, Since, Done, Ready),
)
