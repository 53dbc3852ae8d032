"""Conditions of steps: what they mean, and what is said of those that mean nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight.core.workflow.conditions import ConditionError, IncomparableError, holds, never, parse
from overnight.core.workflow.outputs import MissingError

OUTPUTS = {
    "probe": {
        "duration": 61.5,
        "codec": "mp3",
        "audio": True,
        "tags": [],
        "printed": "90",
        "none": None,
        "format": {"n": 2},
    },
    "input": {"size": 3},
}


def is_true(words: str, outputs: dict[str, Any] | None = None) -> bool:
    return holds(parse(words), OUTPUTS if outputs is None else outputs)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("{probe.duration} > 60", True),
        ("{probe.duration} > 61.5", False),
        ("{probe.duration} >= 61.5", True),
        ("{probe.duration}<60", False),
        ("{probe.duration} != 60", True),
        ("{probe.duration} == 6.15e1", True),
        ('{probe.codec} == "mp3"', True),
        ("{probe.codec} != 'mp3'", False),
        ('{probe.codec} < "wav"', True),
        ("{probe.codec} == 3", False),
        ("{probe.audio} == true", True),
        ("{probe.audio}", True),
        ("{probe.tags}", False),
        ("{probe.none} == null", True),
        ("{probe.none}", False),
        ("{probe.format.n} == 2", True),
        ("{input.size} <= 3", True),
    ],
)
def test_one_comparison(words: str, expected: bool) -> None:  # noqa: FBT001 - a table
    assert is_true(words) is expected


def test_a_number_that_was_printed_is_compared_as_a_number() -> None:
    """As text, "90" would come before "100"."""
    assert is_true("{probe.printed} < 100")
    assert is_true("{probe.printed} == 90")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("{probe.duration} > 60 and {probe.audio}", True),
        ("{probe.duration} > 90 and {probe.audio}", False),
        ("{probe.duration} > 90 or {probe.audio}", True),
        # `and` binds tighter: false and false, or true.
        ("{probe.duration} > 90 and {probe.tags} or {probe.audio}", True),
        ("{probe.audio} or {probe.duration} > 90 and {probe.tags}", True),
    ],
)
def test_several_comparisons(words: str, expected: bool) -> None:  # noqa: FBT001 - a table
    assert is_true(words) is expected


def test_what_is_not_there_is_told_and_not_taken_for_false() -> None:
    with pytest.raises(MissingError, match=r"\{probe.length\} is missing: step 'probe' has given no 'length'"):
        is_true("{probe.length} > 3")


def test_what_has_no_order_is_told() -> None:
    with pytest.raises(IncomparableError, match=r'\{probe.codec\} is "mp3", which has no order with 3'):
        is_true("{probe.codec} > 3")
    with pytest.raises(IncomparableError):
        is_true("{probe.none} < 3")
    with pytest.raises(IncomparableError):
        is_true("{probe.audio} > 0")


@pytest.mark.parametrize(
    ("words", "at", "what"),
    [
        ("", 0, "'the end' stands where a placeholder is expected"),
        ("duration > 3", 0, "'duration' stands where a placeholder"),
        ("{probe} > 3", 0, "{probe} is no placeholder here"),
        ("{a.b} > ", 8, "'the end' stands where a number or a text is expected"),
        ("{a.b} > mp3", 8, "write text in quotes"),
        ("{a.b} = 3", 6, "'=' is no comparison; there are == != <= >= < >"),
        ("{a.b} > 3 {a.c} > 4", 10, "stands where 'and', 'or' or the end is expected"),
        ("{a.b} > 3 and", 13, "a placeholder is expected"),
        ("({a.b} > 3)", 0, "'(' stands where a placeholder is expected"),
        ("{a.b} == {a.c}", 9, "a number or a text is expected"),
    ],
)
def test_a_mistake_is_told_at_its_place(words: str, at: int, what: str) -> None:
    with pytest.raises(ConditionError) as caught:
        parse(words)
    assert what in str(caught.value)
    assert caught.value.at == at


@given(st.text(alphabet="{}.ab<>=!\"' 0andor-", max_size=40))
def test_any_text_is_a_condition_or_a_mistake_within_it(words: str) -> None:
    places = [len(words)]
    try:
        parse(words)
    except ConditionError as error:
        places = [error.at]
    assert 0 <= places[0] <= len(words)


@pytest.mark.parametrize(
    "words",
    [
        "{a.b} > 5 and {a.b} < 3",
        "{a.b} > 5 and {a.b} <= 5",
        "{a.b} == 1 and {a.b} == 2",
        "{a.b} == 'x' and {a.b} != 'x'",
        "{a.b} > 5 and {a.b} < 3 or {a.c} == 1 and {a.c} == 2",
    ],
)
def test_a_condition_at_odds_with_itself_is_seen(words: str) -> None:
    assert never(parse(words))


@pytest.mark.parametrize(
    "words",
    ["{a.b} > 3 and {a.b} < 5", "{a.b} >= 5 and {a.b} <= 5", "{a.b} == 1 or {a.b} == 2", "{a.b} > 5 and {a.c} < 3"],
)
def test_a_condition_that_can_be_true_is_left_alone(words: str) -> None:
    assert not never(parse(words))
