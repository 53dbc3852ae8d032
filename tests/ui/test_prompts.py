"""Questions to the person at the terminal, and what Ctrl-C makes of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from keyboard import CTRL_C, CTRL_D, typing

PROGRAM = (sys.executable, "-m", "overnight")


@pytest.mark.parametrize(
    ("keys", "status", "said"),
    [
        (CTRL_C, 130, b"nothing was changed"),
        (CTRL_D, 130, b"nothing was changed"),
        (b"n\n", 0, b"nothing was removed"),
        (b"y\n", 0, b"1 task removed"),
    ],
)
def test_a_question_is_answered_in_words_whatever_is_pressed(
    overnight: Callable[..., Any], place: Path, keys: bytes, status: int, said: bytes
) -> None:
    overnight("add", "a", "--", "true")
    overnight("cancel", "1")
    with typing(place, *PROGRAM, "clean") as keyboard:
        keyboard.see(b"Forget 1 cancelled task? [y/N]: ")
        keyboard.wait_until_it_reads()
        keyboard.press(keys)
        assert keyboard.end() == status
    assert said in keyboard.seen
    assert keyboard.seen.endswith(b"\n")
    assert overnight("status", "--json").json["removed"] == (keys == b"y\n")
