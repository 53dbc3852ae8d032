"""Outputs of steps: how a command's are read from what it prints, and how they come into the words of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight.core.workflow.outputs import (
    MissingError,
    Reference,
    as_template,
    of_stdout,
    references,
    value_at,
    words_of,
)


def fill(word: bytes, outputs: Mapping[str, Any], raw_input: bytes = b"in") -> bytes:
    (filled,) = words_of([word], outputs, raw_input, seq=7, slot=2)
    return filled


OUTPUTS = {"probe": {"path": "a b.wav", "n": 3, "seconds": 61.5, "ok": True, "none": None, "list": [1, {"x": "y"}]}}


def test_the_outputs_that_a_word_names_are_found() -> None:
    assert list(references("-i={probe.path} {tag.a.b}{input.size}")) == [
        Reference("probe", ("path",), 3),
        Reference("tag", ("a", "b"), 16),
        Reference("input", ("size",), 25),
    ]


@pytest.mark.parametrize(
    "word",
    ["{}", "{.}", "{/.}", "{2}", "{input}", "{input.}", "{print $1}", "{a: .b}", "{a,b}", "{{probe.path}}", "[0-9]{3}"],
)
def test_braces_of_other_languages_are_no_references(word: str) -> None:
    assert list(references(word)) == []


def test_values_are_words_text_as_it_is_and_the_rest_as_json() -> None:
    words = b"{probe.path}|{probe.n}|{probe.seconds}|{probe.ok}|{probe.none}|{probe.list}|{probe.list.1.x}"
    assert fill(words, OUTPUTS) == b'a b.wav|3|61.5|true|null|[1,{"x":"y"}]|y'


def test_doubled_braces_stand_for_themselves() -> None:
    assert fill(b"awk '{{probe.path}}' {probe.n}", OUTPUTS) == b"awk '{probe.path}' 3"


def test_what_is_put_in_is_never_looked_at_again() -> None:
    assert fill(b"{probe.path}", {"probe": {"path": "{probe.n}", "n": 3}}) == b"{probe.n}"


def test_an_input_that_looks_like_an_output_stays_as_it_is() -> None:
    assert fill(b"{}:{probe.n}", OUTPUTS, b"{probe.path}") == b"{probe.path}:3"


def test_the_input_stands_where_it_is_named_and_nowhere_else() -> None:
    assert words_of([b"a", b"{}", b"{/.}x{probe.n}", b"{#}{%}"], OUTPUTS, b"d/in.wav", seq=7, slot=2) == [
        b"a", b"d/in.wav", b"inx3", b"72",
    ]  # fmt: skip
    assert words_of([b"a"], OUTPUTS, b"in", seq=7, slot=2) == [b"a"]
    assert words_of([b"{}"], OUTPUTS, b"x\0y", seq=7, slot=2) == [b"x", b"y"]


def test_bytes_that_are_no_text_come_through() -> None:
    assert fill(b"\xff{probe.n}", OUTPUTS) == b"\xff3"
    assert fill(b"{probe.name}", {"probe": {"name": "\udcff"}}) == b"\xff"


def test_a_missing_output_is_told_by_name() -> None:
    for word in ("{probe.length}", "{probe.path.x}", "{probe.list.7}", "{tag.x}"):
        with pytest.raises(MissingError, match="has given no"):
            value_at(OUTPUTS, next(references(word)))


def test_a_nul_cannot_come_into_a_command() -> None:
    with pytest.raises(ValueError, match="NUL"):
        fill(b"{probe.path}", {"probe": {"path": "a\0b"}})


def test_input_has_the_forms_of_the_plain_placeholder() -> None:
    words = [
        as_template(word) for word in ("{input}", "{input.}", "{input/}", "{input//}", "{input/.}", "{input.size}")
    ]
    assert words == ["{}", "{.}", "{/}", "{//}", "{/.}", "{input.size}"]


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        (b'{"duration": 61.5, "codec": "mp3"}\n', {"duration": 61.5, "codec": "mp3"}),
        (b"duration=61.5\ncodec=mp3\n", {"stdout": "duration=61.5\ncodec=mp3", "duration": 61.5, "codec": "mp3"}),
        # As ffprobe prints it.
        (b"[FORMAT]\nduration=61.5\n[/FORMAT]", {"stdout": "[FORMAT]\nduration=61.5\n[/FORMAT]", "duration": 61.5}),
        (b"a.b=1\na.c=x=y\n", {"stdout": "a.b=1\na.c=x=y", "a": {"b": 1, "c": "x=y"}}),
        (b'ok=true\nnone=null\nlist=[1]\nname="x"', {"stdout": 'ok=true\nnone=null\nlist=[1]\nname="x"', "ok": True,
                                                      "none": None, "list": "[1]", "name": '"x"'}),
        (b"just words\n", {"stdout": "just words"}),
        (b"{no json}", {"stdout": "{no json}"}),
        (b"[1, 2]", {"stdout": "[1, 2]"}),
        (b"", {"stdout": ""}),
        (b"\xff", {"stdout": "\N{REPLACEMENT CHARACTER}"}),
    ],
)  # fmt: skip
def test_what_a_command_prints_is_its_output(printed: bytes, expected: dict[str, object]) -> None:
    assert of_stdout(printed) == expected


def test_a_later_line_counts_where_keys_are_at_odds() -> None:
    assert of_stdout(b"a=1\na.b=2\na.b=3") == {"stdout": "a=1\na.b=2\na.b=3", "a": {"b": 3}}


@given(st.binary(max_size=200))
def test_whatever_is_printed_is_an_output(printed: bytes) -> None:
    assert isinstance(of_stdout(printed), dict)


@given(st.binary(max_size=60).filter(lambda word: b"{" not in word))
def test_a_word_without_a_brace_stays_as_it_is(word: bytes) -> None:
    assert fill(word, {}) == word
