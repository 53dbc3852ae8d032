"""What the API answers about tasks, workflows and graphs; see `answers`."""

from __future__ import annotations

import msgspec

from overnight.core.states import TaskState
from overnight.core.task import Action, ActionKind, Attempt, Task
from overnight.ui.web.showing import shown, shown_bytes


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
    #: How many match, at most `counted_to`; None where nobody asked, or where finding out would take long.
    matching: int | None
    counted_to: int
    #: The id down to which was looked; above 1 with fewer tasks than asked for, the search goes on at `next`.
    searched_to: int
    newest: int


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
    #: The machine on which it ran; empty: that of the engine.
    node: str

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
            node=shown(attempt.node),
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
