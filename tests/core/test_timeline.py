"""When slots were busy: short attempts in the span in which they ended, long ones over all that they went through."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from overnight.core.night import Lasting, Night, Stretch
from overnight.core.states import Outcome
from overnight.core.timeline import MOST_SLOTS, pace, strips


def night(stretches: list[Stretch], longest: list[Lasting] | None = None, spans: int = 10) -> Night:
    return Night(0.0, 100.0, spans, {}, 0, [], 0, stretches, longest or [])


def test_short_ones_count_where_they_ended() -> None:
    told = night([Stretch(0, 3, Outcome.COMPLETED, 5, 5.0), Stretch(0, 3, Outcome.FAILED, 1, 2.5)])
    (strip,) = strips(told)
    assert strip.busy == (0, 0, 0, 0.75, 0, 0, 0, 0, 0, 0)
    assert strip.troubled[3] == round(2.5 / 7.5, 4)
    assert (pace(told).completed[3], pace(told).others[3]) == (5, 1)


def test_a_long_one_lies_over_all_its_spans() -> None:
    long = Lasting(1, 1, 2, Outcome.FAILED, None, 15.0, 45.0, 30.0)
    (strip,) = strips(night([Stretch(2, 4, Outcome.FAILED, 1, 30.0)], [long]))
    assert strip.busy == (0, 0.5, 1, 1, 0.5, 0, 0, 0, 0, 0)
    assert strip.troubled[1:5] == (1, 1, 1, 1)


def test_what_began_before_the_window_fills_it_from_its_beginning() -> None:
    long = Lasting(1, 1, 0, Outcome.COMPLETED, None, -50.0, 25.0, 75.0)
    (strip,) = strips(night([Stretch(0, 2, Outcome.COMPLETED, 1, 75.0)], [long]))
    assert strip.busy == (1, 1, 0.5, 0, 0, 0, 0, 0, 0, 0)


def test_what_ran_outside_the_engine_has_no_row_and_counts_all_the_same() -> None:
    told = night([Stretch(None, 0, Outcome.COMPLETED, 2, 4.0)])
    assert strips(told) == []
    assert sum(pace(told).completed) == 2


def test_of_many_slots_the_busiest_are_shown() -> None:
    told = strips(night([Stretch(slot, 0, Outcome.COMPLETED, 1, float(slot)) for slot in range(40)]))
    assert [one.slot for one in told] == list(range(40 - MOST_SLOTS, 40))


OUTCOMES = st.sampled_from(Outcome)


@given(
    st.lists(
        st.builds(
            Stretch, st.integers(0, 3), st.integers(0, 10), st.sampled_from(Outcome), st.just(1), st.floats(0, 1e9)
        )
    ),
    st.lists(st.tuples(st.integers(0, 3), st.floats(-1e6, 100), st.floats(10, 1e6), OUTCOMES)),
)
def test_shares_are_shares(stretches: list[Stretch], long: list[tuple[int, float, float, Outcome]]) -> None:
    longest = [Lasting(1, 1, slot, how, None, at, min(100.0, at + took), took) for slot, at, took, how in long]
    for strip in strips(night(stretches, longest)):
        assert all(0 <= one <= 1 for one in (*strip.busy, *strip.troubled))
