"""``why``, as somebody asks it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Call = Callable[..., Any]


def test_twenty_minutes_to_midnight_in_one_sentence_each(overnight: Call, place: Path) -> None:
    overnight("add", "--", "true")
    overnight("add", "--at", "2100-01-01", "--", "true")
    overnight("add", "--needs", "gpu=1", "--", "true")
    overnight("add", "-q", "net", "--", "true")
    overnight("hold", "4")
    assert overnight("why", "1").lines[0] == "task 1 waits for an engine, and none runs in this home"
    assert (
        overnight("why", "2").lines[0].startswith("task 2 is not to start before its time and waits until 2100-01-01")
    )
    assert overnight("why", "4").lines == [
        "task 4 is held by a person", "  try: overnight release 4", "  try: overnight cancel 4"
    ]  # fmt: skip
    (place / "overnight.toml").write_text("[resources]\ngpu = 0.5\n")
    assert overnight("why", "3", "--json").json["state"] == "pending"


def test_what_it_says_to_type_does_what_it_says(overnight: Call) -> None:
    overnight("add", "--retries", "3", "--", "false")
    overnight("run", "--quiet", "--halt", "now,fail=1", "--retries", "0", "--", "false", ":::", "x")
    overnight("hold", "1")
    for_release = overnight("why", "1").lines[1].removeprefix("  try: overnight ").split()
    assert overnight(*for_release).status == 0
    assert overnight("why", "1").lines[0].startswith("task 1 waits for an engine")
    assert overnight("why", "2").lines[2] == "  try: overnight retry 2"
    assert overnight("retry", "2").status == 0


def test_an_error_that_is_for_good_is_told_as_such(overnight: Call) -> None:
    overnight("run", "--quiet", "--", "/no/such/program", ":::", "x")
    first, *ways = overnight("why", "1").lines
    assert first.startswith("task 1 failed (error): ")
    assert first.endswith("; after 1 attempt, 4 allowed; such an error is not tried again")
    assert ways[:2] == ["  try: overnight log 1", "  try: overnight retry 1"]


def test_why_nothing_runs_is_why_the_next_one_does_not(overnight: Call) -> None:
    overnight("add", "--", "true")
    overnight("pause", "default")
    assert "task 1 waits for an engine" in overnight("why", "--queue").out
    overnight("queue", "set", "empty", "--slots", "1")
    assert overnight("why", "--queue", "empty").out == "queue empty: there is nothing to do\n"


def test_why_nothing_runs_at_all_is_answered_for_each_queue_with_work(overnight: Call) -> None:
    overnight("add", "-q", "net", "--", "true")
    overnight("add", "-q", "gpu", "--at", "2100-01-01", "--", "true")
    said = overnight("why", "--queue").lines
    assert [line.split(" until ")[0] for line in said if line.startswith("task")] == [
        "task 2 is not to start before its time and waits",
        "task 1 waits for an engine, and none runs in this home",
    ]
    overnight("cancel", "--all")
    assert overnight("why", "--queue").out == "there is nothing to do\n"


def test_a_task_that_is_not_there_and_no_task_at_all(overnight: Call) -> None:
    overnight("add", "--", "true")
    assert overnight("why", "99").status == 4
    assert overnight("why").status == 2
    assert overnight("why", "1", "--queue").status == 2
