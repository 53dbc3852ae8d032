"""Each input has a directory of its own for its results, whatever is in its name."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight.core.result_path import LONGEST_NAME, LONGEST_PATH, result_path

INPUTS = st.lists(st.binary(min_size=1, max_size=300).filter(lambda one: b"\0" not in one), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        (b"a.wav", b"1/a.wav"),
        (b"in/a b.wav", b"1/in\\_a b.wav"),
        (b"A\0b", b"1/A/2/b"),
        (b"x\\y\tz\n", b"1/x\\\\y\\tz\n"),
        (b".", b"1/\\."),
        (b"..\0.hidden", b"1/\\../2/.hidden"),
        (b"\xff", b"1/\xff"),
        (b"", b""),
    ],
)
def test_the_names_are_those_of_gnu_parallel(given: bytes, path: bytes) -> None:
    assert result_path(given) == path


@given(INPUTS, INPUTS)
def test_no_two_inputs_meet_and_none_leads_elsewhere(one: list[bytes], other: list[bytes]) -> None:
    path = result_path(b"\0".join(one))
    assert (path == result_path(b"\0".join(other))) == (one == other)
    assert os.path.normpath(path) == path
    assert len(path) <= LONGEST_PATH
    assert all(0 < len(name) <= LONGEST_NAME and name not in (b".", b"..") for name in path.split(b"/"))


def test_what_only_a_long_name_tells_apart_is_told_apart() -> None:
    long = b"x" * 300
    assert result_path(long + b"a") != result_path(long + b"b")
    assert len({result_path(b"\0".join([b"y" * 100] * 40 + [end])) for end in (b"a", b"b")}) == 2
