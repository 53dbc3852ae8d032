"""Where something is going: only clear differences are told."""

from __future__ import annotations

import pytest

from overnight.core.trends import Direction, direction


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ([], Direction.STEADY),
        ([1, 0, 1], Direction.STEADY),
        ([0, 0, 0], Direction.STOPPED),
        ([5, 5, 5, 5, 5, 5], Direction.STEADY),
        ([9, 9, 9, 9, 0, 0], Direction.STOPPED),
        ([0, 0, 0, 0, 3, 9], Direction.RISING),
        ([9, 9, 9, 9, 2, 1], Direction.FALLING),
        ([4, 4, 4, 4, 6, 6], Direction.STEADY),
        ([4, 4, 4, 4, 9, 9], Direction.RISING),
    ],
)
def test_the_last_third_beside_the_rest(counts: list[int], told: Direction) -> None:
    assert direction(counts) is told
