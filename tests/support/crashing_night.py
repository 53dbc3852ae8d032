"""A night in virtual time whose engine is killed at chosen moments, and the checker that judges it.

The checker believes the world's ledger (what really began, ended and died) and compares the books
with it, never the books with themselves alone.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from overnight.core.endings import AttemptKey, Ended, Ending
from overnight.core.slots import fixed
from overnight.core.states import Outcome, Reason, TaskState
from overnight.core.task import Action, ActionKind, Attempt, NewTask, Task
from overnight.engine.conditions import Limits
from overnight.engine.goal import QueueEmpty
from overnight.engine.journal import Journal
from overnight.engine.loop import Engine
from overnight.executors.contract import Event, Spec
from overnight.monitor.books import audit
from overnight.store.contract import Queue, Selector, Verb
from overnight.store.sqlite import SqliteStore
from overnight.testing import (
    START,
    Deed,
    FakeBell,
    FakeClock,
    FakeExecutor,
    FakeMachine,
    FakeRoom,
    FakeStops,
    FakeWaiter,
    FakeWorld,
    Line,
    Play,
    Recorder,
)

#: Virtual seconds after which a night is stuck.
TOO_LONG = 2000.0
#: Crashes after which no engine gets anywhere.
TOO_MANY = 50
SLOTS = 3
#: Virtual seconds after a restart at which the results of killed attempts come back all the same.
GHOSTLY = 0.0005


class CrashError(Exception):
    """The engine dies here."""


class StuckError(Exception):
    """The night does not end."""


class Points:
    """Every moment at which a process may be killed passes here; at the chosen ones it is.

    A dead process does nothing: until `next_life`, whatever it still tries fails in the same way.

    Args:
        at: Numbers of moments, counted from 1 over all lives.
    """

    def __init__(self, *at: int) -> None:
        self._at = frozenset(at)
        self._dead = False
        self.names: list[str] = []

    def __call__(self, operation: str, moment: str) -> None:
        if not self._dead:
            self.names.append(f"{operation} {moment}")
            self._dead = len(self.names) in self._at
        if self._dead:
            raise CrashError(f"{len(self.names)}: {self.names[-1]}")

    def next_life(self) -> None:
        """Another process goes on."""
        self._dead = False


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
}
#: What a task may have become, and why.
OUTCOMES: Mapping[str, frozenset[tuple[TaskState, Reason | None]]] = defaultdict(
    lambda: frozenset({(TaskState.COMPLETED, None)}),
    bad=frozenset({(TaskState.FAILED, Reason.ERROR)}),
    fatal=frozenset({(TaskState.FAILED, Reason.ERROR)}),
    once=frozenset({(TaskState.COMPLETED, None), (TaskState.HELD, Reason.INTERRUPTED)}),
    poison=frozenset({(TaskState.HELD, Reason.POISON)}),
    victim=frozenset({(TaskState.CANCELLED, None)}),
    wavering=frozenset({(TaskState.CANCELLED, None)}),
)
#: How many of each a full night has.
FULL: Mapping[str, int] = {
    "quick": 8, "plain": 8, "long": 2, "flaky": 5, "bad": 3, "fatal": 1, "later": 2, "due": 2, "once": 4,
    "poison": 1, "victim": 1, "wavering": 2, "narrow": 1,
}  # fmt: skip
SMALL: Mapping[str, int] = {
    "quick": 3, "plain": 2, "flaky": 1, "bad": 1, "later": 1, "once": 2, "poison": 1, "wavering": 1,
}  # fmt: skip


def kind_of(task_input: bytes) -> str:
    """What a task is: the first word of its input."""
    return task_input.split(b" ")[0].decode()


def new_task(kind: str, number: int) -> NewTask:
    """One task of this kind."""
    action = Action(
        kind=ActionKind.CALL, cwd=b"/", call="m:f", retries=2 if kind == "bad" else 3, at_most_once=kind == "once"
    )
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
        self, points: Points, clock: FakeClock, world: FakeWorld, play: Callable[[Spec, Action], Play]
    ) -> None:
        super().__init__(clock, slots=SLOTS, play=play, world=world)
        self._points = points
        self._ghosts: list[Event] = []
        self._haunted_at = 0.0

    def open(self, *, fence: int, left_open: Sequence[AttemptKey]) -> list[Event]:
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


class Night:
    """A store, a world, and engines that follow each other until the queue is empty.

    Args:
        directory: Where the files go.
        points: Where the engines are killed.
    """

    def __init__(self, directory: Path, points: Points) -> None:
        self.directory = directory
        self.points = points
        self.clock = FakeClock()
        self.world = FakeWorld(self.clock)
        #: Ids by input, of every add that was acknowledged.
        self.acknowledged: dict[bytes, int] = {}
        self.crashes = 0
        self._started = self.clock.monotonic()
        self._cancelled = False
        self._bell = FakeBell()

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

    def add(self, kinds: Mapping[str, int]) -> None:
        """Add so many of each kind."""
        tasks = [new_task(kind, number) for kind, count in kinds.items() for number in range(count)]
        with self.opened() as store:
            store.set_queue(Queue("narrow", slots=1), now=self.clock.now(), by="test")
            ids = store.add(tasks, now=self.clock.now()).ids
        self.acknowledged |= {task.input: task_id for task, task_id in zip(tasks, ids, strict=True)}

    def work(self) -> None:
        """Let engines follow each other until the queue is empty."""
        while self.crashes < TOO_MANY:
            self.points.next_life()
            try:
                with self.opened(killable=True) as store:
                    self._engine_life(store)
            except CrashError:
                self.crashes += 1
            else:
                return
        raise StuckError("one crash after the other")

    def _engine_life(self, store: SqliteStore) -> None:
        executor = TellingExecutor(self.points, self.clock, self.world, self._play)
        stops = FakeStops()
        journal = Journal(self.journal, store)
        engine = Engine(
            store=store,
            executor=executor,
            clock=self.clock,
            waiter=FakeWaiter(self.clock, executor, self._bell, stops, self._script()),
            bell=self._bell,
            stops=stops,
            journal=journal,
            room=FakeRoom(),
            machine=FakeMachine(),
            limits=Limits(fixed(SLOTS)),
            goal=QueueEmpty(),
            observer=Recorder(),
        )
        try:
            engine.run()
        except BaseException:
            with suppress(OSError):
                os.close(journal._file)  # as the kernel does, unless it was closed already
            raise

    def _script(self) -> list[tuple[float, Callable[[], None]]]:
        gone = self.clock.monotonic() - self._started
        script: list[tuple[float, Callable[[], None]]] = [(TOO_LONG - gone, self._give_up)]
        if not self._cancelled:
            script.insert(0, (max(0.0, CANCEL_AT - gone), self._cancel))
        return script

    def _give_up(self) -> None:
        raise StuckError(f"not over after {TOO_LONG} virtual seconds")

    def _cancel(self) -> None:
        ids = tuple(task_id for task, task_id in self.acknowledged.items() if kind_of(task) in CANCELLED)
        with self.opened() as person:
            person.act(Verb.CANCEL, Selector(ids=ids), now=self.clock.now(), by="person")
        self._cancelled = True
        self._bell.ring()

    def _play(self, spec: Spec, _action: Action) -> Play:
        return planned(self.world, spec.input, spec.task_id)


def planned(world: FakeWorld, task_input: bytes, task_id: int) -> Play:
    """How the next try of a task goes: it counts only those that came to an end."""
    plan = PLANS[kind_of(task_input)]
    ended = sum(line.deed is Deed.END and line.key.task_id == task_id for line in world.ledger)
    return plan[min(ended, len(plan) - 1)]


# -- the checker ----------------------------------------------------------------------------------


def violations(night: Night) -> list[str]:
    """Everything in which the books and the ledger of a finished night are at odds; [] when all is well."""
    with night.opened() as store:
        found = [str(finding) for finding in audit(store, night.journal)]
        tasks = {task_id: store.get(task_id) for task_id in store.states(night.acknowledged.values())}
        if store.counts().total != len(night.acknowledged):
            found.append(f"{store.counts().total} tasks, {len(night.acknowledged)} were added")
        books = {task_id: store.attempts(task_id) for task_id in tasks}
    lines: dict[int, list[Line]] = defaultdict(list)
    for line in night.world.ledger:
        lines[line.key.task_id].append(line)
    for name, task_id in night.acknowledged.items():
        if task_id not in tasks:
            found.append(f"{name!r} is lost")
            continue
        found += [f"{name!r}: {words}" for words in _of_task(tasks[task_id], books[task_id], lines[task_id])]
    return found + _of_journal(night.journal, books)


def _of_task(task: Task, attempts: Sequence[Attempt], lines: Sequence[Line]) -> Iterator[str]:
    kind = kind_of(task.input)
    if (task.state, task.reason) not in OUTCOMES[kind]:
        yield f"became {task.state}, {task.reason}"
    if [attempt.number for attempt in attempts] != list(range(1, task.attempt + 1)):
        yield f"has attempts {[attempt.number for attempt in attempts]}, and should have {task.attempt}"
    yield from of_ledger(lines, {attempt.number: attempt for attempt in attempts})
    begun = [line for line in lines if line.deed is Deed.BEGIN]
    if kind == "once" and len(begun) > 1:
        yield f"began {len(begun)} times"
    finals = [attempt for attempt in attempts if attempt.outcome is Outcome.COMPLETED]
    if len(finals) != (task.state is TaskState.COMPLETED):
        yield f"is {task.state} and was completed {len(finals)} times"
    failed = _failures(kind, lines)
    if kind in CANCELLED:
        failed = sum(attempt.outcome is Outcome.FAILED for attempt in attempts)
    if failed != task.failures:
        yield f"failed {failed} times, and {task.failures} are counted"
    if task.deaths != (3 if kind == "poison" else 0):
        yield f"{task.deaths} deaths are counted"


def _failures(kind: str, lines: Sequence[Line]) -> int:
    ended = sum(line.deed is Deed.END for line in lines)
    plan = PLANS[kind]
    plays = [plan[min(number, len(plan) - 1)] for number in range(ended)]
    return sum(play.ending in (Ending.RAISED, Ending.EXITED) and play.exit_code != 0 for play in plays)


#: What the books may say of an attempt that never began, and of one that died without a word.
_NEVER_BEGAN = frozenset({Outcome.RECALLED, Outcome.CANCELLED})
_DIED = frozenset({Outcome.LOST, Outcome.CANCELLED})


def of_ledger(lines: Sequence[Line], attempts: Mapping[int, Attempt]) -> Iterator[str]:
    """Compare what happened to the attempts of one task with what is on record of them."""
    alive: AttemptKey | None = None
    deeds: dict[int, list[Deed]] = defaultdict(list)
    for line in lines:
        number = line.key.attempt
        deeds[number].append(line.deed)
        if line.deed is Deed.BEGIN:
            if alive:
                yield f"attempt {number} began while {alive.attempt} was alive"
            alive = line.key
        else:
            alive = None
        record = attempts.get(number)
        if record is None:
            yield f"attempt {number} is not on record"
        elif line.deed is Deed.END and record.finished_at < line.at - 1e-6:
            yield f"attempt {number} was settled before it ended"
    for number, attempt in attempts.items():
        yield from _of_attempt(number, deeds[number], attempt.outcome)


def _of_attempt(number: int, deeds: Sequence[Deed], outcome: Outcome) -> Iterator[str]:
    allowed: Collection[Outcome]
    if not deeds:
        allowed = _NEVER_BEGAN
    elif deeds == [Deed.BEGIN, Deed.KILLED]:
        allowed = _DIED
    elif deeds == [Deed.BEGIN, Deed.END]:
        allowed = frozenset(Outcome) - {Outcome.LOST, Outcome.RECALLED}
    else:
        allowed = ()
    if outcome not in allowed:
        yield f"attempt {number} is {outcome} on record; it really was {', '.join(deeds) or 'never begun'}"


def _of_journal(journal: Path, books: Mapping[int, Sequence[Attempt]]) -> list[str]:
    """Each attempt has one start and one end in the journal."""
    started: Counter[tuple[int, int]] = Counter()
    ended: Counter[tuple[int, int]] = Counter()
    for line in journal.read_bytes().splitlines():
        event = json.loads(line)
        if event["event"] == "late_result_refused" or "attempt" not in event:
            continue
        (started if event["event"] == "file_started" else ended)[event["id"], event["attempt"]] += 1
    expected = Counter((task_id, attempt.number) for task_id, attempts in books.items() for attempt in attempts)
    return [
        f"the journal has other {what} than the store: {sorted((found - expected) + (expected - found))}"
        for what, found in (("starts", started), ("ends", ended))
        if found != expected
    ]
