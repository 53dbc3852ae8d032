"""``status`` about what the machine lets the engine do."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from overnight import wiring
from overnight.core.durations import iso
from overnight.host.lock import HomeLock

Call = Callable[..., Any]
GATE = {"gate": "disk", "available_bytes": 412_000_000, "needed_bytes": 1_100_000_000}


@pytest.fixture
def said(overnight: Call) -> Iterator[Callable[..., None]]:
    """What an engine that holds the home says of itself: this process."""
    overnight("add", "a", "b", "--", "true")
    home = wiring.find_home()
    lock = HomeLock(home.lock)
    lock.acquire({"pid": os.getpid()})
    now = wiring.clock.now()

    def say(**fields: object) -> None:
        bounds = {"least": 1, "usual": 4, "most": 8, "auto": True}
        words = {"pid": os.getpid(), "last_heartbeat": iso(now), "uptime_seconds": 60.0, "slots": 5, "bounds": bounds}
        home.engine_info.write_bytes(msgspec.json.encode(words | {"active": 3, "gates": []} | fields))
        beat = {"at": iso(now - 120), "pid": os.getpid(), "completed": 12, "active": 2, "tasks": [13, 14]}
        home.heartbeat.write_bytes(msgspec.json.encode(beat) + b"\n")

    yield say
    lock.release()


def test_a_pause_says_how_much_room_there_is_and_how_much_is_needed_and_shows_no_rate(
    overnight: Call, said: Callable[..., None]
) -> None:
    said(state="paused", why="412 MB on the disk left, 1.1 GB needed", gates=[GATE], rate_per_second=7.0)
    plain = overnight("status").out
    assert "engine paused" in plain
    assert "412 MB on the disk left, 1.1 GB needed" in plain
    assert "a second" not in plain
    assert "rate" not in plain
    assert "disk gate: 412 MB left, 1.1 GB needed" in overnight("status", "--detailed").out
    told = overnight("status", "--json").json
    assert (told["engine"]["gates"], told["rate_per_second"]) == ([GATE], None)
    assert told["health"]["state"] == "warning"


def test_slots_workers_and_the_last_heartbeat(overnight: Call, said: Callable[..., None]) -> None:
    said(state="working", containment="cgroups")
    detailed = overnight("status", "--detailed").out
    assert "slots: 5, auto between 1 and 8; 3 workers active" in detailed
    assert "12 completed, 2 workers active, at 13, 14" in detailed
    assert "containment: cgroups" in detailed
    told = overnight("status", "--json").json
    assert told["engine"]["slots"] == {"now": 5, "least": 1, "most": 8, "auto": True}
    assert (told["engine"]["workers_active"], told["engine"]["containment"]) == (3, "cgroups")
    assert (told["heartbeat"]["completed"], told["heartbeat"]["tasks"]) == (12, [13, 14])


def test_the_memory_of_the_engine_is_told_as_a_share_of_what_it_may_have(
    overnight: Call, said: Callable[..., None]
) -> None:
    said(state="working")
    told = overnight("status", "--include-resources", "--json").json["resources"]
    assert told["engine_memory_bound"] == 64 * 2**20 + int(64 * 2**10 * 2**0.5)
    assert told["memory_bound_percent"] == round(100 * told["engine_memory"] / told["engine_memory_bound"], 1)
    plain = overnight("status", "--include-resources").out
    assert "% of the 67.2 MB that it may have with 2 unfinished" in plain
    assert "that it may have" not in overnight("status").out


def test_an_engine_that_is_gone_takes_no_memory(overnight: Call) -> None:
    overnight("add", "a", "--", "true")
    assert "that it may have" not in overnight("status", "--include-resources").out


def test_of_an_engine_that_is_gone_the_log_has_the_last_heartbeat(overnight: Call) -> None:
    overnight("run", "a", "--", "true")
    told = overnight("status", "--json").json
    assert (told["engine"]["state"], told["engine"]["slots"]) == ("stopped", None)
    assert told["engine"]["last_heartbeat"] == told["heartbeat"]["at"]


def test_below_the_threshold_no_engine_starts_and_what_was_added_stays(
    overnight: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERNIGHT_GATE_DISK", "900TB")
    ended = overnight("run", "a", "b", "--", "true")
    assert ended.status == 75
    assert "are free on the disk of" in ended.err
    assert "nothing was started, and what is in the queue stays there" in ended.err
    assert "  try: " in ended.err
    monkeypatch.setenv("OVERNIGHT_GATE_DISK", "0")
    assert overnight("run", "a", "b", "--", "true").status == 0
    assert overnight("status", "--json").json["counts"]["completed"] == 2
