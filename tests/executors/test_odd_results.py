"""Results that JSON has no words for, and those that only look like one."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from overnight.executors.local.call import result_of
from overnight.executors.local.command import RefusedError


@dataclasses.dataclass
class Score:
    """What an evaluation might return."""

    value: float
    name: str | None = None


@pytest.mark.parametrize(
    ("value", "odd"),
    [(math.nan, "nan"), ([1, {"a": math.inf}], "inf"), ((None, -math.inf), "-inf"), (Score(math.nan), "nan")],
)
def test_what_is_no_number_is_refused_and_not_kept_as_nothing(value: object, odd: str) -> None:
    with pytest.raises(RefusedError) as caught:
        result_of(value)
    assert str(caught.value) == f"returned a value that cannot be written as JSON ({odd})"


class Metres(float):
    """A number of a class of its own, as those of numpy are."""


class Count(int):
    """A whole one."""


class Tag(str):
    """A text of a class of its own, as those of parsers are."""

    __slots__ = ()


class Scalar:
    """What numpy and torch give where one number is left of an array."""

    ndim = 0

    def __init__(self, value: object) -> None:
        self._value = value

    def item(self) -> object:
        """It as Python has it."""
        return self if self._value is None else self._value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Metres(1.5), b"1.5"),
        ({Count(3): [Count(4)]}, b'{"3":[4]}'),
        ((Tag("a"), {Tag("b"): None}), b'["a",{"b":null}]'),
        (Score(Metres(0.5), Tag("c")), b'{"value":0.5,"name":"c"}'),
        (Path("out") / "a.png", b'"out/a.png"'),
        ([Scalar(value=True), Scalar(2.5)], b"[true,2.5]"),
    ],
)
def test_numbers_texts_and_paths_of_other_classes_are_what_they_stand_for(value: object, text: bytes) -> None:
    """A night's work is not thrown away because its mean is a ``numpy.float64``."""
    assert result_of(value) == text


@pytest.mark.parametrize("value", [Metres("nan"), [Scalar(math.inf)], Scalar(None), Path("\udcff"), {1: object()}])
def test_what_stands_for_nothing_in_json_is_refused_behind_them_too(value: object) -> None:
    with pytest.raises(RefusedError, match="cannot be written as JSON"):
        result_of(value)


def test_nothing_and_the_word_null_are_values_like_others() -> None:
    assert result_of({"a": None, "b": [0.5, "null"]}) == b'{"a":null,"b":[0.5,"null"]}'
    assert result_of(Score(1.5)) == b'{"value":1.5,"name":null}'
