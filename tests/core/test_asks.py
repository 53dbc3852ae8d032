"""What a function may ask for by raising."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from overnight.core.asks import Permanent, Retry

NOON = 1_800_000_000.0


def test_a_retry_is_due_after_some_seconds_at_a_moment_or_now() -> None:
    assert Retry(after=30).due(NOON) == NOON + 30
    assert Retry(at=NOON + 5).due(NOON) == NOON + 5
    assert Retry(at=datetime.fromtimestamp(NOON, UTC)).due(0.0) == NOON
    assert Retry("busy").due(NOON) == NOON


@pytest.mark.parametrize(("after", "at"), [(1, NOON), (-1, None), (float("nan"), None)])
def test_a_retry_that_makes_no_sense_is_refused(after: float, at: float | None) -> None:
    with pytest.raises(ValueError, match="Retry"):
        Retry(after=after, at=at)


def test_both_carry_words_for_people() -> None:
    assert str(Retry()) == "asked to be tried later"
    assert str(Retry("busy", after=1)) == "busy"
    assert str(Permanent("broken input")) == "broken input"
