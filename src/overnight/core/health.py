"""What many answers of one check say together: how often it was well, how large its figure was, and where that goes."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec

from overnight.core.findings import Finding, Status, by_urgency
from overnight.core.trends import lead

#: Answers of a check that a report is about when nothing is said.
LATEST = 100
#: Seconds for which answers are kept: a week, and a day in which somebody asks about it.
KEPT = 8 * 86400.0
#: Seconds between two rounds when nothing is said.
EVERY = 60.0
#: After so many times its period without an answer nobody knows how a check stands, and at least so many seconds.
_STALE, _AT_LEAST = 3, 180.0
_WELL = frozenset({Status.OK, Status.WARN})


class Standing(msgspec.Struct, frozen=True):
    """How a check stands. Instants are POSIX seconds, `every` is in seconds."""

    check: str
    status: Status
    summary: str
    #: Since when the status is what it is, and when it was asked last.
    since: float
    at: float
    every: float
    value: float | None = None
    unit: str = ""
    more_is_better: bool = False
    #: It is not asked any more; how it stood is kept for as long as its answers are.
    is_over: bool = False

    def is_known(self, now: float) -> bool:
        """Whether that is not too long ago."""
        return abs(now - self.at) <= max(_AT_LEAST, _STALE * self.every)


class Reply(NamedTuple):
    """One answer. `at`: POSIX seconds."""

    at: float
    status: Status
    value: float | None = None


class Course(StrEnum):
    """Where a check goes."""

    IMPROVING = "improving"
    STEADY = "steady"
    WORSENING = "worsening"


class Record(msgspec.Struct, frozen=True):
    """Many answers of a check. `mean` and `p95` are in the unit of its figure; None without one."""

    asked: int
    unknown: int
    #: Share of the answers that were no failure, of those that are known; None when none is.
    uptime: float | None
    mean: float | None
    p95: float | None
    course: Course


def standing_of(
    findings: Sequence[Finding], before: Standing | None, *, now: float, every: float, more_is_better: bool
) -> Standing:
    """How a check stands after an answer: as its worst finding says.

    Args:
        findings: What it has found, one or more.
        before: How it stood.
        now: POSIX seconds.
        every: Seconds between two askings.
        more_is_better: Of its figure.
    """
    worst = by_urgency(findings)[0]
    since = before.since if before is not None and before.status is worst.status else now
    unit = worst.unit or (before.unit if before is not None else "")  # a failure has no figure; the others still do
    return Standing(worst.check, worst.status, worst.summary, since, now, every, worst.value, unit, more_is_better)


def is_due(before: Standing | None, *, now: float, every: float, slack: float) -> bool:
    """Whether a check is to be asked now: when the clock was set back, too.

    Args:
        before: How it stood; None when it was never asked.
        now: POSIX seconds.
        every: Seconds between two askings.
        slack: Seconds that a round may be early.
    """
    return before is None or not 0.0 <= now - before.at < every - slack


def recorded(replies: Sequence[Reply], *, more_is_better: bool = False) -> Record:
    """What these answers say together.

    Args:
        replies: In the order of their time.
        more_is_better: Of the figure.
    """
    known = [reply.status for reply in replies if reply.status is not Status.UNKNOWN]
    figures = [(reply.at, reply.value) for reply in replies if reply.value is not None]
    values = [value for _, value in figures]
    return Record(
        asked=len(replies),
        unknown=len(replies) - len(known),
        uptime=share_well(known),
        mean=statistics.fmean(values) if values else None,
        p95=_p95(values),
        course=_course(lead([at for at, _ in figures], values), more_is_better=more_is_better),
    )


def share_well(statuses: Iterable[Status]) -> float | None:
    """Share of these that are no failures; what is not known counts neither way. None when nothing is known."""
    known = [status for status in statuses if status is not Status.UNKNOWN]
    return sum(status in _WELL for status in known) / len(known) if known else None


def _p95(values: Sequence[float]) -> float | None:
    """The nearest rank: a figure that was really there."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1] if values else None


def _course(led: float, *, more_is_better: bool) -> Course:
    if not led:
        return Course.STEADY
    return Course.IMPROVING if (led > 0) is more_is_better else Course.WORSENING
