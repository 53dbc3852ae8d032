"""What the history of tests means: how suites stand, what fails since when, what is flaky, and what has become slow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile

import msgspec

from overnight.core import careers
from overnight.core.careers import Flaky, Seen, Slower
from overnight.core.suites import RunVerdict, TestOutcome
from overnight.core.trends import Direction, direction
from overnight.ops.suites.keeping import KeptRun, SuiteStore

#: Tests of a run that are looked at for being slow: those that took the longest.
_LONGEST = 200


class FailingTest(msgspec.Struct, frozen=True, kw_only=True):
    """A test that failed when it was last seen."""

    name: str
    outcome: TestOutcome
    message: str
    #: The run in which that began.
    since: KeptRun
    #: It has passed before that, as far as is known.
    has_passed: bool
    #: It began after the last green run of its suite.
    is_new: bool
    flaky: Flaky | None


class FlakyTest(msgspec.Struct, frozen=True):
    """A flaky test, and the last run in which it was."""

    name: str
    flaky: Flaky
    last: KeptRun


class SlowTest(msgspec.Struct, frozen=True):
    """A test of the last run and how long it took, in seconds. `slower`: notably longer than it did."""

    name: str
    seconds: float
    slower: Slower | None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a suite stands."""

    suite: str
    #: The newest first, at least one.
    runs: list[KeptRun]
    last_green: KeptRun | None
    #: Runs that came to their end, how many of them were green, and the share of tests that passed in them.
    complete: int
    green: int
    pass_rate: float | None
    #: Where failing tests go: rising is for the worse.
    failures: Direction
    #: New ones first.
    failing: list[FailingTest]
    #: Tests that had no end in the last run.
    unfinished: list[str]
    #: The flakiest first.
    flaky: list[FlakyTest]
    #: Those that are slower than they were first, then by what they take.
    slow: list[SlowTest]


def suites(store: SuiteStore) -> list[str]:
    """The suites to tell of, the one that ran last first; without what somebody ran once, and others since.

    Raises:
        apsw.Error: It cannot be read.
    """
    names = store.suites()
    return [name for at, name in enumerate(names) if at == 0 or len(store.runs(name, limit=2)) > 1]


def standing(store: SuiteStore, suite: str) -> Standing | None:
    """How a suite stands; None where it never ran. Of single tests the last hundred runs are looked at.

    Raises:
        apsw.Error: It cannot be read.
    """
    runs = store.runs(suite)
    if not runs:
        return None
    complete = _complete(runs)
    last_green = next((run for run in complete if run.verdict is RunVerdict.GREEN), None)
    names, times, recent = store.names(suite), _times(store, runs), runs[: careers.FORGIVEN]
    of_tests = store.careers(store.failed(recent) | set(times), recent)
    return Standing(
        suite=suite,
        runs=runs,
        last_green=last_green,
        complete=len(complete),
        green=sum(run.verdict is RunVerdict.GREEN for run in complete),
        pass_rate=pass_rate(complete),
        failures=failures(runs),
        failing=_failing(store, runs, of_tests, last_green),
        unfinished=store.unfinished(runs[0].id),
        flaky=_flaky(names, of_tests, runs),
        slow=_slow(names, of_tests, times),
    )


def _complete(runs: Iterable[KeptRun]) -> list[KeptRun]:
    return [run for run in runs if run.verdict is not RunVerdict.INCOMPLETE]


def pass_rate(runs: Iterable[KeptRun]) -> float | None:
    """The share of tests that passed, of those that passed or failed; None where there are none."""
    tallies = [run.tally for run in runs]
    passed, failed = sum(one.passed for one in tallies), sum(one.failed for one in tallies)
    return passed / (passed + failed) if passed + failed else None


def failures(runs: Sequence[KeptRun]) -> Direction:
    """Where failing tests go in runs that came to their end. `runs`: the newest first.

    A red run of which no test is known has failed all the same, and where nothing ever failed nothing has stopped.
    """
    counts = [run.tally.failed or int(run.verdict is RunVerdict.RED) for run in reversed(_complete(runs))]
    return direction(counts) if any(counts) else Direction.STEADY


def _times(store: SuiteStore, runs: Sequence[KeptRun]) -> dict[int, float]:
    """Seconds of the tests that took the longest in the newest run in which any passed."""
    found = next((times for run in runs if run.tally.passed and (times := store.times(run.id))), {})
    return dict(sorted(found.items(), key=lambda one: -one[1])[:_LONGEST])


def _failing(
    store: SuiteStore, runs: Sequence[KeptRun], of_tests: Mapping[int, list[Seen]], last_green: KeptRun | None
) -> list[FailingTest]:
    """A test that the last complete run does not know is no more; one that broke off has not come to all of them."""
    broken_off = list(takewhile(lambda run: run.verdict is RunVerdict.INCOMPLETE, runs))
    last_failures = {one.test: one for run in reversed(runs[: len(broken_off) + 1]) for one in store.failures(run.id)}
    by_number = {run.id: run for run in runs}
    after_green = {run.id for run in runs[: runs.index(last_green)]} if last_green else set()
    found = []
    for test, one in last_failures.items():
        if failing := careers.failing(of_tests[test]):
            found.append(
                FailingTest(
                    name=one.name,
                    outcome=one.outcome,
                    message=one.message,
                    since=by_number[failing.since_run],
                    has_passed=failing.has_passed,
                    is_new=failing.since_run in after_green,
                    flaky=careers.flaky(of_tests[test]),
                )
            )
    return sorted(found, key=lambda one: (not one.is_new, -one.since.began_at, one.name))


def _flaky(names: Mapping[int, str], of_tests: Mapping[int, list[Seen]], runs: Sequence[KeptRun]) -> list[FlakyTest]:
    by_number = {run.id: run for run in runs}
    found = [(names[test], careers.flaky(career)) for test, career in of_tests.items()]
    told = [FlakyTest(name, flaky, by_number[flaky.last_run]) for name, flaky in found if flaky is not None]
    return sorted(told, key=lambda one: (-one.flaky.score, one.name))


def _slow(names: Mapping[int, str], of_tests: Mapping[int, list[Seen]], times: Mapping[int, float]) -> list[SlowTest]:
    found = [SlowTest(names[test], seconds, careers.slower(of_tests[test])) for test, seconds in times.items()]
    return sorted(found, key=lambda one: (one.slower is None, -one.seconds))
