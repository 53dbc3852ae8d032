"""The lines of the journal as records to be done again: read once, each field with its meaning."""

from __future__ import annotations

import base64
from datetime import datetime

import msgspec

from overnight.core.action_records import action_from
from overnight.core.relocation import Relocation
from overnight.core.states import ErrorClass, Outcome, Reason, TaskState
from overnight.core.storms import Storm, Subject
from overnight.core.task import Action, NewTask
from overnight.core.verdict import Settlement


class Record(msgspec.Struct, frozen=True):
    """One line. Which of the fields are there depends on `event`."""

    seq: int
    event: str
    at: datetime
    id: int | None = None
    attempt: int = 0
    fence: int = -1
    state: TaskState | None = None
    outcome: Outcome | None = None
    failures: int = 0
    deaths: int = 0
    started_at: datetime | None = None
    seconds: float = 0.0
    not_before: datetime | None = None
    reason: Reason | None = None
    error_class: ErrorClass | None = None
    error: str = ""
    fingerprint: str = ""
    exit_code: int | None = None
    signal: int | None = None
    result: str = ""
    by: str = ""
    owner: str = ""
    # added
    input: str | None = None
    input_b64: str | None = None
    action: str = ""
    definition: msgspec.Raw = msgspec.Raw(b"null")
    definition_b64: str | None = None
    queue: str = ""
    workflow: str = ""
    priority: int = 0
    title: str = ""
    description: str = ""
    stamp: str = ""
    #: Whole numbers stay whole: they are part of what a lane is called.
    needs: dict[str, int | float] | None = None
    after: list[int] | None = None
    # of a step, or begun by steps
    parent: int = 0
    step: str = ""
    first_step: int = 0
    steps: int = 0
    # by hand; of slots it is a number, which nobody here asks for
    was: object = None
    alone: bool = False
    # moved
    was_b64: str | None = None
    #: What the line calls ``now``.
    place: object = msgspec.field(name="now", default=None)
    now_b64: str | None = None
    # queues
    slots: int | None = None
    rate: float | None = None
    paused: bool = False
    paused_until: datetime | None = None
    # asked for
    verb: str = ""
    argument: str = ""
    # workflows
    name: str = ""
    source: str = ""
    digest: str = ""
    # storms
    first_at: datetime | None = None
    began_at: datetime | None = None
    probes: int = 0
    probe_at: datetime | None = None
    # schedules
    schedule: str = ""
    next_at: datetime | None = None
    planned_at: datetime | None = None
    due_at: datetime | None = None
    by_hand: bool = False
    count: int = 0

    @property
    def now(self) -> float:
        """When it happened, POSIX seconds."""
        return self.at.timestamp()

    def raw_input(self) -> bytes:
        """The input of a task, exactly."""
        return _exact(self.input, self.input_b64)

    def relocation(self) -> Relocation:
        """Which directory was moved, and where to."""
        return Relocation(_exact(self.was, self.was_b64), _exact(self.place, self.now_b64))

    def has_definition(self) -> bool:
        """Whether the action stands here in full."""
        return self.definition_b64 is not None or bytes(self.definition) != b"null"

    def defined_action(self) -> Action:
        """The action that stands here in full."""
        return action_from(msgspec.json.decode(self.definition), self.definition_b64)

    def task(self, action: Action, first_id: int) -> NewTask:
        """The task that was added, among those that were added together from `first_id` on."""
        after = self.after or []
        return NewTask(
            action=action,
            input=self.raw_input(),
            queue=self.queue,
            workflow=self.workflow,
            priority=self.priority,
            title=self.title,
            description=self.description,
            not_before=seconds_of(self.not_before),
            stamp=self.stamp,
            needs=dict(self.needs or {}),
            after=tuple(one for one in after if one < first_id),
            after_here=tuple(one - first_id for one in after if one >= first_id),
        )

    def storm(self, action_id: int) -> Storm:
        """The storm that goes on."""
        return Storm(
            subject=Subject(self.workflow, self.step, action_id),
            queue=self.queue,
            fingerprint=self.fingerprint,
            error_class=self.error_class,
            error=self.error,
            failures=self.failures,
            first_at=seconds_of(self.first_at) or 0.0,
            began_at=seconds_of(self.began_at) or 0.0,
            probes=self.probes,
            probe_at=seconds_of(self.probe_at) or 0.0,
        )

    def settlement(self) -> Settlement:
        """How the attempt ended. What the journal does not keep (output, figures, the longer text) is not there."""
        assert self.id is not None  # noqa: S101 - what has ended has a number
        assert self.state is not None  # noqa: S101
        assert self.outcome is not None  # noqa: S101
        return Settlement(
            task_id=self.id,
            attempt=self.attempt,
            state=self.state,
            outcome=self.outcome,
            failures=self.failures,
            deaths=self.deaths,
            started_at=seconds_of(self.started_at),
            seconds=self.seconds,
            not_before=seconds_of(self.not_before),
            reason=self.reason,
            error_class=self.error_class,
            error=self.error,
            fingerprint=self.fingerprint,
            exit_code=self.exit_code,
            signal=self.signal,
            result=self.result.encode(),
        )


def _exact(words: object, coded: str | None) -> bytes:
    return base64.b64decode(coded) if coded is not None else str(words or "").encode()


def seconds_of(moment: datetime | None) -> float | None:
    """POSIX seconds."""
    return None if moment is None else moment.timestamp()


_decoder = msgspec.json.Decoder(Record)


def read(line: bytes) -> Record | None:
    """The record in a line; None when it cannot be read."""
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
