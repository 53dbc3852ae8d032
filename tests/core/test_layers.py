"""Where nodes of a graph are drawn."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overnight.core.workflow.layers import ACROSS, Layout, lay_out
from overnight.core.workflow.stacking import DOWN

Needs = Sequence[Sequence[int]]


def layout(needs: Needs) -> Layout:
    """Of a graph whose nodes are numbered in an order in which they can run."""
    return lay_out(needs, range(len(needs)))


@st.composite
def graphs(draw: st.DrawFn) -> Needs:
    count = draw(st.integers(1, 30))
    return [sorted(draw(st.sets(st.integers(0, node - 1), max_size=4))) if node else [] for node in range(count)]


@settings(deadline=None)
@given(graphs())
def test_everything_stands_to_the_right_of_what_it_needs(needs: Needs) -> None:
    found = layout(needs)
    for node, before in enumerate(needs):
        assert all(found.places[one][0] + ACROSS <= found.places[node][0] + 1e-6 for one in before)


@settings(deadline=None)
@given(graphs())
def test_no_two_nodes_cover_each_other(needs: Needs) -> None:
    columns: dict[float, list[float]] = {}
    for x, y in layout(needs).places:
        columns.setdefault(x, []).append(y)
    for ys in columns.values():
        ys.sort()
        assert all(below - above >= DOWN * 0.4 for above, below in pairwise(ys))


@settings(deadline=None)
@given(graphs())
def test_every_edge_is_led_through_each_layer_that_it_crosses(needs: Needs) -> None:
    found = layout(needs)
    assert sorted((route.before, route.after) for route in found.routes) == sorted(
        (before, node) for node, all_before in enumerate(needs) for before in all_before
    )
    for route in found.routes:
        layers = (found.places[route.after][0] - found.places[route.before][0]) / ACROSS
        assert len(route.bends) == round(layers) - 1


@settings(deadline=None)
@given(graphs())
def test_everything_is_inside_of_the_picture(needs: Needs) -> None:
    found = layout(needs)
    for x, y in [*found.places, *(bend for route in found.routes for bend in route.bends)]:
        assert -1e-6 <= x <= found.width + 1e-6
        assert -1e-6 <= y <= found.height + 1e-6


@settings(deadline=None)
@given(graphs())
def test_the_same_graph_is_drawn_the_same(needs: Needs) -> None:
    assert layout(needs) == layout(needs)


def test_a_chain_is_a_straight_line() -> None:
    found = layout([[], [0], [1], [2]])
    assert [x for x, _ in found.places] == [0, ACROSS, 2 * ACROSS, 3 * ACROSS]
    assert len({y for _, y in found.places}) == 1


def test_parts_that_do_not_hang_together_stand_below_each_other() -> None:
    found = layout([[], [], [0], [1]])
    first, second = found.places[0][1], found.places[1][1]
    assert first == found.places[2][1]
    assert second == found.places[3][1]
    assert second - first >= DOWN


def test_two_edges_do_not_cross_where_they_need_not() -> None:
    found = layout([[], [], [1], [0], [2, 3]])
    upper = found.places[0][1] < found.places[1][1]
    assert (found.places[3][1] < found.places[2][1]) is upper


def test_a_long_edge_goes_around_what_lies_between() -> None:
    """From 0 to 3 as well as by way of 1 and 2."""
    found = layout([[], [0], [1], [2, 0]])
    (long,) = [route for route in found.routes if route.bends]
    for bend, between in zip(long.bends, (1, 2), strict=True):
        assert bend[0] == found.places[between][0]
        assert abs(bend[1] - found.places[between][1]) >= DOWN * 0.4


def test_a_step_without_needs_stands_right_before_the_first_that_wants_it() -> None:
    found = layout([[], [0], [1], [], [2, 3]])
    assert found.places[3][0] == found.places[4][0] - ACROSS


def test_what_more_edges_leave_than_reach_stands_right_before_the_first_that_wants_it() -> None:
    """1 could stand in the second layer; then three edges would be long, and not one."""
    found = layout([[], [0], [0], [2], [3], [4, 1], [4, 1], [4, 1]])
    assert found.places[1][0] == found.places[5][0] - ACROSS


@pytest.mark.parametrize("branches", [2, 3, 7])
def test_a_tree_is_drawn_without_a_crossing(branches: int) -> None:
    """Leaves, which nothing draws anywhere, stay where they are between those that move."""
    needs: Needs = [[] if node == 0 else [(node - 1) // branches] for node in range(100)]
    assert _crossings(layout(needs)) == 0


def _crossings(found: Layout) -> int:
    """How many pairs of edges cross between two layers; counted one by one."""
    lines = [[found.places[way.before], *way.bends, found.places[way.after]] for way in found.routes]
    parts = [part for line in lines for part in pairwise(line)]
    pairs = combinations(parts, 2)
    return sum(one[0][0] == two[0][0] and (one[0][1] - two[0][1]) * (one[1][1] - two[1][1]) < 0 for one, two in pairs)


def test_a_graph_of_thousands_is_laid_out() -> None:
    dice = random.Random(7)  # noqa: S311 - a graph, no secret
    needs = [sorted({dice.randrange(max(0, n - 60), n) for _ in range(2)}) if n else [] for n in range(5000)]
    assert len(layout(needs).places) == 5000
