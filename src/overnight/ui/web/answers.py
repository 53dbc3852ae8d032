"""What the API answers: every shape by its name, from which the OpenAPI document is made, too.

Instants are POSIX seconds, durations are seconds; states and outcomes are the words of the store. Bytes that are
no UTF-8 are shown with replacement characters, and characters that turn the direction of writing are written out.
"""

from __future__ import annotations

from typing import Any

import msgspec

from overnight.core.gauges import Gauge
from overnight.core.next_steps import NextStep
from overnight.core.nodes import NodeView
from overnight.core.spells import Lane
from overnight.monitor.history.asking import Point
from overnight.monitor.history.rhythm import Beat, Trend
from overnight.monitor.snapshot import RunningView
from overnight.store.contract import Cause, Queue
from overnight.ui.web.showing import shown
from overnight.ui.web.task_answers import Flows, GraphView, Log, Page, TaskView, name_of


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
    #: Empty: the machine of the engine.
    node: str

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
            node=shown(view.node),
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


class NodeLine(msgspec.Struct, frozen=True):
    """A machine on which attempts run. `stands`: up, unfit, cordoned, draining, drained, silent, lost, refused ..."""

    name: str
    stands: str
    why: str
    slots: int
    busy: int
    #: Attempts that were lost with it.
    lost: int
    #: When it was last heard; and when nothing runs there any more, if it stays silent.
    heard_at: float | None
    over_at: float | None

    @classmethod
    def of(cls, view: NodeView) -> NodeLine:
        """One of a picture."""
        row = view.row
        words = shown(row.why), row.slots, view.busy, row.lost, row.heard_at, row.over_at
        return cls(shown(row.name), view.stands, *words)


class StormView(msgspec.Struct, frozen=True):
    """What has failed for so many that the others wait. `name` is what ends it: overnight unpause NAME."""

    name: str
    words: str
    probe_at: float


class Sentence(msgspec.Struct, frozen=True):
    """The one sentence. `level`: fine, working, attention or trouble; `commands`: what to type."""

    level: str
    words: str
    commands: tuple[str, ...] = ()


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
    #: Empty where everything runs on one machine.
    nodes: list[NodeLine]


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
    #: What may help, in words, and what to type for it.
    advice: str
    commands: list[str]
    #: There was none of it before this run; how it goes on: rising, steady, falling, stopped, or empty: not known.
    is_new: bool = False
    direction: str = ""

    @classmethod
    def of(cls, cause: Cause, step: NextStep) -> CauseView:
        """One of the store's."""
        return cls(
            cause.fingerprint,
            cause.tasks,
            cause.first_at,
            cause.last_at,
            cause.newest_id,
            shown(cause.error),
            cause.error_class,
            cause.reason or "",
            cause.queue,
            cause.workflow,
            step.words,
            list(step.commands),
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


class Plan(msgspec.Struct, frozen=True):
    """What going back to a checkpoint would undo. `command` says the same in a terminal, `restore` does it."""

    name: str
    lines: list[str]
    command: str
    restore: str


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
    #: "visit", "start" or "day": where the instant comes from.
    meaning: str
    words: str
    incidents: list[IncidentView]


class IncidentView(msgspec.Struct, frozen=True):
    """Something worth telling, in words. `until` None: it goes on; `level`: fine, attention or trouble."""

    at: float
    until: float | None
    name: str
    level: str
    words: str
    #: The same in few words, for a mark in a picture.
    label: str


class Timeline(msgspec.Struct, frozen=True):
    """Who worked when. `known_since`: what is older has been forgotten here."""

    since: float
    until: float
    bins: int
    lanes: list[Lane]
    incidents: list[IncidentView]
    known_since: float | None


class Series(msgspec.Struct, frozen=True):
    """Figures over time, by the names of `gauges`; and what ended when, if it was counted: else that is not known."""

    since: float
    until: float
    span: int
    beats: list[Beat]
    series: dict[str, list[Point]]
    counted: bool = True


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


class Strip(msgspec.Struct, frozen=True):
    """How one check has been. `answers`: when, as what (ok, warn, fail, unknown), its figure; the oldest first."""

    check: str
    #: Seconds between two rounds.
    every: float
    #: Of the figures; empty without any.
    unit: str
    #: Share of the answers that were no failures; None where nothing is known.
    uptime: float | None
    #: Where its figure goes: improving, steady, worsening; empty without one.
    course: str
    answers: list[tuple[float, str, float | None]]


class Strips(msgspec.Struct, frozen=True):
    """How the checks have been, as far as they are asked again and again (``overnight health start``)."""

    strips: list[Strip]


class Ready(msgspec.Struct, frozen=True):
    """Whether the dashboard can answer, and whether an engine works."""

    ok: bool
    engine: str


#: Everything that is answered somewhere: what the OpenAPI document describes.
ANSWERS = (
    *(Overview, Pulse, Page, TaskView, Log, Causes, Flows, GraphView, Timeline, Series, Gauges, Events),
    *(Checkpoints, Plan, Health, Strips, Since, Done, Ready),
)
