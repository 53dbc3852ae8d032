"""What the machine lets the engine do now: the gates that hold, and how many slots there are.

Looked at about once a second while there is work. Every change is an event with its numbers, and whoever
watches the engine is told.
"""

from __future__ import annotations

import msgspec

from overnight.core.events import SlotsChanged, stamp
from overnight.core.gates import Hold, Reading, Thresholds
from overnight.core.slots import Bounds, Step, step
from overnight.core.storms import Policy
from overnight.engine.agenda import Agenda
from overnight.engine.gates import Gates
from overnight.engine.ports import Machine, Observer, Room
from overnight.executors.contract import Executor
from overnight.host.clock import Clock

#: Seconds between two looks at the machine while there is nothing to do.
IDLE = 30.0


class Limits(msgspec.Struct, frozen=True):
    """What a person has set about how much runs, how much is kept, and when failures stop what fails."""

    #: The executor is opened with `bounds.usual` slots.
    bounds: Bounds
    thresholds: Thresholds = Thresholds()
    #: Seconds for which a finished task is kept; None for ever.
    keep_finished: float | None = None
    brake: Policy = Policy()


class Conditions:
    """Gates and slots of one engine.

    Args:
        limits: What a person has set.
        machine: What there is.
        room: Whether the store can write.
        executor: Whose slots come and go.
        agenda: Where events are laid down.
        clock: Wall clock for events, monotonic for pauses between steps.
        observer: Told of every change.
    """

    def __init__(
        self,
        limits: Limits,
        machine: Machine,
        room: Room,
        executor: Executor,
        agenda: Agenda,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._bounds = limits.bounds
        self._machine = machine
        self._executor = executor
        self._agenda = agenda
        self._clock = clock
        self._observer = observer
        self._gates = Gates(limits.thresholds, room)
        self._stepped_at = clock.monotonic()
        self._look_at = 0.0
        self._told: tuple[list[Hold], int] | None = None
        self.slots = limits.bounds.usual

    @property
    def closed(self) -> bool:
        """Whether nothing may begin."""
        return self._gates.closed

    @property
    def full(self) -> bool:
        """Whether the store has found no room."""
        return self._gates.full

    def ran_out(self) -> None:
        """The store has found no room."""
        self._agenda.note(*self._gates.ran_out(self._machine.look(), now=self._clock.now()))
        self._tell()

    def look(self, *, idle: bool, wanted: bool) -> None:
        """Look at the machine, and act on it.

        Args:
            idle: There is nothing to do, so it need not be now.
            wanted: Every slot is busy and there is more to do.
        """
        moment = self._clock.monotonic()
        if idle and not self._gates.holds and moment < self._look_at:
            return
        self._look_at = moment + IDLE
        reading = self._machine.look()
        self._agenda.note(*self._gates.look(reading, now=self._clock.now()))
        self._move(reading, wanted=wanted and not self.closed, moment=moment)
        self._tell()

    def _move(self, reading: Reading, *, wanted: bool, moment: float) -> None:
        made = step(
            self.slots,
            self._bounds,
            reading,
            short_of_memory=self._gates.memory,
            wanted=wanted,
            since=moment - self._stepped_at,
        )
        if made is not None:
            self._stepped_at = moment
            self._resize(made)

    def _resize(self, made: Step) -> None:
        try:
            self._executor.resize(made.slots)
        except OSError:  # no process or no room for one more now; it is asked for again after the pause
            return
        self._agenda.note(SlotsChanged(at=stamp(self._clock.now()), was=self.slots, slots=made.slots, why=made.why))
        self.slots = made.slots

    def _tell(self) -> None:
        now = (self._gates.holds, self.slots)
        if now != self._told:
            self._told = now
            self._observer.limits(*now)
