"""Stand-ins for the world, so that one thread can run a night in seconds.

Each is a whole implementation of its contract and passes the same conformance test as the real
one. Time only passes when somebody waits: `FakeWaiter` moves the clock to whatever happens next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec

from overnight.core.endings import AttemptKey, Ended, Ending, Evidence, Lost
from overnight.core.gates import Gate, Hold, Reading
from overnight.core.states import ErrorClass
from overnight.core.stopping import Ask, Stopping
from overnight.core.task import Action
from overnight.core.verdict import Settlement
from overnight.engine.attempts import Running
from overnight.executors.contract import Event, Offer, Spec
from overnight.host.waiter import Source
from overnight.store.contract import Counts

#: An arbitrary moment: 2027-01-15 08:00 UTC, in POSIX seconds.
START = 1_800_000_000.0


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = START) -> None:
        self._now = now
        self._monotonic = 1000.0

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass. Refuses to go backwards."""
        if seconds < 0:
            raise ValueError(f"time does not go back by {-seconds} s; use step_wall for the wall clock")
        self._now += seconds
        self._monotonic += seconds

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back, as an administrator or NTP does."""
        self._now += seconds


class Play(msgspec.Struct, frozen=True):
    """How one attempt goes: it takes `seconds` and ends like this.

    `dies`: its worker dies with it. `stuck`: its worker dies, and what it ran cannot be ended.
    """

    seconds: float = 0.001
    ending: Ending = Ending.RETURNED
    exit_code: int | None = None
    signal: int | None = None
    error: str = ""
    error_class: ErrorClass | None = None
    retry_at: float | None = None
    result: bytes = b""
    dies: bool = False
    stuck: bool = False


class Deed(StrEnum):
    """What happens to an attempt, whoever looks."""

    BEGIN = "begin"
    END = "end"
    #: It is dead and will never report.
    KILLED = "killed"


class Line(NamedTuple):
    """One line of a ledger: what happened to which attempt, and when (POSIX seconds)."""

    deed: Deed
    key: AttemptKey
    at: float


class FakeWorld:
    """What is true of attempts whichever engine looks, and what of it outlives an engine.

    Give one world to the executors of engines that follow each other, and a crash is to drop one
    engine and start the next: what ran is dead by then, what had ended is told again until it was
    acknowledged, and the rest never began. These are the answers that marks and spool give.

    Args:
        clock: When things happen.
    """

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        #: Everything that really happened, in order. What an engine believes is compared with it.
        self.ledger: list[Line] = []
        self._began_at: dict[AttemptKey, float] = {}
        self._alive: set[AttemptKey] = set()
        self._kept: dict[AttemptKey, Ended] = {}

    def begin(self, key: AttemptKey) -> None:
        """An attempt begins."""
        self._began_at[key] = self._write(Deed.BEGIN, key)
        self._alive.add(key)

    def end(self, outcome: Ended) -> None:
        """An attempt has ended; how is kept until it is forgotten."""
        self._write(Deed.END, outcome.key)
        self._alive.discard(outcome.key)
        self._kept[outcome.key] = outcome

    def kill(self, keys: Iterable[AttemptKey] | None = None) -> None:
        """Attempts (None: whatever is alive) die without a word."""
        for key in sorted(self._alive if keys is None else self._alive.intersection(keys)):
            self._write(Deed.KILLED, key)
            self._alive.discard(key)

    def began_at(self, key: AttemptKey) -> float | None:
        """When an attempt began, POSIX seconds; None when it has not."""
        return self._began_at.get(key)

    def testimony(self, key: AttemptKey) -> Event:
        """What can be known of an attempt that an engine left open."""
        return self._kept.get(key) or Lost(*key, Evidence.STARTED if key in self._began_at else Evidence.NEVER_STARTED)

    def forget(self, keys: Iterable[AttemptKey]) -> None:
        """These outcomes are in the store."""
        for key in keys:
            self._kept.pop(key, None)

    def _write(self, deed: Deed, key: AttemptKey) -> float:
        now = self._clock.now()
        self.ledger.append(Line(deed, key, now))
        return now


class FakeExecutor:
    """Runs attempts in virtual time, one at a time in each slot, as `play` says.

    Args:
        clock: Shared with the engine and the waiter.
        slots: How many.
        play: Called when an attempt begins.
        world: What outlives this executor; one of its own when none is given.
    """

    def __init__(
        self,
        clock: FakeClock,
        *,
        slots: int,
        play: Callable[[Spec, Action], Play] | None = None,
        world: FakeWorld | None = None,
    ) -> None:
        self._clock = clock
        self._world = world or FakeWorld(clock)
        self._play = play or (lambda _spec, _action: Play())
        self._queues: dict[int, deque[tuple[Spec, Action]]] = {slot: deque() for slot in range(slots)}
        self._current: dict[int, tuple[Spec, Action, Play, float]] = {}
        self._leaving: set[int] = set()
        self._events: list[Event] = []
        #: Every attempt that has begun, in order: the ledger of a test.
        self.begun: list[AttemptKey] = []
        #: Outcomes handed out and not acknowledged yet.
        self.unacknowledged: list[Event] = []
        #: Segments of output and when they were last written, POSIX seconds, as a test lays them down.
        self.outputs: dict[str, float] = {}
        self.closed = False

    def open(self, *, fence: int, left_open: Sequence[AttemptKey]) -> list[Event]:  # noqa: ARG002 - contract
        self._world.kill()
        events = [self._world.testimony(key) for key in left_open]
        self.unacknowledged += events
        return events

    def fileno(self) -> int:
        return -1

    def offers(self) -> list[Offer]:
        return [
            Offer(slot, len(queue) + (slot in self._current))
            for slot, queue in self._queues.items()
            if slot not in self._leaving
        ]

    def submit(self, slot: int, batch: Sequence[Spec], actions: Mapping[int, Action]) -> None:
        self._queues[slot].extend((spec, actions[spec.action_id]) for spec in batch)
        self._begin(slot)

    def _begin(self, slot: int) -> None:
        if slot in self._current or not self._queues[slot]:
            return
        spec, action = self._queues[slot].popleft()
        play = self._play(spec, action)
        self.begun.append(spec.key)
        self._world.begin(spec.key)
        self._current[slot] = (spec, action, play, self._clock.monotonic() + play.seconds)

    def recall(self, slot: int | None = None) -> list[AttemptKey]:
        slots = self._queues if slot is None else [slot]
        recalled = [spec.key for number in slots for spec, _ in self._queues[number]]
        for number in slots:
            self._queues[number].clear()
        return recalled

    def cancel(self, keys: Sequence[AttemptKey], *, grace: float | None = None) -> None:  # noqa: ARG002 - contract
        for slot, (spec, _, play, _) in list(self._current.items()):
            if spec.key in keys:
                self._end(slot, msgspec.structs.replace(play, ending=Ending.CANCELLED, dies=False))

    def started(self, key: AttemptKey) -> float | None:
        return self._world.began_at(key)

    def events(self) -> list[Event]:
        for slot, (_, _, play, ends_at) in list(self._current.items()):
            if ends_at <= self._clock.monotonic():
                self._end(slot, play)
        self._let_go()
        events, self._events = self._events, []
        self.unacknowledged += events
        return events

    def _end(self, slot: int, play: Play) -> None:
        spec, _, _, _ = self._current.pop(slot)
        if play.dies or play.stuck:
            self._world.kill([spec.key])
            evidence = Evidence.STUCK if play.stuck else Evidence.STARTED
            self._events.append(Lost(*spec.key, evidence, worker_died=True, error="worker died"))
            waiting = [other.key for other, _ in self._queues[slot]]
            self._queues[slot].clear()
            self._events += [Lost(*key, Evidence.NEVER_STARTED, worker_died=True) for key in waiting]
            return
        ended = Ended(
            *spec.key,
            ending=play.ending,
            started_at=self._world.began_at(spec.key) or 0.0,
            seconds=play.seconds,
            exit_code=play.exit_code,
            signal=play.signal,
            error=play.error,
            error_class=play.error_class,
            retry_at=play.retry_at,
            result=play.result,
        )
        self._world.end(ended)
        self._events.append(ended)
        self._begin(slot)

    def next_at(self) -> float | None:
        """Monotonic moment at which the next attempt ends."""
        if self._events:
            return self._clock.monotonic()
        return min((ends_at for *_, ends_at in self._current.values()), default=None)

    def ack(self) -> None:
        self._world.forget(event.key for event in self.unacknowledged)
        self.unacknowledged.clear()

    def old_outputs(self, *, before: float) -> list[str]:
        return [segment for segment, written_at in self.outputs.items() if written_at < before]

    def drop_outputs(self, segments: Collection[str]) -> None:
        for segment in segments:
            del self.outputs[segment]

    def resize(self, slots: int) -> None:
        for slot in range(slots):
            self._queues.setdefault(slot, deque())
        self._leaving = {slot for slot in self._queues if slot >= slots}
        self._let_go()

    def _let_go(self) -> None:
        for slot in [slot for slot in self._leaving if slot not in self._current and not self._queues[slot]]:
            self._leaving.discard(slot)
            del self._queues[slot]

    def close(self) -> None:
        self._world.kill(spec.key for spec, *_ in self._current.values())
        self._current.clear()
        self.closed = True


class FakeBell:
    """A bell that a test rings."""

    def __init__(self) -> None:
        self.words: set[bytes] = set()

    def fileno(self) -> int:
        return -1

    def ring(self, word: bytes = b"r") -> None:
        """Ring it."""
        self.words.add(word)

    def drain(self) -> set[bytes]:
        words, self.words = self.words, set()
        return words


class FakeStops:
    """Asks to stop, as a test makes them."""

    def __init__(self) -> None:
        self.signals: list[Ask] = []
        self.file = False

    def fileno(self) -> int:
        return -1

    def take(self) -> list[Ask]:
        asks, self.signals = self.signals, []
        return asks

    def look(self) -> list[Ask]:
        return [Ask.STOP] if self.file else []

    def obeyed(self) -> None:
        self.file = False


class FakeRoom:
    """A disk whose room a test decides."""

    def __init__(self) -> None:
        self.free = True
        self.ran_out_count = 0

    def ran_out(self) -> None:
        self.ran_out_count += 1

    def returned(self) -> bool:
        return self.free

    def needed(self) -> int:
        return 16_000_000


class FakeMachine:
    """A machine with four CPUs and plenty of everything, until a test sets another `reading`."""

    def __init__(self) -> None:
        self.reading = Reading(
            disk_free=100_000_000_000,
            memory_available=20_000_000_000,
            memory_total=32_000_000_000,
            cpus=4,
            load=0.0,
            cpu_pressure=0.0,
            memory_pressure=0.0,
            disk_pressure=0.0,
        )

    def look(self) -> Reading:
        return self.reading

    def change(self, **figures: float) -> None:
        """Some figures are others now."""
        self.reading = msgspec.structs.replace(self.reading, **figures)


class FakeWaiter:
    """Waits by moving the clock to whatever happens next, and lets a test act in between.

    Args:
        clock: The clock to move.
        executor: Whose next ending is one of the things that happen.
        bell: Readable when it was rung.
        stops: Readable when a signal came.
        script: ``(monotonic seconds since the start, what to do)``, in order of time.
    """

    def __init__(
        self,
        clock: FakeClock,
        executor: FakeExecutor,
        bell: FakeBell,
        stops: FakeStops,
        script: Sequence[tuple[float, Callable[[], None]]] = (),
    ) -> None:
        self._clock = clock
        self._executor = executor
        self._bell = bell
        self._stops = stops
        self._script = deque((clock.monotonic() + at, act) for at, act in script)

    def wait(self, sources: Sequence[Source], seconds: float) -> list[Source]:
        if not (ready := self._ready(sources)):
            self._pass(sources, seconds)
            ready = self._ready(sources)
        return ready

    def _ready(self, sources: Sequence[Source]) -> list[Source]:
        moment = self._clock.monotonic()
        while self._script and self._script[0][0] <= moment:
            self._script.popleft()[1]()
        next_at = self._executor.next_at()
        states: list[tuple[Source, bool]] = [
            (self._bell, bool(self._bell.words)),
            (self._stops, bool(self._stops.signals)),
            (self._executor, next_at is not None and next_at <= moment),
        ]
        return [source for source, is_ready in states if is_ready and source in sources]

    def _pass(self, sources: Sequence[Source], seconds: float) -> None:
        moment = self._clock.monotonic()
        nexts = [moment + seconds]
        if self._script:
            nexts.append(self._script[0][0])
        if self._executor in sources and (next_at := self._executor.next_at()) is not None:
            nexts.append(next_at)
        self._clock.advance(max(0.0, min(nexts) - moment))


class Recorder:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.settlements: list[Settlement] = []
        self.stops: list[Stopping] = []
        #: The gates that held and the number of slots, at each change of one of them.
        self.limits_told: list[tuple[tuple[Gate, ...], int]] = []

    def settled(self, running: Running | None, settlement: Settlement) -> None:  # noqa: ARG002 - contract
        self.settlements.append(settlement)

    def stopping(self, stopping: Stopping, still_running: int) -> None:  # noqa: ARG002 - contract
        self.stops.append(stopping)

    def limits(self, holds: Sequence[Hold], slots: int) -> None:
        told = (tuple(hold.gate for hold in holds), slots)
        if not self.limits_told or self.limits_told[-1] != told:
            self.limits_told.append(told)

    def ticked(self, counts: Counts, running: list[Running]) -> None:
        """Nothing to remember."""
