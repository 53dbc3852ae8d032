"""How finely a chart is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight.core.gauges import MOST_POINTS, NAMES, RESOLUTIONS, mean_spans, span_for

HOUR, DAY = 3600.0, 86400.0


@pytest.mark.parametrize(
    ("seconds", "age", "span"),
    [
        (600, 600, 1),
        (2 * HOUR, 2 * HOUR, 10),
        (12 * HOUR, 12 * HOUR, 60),
        (600, 2 * DAY, 10),
        (600, 10 * DAY, 60),
        (30 * DAY, 30 * DAY, 3600),
        (600, 300 * DAY, 3600),
    ],
)
def test_a_chart_is_as_fine_as_its_length_and_its_age_allow(seconds: float, age: float, span: int) -> None:
    assert span_for(seconds, age) == span


@given(st.floats(1, 700 * DAY), st.floats(0, 700 * DAY))
def test_no_chart_has_too_many_points_unless_nothing_coarser_is_kept(seconds: float, more: float) -> None:
    span = span_for(seconds, seconds + more)
    assert seconds / span <= MOST_POINTS or span == RESOLUTIONS[-1].span


def test_each_is_named_once() -> None:
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize(
    ("days", "spans"), [(0.5, [60, 10, 1]), (2, [60, 10]), (10, [60]), (50, [3600]), (9000, [3600])]
)
def test_means_are_of_minutes_as_long_as_there_are(days: float, spans: list[int]) -> None:
    assert mean_spans(3600, days * 86400) == spans


def test_of_a_long_time_hours_do() -> None:
    assert mean_spans(10 * 86400, 10 * 86400) == [3600, 60]
