"""What a check may answer, and what all answers together mean.

The numbers are those of monitoring plugins everywhere (Nagios plugin API): 0 OK, 1 WARNING,
2 CRITICAL, 3 UNKNOWN, so that any such program is a check and ours are such programs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum, StrEnum

import msgspec


class Status(IntEnum):
    """How one thing is."""

    OK = 0
    WARN = 1
    FAIL = 2
    #: It could not be found out.
    UNKNOWN = 3


class Fix(msgspec.Struct, frozen=True):
    """What mends a finding: a command that is safe to run as it stands, or words for a person.

    One with words alone has nothing that any code could execute.
    """

    #: Stable. Two findings with the same one are mended together.
    id: str
    title: str
    #: Empty for one that a person has to do.
    argv: tuple[str, ...] = ()
    #: What to do, where there is no command.
    text: str = ""


class Finding(msgspec.Struct, frozen=True):
    """One answer of one check."""

    check: str
    status: Status
    #: One line: what is so, and where.
    summary: str
    #: What a trend is drawn of.
    value: float | None = None
    #: seconds, bytes, ratio or count.
    unit: str = ""
    fixes: tuple[Fix, ...] = ()


class Overall(StrEnum):
    """All findings in one word."""

    HEALTHY = "HEALTHY"
    WARNING = "WARNING"
    DEGRADED = "DEGRADED"
    FAIL = "FAIL"
    #: Nothing was examined.
    UNKNOWN = "UNKNOWN"


#: So many warnings together are more than warnings.
MANY_WARNINGS = 3
_URGENCY = {Status.FAIL: 0, Status.UNKNOWN: 1, Status.WARN: 2, Status.OK: 3}


def overall(findings: Iterable[Finding]) -> Overall:
    """One word: what could not be found out counts as a warning, and of nothing nothing is known."""
    statuses = [finding.status for finding in findings]
    if not statuses:
        return Overall.UNKNOWN
    if Status.FAIL in statuses:
        return Overall.FAIL
    warnings = len(statuses) - statuses.count(Status.OK)
    if warnings >= MANY_WARNINGS:
        return Overall.DEGRADED
    return Overall.WARNING if warnings else Overall.HEALTHY


def exit_code(findings: Iterable[Finding], *, fail_on: Status = Status.WARN) -> int:
    """What a program that has found this ends with. What is less bad than `fail_on` ends with 0."""
    statuses = {finding.status for finding in findings}
    if Status.FAIL in statuses:
        return int(Status.FAIL)
    if fail_on is Status.FAIL:
        return int(Status.OK)
    return int(Status.UNKNOWN if Status.UNKNOWN in statuses else max(statuses, default=Status.UNKNOWN))


def by_urgency(findings: Iterable[Finding]) -> list[Finding]:
    """The worst first; equals stay in their order."""
    return sorted(findings, key=lambda finding: _URGENCY[finding.status])


def fixes(findings: Sequence[Finding]) -> list[Fix]:
    """What would mend them, each thing once, the most urgent first."""
    wanted = (fix for finding in by_urgency(findings) if finding.status is not Status.OK for fix in finding.fixes)
    return list({fix.id: fix for fix in wanted}.values())
