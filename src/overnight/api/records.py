"""Tasks and runs as users of the Python face see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from overnight.core.task import Action, ActionKind, Task, text


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One task as it was when it was looked at. Instants are in UTC.

    Attributes:
        id: Its number, for good.
        state: ``waiting``, ``pending``, ``running``, ``completed``, ``failed``, ``cancelled`` or ``held``.
        queue: Its queue.
        priority: Higher goes first.
        input: What it works on; bytes that are not UTF-8 are as `os.fsdecode` gives them.
        call: The function as ``module:function``; empty for a command.
        command: The words of the command; empty for a function.
        title: What people call it.
        description: More about it.
        attempt: How many attempts have begun.
        failures: How many of them count against its retries.
        added_at: When it was added.
        not_before: The time it waits for.
        started_at: When its last attempt began.
        finished_at: When it came to its end.
        reason: Why it is failed or held: ``error``, ``timeout``, ``crashed``, ``memory``, ``by_hand`` ...
        error_class: ``transient``, ``permanent``, ``resource``, ``rate_limited`` or ``unknown``.
        error: One line about the last failure; of a step that was skipped, why.
        workflow: The workflow that it is a task of, or a step of; empty for none.
        step: Which step it is; empty for a task of its own.
        parent_id: The task whose step it is.
        skipped: A step that is completed without having run.
    """

    id: int
    state: str
    queue: str
    priority: int
    input: str
    call: str
    command: tuple[str, ...]
    title: str
    description: str
    attempt: int
    failures: int
    added_at: datetime
    not_before: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    reason: str | None
    error_class: str | None
    error: str
    workflow: str = ""
    step: str = ""
    parent_id: int | None = None
    skipped: bool = False


def record_of(task: Task, action: Action | None) -> TaskRecord:
    """A task and what it does, in one record."""
    is_command = action is not None and action.kind is ActionKind.COMMAND
    return TaskRecord(
        id=task.id,
        state=task.state.value,
        queue=task.queue,
        priority=task.priority,
        input=text(task.input),
        call=action.call if action and action.kind is ActionKind.CALL else "",
        command=tuple(map(text, action.argv)) if action and is_command else (),
        title=task.title,
        description=task.description,
        attempt=task.attempt,
        failures=task.failures,
        added_at=datetime.fromtimestamp(task.added_at, UTC),
        not_before=_moment(task.not_before),
        started_at=_moment(task.started_at),
        finished_at=_moment(task.finished_at),
        reason=task.reason.value if task.reason else None,
        error_class=task.error_class.value if task.error_class else None,
        error=task.error,
        workflow=task.workflow or (action.call if action and action.kind is ActionKind.WORKFLOW else ""),
        step=task.step,
        parent_id=task.parent_id,
        skipped=task.skipped,
    )


def _moment(instant: float | None) -> datetime | None:
    return None if instant is None else datetime.fromtimestamp(instant, UTC)


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run went: what came to rest in it, by what became of it.

    Attributes:
        processed: Tasks that were completed.
        failed: Tasks that were given up.
        held: Tasks that wait for a person to decide.
        cancelled: Tasks that a person cancelled while they ran.
        left: Tasks that are not finished, and that nobody works on.
        elsewhere: Tasks that other programs have popped and not ended.
        stopped_by: ``queue_empty``, ``stop_signal``, ``signal``, ``gate`` or ``halt``.
        seconds: How long it took.
    """

    processed: int
    failed: int
    held: int
    cancelled: int
    left: int
    elsewhere: int
    stopped_by: str
    seconds: float

    @property
    def success(self) -> bool:
        """Whether nothing failed and nothing is held."""
        return not (self.failed or self.held)
