from __future__ import annotations

import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from overnight.core.task import text
from overnight.ui.cli import printing


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("\x1b]52;c;aGk=\x07", "\\x1b]52;c;aGk=\\x07"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x9b31m", "\\x9b31m"),
        ("gpj\u202e.exe", "gpj\\u202e.exe"),
        (text(b"caf\xe9"), "caf\\xe9"),
        ("naïve – 日本", "naïve – 日本"),
    ],
)
def test_what_could_steer_a_terminal_is_written_out(hostile: str, shown: str) -> None:
    assert printing.clean(hostile) == shown


@given(st.binary())
def test_no_input_can_send_a_control_character(content: bytes) -> None:
    shown = printing.clean(text(content))
    assert not any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in shown)
    shown.encode()


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        (b"\x1b[1;31mred\x1b[0m\n", b"\x1b[1;31mred\x1b[0m\n"),
        (b"a\x1b[2Jb", b"ab"),
        (b"a\x1b]52;c;aGk=\x07b", b"ab"),
        (b"a\x1b]8;;http://x\x1b\\b", b"ab"),
        (b"a\x1b]0;title", b"a"),
        (b"a\x1b", b"a"),
        (b"a\xc2", b"a"),
        (b"a\xc2\x9b2Jb", b"a2Jb"),
        (b"50 %\r100 %\r\n\tx\x08\x07", b"50 %\r100 %\r\n\tx"),
        (b"a\x1bcb\x1b7", b"ab"),
        ("naïve".encode(), "naïve".encode()),
    ],
)
def test_of_the_output_of_a_task_a_terminal_gets_colours_and_nothing_else(output: bytes, shown: bytes) -> None:
    assert printing.clean_output(output) == shown


@given(st.binary(), st.binary())
def test_an_escape_cut_in_two_pieces_does_not_get_through(first: bytes, second: bytes) -> None:
    shown = printing.clean_output(first) + printing.clean_output(second)
    for at in [at for at in range(len(shown)) if shown[at] == 0x1B]:
        assert shown[at : at + 2] == b"\x1b["


def test_instants_are_iso_8601_in_utc() -> None:
    assert printing.iso(1_800_000_000.0) == "2027-01-15T08:00:00.000Z"
    assert printing.iso(0.9996) == "1970-01-01T00:00:01.000Z"
    assert printing.iso(None) is None


def test_sizes_have_three_digits_at_most() -> None:
    assert [printing.size(n) for n in (0, 999, 1000, 99_499, 999_600, 5e12)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "99.5 kB",
        "1.0 MB",
        "5.0 TB",
    ]


def test_the_middle_of_a_long_text_is_left_out() -> None:
    assert printing.fit("photos/2024/very/long/path.jpg", 13) == "phot…path.jpg"
    assert len(printing.fit("x" * 100, 13)) == 13
    assert printing.fit("short", 13) == "short"


def test_a_table_fits_its_line() -> None:
    lines = printing.table([("1", "running", "x" * 200), ("100", "ok", "y")], right=(0,), last=60)
    assert lines[0].startswith("  1  running  xxx")
    assert max(len(line) for line in lines) <= 60


@given(st.binary().filter(lambda word: b"\0" not in word))
@example(b"new\nline")
@example(b"it's $HOME \\n\t")
@example("caf\u00e9 \u65e5\u672c\n\x9b".encode())
@example(b"\xff1\r")
@settings(max_examples=30, deadline=None)
def test_a_word_that_is_shown_can_be_typed_again(word: bytes) -> None:
    shown = printing.shell_word(text(word))
    assert shown.isprintable()
    assert subprocess.run(["bash", "-c", f"printf %s {shown}"], capture_output=True, check=True).stdout == word


def test_only_a_terminal_has_an_end_of_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printing, "width", lambda: 40)
    for on_terminal, shown in ((True, 40), (False, 100)):
        monkeypatch.setattr(printing, "on_terminal", lambda answer=on_terminal: answer)
        (line,) = printing.table([("a" * 100,)], last=printing.room())
        assert len(line) == len(printing.fit("a" * 100, printing.room())) == shown
