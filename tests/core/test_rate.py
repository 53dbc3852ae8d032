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
