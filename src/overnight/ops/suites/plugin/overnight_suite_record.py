"""The plug-in of pytest that writes down each attempt of each test as it ends.

It does nothing unless `overnight test run` asks by the variable below, and it needs nothing but Python itself, since
the tests may have an environment of their own in which Overnight is not installed. JUnit files would not do: of a
test that failed and then passed they keep the last attempt alone, and one that is killed writes none.

Whoever starts pytest below a test must not write into the same file, so the variable, and the way by which this
module was found, are taken out of the environment as soon as they were read.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

#: Name the file to write to, and the directory in which the command was started.
VARIABLE, PLACE = "OVERNIGHT_SUITE_RECORD", "OVERNIGHT_SUITE_PLACE"
#: By these tox and nox tell in which of their environments tests run.
_ENVIRONMENTS = ("TOX_ENV_NAME", "NOX_CURRENT_SESSION")
_NAME = Path(__file__).stem
_PHASES = ("setup", "call", "teardown")
#: Outcomes that plug-ins give to an attempt that failed and is to be made again.
_AGAIN = ("rerun", "retried")
_MOST_MESSAGE = 2000


def pytest_configure(config: Any) -> None:  # noqa: ANN401 - pytest's own types are not to be imported
    """Begin, where somebody asked. The workers of pytest-xdist report to the process that started them."""
    path, place = os.environ.pop(VARIABLE, ""), os.environ.pop(PLACE, "")
    if path and not hasattr(config, "workerinput"):
        _leave_no_trace()
        config.pluginmanager.register(Recorder(path, _whose(config, place)), f"{_NAME}-recorder")


def _whose(config: Any, place: str) -> str:  # noqa: ANN401 - as above
    """What stands before the names of this session's tests, when one command starts several.

    Tests of other environments and projects may have the same names, and are others all the same.
    """
    environment = next((f"{os.environ[name]}: " for name in _ENVIRONMENTS if os.environ.get(name)), "")
    root = os.path.relpath(str(config.rootpath), place or ".")
    return environment if root.startswith(".") else f"{environment}{root}/"


def _leave_no_trace() -> None:
    _without("PYTEST_ADDOPTS", f"-p {_NAME}", " ")
    _without("PYTHONPATH", os.path.dirname(os.path.abspath(__file__)), os.pathsep)  # noqa: PTH100, PTH120 - as it was set


def _without(variable: str, words: str, separator: str) -> None:
    """Take out what was put in front of a variable."""
    rest = os.environ.get(variable, "").removeprefix(words).removeprefix(separator)
    if rest:
        os.environ[variable] = rest
    else:
        os.environ.pop(variable, None)


class Recorder:
    """Writes one line for each thing that happens, at once. Killed, it leaves all lines but perhaps the last.

    Args:
        path: The file; appended to, and held for as long as this process lives.
        whose: Stands before the names of tests.
    """

    def __init__(self, path: str, whose: str = "") -> None:
        self._whose = whose
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)
        self._is_lost = False
        #: What is known of attempts that have not ended: outcome, seconds, message.
        self._open: dict[tuple[str, str], tuple[str, float, str]] = {}

    def pytest_sessionstart(self) -> None:
        self._say(kind="session")

    def pytest_keyboard_interrupt(self) -> None:
        """By Ctrl-C, or by `pytest.exit`, which may even end with 0."""
        self._say(kind="trouble", why="it was interrupted")

    def pytest_sessionfinish(self) -> None:
        self._say(kind="finished")

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._say(kind="begun", name=self._whose + nodeid)

    def pytest_collectreport(self, report: Any) -> None:  # noqa: ANN401 - as above
        if report.failed:
            self._result(report.nodeid or "collection", "error", 0.0, _message(report))

    def pytest_runtest_logreport(self, report: Any) -> None:  # noqa: ANN401 - as above
        """One phase of an attempt. The first thing that goes wrong in it is what the attempt came to."""
        key = (report.nodeid, str(getattr(report, "worker_id", "")))
        outcome, seconds, message = self._open.pop(key, ("", 0.0, ""))
        seconds += getattr(report, "duration", 0.0)
        now = _outcome(report)
        if now and outcome not in ("failed", "error"):
            outcome, message = now, _message(report)
        if report.when == "teardown" or report.when not in _PHASES or report.outcome in _AGAIN:
            if outcome:  # some clear up after an attempt that they have told of already
                self._result(report.nodeid, outcome, seconds, message)
        else:
            self._open[key] = (outcome, seconds, message)

    def _result(self, name: str, outcome: str, seconds: float, message: str) -> None:
        self._say(kind="result", name=self._whose + name, outcome=outcome, seconds=round(seconds, 6), message=message)

    def _say(self, **words: object) -> None:
        """A disk that is full is no reason to break the tests: what is missing makes the run incomplete."""
        if not self._is_lost:
            try:
                line = json.dumps(words, ensure_ascii=False)
                os.write(self._descriptor, line.encode("utf-8", "replace") + b"\n")
            except OSError:
                self._is_lost = True


def _outcome(report: Any) -> str:  # noqa: ANN401 - as above
    """What a phase makes of its attempt; empty for nothing: that it was prepared well says nothing yet."""
    if report.outcome == "failed" or report.outcome in _AGAIN:
        return "failed" if report.when == "call" else "error"
    if report.outcome == "skipped":
        return "skipped"
    return "passed" if report.when == "call" else ""


def _message(report: Any) -> str:  # noqa: ANN401 - as above
    """Why it failed, on one line; empty for what did not."""
    if report.outcome not in ("failed", *_AGAIN):
        return ""
    crash = getattr(getattr(report.longrepr, "reprcrash", None), "message", None)
    lines = str(crash or report.longrepr or "").strip().splitlines() or [""]
    return (lines[0] if crash else lines[-1])[:_MOST_MESSAGE].strip()
