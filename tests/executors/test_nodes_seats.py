"""Where the slots of an engine are: evenly, and where they were for as long as they hold something."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from overnight.executors.nodes.seats import Seat, Seats

Rooms = st.dictionaries(st.sampled_from("abcde"), st.integers(1, 5), max_size=5)


def plainly(seats: Mapping[int, Seat], wanted: int, room: Mapping[str, int], held: Collection[int]) -> dict[int, Seat]:
    """The same, as it is said: one slot after the other, each on the node of which the smallest share is taken."""
    by_slot = {
        slot: seat
        for slot, seat in seats.items()
        if slot in held or (slot < wanted and seat.local < room.get(seat.node, 0))
    }
    for slot in (slot for slot in range(wanted) if slot not in by_slot):
        taken = {node: {seat.local for seat in by_slot.values() if seat.node == node} for node in room}
        shares = [(len(taken[node]) / slots, node) for node, slots in room.items() if len(taken[node]) < slots]
        if shares:
            _, node = min(shares)
            by_slot[slot] = Seat(node, min(set(range(room[node])) - taken[node]))
    return by_slot


@given(st.lists(st.tuples(st.integers(0, 12), Rooms, st.sets(st.integers(0, 12))), max_size=6))
def test_each_slot_is_where_the_smallest_share_is_taken(turns: list[tuple[int, dict[str, int], set[int]]]) -> None:
    """Whatever was there before, and whichever slots hold something and stay where they are."""
    seats, expected = Seats(), dict[int, Seat]()
    for wanted, room, held in turns:
        expected = plainly(expected, wanted, room, held)
        seats.arrange(wanted, room, lambda slot, held=held: slot not in held)  # type: ignore[misc]
        assert {slot: seat for slot in range(13) if (seat := seats.get(slot)) is not None} == expected
        for node in "abcde":
            assert seats.needed(node) == max(
                (seat.local + 1 for seat in expected.values() if seat.node == node), default=0
            )


def test_a_seat_that_is_taken_over_is_needed() -> None:
    seats = Seats()
    assert seats.take(Seat("a", 3), 2) == 0
    assert seats.needed("a") == 4


class Counting(dict[str, int]):
    """Counts how often it is gone through."""

    times = 0

    def items(self) -> Any:
        self.times += 1
        return super().items()

    def __iter__(self) -> Any:
        self.times += 1
        return super().__iter__()


def test_all_nodes_are_gone_through_a_few_times_and_not_for_each_slot() -> None:
    room = Counting({f"{number:04d}": 4 for number in range(500)})
    seats = Seats()
    seats.arrange(2000, room, lambda _: True)
    assert len(seats.wanted()) == 2000
    assert room.times < 10
