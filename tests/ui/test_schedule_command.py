"""``overnight schedule``: what it takes over from the file, and what it says."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]

FILE = """
[schedules.nightly]
cron = "30 2 * * *"
run = ["true"]
queue = "nights"
priority = 3
timeout = "none"
[schedules.feeds]
every = "15m"
call = "feeds:refresh"
input = "all of them"
cwd = "jobs"
"""


def test_list_says_what_the_file_says_now(overnight: Call, place: Path) -> None:
    overnight("add", "a", "--", "true")
    said = overnight("schedule", "list")
    assert (said.status, said.out) == (0, "")
    assert "write one into overnight.toml" in said.err
    (place / "overnight.toml").write_text(FILE)
    assert [line.split()[0] for line in overnight("schedule", "list").lines] == ["feeds", "nightly"]
    found = [json.loads(line) for line in overnight("schedule", "list", "--json").lines]
    assert [(one["name"], one["queue"], one["missed"], one["overlap"]) for one in found] == [
        ("feeds", "default", "once", "skip"),
        ("nightly", "nights", "once", "skip"),
    ]
    assert found[0]["next_at"] is not None
    assert re.search(r"next by the clock: .*feeds in 1\d min", overnight("status").out)
    assert [one["name"] for one in overnight("status", "--json").json["schedules"]] == ["feeds", "nightly"]
    (place / "overnight.toml").write_text("")
    assert overnight("schedule", "list").lines == []


def test_it_can_be_looked_at_before_there_is_a_home(overnight: Call, place: Path) -> None:
    (place / "overnight.toml").write_text(FILE)
    said = overnight("schedule", "list")
    assert (said.status, [line.split()[0] for line in said.lines]) == (0, ["feeds", "nightly"])
    assert "no engine runs, and nothing starts by the clock\n  try: 'overnight start'" in said.err
    assert {line.split()[-1] for line in overnight("schedule", "next", "-n", "120").lines} == {"feeds", "nightly"}
    assert len(overnight("schedule", "next", "nightly", "-n", "3").lines) == 3
    assert overnight("schedule", "run", "nigthly").status == 4
    assert not (place / ".overnight").exists()
    assert "'overnight start'" in overnight("logs", "errors").err

    assert overnight("schedule", "run", "nightly").lines == ["1"]
    assert overnight("list", "--json").json["queue"] == "nights"


def test_a_schedule_keeps_its_next_run_when_only_what_it_does_is_changed(overnight: Call, place: Path) -> None:
    overnight("add", "a", "--", "true")
    (place / "overnight.toml").write_text(FILE)
    before = json.loads(overnight("schedule", "list", "--json").lines[0])["next_at"]
    (place / "overnight.toml").write_text(FILE.replace("all of them", "some"))
    after = json.loads(overnight("schedule", "list", "--json").lines[0])
    assert (after["input"], after["next_at"]) == ("some", before)


def test_run_adds_what_it_says(overnight: Call, place: Path) -> None:
    overnight("add", "a", "--", "true")
    (place / "overnight.toml").write_text(FILE)
    assert overnight("schedule", "run", "nightly").lines == ["2"]
    assert overnight("schedule", "run", "feeds", "--json").json == {"schedule": "feeds", "id": 3}
    nightly, feeds = (overnight("show", task_id, "--json").json for task_id in ("2", "3"))
    assert (nightly["queue"], nightly["priority"], nightly["command"]) == ("nights", 3, ["true"])
    assert (feeds["call"], feeds["input"], feeds["cwd"]) == ("feeds:refresh", "all of them", str(place / "jobs"))
    assert feeds["title"] == "feeds"
    # The same line by hand is other work.
    assert overnight("add", "--unique", "--", "true").lines == ["4"]


def test_a_name_that_is_not_there_has_advice(overnight: Call, place: Path) -> None:
    overnight("add", "a", "--", "true")
    (place / "overnight.toml").write_text(FILE)
    for verb in ("run", "next"):
        said = overnight("schedule", verb, "nightl")
        assert said.status == 4
        assert "there is no schedule 'nightl'; nothing was done" in said.err
        assert "there are: feeds, nightly" in said.err


def test_next_merges_them_in_their_order(overnight: Call, place: Path) -> None:
    overnight("add", "a", "--", "true")
    (place / "overnight.toml").write_text(FILE)
    found = [json.loads(line) for line in overnight("schedule", "next", "-n", "200", "--json").lines]
    assert len(found) == 200
    assert [one["at"] for one in found] == sorted(one["at"] for one in found)
    assert {one["schedule"] for one in found} == {"feeds", "nightly"}


def test_a_workflow_that_nobody_defines_is_said_at_once(overnight: Call, place: Path) -> None:
    overnight("add", "a", "--", "true")
    (place / "overnight.toml").write_text('[schedules.x]\nevery = "1h"\nworkflow = "ingst"\n')
    said = overnight("schedule", "list")
    assert said.status == 4
    assert "there is no workflow 'ingst'" in said.err


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_the_hour_that_comes_twice_is_told_apart(overnight: Call, place: Path, berlin: None) -> None:  # noqa: ARG001 - for its effect
    overnight("add", "a", "--", "true")
    table = '[schedules.x]\ncron = "*/30 2 * 10 7L"\ntz = "Europe/Berlin"\nrun = ["true"]\n'
    (place / "overnight.toml").write_text(table)
    lines = overnight("schedule", "next", "-n", "4", "x").lines
    assert [line.split()[1:3] for line in lines] == [
        ["02:00:00", "+0200"],
        ["02:30:00", "+0200"],
        ["02:00:00", "+0100"],
        ["02:30:00", "+0100"],
    ]
    assert re.search(r"next \S+ 02:00:00 \+0200, in", overnight("schedule", "list").out)


def test_a_moment_that_was_over_before_is_no_secret(overnight: Call, place: Path) -> None:
    overnight("add", "a", "--", "true")
    (place / "overnight.toml").write_text('[schedules.x]\nat = "2020-01-01 00:00"\nrun = ["true"]\n')
    assert "never: that was over when it was laid down" in overnight("schedule", "list").out
    said = overnight("schedule", "next", "x")
    assert (said.status, said.out) == (0, "")
    assert "x: never: that was over when it was laid down; write a later time into overnight.toml" in said.err
