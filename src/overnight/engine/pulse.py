"""The pulse: what an engine tells its supervisor, once for each tick of its loop.

Only the loop itself speaks, after it has looked at everything: a thread that did would keep a dead
engine alive. When the supervisor has gone, the words are lost and the work goes on.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from overnight.core.gates import Hold
from overnight.core.stopping import Stopping
from overnight.core.supervision import Pulse, Ready
from overnight.core.verdict import Settlement
from overnight.engine.attempts import Running
from overnight.host.channel import Channel
from overnight.store.contract import Counts


class Pulses:
    """An observer that lets the supervisor know that the engine is up, and that it lives.

    Args:
        channel: To the supervisor.
        pid: Of this engine.
    """

    def __init__(self, channel: Channel, pid: int) -> None:
        self._channel = channel
        self._pid = pid
        self._is_up = self._proven = False

    def settled(self, running: Running | None, settlement: Settlement) -> None:  # noqa: ARG002 - contract
        self._proven = self._proven or running is not None

    def stopping(self, stopping: Stopping, still_running: int) -> None:
        """The supervisor need not know."""

    def limits(self, holds: Sequence[Hold], slots: int) -> None:
        """The supervisor need not know."""

    def ticked(self, counts: Counts, running: list[Running]) -> None:
        if not self._is_up:
            self._is_up = True
            self._channel.send(msgspec.json.encode(Ready(self._pid)))
        self._proven = self._proven or not (counts.pending or running)
        self._channel.send(msgspec.json.encode(Pulse(self._proven)))
