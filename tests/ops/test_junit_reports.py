"""Reports in JUnit's format: what they say, and that none of them can do harm or is taken in by halves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from overnight.core.suites import TestOutcome
from overnight.ops.suites import junit
from overnight.ops.suites.junit import JUnitError, read, together

Report = Callable[[str], Path]

CASE = '<testcase name="a"/>'
LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + ']><testsuite><testcase name="&i;"/></testsuite>'
)
FILE = (
    '<!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/passwd">]><testsuite><testcase name="a">'
    '<failure message="&x;">&x;</failure></testcase></testsuite>'
)


@pytest.fixture
def report(tmp_path: Path) -> Report:
    def written(content: str) -> Path:
        path = tmp_path / "report.xml"
        path.write_text(content)
        return path

    return written


def test_what_a_report_says(report: Report) -> None:
    found = read(
        report(
            '<testsuites><testsuite name="unit" timestamp="2026-03-01T06:00:00Z">'
            '<testcase classname="tests.test_a" name="test_x" time="1,000.5"/>'
            '<testcase name="bad"><failure message="1 &lt; 2\nno">long</failure></testcase>'
            '<testcase name="broken"><error message="e"/></testcase>'
            '<testcase name="left"><skipped/></testcase>'
            "</testsuite></testsuites>"
        )
    )
    assert (found.suite, found.at, found.seconds) == ("unit", 1772344800.0, 1000.5)
    assert [(one.name, one.outcome, one.message) for one in found.results] == [
        ("tests.test_a::test_x", TestOutcome.PASSED, ""),
        ("bad", TestOutcome.FAILED, "1 < 2 no"),
        ("broken", TestOutcome.ERROR, "e"),
        ("left", TestOutcome.SKIPPED, ""),
    ]


def test_attempts_that_surefire_tells_are_kept(report: Report) -> None:
    found = read(report('<testsuite><testcase name="a"><flakyFailure message="m"/></testcase></testsuite>'))
    assert [(one.attempt, one.outcome) for one in found.results] == [(1, "failed"), (2, "passed")]


def test_two_tests_of_one_name_are_two_tests(report: Report) -> None:
    """Cases with the same title are not attempts: one that passes and one that fails are not flaky."""
    found = read(report('<testsuite><testcase name="a"/><testcase name="a"><failure/></testcase></testsuite>'))
    assert [(one.name, one.attempt) for one in found.results] == [("a", 1), ("a #2", 1)]


@pytest.mark.parametrize("content", [LAUGHS, FILE, "<!DOCTYPE testsuite><testsuite/>"])
def test_a_document_type_is_refused_before_anything_of_it_is_expanded(report: Report, content: str) -> None:
    with pytest.raises(JUnitError, match="DTD"):
        read(report(content))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "it is empty"),
        ('<testsuite><testcase name="a"/>', "not whole"),
        ('<testsuite><testcase name="a', "not whole"),
        ("<html/>", "no JUnit report"),
        ('<testsuite><testcase time="1"/></testsuite>', "no name"),
        (f"<testsuite>{'<a>' * 60}{'</a>' * 60}</testsuite>", "nested"),
        ("\x00\x01", "not whole"),
        ('<?xml version="1.0" encoding="shift_jis"?><testsuite/>', "encoding"),
        ('<?xml version="1.0" encoding="nobodys"?><testsuite/>', "encoding"),
    ],
)
def test_what_is_no_whole_report_is_refused_in_three_parts(report: Report, content: str, why: str) -> None:
    with pytest.raises(JUnitError) as refused:
        read(report(content))
    assert why in refused.value.message
    assert "; nothing of it was kept" in refused.value.message
    assert refused.value.hint


def test_an_enormous_report_is_refused(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(junit, "MOST_BYTES", 100)
    with pytest.raises(JUnitError, match="more than"):
        read(report(f"<testsuite>{' ' * 200}</testsuite>"))
    monkeypatch.setattr(junit, "MOST_BYTES", 10_000)
    monkeypatch.setattr(junit, "MOST_TESTS", 2)
    with pytest.raises(JUnitError, match="more than 2 tests"):
        read(report(f"<testsuite>{CASE * 3}</testsuite>"))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.xml", Path("/dev/zero")):
        with pytest.raises(JUnitError):
            read(path)


def test_odd_numbers_and_instants_are_passed_over(report: Report) -> None:
    found = read(
        report('<testsuite timestamp="soon"><testcase name="a" time="nan"/><testcase name="b" time="x"/></testsuite>')
    )
    assert (found.at, found.seconds) == (None, 0.0)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_what_no_calendar_and_no_clock_could_show_is_passed_over(report: Report, moment: str) -> None:
    """Kept as it is, each later report of the suite would break on it."""
    found = read(report(f'<testsuite timestamp="{moment}"><testcase name="a" time="1e308"/>{CASE}</testsuite>'))
    assert (found.at, found.seconds) == (None, 0.0)


def test_parts_of_one_run_are_put_together(report: Report) -> None:
    one = read(report('<testsuite name="a" timestamp="2026-03-01T06:00:00"><testcase name="x" time="1"/></testsuite>'))
    two = read(report('<testsuite name="b"><testcase name="y" time="2"/></testsuite>'))
    whole = together([two, one])
    assert (whole.suite, whole.at, whole.seconds, len(whole.results)) == ("b", 1772344800.0, 3.0, 2)
