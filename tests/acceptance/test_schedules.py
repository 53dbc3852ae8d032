"""Schedules on a real machine: engines are killed, and no instant runs twice or is passed over in silence."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from typing import Any

from terminal import Terminal

Until = Callable[[Callable[[], object]], None]

EVERY_INSTANT = """
[schedules.often]
every = "1s"
run = ["sh", "-c", "echo $OVERNIGHT_TASK_ID >>ledger"]
missed = "all"
overlap = "allow"
"""


def told(terminal: Terminal, name: str) -> list[dict[str, Any]]:
    path = terminal.cwd / ".overnight" / "events.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [event for event in map(json.loads, lines) if event["event"] == name]


def due(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["due_at"]).timestamp()


def engine(terminal: Terminal, *others: int) -> int | None:
    """The engine that works, if it is none of these; None while there is none."""
    pid: int | None = terminal.owner().get("pid")
    return None if pid in others else pid


def test_engines_that_are_killed_fire_each_instant_once(terminal: Terminal, until: Until) -> None:
    """SIGKILL to the engine while it fires, twice; its supervisor waits for seconds before it starts another one."""
    (terminal.cwd / "overnight.toml").write_text(EVERY_INSTANT)
    terminal.run("add", "a", "--", "true")
    terminal.run("start")
    supervisor = terminal.owner()["supervisor"]
    for enough in (2, 4):
        until(lambda enough=enough: len(told(terminal, "schedule_fired")) >= enough)  # type: ignore[misc]  # bound
        killed = engine(terminal, supervisor)
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        until(lambda killed=killed: engine(terminal, killed, supervisor))  # type: ignore[misc]  # bound
    until(lambda: len(told(terminal, "schedule_fired")) >= 6)
    (terminal.cwd / "overnight.toml").write_text("")
    terminal.run("schedule", "list")  # takes it away
    until(lambda: terminal.counts()["pending"] + terminal.counts()["running"] == 0)
    terminal.run("stop")

    fired = [due(event) for event in told(terminal, "schedule_fired")]
    assert all(0.999 < later - earlier < 1.001 for earlier, later in pairwise(fired))
    assert terminal.counts()["completed"] == len(fired) + 1
    ledger = (terminal.cwd / "ledger").read_text().split()
    assert {int(word) for word in ledger} == {event["id"] for event in told(terminal, "schedule_fired")}
    terminal.verify()


NIGHTLY = """
[schedules.nightly]
at = "2020-01-01 06:00"
run = ["true"]
[schedules.daily]
cron = "30 2 * * *"
tz = "Europe/Berlin"
run = ["sh", "-c", "echo done in $PWD"]
"""


def test_a_schedule_is_looked_at_and_run_by_hand(terminal: Terminal) -> None:
    (terminal.cwd / "overnight.toml").write_text(NIGHTLY)
    terminal.run("add", "a", "--", "true")
    listed = terminal.run("schedule", "list").splitlines()
    assert [line.split()[0] for line in listed] == ["daily", "nightly"]
    assert "never: that was over" in listed[1]
    (first, second) = terminal.run("schedule", "next", "-n", "2", "--json").splitlines()
    ahead = datetime.fromisoformat(json.loads(second)["at"]) - datetime.fromisoformat(json.loads(first)["at"])
    assert 23 <= ahead.total_seconds() / 3600 <= 25
    task_id = terminal.run("schedule", "run", "daily").strip()
    terminal.run("run")
    assert terminal.run("log", task_id) == f"done in {terminal.cwd}\n"
    terminal.verify()


def test_a_zone_that_nobody_knows_is_said_before_anything_starts(terminal: Terminal) -> None:
    (terminal.cwd / "overnight.toml").write_text('[schedules.x]\nevery = "1h"\ntz = "Europe/Nowhere"\nrun = ["true"]\n')
    terminal.run("add", "a", "--", "true")
    for words in (("run",), ("start",), ("schedule", "list")):
        done = terminal.complete(*words)
        assert done.returncode != 0
        assert b"there is no time zone 'Europe/Nowhere' on this machine" in done.stderr
        assert b"try: " in done.stderr
    assert terminal.counts()["pending"] == 1
