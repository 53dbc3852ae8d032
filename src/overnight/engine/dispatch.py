"""Which slot gets which of the tasks just claimed: always the one with the least work in hand."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence

from overnight.store.contract import Claimed

#: Tasks by slot, in the order in which they should start.
Hands = dict[int, list[Claimed]]


def deal(claimed: Iterable[Claimed], rooms: Mapping[int, float], cost: Callable[[int], float]) -> Hands:
    """Deal tasks to slots, in their order, each to the slot with the most room.

    Args:
        claimed: The tasks, in the order in which they should start.
        rooms: Seconds of work that each slot takes; at least one slot.
        cost: Expected seconds of a task of a lane.
    """
    heap = [(-room, slot) for slot, room in rooms.items()]
    heapq.heapify(heap)
    hands: Hands = {}
    for task in claimed:
        room, slot = heap[0]
        hands.setdefault(slot, []).append(task)
        heapq.heapreplace(heap, (room + cost(task.lane_id), slot))
    return hands


def deal_by_node(
    claimed: Sequence[Claimed], rooms: Mapping[int, float], cost: Callable[[int], float], seats: Mapping[int, str]
) -> Hands:
    """The same where some tasks have their place on a node: these first, each lot to the slots there.

    Args:
        claimed: As for `deal`.
        rooms: As for `deal`; some slot on each node where a task has its place.
        cost: As for `deal`.
        seats: The node of each slot.
    """
    left = dict(rooms)
    hands: Hands = {}
    for node in dict.fromkeys(task.node for task in claimed if task.node):
        lot = [task for task in claimed if task.node == node]
        there = {slot: room for slot, room in left.items() if seats.get(slot) == node}
        for slot, hand in deal(lot, there, cost).items():
            hands[slot] = hand
            left[slot] -= sum(cost(task.lane_id) for task in hand)
    for slot, hand in deal((task for task in claimed if not task.node), left, cost).items():
        hands.setdefault(slot, []).extend(hand)
    return hands
