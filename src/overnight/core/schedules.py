"""Schedules: what a person has laid down, and what is on record of it.

What their words mean is in `core.calendars`, what becomes of them in `core.firing`; most calls need neither.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from overnight.core.task import DEFAULT_QUEUE, NewTask

#: Seconds that a run may be late and still be on time.
GRACE = 60.0


class Missed(StrEnum):
    """What becomes of runs whose time has passed while nobody was there."""

    ONCE = "once"
    SKIP = "skip"
    ALL = "all"


class Overlap(StrEnum):
    """What becomes of a run whose time has come while one before is not done."""

    SKIP = "skip"
    QUEUE = "queue"
    REPLACE = "replace"
    ALLOW = "allow"


class When(msgspec.Struct, frozen=True, omit_defaults=True):
    """When a schedule is due: one of three, and the zone in which that is meant.

    Attributes:
        cron: The five fields of cron, or six with seconds first.
        every: Seconds from one to the next.
        at: Moments (ISO 8601), or times of day, which come each day.
        tz: Name of a zone; empty for that of the machine.
    """

    cron: str = ""
    every: float | None = None
    at: tuple[str, ...] = ()
    tz: str = ""

    def words(self) -> str:
        """For people."""
        what = self.cron or (f"every {self.every:g} s" if self.every else ", ".join(self.at))
        return f"{what} ({self.tz})" if self.tz else what


class Schedule(msgspec.Struct, frozen=True, omit_defaults=True):
    """A schedule as a person has laid it down: when, in what way, and what is run. `grace` in seconds.

    Of `run`, `call` and `workflow` one says something. What is None is as for every task.
    """

    name: str
    when: When
    missed: Missed = Missed.ONCE
    overlap: Overlap = Overlap.SKIP
    grace: float = GRACE
    run: tuple[str, ...] = ()
    call: str = ""
    workflow: str = ""
    input: str = ""
    #: Below the directory of the configuration.
    cwd: str = ""
    queue: str = DEFAULT_QUEUE
    priority: int = 0
    title: str = ""
    #: Seconds; 0 for no limit.
    timeout: float | None = None
    retries: int | None = None


class Scheduled(msgspec.Struct, frozen=True):
    """A schedule on record. Instants are POSIX seconds."""

    schedule: Schedule
    #: What is added when it runs, without an environment.
    task: NewTask
    source: str
    #: From when its lengths of time count.
    began_at: float
    #: The first instant that is not decided; None: there is none any more.
    next_at: float | None
    #: When `next_at` was found.
    planned_at: float
    #: The last instant for which it has run, and the task of it.
    last_at: float | None = None
    last_id: int | None = None
    #: Instants that were missed since it was laid down.
    missed: int = 0
    #: Tasks of it that are not done.
    open: tuple[int, ...] = ()

    @property
    def came_too_late(self) -> bool:
        """Whether all of its moments were over before it was laid down."""
        return self.next_at is None and self.last_at is None and not self.missed


class Why(StrEnum):
    """Why a run was missed."""

    LATE = "late"
    OVERLAP = "overlap"


class Misses(msgspec.Struct, frozen=True):
    """Instants that nothing has run for in time."""

    why: Why
    first: float
    last: float
    count: int
    #: There were more than are counted.
    more: bool = False


class Decision(msgspec.Struct, frozen=True):
    """What becomes of the instants up to now."""

    #: The instants for which it runs now, in order.
    runs: tuple[float, ...]
    #: When it is due next; None: never again.
    next_at: float | None
    misses: tuple[Misses, ...] = ()
    #: What is not done of it is to be cancelled first; nothing else is decided until it is gone.
    replaces: bool = False
