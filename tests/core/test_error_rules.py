from __future__ import annotations

from typing import Any

import pytest
from judged import NOON, ended, exited, standing

from overnight.core.endings import Ending
from overnight.core.error_rules import Rule, read
from overnight.core.states import ErrorClass, Outcome, TaskState
from overnight.core.verdict import judge


def rule(**table: Any) -> Rule:
    found, wrong = read({"class": "transient", **table})
    assert found is not None, wrong
    return found


FAILURE = ended(Ending.RAISED, error="HTTPError: quota exceeded", detail="a\nb", error_type="shop.api.HTTPError")


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        ({"exception": "shop.api.HTTPError"}, True),
        ({"exception": "HTTPError"}, True),
        ({"exception": "Error"}, False),
        ({"output": "quota .*ed"}, True),
        ({"output": "(?m)^b$"}, True),
        ({"output": "disk"}, False),
        ({"exception": "HTTPError", "output": "disk"}, False),
        ({"exit": 7}, False),
    ],
)
def test_a_rule_means_what_all_its_conditions_hold_for(conditions: dict[str, Any], holds: bool) -> None:  # noqa: FBT001 - parametrized
    assert rule(**conditions).holds(FAILURE) is holds


def test_exit_status_and_signal_are_conditions_too() -> None:
    assert rule(exit=7).holds(exited(7))
    assert not rule(exit=7).holds(exited(8))
    assert rule(signal=11).holds(ended(Ending.SIGNALLED, signal=11))


def test_the_first_rule_that_holds_decides_over_what_an_exit_status_says() -> None:
    rules = (rule(exit=65), rule(exit=65, **{"class": "permanent"}), rule(exit=1, **{"class": "permanent"}))
    mended = judge(exited(65), standing(), now=NOON, rules=rules)
    assert (mended.state, mended.error_class) == (TaskState.WAITING, ErrorClass.TRANSIENT)
    given_up = judge(exited(1), standing(), now=NOON, rules=rules)
    assert (given_up.state, given_up.error_class) == (TaskState.FAILED, ErrorClass.PERMANENT)


def test_a_rule_with_a_wait_costs_no_failure() -> None:
    settled = judge(exited(7), standing(failures=2), now=NOON, rules=[rule(exit=7, wait="10m")])
    assert (settled.state, settled.outcome, settled.failures) == (TaskState.WAITING, Outcome.POSTPONED, 2)
    assert (settled.not_before, settled.error) == (NOON + 600, "exit status 7")


def test_what_was_told_too_many_requests_waits_as_long_as_it_was_told_or_a_minute() -> None:
    limited = [rule(exit=7, **{"class": "rate_limited"})]
    assert judge(exited(7), standing(), now=NOON, rules=limited).not_before == NOON + 60
    assert judge(exited(7, retry_at=NOON + 5), standing(), now=NOON, rules=limited).not_before == NOON + 5
    told = judge(ended(Ending.RAISED, error_class=ErrorClass.RATE_LIMITED), standing(), now=NOON)
    assert (told.outcome, told.not_before, told.error_class) == (Outcome.POSTPONED, NOON + 60, ErrorClass.RATE_LIMITED)


@pytest.mark.parametrize(
    "good",
    [exited(0), exited(99), ended(Ending.RETURNED), ended(Ending.CANCELLED), ended(Ending.POSTPONED, retry_at=1.0)],
)
def test_what_has_not_failed_is_no_matter_of_rules(good: Any) -> None:
    rules = [rule(exit=0), rule(output=".*", **{"class": "permanent"})]
    assert judge(good, standing(), now=NOON, rules=rules) == judge(good, standing(), now=NOON)


@pytest.mark.parametrize(
    ("table", "keys"),
    [
        ({}, ["", ""]),
        ({"class": "transient"}, [""]),
        ({"exit": 1}, [""]),
        ({"exit": 256, "class": "transient"}, ["exit"]),
        ({"exit": True, "class": "transient"}, ["exit"]),
        ({"signal": "KILL", "class": "transient"}, ["signal"]),
        ({"output": "(", "class": "transient"}, ["output"]),
        ({"exception": 5, "class": "transient"}, ["exception"]),
        ({"exit": 1, "class": "unknown"}, ["class"]),
        ({"exit": 1, "class": "transient", "wait": "soon"}, ["wait"]),
        ({"exit": 1, "class": "permanent", "wait": "1m"}, ["wait"]),
        ({"exit": -1, "class": "bad", "wait": "x"}, ["exit", "class", "wait"]),
    ],
)
def test_what_makes_no_sense_is_named_with_its_key(table: dict[str, Any], keys: list[str]) -> None:
    found, wrong = read(table)
    assert found is None
    assert [key for key, _ in wrong] == keys
