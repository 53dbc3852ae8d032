"""What ``--halt`` says, and when it has come to that."""

from __future__ import annotations

import pytest

from overnight.core.halting import Halt, after_failures, parse_halt
from overnight.core.stopping import Ask


@pytest.mark.parametrize(
    ("words", "halt"),
    [
        ("never", None),
        ("10%", Halt(Ask.HALT, 10, percent=True)),
        ("soon,fail=3", Halt(Ask.HALT, 3)),
        ("now,fail=1", Halt(Ask.HALT_NOW, 1)),
        ("now,fail=2.5%", Halt(Ask.HALT_NOW, 2.5, percent=True)),
        (" Soon,Fail=1 ", Halt(Ask.HALT, 1)),
    ],
)
def test_the_words_of_gnu_parallel_about_failures_are_understood(words: str, halt: Halt | None) -> None:
    assert parse_halt(words) == halt


@pytest.mark.parametrize(
    "words", ["", "2", "0", "-1", "soon", "fail=1", "soon,fail=0", "now,fail=0%", "101%", "soon,fail=1.5", "nan%", "²%"]
)
def test_what_says_nothing_is_refused_with_what_would_be_taken(words: str) -> None:
    with pytest.raises(ValueError, match=r"soon,fail=3"):
        parse_halt(words)


@pytest.mark.parametrize("words", ["now,success=1", "soon,done=3"])
def test_only_failures_halt(words: str) -> None:
    with pytest.raises(ValueError, match="no rule for --halt"):
        parse_halt(words)


def test_a_number_is_a_number_and_a_percentage_is_of_all() -> None:
    three = Halt(Ask.HALT, 3)
    assert [after_failures(three, failed, 1000) for failed in (0, 2, 3, 4)] == [None, None, Ask.HALT, Ask.HALT]
    tenth = Halt(Ask.HALT_NOW, 10, percent=True)
    assert [after_failures(tenth, failed, 25) for failed in (2, 3)] == [None, Ask.HALT_NOW]
    assert after_failures(tenth, 0, 0) is None
    assert after_failures(None, 1000, 1000) is None
