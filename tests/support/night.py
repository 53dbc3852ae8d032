"""A night that a test owns: the real engine and store, with an executor and a clock of the test's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from overnight.core.endings import Ending
from overnight.core.nodes import NodeNews
from overnight.core.placing import Look
from overnight.core.slots import fixed
from overnight.core.states import TaskState
from overnight.core.stopping import Ask
from overnight.core.storms import Policy
from overnight.core.task import Action, ActionKind, NewTask
from overnight.engine.conditions import Limits
from overnight.engine.goal import Goal, QueueEmpty
from overnight.engine.journal import Journal
from overnight.engine.loop import Engine
from overnight.engine.observers import Observers
from overnight.engine.ports import Observer, Rescue, give_up
from overnight.engine.result import Result
from overnight.executors.contract import Spec
from overnight.host.waiter import Source
from overnight.store.sqlite import SqliteStore
from overnight.testing import (
    FakeBell,
    FakeClock,
    FakeExecutor,
    FakeMachine,
    FakeRoom,
    FakeStops,
    FakeWaiter,
    Play,
    Recorder,
)


def action(**options: Any) -> Action:
    return Action(kind=ActionKind.CALL, cwd=b"/", call="m:f", **options)


def task(name: str, **options: Any) -> NewTask:
    what = options.pop("action", None) or action()
    return NewTask(action=what, input=name.encode(), **options)


class Watched(FakeWaiter):
    """Counts the waits, and ends the test of an engine that spins: one that waits without letting time pass."""

    def __init__(self, clock: FakeClock, *rest: Any) -> None:
        super().__init__(clock, *rest)
        self._now = clock.monotonic
        self._moment = clock.monotonic()
        self._waits_now = self.waits = 0

    def wait(self, sources: Sequence[Source], seconds: float) -> list[Source]:
        ready = super().wait(sources, seconds)
        self.waits += 1
        self._waits_now = self._waits_now + 1 if self._now() == self._moment else 0
        self._moment = self._now()
        assert self._waits_now < 1000, "the engine spins"
        return ready


class Night:
    """A store, and everything that an engine needs besides."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = FakeClock()
        self.store = SqliteStore.open(directory / "queue.db", create=True, migrate=True)
        self.recorder = Recorder()
        self.bell, self.stops, self.room = FakeBell(), FakeStops(), FakeRoom()
        self.machine = FakeMachine()
        self.executor = FakeExecutor(self.clock, slots=2)
        #: What was told of storms: the words, and what to type.
        self.alarms: list[tuple[str, str]] = []
        #: Who watches besides the recorder.
        self.observers: list[Observer] = []
        #: What is done when the store is not at its place any more.
        self.rescue: Rescue = give_up
        #: Names of processes that have died.
        self.dead: set[str] = set()
        #: What has happened to nodes; told once.
        self.nodes: list[NodeNews] = []

    def _tell_of_nodes(self) -> list[NodeNews]:
        told, self.nodes = self.nodes, []
        return told

    def add(self, *tasks: NewTask) -> list[int]:
        return self.store.add(tasks, now=self.clock.now()).ids

    def run(
        self,
        play: Callable[[Spec, Action], Play] | None = None,
        *,
        slots: int = 2,
        limits: Limits | None = None,
        goal: Goal | None = None,
        script: Sequence[tuple[float, Callable[[], None]]] = (),
        resources: dict[str, float] | None = None,
        ids: dict[str, tuple[str, ...]] | None = None,
        brake: Policy | None = None,
        stocks: Look | None = None,
    ) -> Result:
        limits = limits or Limits(fixed(slots), brake=brake or Policy())
        self.executor = FakeExecutor(self.clock, slots=limits.bounds.usual, play=play)
        self.waiter = Watched(self.clock, self.executor, self.bell, self.stops, script)
        engine = Engine(
            store=self.store,
            executor=self.executor,
            clock=self.clock,
            waiter=self.waiter,
            bell=self.bell,
            stops=self.stops,
            journal=Journal(self.directory / "events.jsonl", self.store),
            room=self.room,
            machine=self.machine,
            limits=limits,
            goal=goal or QueueEmpty(),
            observer=Observers([self.recorder, *self.observers]),
            resources=resources or {name: float(len(each)) for name, each in (ids or {}).items()},
            ids=ids,
            alarm=lambda words, hint: self.alarms.append((words, hint)),
            is_alive=lambda owner: owner not in self.dead,
            rescue=self.rescue,
            nodes=self._tell_of_nodes,
            stocks=stocks,
        )
        return engine.run()

    def give_up(self) -> None:
        """For a script: it should have been over by now."""
        self.stops.signals.append(Ask.SIGTERM)

    def told(self, *names: str) -> list[dict[str, Any]]:
        """The events of these names, out of the journal."""
        lines = (self.directory / "events.jsonl").read_bytes().splitlines()
        return [event for event in map(msgspec.json.decode, lines) if event["event"] in names]

    def state(self, task_id: int) -> TaskState:
        return self.store.get(task_id).state

    def begun(self) -> list[int]:
        return [key.task_id for key in self.executor.begun]


def failing(times: int) -> Callable[[Spec, Action], Play]:
    return lambda spec, _action: Play(ending=Ending.EXITED, exit_code=0 if spec.attempt > times else 1)
