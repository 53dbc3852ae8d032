"""What became of attempts within a period, grouped as people ask for it: how often, how long, how often in vain."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

#: Outcomes by which an attempt came to an end of its own. The others (lost, interrupted ...) say nothing of the work.
ENDED = frozenset({"completed", "failed"})


class By(StrEnum):
    """What is told apart."""

    WORKFLOW = "workflow"
    STEP = "step"
    CAUSE = "cause"


class Sum(msgspec.Struct, frozen=True):
    """Attempts of one kind that ended within a period."""

    workflow: str
    step: str
    outcome: str
    error_class: str
    fingerprint: str
    n: int
    #: Seconds of all of them, and of the longest one.
    seconds: float
    longest: float
    #: Beginning of the spans in which the first and the last of them ended, POSIX seconds.
    first: int
    last: int


class Group(msgspec.Struct, frozen=True):
    """Attempts that are looked at together; what tells none of them apart is empty."""

    workflow: str
    step: str
    fingerprint: str
    error_class: str
    #: Attempts that completed or failed, and those of them that failed.
    n: int
    failed: int
    #: Attempts that came to no end of their own: interrupted, lost, cancelled, postponed.
    others: int
    #: Seconds of those that completed or failed, and of the longest.
    seconds: float
    longest: float
    #: Beginning of the spans in which the first and the last one ended, POSIX seconds.
    first: int
    last: int

    @property
    def mean(self) -> float | None:
        """Seconds of one that completed or failed; None where there is none."""
        return self.seconds / self.n if self.n else None

    @property
    def failure_ratio(self) -> float | None:
        """Share of those that completed or failed, 0 to 1; None where there is none."""
        return self.failed / self.n if self.n else None


Name = tuple[str, str, str]


def grouped(sums: Iterable[Sum], by: By) -> dict[Name, Group]:
    """Sums put together, the most first.

    Args:
        sums: Of a period.
        by: Each workflow; each of its steps; or each fingerprint of a step, and then failures alone.
    """
    found: dict[Name, list[Sum]] = {}
    for one in sums:
        if by is not By.CAUSE or one.outcome == "failed":
            found.setdefault(_name(one, by), []).append(one)
    groups = {name: _group(name, members) for name, members in found.items()}
    return dict(sorted(groups.items(), key=lambda item: (-item[1].n, item[0])))


def _name(one: Sum, by: By) -> Name:
    return one.workflow, one.step if by is not By.WORKFLOW else "", one.fingerprint if by is By.CAUSE else ""


def _group(name: Name, members: list[Sum]) -> Group:
    ended = [one for one in members if one.outcome in ENDED]
    classes = {one.error_class for one in members}
    return Group(
        *name,
        error_class=min(classes) if name[2] and len(classes) == 1 else "",
        n=sum(one.n for one in ended),
        failed=sum(one.n for one in ended if one.outcome == "failed"),
        others=sum(one.n for one in members) - sum(one.n for one in ended),
        seconds=sum(one.seconds for one in ended),
        longest=max((one.longest for one in ended), default=0.0),
        first=min(one.first for one in members),
        last=max(one.last for one in members),
    )
