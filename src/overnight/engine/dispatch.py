"""Which slot gets which of the tasks just claimed: always the one with the least work in hand."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping

from overnight.store.contract import Claimed


def deal(
    claimed: Iterable[Claimed], rooms: Mapping[int, float], cost: Callable[[int], float]
) -> dict[int, list[Claimed]]:
    """Deal tasks to slots, in their order, each to the slot with the most room.

    Args:
        claimed: The tasks, in the order in which they should start.
        rooms: Seconds of work that each slot takes; at least one slot.
        cost: Expected seconds of a task of a lane.
    """
    heap = [(-room, slot) for slot, room in rooms.items()]
    heapq.heapify(heap)
    hands: dict[int, list[Claimed]] = {}
    for task in claimed:
        room, slot = heap[0]
        hands.setdefault(slot, []).append(task)
        heapq.heapreplace(heap, (room + cost(task.lane_id), slot))
    return hands
