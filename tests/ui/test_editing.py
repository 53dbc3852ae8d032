"""``edit``, as somebody types it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from overnight.core.edits import Left, spell_refusal
from overnight.core.states import TaskState

Call = Callable[..., Any]


def test_what_is_still_to_run_is_changed_and_runs_so(overnight: Call) -> None:
    overnight("add", "--", "true", ":::", "a", "b")
    assert overnight("edit", "1", "-p", "7", "--to-queue", "night", "--timeout", "2h").out == "1 task changed\n"
    shown = overnight("show", "1", "--json").json
    assert (shown["priority"], shown["queue"], shown["timeout"]) == (7, "night", 7200)
    assert overnight("edit", "--all", "--retries", "0", "--stall", "0", "--dry-run").out.startswith("2 tasks would be")
    assert overnight("edit", "-q", "night", "--at", "2100-01-01").status == 0
    assert overnight("show", "1", "--json").json["state"] == "waiting"
    assert overnight("edit", "1", "--now", "--needs-nothing").status == 0
    assert overnight("run", "--quiet").status == 0


def test_what_has_ended_is_left_and_told_in_three_parts(overnight: Call) -> None:
    overnight("run", "--quiet", "--", "true", ":::", "a")
    said = overnight("edit", "1", "-p", "7")
    assert (said.status, said.out) == (1, "0 tasks changed\n")
    assert said.err.splitlines() == [
        "overnight: task 1 is completed and has nothing left to run; it was not changed",
        "  try: 'overnight retry 1' queues it once more; edit it then",
    ]


@pytest.mark.parametrize("left", Left)
def test_every_refusal_says_what_is_so_and_what_to_type(left: Left) -> None:
    sentence, hint = spell_refusal(7, TaskState.FAILED, left)
    assert sentence.startswith("task 7 ")
    assert sentence.endswith("; it was not changed")
    assert "{" not in sentence + hint


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("1",),
        ("-p", "1"),
        ("1", "--at", "06:00", "--in", "5m"),
        ("1", "--now", "--at", "06:00"),
        ("1", "--needs", "gpu=1", "--needs-nothing"),
        ("1", "--to-queue", "no such/queue"),
    ],
)
def test_what_makes_no_sense_changes_nothing(overnight: Call, words: tuple[str, ...]) -> None:
    overnight("add", "--", "true")
    said = overnight("edit", *words)
    assert (said.status, "nothing was changed" in said.err) == (2, True)


def test_needing_what_is_not_there_is_said(overnight: Call, place: Path) -> None:
    overnight("add", "--", "true")
    assert "there is 0" in overnight("edit", "1", "--needs", "gpu=1").err
    (place / "overnight.toml").write_text("[resources]\ngpu = 1\n")
    assert overnight("edit", "1", "--needs", "gpu=1").err == ""


def test_an_unknown_task_is_unknown(overnight: Call) -> None:
    overnight("add", "--", "true")
    assert overnight("edit", "9", "-p", "1").status == 4
