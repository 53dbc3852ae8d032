"""The engine is killed at moments all through a night of workflows: no finished step runs again, none is lost.

As in ``test_crash_points``: the real loop and the real store in virtual time, judged by the world's own ledger.
"""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from crashing_night import Night, forget_unacknowledged_outcomes

from overnight.core.endings import Ending
from overnight.core.states import TaskState
from overnight.core.task import Action, ActionKind, NewTask
from overnight.core.workflow.model import OnFailure, Step, Workflow
from overnight.executors.contract import Spec
from overnight.monitor.books import audit
from overnight.store.contract import Query, Rested
from overnight.store.sql.advancing import Advance, End, Ready
from overnight.store.sqlite import SqliteStore
from overnight.testing import CrashPoints, Deed, Line, Play
from overnight.testing.ledger import of_task
from overnight.testing.simulation import StuckError

FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a new directory inside
SAMPLE = 5
PARTS = 4
FILES = 6

WORKFLOW = Workflow(
    name="flow",
    phases=("look", "work", "out"),
    steps=(
        Step(id="probe", call="m:f", phase="look"),
        Step(id="large", call="m:f", phase="work", condition="{probe.n} > 2"),
        Step(id="flaky", call="m:f", phase="work", retries=3),
        Step(id="harmless", call="m:f", phase="work", retries=0, on_failure=OnFailure.CONTINUE),
        Step(id="out", run=("cp", "{probe.n}"), phase="out"),
    ),
    gates=(Step(id="gate", run=("true",), phase="work"),),
)
FLOW = Action(kind=ActionKind.WORKFLOW, call="flow", cwd=b"/")


class FlowNight(Night):
    """A night of a workflow, in which nobody does anything by hand."""

    def add_files(self) -> None:
        self.define(WORKFLOW)
        tasks = [NewTask(action=FLOW, input=b"%d" % number) for number in range(FILES)]
        self.acknowledged |= {task.input: task_id for task, task_id in zip(tasks, self.add(tasks), strict=True)}

    def script(self) -> list[tuple[float, Callable[[], None]]]:
        return []

    def _planned(self, spec: Spec, _action: Action) -> Play:
        ended = sum(line.deed is Deed.END and line.key.task_id == spec.task_id for line in self.world.ledger)
        if spec.step == "probe":
            return Play(0.02, result=msgspec.json.encode({"n": int(spec.input)}))
        if spec.step == "flaky" and not ended:
            return Play(0.03, Ending.RAISED, error="not yet")
        if spec.step == "harmless":
            return Play(0.01, Ending.RAISED, error="no")
        return Play(0.02)


def violations(night: FlowNight) -> list[str]:
    """Everything in which the books and the ledger of a finished night are at odds."""
    lines: dict[int, list[Line]] = defaultdict(list)
    for line in night.world.ledger:
        lines[line.key.task_id].append(line)
    with night.opened() as store:
        found = [str(finding) for finding in audit(store, night.journal)]
        for task_id in night.acknowledged.values():
            task, family = store.get(task_id), store.family(task_id)
            steps = list(reversed(store.tasks(Query(parent=task_id))))
            if task.state is not TaskState.COMPLETED or family is None or len(steps) != len(WORKFLOW.nodes):
                found.append(f"task {task_id} is {task.state} and has {len(steps)} steps")
            for step in steps:
                found += _of_step(store, step, lines[step.id], int(task.input))
    return found


def _of_step(store: SqliteStore, step: Any, lines: list[Line], number: int) -> list[str]:
    name = f"step {step.step} ({step.id}) of file {number}"
    deeds = Counter(line.deed for line in lines)
    wanted = {"flaky": 2, "large": int(number > 2)}.get(step.step, 1)
    found = [] if deeds[Deed.END] == wanted else [f"{name} came to its end {deeds[Deed.END]} times, not {wanted}"]
    if step.skipped != (step.step == "large" and number <= 2):
        found.append(f"{name} is {'' if step.skipped else 'not '}skipped")
    if step.state is not (TaskState.FAILED if step.step == "harmless" else TaskState.COMPLETED):
        found.append(f"{name} became {step.state}")
    attempts = {attempt.number: attempt for attempt in store.attempts(step.id)}
    return found + [f"{name}: {words}" for words in of_task(lines, attempts)]


def one_night(*at: int) -> FlowNight:
    """A night with crashes at these moments."""
    with tempfile.TemporaryDirectory(dir=FAST) as directory:
        night = FlowNight(Path(directory), CrashPoints(*at))
        night.add_files()
        night.run()
        assert violations(night) == [], f"crashed at {at}: {[night.points.names[number - 1] for number in at]}"
    return night


def moments() -> int:
    """How many moments a night without a crash has."""
    return len(one_night().points.names)


def test_no_crash_at_a_sample_of_moments_runs_a_finished_step_again_or_loses_one() -> None:
    for moment in range(1, moments() + 1, SAMPLE):
        assert one_night(moment).crashes == 1


def test_crash_after_crash_through_a_whole_night_loses_no_step() -> None:
    """Each engine lives for a few moments only."""
    whole = moments()
    for apart in (7, 11):
        assert one_night(*range(apart, 2 * whole, apart)).crashes > 2


@pytest.mark.prove
@pytest.mark.parametrize("part", range(PARTS))
def test_no_crash_at_any_moment_runs_a_finished_step_again_or_loses_one(part: int) -> None:
    for moment in range(1 + part, moments() + 1, PARTS):
        one_night(moment)


def tell_nobody_once(patch: pytest.MonkeyPatch) -> None:
    """An outcome is written, and what waits for it does not hear of it."""
    calls = itertools.count()
    real = Advance.follow

    def follow(self: Advance, ends: Sequence[End], ready: Sequence[Ready] = ()) -> list[Rested]:
        return real(self, () if next(calls) == LATE else ends, ready)

    patch.setattr(Advance, "follow", follow)


#: The conclusion that is left out.
LATE = 5


def what_goes_wrong(chosen: Iterable[int]) -> str:
    """What is said of nights with a crash at each of these moments, up to the first that goes wrong."""
    for moment in chosen:
        try:
            one_night(moment)
        except (AssertionError, StuckError) as error:
            return str(error)
    return ""


@pytest.mark.parametrize(
    ("mutate", "words"),
    [
        (forget_unacknowledged_outcomes, "is lost on record; it really was begin, end"),
        (tell_nobody_once, "not over after"),
    ],
)
def test_the_same_nights_go_wrong_without_a_protection(
    mutate: Callable[[pytest.MonkeyPatch], None], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proof that cannot fail proves nothing."""
    chosen = range(1, moments(), SAMPLE)
    mutate(monkeypatch)
    assert words in what_goes_wrong(chosen)
