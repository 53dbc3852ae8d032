"""Reading what test runners write as JUnit XML, from whomever it comes.

A document type is refused as soon as it begins, before any entity in it could be expanded, so neither billions of
laughs nor files of this machine come out of a report; and it is read piece by piece into the few words that are
kept of each test, so that a large one does not fill the memory. A report is read whole or not at all.

Source: the format has no standard; Surefire, pytest, Gradle, Jest, gotestsum and others agree in what is read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat

import msgspec

from overnight.core.errors import OvernightError
from overnight.core.suites import Result, TestOutcome, numbered
from overnight.host.files import open_regular
from overnight.ops.suites.records import Told, as_result

#: Bytes of a report, tests in it, elements within each other.
MOST_BYTES, MOST_TESTS, MOST_DEPTH = 256 * 1024**2, 1_000_000, 50
_BLOCK = 1024 * 1024
#: Seconds that no test takes; and years besides which a moment was written by a clock that nobody has set.
_NEVER, _YEARS = 1e9, range(1970, 9999)
_ROOTS = ("testsuites", "testsuite")
#: What an element in a test case makes of it.
_ENDS = {
    "failure": TestOutcome.FAILED,
    "error": TestOutcome.ERROR,
    "skipped": TestOutcome.SKIPPED,
}
#: Attempts besides the one that counts, as Surefire tells them. A flaky test has passed in the end, another has not.
_ATTEMPTS = {
    "flakyFailure": TestOutcome.FAILED,
    "flakyError": TestOutcome.ERROR,
    "rerunFailure": TestOutcome.FAILED,
    "rerunError": TestOutcome.ERROR,
}


class JUnitError(OvernightError):
    """A report that cannot be read."""


class Report(NamedTuple):
    """What a report says. `at`: POSIX seconds, where it says when."""

    suite: str
    at: float | None
    seconds: float
    results: list[Result]


def read(path: Path) -> Report:
    """The report in a file.

    Raises:
        JUnitError: It is not there, is none, is not whole, too large, or has a document type.
    """
    reader = _Reader()
    try:
        with open_regular(path.resolve()) as file:
            size = 0
            while content := file.read(_BLOCK):
                size += len(content)
                _want(size <= MOST_BYTES, f"it has more than {MOST_BYTES // 1024**2} MiB")
                reader.feed(content)
            _want(size > 0, "it is empty; whoever was to write it has probably been killed")
            reader.close()
    except OSError as error:
        raise _unread(path, error.strerror or str(error), "look at the name of the file") from None
    except expat.ExpatError as error:
        raise _unread(path, f"it is not whole, or no XML: {error}", "run the tests once more, to their end") from None
    except (LookupError, ValueError) as error:  # it names another encoding than those that can be read
        raise _unread(path, f"its encoding: {error}", "have it written in UTF-8") from None
    except _RefusedError as error:
        raise _unread(path, str(error), "write it with a test runner, as in 'pytest --junitxml FILE'") from None
    return Report(reader.suite, reader.at, reader.seconds, reader.results)


def _unread(path: Path, why: str, hint: str) -> JUnitError:
    return JUnitError(f"the report {str(path)!r} cannot be read ({why}); nothing of it was kept", hint=hint)


class _RefusedError(Exception):
    """What is no report, or nothing that a report would have in it."""


def _want(is_so: bool, otherwise: str) -> None:  # noqa: FBT001 - an assertion
    if not is_so:
        raise _RefusedError(otherwise)


class _Reader:
    """Makes results of the events of a parser."""

    def __init__(self) -> None:
        self.suite = ""
        self.at: float | None = None
        self.seconds = 0.0
        self.results: list[Result] = []
        self._names: dict[str, int] = {}
        self._depth = 0
        self._case: list[Told] = []
        self._main: Told | None = None
        self._parser = expat.ParserCreate()
        self._parser.StartDoctypeDeclHandler = _refuse_doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def feed(self, content: bytes) -> None:
        self._parser.Parse(content, False)  # noqa: FBT003 - expat's signature

    def close(self) -> None:
        self._parser.Parse(b"", True)  # noqa: FBT003 - the same

    def _start(self, tag: str, said: dict[str, str]) -> None:
        self._depth += 1
        _want(self._depth <= MOST_DEPTH, f"its elements are nested more than {MOST_DEPTH} deep")
        if self._depth == 1:
            _want(tag in _ROOTS, f"it is no JUnit report: it begins with <{tag[:40]}>")
        if tag == "testsuite":
            self.suite = self.suite or said.get("name", "")
            self.at = _instant(said.get("timestamp", "")) if self.at is None else self.at
        elif tag == "testcase":
            self._begin_case(said)
        elif self._main is not None:
            self._within_case(tag, said)

    def _begin_case(self, said: dict[str, str]) -> None:
        _want(len(self.results) < MOST_TESTS, f"it has more than {MOST_TESTS:,} tests")
        name = "::".join(part for part in (said.get("classname") or said.get("file", ""), said.get("name", "")) if part)
        _want(bool(name), "a test in it has no name")
        self._names[name] = same = self._names.get(name, 0) + 1
        name = name if same == 1 else f"{name} #{same}"
        self._main, self._case = Told(name=name, outcome=TestOutcome.PASSED, seconds=_seconds(said)), []

    def _within_case(self, tag: str, said: dict[str, str]) -> None:
        assert self._main is not None  # noqa: S101 - the caller has looked
        message = " ".join(said.get("message", "").split())
        if tag in _ENDS:
            self._main = msgspec.structs.replace(self._main, outcome=_ENDS[tag], message=message)
        elif tag in _ATTEMPTS:
            attempt = Told(name=self._main.name, outcome=_ATTEMPTS[tag], seconds=_seconds(said), message=message)
            self._case.append(attempt)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if tag == "testcase" and self._main is not None:
            for number, told in enumerate([*self._case, self._main], 1):
                self.results.append(msgspec.structs.replace(as_result(told), attempt=number))
                self.seconds += told.seconds
            self._main = None


def _refuse_doctype(*_: object) -> None:
    raise _RefusedError("it has a document type (DTD), which no report needs and by which much harm is done")


def _seconds(said: dict[str, str]) -> float:
    """Of an element; some write a comma between thousands."""
    try:
        found = float(said.get("time", "0").replace(",", ""))
    except ValueError:
        return 0.0
    return found if 0 <= found < _NEVER else 0.0


def _instant(words: str) -> float | None:
    """POSIX seconds; what says no zone is taken for UTC, as the schema of Ant has it."""
    try:
        moment = datetime.fromisoformat(words)
    except ValueError:
        return None
    if moment.year not in _YEARS:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def together(reports: Sequence[Report]) -> Report:
    """Several reports of one run as one: the first name and the earliest instant count.

    A test that is in several of them was tried again.
    """
    at = min((report.at for report in reports if report.at is not None), default=None)
    results = numbered([result for report in reports for result in report.results])
    return Report(reports[0].suite, at, sum(report.seconds for report in reports), results)
