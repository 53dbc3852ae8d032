"""Attempts that run in virtual time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from overnight.core.endings import AttemptKey, Ended, Ending, Evidence, Froze, Lost
from overnight.core.task import Action
from overnight.executors.contract import Event, Offer, Onward, Over, Spec
from overnight.testing.clock import FakeClock
from overnight.testing.world import FakeWorld, Play


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
        #: What was last offered; None when a slot has come or gone since.
        self._offers: dict[int, Offer] | None = None
        #: When the next attempt ends, monotonic; None when something has changed since.
        self._next_at: float | None = None
        self._wanted = slots
        self._aside: int | None = None
        #: Seconds that frozen attempts still have to run, by slot.
        self._frozen: dict[int, float] = {}
        self._events: list[Event] = []
        #: Every attempt that has begun, in order: the ledger of a test.
        self.begun: list[AttemptKey] = []
        #: Outcomes handed out and not acknowledged yet.
        self.unacknowledged: list[Event] = []
        #: Segments of output and when they were last written, POSIX seconds, as a test lays them down.
        self.outputs: dict[str, float] = {}
        self.closed = False

    def open(self, *, fence: int, left_open: Sequence[AttemptKey]) -> list[Over]:  # noqa: ARG002 - contract
        self._world.kill()
        events = [self._world.testimony(key) for key in left_open]
        self.unacknowledged += events
        return events

    def onward(self) -> list[Onward]:
        return []

    def fileno(self) -> int:
        return -1

    def offers(self) -> list[Offer]:
        if self._offers is None:
            open_to_all = [slot for slot in self._queues if slot not in self._leaving and slot != self._aside]
            self._offers = {slot: self._offer(slot) for slot in open_to_all}
        return list(self._offers.values())

    def _offer(self, slot: int) -> Offer:
        return Offer(slot, len(self._queues[slot]) + (slot in self._current))

    def _offer_anew(self, slot: int) -> None:
        if self._offers is not None and slot in self._offers:
            self._offers[slot] = self._offer(slot)

    def submit(self, slot: int, batch: Sequence[Spec], actions: Mapping[int, Action]) -> None:
        self._queues[slot].extend((spec, actions[spec.action_id]) for spec in batch)
        self._begin(slot)
        self._offer_anew(slot)

    def _begin(self, slot: int) -> None:
        if slot in self._current or not self._queues[slot]:
            return
        spec, action = self._queues[slot].popleft()
        play = self._play(spec, action)
        self.begun.append(spec.key)
        self._world.begin(spec.key)
        self._current[slot] = (spec, action, play, self._clock.monotonic() + play.seconds)
        self._next_at = None

    def recall(self, slot: int | None = None) -> list[AttemptKey]:
        self._offers = None
        slots = self._queues if slot is None else [slot]
        recalled = [spec.key for number in slots for spec, _ in self._queues[number]]
        for number in slots:
            self._queues[number].clear()
        return recalled

    def cancel(self, keys: Sequence[AttemptKey], *, grace: float | None = None) -> None:  # noqa: ARG002 - contract
        for slot, (spec, _, play, _) in list(self._current.items()):
            if spec.key in keys:
                self._end(slot, msgspec.structs.replace(play, ending=Ending.CANCELLED, dies=False))

    def freeze(self, key: AttemptKey, *, frozen: bool) -> None:
        for slot, (spec, action, play, ends_at) in list(self._current.items()):
            if spec.key == key:
                left = self._frozen.pop(slot, None)
                if frozen:
                    self._frozen[slot] = ends_at - self._clock.monotonic() if left is None else left
                elif left is not None:
                    self._current[slot] = (spec, action, play, self._clock.monotonic() + left)
                self._next_at = None
                self._events.append(Froze(*key, frozen))

    def started(self, key: AttemptKey) -> float | None:
        return self._world.began_at(key)

    def events(self) -> list[Event]:
        moment = self._clock.monotonic()
        if self._first_end() <= moment:
            for slot, play in [(slot, one[2]) for slot, one in self._current.items() if one[3] <= moment]:
                if slot not in self._frozen:
                    self._end(slot, play)
        if self._leaving:
            self._let_go()
        events, self._events = self._events, []
        self.unacknowledged += events
        return events

    def _end(self, slot: int, play: Play) -> None:
        self._next_at = None
        spec, _, _, _ = self._current.pop(slot)
        self._frozen.pop(slot, None)
        if play.dies or play.stuck:
            self._world.kill([spec.key])
            evidence = Evidence.STUCK if play.stuck else Evidence.STARTED
            self._events.append(Lost(*spec.key, evidence, worker_died=True, error="worker died"))
            waiting = [other.key for other, _ in self._queues[slot]]
            self._queues[slot].clear()
            self._events += [Lost(*key, Evidence.NEVER_STARTED, worker_died=True) for key in waiting]
            self._offer_anew(slot)
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
        self._offer_anew(slot)

    def next_at(self) -> float | None:
        """Monotonic moment at which the next attempt ends."""
        if self._events:
            return self._clock.monotonic()
        at = self._first_end()
        return at if at < math.inf else None

    def _first_end(self) -> float:
        if self._next_at is None:
            going = [one[3] for slot, one in self._current.items() if slot not in self._frozen]
            self._next_at = min(going, default=math.inf)
        return self._next_at

    def ack(self) -> None:
        self._world.forget(event.key for event in self.unacknowledged)
        self.unacknowledged.clear()

    def old_outputs(self, *, before: float) -> list[str]:
        return [segment for segment, written_at in self.outputs.items() if written_at < before]

    def drop_outputs(self, segments: Collection[str]) -> None:
        for segment in segments:
            del self.outputs[segment]

    def resize(self, slots: int) -> None:
        self._wanted = slots
        self._arrange()

    def set_aside(self, slot: int | None) -> bool:
        self._aside = slot
        self._arrange()
        return slot is not None

    def _arrange(self) -> None:
        wanted = {*range(self._wanted), *([] if self._aside is None else [self._aside])}
        for slot in wanted:
            self._queues.setdefault(slot, deque())
        self._leaving = self._queues.keys() - wanted
        self._let_go()

    def _let_go(self) -> None:
        self._offers = None
        for slot in [slot for slot in self._leaving if slot not in self._current and not self._queues[slot]]:
            self._leaving.discard(slot)
            del self._queues[slot]

    def close(self) -> None:
        self._world.kill(spec.key for spec, *_ in self._current.values())
        self._current.clear()
        self._next_at = None
        self.closed = True
