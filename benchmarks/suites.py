"""The history of tests at its largest: 500 runs of 2,000 tests, how long a report takes, and how large the file is.

Twenty tests are flaky and twenty fail in one run out of ten; beside it stands a suite in which every test fails at
times, so that all of them have to be looked at. The goal is judged by the time of the processor, since others may
use the machine; wall clock stands beside it.
"""

from __future__ import annotations

import random
import resource
import statistics
import subprocess
import time
from pathlib import Path

from measuring import OVERNIGHT, Row, directory, seconds

from overnight.core.suites import Ended, Result, TestOutcome
from overnight.host.home import create
from overnight.ops.suites.keeping import SuiteStore
from overnight.ops.suites.records import Run

RUNS, TESTS = 500, 2_000
_FIRST = 1_700_000_000.0
_HOUR = 3600.0


def written(path: Path, *, unsteady: int) -> float:
    """A history in which so many tests fail at times. Returns the seconds that a run took to be taken in."""
    dice = random.Random(4)  # noqa: S311 - the same history each time
    usual = [dice.lognormvariate(-3.5, 1.5) for _ in range(TESTS)]
    store = SuiteStore(path)
    began = time.perf_counter()
    for number in range(RUNS):
        results = [_result(dice, test, usual[test], unsteady) for test in range(TESTS)]
        failed = any(one.outcome.is_failure for one in results)
        run = Run(
            record=f"{number}",
            suite="pytest -q",
            command="pytest -q",
            began_at=_FIRST + number * _HOUR,
            code=f"git:{number // 5:040x}",
            seconds=sum(usual),
            ended=Ended(exit_code=int(failed)),
            results=results,
        )
        store.save([run], keep=RUNS)
    store.close()
    return (time.perf_counter() - began) / RUNS


def _result(dice: random.Random, test: int, usual: float, unsteady: int) -> Result:
    name = f"tests/unit/package_{test % 40:02d}/test_module_{test % 200:03d}.py::TestGroup::test_case_{test:04d}"
    fails = test < unsteady and dice.random() < 0.1
    outcome = TestOutcome.FAILED if fails else TestOutcome.PASSED
    message = f"assert {test} == {dice.random():.3f}" if fails else ""
    return Result(name, 1, outcome, usual * dice.uniform(0.8, 1.3), message)


def reported(cwd: Path) -> tuple[float, float]:
    """Seconds of a whole `test report`: by the clock, and of the processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = statistics.median(seconds([*OVERNIGHT, "test", "report"], cwd) for _ in range(5))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 5


def measure() -> list[Row]:
    """The rows of the table."""
    rows = []
    for unsteady in (40, TESTS):
        with directory() as cwd:
            home = create(cwd / ".overnight")
            subprocess.run([*OVERNIGHT, "add", "x", "--", "true"], cwd=cwd, check=True, capture_output=True)
            one = written(home.tests, unsteady=unsteady)
            took, used = reported(cwd)
            size = home.tests.stat().st_size / 1e6
        what = f"`test report` of {RUNS} runs of {TESTS:,} tests, {unsteady:,} of them failing at times"
        rows.append(Row(what, f"{used:.2f} s of CPU", f"{took:.2f} s by the clock", "< 1 s", used < 1.0))
        rows.append(Row("to take in one of those runs", f"{one * 1000:.0f} ms", "", "", None))
        rows.append(Row("the file of that history", f"{size:.0f} MB", "", "< 100 MB", size < 100))
    return rows
