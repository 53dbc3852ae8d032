"""Suites of tests: what a test can come to, what a run of many came to, and when it may be called green.

A suite is one command, or what somebody calls by one name; only runs of one suite are compared. A run is
green when it came to its end, its command ended with 0 and no test failed. What was killed, ran out of
time or was broken off is incomplete, whatever was seen of it until then: half a run proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from overnight.core.digests import digest

#: Characters of a test's name, of a suite's, and of why a test failed.
MOST_NAME, MOST_MESSAGE = 1000, 300
_DIGITS = 16


class TestOutcome(StrEnum):
    """What one attempt of one test came to."""

    #: pytest is not to take this class for tests.
    __test__ = False

    PASSED = "passed"
    FAILED = "failed"
    #: It broke outside of the test itself: while it was prepared, cleared up, or read.
    ERROR = "error"
    SKIPPED = "skipped"
    #: It had begun, and nobody saw its end.
    UNFINISHED = "unfinished"

    @property
    def is_failure(self) -> bool:
        return self in (TestOutcome.FAILED, TestOutcome.ERROR)


class RunVerdict(StrEnum):
    """What a run came to."""

    GREEN = "green"
    RED = "red"
    INCOMPLETE = "incomplete"


class Result(msgspec.Struct, frozen=True):
    """One attempt of one test. `attempt` counts from 1 within its run; `message`: why it failed, on one line."""

    name: str
    attempt: int
    outcome: TestOutcome
    seconds: float = 0.0
    message: str = ""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the end of a run."""

    #: How its command ended; None: that was not seen, so it was killed.
    exit_code: int | None = None
    signal: int | None = None
    #: Sessions of a test runner that began and did not say that they were through.
    open_sessions: int = 0
    #: Why there are fewer results than there should be; empty: all are there.
    trouble: str = ""


class Tally(msgspec.Struct, frozen=True):
    """Tests of a run by what their last attempts came to, and how many needed more than one."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    unfinished: int = 0
    again: int = 0

    @property
    def rate(self) -> float | None:
        """The share of tests that passed, of those that passed or failed; None where there are none."""
        return self.passed / (self.passed + self.failed) if self.passed + self.failed else None


def tally(results: Sequence[Result]) -> Tally:
    """Count tests, each by its last attempt. `results`: in the order in which they ended."""
    last: Mapping[str, Result] = {one.name: one for one in results}
    outcomes = [one.outcome for one in last.values()]
    return Tally(
        passed=outcomes.count(TestOutcome.PASSED),
        failed=sum(outcome.is_failure for outcome in outcomes),
        skipped=outcomes.count(TestOutcome.SKIPPED),
        unfinished=outcomes.count(TestOutcome.UNFINISHED),
        again=sum(one.attempt > 1 for one in last.values()),
    )


def verdict(ended: Ended, tally: Tally) -> RunVerdict:
    """What a run came to; see above."""
    if why_incomplete(ended, tally):
        return RunVerdict.INCOMPLETE
    return RunVerdict.RED if ended.exit_code or tally.failed else RunVerdict.GREEN


def why_incomplete(ended: Ended, tally: Tally) -> str:
    """Why a run proves nothing, in words; empty for one that came to its end."""
    if ended.signal is not None:
        return f"its command was ended by signal {ended.signal}"
    if ended.exit_code is None:
        return ended.trouble or "it was killed"
    if ended.trouble:
        return ended.trouble
    if ended.open_sessions:
        return "its test runner did not come to its end"
    return "a test had no end" if tally.unfinished else ""


def numbered(results: Sequence[Result]) -> list[Result]:
    """The same with attempts counted: the second result of one name is its second attempt."""
    seen: dict[str, int] = {}
    found = []
    for one in results:
        seen[one.name] = seen.get(one.name, 0) + 1
        found.append(msgspec.structs.replace(one, attempt=seen[one.name]))
    return found


def named(words: str) -> str:
    """A name as it is kept: one that is too long keeps its beginning, and stays another than all others."""
    if len(words) <= MOST_NAME:
        return words
    digits = digest(words.encode("utf-8", "surrogatepass"), _DIGITS // 2).hex()
    return f"{words[: MOST_NAME - _DIGITS - 1]}…{digits}"
