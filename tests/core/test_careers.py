"""What the history of one test says about it."""

from __future__ import annotations

import pytest

from overnight.core.careers import FORGIVEN, HALF_LIFE, Seen, failing, flaky, slower
from overnight.core.suites import TestOutcome

PASSED, FAILED, SKIPPED, UNFINISHED = (
    TestOutcome.PASSED,
    TestOutcome.FAILED,
    TestOutcome.SKIPPED,
    TestOutcome.UNFINISHED,
)


def career(*outcomes: TestOutcome | tuple[str, TestOutcome]) -> list[Seen]:
    """One attempt in each run, of code "a" if nothing is said."""
    pairs = [("a", one) if isinstance(one, TestOutcome) else one for one in outcomes]
    return [Seen(run, code, outcome, 0.1) for run, (code, outcome) in enumerate(pairs, 1)]


def test_the_same_code_with_both_outcomes_is_flaky() -> None:
    found = flaky(career(PASSED, FAILED, PASSED))
    assert found is not None
    assert (found.runs, found.of, found.last_run) == (1, 3, 2)
    assert found.score == pytest.approx(1 / 3, rel=0.02)


def test_a_failure_that_came_with_other_code_is_a_failure_and_not_flaky() -> None:
    assert flaky(career(("a", PASSED), ("b", FAILED), ("c", PASSED))) is None
    assert flaky(career(FAILED, FAILED)) is None


def test_only_contradicted_failures_count() -> None:
    """The code b fails always: its failures are no sign of flakiness, though the test is flaky with a."""
    found = flaky(career(("a", PASSED), ("a", FAILED), ("b", FAILED), ("b", FAILED)))
    assert found is not None
    assert (found.runs, found.last_run) == (1, 2)


def test_two_attempts_of_one_run_are_one_run() -> None:
    """Failed, then passed when it was tried again: the run counts once."""
    found = flaky([Seen(1, "a", FAILED, 0.1), Seen(1, "a", PASSED, 0.1), Seen(2, "b", PASSED, 0.1)])
    assert found is not None
    assert (found.runs, found.of, found.last_run) == (1, 2, 1)


def test_a_score_decays_by_runs_until_the_test_is_forgiven() -> None:
    fresh, older = (flaky(career(PASSED, FAILED, *[PASSED] * runs)) for runs in (1, HALF_LIFE))
    assert fresh is not None
    assert older is not None
    assert older.score < fresh.score / 2
    assert flaky(career(PASSED, FAILED, *[PASSED] * (FORGIVEN - 1))) is not None
    assert flaky(career(PASSED, FAILED, *[PASSED] * FORGIVEN)) is None


def test_what_was_skipped_or_had_no_end_says_nothing() -> None:
    assert flaky(career(PASSED, SKIPPED, UNFINISHED)) is None
    assert failing(career(PASSED, UNFINISHED)) is None
    assert flaky([]) is None


def test_slower_is_by_a_factor_and_by_a_margin_against_its_own_median() -> None:
    def timed(*seconds: float) -> list[Seen]:
        return [Seen(run, "a", PASSED, one) for run, one in enumerate(seconds)]

    found = slower(timed(1.0, 1.1, 9.0, 1.0, 2.5))
    assert found is not None
    assert found.seconds == 2.5
    assert found.usual == pytest.approx(1.05)
    assert slower(timed(0.01, 0.01, 0.01, 0.4)) is None
    assert slower(timed(10.0, 10.0, 10.0, 15.0)) is None
    assert slower(timed(1.0, 1.0, 9.0)) is None


def test_a_failing_test_fails_since_the_first_run_after_its_last_pass() -> None:
    found = failing(career(PASSED, FAILED, SKIPPED, TestOutcome.ERROR))
    assert found is not None
    assert (found.since_run, found.has_passed) == (2, True)
    never = failing(career(FAILED, FAILED))
    assert never is not None
    assert (never.since_run, never.has_passed) == (1, False)
    assert failing(career(FAILED, PASSED)) is None
