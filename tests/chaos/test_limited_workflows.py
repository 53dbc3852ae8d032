"""What a workflow may run at a time is held to, whenever the engine dies."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from overnight.core import lanes
from overnight.core.states import TaskState
from overnight.core.workflow.model import Step, Workflow
from overnight.store.contract import Queue
from overnight.testing import CrashPoints, Play, Simulation
from overnight.testing.world import Deed

FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a directory of one's own is made in it
MOST = 2


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=FAST) as name:
        yield Path(name)


def limited(directory: Path, *crashes: int) -> tuple[Simulation, int]:
    """A night of twelve workflow tasks, and how many of their steps were alive at a time at most."""
    directory.mkdir()
    night = Simulation(directory, play=lambda _spec, _action: Play(1.0), slots=5, points=CrashPoints(*crashes))
    steps = (Step(id="a", run=("a",)), Step(id="b", run=("b",), needs=("a",)))
    night.define(Workflow(name="flow", steps=steps))
    with night.opened() as store:
        store.set_queue(Queue("workflow flow", slots=MOST), now=night.clock.now(), by="test")
    night.queue(*map(str, range(6)), workflow="flow")
    night.queue(*map(str, range(6)))
    assert set(night.run().states.values()) == {TaskState.COMPLETED}
    assert night.violations() == []
    step_ids = {spec.task_id for spec in night.began if spec.step}
    alive = most = 0
    for line in night.world.ledger:
        if line.key.task_id in step_ids:
            alive += 1 if line.deed is Deed.BEGIN else -1
            most = max(most, alive)
    return night, most


def test_no_crash_lets_more_run_than_may(directory: Path) -> None:
    night, most = limited(directory / "whole")
    assert most == MOST
    moments = len(night.points.names)
    for moment in range(1, moments, max(1, moments // 20)):
        assert limited(directory / str(moment), moment)[1] <= MOST


def test_without_the_limit_more_run(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control."""
    monkeypatch.setattr(lanes, "limited_by", lambda queue, _workflow: (queue,))
    assert limited(directory / "whole")[1] > MOST
