"""A night in virtual time: the real engine on the real store, everything around them under control.

Engines follow each other until nothing is left to do. With `CrashPoints` some of them are killed on the way,
and the next one finds what the dead one left. The same arguments give the same night, to the last event.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from overnight.core.configuration import parse
from overnight.core.slots import fixed
from overnight.core.states import TaskState
from overnight.core.task import DEFAULT_RETRIES, DEFAULT_TIMEOUT, Action, ActionKind, NewTask, raw
from overnight.core.workflow.model import Workflow
from overnight.engine.conditions import Limits
from overnight.engine.goal import QueueEmpty
from overnight.engine.journal import Journal
from overnight.engine.loop import Engine
from overnight.engine.observers import Observers
from overnight.engine.ports import Observer
from overnight.executors.contract import Spec
from overnight.monitor.books import audit
from overnight.store.contract import Store
from overnight.store.sqlite import SqliteStore
from overnight.testing import ledger
from overnight.testing.clock import FakeClock
from overnight.testing.crashing import CrashError, CrashPoints
from overnight.testing.executor import FakeExecutor
from overnight.testing.ports import FakeBell, FakeMachine, FakeRoom, FakeStops, FakeWaiter
from overnight.testing.world import FakeWorld, Play

#: Virtual seconds after which a night is stuck.
TOO_LONG = 100_000.0
#: Crashes after which no engine gets anywhere.
TOO_MANY = 50


class StuckError(Exception):
    """The night does not end."""


class Told(msgspec.Struct, frozen=True):
    """How a night went. `states`: of every task that was added, by id; `seconds` are virtual ones."""

    states: dict[int, TaskState]
    seconds: float
    crashes: int


class Simulation:
    """One night.

    Args:
        directory: Where the store and its journal go; best one in memory.
        play: How an attempt goes, asked when it begins; None: all end well, at once.
        slots: Attempts at the same time.
        points: Where engines are killed; None: nowhere.
        too_long: Virtual seconds after which it is stuck.
    """

    def __init__(
        self,
        directory: Path,
        *,
        play: Callable[[Spec, Action], Play] | None = None,
        slots: int = 3,
        points: CrashPoints | None = None,
        too_long: float = TOO_LONG,
    ) -> None:
        self.directory = directory
        self.points = points or CrashPoints()
        self.slots = slots
        self.clock = FakeClock()
        #: What really happened; see its ``ledger``.
        self.world = FakeWorld(self.clock)
        self.bell = FakeBell()
        #: What there is of disk and memory, as a test sets it.
        self.machine = FakeMachine()
        self.crashes = 0
        #: Ids of all tasks whose adding was acknowledged.
        self.added: list[int] = []
        #: Every attempt that has begun, in order; of a workflow, with the name of its step.
        self.began: list[Spec] = []
        self._play = play or (lambda _spec, _action: Play())
        self._too_long = too_long
        self._started = self.clock.monotonic()

    @property
    def path(self) -> Path:
        """The store's file."""
        return self.directory / "queue.db"

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.directory / "events.jsonl"

    @contextmanager
    def opened(self, *, killable: bool = False) -> Iterator[SqliteStore]:
        """The store, closed at the end as the kernel closes it."""
        store = SqliteStore.open(self.path, create=True, migrate=True, hooks=self.points if killable else None)
        try:
            yield store
        finally:
            store.close()

    def load(self, file: Path) -> None:
        """Lay down the workflows of an ``overnight.toml``.

        Raises:
            ConfigurationError: It cannot be used; every error with its line.
        """
        self.define(*parse(file.read_text("utf-8"), str(file)).workflows.values())

    def queue(
        self,
        *inputs: str,
        command: Sequence[str] = ("true",),
        workflow: str = "",
        retries: int = DEFAULT_RETRIES,
        timeout: float | None = DEFAULT_TIMEOUT,
        priority: int = 0,
    ) -> list[int]:
        """Queue a task for each input, as ``overnight add`` does: of a command, or of a workflow. Returns their ids."""
        action = Action(ActionKind.COMMAND, b"/", argv=tuple(map(raw, command)), retries=retries, timeout=timeout)
        if workflow:
            action = Action(ActionKind.WORKFLOW, b"/", call=workflow, retries=retries, timeout=timeout)
        return self.add([NewTask(action, raw(one), workflow=workflow, priority=priority) for one in inputs])

    def define(self, *workflows: Workflow) -> None:
        """Lay down workflows, as ``overnight.toml`` does."""
        with self.opened() as store:
            store.define(workflows, source="simulation", now=self.clock.now(), by="simulation")

    def add(self, tasks: Sequence[NewTask]) -> list[int]:
        """Add tasks. Returns their ids, in order."""
        with self.opened() as store:
            ids = store.add(tasks, now=self.clock.now(), by="simulation").ids
        self.added += ids
        return ids

    # -- engines ------------------------------------------------------------------------------

    def run(self) -> Told:
        """Let engines follow each other until nothing is left that could move.

        Raises:
            StuckError: It does not end.
        """
        while self.crashes < TOO_MANY:
            self.points.next_life()
            try:
                with self.opened(killable=True) as store:
                    self._engine_life(store)
            except CrashError:
                self.crashes += 1
            else:
                return Told(self._states(), self.gone, self.crashes)
        raise StuckError("one crash after the other")

    @property
    def gone(self) -> float:
        """Virtual seconds since the night began."""
        return self.clock.monotonic() - self._started

    def executor(self) -> FakeExecutor:
        """Who runs attempts in the next engine's life."""
        return FakeExecutor(self.clock, slots=self.slots, play=self.play, world=self.world)

    def play(self, spec: Spec, action: Action) -> Play:
        """An attempt begins: note it, and ask how it goes."""
        self.began.append(spec)
        return self._play(spec, action)

    def script(self) -> list[tuple[float, Callable[[], None]]]:
        """What happens from outside in the next engine's life: seconds from its beginning on, and what to do."""
        return []

    def observers(self, store: Store) -> list[Observer]:  # noqa: ARG002 - for those who take its place
        """Who watches the next engine."""
        return []

    def _engine_life(self, store: SqliteStore) -> None:
        executor, stops = self.executor(), FakeStops()
        journal = Journal(self.journal, store)
        script = [*self.script(), (self._too_long - self.gone, self._give_up)]
        engine = Engine(
            store=store,
            executor=executor,
            clock=self.clock,
            waiter=FakeWaiter(self.clock, executor, self.bell, stops, sorted(script, key=lambda one: one[0])),
            bell=self.bell,
            stops=stops,
            journal=journal,
            room=FakeRoom(),
            machine=self.machine,
            limits=Limits(fixed(self.slots)),
            goal=QueueEmpty(),
            observer=Observers(self.observers(store)),
        )
        try:
            engine.run()
        except BaseException:
            with suppress(OSError):
                os.close(journal._file)  # noqa: SLF001 - as the kernel does, unless it was closed already
            raise

    def _give_up(self) -> None:
        raise StuckError(f"not over after {self._too_long:,.0f} virtual seconds")

    def _states(self) -> dict[int, TaskState]:
        with self.opened() as store:
            return store.states(self.added)

    # -- judging ------------------------------------------------------------------------------

    def violations(self) -> list[str]:
        """Everything that is against the promises: lost, doubled, not balanced, told otherwise; [] when all is well."""
        with self.opened() as store:
            found = [str(finding) for finding in audit(store, self.journal)]
            there = store.states(self.added)
            found += [f"task {task_id} is lost" for task_id in self.added if task_id not in there]
            if store.counts().total != len(self.added):
                found.append(f"{store.counts().total} tasks, {len(self.added)} were added")
            return found + ledger.of_attempts(store, self.world.ledger, self.journal)
