"""The gates: whether the machine has room for what could begin now.

The disk closes in two ways. Below the threshold nothing is claimed, while what runs goes on and is
recorded. When the store itself has found no room, even recording has to wait: the reserve is given up
for it, and the store is believed again when there is room for the reserve as well.
"""

from __future__ import annotations

from overnight.core import gates
from overnight.core.events import Event, GateClosed, GateOpened, stamp
from overnight.core.gates import Gate, Hold, Reading, Thresholds
from overnight.engine.ports import Room


class Gates:
    """What holds at the moment.

    Args:
        thresholds: When each gate closes.
        room: Whether the store can write.
    """

    def __init__(self, thresholds: Thresholds, room: Room) -> None:
        self._thresholds = thresholds
        self._room = room
        #: The store has found no room.
        self.full = False
        self._disk: Hold | None = None
        self.memory: Hold | None = None
        self._told: dict[Gate, Hold] = {}

    @property
    def closed(self) -> bool:
        """Whether nothing may begin."""
        return self.full or self._disk is not None

    @property
    def holds(self) -> list[Hold]:
        """Those that hold, with the figures of the last look."""
        return list(self._told.values())

    def look(self, reading: Reading, *, now: float) -> list[Event]:
        """Take in what the machine has. Returns what has changed; `now` is POSIX seconds."""
        if self.full and self._room.returned():
            self.full = False
        self._disk = gates.disk(reading, self._thresholds, was=self._disk)
        self.memory = gates.memory(reading, self._thresholds, was=self.memory)
        return self._news(reading, now)

    def ran_out(self, reading: Reading, *, now: float) -> list[Event]:
        """The store has found no room; the reserve makes some. Returns what has changed."""
        self.full = True
        self._room.ran_out()
        return self._news(reading, now)

    def _news(self, reading: Reading, now: float) -> list[Event]:
        before, self._told = self._told, {hold.gate: hold for hold in self._holding(reading)}
        closed = [hold for gate, hold in self._told.items() if gate not in before]
        opened = [hold for gate, hold in before.items() if gate not in self._told]
        if not closed and not opened:
            return []
        at, free = stamp(now), {Gate.DISK: reading.disk_free, Gate.MEMORY: reading.memory_available or 0}
        return [
            *(GateClosed(at=at, gate=it.gate, available_bytes=it.available, needed_bytes=it.needed) for it in closed),
            *(GateOpened(at=at, gate=it.gate, available_bytes=free[it.gate], needed_bytes=it.needed) for it in opened),
        ]

    def _holding(self, reading: Reading) -> list[Hold]:
        disk = self._disk
        if self.full:
            disk = Hold(Gate.DISK, reading.disk_free, max(self._room.needed(), disk.needed if disk else 0))
        return [hold for hold in (disk, self.memory) if hold is not None]
