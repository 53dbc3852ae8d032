"""Tags: one before each line, however the pieces of the output were cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight.ui.cli.tagging import Tagged


def tagged(template: bytes, input_bytes: bytes) -> Tagged:
    return Tagged(template, input_bytes, seq=7, slot=2)


@pytest.mark.parametrize(
    ("template", "input_bytes", "tag"),
    [
        (b"{}", b"a b.txt", b"a b.txt"),
        (b"{}", b"a\0b", b"a b"),
        (b"{}", b"new\nline\tand tab", b"new\\nline\\tand tab"),
        (b"{}", b"caf\xe9", b"caf\\xe9"),
        (b"{}", "gpj\u202e.exe".encode(), b"gpj\\u202e.exe"),
        (b"{/.}-{#}-{%}", b"in/a.txt", b"a-7-2"),
        (b"{2}", b"a\0b", b"b"),
        (b"same", b"a", b"same"),
        (b"{}", b"", b""),
    ],
)
def test_a_tag_is_the_input_on_one_line(template: bytes, input_bytes: bytes, tag: bytes) -> None:
    assert tagged(template, input_bytes).lines(1, b"x\n") == tag + b"\tx\n"


@given(st.lists(st.binary(min_size=1), min_size=1))
def test_each_line_has_one_tag_wherever_the_pieces_end(pieces: list[bytes]) -> None:
    tags = tagged(b"{}", b"t")
    whole = b"".join(pieces)
    lines = whole.split(b"\n")
    if not lines[-1]:
        del lines[-1]
    expected = b"\n".join(b"t\t" + line for line in lines) + (b"\n" if whole.endswith(b"\n") else b"")
    assert b"".join(tags.lines(1, piece) for piece in pieces) == expected


def test_the_lines_of_two_streams_are_told_apart() -> None:
    tags = tagged(b"{}", b"t")
    assert [tags.lines(1, b"out"), tags.lines(2, b"err\n"), tags.lines(1, b"put\n")] == [
        b"t\tout",
        b"t\terr\n",
        b"put\n",
    ]
