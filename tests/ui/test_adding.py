"""What ``add`` says about tasks that cannot run as things are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Call = Callable[..., Any]


def test_a_task_that_would_wait_for_ever_is_added_and_that_is_said(overnight: Call, place: Path) -> None:
    said = overnight("add", "--needs", "gpu=2", "--", "true")
    assert (said.status, said.out) == (0, "1\n")
    what, hint = said.err.splitlines()
    assert what == "overnight: warning: a task needs 2 of 'gpu' and there is 0; it waits until that changes"
    assert hint == "  try: [resources] gpu = 2, in overnight.toml"

    (place / "overnight.toml").write_text("[resources]\ngpu = 2\n")
    assert overnight("add", "--needs", "gpu=2", "--", "true") == (0, "2\n", "")
    assert "needs 3 of 'gpu' and there is 2" in overnight("add", "--needs", "gpu=3", "--", "true").err


def test_run_refuses_a_task_that_would_wait_for_ever(overnight: Call, place: Path) -> None:
    said = overnight("run", "--needs", "gpu=2", "--", "true")
    assert (said.status, said.out) == (2, "")
    assert "so it would wait for ever; nothing was added\n  try: [resources] gpu = 2, in overnight.toml\n" in said.err
    assert not (place / ".overnight").exists()


def test_a_queue_without_limits_of_its_own_says_what_holds_for_it(overnight: Call, place: Path) -> None:
    (place / "overnight.toml").write_text(
        '[queue.default]\nslots = 3\n[queue.net]\nrate = "5/s"\n[queue.gpu]\nslots = 1\n'
    )
    lines = [line for line in overnight("config", "show").lines if line.startswith("queue ")]
    assert lines == [
        "queue default: as many at a time as there are slots",
        "queue net: 5 starts a second",
        "queue gpu: 1 at a time",
    ]


def test_several_inputs_go_into_one_task(overnight: Call) -> None:
    assert overnight("add", "-n", "2", "--dry-run", "--", "cat", ":::", "a b", "c", "d").lines == [
        "cat 'a b' c",
        "cat d",
    ]
    said = overnight("add", "-N2", "--dry-run", "--", "diff", "{1}", "{2}", ":::", "a", "b", "c", "d")
    assert said.lines == ["diff a b", "diff c d"]
    assert overnight("add", "-n", "2", "--", "cat", ":::", "a", "b", "c").out == "1\n2\n"
    assert overnight("add", "--unique", "-n", "2", "--", "cat", ":::", "a", "b").out == ""


def test_a_row_that_is_not_full_is_refused_when_the_command_names_what_it_lacks(overnight: Call, place: Path) -> None:
    said = overnight("add", "-n", "2", "--", "diff", "{1}", "{2}", ":::", "a", "b", "c")
    assert (said.status, said.out) == (2, "")
    assert "one has 1, and the command names {2}; nothing was added\n  try: " in said.err
    assert not (place / ".overnight").exists()
    assert overnight("add", "-n", "2", "--shell", "--", "awk '{2}' \"$@\"", ":::", "a", "b", "c").status == 0


def test_several_lists_are_columns_already(overnight: Call) -> None:
    said = overnight("add", "-n", "2", "--", "diff", ":::", "a", "b", ":::", "c")
    assert said.status == 2
    assert "there are several lists; nothing was added\n  try: leave out -n" in said.err
