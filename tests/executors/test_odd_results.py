"""Results that JSON has no words for, and those that only look like one."""

from __future__ import annotations

import dataclasses
import math

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


def test_nothing_and_the_word_null_are_values_like_others() -> None:
    assert result_of({"a": None, "b": [0.5, "null"]}) == b'{"a":null,"b":[0.5,"null"]}'
    assert result_of(Score(1.5)) == b'{"value":1.5,"name":null}'
