"""Attempts in lanes and bins."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from overnight.core.spells import MOST_LANES, RUNNING, Lane, lanes


class Ran(NamedTuple):
    """An attempt."""

    task_id: int
    began: float
    ended: float
    outcome: str = "completed"
    slot: int = 0


def drawn(*spells: Ran, since: float = 0.0, until: float = 10.0, bins: int = 10) -> list[Lane]:
    return lanes(spells, since=since, until=until, bins=bins)


def test_an_attempt_fills_the_bins_in_which_it_ran() -> None:
    (lane,) = drawn(Ran(1, 1.5, 3.25))
    assert [(block.bin, block.busy) for block in lane.blocks] == [(1, 0.5), (2, 1.0), (3, 0.25)]


def test_it_is_counted_where_it_ended() -> None:
    (lane,) = drawn(Ran(1, 1.5, 3.25))
    assert [block.completed for block in lane.blocks] == [0, 0, 1]


def test_a_failure_is_never_lost_among_others() -> None:
    (lane,) = drawn(*(Ran(n, 1 + n / 200, 1 + (n + 1) / 200) for n in range(199)), Ran(777, 1.995, 1.999, "failed"))
    (block,) = lane.blocks
    assert (block.completed, block.failed, block.task_id) == (199, 1, 777)


def test_every_slot_has_a_lane_and_the_unknown_one_has_no_number() -> None:
    found = drawn(Ran(1, 1, 2, slot=2), Ran(2, 1, 2, slot=0), Ran(3, 0.5, 2, slot=-1))
    assert [lane.slot for lane in found] == [None, 0, 2]


def test_there_are_so_many_lanes_and_no_more() -> None:
    assert len(drawn(*(Ran(n, 1, 2, slot=n) for n in range(200)))) == MOST_LANES


def test_what_began_before_and_ends_later_fills_all_of_it() -> None:
    (lane,) = drawn(Ran(1, -100, 100))
    assert [block.busy for block in lane.blocks] == [1.0] * 10
    assert sum(block.completed for block in lane.blocks) == 0


def test_a_long_attempt_that_failed_shows_it_along_its_length() -> None:
    (lane,) = drawn(Ran(1, 1, 4, "failed"))
    assert [(block.bin, block.troubled) for block in lane.blocks] == [(1, 1.0), (2, 1.0), (3, 1.0), (4, 0.0)]


def test_what_still_runs_is_where_somebody_was_free() -> None:
    """Slot 0 was busy until later, slot 2 has been free for long: slot 1 has just let go of another task."""
    before = [Ran(1, 0, 1, slot=2), Ran(2, 0, 4, slot=1), Ran(3, 0, 8, slot=0)]
    found = drawn(*before, Ran(4, 4.01, 10, RUNNING, slot=-1))
    assert [lane.slot for lane in found] == [0, 1, 2]
    assert [(block.bin, block.running) for block in found[1].blocks if block.running] == [
        (n, 1.0) for n in range(4, 10)
    ]
    assert sum(block.completed + block.failed + block.other for block in found[1].blocks) == 1


def test_what_crashed_together_ran_side_by_side() -> None:
    found = drawn(Ran(1, 0, 2, slot=0), Ran(2, 0, 2, slot=1), *(Ran(n, 2, 6, "lost", slot=-1) for n in (3, 4)))
    assert [[block.bin for block in lane.blocks if block.cut] for lane in found] == [[2, 3, 4, 5]] * 2


def test_what_nobody_was_free_for_is_nobodys() -> None:
    found = drawn(Ran(1, 0, 5, slot=0), Ran(2, 3, 6, "lost", slot=-1))
    assert [lane.slot for lane in found] == [None, 0]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-5, 15), st.floats(0, 20), st.sampled_from(["completed", "failed", "lost"])), max_size=30
    ),
    st.integers(1, 40),
)
def test_nobody_is_busier_than_all_the_time(ran: list[tuple[float, float, str]], bins: int) -> None:
    spells = [Ran(n, began, began + took, outcome, slot=n % 3) for n, (began, took, outcome) in enumerate(ran)]
    for lane in drawn(*spells, bins=bins):
        assert all(0.0 <= block.busy <= 1.0 and 0 <= block.bin < bins for block in lane.blocks)
