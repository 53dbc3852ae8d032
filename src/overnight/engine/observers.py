"""Several observers as one."""

from __future__ import annotations

from collections.abc import Sequence

from overnight.core.gates import Hold
from overnight.core.stopping import Stopping
from overnight.core.verdict import Settlement
from overnight.engine.attempts import Running
from overnight.engine.ports import Observer
from overnight.store.contract import Counts


class Observers:
    """Tells each of them, in order."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers

    def settled(self, running: Running | None, settlement: Settlement) -> None:
        for observer in self._observers:
            observer.settled(running, settlement)

    def stopping(self, stopping: Stopping, still_running: int) -> None:
        for observer in self._observers:
            observer.stopping(stopping, still_running)

    def limits(self, holds: Sequence[Hold], slots: int) -> None:
        for observer in self._observers:
            observer.limits(holds, slots)

    def ticked(self, counts: Counts, running: list[Running]) -> None:
        for observer in self._observers:
            observer.ticked(counts, running)
