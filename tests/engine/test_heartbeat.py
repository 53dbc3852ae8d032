"""A line every few minutes, for whoever looks in the morning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from night import Night, action, task

from overnight.core.durations import iso
from overnight.engine.attempts import Running
from overnight.engine.goal import Never
from overnight.engine.heartbeat import HeartbeatLog
from overnight.store.contract import Claimed, Counts
from overnight.testing import START, FakeClock, Play


def lines(path: Path) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]


def test_a_night_of_an_hour_leaves_a_line_each_five_minutes(night: Night) -> None:
    path = night.directory / "heartbeat.log"
    ids = night.add(*(task(str(number)) for number in range(3)))
    night.observers = [HeartbeatLog(path, night.clock, pid=4711, every=300.0)]
    night.run(lambda spec, _action: Play(seconds=1000.0 * spec.task_id), goal=Never(), script=[(3599.0, night.give_up)])

    beats = lines(path)

    assert len(beats) == 12
    assert beats[0] == {"at": iso(START), "pid": 4711, "completed": 0, "active": 2, "tasks": ids[:2]}
    assert [beat["completed"] for beat in beats] == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2]
    assert [beat["tasks"] for beat in beats][4] == ids[1:]
    assert [beat["active"] for beat in beats][-1] == 1


def test_it_says_what_each_worker_is_at_and_not_what_waits_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "heartbeat.log"
    running = [
        Running(Claimed(number, 1, 1, 1, b"", 0, 0, 1, 0), action(), slot, 0.1, 0.0)
        for number, slot in ((5, 0), (9, 1), (6, 0), (7, 0))
    ]
    HeartbeatLog(path, FakeClock(), pid=1, every=1.0).ticked(Counts(), running)
    assert (lines(path)[0]["active"], lines(path)[0]["tasks"]) == (2, [5, 9])


def test_it_is_set_aside_when_it_is_large(tmp_path: Path) -> None:
    clock = FakeClock()
    path = tmp_path / "heartbeat.log"
    log = HeartbeatLog(path, clock, pid=1, every=300.0, rotate_bytes=200)
    for _ in range(20):
        log.ticked(Counts(), [])
        clock.advance(300.0)
    assert 0 < path.stat().st_size <= 300
    assert 200 <= (tmp_path / "heartbeat.log.1").stat().st_size <= 300
    assert sorted(found.name for found in tmp_path.iterdir()) == ["heartbeat.log", "heartbeat.log.1"]


def test_after_a_long_pause_it_beats_once_and_then_in_its_rhythm(tmp_path: Path) -> None:
    clock = FakeClock()
    path = tmp_path / "heartbeat.log"
    log = HeartbeatLog(path, clock, pid=1, every=300.0)
    for pause in (0.0, 3010.0, 1.0, 288.0, 1.0):
        clock.advance(pause)
        log.ticked(Counts(), [])
    assert [beat["at"] for beat in lines(path)] == [iso(START), iso(START + 3010), iso(START + 3300)]


def test_where_it_cannot_be_written_nothing_else_suffers(tmp_path: Path) -> None:
    HeartbeatLog(tmp_path / "gone" / "heartbeat.log", FakeClock(), pid=1, every=1.0).ticked(Counts(), [])
