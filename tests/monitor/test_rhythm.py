"""How many attempts ended when."""

from __future__ import annotations

from pathlib import Path

import pytest
from history_parts import NOON, ending

from overnight.monitor.history.keeping import History
from overnight.monitor.history.rhythm import Times

DAY = 86400.0


@pytest.fixture
def times(tmp_path: Path) -> Times:
    history = History(tmp_path / "history.db")
    endings = [
        ending(NOON),
        ending(NOON + 1),
        ending(NOON + 61),
        ending(NOON + 62, outcome="failed", fingerprint="disk"),
        ending(NOON + 63, outcome="lost"),
        ending(NOON + 3700, outcome="failed", fingerprint="disk"),
    ]
    history.tally(endings, seq=1)
    history.close()
    return Times(tmp_path / "history.db")


def test_a_short_period_comes_by_the_minute(times: Times) -> None:
    found = times.rhythm(since=NOON, until=NOON + 600, now=NOON + 600)
    assert found.span == 60
    assert [(one.at - NOON, one.completed, one.failed, one.other) for one in found.beats] == [
        (0, 2, 0, 0),
        (60, 1, 1, 1),
    ]


def test_a_long_one_comes_in_longer_spans_and_loses_nothing(times: Times) -> None:
    found = times.rhythm(since=NOON - 30 * DAY, until=NOON + DAY, now=NOON + DAY)
    assert found.span == 7200
    assert sum(one.completed for one in found.beats) == 3
    assert sum(one.failed for one in found.beats) == 2


def test_what_lies_before_and_after_is_left_out(times: Times) -> None:
    assert times.rhythm(since=NOON + 120, until=NOON + 180, now=NOON + 600).beats == []


def test_each_cause_has_a_trend_of_its_own(times: Times) -> None:
    disk, other = times.trends(["disk", "other"], since=NOON, until=NOON + 7200, now=NOON + 7200)
    assert (disk.fingerprint, sum(n for _, n in disk.points)) == ("disk", 2)
    assert other.points == []
