"""A night in virtual time whose engine is killed at chosen moments, and the checker that judges it.

The checker believes the world's ledger (what really began, ended and died) and compares the books
with it, never the books with themselves alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from overnight.core.checkpoints import Cadence
from overnight.core.endings import AttemptKey, Ended, Ending
from overnight.core.states import Outcome, Reason, TaskState
from overnight.core.task import Action, ActionKind, Attempt, NewTask, Task
from overnight.core.workflow.model import OnFailure, Step, Workflow
from overnight.engine.checkpointing import Checkpointing, Last
from overnight.engine.ports import Observer
from overnight.executors.contract import Event, Over, Spec
from overnight.store.contract import Query, Queue, Selector, Store, Verb
from overnight.store.copies.copier import Answer, Done
from overnight.store.copies.making import Order, make
from overnight.store.copies.shelf import Shelf, troubles
from overnight.testing import START, CrashPoints, Deed, FakeClock, FakeExecutor, FakeWorld, Line, Play, Simulation
from overnight.testing import ledger as ledgers

#: Virtual seconds after which a night is stuck.
TOO_LONG = 2000.0
SLOTS = 3
#: Virtual seconds after a restart at which the results of killed attempts come back all the same.
GHOSTLY = 0.0005


# -- what is to be done ---------------------------------------------------------------------------

#: Virtual seconds at which a person cancels some tasks.
CANCEL_AT = 0.9
CANCELLED = ("victim", "wavering")
#: How the n-th try that comes to an end goes (from 0); the last one for all that follow.
PLANS: Mapping[str, tuple[Play, ...]] = {
    "quick": (Play(0.0007),),
    "plain": (Play(0.08),),
    "long": (Play(1.3),),
    "flaky": (*[Play(0.03, Ending.EXITED, exit_code=1)] * 2, Play(0.01)),
    "bad": (Play(0.02, Ending.RAISED, error="no"),),
    "fatal": (Play(0.02, Ending.EXITED, exit_code=65),),
    "later": (Play(0.01, Ending.POSTPONED, retry_at=START + 9.0), Play(0.01)),
    "due": (Play(0.01),),
    "once": (Play(0.2),),
    "poison": (Play(0.05, dies=True),),
    "victim": (Play(600.0),),
    # It fails at the moment at which it is cancelled, and must not be tried again.
    "wavering": (Play(CANCEL_AT, Ending.RAISED, error="no"),),
    "narrow": (Play(0.3),),
    "flow": (Play(0.02),),
    "broken": (Play(0.01),),
}
#: Steps that go otherwise than their task, by kind and name.
STEPS: Mapping[tuple[str, str], tuple[Play, ...]] = {
    ("flow", "look"): (Play(0.01, Ending.EXITED, exit_code=1), Play(0.01)),
    ("flow", "side"): (Play(0.01, Ending.EXITED, exit_code=65),),
    ("broken", "look"): (Play(0.01, Ending.EXITED, exit_code=65),),
}
#: The workflow of both kinds: the failure of `side` does no harm, that of `look` is the end.
FLOW = Workflow(
    name="flow",
    steps=(
        Step(id="fetch", run=("fetch",)),
        Step(id="look", run=("look",), needs=("fetch",)),
        Step(id="side", run=("side",), needs=("fetch",), on_failure=OnFailure.CONTINUE),
        Step(id="send", run=("send",), needs=("look", "side")),
    ),
)
FLOWS = ("flow", "broken")
#: What a task may have become, and why.
OUTCOMES: Mapping[str, frozenset[tuple[TaskState, Reason | None]]] = defaultdict(
    lambda: frozenset({(TaskState.COMPLETED, None)}),
    bad=frozenset({(TaskState.FAILED, Reason.ERROR)}),
    fatal=frozenset({(TaskState.FAILED, Reason.ERROR)}),
    once=frozenset({(TaskState.COMPLETED, None), (TaskState.HELD, Reason.INTERRUPTED)}),
    poison=frozenset({(TaskState.HELD, Reason.POISON)}),
    victim=frozenset({(TaskState.CANCELLED, None)}),
    wavering=frozenset({(TaskState.CANCELLED, None)}),
    broken=frozenset({(TaskState.FAILED, Reason.ERROR)}),
)
#: How many of each a full night has.
FULL: Mapping[str, int] = {
    "quick": 80, "plain": 50, "long": 3, "flaky": 15, "bad": 5, "fatal": 2, "later": 3, "due": 3, "once": 10,
    "poison": 1, "victim": 2, "wavering": 2, "narrow": 2, "flow": 18, "broken": 4,
}  # fmt: skip
#: One of everything, for the many nights that go wrong on purpose.
MEDIUM: Mapping[str, int] = {
    "quick": 8, "plain": 8, "long": 2, "flaky": 5, "bad": 3, "fatal": 1, "later": 2, "due": 2, "once": 4,
    "poison": 1, "victim": 1, "wavering": 2, "narrow": 1, "flow": 2, "broken": 1,
}  # fmt: skip
SMALL: Mapping[str, int] = {
    "quick": 2, "plain": 2, "flaky": 1, "bad": 1, "later": 1, "once": 2, "poison": 1, "wavering": 1, "flow": 1,
}  # fmt: skip


def kind_of(task_input: bytes) -> str:
    """What a task is: the first word of its input."""
    return task_input.split(b" ")[0].decode()


def new_task(kind: str, number: int) -> NewTask:
    """One task of this kind."""
    action = Action(
        kind=ActionKind.CALL, cwd=b"/", call="m:f", retries=2 if kind == "bad" else 3, at_most_once=kind == "once"
    )
    if kind in FLOWS:
        action = Action(kind=ActionKind.WORKFLOW, cwd=b"/", call="flow")
    return NewTask(
        action=action,
        input=f"{kind} {number}".encode(),
        priority=9 if kind in CANCELLED else number % 3,
        queue="narrow" if kind == "narrow" else "default",
        not_before=START + 5.0 if kind == "due" else None,
    )


# -- a night --------------------------------------------------------------------------------------


class TellingExecutor(FakeExecutor):
    """Lets the engine be killed at its own calls, too; and what its predecessor's workers had in hand comes back.

    A result that comes back from an attempt that was seen dead is against the contract of executors.
    It must be refused all the same.
    """

    def __init__(
        self, points: CrashPoints, clock: FakeClock, world: FakeWorld, play: Callable[[Spec, Action], Play]
    ) -> None:
        super().__init__(clock, slots=SLOTS, play=play, world=world)
        self._points = points
        self._ghosts: list[Event] = []
        self._haunted_at = 0.0

    def open(self, *, fence: int, left_open: Sequence[AttemptKey]) -> list[Over]:
        events = super().open(fence=fence, left_open=left_open)
        killed = {line.key for line in self._world.ledger if line.deed is Deed.KILLED}
        self._ghosts = [Ended(*key, Ending.RETURNED, self._clock.now(), 0.0) for key in sorted(killed)]
        self._haunted_at = self._clock.monotonic() + GHOSTLY
        self._points("open", "after")
        return events

    def submit(self, slot: int, batch: Sequence[Spec], actions: Mapping[int, Action]) -> None:
        super().submit(slot, batch, actions)
        self._points("submit", "after")

    def events(self) -> list[Event]:
        ghosts: list[Event] = []
        if self._clock.monotonic() >= self._haunted_at:
            ghosts, self._ghosts = self._ghosts, []
        return ghosts + super().events()

    def next_at(self) -> float | None:
        real = super().next_at()
        if not self._ghosts:
            return real
        return self._haunted_at if real is None else min(real, self._haunted_at)

    def ack(self) -> None:
        super().ack()
        self._points("ack", "after")


class InlineCopier:
    """Makes a checkpoint at once, in the engine's own process, so that it can be killed at each step of it."""

    def __init__(self, night: Night) -> None:
        self._night = night
        self._answer: Answer | None = None

    @property
    def busy(self) -> bool:
        return self._answer is not None

    def begin(self, state: dict[str, Any], processed: int) -> None:
        night = self._night
        order = Order(
            store=str(night.path),
            shelf=str(night.shelf.directory),
            home=HOME,
            reason="cadence",
            state=state,
            processed=processed,
        )
        self._answer = Done(make(order, clock=night.clock, step=lambda name: night.points("checkpoint", name)))

    def answer(self) -> Answer | None:
        answer, self._answer = self._answer, None
        return answer

    def end(self) -> None:
        """It is at no work that lasts."""

    def close(self, *, patience: float) -> Answer | None:  # noqa: ARG002 - contract
        return self.answer()


#: Whose checkpoints they are.
HOME = "0123456789abcdef"


class Night(Simulation):
    """A store, a world, and engines that follow each other until the queue is empty.

    Args:
        directory: Where the files go.
        points: Where the engines are killed.
        checkpoint_every: Finished tasks after which a checkpoint is made; 0: none is.
    """

    def __init__(self, directory: Path, points: CrashPoints, *, checkpoint_every: int = 0) -> None:
        super().__init__(directory, play=self._planned, slots=SLOTS, points=points, too_long=TOO_LONG)
        #: Ids by input, of every add that was acknowledged.
        self.acknowledged: dict[bytes, int] = {}
        self._cancelled = False
        self._checkpoint_every = checkpoint_every

    @property
    def shelf(self) -> Shelf:
        """Where its checkpoints lie."""
        return Shelf(self.directory / "checkpoints", HOME)

    def add_kinds(self, kinds: Mapping[str, int]) -> None:
        """Add so many of each kind."""
        tasks = [new_task(kind, number) for kind, count in kinds.items() for number in range(count)]
        with self.opened() as store:
            store.set_queue(Queue("narrow", slots=1), now=self.clock.now(), by="test")
        if any(kind in FLOWS for kind in kinds):
            self.define(FLOW)
        self.acknowledged |= {task.input: task_id for task, task_id in zip(tasks, self.add(tasks), strict=True)}

    def executor(self) -> FakeExecutor:
        return TellingExecutor(self.points, self.clock, self.world, self._planned)

    def observers(self, store: Store) -> list[Observer]:
        if not self._checkpoint_every:
            return []
        cadence = Cadence(self._checkpoint_every, 0.0)
        return [Checkpointing(store, InlineCopier(self), self.clock, cadence, Last(0.0))]

    def script(self) -> list[tuple[float, Callable[[], None]]]:
        return [] if self._cancelled else [(max(0.0, CANCEL_AT - self.gone), self._cancel)]

    def _cancel(self) -> None:
        ids = tuple(task_id for task, task_id in self.acknowledged.items() if kind_of(task) in CANCELLED)
        with self.opened() as person:
            person.act(Verb.CANCEL, Selector(ids=ids), now=self.clock.now(), by="person")
        self._cancelled = True
        self.bell.ring()

    def _planned(self, spec: Spec, _action: Action) -> Play:
        return planned(self.world, spec)


def plan_of(kind: str, step: str = "") -> tuple[Play, ...]:
    """How the tries of a task go, or those of a step of it."""
    return STEPS.get((kind, step), PLANS[kind])


def planned(world: FakeWorld, spec: Spec) -> Play:
    """How the next try of a task goes: it counts only those that came to an end."""
    plan = plan_of(kind_of(spec.input), spec.step)
    ended = sum(line.deed is Deed.END and line.key.task_id == spec.task_id for line in world.ledger)
    return plan[min(ended, len(plan) - 1)]


# -- the checker ----------------------------------------------------------------------------------


def violations(night: Night) -> list[str]:
    """Everything in which the books and the ledger of a finished night are at odds; [] when all is well."""
    found = night.violations()
    lines = ledgers.by_task(night.world.ledger)
    with night.opened() as store:
        there = store.states(night.acknowledged.values())
        for name, task_id in night.acknowledged.items():
            if task_id not in there:
                found.append(f"{name!r} is lost")
                continue
            found += [f"{name!r}: {words}" for words in _of_any(store, task_id, lines)]
    return found + [f"checkpoint {one.name}: {words}" for one in night.shelf.entries() for words in troubles(one)]


def _of_any(store: Store, task_id: int, lines: Mapping[int, Sequence[Line]]) -> Iterator[str]:
    task = store.get(task_id)
    if kind_of(task.input) not in FLOWS:
        yield from _of_task(task, store.attempts(task_id), lines.get(task_id, ()))
        return
    if (task.state, task.reason) not in OUTCOMES[kind_of(task.input)]:
        yield f"became {task.state}, {task.reason}"
    steps = store.tasks(Query(parent=task_id))
    if len(steps) != len(FLOW.nodes):
        yield f"has {len(steps)} steps"
    for step in steps:
        failed = _failures(plan_of(kind_of(task.input), step.step), lines.get(step.id, ()))
        if failed != step.failures:
            yield f"its step {step.step} failed {failed} times, and {step.failures} are counted"


def _of_task(task: Task, attempts: Sequence[Attempt], lines: Sequence[Line]) -> Iterator[str]:
    kind = kind_of(task.input)
    if (task.state, task.reason) not in OUTCOMES[kind]:
        yield f"became {task.state}, {task.reason}"
    if [attempt.number for attempt in attempts] != list(range(1, task.attempt + 1)):
        yield f"has attempts {[attempt.number for attempt in attempts]}, and should have {task.attempt}"
    begun = [line for line in lines if line.deed is Deed.BEGIN]
    if kind == "once" and len(begun) > 1:
        yield f"began {len(begun)} times"
    finals = [attempt for attempt in attempts if attempt.outcome is Outcome.COMPLETED]
    if len(finals) != (task.state is TaskState.COMPLETED):
        yield f"is {task.state} and was completed {len(finals)} times"
    failed = _failures(plan_of(kind), lines)
    if kind in CANCELLED:
        failed = sum(attempt.outcome is Outcome.FAILED for attempt in attempts)
    if failed != task.failures:
        yield f"failed {failed} times, and {task.failures} are counted"
    if task.deaths != (3 if kind == "poison" else 0):
        yield f"{task.deaths} deaths are counted"


def _failures(plan: Sequence[Play], lines: Sequence[Line]) -> int:
    ended = sum(line.deed is Deed.END for line in lines)
    plays = [plan[min(number, len(plan) - 1)] for number in range(ended)]
    return sum(play.ending in (Ending.RAISED, Ending.EXITED) and play.exit_code != 0 for play in plays)


def forget_unacknowledged_outcomes(patch: pytest.MonkeyPatch) -> None:
    """Nothing is kept of an outcome for the next engine."""
    real = FakeWorld.end

    def end(self: FakeWorld, outcome: Ended) -> None:
        real(self, outcome)
        self.forget([outcome.key])

    patch.setattr(FakeWorld, "end", end)
