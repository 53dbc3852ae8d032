"""Queues that a server does not want to hear of before a certain time.

A task that was told so is tried again then; here its queue is held until then, too, for the next task
would be told the same. The hold is a pause with an end, on record like one of a person, so it outlives
the engine and ends by itself. A pause that is longer, or without an end, is left as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from overnight.core.lanes import is_own
from overnight.core.states import ErrorClass, Outcome
from overnight.core.verdict import Settlement
from overnight.engine.attempts import Running
from overnight.engine.orders import OrderBook
from overnight.host.clock import Clock
from overnight.store.contract import Queue, Store

#: Who pauses, in the event of it.
BY = "rate limit"


class Quotas:
    """Holds queues.

    Args:
        store: Where a queue is paused.
        orders: Which queue a task is of; read anew when one was paused.
        clock: Wall clock for what is on record.
    """

    def __init__(self, store: Store, orders: OrderBook, clock: Clock) -> None:
        self._store = store
        self._orders = orders
        self._clock = clock

    def heed(self, settled: Sequence[tuple[Running | None, Settlement]]) -> bool:
        """Hold the queues of tasks that were told to come later; whether any was held.

        Raises:
            DiskFullError: It could not be written; the next task that is told so asks again.
        """
        told = [one for one in settled if one[1].error_class is ErrorClass.RATE_LIMITED]
        if not told:  # nearly always, and this is the hot path
            return False
        wanted: dict[str, float] = {}
        for running, settlement in told:
            if running is None or is_own(self._orders.names(running.claimed.lane_id)[0]):
                continue
            if settlement.outcome is Outcome.POSTPONED and settlement.not_before is not None:
                queue, _ = self._orders.names(running.claimed.lane_id)
                wanted[queue] = max(wanted.get(queue, 0.0), settlement.not_before)
        held = [self._hold(queue, until) for queue, until in wanted.items() if until > self._clock.now()]
        if any(held):
            self._orders.read(self._clock.monotonic())
        return bool(held)

    def _hold(self, name: str, until: float) -> bool:
        """Whether the queue had to be paused for it."""
        queue = next((one for one in self._store.queues() if one.name == name), Queue(name))
        if queue.paused and (queue.paused_until is None or queue.paused_until >= until):
            return False
        held = msgspec.structs.replace(queue, paused=True, paused_until=until)
        self._store.set_queue(held, now=self._clock.now(), by=BY)
        return True
