"""What the history of one test says about it: whether it is flaky, slower than it was, or failing, and since when.

A test is flaky when the same code has made it pass and fail. Only a failure that is contradicted so counts: one
that came with other code was a failure. Its score is the share of runs with such a failure, where a run of fifty
runs ago weighs half: by runs and not by days, since a suite that nobody ran has proven nothing. After a hundred
runs without one it is forgiven.

Source: what services that look for flaky tests have settled on (the same commit, both outcomes; decay by runs).
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

import msgspec

from overnight.core.suites import TestOutcome

#: After so many runs one weighs half; after so many without a contradicted failure a test is forgiven.
HALF_LIFE, FORGIVEN = 50, 100
#: Slower than its own median by this factor, and by so many seconds, is slower; with so many runs to compare with.
FACTOR, MARGIN, ENOUGH = 2.0, 0.5, 3


class Seen(NamedTuple):
    """One attempt of a test. `run`: its number. `code`: equal for the same code, and for no other."""

    run: int
    code: str
    outcome: TestOutcome
    seconds: float


class Flaky(msgspec.Struct, frozen=True):
    """How flaky a test is."""

    #: The share of runs that a failure was contradicted in, the newest weighing most: 0 to 1.
    score: float
    #: Runs with such a failure, and all that it passed or failed in.
    runs: int
    of: int
    #: The last run with one.
    last_run: int


class Slower(msgspec.Struct, frozen=True):
    """A test that takes longer than it did. Seconds."""

    seconds: float
    usual: float


class Failing(msgspec.Struct, frozen=True):
    """A test that fails."""

    #: The first run of those that it has failed in without passing in between.
    since_run: int
    #: Whether it has ever passed before that, as far as is known.
    has_passed: bool


def flaky(career: Sequence[Seen]) -> Flaky | None:
    """How flaky a test is; None for one that is not, or not any more. `career`: the oldest first, runs in one piece."""
    passed = {one.code for one in career if one.outcome is TestOutcome.PASSED}
    runs: dict[int, bool] = {}
    for one in career:
        if one.outcome is TestOutcome.PASSED or one.outcome.is_failure:
            contradicted = one.outcome.is_failure and one.code in passed
            runs[one.run] = runs.get(one.run, False) or contradicted
    newest_first = list(reversed(runs))
    ages = [age for age, run in enumerate(newest_first) if runs[run]]
    if not ages or ages[0] >= FORGIVEN:
        return None
    weight = sum(0.5 ** (age / HALF_LIFE) for age in range(len(newest_first)))
    score = sum(0.5 ** (age / HALF_LIFE) for age in ages) / weight
    return Flaky(score, len(ages), len(newest_first), newest_first[ages[0]])


def slower(career: Sequence[Seen]) -> Slower | None:
    """Whether the last time that a test passed took notably longer than its median before; None for no."""
    times = [one.seconds for one in career if one.outcome is TestOutcome.PASSED]
    if len(times) <= ENOUGH:
        return None
    usual = median(times[:-1])
    return Slower(times[-1], usual) if times[-1] > max(usual * FACTOR, usual + MARGIN) else None


def failing(career: Sequence[Seen]) -> Failing | None:
    """Whether the last end of a test that was seen is a failure, and since when; None for no."""
    ends = [one for one in career if one.outcome is TestOutcome.PASSED or one.outcome.is_failure]
    if not ends or not ends[-1].outcome.is_failure:
        return None
    last_pass = max((at for at, one in enumerate(ends) if one.outcome is TestOutcome.PASSED), default=-1)
    return Failing(ends[last_pass + 1].run, last_pass >= 0)
