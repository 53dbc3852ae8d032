"""What is kept of runs of tests, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from overnight.core.suites import Ended, Result, RunVerdict, TestOutcome
from overnight.core.trends import Direction
from overnight.ops.suites.asking import Standing, standing, suites
from overnight.ops.suites.keeping import SuiteStore
from overnight.ops.suites.records import Run

DAY = 86400.0
P, F, S, U = TestOutcome.PASSED, TestOutcome.FAILED, TestOutcome.SKIPPED, TestOutcome.UNFINISHED


class History:
    """A history that runs are told to, one a day."""

    def __init__(self, path: Path) -> None:
        self.store = SuiteStore(path)
        self.days = 0

    def run(
        self, code: str = "a", suite: str = "unit", keep: int = 100, ended: Ended | None = None, **tests: object
    ) -> int | None:
        """A run. `tests`: by name an outcome, seconds, or several outcomes for several attempts."""
        results = [one for name, said in tests.items() for one in results_of(name, said)]
        failed = any(one.outcome.is_failure for one in results)
        self.days += 1
        run = Run(
            record=f"{self.days}",
            suite=suite,
            command=suite,
            began_at=self.days * DAY,
            code=code,
            seconds=1.0,
            ended=ended or Ended(exit_code=int(failed)),
            results=results,
        )
        return self.store.save([run], keep=keep)[0]

    def now(self, suite: str = "unit") -> Standing:
        found = standing(self.store, suite)
        assert found is not None
        return found


def results_of(name: str, said: object) -> list[Result]:
    if isinstance(said, float):
        return [Result(name, 1, P, said)]
    outcomes = said if isinstance(said, list) else [said]
    return [Result(name, number, outcome, 0.1, "why" * (outcome is F)) for number, outcome in enumerate(outcomes, 1)]


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    made = History(tmp_path / "tests.db")
    yield made
    made.store.close()


def test_new_failures_are_those_since_the_last_green_run(history: History) -> None:
    history.run(a=P, old=F)
    green = history.run(code="b", a=P, b=P, old=S)
    since = history.run(code="c", a=F, b=P, old=S)
    history.run(code="d", a=F, b=P, old=S)
    found = history.now()
    assert found.last_green is not None
    assert found.last_green.id == green
    assert [(one.name, one.is_new, one.since.id, one.message) for one in found.failing] == [("a", True, since, "why")]
    assert (found.complete, found.green) == (4, 1)
    assert found.pass_rate == pytest.approx(5 / 8)


def test_without_a_green_run_no_failure_is_new(history: History) -> None:
    history.run(a=F, b=P)
    history.run(a=F, b=F)
    assert [(one.name, one.is_new, one.has_passed) for one in history.now().failing] == [
        ("b", False, True),
        ("a", False, False),
    ]


def test_a_test_that_is_no_more_is_not_failing_and_one_that_was_not_reached_is(history: History) -> None:
    history.run(a=F, gone=F)
    history.run(a=F, b=P)
    history.run(b=P, ended=Ended())
    assert [one.name for one in history.now().failing] == ["a"]


def test_a_killed_run_is_not_the_last_green_one(history: History) -> None:
    """All that was seen of it had passed."""
    history.run(a=P, ended=Ended())
    history.run(a=P, b=U, ended=Ended(exit_code=0))
    found = history.now()
    assert (found.last_green, found.complete, found.green) == (None, 0, 0)
    assert {run.verdict for run in found.runs} == {RunVerdict.INCOMPLETE}
    assert found.unfinished == ["b"]


def test_the_file_itself_refuses_a_green_run_without_an_end(history: History) -> None:
    history.run(a=P, ended=Ended())
    with pytest.raises(apsw.ConstraintError):
        history.store._database._connection.execute("UPDATE runs SET verdict = 'green', why = ''")


def test_flaky_is_the_same_code_with_both_outcomes(history: History) -> None:
    history.run(code="a", flaky=P, failed=P)
    history.run(code="a", flaky=F, failed=P)
    history.run(code="b", flaky=P, failed=F)
    assert [(one.name, one.last.id) for one in history.now().flaky] == [("flaky", 2)]


def test_a_test_that_failed_first_and_then_passed_is_flaky_though_its_run_was_green(
    history: History,
) -> None:
    history.run(code="", a=[F, P], ended=Ended(exit_code=0))
    found = history.now()
    assert [one.name for one in found.flaky] == ["a"]
    assert (found.runs[0].verdict, found.failing) == (RunVerdict.GREEN, [])


def test_runs_whose_code_is_not_known_are_compared_with_no_other(history: History) -> None:
    history.run(code="", a=P)
    history.run(code="", a=F)
    assert history.now().flaky == []


def test_suites_are_apart(history: History) -> None:
    """The same test with another command: what fails with one Python is not flaky by passing with another."""
    history.run(suite="one", a=P)
    history.run(suite="two", a=F)
    assert history.store.suites() == ["two", "one"]
    assert history.now("one").flaky == []
    assert history.now("two").flaky == []
    assert standing(history.store, "three") is None


def test_slow_is_against_its_own_median(history: History) -> None:
    for seconds in (1.0, 1.2, 1.1, 3.0):
        history.run(slower=seconds, long=20.0, quick=0.01)
    told = [(one.name, one.slower is not None) for one in history.now().slow]
    assert told == [("slower", True), ("long", False), ("quick", False)]


def test_failures_that_become_more_are_rising(history: History) -> None:
    for number in range(9):
        tests: dict[str, Any] = {f"t{n}": F if number >= 6 and n < 3 else P for n in range(4)}
        history.run(code=f"{number}", **tests)
    assert history.now().failures is Direction.RISING


def test_where_nothing_ever_failed_nothing_has_stopped(history: History) -> None:
    history.run(a=P)
    assert history.now().failures is Direction.STEADY
    history.run(suite="red", ended=Ended(exit_code=3))
    assert history.now("red").failures is Direction.STEADY


def test_the_last_runs_of_each_suite_are_kept(history: History) -> None:
    for _ in range(3):
        history.run(suite="other", a=P)
    for number in range(5):
        tests: dict[str, Any] = {f"t{number}": P}
        history.run(keep=2, **tests)
    assert len(history.store.runs("unit")) == 2
    assert len(history.store.runs("other")) == 3
    assert set(history.store.names("unit").values()) == {"t3", "t4"}


def test_suites_that_were_not_run_for_long_are_forgotten_whatever_clocks_say(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overnight.ops.suites.keeping._MOST_SUITES", 2)
    history.days = 30_000
    history.run(suite="from the future", a=P)
    history.days = 1
    history.run(suite="a", a=P)
    history.run(suite="b", a=P)
    assert history.store.suites() == ["b", "a"]


def test_what_was_run_once_is_told_of_until_something_else_runs(history: History) -> None:
    history.run(suite="one", a=P)
    history.run(suite="one", a=P)
    history.run(suite="single", a=P)
    assert suites(history.store) == ["single", "one"]
    history.run(suite="two", a=P)
    assert suites(history.store) == ["two", "one"]


def test_a_run_is_taken_in_once_and_all_of_several_or_none(history: History, tmp_path: Path) -> None:
    assert history.run(a=P) == 1
    history.days -= 1
    assert history.run(a=P) is None
    [run] = [one for one in history.store.runs() if one.id == 1]
    assert run.tally.passed == 1
    plain = Run(record="x", suite="unit", command="", began_at=1e6, code="", results=[])
    bad = Run(record="y", suite="unit", command="", began_at=1e6, code="", results=[Result("a", 1, P)] * 2)
    with pytest.raises(apsw.ConstraintError):
        history.store.save([plain, bad], keep=100)
    assert len(history.store.runs()) == 1
    assert (tmp_path / "tests.db").exists()


def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "tests.db").write_bytes(b"no database" * 1000)
    store = SuiteStore(tmp_path / "tests.db")
    assert store.suites() == []
    store.close()
    assert (tmp_path / "tests.db.damaged").exists()
