"""A run of tests writes down each attempt as it ends; killed, it keeps what it has seen, and is never green."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from overnight.core.suites import RunVerdict, TestOutcome
from overnight.host.clock import SystemClock
from overnight.host.home import Home, create
from overnight.ops.suites import gathering, recording, records
from overnight.ops.suites.keeping import KeptRun, SuiteStore
from overnight.ops.suites.plugin import overnight_suite_record as plugin
from overnight.ops.suites.records import Began, End, Told, Writer

#: As pytest-rerunfailures does it: the attempt that failed is told with an outcome of its own, before its end.
AGAIN = """
from _pytest.runner import runtestprotocol
def pytest_runtest_protocol(item, nextitem):
    if "flaky" not in item.name:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for attempt in range(2):
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        for report in reports:
            report.outcome = "rerun" if report.failed and not attempt else report.outcome
            item.ihook.pytest_runtest_logreport(report=report)
        item._initrequest()
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
"""
TESTS = """
import psutil
import pytest
tries = []
@pytest.fixture
def broken(): raise OSError("no room")
@pytest.fixture
def leaving():
    yield
    raise OSError("cannot be cleared up")
def test_good(): pass
def test_bad(): assert 1 == 2, "\\udc80"
def test_flaky():
    tries.append(1)
    assert len(tries) == 2
def test_setup(broken): pass
def test_teardown(leaving): pass
@pytest.mark.skip
def test_skipped(): pass
@pytest.mark.xfail
def test_xfailed(): assert False
"""
DIES = """
import os, signal
def test_good(): pass
def test_bad(): assert 1 == 2
def test_dies(): os.kill(os.getpid(), signal.SIGKILL)
def test_never(): pass
"""


class Desk:
    """A project with a home, whose tests are run as a task would run them."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.home: Home = create(project / ".overnight")

    def pytest(self, *words: str) -> recording.Recorded:
        return self.run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words)

    def run(self, *argv: str, reports: tuple[str, ...] = ()) -> recording.Recorded:
        wanted = recording.Wanted("unit", tuple(map(os.fsencode, argv)), reports, None)
        return recording.record(self.home.path, self.home.tests_under_way, wanted, SystemClock())

    def last(self) -> KeptRun:
        return self.gathered()[0]

    def gathered(self, why: Callable[[int, int], str] = lambda *_: "") -> list[KeptRun]:
        store = SuiteStore(self.home.tests)
        try:
            gathering.gather(self.home, store, keep=100, why_ended=why, clock=SystemClock())
            return store.runs()
        finally:
            store.close()

    def attempts(self, name: str) -> list[TestOutcome]:
        """All that are kept of the one test that has this in its name."""
        self.gathered()
        store = SuiteStore(self.home.tests)
        try:
            [(number, _, _)] = store.tests_like(name)
            return [seen.outcome for seen in store.careers([number], store.runs())[number]]
        finally:
            store.close()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTEST_DISABLE_PLUGIN_AUTOLOAD"):  # for speed
        monkeypatch.setenv(name, "1")
    for name in ("PYTEST_ADDOPTS", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    return Desk(tmp_path)


@pytest.fixture(autouse=True)
def _quiet(capfd: pytest.CaptureFixture[str]) -> None:
    """What the inner tests print is nobody's business."""


def test_every_attempt_is_kept_the_first_failure_of_a_flaky_test_too(desk: Desk) -> None:
    (desk.project / "conftest.py").write_text(AGAIN)
    (desk.project / "test_all.py").write_text(TESTS)
    assert desk.pytest().status == 1
    run = desk.last()
    assert (run.verdict, run.exit_code) == (RunVerdict.RED, 1)
    assert (run.tally.passed, run.tally.failed, run.tally.skipped, run.tally.again) == (2, 3, 2, 1)
    assert desk.attempts("test_flaky") == [TestOutcome.FAILED, TestOutcome.PASSED]
    for name, outcome in (("bad", "failed"), ("setup", "error"), ("teardown", "error"), ("xfailed", "skipped")):
        assert desk.attempts(f"test_{name}") == [outcome]


def test_a_run_that_is_killed_keeps_what_was_seen_and_is_never_green(desk: Desk) -> None:
    (desk.project / "test_all.py").write_text(DIES)
    assert desk.pytest().status == 128 + signal.SIGKILL
    run = desk.last()
    assert (run.verdict, run.why) == (RunVerdict.INCOMPLETE, "its command was ended by signal 9")
    assert (run.tally.passed, run.tally.failed, run.tally.unfinished) == (1, 1, 1)
    assert desk.attempts("test_dies") == [TestOutcome.UNFINISHED]


def test_a_session_without_an_end_makes_a_run_incomplete_whatever_its_shell_says(desk: Desk) -> None:
    (desk.project / "conftest.py").write_text("import os\ndef pytest_runtest_logfinish(): os._exit(0)\n")
    (desk.project / "test_all.py").write_text("def test_good(): pass\ndef test_never(): pass\n")
    line = f"{sys.executable} -m pytest -q -p no:cacheprovider; exit 0"
    assert desk.run("sh", "-c", line).status == 0
    assert (desk.last().verdict, desk.last().tally.passed) == (RunVerdict.INCOMPLETE, 1)


def test_a_run_that_is_broken_off_by_hand_is_incomplete_even_with_0(desk: Desk) -> None:
    (desk.project / "test_all.py").write_text(
        "import pytest\ndef test_good(): pass\ndef test_leave(): pytest.exit('enough', returncode=0)\n"
    )
    assert desk.pytest().status == 0
    assert (desk.last().verdict, desk.last().why) == (RunVerdict.INCOMPLETE, "it was interrupted")


def test_a_file_that_cannot_be_imported_is_an_error_of_its_own(desk: Desk) -> None:
    (desk.project / "test_broken.py").write_text("import nothing_of_this_name\n")
    assert desk.pytest().status == 2
    assert desk.attempts("test_broken.py") == [TestOutcome.ERROR]


def test_workers_of_xdist_report_to_one_record(desk: Desk) -> None:
    (desk.project / "test_all.py").write_text("def test_a(): pass\ndef test_b(): pass\ndef test_c(): assert 0\n")
    assert desk.pytest("-p", "xdist", "-n", "1").status == 1
    assert (desk.last().tally.passed, desk.last().tally.failed) == (2, 1)


def test_pytest_below_a_test_writes_into_no_record(desk: Desk) -> None:
    """And finds its environment as if nobody recorded anything."""
    (desk.project / "test_all.py").write_text(
        "import os, sys, subprocess\n"
        "def test_inner():\n"
        "    assert not {'PYTEST_ADDOPTS', 'PYTHONPATH', 'OVERNIGHT_SUITE_RECORD'} & set(os.environ)\n"
        "    subprocess.run([sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', 'inner'], check=True)\n"
    )
    (desk.project / "inner").mkdir()
    (desk.project / "inner" / "test_more.py").write_text("def test_of_another(): pass\n")
    assert desk.pytest("test_all.py").status == 0
    assert (desk.last().verdict, desk.last().tally.passed) == (RunVerdict.GREEN, 1)


def test_tests_of_one_name_in_several_projects_and_environments_are_several(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One command that runs pytest in each of them: what fails in one and passes in the other is not flaky."""
    for name, outcome in (("one", "True"), ("two", "False")):
        (desk.project / name).mkdir()
        (desk.project / name / "pytest.ini").write_text("[pytest]\n")
        (desk.project / name / "test_all.py").write_text(f"def test_a(): assert {outcome}\n")
    line = f"for d in one two; do (cd $d && {sys.executable} -m pytest -q -p no:cacheprovider); done"
    desk.run("sh", "-c", line)
    assert desk.attempts("one/test_all.py::test_a") == [TestOutcome.PASSED]
    assert desk.attempts("two/test_all.py::test_a") == [TestOutcome.FAILED]
    monkeypatch.setenv("TOX_ENV_NAME", "py311")
    assert plugin._whose(SimpleNamespace(rootpath=desk.project / "one"), str(desk.project)) == "py311: one/"
    assert plugin._whose(SimpleNamespace(rootpath=desk.project), str(desk.project / "one")) == "py311: "


def test_without_being_asked_the_plug_in_does_nothing_and_it_needs_nothing_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(plugin.VARIABLE, raising=False)
    plugin.pytest_configure(None)
    modules = "import sys; sys.path.insert(0, sys.argv[1]); import overnight_suite_record; print(*sys.modules)"
    words = [sys.executable, "-I", "-S", "-c", modules, str(Path(plugin.__file__).parent)]
    loaded = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert not {name for name in loaded if name.partition(".")[0] in ("overnight", "pytest", "_pytest", "asyncio")}


def test_a_full_disk_does_not_break_the_tests(tmp_path: Path) -> None:
    path = tmp_path / "record"
    path.touch()
    recorder = plugin.Recorder(str(path))
    os.dup2(os.open("/dev/full", os.O_WRONLY), recorder._descriptor)
    recorder.pytest_sessionstart()
    recorder.pytest_sessionfinish()
    assert recorder._is_lost


# -- records ---------------------------------------------------------------------------------


def begun(desk: Desk, *, task_id: int | None = None) -> Writer:
    return Writer(
        desk.home.tests_under_way,
        Began(suite="unit", command="pytest", at=1e9, code="git:1", task_id=task_id, attempt=task_id and 1),
    )


def test_a_record_that_somebody_writes_to_is_left_alone(desk: Desk) -> None:
    writer = begun(desk)
    writer.say(Told(name="a", outcome=TestOutcome.PASSED))
    assert desk.gathered() == []
    writer.close()
    assert desk.last().verdict is RunVerdict.INCOMPLETE


def test_a_run_whose_writer_was_killed_is_incomplete_and_says_why_where_that_is_known(desk: Desk) -> None:
    for task_id in (None, 7):
        writer = begun(desk, task_id=task_id)
        writer.say(Told(name="a", outcome=TestOutcome.PASSED))
        writer.close()
    runs = desk.gathered(lambda task_id, attempt: f"timed out {task_id}/{attempt}")
    assert {run.why for run in runs} == {"it was killed", "timed out 7/1"}
    assert {run.verdict for run in runs} == {RunVerdict.INCOMPLETE}


def test_torn_and_foreign_lines_are_passed_over(desk: Desk) -> None:
    writer = begun(desk)
    writer.say(Told(name="a", outcome=TestOutcome.PASSED))
    with writer.path.open("ab") as file:
        file.write(b'\xff\n{"kind":"other"}\n[]\n' + json.dumps({"kind": "result", "name": "b"}).encode() + b"\n")
        file.write(b'{"kind":"result","name":"torn","outcome":"passed"')
    writer.close()
    assert desk.last().tally.passed == 1


def test_a_writer_that_cannot_begin_leaves_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Writer, "say", full)
    before = psutil.Process().num_fds()
    with pytest.raises(OSError, match="No space"):
        begun(desk)
    assert list(desk.home.tests_under_way.iterdir()) == []
    assert psutil.Process().num_fds() == before


def test_what_a_killed_writer_has_left_goes_and_what_somebody_begins_stays(desk: Desk) -> None:
    desk.home.tests_under_way.mkdir()
    names = ("0123456789abcdef", "fedcba9876543210", "0000000000000000", "notes")
    held, left, young, mine = (desk.home.tests_under_way / f".{name}" for name in names)
    for path in (held, left, young, mine):
        path.touch()
        if path != young:
            os.utime(path, (1e9, 1e9))
    with held.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        assert desk.gathered() == []
    assert sorted(desk.home.tests_under_way.iterdir()) == sorted((held, young, mine))


def test_what_is_no_record_stays_where_it_is(desk: Desk) -> None:
    desk.home.tests_under_way.mkdir()
    strange = desk.home.tests_under_way / f"mine{records.SUFFIX}"
    strange.write_text("notes of mine\n")
    assert desk.gathered() == []
    assert strange.exists()


def test_a_crash_between_taking_in_and_removing_counts_nothing_twice(desk: Desk) -> None:
    writer = begun(desk)
    writer.say(End(exit_code=0, seconds=1.0))
    writer.close()
    content = writer.path.read_bytes()
    assert len(desk.gathered()) == 1
    writer.path.write_bytes(content)
    assert len(desk.gathered()) == 1
    assert not writer.path.exists()


# -- reports of other test runners -----------------------------------------------------------

WRITE = "printf '<testsuite><testcase name=\"a\"/></testsuite>' > out.xml; exit 0"


def test_reports_that_the_command_writes_are_taken_in(desk: Desk) -> None:
    assert desk.run("sh", "-c", WRITE, reports=("*.xml",)) == (0, [], False)
    assert (desk.last().verdict, desk.last().tally.passed) == (RunVerdict.GREEN, 1)
    assert desk.run("sh", "-c", WRITE, reports=("*.xml",)).notes == []  # a report is no code


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("exit 0", "wrote no report"),
        ("printf '<testsuite><testcase' > out.xml", "cannot be read"),
        (": > out.xml", "cannot be read"),
    ],
)
def test_a_run_whose_report_is_missing_old_or_torn_is_not_green(desk: Desk, script: str, why: str) -> None:
    (desk.project / "out.xml").write_text('<testsuite><testcase name="of another run"/></testsuite>')
    status, [(what, hint)], _ = desk.run("sh", "-c", script, reports=("out.xml",))
    assert (status, bool(hint)) == (0, True)
    assert why in what
    assert (desk.last().verdict, desk.last().tally.passed) == (RunVerdict.INCOMPLETE, 0)


def test_a_program_that_is_not_there_ends_as_in_a_shell(desk: Desk) -> None:
    status, [(what, _)], _ = desk.run("no-such-program")
    assert status == 127
    assert "no-such-program" in what
    assert desk.last().verdict is RunVerdict.RED


def test_code_that_changes_while_tests_run_is_compared_with_no_other(desk: Desk) -> None:
    (desk.project / "a.py").write_text("1")
    [(what, _)] = desk.run("sh", "-c", "echo 2 > a.py").notes
    assert "a.py" in what
    assert desk.run("true").notes == []
    codes = [run.code for run in desk.gathered()]
    assert codes[0].startswith("files:")
    assert codes[1].startswith("run:")
