"""How attempts end, as their workers saw it. What it means for the task is decided in `verdict`.

These are the words between whoever runs attempts and whoever decides about tasks. They carry what
was seen (an exit code, a signal, an exception) and no opinion, but for what only the worker can
know: a command that could not even be started is `REFUSED` with a class of its own.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec

from overnight.core.states import ErrorClass
from overnight.core.task import OutputRef


class AttemptKey(NamedTuple):
    """One attempt of one task. Attempts count from 1."""

    task_id: int
    attempt: int


class Ending(StrEnum):
    """What happened to an attempt, as its worker saw it. What it means is decided in `core`."""

    EXITED = "exited"
    #: Ended by a signal that was not ours.
    SIGNALLED = "signalled"
    RETURNED = "returned"
    RAISED = "raised"
    #: It could not be started at all: no program, no directory, no such function, no such file.
    REFUSED = "refused"
    #: The task asked to be tried again at `retry_at`.
    POSTPONED = "postponed"
    #: Ended by the worker because of a limit.
    TIMEOUT = "timeout"
    STALLED = "stalled"
    MEMORY = "memory"
    OUTPUT = "output"
    PROCESSES = "processes"
    #: Ended because `cancel` asked for it.
    CANCELLED = "cancelled"


class Ended(msgspec.Struct, frozen=True, array_like=True):
    """An attempt has ended and all its processes were seen dead.

    `started_at` is POSIX seconds; `seconds` is measured on the monotonic clock.
    """

    task_id: int
    attempt: int
    ending: Ending
    started_at: float
    seconds: float
    exit_code: int | None = None
    signal: int | None = None
    #: One line for people, and the longer text (last lines of stderr, or the traceback).
    error: str = ""
    detail: str = ""
    #: Exception type as ``module.Name``; empty for commands.
    error_type: str = ""
    #: What the worker knows about the class (a refused start, Permanent, Retry); else None.
    error_class: ErrorClass | None = None
    retry_at: float | None = None
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    output: OutputRef | None = None
    #: JSON text of the returned value, or the reference to a file of it (see `core.results`); empty for None.
    result: bytes = b""
    #: The machine on which it ran, said by whoever knows of several; empty: this one.
    node: str = ""

    @property
    def key(self) -> AttemptKey:
        return AttemptKey(self.task_id, self.attempt)


class Froze(msgspec.Struct, frozen=True, array_like=True):
    """A running attempt stands still with all its processes, or goes on. No end: one `Ended` or `Lost` still comes."""

    task_id: int
    attempt: int
    frozen: bool

    @property
    def key(self) -> AttemptKey:
        return AttemptKey(self.task_id, self.attempt)


class Evidence(StrEnum):
    """What is known about a lost attempt."""

    #: It never began; nothing is counted against anybody.
    NEVER_STARTED = "never_started"
    STARTED = "started"
    #: It began, and processes of it could not be seen dead: they are stuck in the kernel and may go on.
    STUCK = "stuck"
    #: Whoever had it will not speak: it may have begun. Nothing of it runs any more.
    UNKNOWN = "unknown"


class Lost(msgspec.Struct, frozen=True, array_like=True):
    """An attempt will not report any more. Its processes were seen dead before this was said, but for the stuck."""

    task_id: int
    attempt: int
    evidence: Evidence
    #: True when its own worker died under it; false when an engine's death or a recall took it away.
    worker_died: bool = False
    started_at: float | None = None
    #: For people: what became of the worker.
    error: str = ""
    #: The machine on which it ran, said by whoever knows of several; empty: this one.
    node: str = ""

    @property
    def key(self) -> AttemptKey:
        return AttemptKey(self.task_id, self.attempt)
