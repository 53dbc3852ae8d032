"""What is typed as an error says: it works, and it is about what went wrong."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]


def test_a_home_that_is_missing_is_made_as_the_hint_says(overnight: Call, place: Path) -> None:
    said = overnight("--home", "night home", "status")
    hint = said.err.partition("  try: '")[2].partition("' makes")[0]
    program, *words = shlex.split(hint)
    assert (said.status, program, overnight(*words).status) == (4, "overnight", 0)
    assert (place / "night home" / "queue.db").exists()
    assert overnight("--home", "night home", "status").status == 0


def test_a_label_that_nothing_here_has_is_no_resource_of_the_file(overnight: Call) -> None:
    said = overnight("add", "--needs", "zone:west", "--", "true")
    assert said.err.endswith("try: overnight run --on ray, with a node that has this label\n")
    assert "[resources]" not in overnight("why", "1").out


def test_what_a_task_needs_and_was_edited_to_need_is_shown(overnight: Call) -> None:
    overnight("add", "--", "true")
    assert "needs:" not in overnight("show", "1").out
    overnight("edit", "1", "--needs", "gpu=1", "--needs", "licence=0.5")
    assert "needs:       1 gpu, 0.5 licence\n" in overnight("show", "1").out


def test_a_directory_that_is_a_file_is_not_made(overnight: Call, place: Path) -> None:
    (place / "file").touch()
    said = overnight("add", "--cwd", "file", "--", "true")
    assert (said.status, said.err) == (
        2,
        "overnight: 'file' of --cwd is no directory; nothing was added\n  try: --cwd DIR, one that is\n",
    )
    assert f"mkdir -p '{place}/a b'\n" in overnight("add", "--cwd", "a b", "--", "true").err


def test_a_file_of_somebody_else_is_not_said_to_be_set_aside(overnight: Call, place: Path) -> None:
    overnight("add", "--", "true")
    (place / "letter").write_text("dear all, " * 500)
    said = overnight("checkpoint", "restore", str(place / "letter"), "--yes")
    assert said.status == 6
    assert "try: 'overnight checkpoint list' shows what there is to go back to\n" in said.err


def test_where_there_is_no_checkpoint_that_is_said(overnight: Call) -> None:
    overnight("add", "--", "true")
    for words in (["list"], ["verify"]):
        said = overnight("checkpoint", *words)
        assert (said.status, said.out) == (0, "")
        assert said.err == "overnight: there are no checkpoints\n  try: 'overnight checkpoint save' makes one\n"
    said = overnight("checkpoint", "verify", "nope")
    assert (said.status, "\n  try: 'overnight checkpoint list'" in said.err) == (4, True)


def test_a_page_that_cannot_be_written_is_told_with_its_place(
    overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERNIGHT_MONITOR", "true")
    said = overnight("monitor-init", "--dashboard", "nowhere/page.html")
    assert said.status == 1
    assert f"{place}/nowhere/page.html could not be written" in said.err
    assert "\n  try: overnight monitor-init --dashboard FILE, in a directory" in said.err


def test_nothing_to_add_is_said_and_is_an_object_all_the_same(overnight: Call, place: Path) -> None:
    (place / "list").touch()
    said = overnight("add", "--json", "-a", "list", "--", "true")
    assert json.loads(said.out) == {"added": 0, "known": 0, "duplicates": 0, "ids": []}
    (place / "empty.md").touch()
    said = overnight("add", "--from", "empty.md", "--", "true")
    assert (said.status, said.out, said.err) == (
        0,
        "",
        "overnight: nothing in the list is to be done; nothing was added\n",
    )
