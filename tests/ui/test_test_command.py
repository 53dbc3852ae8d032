"""`overnight test`, as people type it."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from overnight.core.stopping import StoppedBy
from overnight.ui.cli.ending import Ending

Call = Callable[..., Any]

#: Fails at each odd run.
TURNS = "n=$(cat {0}/n 2>/dev/null); echo $((n + 1)) > {0}/n; [ $((n % 2)) = 0 ] || bad='<failure message=\"odd\"/>'"
WRITE = (
    '; printf \'<testsuite><testcase name="a" time="2"/><testcase name="turns">%s</testcase></testsuite>\' "$bad"'
    ' > out.xml; [ -z "$bad" ]'
)


@pytest.fixture
def turning(overnight: Call, tmp_path: Path) -> Call:
    """Runs a suite with a test that fails at every other run."""

    def run(*words: str) -> Any:
        script = TURNS.format(tmp_path) + WRITE
        return overnight("test", "run", "--suite", "unit", "--junit", "out.xml", *words, "--", "sh", "-c", script)

    return run


def test_runs_are_kept_and_told(turning: Call, overnight: Call) -> None:
    first, second = turning(), turning("--json")
    assert (first.status, second.status) == (0, 1)
    assert "run 1" in first.err
    assert "green, 2 passed" in first.err
    run = second.json["run"]
    assert (run["verdict"], run["passed"], run["failed"], run["exit_code"]) == ("red", 1, 1, 1)
    (flaky,) = [json.loads(line) for line in overnight("test", "flaky", "--json").lines]
    assert (flaky["name"], flaky["runs"], flaky["of"]) == ("turns", 1, 2)

    report = overnight("test", "report")
    for words in ("suite 'unit': run 2", "last green: run 1", "New failures since run 1", "turns\n      odd", "Flaky"):
        assert words in report.out
    assert "# Tests" in overnight("test", "report", "--md").out
    (suite,) = overnight("test", "report", "--json").json["suites"]
    assert [(one["name"], one["is_new"], one["since"]) for one in suite["failing"]] == [("turns", True, 2)]
    assert suite["last_green"]["id"] == 1
    assert overnight("test", "slow").out.startswith("2.0 s")
    assert [line.split()[:2] for line in overnight("test", "history").lines] == [["run", "2"], ["run", "1"]]
    told = [json.loads(line)["outcome"] for line in overnight("test", "history", "turns", "--json").lines]
    assert told == ["failed", "passed"]
    doctor = overnight("doctor", "tests", "--json").json["checks"]
    assert [(one["status"], one["summary"]) for one in doctor] == [("warn", "unit: run 2 is red, 1 passed, 1 failed")]
    assert turning("--quiet").status == 0
    assert overnight("doctor", "tests").status == 0


def test_a_run_whose_program_is_killed_is_incomplete_and_keeps_what_it_saw(overnight: Call, place: Path) -> None:
    """The tests kill what records them, and hang: the runner ends them."""
    (place / "test_all.py").write_text(
        "import os, signal, time\n"
        "def test_good(): pass\n"
        "def test_kills():\n"
        "    os.kill(os.getppid(), signal.SIGKILL)\n"
        "    time.sleep(50)\n"
    )
    words = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    said = overnight("test", "run", "--json", "--", *words)
    run = said.json["run"]
    assert said.status == 1
    assert (run["verdict"], run["passed"], run["unfinished"]) == ("incomplete", 1, 1)
    assert "SIGKILL" in run["why"]
    assert "test_all.py::test_kills" in overnight("test", "report").out
    (told,) = overnight("doctor", "tests", "--json").json["checks"]
    assert told["status"] == "warn"
    assert "incomplete" in told["summary"]


@pytest.mark.parametrize("status", [7, 75, 99])
def test_the_exit_status_of_the_command_is_passed_on_and_means_nothing_to_the_queue(
    overnight: Call, status: int
) -> None:
    """Not even one by which a task would be put off, or stop the queue; and red tests are no failure of the night."""
    assert overnight("test", "run", "--quiet", "--", "sh", "-c", f"exit {status}").status == status
    (task,) = [json.loads(line) for line in overnight("list", "--json").lines]
    assert (task["state"], task["attempt"]) == ("completed", 1)
    assert "stop" not in overnight("status").out.partition("\n")[0]


def test_a_schedule_runs_tests_with_the_same_words(overnight: Call, place: Path) -> None:
    """Inside of a task it is the run itself, in this home, with the limits of the task."""
    words = [sys.executable, "-m", "overnight", "test", "run", "--suite", "nightly", "--junit", "out.xml", "--"]
    script = "echo '<testsuite><testcase name=\"a\"/></testsuite>' > out.xml"
    timed = [*words[:5], "--timeout", "5s", "--", "true"]
    (place / "overnight.toml").write_text(
        f'[schedules.nightly]\ncron = "0 2 * * *"\nretries = 0\nrun = {json.dumps([*words, "sh", "-c", script])}\n'
        f'[schedules.timed]\ncron = "0 2 * * *"\nretries = 0\nrun = {json.dumps(timed)}\n'
    )
    overnight("add", "x", "--", "true")
    task = int(overnight("schedule", "run", "nightly").out)
    other = overnight("schedule", "run", "timed").out.strip()
    assert overnight("run", "--quiet").status == 1
    assert overnight("show", other, "--json").json["state"] == "failed"
    (run,) = [json.loads(line) for line in overnight("test", "history", "--json").lines]
    assert (run["suite"], run["verdict"], run["task_id"]) == ("nightly", "green", task)
    assert "--timeout was given inside of a task" in overnight("log", other).err + overnight("log", other).out


def test_reports_are_imported_once_and_all_or_none(overnight: Call, place: Path) -> None:
    for name, inner in (("one", ""), ("two", "<failure/>")):
        (place / f"{name}.xml").write_text(f'<testsuite name="ci"><testcase name="a">{inner}</testcase></testsuite>')
    (place / "torn.xml").write_text("<testsuite>")
    refused = overnight("test", "import", "one.xml", "torn.xml")
    assert (refused.status, "try:" in refused.err) == (1, True)
    assert overnight("test", "history").out == ""
    assert overnight("test", "import", "--code", "c1", "one.xml", "two.xml").status == 0
    again = overnight("test", "import", "--code", "c1", "one.xml", "two.xml")
    assert "2 runs left out" in again.err
    assert "50%" in overnight("test", "flaky", "--suite", "ci").out
    whole = overnight("test", "import", "--one-run", "--suite", "all", "--json", "one.xml", "two.xml").json
    assert (whole["passed"], whole["failed"], whole["again"], whole["code"]) == (0, 1, 1, None)


def test_what_is_not_there_is_said(overnight: Call) -> None:
    assert "'overnight test run -- pytest" in overnight("test", "run").err
    assert overnight("test", "run", ":::", "a").status == 2
    assert overnight("test", "report").status == 4
    overnight("add", "x", "--", "true")
    assert "no tests were run yet" in overnight("test", "report").err
    assert overnight("test", "report", "--suite", "none").status == 4
    assert overnight("test", "history", "none").status == 4
    assert overnight("test", "report", "--md", "--json").status == 2
    assert overnight("doctor", "tests", "--json").json["checks"] == []


def test_where_nothing_can_be_kept_it_is_said(overnight: Call, place: Path) -> None:
    overnight("add", "x", "--", "true")
    (place / ".overnight" / "tests.db").mkdir()
    refused = overnight("test", "report")
    assert (refused.status, "try:" in refused.err) == (1, True)


def test_a_suite_is_called_by_its_command_and_where_it_runs(overnight: Call, place: Path) -> None:
    overnight("add", "x", "--", "true")
    (place / "deep").mkdir()
    os.chdir(place / "deep")
    run = overnight("test", "run", "--json", "--", "sh", "-c", "exit 0").json["run"]
    assert run["suite"] == "deep: sh -c 'exit 0'"


def test_a_run_of_an_earlier_task_of_the_same_number_is_not_taken_for_this_one(
    turning: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers of tasks come again after going back to a checkpoint; one that never began is not green by that."""
    first = turning("--json")
    assert first.status == 0
    entered = SimpleNamespace(ids=[first.json["run"]["task_id"]])
    stopped = Ending(StoppedBy.SIGNAL, None, Counter(), left=1)
    monkeypatch.setattr("overnight.ui.cli.suite_run.enter", lambda *_, **__: entered)
    monkeypatch.setattr(
        "overnight.ui.cli.suite_run.run_work", lambda _home, entering, _manner: entering(None) and (stopped, 0)
    )
    again = turning("--json")
    assert (again.status, again.json["run"]) == (7, None)
