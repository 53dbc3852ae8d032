"""Keeping what runs beside the engine going."""

from __future__ import annotations

from collections.abc import Sequence

from overnight.core.gates import Hold
from overnight.core.stopping import Stopping
from overnight.core.verdict import Settlement
from overnight.engine.attempts import Running
from overnight.host.beside import Beside
from overnight.store.contract import Counts


class Company:
    """An observer that starts a process beside us, and starts it again when it ends.

    Args:
        beside: The process.
    """

    def __init__(self, beside: Beside) -> None:
        self._beside = beside

    def settled(self, running: Running | None, settlement: Settlement) -> None:
        """The store says it."""

    def stopping(self, stopping: Stopping, still_running: int) -> None:
        """The store says it."""

    def limits(self, holds: Sequence[Hold], slots: int) -> None:
        """``engine.json`` says it."""

    def ticked(self, counts: Counts, running: list[Running]) -> None:  # noqa: ARG002 - contract
        self._beside.tend()
