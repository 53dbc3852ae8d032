"""Spans of a trace, out of what the journal says: one for each attempt, below one for the task that it belongs to.

Names of spans and traces come from the home and the task alone. So what is told twice is the same span twice,
and whoever tells the end of a task need not remember its beginning.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec

from overnight.core.digests import digest
from overnight.core.states import FINAL, TaskState

#: Outcomes that are no failure of the work.
_FAILURES = frozenset({"failed", "lost"})


class EndedLine(msgspec.Struct, frozen=True, gc=False):
    """A line of the journal that tells the end of an attempt or of a task; see `core.events.Ended`."""

    at: datetime
    id: int
    outcome: str
    state: TaskState
    attempt: int = 0
    #: Only an attempt has one: workflow tasks, and steps that are skipped, end without.
    started_at: datetime | None = None
    seconds: float = 0.0
    reason: str | None = None
    error_class: str | None = None
    error: str = ""
    fingerprint: str = ""
    exit_code: int | None = None
    signal: int | None = None
    #: Of a step: whose it is, and which one.
    parent: int = 0
    step: str = ""

    @property
    def is_over(self) -> bool:
        """Whether it ends a task that is no step."""
        return not self.parent and self.state in FINAL


class Span(NamedTuple):
    """A time in which something was done. Instants are POSIX seconds."""

    trace: int
    id: int
    #: The span that it is a part of; None for a task.
    parent: int | None
    name: str
    began: float
    ended: float
    attributes: Mapping[str, str | int | float]
    #: What went wrong; None when nothing did.
    error: str | None


class Belonging(NamedTuple):
    """Where a task belongs."""

    home: str
    queue: str
    workflow: str


def of_attempt(line: EndedLine, where: Belonging) -> Span | None:
    """The span of an attempt; None for what ended without one."""
    if line.started_at is None:
        return None
    task = line.parent or line.id
    began = line.started_at.timestamp()
    return Span(
        _trace(where, task),
        _number(8, where.home, line.id, "attempt", line.attempt),
        _root(where, task),
        line.step or "attempt",
        began,
        began + max(0.0, line.seconds),
        _attributes(line, where),
        _error(line),
    )


def of_task(line: EndedLine, where: Belonging, *, added_at: float) -> Span:
    """The span of a task that is over, from its adding on. `added_at`: POSIX seconds."""
    ended = max(added_at, line.at.timestamp())
    return Span(
        _trace(where, line.id),
        _root(where, line.id),
        None,
        where.workflow or "task",
        added_at,
        ended,
        _attributes(line, where),
        _error(line),
    )


def _attributes(line: EndedLine, where: Belonging) -> dict[str, str | int | float]:
    told: dict[str, str | int | None] = {
        "overnight.task.id": line.id,
        "overnight.task.parent": line.parent,
        "overnight.attempt": line.attempt,
        "overnight.queue": where.queue,
        "overnight.workflow": where.workflow,
        "overnight.step": line.step,
        "overnight.outcome": line.outcome,
        "overnight.state": line.state.value,
        "overnight.reason": line.reason,
        "overnight.fingerprint": line.fingerprint,
        "error.type": line.error_class,
        "process.exit.code": line.exit_code,
        "overnight.signal": line.signal,
    }
    # An exit status of 0 says something, a parent of 0 does not.
    return {name: value for name, value in told.items() if value or (name == "process.exit.code" and value is not None)}


def _error(line: EndedLine) -> str | None:
    return (line.error or line.reason or line.outcome) if line.outcome in _FAILURES else None


def _trace(where: Belonging, task: int) -> int:
    return _number(16, where.home, task, "trace")


def _root(where: Belonging, task: int) -> int:
    return _number(8, where.home, task, "task")


def _number(size_bytes: int, *parts: object) -> int:
    """Never 0, which means none."""
    return int.from_bytes(digest(":".join(map(str, parts)).encode(), size_bytes), "big") or 1
