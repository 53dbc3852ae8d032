"""Whether the tests were well when they last ran, where somebody runs them by us. It runs none."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import closing

import apsw

from overnight.core.findings import Finding, Fix
from overnight.core.suites import RunVerdict, tally, verdict
from overnight.core.trends import Direction
from overnight.host.home import Home
from overnight.ops.checks.contract import Check, Scene, by_hand, ok, warn
from overnight.ops.suites.asking import failures, suites
from overnight.ops.suites.keeping import KeptRun, SuiteStore
from overnight.ops.suites.records import left

_ID = "tests"
_LOOK = by_hand("tests-report", "Look at them", "overnight test report")
#: Suites that are told of, those that ran last.
_MOST = 5


def _run(scene: Scene) -> Iterator[Finding]:
    home = scene.home
    if home is None:
        return
    try:
        found = _runs(home)
    except apsw.Error as error:
        yield warn(_ID, f"what tests came to before cannot be read ({error})", _LOOK)
        return
    for runs in found:
        yield _judge(runs)
    for suite, why in _left(home):
        yield warn(_ID, f"{suite}: a run did not come to its end ({why})", _LOOK)


def _runs(home: Home) -> list[list[KeptRun]]:
    """Of each suite, the newest first."""
    if not home.tests.exists():
        return []
    with closing(SuiteStore(home.tests, readonly=True)) as store:
        return [store.runs(suite) for suite in suites(store)[:_MOST]]


def _left(home: Home) -> list[tuple[str, str]]:
    """Runs that were killed and that nobody has looked at since."""
    runs = [run for _, run in left(home.tests_under_way)]
    return [(run.suite, "killed") for run in runs if verdict(run.ended, tally(run.results)) is RunVerdict.INCOMPLETE]


def _judge(runs: list[KeptRun]) -> Finding:
    last, direction = runs[0], failures(runs)
    counts = last.tally
    words = f"{last.suite}: run {last.id} is {last.verdict}"
    words += f" ({last.why})" if last.why else f", {counts.passed:,} passed, {counts.failed:,} failed"
    if direction is not Direction.STEADY and len(runs) > 1:
        words += f"; failures {_going(direction)} over {len(runs):,} runs"
    judge = ok if last.verdict is RunVerdict.GREEN else warn
    return judge(_ID, words, *(() if judge is ok else (_mend(last),)), value=counts.rate, unit="ratio")


def _mend(last: KeptRun) -> Fix:
    """To look at what failed, and what to type when it is mended."""
    named = "" if last.suite == last.command else f"--suite {shlex.quote(last.suite)} "
    again = f"overnight test report says what failed; mend that, then: overnight test run {named}-- {last.command}"
    return by_hand(f"tests-{last.suite}", "Mend them", again)


def _going(direction: Direction) -> str:
    return "have stopped" if direction is Direction.STOPPED else f"are {direction}"


CHECK = Check(_ID, "tests when they last ran", _run)
