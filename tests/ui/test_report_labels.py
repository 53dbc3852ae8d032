"""Labels of a timeline: none lies over another, no line goes through one, and none leaves the picture."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from overnight.ui.report.labels import AWAY, placed

WIDTH = 1000.0
MARKS = st.lists(st.tuples(st.floats(0, WIDTH), st.text(max_size=60)), max_size=12)


@given(MARKS)
def test_labels_and_lines_keep_out_of_each_others_way(marks: list[tuple[float, str]]) -> None:
    places = placed(marks, width=WIDTH, rows=6)
    shown = [(x, place) for (x, _), place in zip(marks, places, strict=True) if place is not None]
    for (x, one), (other_x, other) in combinations(shown, 2):
        if one.row == other.row:
            assert one.right <= other.left or other.right <= one.left
        upper, line = (one, other_x) if one.row < other.row else (other, x)
        if one.row != other.row:
            assert not upper.left - AWAY < line < upper.right + AWAY
    assert all(place.left >= 0 and place.right <= WIDTH for _, place in shown)


def test_a_few_all_find_a_place_even_at_the_same_moment() -> None:
    marks = [(500.0, "crash, resumed in 4 s")] * 4 + [(995.0, "disk full"), (2.0, "storm")]
    assert None not in placed(marks, width=WIDTH, rows=6)


def test_a_long_label_is_cut() -> None:
    (place,) = placed([(10.0, "x" * 500)], width=WIDTH, rows=1)
    assert place is not None
    assert place.shown.endswith("…")
    assert place.right - place.left <= WIDTH / 3
