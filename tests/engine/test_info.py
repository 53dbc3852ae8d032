"""What the engine says of itself in ``engine.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from night import Night, task

from overnight.core.gates import Gate, Hold
from overnight.core.stopping import Mode, StoppedBy, Stopping
from overnight.engine.info import InfoFile
from overnight.store.contract import Counts
from overnight.testing import FakeClock, Play

FULL = Hold(Gate.DISK, 412_000_000, 1_100_000_000)
SHORT = Hold(Gate.MEMORY, 3_000_000_000, 6_000_000_000)


class Told:
    """An information file, and what it says."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "engine.json"
        self.clock = FakeClock()
        self.info = InfoFile(self.path, self.clock, {"pid": 7})

    def tick(self, *, pending: int = 0, running: int = 0) -> dict[str, Any]:
        self.clock.advance(31.0)
        self.info.ticked(Counts(pending=pending, running=running), [])
        said: dict[str, Any] = msgspec.json.decode(self.path.read_bytes())
        return said


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path)


def test_while_the_disk_gate_holds_it_says_what_there_is_and_no_rate(told: Told) -> None:
    told.info.limits([FULL], 4)
    said = told.tick(pending=5)
    assert (said["state"], said["why"]) == ("paused", "412 MB on the disk left, 1.1 GB needed")
    assert (said["rate_per_second"], said["seconds_left"]) == (None, None)
    assert said["gates"] == [{"gate": "disk", "available_bytes": 412_000_000, "needed_bytes": 1_100_000_000}]
    told.info.limits([], 4)
    said = told.tick(pending=5)
    assert (said["state"], said["why"], said["gates"], said["rate_per_second"]) == ("working", "", [], 0.0)


def test_while_memory_is_short_work_goes_on_in_fewer_slots(told: Told) -> None:
    told.info.limits([SHORT], 2)
    said = told.tick(running=2)
    assert (said["state"], said["slots"]) == ("working", 2)
    assert said["why"] == "3.0 GB of memory left, 6.0 GB needed"
    assert said["rate_per_second"] == 0.0


def test_a_stop_is_told_before_a_pause(told: Told) -> None:
    told.info.limits([FULL], 2)
    told.info.stopping(Stopping(Mode.DRAIN, StoppedBy.SIGNAL), 3)
    assert told.tick()["state"] == "stopping"


def test_how_long_it_has_been_up_does_not_depend_on_the_wall_clock(told: Told) -> None:
    told.clock.step_wall(86400.0)
    assert told.tick()["uptime_seconds"] == 31.0


def test_it_counts_the_workers_that_have_something_to_do(night: Night) -> None:
    path = night.directory / "engine.json"
    night.add(*(task(str(number)) for number in range(3)))
    night.observers = [InfoFile(path, night.clock, {"pid": 7})]
    seen: list[int] = []
    script = [(5.5, lambda: seen.append(msgspec.json.decode(path.read_bytes())["active"]))]
    night.run(lambda _spec, _action: Play(seconds=10.0), slots=4, script=script)
    assert seen == [3]
