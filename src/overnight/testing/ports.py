"""Everything else that an engine meets: a bell, signals, a disk, a machine, waiting, and somebody who watches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from overnight.core.gates import Gate, Hold, Reading
from overnight.core.stopping import Ask, Stopping
from overnight.core.verdict import Settlement
from overnight.engine.attempts import Running
from overnight.host.waiter import Source
from overnight.store.contract import Counts
from overnight.testing.clock import FakeClock
from overnight.testing.executor import FakeExecutor


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
        ready: list[Source] = []
        if self._bell.words and self._bell in sources:
            ready.append(self._bell)
        if self._stops.signals and self._stops in sources:
            ready.append(self._stops)
        next_at = self._executor.next_at()
        if next_at is not None and next_at <= moment and self._executor in sources:
            ready.append(self._executor)
        return ready

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
