"""What happened, in one record each: the lines of the journal.

Event names and fields are public: people's scripts follow them. A line is one JSON object that
begins with ``{"event":``; the engine puts the event's number in front of that when it writes the
journal. ``at`` and every other instant is ISO 8601 in UTC with ``Z``; durations are seconds.

Lines are complete redo records: an added task stands there with its input and, the first time in a
transaction, the whole action; an outcome with everything that it changed about its task; what a
person did with who did it (``by``). Bytes stand as text; what is not UTF-8 stands as base64 under
the same name with ``_b64``. Fields at their default are left out, so that a line stays short.

Records are gathered and encoded together at the end of a transaction: some 0.5 µs each.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from overnight.core.states import Outcome, Reason, TaskState
from overnight.core.task import Action, NewTask


class EventName(StrEnum):
    """Every event that there is."""

    FILE_ADDED = "file_added"
    FILE_STARTED = "file_started"
    FILE_COMPLETED = "file_completed"
    #: The attempt failed and there will be no other.
    FILE_FAILED = "file_failed"
    #: The attempt ran into its time limit; ``state`` says whether there will be another one.
    FILE_TIMEOUT = "file_timeout"
    #: The attempt failed, or asked to be tried later; the next one comes at ``not_before``.
    FILE_RETRIED = "file_retried"
    FILE_HELD = "file_held"
    FILE_RELEASED = "file_released"
    FILE_CANCELLED = "file_cancelled"
    #: The attempt was lost, interrupted or recalled (``outcome``); the task is back in the queue.
    FILE_INTERRUPTED = "file_interrupted"
    #: A finished task has a new generation.
    FILE_REVIVED = "file_revived"
    FILE_EDITED = "file_edited"
    FILE_REMOVED = "file_removed"
    #: A result came for an attempt that was over; nothing was changed by it.
    LATE_RESULT_REFUSED = "late_result_refused"
    QUEUE_CHANGED = "queue_changed"
    CONTROL_ASKED = "control_asked"
    PROCESSOR_STARTED = "processor_started"
    PROCESSOR_STOPPED = "processor_stopped"


#: The last instant that can be written down; a later one stands as this.
_LATEST = datetime.max.replace(tzinfo=UTC)


def instant(seconds: float | None) -> datetime | None:
    """POSIX seconds as what msgspec writes as ISO 8601 with microseconds."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return _LATEST


def stamp(now: float) -> str:
    """The ``at`` of an event: ISO 8601, UTC, milliseconds."""
    moment = instant(now) or _LATEST
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def printable(words: str) -> str:
    r"""Text that JSON and a database take: lone surrogates become ``\udc80``, the rest stays."""
    if words.isascii():
        return words
    return words.encode("utf-8", "backslashreplace").decode("utf-8")


class _Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="event"):
    at: str


class FileAdded(_Event, frozen=True, kw_only=True, gc=False, tag=EventName.FILE_ADDED.value):
    """Everything that is needed to add the task again under the same id."""

    id: int
    state: TaskState
    input: str | None = None
    input_b64: str | None = None
    #: Hexadecimal digest of the action.
    action: str
    #: The action itself, where this is its first task in the transaction.
    definition: dict[str, object] | None = None
    definition_b64: str | None = None
    queue: str
    workflow: str = ""
    priority: int = 0
    title: str = ""
    description: str = ""
    not_before: datetime | None = None
    stamp: str = ""
    needs: dict[str, float] | None = None
    by: str = ""


class FileStarted(_Event, frozen=True, kw_only=True, gc=False, tag=EventName.FILE_STARTED.value):
    """An attempt is on record and will be handed to a worker."""

    id: int
    attempt: int
    #: 0: a program outside the engine has taken it, and `by` says who.
    fence: int
    input: str | None = None
    input_b64: str | None = None
    by: str = ""


class Ended(_Event, frozen=True, kw_only=True, gc=False):
    """An attempt has ended; `state` is what its task is now."""

    id: int
    attempt: int
    outcome: Outcome
    state: TaskState
    failures: int = 0
    deaths: int = 0
    started_at: datetime | None = None
    seconds: float = 0.0
    not_before: datetime | None = None
    reason: Reason | None = None
    #: Class of the error: "transient", "permanent" ...
    error_class: str | None = None
    error: str = ""
    fingerprint: str = ""
    exit_code: int | None = None
    signal: int | None = None
    #: JSON text of what a function returned, as text.
    result: str = ""


class FileCompleted(Ended, frozen=True, kw_only=True, gc=False, tag=EventName.FILE_COMPLETED.value):
    """The task is done."""


class FileFailed(Ended, frozen=True, kw_only=True, gc=False, tag=EventName.FILE_FAILED.value):
    """The task is given up."""


class FileTimeout(Ended, frozen=True, kw_only=True, gc=False, tag=EventName.FILE_TIMEOUT.value):
    """The attempt was ended at its time limit."""


class FileRetried(Ended, frozen=True, kw_only=True, gc=False, tag=EventName.FILE_RETRIED.value):
    """The task will be tried again, at `not_before`."""


class FileInterrupted(Ended, frozen=True, kw_only=True, gc=False, tag=EventName.FILE_INTERRUPTED.value):
    """The task is back in the queue; nothing is counted against it."""


class AttemptHeld(Ended, frozen=True, kw_only=True, gc=False, tag=EventName.FILE_HELD.value):
    """The task waits for a person since its attempt ended like this."""


class AttemptCancelled(Ended, frozen=True, kw_only=True, gc=False, tag=EventName.FILE_CANCELLED.value):
    """A person has ended the running task."""


class LateResultRefused(_Event, frozen=True, kw_only=True, gc=False, tag=EventName.LATE_RESULT_REFUSED.value):
    """A result for an attempt that is not open (any more)."""

    id: int
    attempt: int
    outcome: Outcome


class ByHand(_Event, frozen=True, kw_only=True, gc=False):
    """What a person did to a task that did not run."""

    id: int
    by: str
    #: What it was before, and what it is now. A held one that is released is forgiven its deaths.
    was: TaskState
    state: TaskState
    generation: int


class FileCancelled(ByHand, frozen=True, kw_only=True, gc=False, tag=EventName.FILE_CANCELLED.value):
    """A person has cancelled a task that did not run."""


class FileHeld(ByHand, frozen=True, kw_only=True, gc=False, tag=EventName.FILE_HELD.value):
    """A person has held a task that did not run."""


class FileReleased(ByHand, frozen=True, kw_only=True, gc=False, tag=EventName.FILE_RELEASED.value):
    """A person has let a held task, or one that waited for its retry, go on."""


class FileRevived(ByHand, frozen=True, kw_only=True, gc=False, tag=EventName.FILE_REVIVED.value):
    """A person has given a finished task a new generation."""


class FileRemoved(_Event, frozen=True, kw_only=True, gc=False, tag=EventName.FILE_REMOVED.value):
    """The task and its attempts are forgotten; it stays counted."""

    id: int
    by: str
    #: What it was when it was removed.
    state: TaskState


class QueueChanged(_Event, frozen=True, kw_only=True, gc=False, tag=EventName.QUEUE_CHANGED.value):
    """All settings of a queue, as they are now."""

    queue: str
    by: str
    slots: int | None = None
    rate: float | None = None
    paused: bool = False
    paused_until: datetime | None = None


class ControlAsked(_Event, frozen=True, kw_only=True, gc=False, tag=EventName.CONTROL_ASKED.value):
    """A person has asked something of the engine."""

    verb: str
    by: str
    id: int | None = None
    argument: str = ""


class ProcessorStarted(_Event, frozen=True, kw_only=True, gc=False, tag=EventName.PROCESSOR_STARTED.value):
    """An engine has taken the store."""

    fence: int
    by: str


class ProcessorStopped(_Event, frozen=True, kw_only=True, gc=False, tag=EventName.PROCESSOR_STOPPED.value):
    """An engine has let go."""

    fence: int
    why: str = ""


#: An attempt's end, told in one of these ways.
AttemptEvent = FileCompleted | FileFailed | FileTimeout | FileRetried | FileInterrupted | AttemptHeld | AttemptCancelled

#: What a person did to a task that did not run.
HandEvent = FileCancelled | FileHeld | FileReleased | FileRevived

Event = (
    FileAdded
    | FileStarted
    | AttemptEvent
    | HandEvent
    | LateResultRefused
    | FileRemoved
    | QueueChanged
    | ControlAsked
    | ProcessorStarted
    | ProcessorStopped
)

_encoder = msgspec.json.Encoder()


def lines(events: Sequence[Event]) -> bytes:
    """One JSON object a line, each line ended by a newline."""
    return _encoder.encode_lines(events)


def ended_as(outcome: Outcome, state: TaskState, reason: Reason | None) -> type[AttemptEvent]:
    """The event that tells an attempt's end."""
    if reason is Reason.TIMEOUT and outcome is Outcome.FAILED:
        return FileTimeout
    if state in _BY_STATE:
        return _BY_STATE[state]
    return FileRetried if outcome in _TRIED else FileInterrupted


_BY_STATE: dict[TaskState, type[AttemptEvent]] = {
    TaskState.COMPLETED: FileCompleted,
    TaskState.FAILED: FileFailed,
    TaskState.HELD: AttemptHeld,
    TaskState.CANCELLED: AttemptCancelled,
}
_TRIED = frozenset({Outcome.FAILED, Outcome.POSTPONED})


def as_text(raw_bytes: bytes) -> tuple[str | None, str | None]:
    """Bytes as (text, None), or as (None, base64) when they are not UTF-8."""
    try:
        return raw_bytes.decode(), None
    except UnicodeDecodeError:
        return None, base64.b64encode(raw_bytes).decode()


def added(
    task: NewTask, *, task_id: int, state: TaskState, digest: bytes, at: str, by: str, with_action: bool
) -> FileAdded:
    """The redo record of an added task."""
    words, coded = as_text(task.input)
    definition, definition_b64 = action_record(task.action) if with_action else (None, None)
    return FileAdded(
        at=at,
        id=task_id,
        state=state,
        input=words,
        input_b64=coded,
        action=digest.hex(),
        definition=definition,
        definition_b64=definition_b64,
        queue=task.queue,
        workflow=task.workflow,
        priority=task.priority,
        title=printable(task.title),
        description=printable(task.description),
        not_before=instant(task.not_before) if state is TaskState.WAITING else None,
        stamp=task.stamp,
        needs=task.needs or None,
        by=by,
    )


def action_record(action: Action) -> tuple[dict[str, object] | None, str | None]:
    """An action as readable JSON, or, when any part of it is not UTF-8, as base64 of its msgpack."""
    plain = Action(kind=action.kind, cwd=action.cwd)
    parts = {
        name: value
        for name, value in msgspec.structs.asdict(action).items()
        if name in _ALWAYS or value != getattr(plain, name)
    }
    try:
        return {name: _readable(value) for name, value in parts.items()}, None
    except UnicodeDecodeError:
        return None, base64.b64encode(msgspec.msgpack.encode(action)).decode()


def action_from(definition: Mapping[str, object] | None, definition_b64: str | None) -> Action:
    """The action that `action_record` has written down."""
    if definition_b64 is not None:
        return msgspec.msgpack.decode(base64.b64decode(definition_b64), type=Action)
    if definition is None:
        raise ValueError("an added task says neither definition nor definition_b64")
    parts = {name: _raw(value) if name in _BYTES else value for name, value in definition.items()}
    return msgspec.convert(parts, Action)


#: The parts of an action that are bytes; they stand in the journal as text.
_BYTES = frozenset({"cwd", "argv", "env", "env_names", "python"})
_ALWAYS = frozenset({"kind", "cwd"})


def _readable(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, tuple):
        return [_readable(part) for part in value]
    if isinstance(value, dict):
        return {_readable(key): _readable(part) for key, part in value.items()}
    return value


def _raw(value: object) -> object:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, list):
        return tuple(_raw(part) for part in value)
    if isinstance(value, dict):
        return {_raw(key): _raw(part) for key, part in value.items()}
    return value
