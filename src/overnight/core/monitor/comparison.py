"""Two periods beside each other: what has become slower, what fails more often, what is new.

A difference is called one only where chance is a bad explanation for it: of failures by the usual test of
two shares, of durations (of which no spread is kept) by a clear factor over enough attempts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

import msgspec

from overnight.core.monitor.sums import Group, Name

#: Attempts on either side below which nothing is said of durations.
ENOUGH = 5
#: So many times as long, or the reverse of it, is another duration; and so many seconds are none.
FACTOR, NOTHING = 1.25, 0.01
#: Standard deviations between two shares that chance does not explain (one in twenty would be 2).
DEVIATIONS = 2.6


class Period(NamedTuple):
    """From one instant up to another, POSIX seconds."""

    since: float
    until: float

    @property
    def hours(self) -> float:
        """How long it is."""
        return max(0.0, self.until - self.since) / 3600


class Word(StrEnum):
    """What has become of something."""

    NEW = "new"
    GONE = "gone"
    SLOWER = "slower"
    FASTER = "faster"
    FAILS_MORE = "fails more"
    FAILS_LESS = "fails less"


class Change(msgspec.Struct, frozen=True):
    """One group in both periods. What is not known is None."""

    workflow: str
    step: str
    fingerprint: str
    before: Group | None
    after: Group | None
    #: Attempts an hour that completed or failed.
    rate_before: float | None
    rate_after: float | None
    words: tuple[Word, ...]

    @property
    def times_as_long(self) -> float | None:
        """The mean of the second period, in means of the first."""
        before, after = _mean(self.before), _mean(self.after)
        return after / before if before and after is not None else None


def compared(before: Mapping[Name, Group], after: Mapping[Name, Group], periods: tuple[Period, Period]) -> list[Change]:
    """Everything that was there in one of two periods, in the order of the second one.

    Args:
        before: Groups of the first period.
        after: Groups of the second one.
        periods: How long both are.
    """
    names = [*after, *(name for name in before if name not in after)]
    hours = periods[0].hours, periods[1].hours
    return [
        Change(
            *name,
            before=(was := before.get(name)),
            after=(now := after.get(name)),
            rate_before=_rate(was, hours[0]),
            rate_after=_rate(now, hours[1]),
            words=tuple(_words(was, now)),
        )
        for name in names
    ]


def _words(before: Group | None, after: Group | None) -> list[Word]:
    if before is None or after is None:
        return [Word.NEW if before is None else Word.GONE]
    return [word for word in (_of_durations(before, after), _of_failures(before, after)) if word is not None]


def _of_durations(before: Group, after: Group) -> Word | None:
    was, now = before.mean, after.mean
    if was is None or now is None or min(before.n, after.n) < ENOUGH or abs(now - was) < NOTHING:
        return None
    if now >= was * FACTOR:
        return Word.SLOWER
    return Word.FASTER if was >= now * FACTOR else None


def _of_failures(before: Group, after: Group) -> Word | None:
    """By the test of two shares. Of causes all have failed, and so nothing is said."""
    if not before.n or not after.n:
        return None
    share = (before.failed + after.failed) / (before.n + after.n)
    spread = math.sqrt(share * (1 - share) * (1 / before.n + 1 / after.n))
    difference = after.failed / after.n - before.failed / before.n
    if not spread or abs(difference) < DEVIATIONS * spread:
        return None
    return Word.FAILS_MORE if difference > 0 else Word.FAILS_LESS


def _rate(group: Group | None, hours: float) -> float | None:
    if not hours:
        return None
    return (group.n if group else 0) / hours


def _mean(group: Group | None) -> float | None:
    return None if group is None else group.mean
