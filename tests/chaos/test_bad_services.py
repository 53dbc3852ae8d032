"""A service that is gone, full, slow and rude: everybody is served without a person, and it is left in peace."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from bad_service import SLOTS, Figures, night

from overnight.core import verdict
from overnight.core.endings import Ending
from overnight.core.states import ErrorClass, TaskState
from overnight.core.task import Action
from overnight.engine.brake import Brake
from overnight.executors.contract import Spec
from overnight.testing import CrashPoints, Play, Simulation

#: Memory, where there is such a file system: nothing here is about power cuts.
FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a directory of one's own is made in it


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=FAST) as name:
        yield Path(name)


def all_is_well(found: Figures) -> None:
    assert found.violations == []
    assert found.completed == found.tasks, found
    assert found.too_early == 0, found
    assert found.answers["quota"] <= SLOTS * found.quotas, found  # those who were calling when the first was told
    assert found.resumed < 1.0, found
    assert found.quotas >= 1, found


def test_a_night_with_a_bad_service(directory: Path) -> None:
    """A small one, in which the row of failures that it takes to see an outage is more than one in a hundred."""
    found = night(directory, tasks=600, quota=400, gone_at=3.0)
    all_is_well(found)
    assert found.answers["gone"] <= 20 + SLOTS + 3


def test_without_the_brake_the_outage_costs_tasks(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control."""
    monkeypatch.setattr(Brake, "heed", lambda *_: False)
    found = night(directory, tasks=600, quota=400, gone_at=3.0)
    assert found.completed < found.tasks
    assert found.wasted > 0.1


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(3))
def test_twenty_thousand_tasks_and_a_bad_service(directory: Path, seed: int) -> None:
    found = night(directory, tasks=20_000, quota=5000, seed=seed)
    all_is_well(found)
    assert found.wasted < 0.01
    assert found.quotas >= 3


def stormy(directory: Path, *crashes: int) -> Simulation:
    """A small night through an outage, with engines that die at these moments."""
    simulation = Simulation(directory, slots=2, points=CrashPoints(*crashes))
    start = simulation.clock.now()

    def play(_spec: Spec, _action: Action) -> Play:
        if simulation.clock.now() < start + 150.0:
            return Play(0.01, Ending.RAISED, error="connection refused", error_class=ErrorClass.TRANSIENT)
        return Play(0.01)

    simulation._play = play
    simulation.queue(*(f"page {number}" for number in range(60)), retries=1)
    told = simulation.run()
    assert set(told.states.values()) == {TaskState.COMPLETED}, told
    assert simulation.violations() == []
    return simulation


def test_an_engine_that_dies_around_a_storm_leaves_nobody_behind(directory: Path) -> None:
    (directory / "whole").mkdir()
    names = stormy(directory / "whole").points.names
    chosen = [number for number, name in enumerate(names, start=1) if "storm" in name]
    assert [names[number - 1] for number in chosen] == [
        *["set_storm before_commit", "set_storm after_commit"] * 2,
        *["end_storm before_commit", "end_storm after_commit"],
    ]
    for moment in {near for number in chosen for near in (number - 1, number)}:
        (directory / str(moment)).mkdir()
        assert stormy(directory / str(moment), moment).crashes == 1


def mixed(directory: Path, tasks: int) -> tuple[Simulation, dict[TaskState, set[int]], list[int]]:
    """Good ones, one in fifty with a typo, one in a hundred that kills its worker each time."""
    simulation = Simulation(directory, slots=SLOTS)

    def play(spec: Spec, _action: Action) -> Play:
        if spec.task_id % 100 == 0:
            return Play(0.01, dies=True)
        if spec.task_id % 50 == 1:
            return Play(0.01, Ending.EXITED, exit_code=127, error="ehco: not found", error_class=ErrorClass.PERMANENT)
        return Play(0.01)

    simulation._play = play
    ids = simulation.queue(*(f"page {number}" for number in range(tasks)))
    told = simulation.run()
    states = {state: {one for one in ids if told.states[one] is state} for state in TaskState}
    return simulation, states, [spec.task_id for spec in simulation.began]


def tries(began: list[int]) -> dict[str, set[int]]:
    """How often tasks of each kind began, of the first 600."""
    times = Counter(one for one in began if one <= 600)
    return {
        "poison": {count for one, count in times.items() if one % 100 == 0},
        "typo": {count for one, count in times.items() if one % 50 == 1},
    }


@pytest.mark.parametrize("tasks", [600, pytest.param(20_000, marks=pytest.mark.prove)])
def test_poison_typos_and_good_ones_each_get_what_they_deserve(directory: Path, tasks: int) -> None:
    simulation, states, began = mixed(directory, tasks)
    ids = range(1, tasks + 1)
    assert states[TaskState.HELD] == {one for one in ids if one % 100 == 0}
    assert states[TaskState.FAILED] == {one for one in ids if one % 50 == 1}
    assert states[TaskState.COMPLETED] == set(ids) - states[TaskState.HELD] - states[TaskState.FAILED]
    assert tries(began) == {"poison": {3}, "typo": {1}}
    assert simulation.violations() == []


def test_without_the_two_rules_they_are_tried_again_and_again(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: nobody counts deaths up to three, and a typo is a failure like any other."""
    monkeypatch.setattr(verdict, "POISON_DEATHS", 6)
    monkeypatch.setattr(verdict, "classify", lambda _: ErrorClass.UNKNOWN)
    _, _, began = mixed(directory, 600)
    assert tries(began) == {"poison": {6}, "typo": {4}}
