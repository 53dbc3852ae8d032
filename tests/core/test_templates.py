"""Lines that say the same belong together, however their values differ."""

from __future__ import annotations

import pytest

from overnight.core import templates
from overnight.core.templates import MASK, Templates, mask_all


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ("took 17 ms, 3.5% of 12.5MB", "took <*> ms, <*> of <*>"),
        ("at 2026-03-01T06:00:00.123Z and 06:00:00,5", "at <*> and <*>"),
        ("job 123e4567-e89b-12d3-a456-426614174000 on 10.0.0.7:443", "job <*> on <*>"),
        ("commit 9fceb02d0ae598e95dc970b74767f19372d61af8 at 0xdeadbeef", "commit <*> at <*>"),
        ("cannot open '/data/a.pdf': no such file", "cannot open '<*>': no such file"),
        ("cat: a.txt: No such file or directory", "cat: <*>: No such file or directory"),
        ("cat: in/a.txt: No such file or directory", "cat: <*>: No such file or directory"),
        ("GET https://example.org/x?y=3 failed", "GET <*> failed"),
        ("utf8 is not latin1 and x17 stays", "utf8 is not latin1 and x17 stays"),
        ("json.decoder.JSONDecodeError: Extra data", "json.decoder.JSONDecodeError: Extra data"),
        ("", ""),
    ],
)
def test_what_looks_like_a_value_is_masked(line: str, masked: str) -> None:
    assert mask_all(line) == masked


def test_lines_that_agree_in_half_of_their_words_are_one_and_the_rest_is_masked() -> None:
    known = Templates()
    assert known.add("user anna logged in from home") == 0
    assert known.add("user otto logged in from work") == 0
    assert known.template(0) == f"user {MASK} logged in from {MASK}"


def test_another_length_or_another_beginning_is_another_template() -> None:
    known = Templates()
    numbers = [known.add(line) for line in ("disk is full", "disk is full now", "tape is full", "disk is full")]
    assert numbers == [0, 1, 2, 0]
    assert len(known) == 3


def test_of_several_the_most_similar_one_is_taken() -> None:
    known = Templates()
    known.add("a b c d e f")
    known.add("a b x y z w")
    assert known.add("a b x y z q") == 1
    assert known.template(0) == "a b c d e f"


def test_a_line_of_nothing_is_a_template_too() -> None:
    known = Templates()
    assert known.add("  ") == known.add("") == 0


def test_a_flood_of_lines_that_are_all_different_ends_in_few_templates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "MOST_IN_BUCKET", 5)
    monkeypatch.setattr(templates, "MOST_REMEMBERED", 10)
    letters = "abcdefghijklmnopqrstuvwxyz"
    known = Templates()
    for first in letters:
        for second in letters:
            known.add(f"go {first} {second}{first} {first}{second}{second}")
    assert len(known) == 5


def test_a_line_without_end_is_cut() -> None:
    known = Templates()
    known.add("word " * 100_000)
    assert len(known.template(0).split()) == templates.MOST_WORDS


def test_a_line_of_a_shape_that_is_known_is_taken_apart_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Templates()
    known.add("worker lost 17 tasks after 3.5 s at 10.0.0.7")
    monkeypatch.setattr(Templates, "_mask", lambda *_: pytest.fail("it was taken apart"))
    assert known.add("worker lost 42 tasks after 9.1 s at 10.0.9.8") == 0


def test_digits_that_are_no_values_tell_lines_of_one_shape_apart() -> None:
    known = Templates()
    assert known.add("failure E1001") == 0
    assert known.add("failure E1002") == 0
    assert known.template(0) == f"failure {MASK}"
    assert known.add("disk sda1 of host h1 fails again") == 1
    assert known.add("disk sdb2 of host h1 fails again") == 1
    assert known.template(1) == f"disk {MASK} of host h1 fails again"


def test_many_shapes_are_forgotten_and_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "MOST_REMEMBERED", 2)
    known = Templates()
    lines = [f"{name} took 5 ms" for name in "abcd"] * 2
    assert [known.add(line) for line in lines] == [0, 1, 2, 3] * 2
    assert len(known._shapes) <= 2
    known.add("x" * 1000 + " took 5 ms")
    assert max(map(len, known._shapes)) <= templates.LONGEST_SHAPE
