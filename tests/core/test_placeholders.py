from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight.core.placeholders import columns, columns_named, expand, has_placeholder


def one(template: bytes, input_bytes: bytes) -> bytes:
    return expand([template], input_bytes, seq=7, slot=2)[0]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (b"{}", b"songs/a b.tar.gz"),
        (b"{.}", b"songs/a b.tar"),
        (b"{/}", b"a b.tar.gz"),
        (b"{//}", b"songs"),
        (b"{/.}", b"a b.tar"),
        (b"{#}", b"7"),
        (b"{%}", b"2"),
        (b"{1}", b"songs/a b.tar.gz"),
        (b"{1/.}", b"a b.tar"),
        (b"out/{/.}.{#}.png", b"out/a b.tar.7.png"),
        (b"{}{}", b"songs/a b.tar.gzsongs/a b.tar.gz"),
    ],
)
def test_each_placeholder_means_its_part_of_the_path(template: bytes, expected: bytes) -> None:
    assert one(template, b"songs/a b.tar.gz") == expected


@pytest.mark.parametrize(
    ("path", "stem", "base", "directory"),
    [
        (b"a", b"a", b"a", b"."),
        (b"a.b/c", b"a.b/c", b"c", b"a.b"),
        (b".bashrc", b".bashrc", b".bashrc", b"."),
        (b"x/.bashrc", b"x/.bashrc", b".bashrc", b"x"),
        (b"..", b"..", b"..", b"."),
        (b"/", b"/", b"/", b"/"),
        (b"/a.b", b"/a", b"a.b", b"/"),
        (b"//a", b"//a", b"a", b"/"),
        (b"dir/", b"dir/", b"dir", b"."),
        (b"a/b/", b"a/b/", b"b", b"a"),
        (b"\xff.\xfe", b"\xff", b"\xff.\xfe", b"."),
        (b"new\nline.txt", b"new\nline", b"new\nline.txt", b"."),
    ],
)
def test_paths_of_every_shape_are_cut_where_a_person_would_cut_them(
    path: bytes, stem: bytes, base: bytes, directory: bytes
) -> None:
    assert (one(b"{.}", path), one(b"{/}", path), one(b"{//}", path)) == (stem, base, directory)


def test_without_a_placeholder_the_input_is_appended() -> None:
    assert expand([b"gzip", b"-9"], b"a b", seq=1, slot=1) == [b"gzip", b"-9", b"a b"]


def test_an_input_that_looks_like_a_placeholder_is_not_filled_again() -> None:
    assert expand([b"echo", b"{}", b"{#}"], b"{.}{#}{1}", seq=3, slot=1) == [b"echo", b"{.}{#}{1}", b"3"]


def test_no_input_leaves_braces_alone_and_appends_nothing() -> None:
    """An empty substitution could turn ``rm -r {}/tmp`` into something terrible."""
    command = [b"find", b"{}/tmp", b"-exec", b"rm", b"{}", b";"]
    assert expand(command, b"", seq=1, slot=1) == command
    assert expand([b"echo", b"{%}"], b"", seq=1, slot=4) == [b"echo", b"4"]


def test_a_sequence_number_alone_counts_as_a_placeholder() -> None:
    assert expand([b"echo", b"{#}"], b"a", seq=9, slot=1) == [b"echo", b"9"]


def test_columns_keep_every_byte_and_are_chosen_by_number() -> None:
    pair = b"a b/c.x\0d\te"
    assert columns(pair) == [b"a b/c.x", b"d\te"]
    assert expand([b"m", b"{2}", b"{1/.}-{2}"], pair, seq=1, slot=1) == [b"m", b"d\te", b"c-d\te"]
    assert expand([b"m", b"{}", b"[{}]"], pair, seq=1, slot=1) == [b"m", b"a b/c.x", b"d\te", b"[a b/c.x d\te]"]
    assert expand([b"m"], pair, seq=1, slot=1) == [b"m", b"a b/c.x", b"d\te"]


def test_the_number_of_a_column_that_is_not_there_is_left_alone() -> None:
    assert expand([b"grep", b"-E", b"[0-9]{3}"], b"f", seq=1, slot=1) == [b"grep", b"-E", b"[0-9]{3}", b"f"]


def test_negative_numbers_count_columns_from_the_end() -> None:
    pair = b"a.x\0b.y"
    assert expand([b"m", b"{-1}", b"{-2.}", b"{-3}", b"{-0}"], pair, seq=1, slot=1) == [
        b"m",
        b"b.y",
        b"a",
        b"{-3}",
        b"{-0}",
    ]


def test_how_many_columns_a_command_names() -> None:
    assert columns_named([b"m", b"{2}-{1/.}", b"{-3.}"]) == 3
    assert columns_named([b"m", b"{}", b"{.}", b"{#}"]) == 0


def test_an_empty_column_is_still_a_column() -> None:
    assert expand([b"m"], b"\0x", seq=1, slot=1) == [b"m", b"", b"x"]


def test_other_braces_are_no_placeholders() -> None:
    awk = [b"awk", b"{print $1}", b"{ }", b"{0}", b"{..}", b"{///}", b"{12345}"]
    assert not has_placeholder(awk)
    assert expand(awk, b"f", seq=1, slot=1) == [*awk, b"f"]


@given(st.binary(min_size=1).filter(lambda value: b"\0" not in value))
def test_any_input_arrives_as_it_was_given(value: bytes) -> None:
    assert expand([b"x", b"{}"], value, seq=1, slot=1) == [b"x", value]
    assert expand([b"x"], value, seq=1, slot=1) == [b"x", value]
