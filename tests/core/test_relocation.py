"""Which paths a directory takes along when it is moved."""

from __future__ import annotations

import pytest

from overnight.core.relocation import Relocation
from overnight.core.task import Action, ActionKind


@pytest.mark.parametrize(
    ("was", "to", "path", "now"),
    [
        ("/a", "/b", "/a", "/b"),
        ("/a", "/b", "/a/c/d", "/b/c/d"),
        ("/a", "/b", "/ab", "/ab"),
        ("/a", "/b", "/", "/"),
        ("/a", "/", "/a", "/"),
        ("/a", "/", "/a/c", "/c"),
        ("/", "/b", "/c", "/b/c"),
        ("/a", "/a/b", "/a", "/a/b"),
        ("/a", "/a/b", "/a/b/c", "/a/b/c"),
        ("/a", "/a/b", "/a/c", "/a/b/c"),
        ("/a/b", "/a", "/a/b/b", "/a/b"),
        ("/a", "/b", "/a/\udcff", "/b/\udcff"),
    ],
)
def test_what_was_in_it_is_in_its_new_place(was: str, to: str, path: str, now: str) -> None:
    raw = [name.encode(errors="surrogateescape") for name in (was, to, path, now)]
    assert Relocation(raw[0], raw[1]).moved(raw[2]) == raw[3]


def test_an_interpreter_moves_along_with_its_directory_and_not_alone() -> None:
    action = Action(kind=ActionKind.CALL, call="m:f", cwd=b"/a/c", python=b"/a/.venv/bin/python")
    moved = Relocation(b"/a", b"/b").applied_to(action)
    assert (moved.cwd, moved.python, moved.call) == (b"/b/c", b"/b/.venv/bin/python", "m:f")
    assert Relocation(b"/a/.venv", b"/b").applied_to(action) is action
