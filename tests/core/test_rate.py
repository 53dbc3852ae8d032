"""How fast it goes, and how long the rest will take."""

import pytest

from overnight.core.rate import HALF_LIFE, Rate


def test_a_steady_pace_is_its_own_rate() -> None:
    rate = Rate()
    for _ in range(100):
        rate.saw(7, 1.0)
    assert rate.per_second == pytest.approx(7)
    assert rate.seconds_left(70) == pytest.approx(10)


def test_the_past_fades() -> None:
    rate = Rate()
    rate.saw(1000, 10)
    for _ in range(int(HALF_LIFE * 10)):
        rate.saw(1, 1.0)
    assert rate.per_second == pytest.approx(1, rel=0.1)


def test_nothing_seen_promises_nothing() -> None:
    assert Rate().seconds_left(5) is None
    assert Rate().seconds_left(0) == 0


def test_what_is_left_is_a_span_that_narrows_as_more_is_seen() -> None:
    rate, spans = Rate(), []
    for seen in (1, 9, 90):
        rate.saw(seen, seen / 2)
        low, high = rate.range_left(1000) or (0.0, 0.0)
        assert low < (rate.seconds_left(1000) or 0.0) < high
        spans.append(high / low)
    assert spans == sorted(spans, reverse=True)
    assert spans[-1] == pytest.approx(1.3, rel=0.05)


def test_few_that_are_left_may_take_long() -> None:
    rate = Rate()
    rate.saw(10_000, 10.0)
    one, many = rate.range_left(1) or (0.0, 0.0), rate.range_left(10_000) or (0.0, 0.0)
    assert one[1] / one[0] > 4
    assert many[1] / many[0] < 1.1


def test_nothing_seen_has_no_span() -> None:
    assert Rate().range_left(5) is None
    rate = Rate()
    rate.saw(5, 1.0)
    assert rate.range_left(0) is None


def test_after_a_day_without_an_end_there_is_no_telling() -> None:
    rate = Rate()
    rate.saw(1, 1.0)
    for _ in range(24 * 60):
        rate.saw(0, 60.0)
        span = rate.range_left(10)
        assert span is None or span[1] < 1e9
    assert span is None


def night(rate: Rate, seconds: int = 300) -> None:
    """Ten tasks complete each second, in four seconds each."""
    for _ in range(seconds):
        for _ in range(10):
            rate.finished(4.0, completed=True)
        rate.passed(1.0)


def test_many_that_fail_at_once_promise_no_earlier_end() -> None:
    rate = Rate()
    night(rate)
    before = rate.seconds_left(1000)
    for _ in range(5000):
        rate.finished(0.01, completed=False)
    rate.passed(1.0)
    assert rate.per_second > 50
    assert rate.seconds_left(1000) == pytest.approx(before, rel=0.05)


def test_a_failure_that_took_as_long_is_as_much_work() -> None:
    rate = Rate()
    night(rate)
    for _ in range(300):
        for _ in range(5):
            rate.finished(4.0, completed=True)
            rate.finished(300.0, completed=False)  # at its time limit
        rate.passed(1.0)
    assert rate.seconds_left(1000) == pytest.approx(100, rel=0.01)


def test_where_nothing_completes_failures_are_all_that_is_known() -> None:
    rate = Rate()
    for _ in range(50):
        rate.finished(0.1, completed=False)
    rate.passed(10.0)
    assert rate.seconds_left(100) == pytest.approx(20)
