"""How much work is handed out at a time."""

import pytest

from overnight.core.pace import AHEAD, LONG, MOST_IN_A_SLOT, Allowance, Pace, batch_room, share_of


def test_an_unknown_lane_gives_a_slot_one_task() -> None:
    assert Pace().cost(1) == AHEAD


def test_tiny_tasks_are_handed_out_by_the_hundred_and_long_ones_singly() -> None:
    pace = Pace()
    pace.saw(1, 0.00001)
    pace.saw(2, 30.0)
    assert AHEAD / pace.cost(1) == pytest.approx(MOST_IN_A_SLOT)
    assert AHEAD / pace.cost(2) == pytest.approx(1)


def test_one_long_task_ends_the_prefetch_of_a_tiny_lane_at_once() -> None:
    pace = Pace()
    for _ in range(1000):
        pace.saw(1, 0.0001)
    pace.saw(1, LONG)
    assert pace.cost(1) == AHEAD


def test_a_lane_that_was_slow_once_becomes_fast_again() -> None:
    pace = Pace()
    pace.saw(1, 1.0)
    for _ in range(100):
        pace.saw(1, 0.001)
    assert pace.cost(1) < AHEAD / 10


def test_tasks_that_must_not_wait_behind_others_get_a_slot_of_their_own() -> None:
    pace = Pace()
    pace.saw(1, 0.0001)
    pace.never_ahead(1)
    assert pace.cost(1) == AHEAD


def test_a_slot_that_holds_more_than_half_is_left_alone() -> None:
    assert batch_room(0.0, 0) == AHEAD
    assert batch_room(AHEAD * 0.6, 10) == 0
    assert batch_room(AHEAD * 2, 1) == 0
    assert batch_room(0.0001, MOST_IN_A_SLOT) == 0


def test_a_slot_that_holds_less_than_half_has_room_for_a_long_task() -> None:
    """Else one that is urgent would wait until all the tiny ones have run out."""
    assert batch_room(AHEAD * 0.4, 10) >= Pace().cost(1)


def test_the_last_tasks_are_handed_out_in_halves_down_to_a_few() -> None:
    """What waits for the last of them waits for the outcomes of all that were under way with it."""
    left, shares = 1000, []
    while left:
        shares.append(share_of(left, 0, 16))
        left -= shares[-1]
    assert shares == [500, 250, 125, 62, 31, 16, 16]


def test_half_of_what_is_left_may_be_under_way() -> None:
    assert share_of(600, 400, 16) == 100
    assert share_of(400, 600, 16) == 16, "some slot asks: it is not left idle"
    assert share_of(3, 600, 16) == 3


def test_a_rate_of_ten_a_second_allows_ten_a_second() -> None:
    allowance, started = Allowance(10, now=0.0), 0
    for step in range(1001):
        allowed = allowance.available(step / 100)
        allowance.spend(allowed)
        started += allowed
    assert started == 101  # one at the start, then ten in each of ten seconds


def test_a_rate_below_one_a_second_still_starts() -> None:
    allowance = Allowance(0.5, now=0.0)
    assert allowance.available(0.0) == 1
    allowance.spend(1)
    assert allowance.next_at() == 2.0
    assert allowance.available(1.9) == 0
    assert allowance.available(2.0) == 1


def test_a_rate_does_not_save_up_a_night() -> None:
    assert Allowance(10, now=0.0).available(86_400.0) == 10


def test_where_nothing_goes_ahead_each_task_has_a_slot_for_itself() -> None:
    pace = Pace(ahead=False)
    pace.saw(1, 0.0001)
    assert pace.cost(1) == AHEAD
