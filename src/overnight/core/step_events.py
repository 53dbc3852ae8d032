"""What happened to the steps of workflows: the same records as for files, under names of their own.

A script that counts ``file_completed`` counts files, and not their steps. Each record says whose step
it is (``parent``) and which one (``step``).
"""

from __future__ import annotations

from overnight.core import events
from overnight.core.event_names import EventName
from overnight.core.states import Outcome, Reason, TaskState


class StepStarted(events.FileStarted, frozen=True, kw_only=True, gc=False, tag=EventName.STEP_STARTED.value):
    """An attempt at a step is on record and will be handed to a worker."""


class StepCompleted(events.FileCompleted, frozen=True, kw_only=True, gc=False, tag=EventName.STEP_COMPLETED.value):
    """The step is done."""


class StepSkipped(events.FileCompleted, frozen=True, kw_only=True, gc=False, tag=EventName.STEP_SKIPPED.value):
    """The step is completed without having run; `error` says why."""


class StepFailed(events.FileFailed, frozen=True, kw_only=True, gc=False, tag=EventName.STEP_FAILED.value):
    """The step is given up."""


class StepTimeout(events.FileTimeout, frozen=True, kw_only=True, gc=False, tag=EventName.STEP_TIMEOUT.value):
    """The attempt was ended at its time limit."""


class StepRetried(events.FileRetried, frozen=True, kw_only=True, gc=False, tag=EventName.STEP_RETRIED.value):
    """The step will be tried again, at `not_before`."""


class StepInterrupted(
    events.FileInterrupted, frozen=True, kw_only=True, gc=False, tag=EventName.STEP_INTERRUPTED.value
):
    """The step can be claimed again; nothing is counted against it."""


class StepAttemptHeld(events.AttemptHeld, frozen=True, kw_only=True, gc=False, tag=EventName.STEP_HELD.value):
    """The step waits for a person since its attempt ended like this."""


class StepAttemptCancelled(
    events.AttemptCancelled, frozen=True, kw_only=True, gc=False, tag=EventName.STEP_CANCELLED.value
):
    """A person has ended the running step."""


class StepCancelled(events.FileCancelled, frozen=True, kw_only=True, gc=False, tag=EventName.STEP_CANCELLED.value):
    """A person has cancelled a step that did not run."""


class StepHeld(events.FileHeld, frozen=True, kw_only=True, gc=False, tag=EventName.STEP_HELD.value):
    """A person has held a step that did not run."""


class StepReleased(events.FileReleased, frozen=True, kw_only=True, gc=False, tag=EventName.STEP_RELEASED.value):
    """A person has let a held step go on."""


class StepRevived(events.FileRevived, frozen=True, kw_only=True, gc=False, tag=EventName.STEP_REVIVED.value):
    """A finished step has a new generation."""


class StepFrozen(events.FileFrozen, frozen=True, kw_only=True, gc=False, tag=EventName.STEP_FROZEN.value):
    """A running step stands still."""


class StepThawed(events.FileThawed, frozen=True, kw_only=True, gc=False, tag=EventName.STEP_THAWED.value):
    """A frozen step goes on."""


#: The record of a step for that of a file.
OF_ATTEMPT: dict[type[events.AttemptEvent], type[events.AttemptEvent]] = {
    events.FileCompleted: StepCompleted,
    events.FileFailed: StepFailed,
    events.FileTimeout: StepTimeout,
    events.FileRetried: StepRetried,
    events.FileInterrupted: StepInterrupted,
    events.AttemptHeld: StepAttemptHeld,
    events.AttemptCancelled: StepAttemptCancelled,
}
OF_HAND: dict[type[events.HandEvent], type[events.HandEvent]] = {
    events.FileCancelled: StepCancelled,
    events.FileHeld: StepHeld,
    events.FileReleased: StepReleased,
    events.FileRevived: StepRevived,
}

_BY_STATE: dict[TaskState, tuple[type[events.AttemptEvent], Outcome]] = {
    TaskState.COMPLETED: (events.FileCompleted, Outcome.COMPLETED),
    TaskState.FAILED: (events.FileFailed, Outcome.FAILED),
    TaskState.CANCELLED: (events.AttemptCancelled, Outcome.CANCELLED),
    TaskState.HELD: (events.AttemptHeld, Outcome.INTERRUPTED),
}


def froze(
    *, frozen: bool, at: str, task_id: int, attempt: int, by: str, parent: int, step: str
) -> events.FileFrozen | events.FileThawed:
    """An attempt stands still, or goes on. `parent` 0: it is no step."""
    kind: type[events.FileFrozen] = events.FileFrozen if frozen else events.FileThawed
    if parent:
        kind = StepFrozen if frozen else StepThawed
    return kind(at=at, id=task_id, attempt=attempt, by=events.printable(by), parent=parent, step=step)


def without_attempt(
    *,
    at: str,
    task_id: int,
    state: TaskState,
    reason: Reason | None = None,
    error: str = "",
    fingerprint: str = "",
    attempt: int = 0,
    seconds: float = 0.0,
    parent: int = 0,
    step: str = "",
    skipped: bool = False,
) -> events.AttemptEvent:
    """A task has come to a state by what became of others. `parent` 0: it is no step."""
    kind, outcome = _BY_STATE[state]
    if skipped:
        kind = StepSkipped
    elif parent:
        kind = OF_ATTEMPT[kind]
    return kind(
        at=at,
        id=task_id,
        attempt=attempt,
        outcome=outcome,
        state=state,
        reason=reason,
        error=events.printable(error),
        fingerprint=fingerprint,
        seconds=seconds,
        parent=parent,
        step=step,
    )
