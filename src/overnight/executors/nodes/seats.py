"""Which slot of the engine is which slot of which node.

The engine counts slots from 0; each node counts its own. A slot stays where it is while its node is there and it is
wanted. One that is not wanted any more, or that its node has not any more, goes when it holds nothing; the slots of a
node that is lost find a seat elsewhere where there is room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from heapq import heapify, heappop, heapreplace
from typing import NamedTuple


class Seat(NamedTuple):
    """One slot of a node, as the node counts."""

    node: str
    local: int


class Seats:
    """The seats of one engine."""

    def __init__(self) -> None:
        self._by_slot: dict[int, Seat] = {}
        self._wanted = 0
        #: See `needed`: asked of every node whenever one has changed.
        self._needed: dict[str, int] = {}

    def get(self, slot: int) -> Seat | None:
        """Where a slot is; None while it is nowhere."""
        return self._by_slot.get(slot)

    def take(self, seat: Seat, most: int) -> int | None:
        """A slot below `most` for this seat, that one if it has one; None when all have others."""
        mine = (slot for slot, taken in self._by_slot.items() if taken == seat)
        free = (slot for slot in range(most) if slot not in self._by_slot)
        slot = next(mine, next(free, None))
        if slot is not None:
            self._by_slot[slot] = seat
            self._note(seat)
        return slot

    def nodes(self) -> dict[int, str]:
        """The node of each slot that is somewhere."""
        return {slot: seat.node for slot, seat in self._by_slot.items()}

    def wanted(self) -> dict[int, Seat]:
        """The slots that are to be offered, in order."""
        return {slot: seat for slot, seat in sorted(self._by_slot.items()) if slot < self._wanted}

    def of(self, node: str) -> list[int]:
        """The slots on a node."""
        return [slot for slot, seat in self._by_slot.items() if seat.node == node]

    def arrange(self, wanted: int, room: Mapping[str, int], is_empty: Callable[[int], bool]) -> None:
        """Have slots 0 to `wanted`, as far as there is room, evenly.

        Args:
            wanted: How many.
            room: How many slots each node has, of those that may be used.
            is_empty: Whether a slot holds nothing; only then it leaves its seat.
        """
        self._wanted = wanted
        for slot, seat in list(self._by_slot.items()):
            if is_empty(slot) and (slot >= wanted or seat.local >= room.get(seat.node, 0)):
                del self._by_slot[slot]
        without = (slot for slot in range(wanted) if slot not in self._by_slot)
        # The free seats first: `zip` takes from there and finds none before it takes a slot.
        self._by_slot |= {slot: seat for seat, slot in zip(self._free(room), list(without), strict=False)}
        self._needed.clear()
        for seat in self._by_slot.values():
            self._note(seat)

    def _free(self, room: Mapping[str, int]) -> Iterator[Seat]:
        """The free seats, each on the node of which the smallest share is taken by then."""
        taken: dict[str, set[int]] = {node: set() for node in room}
        for seat in self._by_slot.values():
            taken.setdefault(seat.node, set()).add(seat.local)
        count = {node: len(taken[node]) for node in room}
        shares = [(count[node] / slots, node) for node, slots in room.items() if count[node] < slots]
        left = {node: iter(sorted(set(range(room[node])) - taken[node])) for _, node in shares}
        heapify(shares)
        while shares:
            _, node = shares[0]
            yield Seat(node, next(left[node]))
            count[node] += 1
            if count[node] < room[node]:
                heapreplace(shares, (count[node] / room[node], node))
            else:
                heappop(shares)

    def _note(self, seat: Seat) -> None:
        self._needed[seat.node] = max(self._needed.get(seat.node, 0), seat.local + 1)

    def needed(self, node: str) -> int:
        """How many slots the node must have for those that are seated there."""
        return self._needed.get(node, 0)
