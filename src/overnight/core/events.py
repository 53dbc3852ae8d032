"""What happened, in one record each: the lines of the journal.

Event names and fields are public: people's scripts follow them. A line is one JSON object that
begins with ``{"event":``; the engine puts the event's number in front of that when it writes the
journal. ``at`` and every other instant is ISO 8601 in UTC with ``Z``; durations are seconds.

Lines are complete redo records: an added task stands there with its input and, the first time in a
transaction, the whole action; an outcome with everything that it changed about its task; what a
person did with who did it (``by``). Bytes stand as text; what is not UTF-8 stands as base64 under
the same name with ``_b64``. Fields at their default are left out, so that a line stays short.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import overload

import msgspec

from overnight.core.action_records import action_record
from overnight.core.event_names import EventName
from overnight.core.gates import Gate
from overnight.core.states import Outcome, Reason, TaskState
from overnight.core.task import NewTask

#: The last instant that can be written down; a later one stands as this.
_LATEST = datetime.max.replace(tzinfo=UTC)


@overload
def instant(seconds: float) -> datetime: ...
@overload
def instant(seconds: None) -> None: ...
@overload
def instant(seconds: float | None) -> datetime | None: ...
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
    return f"{moment.isoformat(timespec='milliseconds')[:23]}Z"


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
    #: The tasks that it waits for.
    after: list[int] | None = None
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
    #: Of a task that a program has taken: the process, as "pid:start:boot".
    owner: str = ""
    #: A task of a workflow has no attempts of its own: hexadecimal digest of the definition by which it is begun,
    #: and its steps, which are the tasks from `first_step` on in the order of the definition.
    definition: str = ""
    first_step: int = 0
    steps: int = 0
    #: Of a step: whose it is, and which one; so below.
    parent: int = 0
    step: str = ""


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
    #: JSON text of what a function returned; for a large one the reference to its file (see `core.results`).
    result: str = ""
    parent: int = 0
    step: str = ""
    #: The machine on which it ran; empty: this one.
    node: str = ""


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
    """What a person did to a task that did not run; or, where `alone` says so, what was done without one."""

    id: int
    by: str
    #: What it was before, and what it is now. A held one that is released is forgiven its deaths.
    was: TaskState
    state: TaskState
    generation: int
    parent: int = 0
    step: str = ""
    alone: bool = False


class FileCancelled(ByHand, frozen=True, kw_only=True, gc=False, tag=EventName.FILE_CANCELLED.value):
    """A person has cancelled a task that did not run."""


class FileHeld(ByHand, frozen=True, kw_only=True, gc=False, tag=EventName.FILE_HELD.value):
    """A person has held a task that did not run."""


class FileReleased(ByHand, frozen=True, kw_only=True, gc=False, tag=EventName.FILE_RELEASED.value):
    """A person has let a held task, or one that waited for its retry, go on."""


class FileRevived(ByHand, frozen=True, kw_only=True, gc=False, tag=EventName.FILE_REVIVED.value):
    """A person has given a finished task a new generation."""


class FileFrozen(_Event, frozen=True, kw_only=True, gc=False, tag=EventName.FILE_FROZEN.value):
    """A running task stands still: nothing of the attempt runs any more, and nothing of it has ended."""

    id: int
    attempt: int
    by: str
    parent: int = 0
    step: str = ""


class FileThawed(FileFrozen, frozen=True, kw_only=True, gc=False, tag=EventName.FILE_THAWED.value):
    """A frozen attempt goes on."""


class FileEdited(_Event, frozen=True, kw_only=True, gc=False, tag=EventName.FILE_EDITED.value):
    """The task is still to run, and its file is another one now than when it was added."""

    id: int
    by: str
    #: Size and time of the file ("size:mtime_ns").
    stamp: str


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


class OfStorm(_Event, frozen=True, kw_only=True, gc=False):
    """Of so many tasks failing alike that the others wait; see `core.storm_events`."""

    #: The workflow that stands still, and its step that fails; of plain tasks the hexadecimal digest of their action.
    workflow: str = ""
    step: str = ""
    action: str = ""
    queue: str = ""
    fingerprint: str = ""


class OfSchedule(_Event, frozen=True, kw_only=True, gc=False):
    """Of a schedule; see `core.schedule_events`."""

    schedule: str
    #: When it is due next; left out: never again.
    next_at: datetime | None = None


class OfNode(_Event, frozen=True, kw_only=True, gc=False):
    """Of a machine on which attempts run; see `core.node_events`."""

    node: str


class _OfGate(_Event, frozen=True, kw_only=True, gc=False):
    gate: Gate
    available_bytes: int
    #: So much opens the gate.
    needed_bytes: int


class GateClosed(_OfGate, frozen=True, kw_only=True, gc=False, tag=EventName.GATE_CLOSED.value):
    """Free disk or available memory has fallen below its threshold."""


class GateOpened(_OfGate, frozen=True, kw_only=True, gc=False, tag=EventName.GATE_OPENED.value):
    """There is room again."""


class SlotsChanged(_Event, frozen=True, kw_only=True, gc=False, tag=EventName.SLOTS_CHANGED.value):
    """How many attempts run at the same time, from now on."""

    was: int
    slots: int
    why: str


class ClockJumped(_Event, frozen=True, kw_only=True, gc=False, tag=EventName.CLOCK_JUMPED.value):
    """The wall clock shows `seconds` more than has passed, or less."""

    seconds: float
    #: Retries whose instants were moved along, so that they wait as long as they should.
    moved: int


class HomeMoved(_Event, frozen=True, kw_only=True, gc=False, tag=EventName.HOME_MOVED.value):
    """The home was in the directory `was` before, and so many tasks (or more) that were added there would run there."""

    was: str
    now: str
    tasks: int


class WorkflowDefined(_Event, frozen=True, kw_only=True, gc=False, tag=EventName.WORKFLOW_DEFINED.value):
    """A definition, whole."""

    name: str
    digest: str
    definition: msgspec.Raw
    source: str
    by: str


class ProcessorStarted(_Event, frozen=True, kw_only=True, gc=False, tag=EventName.PROCESSOR_STARTED.value):
    """An engine has taken the store."""

    fence: int
    by: str


class ProcessorStopped(_Event, frozen=True, kw_only=True, gc=False, tag=EventName.PROCESSOR_STOPPED.value):
    """An engine has let go."""

    fence: int
    why: str = ""


class OfStore(_Event, frozen=True, kw_only=True, gc=False):
    """Of the store as a whole and its checkpoints; see `core.store_events`."""


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
    | FileFrozen
    | FileThawed
    | FileEdited
    | FileRemoved
    | QueueChanged
    | ControlAsked
    | OfStorm
    | OfSchedule
    | OfNode
    | GateClosed
    | GateOpened
    | SlotsChanged
    | ClockJumped
    | HomeMoved
    | WorkflowDefined
    | ProcessorStarted
    | ProcessorStopped
    | OfStore
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
    task: NewTask,
    *,
    task_id: int,
    state: TaskState,
    digest: bytes,
    at: str,
    by: str,
    with_action: bool,
    after: Sequence[int] = (),
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
        after=list(after) or None,
        by=by,
    )
