"""A day in virtual time with everything that goes wrong in a night, by dice whose seed is known.

The real loop on the real store. Engines crash at random commits, workers die, tasks fail and hang, the
disk fills up, memory runs short, the clock is set. Whoever checks believes the world's ledger (what
really began and ended), and empties it each hour, for it must not grow either.
"""

from __future__ import annotations

import gc
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import msgspec

from overnight.core.endings import AttemptKey, Ending
from overnight.core.errors import DiskFullError
from overnight.core.slots import Bounds
from overnight.core.stopping import Ask, Stopping
from overnight.core.task import Action, ActionKind, NewTask
from overnight.core.verdict import Settlement
from overnight.engine.attempts import Running
from overnight.engine.conditions import Limits
from overnight.engine.goal import Never
from overnight.engine.journal import Journal
from overnight.engine.loop import Engine
from overnight.executors.contract import Spec
from overnight.host.heap import keep_freed_memory
from overnight.store.contract import Counts
from overnight.store.sqlite import SqliteStore
from overnight.testing import (
    Deed,
    FakeBell,
    FakeClock,
    FakeExecutor,
    FakeMachine,
    FakeRoom,
    FakeStops,
    FakeWaiter,
    FakeWorld,
    Play,
)

HOUR = 3600.0
GB = 1_000_000_000
#: Seconds between two adds, and tasks in each.
ADD_EVERY = 60.0
BOUNDS = Bounds(least=1, usual=4, most=8)
#: The part of attempts that do not succeed.
FAULTS = 0.08
#: A finished task is kept for so long, so that what is kept does not depend on how long the day was.
KEEP = 1800.0


#: How attempts succeed.
_GOOD = tuple(map(Play, (0.001, 0.004, 0.02, 0.3, 2.0)))


class CrashError(Exception):
    """The engine dies here."""


class Quiet:
    """An observer that remembers nothing."""

    def settled(self, running: Running | None, settlement: Settlement) -> None:
        """Nothing."""

    def stopping(self, stopping: Stopping, still_running: int) -> None:
        """Nothing."""

    def limits(self, holds: Sequence[Any], slots: int) -> None:
        """Nothing."""

    def ticked(self, counts: Counts, running: list[Running]) -> None:
        """Nothing."""


@lru_cache(maxsize=8)
def _action(timeout: float, at_most_once: bool) -> Action:  # noqa: FBT001 - by position, for the cache
    return Action(ActionKind.CALL, b"/", call="m:f", timeout=timeout, at_most_once=at_most_once)


class Day:
    """So many hours.

    Args:
        directory: Where the store lies.
        seed: Of all dice.
        hours: Virtual hours; in the second half nothing crashes and no clock is set, so that one engine
            lives long enough to show what it keeps.
        an_hour: Tasks added each hour.
    """

    def __init__(self, directory: Path, *, seed: int, hours: float, an_hour: int) -> None:
        self._directory = directory
        self._dice = random.Random(seed)  # noqa: S311 - for a schedule, not for a secret
        self._fates = random.Random(seed + 1_000_000)  # noqa: S311 - as above
        self._an_add = max(1, round(an_hour * ADD_EVERY / HOUR))
        self.clock = FakeClock()
        self.world = FakeWorld(self.clock)
        self.machine = FakeMachine()
        self.room = FakeRoom()
        self._bell = FakeBell()
        self._stops = FakeStops()
        self._start = self.clock.monotonic()
        self._seconds = hours * HOUR
        self._full = False
        self._crash_in: int | None = None
        self._script = self._plan()
        self._alive: dict[int, int] = {}
        self._succeeded: set[int] = set()
        #: The dice of attempts that have not ended, and nothing that an engine knows of.
        self._throws: dict[AttemptKey, float] = {}
        self.added = self.began = self.crashes = 0
        self.happened: Counter[str] = Counter()
        #: What is against the promises.
        self.violations: list[str] = []
        #: Objects that live at the end of each hour, and tasks in the store.
        self.objects: list[int] = []
        self.kept: list[int] = []

    # -- what happens ------------------------------------------------------------------------

    def _plan(self) -> list[tuple[float, Callable[[], None]]]:
        """Everything that comes from outside: monotonic seconds, and what to do."""
        dice, end = self._dice, self._seconds
        plan: list[tuple[float, Callable[[], None]]] = [(at, self._add) for at in _every(ADD_EVERY, end)]
        plan += [(at, self._look) for at in _every(HOUR / 2, end)]
        for _ in range(round(end / HOUR * 2)):
            at, lasts = dice.uniform(0.0, end), dice.uniform(1.0, 300.0)
            close, open_again = dice.choice(self._troubles())
            plan += [(at, close), (at + lasts, open_again)]
        for _ in range(round(end / HOUR / 2) + 1):
            plan.append((dice.uniform(0.0, end / 2), partial(self._set_clock, dice.uniform(-7200.0, 7200.0))))
        return sorted(((self._start + at, act) for at, act in plan), key=lambda one: one[0])

    def _troubles(self) -> list[tuple[Callable[[], None], Callable[[], None]]]:
        return [
            (partial(self._fill, full=True), partial(self._fill, full=False)),
            (partial(self._change, "disk", disk_free=GB // 2), partial(self._change, "", disk_free=100 * GB)),
            (
                partial(self._change, "memory", memory_available=2 * GB),
                partial(self._change, "", memory_available=20 * GB),
            ),
            (
                partial(self._change, "load", load=20.0, cpu_pressure=0.9),
                partial(self._change, "", load=0.0, cpu_pressure=0.0),
            ),
        ]

    def _fill(self, *, full: bool) -> None:
        self._full = full
        self.room.free = not full
        self.happened["full"] += full

    def _change(self, what: str, **figures: float) -> None:
        self.machine.change(**figures)
        if what:
            self.happened[what] += 1

    def _set_clock(self, by: float) -> None:
        self.clock.step_wall(by)
        self.happened["clock"] += 1

    def _add(self) -> None:
        if self._full:
            return
        hour = int((self.clock.monotonic() - self._start) // HOUR)
        tasks = [self._task(hour, self.added + number) for number in range(self._an_add)]
        self._producer.add(tasks, now=self.clock.now(), by="day")
        self.added += len(tasks)
        self._bell.ring()

    def _task(self, hour: int, number: int) -> NewTask:
        """Lanes come and go with the hours, and one task in ten has an action of its own."""
        own = 100.0 + (number if number % 10 == 0 else 0)
        return NewTask(
            action=_action(own, number % 97 == 0),
            input=b"%d" % number,
            queue=f"queue-{hour}-{number % 3}",
            priority=number % 5,
        )

    def _play(self, spec: Spec, _action: Action) -> Play:
        dice = self._fates
        self.began += 1
        throw = self._throws[spec.key] = dice.random()
        if throw < 0.05:
            return Play(dice.uniform(0.001, 5.0), Ending.EXITED, exit_code=1)
        if throw < 0.06:
            return Play(100.0, Ending.TIMEOUT)
        if throw < 0.07:
            return Play(dice.uniform(0.1, 5.0), dies=True)
        if throw < FAULTS:
            return Play(0.01, Ending.POSTPONED, retry_at=self.clock.now() + 600.0)
        return dice.choice(_GOOD)

    # -- lives -------------------------------------------------------------------------------

    def live(self) -> None:
        """Let engines follow each other until the day is over."""
        keep_freed_memory()  # as every engine does
        gc.disable()  # `_look` collects, twice an hour; in between it would cost a tenth of the day
        try:
            with closing(SqliteStore.open(self._directory / "queue.db", create=True, migrate=True)) as self._producer:
                self._live()
        finally:
            gc.enable()

    def _live(self) -> None:
        while self.clock.monotonic() < self._start + self._seconds:
            half = self.clock.monotonic() >= self._start + self._seconds / 2
            self._crash_in = None if half else self._dice.randrange(200, 4000)
            try:
                self._engine_life()
            except CrashError:
                self.crashes += 1
        self._heed_ledger()

    def _hook(self, operation: str, moment: str) -> None:
        if self._full and moment == "before_commit":
            raise DiskFullError("full")
        if self._crash_in is not None and operation == "turn":
            self._crash_in -= 1
            if self._crash_in <= 0:
                raise CrashError(f"{operation} {moment}")

    def _engine_life(self) -> None:
        now = self.clock.monotonic()
        script = [(at - now, act) for at, act in self._script if at > now]
        # In the first half a life ends by a crash, in the second one with the day.
        script.append((self._start + self._seconds - now, self._end))
        if now < self._start + self._seconds / 2:
            script.append((self._start + self._seconds / 2 - now, self._crash_now))
        script.sort(key=lambda one: one[0])
        executor = FakeExecutor(self.clock, slots=BOUNDS.usual, play=self._play, world=self.world)
        with closing(SqliteStore.open(self._directory / "queue.db", migrate=True, hooks=self._hook)) as store:
            journal = Journal(self._directory / "events.jsonl", store, rotate_bytes=8 * 1024 * 1024)
            self._engine = Engine(
                store=store,
                executor=executor,
                clock=self.clock,
                waiter=FakeWaiter(self.clock, executor, self._bell, self._stops, script),
                bell=self._bell,
                stops=self._stops,
                journal=journal,
                room=self.room,
                machine=self.machine,
                limits=Limits(BOUNDS, keep_finished=KEEP),
                goal=Never(),
                observer=Quiet(),
            )
            self._executor = executor
            try:
                self._engine.run()
            except DiskFullError:  # there was not even room to begin
                self._fill(full=False)
            except BaseException:
                with suppress(OSError):
                    os.close(journal._file)  # as the kernel does
                raise

    def _end(self) -> None:
        self._stops.signals.append(Ask.SIGTERM)

    def _crash_now(self) -> None:
        self._crash_in = 0

    # -- looking -----------------------------------------------------------------------------

    def _look(self) -> None:
        self._heed_ledger()
        self._executor.begun.clear()
        with closing(SqliteStore.open(self._directory / "queue.db", readonly=True)) as store:
            counts = store.counts()
            still_open = {(one.task_id, one.attempt) for one in store.left_open()}
        began = self.world._began_at  # the world remembers for ever, which is none of the engine's faults
        for key in [key for key in began if key not in still_open]:
            del began[key]
        self.kept.append(counts.total)
        if counts.total + counts.removed != self.added:
            self.violations.append(f"{self.added} were added, {counts.total} + {counts.removed} are there")
        gc.collect()
        self.objects.append(len(gc.get_objects()))

    def _heed_ledger(self) -> None:
        """Never two live attempts of a task, and never a second success."""
        for line in self.world.ledger:
            task_id = line.key.task_id
            if line.deed is Deed.BEGIN:
                if task_id in self._alive:
                    self.violations.append(f"{line.key} began while attempt {self._alive[task_id]} was alive")
                if task_id in self._succeeded:
                    self.violations.append(f"{line.key} began after a success")
                self._alive[task_id] = line.key.attempt
            else:
                self._alive.pop(task_id, None)
                throw = self._throws.pop(line.key, 1.0)
                if line.deed is Deed.END and throw >= FAULTS:
                    self._succeeded.add(task_id)
        self.world.ledger.clear()

    def sizes(self) -> dict[str, int]:
        """How much each container of the engine's parts holds."""
        return dict(_sizes(self._engine, "engine", set()))


def _every(seconds: float, end: float) -> Iterator[float]:
    at = seconds
    while at < end:
        yield at
        at += seconds


def _sizes(part: object, name: str, seen: set[int]) -> Iterator[tuple[str, int]]:
    if id(part) in seen:
        return
    seen.add(id(part))
    slots = [slot for kind in type(part).__mro__ for slot in getattr(kind, "__slots__", ())]
    values = getattr(part, "__dict__", {}) | {slot: getattr(part, slot) for slot in slots if hasattr(part, slot)}
    for key, value in values.items():
        if isinstance(value, dict | list | set | Counter):
            yield f"{name}.{key}", len(value)
        elif type(value).__module__.startswith("overnight.engine") and not isinstance(value, msgspec.Struct):
            yield from _sizes(value, f"{name}.{key}", seen)
