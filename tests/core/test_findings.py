"""What all findings together mean."""

from __future__ import annotations

import pytest

from overnight.core.findings import Finding, Fix, Overall, Status, by_urgency, exit_code, fixes, overall

OK, WARN, FAIL, UNKNOWN = Status


def found(*statuses: Status) -> list[Finding]:
    return [Finding(f"check-{number}", status, "so it is") for number, status in enumerate(statuses)]


@pytest.mark.parametrize(
    ("statuses", "word", "code"),
    [
        ((), Overall.UNKNOWN, 3),
        ((OK, OK), Overall.HEALTHY, 0),
        ((OK, WARN), Overall.WARNING, 1),
        ((WARN, WARN), Overall.WARNING, 1),
        ((UNKNOWN, OK), Overall.WARNING, 3),
        ((WARN, WARN, WARN), Overall.DEGRADED, 1),
        ((WARN, UNKNOWN, WARN), Overall.DEGRADED, 3),
        ((FAIL, OK), Overall.FAIL, 2),
        ((FAIL, UNKNOWN, WARN), Overall.FAIL, 2),
    ],
)
def test_all_together_in_one_word_and_one_number(statuses: tuple[Status, ...], word: Overall, code: int) -> None:
    assert (overall(found(*statuses)), exit_code(found(*statuses))) == (word, code)


@pytest.mark.parametrize(("statuses", "code"), [((WARN, UNKNOWN), 0), ((WARN, FAIL), 2), ((OK,), 0)])
def test_who_minds_only_failures_is_told_only_of_failures(statuses: tuple[Status, ...], code: int) -> None:
    assert exit_code(found(*statuses), fail_on=FAIL) == code


def test_the_worst_comes_first_and_equals_keep_their_order() -> None:
    order = [finding.check for finding in by_urgency(found(OK, WARN, FAIL, UNKNOWN, WARN))]
    assert order == ["check-2", "check-3", "check-1", "check-4", "check-0"]


def test_a_fix_is_offered_once_and_not_for_what_is_well() -> None:
    again, other, idle = Fix("again", "Again", ("true",)), Fix("other", "Other", text="by hand"), Fix("idle", "Idle")
    findings = [
        Finding("a", WARN, "", fixes=(again,)),
        Finding("b", FAIL, "", fixes=(other, again)),
        Finding("c", OK, "", fixes=(idle,)),
    ]
    assert fixes(findings) == [other, again]
