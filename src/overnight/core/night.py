"""What a stretch of time was like: what ended in it, what failed alike, when the workers were busy.

Values that a store answers with, so that a report over a hundred thousand tasks reads a few hundred rows.
Instants are POSIX seconds, durations are seconds.
"""

from __future__ import annotations

import msgspec

from overnight.core.states import ErrorClass, Outcome, Reason, TaskState


class Stretch(msgspec.Struct, frozen=True, array_like=True):
    """Attempts of one slot that ended within one span of the window alike."""

    #: None: they ran outside the engine.
    slot: int | None
    #: Of the span, counted from 0.
    span: int
    outcome: Outcome
    attempts: int
    #: Of all of them.
    seconds: float


class Lasting(msgspec.Struct, frozen=True):
    """One attempt that took long."""

    task_id: int
    number: int
    slot: int | None
    outcome: Outcome
    reason: Reason | None
    started_at: float
    finished_at: float
    seconds: float


class Alike(msgspec.Struct, frozen=True):
    """Tasks that failed, or are held, for one cause. Steps are not among them: their task tells of them."""

    #: Empty for what has none; then the reason is what they have in common.
    fingerprint: str
    state: TaskState
    reason: Reason | None
    error_class: ErrorClass | None
    #: Words and id of the newest one, and where it belongs.
    error: str
    newest_id: int
    queue: str
    workflow: str
    #: How many there are now, whenever that was, and how many of them ended before the window.
    tasks: int
    before: int
    #: In each span of the window.
    spans: tuple[int, ...]
    #: When the first and the last of them ended, within the window or before. A report dates the first back to when an
    #: attempt failed of this cause first.
    first_at: float
    last_at: float


class Night(msgspec.Struct, frozen=True):
    """A window of time, divided into equal spans. Counted are tasks that somebody added, and attempts at them."""

    since: float
    until: float
    spans: int
    #: Finished in it, by what they are now: completed, failed, cancelled.
    finished: dict[TaskState, int]
    #: Completed in it after an attempt that did not.
    recovered: int
    #: The most first; `causes` in all.
    alike: list[Alike]
    causes: int
    stretches: list[Stretch]
    #: The longest first.
    longest: list[Lasting]

    @property
    def span_seconds(self) -> float:
        """Length of a span."""
        return (self.until - self.since) / self.spans
