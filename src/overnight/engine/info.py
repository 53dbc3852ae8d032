"""``engine.json``: what the engine says of itself, for people and for `status`.

Information only: whether an engine runs is told by the lock. Written about once a second while
things move and each half minute while they do not; never synced, since it is of no use after a
crash but for its last word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from overnight.core.durations import iso
from overnight.core.gates import Gate, Hold
from overnight.core.rate import Rate
from overnight.core.states import FINAL, TaskState
from overnight.core.stopping import Mode, Stopping
from overnight.core.verdict import Settlement
from overnight.engine.attempts import Running
from overnight.host.clock import Clock
from overnight.host.files import write_atomically
from overnight.store.contract import Counts

#: Seconds between two writes while nothing moves.
QUIET = 30.0


class InfoFile:
    """An observer that keeps ``engine.json``.

    Args:
        path: The file.
        clock: For the heartbeat.
        identity: What does not change: pid, start, boot id, version, bounds of the slots.
    """

    def __init__(self, path: Path, clock: Clock, identity: Mapping[str, object]) -> None:
        self._path = path
        self._clock = clock
        self._identity = dict(identity)
        self._rate = Rate()
        self._finished = False
        self._at = clock.monotonic()
        self._written_at = 0.0
        self._began_at = self._at
        self._is_stopping = False
        self._still = ""
        self._holds: Sequence[Hold] = ()
        self._slots: int | None = None

    def settled(self, running: Running | None, settlement: Settlement) -> None:  # noqa: ARG002 - contract
        if settlement.state in FINAL and not settlement.step:
            self._finished = True
            self._rate.finished(settlement.seconds, completed=settlement.state is TaskState.COMPLETED)

    def stopping(self, stopping: Stopping, still_running: int) -> None:
        self._is_stopping = True
        how = "letting" if stopping.mode is Mode.DRAIN else "ending"
        self._still = f"{how} {still_running} running" if still_running else ""

    def limits(self, holds: Sequence[Hold], slots: int) -> None:
        self._holds, self._slots = holds, slots

    @property
    def _state(self) -> str:
        if self._is_stopping:
            return "stopping"
        return "paused" if any(hold.gate is Gate.DISK for hold in self._holds) else "working"

    def ticked(self, counts: Counts, running: list[Running]) -> None:
        moment = self._clock.monotonic()
        moved, self._finished = self._finished, False
        if moved or counts.running:
            self._rate.passed(moment - self._at)
        self._at = moment
        if not running:
            self._still = ""
        if moved or running or self._state != "working" or moment - self._written_at >= QUIET:
            self._written_at = moment
            self._write(counts, running)

    def _write(self, counts: Counts, running: list[Running]) -> None:
        paused = self._state == "paused"  # then a rate would say what is not to be expected
        words = {
            **self._identity,
            "state": self._state,
            "why": "; ".join(filter(None, [self._still, *(hold.words() for hold in self._holds)])),
            "last_heartbeat": iso(self._clock.now()),
            "uptime_seconds": round(self._at - self._began_at, 3),
            "slots": self._slots,
            "active": len({attempt.slot for attempt in running}),
            "frozen": [
                {"id": one.claimed.id, "attempt": one.claimed.attempt, "since": iso(one.frozen)}
                for one in running
                if one.frozen is not None
            ],
            "gates": [
                {"gate": hold.gate, "available_bytes": hold.available, "needed_bytes": hold.needed}
                for hold in self._holds
            ],
            "rate_per_second": None if paused else round(self._rate.per_second, 3),
            "seconds_left": None if paused else self._rate.seconds_left(counts.unfinished),
        }
        try:
            write_atomically(self._path, msgspec.json.encode(words) + b"\n", durable=False)
        except OSError:
            return  # information only: a full disk is told by other means, and work goes on
