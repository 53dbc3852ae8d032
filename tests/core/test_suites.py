"""What a run came to: when it is green, and what its attempts are called."""

from __future__ import annotations

import pytest

from overnight.core.suites import (
    MOST_NAME,
    Ended,
    Result,
    RunVerdict,
    Tally,
    TestOutcome,
    named,
    numbered,
    tally,
    verdict,
    why_incomplete,
)

FINE = Tally(passed=3)


def test_green_is_an_end_with_0_and_no_failed_test() -> None:
    assert verdict(Ended(exit_code=0), FINE) is RunVerdict.GREEN
    assert verdict(Ended(exit_code=1), FINE) is RunVerdict.RED
    assert verdict(Ended(exit_code=0), Tally(passed=3, failed=1)) is RunVerdict.RED


@pytest.mark.parametrize(
    "ended",
    [
        Ended(),
        Ended(signal=9),
        Ended(exit_code=0, open_sessions=1),
        Ended(exit_code=0, trouble="its report cannot be read"),
        Ended(trouble="timed out"),
    ],
)
def test_what_was_broken_off_is_incomplete_however_well_it_went_until_then(ended: Ended) -> None:
    assert verdict(ended, FINE) is RunVerdict.INCOMPLETE
    assert why_incomplete(ended, FINE)


def test_a_run_with_a_test_that_had_no_end_is_incomplete() -> None:
    assert verdict(Ended(exit_code=0), Tally(passed=3, unfinished=1)) is RunVerdict.INCOMPLETE


def test_tests_are_counted_by_their_last_attempts() -> None:
    names = [("a", TestOutcome.FAILED), ("a", TestOutcome.PASSED), ("b", TestOutcome.ERROR), ("c", TestOutcome.SKIPPED)]
    results = numbered([Result(name, 1, outcome) for name, outcome in names])
    assert [one.attempt for one in results] == [1, 2, 1, 1]
    counted = tally(results)
    assert counted == Tally(passed=1, failed=1, skipped=1, again=1)
    assert counted.rate == 0.5
    assert Tally(skipped=1).rate is None


def test_long_names_are_cut_and_stay_different() -> None:
    first, second = named("x" * 5000 + "1"), named("x" * 5000 + "2")
    assert (len(first), len(second)) == (MOST_NAME, MOST_NAME)
    assert first != second
    assert named("short") == "short"
